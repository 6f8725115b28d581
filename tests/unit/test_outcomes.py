"""Outcomes between two dbt layers: every city-year is there, scored or with the reason why not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dagster_project.assets.outcomes import efficiency_synergy, reduction_synergy


def _inputs() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        [(f"{c:06d}", y) for c in range(25) for y in range(2003, 2022)],
        columns=["city_code", "year"],
    )
    for name in ("labour", "capital", "energy", "grp_real_2004", "pm25", "co2_t"):
        frame[name] = rng.uniform(1, 10, len(frame))
    frame["ln_co2"] = np.log(frame["co2_t"])
    frame["ln_rgdp_pc"] = np.log(frame["grp_real_2004"])
    return frame


def test_scores_and_reasons_cover_the_span() -> None:
    inputs = _inputs()
    broken = inputs.index[(inputs["city_code"] == "000003") & (inputs["year"] == 2010)]
    inputs.loc[broken, "energy"] = np.nan
    zero = inputs.index[(inputs["city_code"] == "000004") & (inputs["year"] == 2011)]
    inputs.loc[zero, "labour"] = 0.0
    scores, technologies = efficiency_synergy(inputs, workers=1)
    assert len(scores) == 25 * 17
    assert scores["syeff"].notna().sum() == 25 * 17 - 2
    assert scores["syeff"].dropna().between(0, 1).all()
    lost = scores[scores["syeff"].isna()].sort_values("year")
    assert lost["preff_status"].tolist() == [
        "not scored, missing or not positive: energy",
        "not scored, missing or not positive: labour",
    ]
    assert technologies["preff"]["frontier"] == "global"


def test_without_inputs_there_are_reasons_and_no_scores() -> None:
    inputs = _inputs()
    inputs["energy"] = np.nan
    scores, technologies = efficiency_synergy(inputs, workers=1)
    assert scores["syeff"].isna().all()
    assert scores["creff_status"].str.endswith("energy").all()
    assert technologies == {}


def test_reduction_synergy_rewards_less_pollution() -> None:
    inputs = _inputs()
    result, weights = reduction_synergy(inputs)
    assert abs(sum(weights.values()) - 1) < 1e-12
    assert result["year"].between(2011, 2022).all()
    dirtier = inputs.copy()
    row = dirtier.index[(dirtier["city_code"] == "000007") & (dirtier["year"] == 2015)]
    dirtier.loc[row, "pm25"] = inputs.loc[inputs["year"] >= 2011, "pm25"].max()
    changed, _ = reduction_synergy(dirtier)
    key = (result["city_code"] == "000007") & (result["year"] == 2015)
    assert changed.loc[key, "srpce"].item() < result.loc[key, "srpce"].item()
