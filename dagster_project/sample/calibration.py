"""How the sample compares with the descriptive statistics that the studies print.

Belongs here: the studies' variables derived straight from a World, and the comparison with the
seed ``published_descriptives``. Does not belong here: the panel itself; the warehouse derives it
from the files, and the two agree up to rounding and filled cells.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dagster_project.sample.economy import YUAN_PER_DOLLAR
from dagster_project.sample.inputs import SEEDS_DIR, read_seed
from dagster_project.sample.world import World

YEARS = {"A": (2011, 2022), "B": (2004, 2020), "C": (2006, 2023), "D": (2003, 2020)}

# Printed figures that no coherent sample can meet, with the reason.
INFEASIBLE = {
    ("A", "gti", "sd"): "a share of green in all applications cannot reach the printed 11.2",
    ("A", "el", "sd"): "one printed value of 5.9 times GDP makes nearly all of the deviation",
}


def derived(world: World) -> pd.DataFrame:
    """The studies' variables by city and year, named as in the seed ``published_descriptives``.

    Formulas are the studies' own: ratios to GRP, logs of density and of GDP per head, location
    quotient, coupling coordination. ``srpce`` takes coupling as cube root of (u1 u2 u3) over their
    sum, whose maximum is 1/3: only that form gives values near the printed ones.
    """
    w = world.city
    grp = w["grp"] * 1e4  # 10 000 yuan
    out = world.frame()[["city_code", "province_code", "year"]]
    real_pc = w["grp_real"] / w["pop_resident"] * 1e4
    dollar = np.array([YUAN_PER_DOLLAR[int(y)] for y in world.years])
    ict = w["employees_ict"] / w["employees_total_unit"]
    national = w["employees_ict"].sum(axis=0) / w["employees_total_unit"].sum(axis=0)
    carbon = 2.1622 * w["gas_supply"] * 10 + 3.1013 * w["lpg_supply"]
    carbon = carbon + 1.3023 * w["electricity_total"] * 10 * 0.75
    province = pd.Series(np.arange(len(world.provinces)), index=world.provinces["province_code"])
    market = world.province["marketisation_index"][world.cities["province_code"].map(province)]
    columns = {
        "srpce": srpce(world),
        "bigdata": world.treatment("bigdata"),
        "is_upgrade": w["share_tertiary"] / w["share_secondary"],
        "gti": w["patents_green"] / np.maximum(w["patents_applied"], 1),
        "df": w["digital_finance_index"],
        "el": w["expenditure_education"] / grp,
        "tl": w["expenditure_science"] / grp,
        "pd": np.log(w["pop_resident"] * 1e4 / w["land_area"]),
        "fd": w["fiscal_revenue"] / w["fiscal_expenditure"],
        "es": w["employees_tertiary"] / w["employees_total_unit"],
        "scl": w["retail_sales"] / grp,
        "dgi": w["fiscal_expenditure"] / grp,
        "il": w["share_secondary"] / 100,
        "fdl": w["loans"] / grp,
        "innovative": world.treatment("innovative"),
        "pop": w["pop_resident"] * 100 / w["land_area"],
        "lnpgdp": np.log(real_pc),
        "gov": 100 * w["fiscal_expenditure"] / grp,
        "hc_ln": np.log(w["students_higher"] / w["pop_registered"] * 100),
        "er": 100 * w["words_environment"] / w["words_total"],
        "fdi": 100 * w["fdi_actual"] * dollar / grp,
        "dia": ict / national,
        "dual": world.treatment("dual"),
        "dti": np.log1p(w["patents_digital"]),
        "gti_ln": np.log1p(w["patents_green"]),
        "hc": w["students_higher"] / w["pop_registered"] / 1e4,
        "pgdp": np.log(w["grp_per_capita"]),
        "findev": (w["loans"] + w["deposits"]) / grp,
        "open": 100 * w["fdi_actual"] * dollar / grp,
        "govsup": w["expenditure_science"] / w["fiscal_expenditure"],
        "mktz": market,
        "urb": w["pop_registered_urban"] / w["pop_registered"],
        "carbon": np.log(carbon),  # tonnes
        "smart": world.treatment("smart"),
        "ln_co2": np.log(w["co2_edgar"]),
        "pm25": w["pm25"],
    }
    shape = w["grp"].shape
    values = {k: np.broadcast_to(v, shape).ravel() for k, v in columns.items()}
    return pd.concat([out, pd.DataFrame(values)], axis=1)


def srpce(world: World, years: tuple[int, int] = YEARS["A"]) -> np.ndarray:
    """Study A's synergy of less pollution, less carbon and growth, (n, t); NaN outside years."""
    keep = (world.years >= years[0]) & (world.years <= years[1])
    real_pc = world.city["grp_real"] / world.city["pop_resident"] * 1e4
    parts = []
    for values, sign in (
        (world.city["pm25"], -1),
        (np.log(world.city["co2_edgar"]), -1),
        (np.log(real_pc), 1),
    ):
        v = sign * values[:, keep]
        parts.append((v - v.min()) / (v.max() - v.min()))
    u = np.stack(parts)
    total = u.sum(axis=0)
    coupling = np.cbrt(u.prod(axis=0)) / total
    out = np.full(world.city["grp"].shape, np.nan)
    out[:, keep] = np.sqrt(coupling * total / 3)
    return out


_SAME_NAME = {("B", "hc"): "hc_ln", ("C", "gti"): "gti_ln"}


def compare(world: World, seeds_dir: Path = SEEDS_DIR) -> pd.DataFrame:
    """One row per printed variable: printed and generated mean, sd, min, max and their ratios.

    Study B's 284 cities are those that were cities in 2004: later ones are left out of its rows.
    ``hc`` of study B and ``gti`` of study C share a name with a variable of another study.
    """
    panel = derived(world)
    since = pd.to_numeric(world.cities["name_since"].str[:4], errors="coerce")
    young = world.cities.loc[since > YEARS["B"][0], "city_code"]
    rows = []
    for _, printed in read_seed(seeds_dir, "published_descriptives").iterrows():
        study, column = printed["study"], printed["column_name"]
        name = _SAME_NAME.get((study, column), column)
        if name not in panel.columns:
            continue
        first, last = YEARS[study]
        rows_of_study = panel["year"].between(first, last)
        if study == "B":
            rows_of_study &= ~panel["city_code"].isin(young)
        values = panel.loc[rows_of_study, name]
        mean, sd = float(printed["mean"]), float(printed["sd"])
        rows.append(
            {
                "study": study,
                "column_name": column,
                "mean_printed": mean,
                "mean": values.mean(),
                "mean_ratio": values.mean() / mean,
                "sd_printed": sd,
                "sd": values.std(),
                "sd_ratio": values.std() / sd,
                "min_printed": float(printed["min"]),
                "min": values.min(),
                "max_printed": float(printed["max"]),
                "max": values.max(),
            }
        )
    return pd.DataFrame(rows)
