"""Declared sample changes: each against what it says, and its clear refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from estimation.panel import MissingData
from estimation.studies import spec, transforms
from tests.unit.did_panels import panel

MODEL = spec.ModelSpec(
    estimator="twfe", outcome="y", treatment="d", controls=["x0", "x1"], entity="city", time="year"
)


def run(frame, *steps, model=MODEL):
    return transforms.apply(frame, steps, model)


@pytest.fixture
def frame() -> pd.DataFrame:
    return panel(24, 10, treated=8, seed=1, last=8)


def test_input_is_left_alone(frame):
    before = frame.copy()
    run(frame, {"winsorise": {"columns": ["y"]}}, {"add_columns": {"z": "y * 2"}})
    pd.testing.assert_frame_equal(frame, before)


def test_missing_nullable_integers_compare_as_false(frame):
    years = (frame["year"] - frame["adopted"]).where(frame["d"] == 1)
    frame["years"] = years.astype("Int32")
    out = run(frame, {"add_columns": {"late": "d * (years > 2)"}})
    assert out["late"].notna().all()
    assert out["late"].sum() == (years > 2).sum() > 0


def test_rows_kept(frame):
    assert set(run(frame, {"drop_years": [2003, 2005]})["year"]) == set(range(2000, 2010)) - {
        2003,
        2005,
    }
    assert run(frame, {"years": {"from": 2002, "to": 2004}})["year"].between(2002, 2004).all()
    assert (run(frame, {"where": "rich == 1 and x0 > 0"})["x0"] > 0).all()
    frame["capital"] = (frame["city"] == 3).astype(float)
    frame["port"] = ((frame["city"] == 5) & (frame["year"] == 2004)).astype(float)
    left = run(frame, {"drop_rank": ["capital", "port"]})
    assert set(frame["city"]) - set(left["city"]) == {3, 5}  # once flagged, gone in every year


def test_balanced_keeps_whole_entities(frame):
    frame.loc[(frame["city"] == 2) & (frame["year"] == 2004), "x1"] = np.nan
    left = run(frame, {"balanced": True})
    assert 2 not in set(left["city"])
    assert len(left) == 23 * 10


def test_winsorise_and_trim(frame):
    low, high = (
        frame["x0"].quantile(0.05, interpolation="higher"),
        frame["x0"].quantile(0.95, interpolation="lower"),
    )
    cut = run(frame, {"winsorise": {"columns": ["x0"], "lower": 0.05, "upper": 0.05}})
    np.testing.assert_allclose(cut["x0"], frame["x0"].clip(low, high))
    assert set(cut["x0"]) <= set(frame["x0"])
    kept = run(frame, {"trim": {"columns": ["x0"], "lower": 0.05, "upper": 0.05}})
    assert len(kept) == int(frame["x0"].between(low, high).sum())
    one_side = run(frame, {"winsorise": {"columns": ["x0"], "lower": 0, "upper": 0.05}})
    assert one_side["x0"].min() == frame["x0"].min()
    both = run(frame, {"winsorise": {"columns": "continuous"}})
    assert (both["d"] == frame["d"]).all()  # the 0/1 treatment is not continuous
    assert both["y"].max() < frame["y"].max()
    with pytest.raises(ValueError, match=r"\[0, 0.5\)"):
        run(frame, {"trim": {"columns": ["x0"], "lower": 0.6}})


def test_lags_respect_gaps(frame):
    gap = frame[~((frame["city"] == 1) & (frame["year"] == 2004))]
    out = run(gap, {"lag": {"columns": ["y"], "by": 1}}, {"lead": {"columns": ["y"], "by": 2}})
    own = out[out["city"] == 1].set_index("year")
    truth = frame[frame["city"] == 1].set_index("year")["y"]
    assert np.isnan(own.loc[2005, "L1_y"])
    assert own.loc[2006, "L1_y"] == truth[2005]
    assert np.isnan(own.loc[2002, "F2_y"])
    assert own.loc[2003, "F2_y"] == truth[2005]
    assert out.groupby("city")["L1_y"].apply(lambda s: s.isna().sum()).drop(1).eq(1).all()


def test_counterfactual_timing(frame):
    strict = run(frame, {"shift_treatment": {"adoption": "adopted", "years": 2}})
    treated = strict[strict["adopted"].notna()]
    assert (treated["year"] < treated["adopted"]).all()
    assert (treated["d"] == (treated["year"] >= treated["adopted"] - 2)).all()
    never = strict[strict["adopted"].isna()]
    assert (never["d"] == 0).all()
    assert len(never) == 16 * 10
    common = run(frame, {"shift_treatment": {"adoption": "adopted", "years": 1, "before": 2004}})
    assert common["year"].max() == 2003


def test_single_date_design(frame):
    out = run(frame, {"keep_cohorts": {"adoption": "adopted", "last": 2006, "set_year": 2005}})
    ever = out[out["d"] == 1]
    assert ever["year"].min() == 2005
    early = set(frame.loc[frame["adopted"] <= 2006, "city"])
    assert set(ever["city"]) == early
    assert set(out["city"]) == early | set(frame.loc[frame["adopted"].isna(), "city"])
    with pytest.raises(ValueError, match="no entity adopted"):
        run(frame, {"keep_cohorts": {"adoption": "adopted", "cohorts": [1950]}})


def test_duration_bands_partition_the_treated(frame):
    frame["years"] = (frame["year"] - frame["adopted"]).where(frame["d"] == 1)
    parts = [
        run(frame, {"duration_band": {"duration": "years", "from": a, "to": b}})
        for a, b in ((0, 1), (2, 3))
    ]
    parts.append(run(frame, {"duration_band": {"duration": "years", "from": 4}}))
    untreated = int((frame["d"] == 0).sum())
    assert all(int((p["d"] == 0).sum()) == untreated for p in parts)
    assert sum(int((p["d"] == 1).sum()) for p in parts) == int((frame["d"] == 1).sum())


def test_made_columns(frame):
    out = run(
        frame,
        {"interact_trend": {"columns": ["rich"], "powers": [1, 2]}},
        {"interact": {"columns": ["d", "x0"]}},
        {"square": ["x0"]},
        {"add_columns": {"late": "year >= 2005", "ratio": "x0 / 2"}},
        {"standardise": ["x1"]},
        {"log": {"columns": ["w"]}},
    )
    trend = out["year"] - 2000
    np.testing.assert_allclose(out["rich_x_trend2"], out["rich"] * trend**2)
    np.testing.assert_allclose(out["d_x_x0"], out["d"] * out["x0"])
    np.testing.assert_allclose(out["x0_sq"], out["x0"] ** 2)
    assert out["x1"].mean() == pytest.approx(0, abs=1e-12)
    assert out["x1"].std() == pytest.approx(1)
    np.testing.assert_allclose(out["ln_w"], np.log(out["w"]))
    with pytest.raises(ValueError, match=r"x0 has .* values not above zero"):
        run(frame, {"log": ["x0"]})


def test_groups_by_cut(frame):
    row = run(frame, {"group_by_cut": {"column": "x0", "name": "high"}})
    assert int(row["high"].sum()) == len(frame) // 2
    city = run(frame, {"group_by_cut": {"column": "x0", "name": "high", "level": "entity"}})
    assert (city.groupby("city")["high"].nunique() == 1).all()
    assert city.groupby("city")["high"].first().sum() == 12
    odd = frame[frame["city"] < 23]
    step = {"column": "x0", "name": "high", "level": "entity"}
    low = run(odd, {"group_by_cut": step}).groupby("city")["high"].first().sum()
    high = run(odd, {"group_by_cut": {**step, "ties": "high"}}).groupby("city")["high"].first()
    assert (low, high.sum()) == (11, 12)
    before = run(frame, {"group_by_cut": {**step, "before": 2003}})
    means = frame[frame["year"] < 2003].groupby("city")["x0"].mean()
    expected = before["city"].map(means > means.median()).astype(float)
    np.testing.assert_allclose(before["high"], expected)


def test_match_leaves_the_matched_rows(frame):
    out = run(frame, {"match": {"method": "nearest", "ratio": 1, "ties": "first"}})
    ever = frame.groupby("city")["d"].transform("max") == 1
    assert out["match_weight"].gt(0).all()
    assert len(out) < len(frame)
    assert out.loc[out["city"].isin(set(frame.loc[ever, "city"])), "match_weight"].eq(1).all()


def test_refusals_name_what_is_wrong(frame):
    with pytest.raises(ValueError, match="unknown transform 'magic'"):
        run(frame, {"magic": 1})
    with pytest.raises(ValueError, match="mapping with one key"):
        run(frame, {"square": ["x0"], "lag": ["x0"]})
    with pytest.raises(ValueError, match=r"winsorise: unknown \['tails'\]"):
        run(frame, {"winsorise": {"columns": ["x0"], "tails": 3}})
    with pytest.raises(ValueError, match="argument 'columns' is missing"):
        run(frame, {"lag": {"by": 2}})
    with pytest.raises(MissingData, match="absent_column"):
        run(frame, {"square": ["absent_column"]})
    with pytest.raises(ValueError, match="leaves no row"):
        run(frame, {"where": "year > 3000"})
    with pytest.raises(ValueError, match="cannot evaluate"):
        run(frame, {"where": "year >"})


def test_source_columns_leave_out_what_transforms_make():
    model = MODEL.model_copy(
        update={
            "transforms": (
                {"add_columns": {"north": "ns_group == 'north'"}},
                {"interact_trend": {"columns": ["north", "coastal"]}},
                {"lag": {"columns": ["carbon"]}},
                {"where": "L1_carbon > 0 and abs(pop) > 1"},
                {"shift_treatment": {"adoption": "smart_year", "years": 1}},
            )
        }
    )
    assert transforms.source_columns(model) == [
        "ns_group",
        "coastal",
        "carbon",
        "pop",
        "smart_year",
    ]
