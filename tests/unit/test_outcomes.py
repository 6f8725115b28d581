"""Outcomes between two dbt layers: every city-year is there, scored or with the reason why not."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import pytest

from dagster_project.assets import outcomes as outcomes_asset
from dagster_project.assets.outcomes import (
    efficiency_synergy,
    kept_record,
    outcomes_stamp,
    reduction_synergy,
)
from dagster_project.dbt_project import prepare_lake
from dagster_project.resources import PilotPanel


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


@pytest.fixture
def dataset(tmp_path: Path) -> PilotPanel:
    """A warehouse with the inputs, and nothing else."""
    panel = PilotPanel(data_home=str(tmp_path / "data"), landing=str(tmp_path))
    panel.settings().data_home.mkdir()
    inputs = _inputs()
    inputs = inputs[inputs["year"].between(2015, 2016)]
    with duckdb.connect(str(panel.settings().warehouse)) as connection:
        connection.register("frame", inputs)
        connection.execute("create table int_outcome_inputs as select * from frame")
    return panel


def _compute(panel: PilotPanel) -> pd.DataFrame:
    with dg.build_asset_context() as context:
        outcomes_asset.outcomes(context, pilot_panel=panel)
    return pd.read_parquet(panel.settings().lake / "derived" / "outcomes.parquet")


def test_scores_are_kept_only_while_they_are_those_that_were_computed(
    dataset: PilotPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved = []
    original = outcomes_asset.efficiency_synergy
    monkeypatch.setattr(
        outcomes_asset,
        "efficiency_synergy",
        lambda *given: (solved.append(1), original(*given))[1],
    )
    first = _compute(dataset)
    assert first["syeff"].notna().sum() == 50
    pd.testing.assert_frame_equal(_compute(dataset), first)
    assert len(solved) == 1

    target = dataset.settings().lake / "derived" / "outcomes.parquet"
    target.unlink()
    prepare_lake(dataset.settings())  # puts an empty table there for dbt to read
    assert pd.read_parquet(target).empty
    pd.testing.assert_frame_equal(_compute(dataset), first)
    assert len(solved) == 2

    first.assign(syeff=0.5).to_parquet(target, index=False)
    pd.testing.assert_frame_equal(_compute(dataset), first)
    assert len(solved) == 3
    target.with_suffix(".json").write_text('{"stamp": ')
    pd.testing.assert_frame_equal(_compute(dataset), first)
    assert len(solved) == 4


def test_a_run_killed_between_scores_and_record_leaves_no_record(
    dataset: PilotPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    _compute(dataset)
    record = dataset.settings().lake / "derived" / "outcomes.json"
    assert record.exists()
    with duckdb.connect(str(dataset.settings().warehouse)) as connection:
        connection.execute("update int_outcome_inputs set pm25 = pm25 + 1 where year = 2015")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(outcomes_asset, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        _compute(dataset)
    assert not record.exists()


def test_libraries_and_columns_are_part_of_the_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = _inputs()
    before = outcomes_stamp(inputs)
    assert outcomes_stamp(inputs) == before
    assert outcomes_stamp(inputs.rename(columns={"labour": "capital", "capital": "labour"})) != (
        before
    )
    assert kept_record(tmp_path / "outcomes.parquet", before) == {}
    original = outcomes_asset.library_versions
    monkeypatch.setattr(
        outcomes_asset, "library_versions", lambda *names: [f"{v}+" for v in original(*names)]
    )
    assert outcomes_stamp(inputs) != before
