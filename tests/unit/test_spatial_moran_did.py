"""Moran's I, the spatial DiD, figures, and the adapters that studies use, on a synthetic panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from estimation.did import twfe
from estimation.spatial import build
from estimation.spatial.did import exposure_regression, spatial_did
from estimation.spatial.moran import local_moran, moran_by_period
from estimation.spatial.weights import WeightsError
from estimation.studies import registry, runner
from estimation.studies.registry import RunContext
from estimation.studies.spec import ModelSpec, Study

N, T = 60, 8
OWN, SPILL, RHO = 0.5, -0.3, 0.3


def world(seed: int = 0, noise: float = 0.3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Synthetic cities on a 6 x 10 map with a staggered pilot that spills over, and their links."""
    generator = np.random.default_rng(seed)
    row, column = np.divmod(np.arange(N), 10)
    code = 1000 + np.arange(N)
    near = (np.abs(row[:, None] - row) + np.abs(column[:, None] - column)) == 1
    w = near / near.sum(axis=1, keepdims=True)
    start = generator.choice([2003, 2005, 9999], size=N, p=[0.2, 0.2, 0.6])
    years = np.arange(2000, 2000 + T)
    d = (years[:, None] >= start[None, :]).astype(float)
    x = generator.normal(size=(T, N))
    signal = (
        OWN * d
        + SPILL * d @ w.T
        + 0.4 * x
        + generator.normal(size=N)
        + 0.05 * np.arange(T)[:, None]
        + noise * generator.normal(size=(T, N))
    )
    y = signal @ np.linalg.inv(np.eye(N) - RHO * w).T
    frame = pd.DataFrame(
        {
            "city_code": np.tile(code, T),
            "year": np.repeat(years, N),
            "province_code": np.tile(11 + row, T),
            "lon": np.tile(100.0 + column + 0.01 * row, T),
            "lat": np.tile(25.0 + row + 0.013 * column, T),
            "grp_pc": np.tile(generator.uniform(1, 9, N), T),
            "y": y.ravel(),
            "d": d.ravel(),
            "x": x.ravel(),
        }
    )
    pairs = np.argwhere(near)
    links = pd.DataFrame({"city_code": code[pairs[:, 0]], "neighbour_code": code[pairs[:, 1]]})
    return frame, links


@pytest.fixture(scope="module")
def made():
    frame, links = world()
    weights = build.from_edges(tuple(sorted(frame["city_code"].unique())), links).normalise()
    return frame, links, weights


SHAPE = {"outcome": "y", "entity": "city_code", "time": "year"}


def test_moran_equals_its_definition_and_the_permutation_p_its_meaning(made):
    frame, _, weights = made
    found = moran_by_period(frame, weights=weights, permutations=499, seed=1, **SHAPE)
    one = frame[frame["year"] == 2003].sort_values("city_code")
    z = one["y"].to_numpy() - one["y"].mean()
    w = weights.matrix.toarray()
    assert found.table["moran_i"][3] == pytest.approx(z @ w @ z / (z @ z) * N / w.sum())
    assert found.table["expected"][3] == pytest.approx(-1 / (N - 1))
    assert (found.table["p_permutation"] >= 1 / 500).all()
    again = moran_by_period(
        frame.sample(frac=1, random_state=4), weights=weights, permutations=499, seed=1, **SHAPE
    )
    pd.testing.assert_frame_equal(found.table, again.table)
    tidy = found.tidy()
    assert tidy["term"].iloc[0] == "moran:2000"


def test_moran_p_values_are_uniform_without_dependence(made):
    _, _, weights = made
    generator = np.random.default_rng(0)
    noise = pd.DataFrame(
        {
            "city_code": np.tile(weights.ids, 60),
            "year": np.repeat(np.arange(60), N),
            "y": generator.normal(size=60 * N),
        }
    )
    table = moran_by_period(noise, weights=weights, permutations=199, seed=2, **SHAPE).table
    assert stats.kstest(table["p_value"], "uniform").pvalue > 0.01
    assert (table["p_permutation"] < 0.05).mean() < 0.25  # one-sided both ways: 10% expected


def test_moran_leaves_out_missing_units_and_refuses_the_hopeless(made):
    frame, _, weights = made
    gap = frame.copy()
    gap.loc[(gap["city_code"] == 1000) & (gap["year"] == 2001), "y"] = np.nan
    found = moran_by_period(gap, weights=weights, permutations=99, **SHAPE).table
    assert list(found["n_units"][:3]) == [N, N - 1, N]
    with pytest.raises(ValueError, match="all values are 1"):
        moran_by_period(frame.assign(y=1.0), weights=weights, **SHAPE)
    other = frame[frame["city_code"] < 1040].replace({"city_code": {1000: 77}})
    with pytest.raises(WeightsError, match="do not know 77"):
        moran_by_period(other, weights=weights, **SHAPE)


def test_local_moran_marks_a_planted_cluster(made):
    frame, _, weights = made
    one = frame[frame["year"] == 2000].sort_values("city_code").copy()
    generator = np.random.default_rng(1)
    one["y"] = 0.2 * generator.normal(size=N)
    hot = [1000, 1001, 1010, 1011]
    one.loc[one["city_code"].isin(hot), "y"] = 3.0
    table = local_moran(one, weights=weights, period=2000, seed=5, **SHAPE).set_index("city_code")
    assert (table.loc[hot, "cluster"] == "high-high").all()
    assert (table["cluster"] == "high-high").sum() <= 6
    with pytest.raises(ValueError, match="no row with year = 1999"):
        local_moran(one, weights=weights, period=1999, **SHAPE)


def test_spatial_did_recovers_coefficients_and_effects(made):
    frame, _, weights = made
    found = spatial_did(
        frame, treatment="d", controls=["x"], weights=weights, lee_yu="transformation", **SHAPE
    )
    table = found.tidy().set_index("term")
    assert list(table.index[:6]) == ["d", "W*d", "rho", "direct:d", "indirect:d", "total:d"]
    multiplier = np.linalg.inv(np.eye(N) - RHO * weights.matrix.toarray())
    response = multiplier @ (OWN * np.eye(N) + SPILL * weights.matrix.toarray())
    truth = {
        "d": OWN,
        "W*d": SPILL,
        "rho": RHO,
        "direct:d": np.trace(response) / N,
        "total:d": response.sum() / N,
    }
    for term, value in truth.items():
        row = table.loc[term]
        assert abs(row["estimate"] - value) < 3.5 * row["std_error"], term
        assert row["std_error"] < 0.2


def test_exposure_regression_is_a_fixed_effects_regression_with_the_neighbours_mean(made):
    frame, _, weights = made
    table, rule = exposure_regression(
        frame, regressors=["d", "x"], durbin=["d"], weights=weights, **SHAPE
    )
    wide = frame.pivot(index="city_code", columns="year", values="d")
    lag = pd.DataFrame(weights.matrix @ wide.to_numpy(), index=wide.index, columns=wide.columns)
    frame = frame.assign(wd=[lag.loc[c, t] for c, t in zip(frame["city_code"], frame["year"])])
    plain = twfe.fit(
        frame, outcome="y", treatment=["d", "wd"], controls=["x"], entity="city_code", time="year"
    )
    np.testing.assert_allclose(table["estimate"], plain.params, rtol=1e-9)
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(plain.vcov)), rtol=1e-9)
    assert rule == plain.se_rule


def spec(estimator: str, **options) -> ModelSpec:
    return ModelSpec(
        estimator=estimator,
        outcome="y",
        treatment="d",
        controls="x",
        entity="city_code",
        time="year",
        options=options,
    )


KINDS = [
    {"kind": "contiguity"},
    {"kind": "same_province"},
    {"kind": "inverse_distance"},
    {"kind": "economic_distance"},
    {"kind": "knn", "k": 4},
]


@pytest.mark.parametrize("weights", KINDS, ids=lambda w: w["kind"])
def test_spatial_did_adapter_gives_effects_tests_and_exposure(made, weights):
    frame, links, _ = made
    context = RunContext(cache={"contiguity": links})
    result = registry.get("spatial_did")(frame, spec("spatial_did", weights=weights), context)
    assert list(result.tidy["term"][:3]) == ["d", "W*d", "rho"]
    assert result.n_obs == N * T
    assert result.n_entities == N
    for name in ("LM_lag", "LM_error_robust", "LR_SDM_SAR", "LR_both_ind", "Hausman"):
        assert np.isfinite(result.diagnostics[name])
    assert set(result.tables) == {"effects", "exposure", "tests"}
    assert isinstance(result.figures["effects"], Figure)
    assert result.diagnostics["weights"] == weights["kind"]


def test_links_of_another_type_are_understood_and_their_absence_explained(made):
    frame, links, _ = made
    text = frame.assign(city_code=frame["city_code"].astype(str))
    model = spec("spatial_panel", weights={"kind": "contiguity"}, spatial_model="sar", draws=50)
    a = registry.get("spatial_panel")(frame, model, RunContext(cache={"contiguity": links}))
    b = registry.get("spatial_panel")(text, model, RunContext(cache={"contiguity": links}))
    np.testing.assert_allclose(a.tidy["estimate"], b.tidy["estimate"])
    with pytest.raises(WeightsError, match="hand a table with the columns"):
        registry.get("spatial_panel")(frame, model, RunContext())


def test_gaps_are_left_out_and_reported_or_refused(made):
    frame, links, _ = made
    gap = frame[~((frame["city_code"] == 1007) & (frame["year"] == 2004))]
    context = RunContext(cache={"contiguity": links})
    model = spec("spatial_panel", weights={"kind": "contiguity"}, draws=0)
    result = registry.get("spatial_panel")(
        gap, spec("spatial_panel", weights={"kind": "inverse_distance"}, draws=20), context
    )
    assert result.n_entities == N - 1
    assert result.diagnostics["units_left_out"] == "1007"
    strict = spec("spatial_panel", weights={"kind": "inverse_distance"}, balance="error")
    with pytest.raises(ValueError, match="first city_code=1007, year=2004"):
        registry.get("spatial_panel")(gap, strict, context)
    with pytest.raises(ValueError, match="unknown options"):
        registry.get("spatial_panel")(frame, spec("spatial_panel", matrix="queen"), context)
    assert model.options["draws"] == 0


def test_moran_and_tests_adapters(made):
    frame, links, _ = made
    context = RunContext(cache={"contiguity": links})
    found = registry.get("moran")(
        frame,
        spec("moran", weights=[{"kind": "contiguity"}, {"kind": "knn", "k": 3}], permutations=99),
        context,
    )
    assert len(found.tidy) == T
    assert set(found.tables["moran"]["weights"]) == {"contiguity", "knn (k 3)"}
    assert set(found.figures) == {"moran", "local_moran"}
    tests = registry.get("spatial_tests")(
        frame, spec("spatial_tests", weights={"kind": "contiguity"}), context
    )
    assert "Hausman_Mundlak" in set(tests.tidy["term"])
    assert tests.tidy["p_value"].between(0, 1).all()


def test_iv_adapter_gives_both_stages(made):
    frame, _, _ = made
    generator = np.random.default_rng(0)
    frame = frame.assign(z1=frame["d"] + generator.normal(size=len(frame)))
    frame["z2"] = 0.5 * frame["d"] + generator.normal(size=len(frame))
    second = registry.get("iv")(
        frame, spec("iv", instruments=["z1", "z2"], r2_rule="within_entity"), RunContext()
    )
    assert second.tidy["term"].iloc[0] == "d"
    for name in ("first_stage_f", "effective_f", "hansen_j_p", "anderson_rubin_p_of_zero"):
        assert np.isfinite(second.diagnostics[name])
    assert set(second.tables) == {"first_stage", "anderson_rubin", "plausibility"}
    first = registry.get("iv")(
        frame, spec("iv", instruments=["z1", "z2"], stage="first"), RunContext()
    )
    assert list(first.tidy["term"][:2]) == ["z1", "z2"]
    with pytest.raises(ValueError, match="stage 'third' is unknown"):
        registry.get("iv")(frame, spec("iv", instruments=["z1"], stage="third"), RunContext())


def test_a_study_runs_through_the_runner_with_published_tests_beside_ours(made):
    frame, links, _ = made
    study = Study(
        study="synthetic",
        title="t",
        citation="c",
        sample="s",
        baseline=spec("spatial_did").model_dump(),
        exhibits=(
            {
                "id": "table",
                "title": "t",
                "columns": (
                    {
                        "id": "1",
                        "model": {"options": {"weights": {"kind": "contiguity"}}},
                        "published": {
                            "terms": {"W*d": {"estimate": -0.3}},
                            "diagnostics": {"LM_lag": 1.5},
                        },
                    },
                ),
            },
        ),
    )
    run = runner.run_study(study, frame, RunContext(cache={"contiguity": links}))
    rows = run.estimates.set_index("term")
    assert (rows["status"] == "ok").all()
    assert rows.loc["W*d", "published_estimate"] == -0.3
    lm = run.diagnostics.set_index("name").loc["LM_lag"]
    assert lm["published"] == 1.5
    assert np.isfinite(lm["value"])
