"""Synthetic estimation samples with the columns of the warehouse's marts, for tests only."""

from __future__ import annotations

import numpy as np
import pandas as pd

_SPANS = {
    "sample_b": (2004, 2020),
    "sample_c": (2006, 2023),
    "sample_d": (2003, 2020),
    "sample_real_carbon": (2000, 2023),
}
_ADOPTIONS = {
    "innovative": (2008, 2010, 2011, 2013, 2018),
    "low_carbon": (2010, 2012, 2017),
    "smart_city": (2013, 2015),
    "civilized_city": (2009, 2011, 2015, 2017),
    "carbon_ets": (2013,),
    "broadband": (2014, 2015, 2016),
    "bigdata": (2015, 2016),
    "dual": (2013, 2015, 2017),
    "smart_policy": (2012, 2013, 2014),
}
_COLUMNS = {
    "sample_b": (
        "syeff",
        "pop lnpgdp gov hc er fdi invg ingrvg indivg is_upgrade magg sagg coag",
        "innovative low_carbon smart_city civilized_city carbon_ets",
    ),
    "sample_c": (
        "dia",
        "pgdp findev open govsup mktz urb dti gti hc pm25",
        "dual smart_city low_carbon broadband carbon_ets",
    ),
    "sample_d": (
        "carbon",
        "wage pinf fiscal infra fdi sic green ind_pro carbon_log10 carbon_intensity digital_index "
        "green_innovation hc_log grp_pc_log econ_agglomeration env_regulation",
        "smart_policy low_carbon innovative carbon_ets",
    ),
    "sample_real_carbon": (
        "ln_co2",
        "ln_grp_pc share_secondary ln_density loans_grp",
        "bigdata innovative smart_city low_carbon dual broadband carbon_ets",
    ),
}


def sample(name: str, *, cities: int = 96, effect: float = 0.4, seed: int = 0) -> pd.DataFrame:
    """A balanced panel with every column the study files of this room name."""
    rng = np.random.default_rng(seed)
    first, last = _SPANS[name]
    years = np.arange(first, last + 1)
    t = len(years)
    code = np.repeat(np.arange(cities) + 110000, t)
    frame = pd.DataFrame({"city_code": code.astype(str), "year": np.tile(years, cities)})
    index = np.repeat(np.arange(cities), t)
    frame["province_code"] = (index % 12).astype(str)
    frame["trend"] = frame["year"] - first
    groups = {
        "econ_region4": np.array(["east", "central", "west", "northeast"])[np.arange(cities) % 4],
        "ns_group": np.array(["north", "south"])[np.arange(cities) // 2 % 2],
        "coastal": np.arange(cities) % 3 == 0,
        "two_control_zone": np.arange(cities) % 5 < 3,
        "key_env_city": np.arange(cities) % 7 < 3,
        "resource_based": np.arange(cities) % 11 < 4,
        "emission_pressure": np.arange(cities) % 13 < 6,
        "is_municipality": np.arange(cities) == 0,
        "is_provincial_capital": np.arange(cities) % 24 == 1,
        "is_subprovincial": np.arange(cities) % 32 == 1,
        "core_city": np.arange(cities) % 24 < 2,
        "city_tier": np.array([2.0, 3.0, 4.0, 5.0])[np.arange(cities) // 3 % 4],
    }
    for key, values in groups.items():
        column = values[index]
        frame[key] = column.astype(float) if column.dtype == bool else column
    outcome, continuous, policies = _COLUMNS[name]
    y = rng.normal(size=cities)[index] + 0.02 * frame["trend"] + rng.normal(size=len(frame)) * 0.5
    for policy in policies.split():
        waves = np.array(_ADOPTIONS[policy], dtype=float)
        adopted = np.where(rng.random(cities) < 0.45, rng.choice(waves, cities), np.nan)
        frame[f"{policy}_year"] = adopted[index]
        frame[policy] = (frame["year"] >= frame[f"{policy}_year"]).astype(float)
        y = y + 0.1 * frame[policy]
    main = policies.split()[0]
    y = y + (effect - 0.1) * frame[main]
    if main == "dual":
        frame["dual_duration"] = (frame["year"] - frame["dual_year"]).where(frame["dual"] == 1)
        frame["dual_individual"] = frame["dual"] * (index % 3 > 0)
    if main == "smart_policy":
        frame["smart_year"] = frame["smart_policy_year"]
    for k, column in enumerate(continuous.split()):
        frame[column] = (
            rng.normal(size=len(frame)) + rng.normal(size=cities)[index] + 0.3 * frame[main]
        )
        if k < 6:
            y = y + 0.1 * frame[column]
    frame[outcome] = y
    return frame
