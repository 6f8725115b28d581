"""Panels: frontiers, labels, statuses, messages and the productivity index."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from scipy.optimize import linprog

from estimation.efficiency import (
    EfficiencyDataError,
    efficiency_panel,
    global_malmquist_luenberger,
    super_sbm_panel,
)
from estimation.efficiency.frontiers import tasks

ROLES = {"inputs": ["labour", "capital"], "good_outputs": ["gdp"], "bad_outputs": ["pm25"]}
KEYS = {"unit": "city", "time": "year"}


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    """SYNTHETIC panel of 30 cities and 5 years, shuffled and with a foreign index."""
    rng = np.random.default_rng(11)
    cities, years = np.repeat(np.arange(30), 5), np.tile(np.arange(2004, 2009), 30)
    size = np.repeat(rng.lognormal(sigma=1.0, size=30), 5)
    labour, capital = (size * rng.lognormal(sigma=0.3, size=150) for _ in range(2))
    gdp = np.sqrt(labour * capital) * np.exp(0.04 * (years - 2004) - rng.exponential(0.3, 150))
    table = pd.DataFrame(
        {
            "city": [f"C{c:02d}" for c in cities],
            "year": years,
            "labour": labour,
            "capital": capital,
            "gdp": gdp,
            "pm25": gdp * rng.lognormal(sigma=0.5, size=150),
            "note": "SYNTHETIC",
        }
    )
    table = table.sample(frac=1.0, random_state=3)
    table.index = pd.Index(rng.permutation(1000)[:150])
    return table


def test_rows_keep_their_order_and_labels(panel: pd.DataFrame) -> None:
    result = super_sbm_panel(panel, **KEYS, **ROLES)
    for table in (result.scores, result.slacks, result.targets):
        assert table["city"].tolist() == panel["city"].tolist()
        assert table["year"].tolist() == panel["year"].tolist()
    assert list(result.targets.columns) == ["city", "year", "labour", "capital", "gdp", "pm25"]
    assert result.technology["undesirable_term"] == "subtracted"
    assert {"model", "frontier", "score"} <= set(result.tidy().columns)


def test_targets_and_slacks_are_in_the_units_of_the_data(panel: pd.DataFrame) -> None:
    result = super_sbm_panel(panel, **KEYS, **ROLES, frontier="contemporaneous")
    variables = ["labour", "capital", "gdp", "pm25"]
    observed = panel[variables].to_numpy()
    sign = np.array([1.0, 1.0, -1.0, 1.0])
    gap = (observed - result.targets[variables].to_numpy()) * sign
    np.testing.assert_allclose(gap, result.slacks[variables], atol=1e-9)
    above = (result.scores["score"] > 1 + 1e-9).to_numpy()
    assert above.any()
    assert (result.slacks.loc[above, variables] <= 1e-9).to_numpy().all()
    below = (result.scores["score"] < 1 - 1e-9).to_numpy()
    assert (result.slacks.loc[below, variables] >= -1e-9).to_numpy().all()
    peers = result.peers
    assert (peers["year"] == peers["peer_time"]).all()
    own = peers[(peers["city"] == peers["peer_unit"])]
    efficient = result.scores[result.scores["efficient"]]
    assert own.merge(efficient, on=["city", "year"]).empty  # left out of their own frontier


def test_contemporaneous_is_year_by_year(panel: pd.DataFrame) -> None:
    whole = super_sbm_panel(panel, **KEYS, **ROLES, frontier="contemporaneous").scores
    for year, part in panel.groupby("year"):
        alone = super_sbm_panel(part, **KEYS, **ROLES).scores
        chosen = whole[whole["year"] == year]
        np.testing.assert_allclose(chosen["score"].to_numpy(), alone["score"], atol=1e-12)


def test_sequential_and_window_meet_the_other_frontiers_at_their_ends(panel: pd.DataFrame) -> None:
    scores = {
        name: super_sbm_panel(panel, **KEYS, **ROLES, **options).scores.set_index(["city", "year"])
        for name, options in {
            "global": {},
            "contemporaneous": {"frontier": "contemporaneous"},
            "sequential": {"frontier": "sequential"},
            "window of one": {"frontier": "window", "window": 1},
            "window of all": {"frontier": "window", "window": 5},
        }.items()
    }
    value = {name: table["score"] for name, table in scores.items()}
    last, first = (value["global"].index.get_level_values("year") == y for y in (2008, 2004))
    np.testing.assert_allclose(value["sequential"][last], value["global"][last], atol=1e-10)
    np.testing.assert_allclose(
        value["sequential"][first], value["contemporaneous"][first], atol=1e-10
    )
    np.testing.assert_allclose(value["window of one"], value["contemporaneous"], atol=1e-10)
    np.testing.assert_allclose(value["window of all"], value["global"], atol=1e-10)
    base = {name: table["base_score"] for name, table in scores.items()}
    assert (base["global"] <= base["sequential"] + 1e-9).all()
    assert (base["sequential"] <= base["contemporaneous"] + 1e-9).all()


def test_window_score_is_the_mean_over_windows(panel: pd.DataFrame) -> None:
    ours = efficiency_panel(panel, **KEYS, **ROLES, frontier="window", window=3)
    years = range(2004, 2009)
    parts = [
        efficiency_panel(panel[panel["year"].between(y, y + 2)], **KEYS, **ROLES).scores
        for y in (2004, 2005, 2006)
    ]
    mean = pd.concat(parts).groupby(["city", "year"])["score"].mean()
    ours_by = ours.scores.set_index(["city", "year"])["score"].sort_index()
    pd.testing.assert_series_equal(ours_by, mean.sort_index(), atol=1e-10)
    assert set(ours.scores["year"]) == set(years)
    assert ours.technology["frontier"] == "window of 3"


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow, id="processes")]
)
def test_workers_and_progress_change_nothing(panel: pd.DataFrame, backend: str) -> None:
    lines: list[str] = []
    options = {**KEYS, **ROLES, "frontier": "contemporaneous"}
    one = super_sbm_panel(panel, **options, progress=lines.append)
    with parallel_config(backend=backend):
        two = super_sbm_panel(panel, **options, workers=2)
    pd.testing.assert_frame_equal(one.scores, two.scores, check_exact=True)
    pd.testing.assert_frame_equal(one.peers, two.peers, check_exact=True)
    assert len(lines) == 5
    assert "5/5 (2008): 30 units against 30" in lines[-1]


def test_infeasible_units_are_missing_with_their_status(panel: pd.DataFrame) -> None:
    result = super_sbm_panel(
        panel, **KEYS, **ROLES, frontier="contemporaneous", returns="vrs", orientation="input"
    ).scores
    gone = result["status"] == "infeasible"
    assert gone.any()
    assert result.loc[gone, "score"].isna().all()
    assert result.loc[gone, "efficient"].all()
    assert result.loc[~gone, "score"].notna().all()
    window = super_sbm_panel(
        panel, **KEYS, **ROLES, frontier="window", returns="vrs", orientation="input"
    ).scores
    assert (window["score"].isna() == (window["status"] == "infeasible")).all()


def test_cross_section_needs_no_time(panel: pd.DataFrame) -> None:
    part = panel[panel["year"] == 2004]
    result = efficiency_panel(part, unit="city", **ROLES)
    assert list(result.scores.columns[:2]) == ["city", "score"]
    with pytest.raises(ValueError, match="needs a time column"):
        efficiency_panel(part, unit="city", **ROLES, frontier="sequential")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("pm25", 0.0, "pm25 is zero for 2 unit"),
        ("gdp", -1.0, "gdp is negative for 2 unit"),
        ("labour", np.nan, "labour is missing or not a finite number for 2 unit"),
        ("capital", np.inf, "capital is missing or not a finite number for 2 unit"),
    ],
)
def test_bad_data_are_refused_by_name(panel, column, value, message) -> None:
    broken = panel.copy()
    rows = broken.index[[3, 8]]
    broken.loc[rows, column] = value
    with pytest.raises(EfficiencyDataError, match=message) as raised:
        super_sbm_panel(broken, **KEYS, **ROLES)
    for row in rows:
        assert f"{broken.loc[row, 'city']} {broken.loc[row, 'year']}" in str(raised.value)


def test_all_problems_are_listed_at_once(panel: pd.DataFrame) -> None:
    broken = panel.copy()
    broken.loc[broken.index[0], "gdp"] = 0.0
    broken.loc[broken.index[1], "pm25"] = np.nan
    with pytest.raises(EfficiencyDataError, match=r"pm25 is missing.*gdp is zero"):
        super_sbm_panel(broken, **KEYS, **ROLES)


def test_wrong_tables_are_refused(panel: pd.DataFrame) -> None:
    with pytest.raises(EfficiencyDataError, match="no column"):
        super_sbm_panel(panel.drop(columns="gdp"), **KEYS, **ROLES)
    with pytest.raises(EfficiencyDataError, match="more than once"):
        super_sbm_panel(pd.concat([panel, panel.iloc[[0]]]), **KEYS, **ROLES)
    with pytest.raises(EfficiencyDataError, match="used twice"):
        super_sbm_panel(panel, **KEYS, inputs=["gdp"], good_outputs=["gdp"])
    with pytest.raises(EfficiencyDataError, match="no rows"):
        super_sbm_panel(panel.iloc[:0], **KEYS, **ROLES)
    with pytest.raises(EfficiencyDataError, match="lists of column names"):
        super_sbm_panel(panel, **KEYS, inputs="labour", good_outputs=["gdp"])
    with pytest.raises(ValueError, match="expected 1 to 5 periods"):
        super_sbm_panel(panel, **KEYS, **ROLES, frontier="window", window=6)
    with pytest.raises(ValueError, match="unknown frontier"):
        tasks(panel["year"], len(panel), "meta")  # type: ignore[arg-type]


def _distance(reference: pd.DataFrame, row: pd.Series) -> float:
    """Directional distance written out: max beta over (beta, lambda)."""
    n = len(reference)
    x, y, b = reference[["labour", "capital"]], reference["gdp"], reference["pm25"]
    upper = np.vstack([np.c_[[0.0, 0.0], x.T], np.r_[row["gdp"], -y]])
    result = linprog(
        np.r_[-1.0, np.zeros(n)],
        A_ub=upper,
        b_ub=np.r_[row["labour"], row["capital"], -row["gdp"]],
        A_eq=np.r_[row["pm25"], b][None, :],
        b_eq=[row["pm25"]],
        bounds=[(None, None), *[(0, None)] * n],
    )
    return -result.fun


def test_malmquist_luenberger_equals_the_programmes_written_out(panel: pd.DataFrame) -> None:
    ours = global_malmquist_luenberger(panel, **KEYS, **ROLES).set_index(["city", "year"])
    assert len(ours) == 30 * 4
    assert (ours["status"] == "optimal").all()
    by = panel.set_index(["city", "year"])
    years = dict(tuple(panel.groupby("year")))
    for city, year in [("C03", 2005), ("C17", 2008), ("C29", 2006)]:
        before, after = by.loc[(city, year - 1)], by.loc[(city, year)]
        gml = (1 + _distance(panel, before)) / (1 + _distance(panel, after))
        change = (1 + _distance(years[year - 1], before)) / (1 + _distance(years[year], after))
        row = ours.loc[(city, year)]
        assert row["gml"] == pytest.approx(gml, abs=1e-7)
        assert row["efficiency_change"] == pytest.approx(change, abs=1e-7)
        assert row["best_practice_change"] == pytest.approx(gml / change, abs=1e-7)
    chained = ours["gml"].groupby("city").prod()
    last = ours["cumulative"].groupby("city").last()
    np.testing.assert_allclose(chained.loc[last.index], last, rtol=1e-12)


def test_malmquist_luenberger_does_not_bridge_gaps(panel: pd.DataFrame) -> None:
    holes = panel[~((panel["city"] == "C00") & (panel["year"] == 2006))]
    ours = global_malmquist_luenberger(holes, **KEYS, **ROLES).set_index(["city", "year"])
    assert ours.loc["C00"].index.tolist() == [2005, 2008]
    assert ours.loc[("C00", 2008), "cumulative"] == ours.loc[("C00", 2008), "gml"]


def test_a_common_improvement_shows_as_best_practice_change(panel: pd.DataFrame) -> None:
    first = panel[panel["year"] == 2004]
    better = first.assign(year=2005, gdp=first["gdp"] * 1.2, pm25=first["pm25"])
    ours = global_malmquist_luenberger(pd.concat([first, better]), **KEYS, **ROLES)
    np.testing.assert_allclose(
        ours["gml"], ours["efficiency_change"] * ours["best_practice_change"], rtol=1e-12
    )
    assert (ours["gml"] >= 1 - 1e-9).all()
    assert ours["best_practice_change"].mean() > 1.05
