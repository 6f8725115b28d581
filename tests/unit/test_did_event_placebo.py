"""Event study and batched placebo: against loops of regressions, and their edge cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from estimation.did import event_study, placebo, twfe
from estimation.did.placebo_algebra import DenseEngine, LookupEngine
from estimation.panel import NoVariation
from tests.unit.did_panels import panel

KEYS = {"outcome": "y", "treatment": "d", "entity": "city", "time": "year"}
X = ["x0", "x1"]


def loop(frame, draws, units, timing, seed, **options):
    """The same draws, one regression at a time."""
    d = twfe.design(
        frame, outcome="y", regressors=["d", *X], entity="city", time="year",
        fixed_effects=options.get("fixed_effects"), cluster=options.get("cluster", "city"),
        weights=options.get("weights"),
    )  # fmt: skip
    f = d.frame.copy()
    years, ids = np.sort(f["year"].unique()), np.sort(f["city"].unique())
    first = f[f["d"] == 1].groupby("city")["year"].min().reindex(ids)
    code = np.where(first.isna(), len(years), np.searchsorted(years, first.fillna(0)))
    chosen, times = placebo.draw_assignments(
        code.astype(np.int64), len(years), draws=draws, seed=seed, units=units, timing=timing
    )
    out = []
    for entities, at in zip(chosen, times):
        adopted = np.full(len(ids), 10**6)
        adopted[entities] = at
        row, column = np.searchsorted(ids, f["city"]), np.searchsorted(years, f["year"])
        f["d"] = (column >= adopted[row]).astype(float)
        fit = twfe.fit(f, controls=X, **KEYS, **options).tidy().iloc[0]
        out.append([fit["estimate"], fit["statistic"]])
    return np.array(out, dtype=float)


@pytest.mark.parametrize("keep", [1.0, 0.8])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cluster": "province"},
        {"weights": "w"},
        {"fixed_effects": ["city"]},
        {"fixed_effects": ["city", "province^year"]},
    ],
)
@pytest.mark.parametrize(
    ("units", "timing"), [("draw", "keep"), ("draw", "draw"), ("keep", "draw"), ("draw", "common")]
)
def test_batched_draws_equal_the_loop(keep, options, units, timing):
    frame = panel(42, 9, treated=14, keep=keep, seed=2, first=3, last=7)
    expected = loop(frame, 4, units, timing, 11, **options)
    result = placebo.fit(
        frame, controls=X, draws=4, seed=11, units=units, timing=timing, **KEYS, **options
    )
    found = result.draws[["estimate", "statistic"]].to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("keep", [1.0, 0.8])
def test_both_engines_agree(keep):
    frame = panel(50, 10, keep=keep, seed=3)
    d = twfe.design(
        frame, outcome="y", regressors=["d", *X], entity="city", time="year", cluster="city"
    )
    assert LookupEngine.suits(d, "city", "year")
    ids, code = np.unique(d.frame["city"], return_inverse=True)
    years, at = np.unique(d.frame["year"], return_inverse=True)
    rng = np.random.default_rng(0)
    chosen = np.array([rng.permutation(len(ids))[:12] for _ in range(30)])
    times = rng.integers(1, len(years), chosen.shape)
    pair = [k(d, [1, 2], code, len(ids), at, len(years)) for k in (LookupEngine, DenseEngine)]
    (b1, s1), (b2, s2) = (engine.run(chosen, times) for engine in pair)
    np.testing.assert_allclose(b1, b2, atol=1e-11)
    np.testing.assert_allclose(s1, s2, atol=1e-11)


def test_the_true_assignment_reproduces_the_true_regression():
    frame = panel(seed=4)
    d = twfe.design(
        frame, outcome="y", regressors=["d", *X], entity="city", time="year", cluster="city"
    )
    ids, code = np.unique(d.frame["city"], return_inverse=True)
    years, at = np.unique(d.frame["year"], return_inverse=True)
    first = frame[frame["d"] == 1].groupby("city")["year"].min()
    engine = LookupEngine(d, [1, 2], code, len(ids), at, len(years))
    b, s = engine.run(first.index.to_numpy()[None, :], (first.to_numpy() - years[0])[None, :])
    row = twfe.fit(frame, controls=X, **KEYS).tidy().iloc[0]
    assert b[0] == pytest.approx(row["estimate"], abs=1e-12)
    assert s[0] == pytest.approx(row["std_error"], abs=1e-12)


def test_cohort_sizes_stay_when_timing_is_kept():
    adoption = np.array([2, 2, 5, 9, 9, 9, 9, 9, 9, 9])
    chosen, times = placebo.draw_assignments(adoption, 9, draws=200, seed=1)
    assert all(len(set(row)) == 3 for row in chosen.tolist())
    assert all(sorted(row) == [2, 2, 5] for row in times.tolist())
    counts = np.bincount(chosen.ravel(), minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-4  # every entity is as likely as any other
    late = np.bincount(chosen[times == 5], minlength=10)
    assert stats.chisquare(late).pvalue > 1e-4  # and as likely to get any cohort


def test_same_seed_same_draws_whatever_the_block_size(monkeypatch):
    frame = panel(seed=5)
    one = placebo.fit(frame, controls=X, draws=60, seed=9, **KEYS)
    monkeypatch.setattr("estimation.did.placebo_algebra._BLOCK_BYTES", 1)
    two = placebo.fit(frame, controls=X, draws=60, seed=9, **KEYS)
    np.testing.assert_allclose(one.draws.to_numpy(), two.draws.to_numpy(), atol=1e-13)
    other = placebo.fit(frame, controls=X, draws=60, seed=10, **KEYS)
    assert not np.allclose(one.draws["estimate"], other.draws["estimate"])


def test_randomisation_p_value_counts_the_true_assignment():
    assert placebo._exceed(np.array([0.1, -0.2, 0.3]), 0.25) == pytest.approx(2 / 4)
    assert placebo._exceed(np.array([0.1, -0.2]), 5.0) == pytest.approx(1 / 3)


def test_placebo_without_treated_entities_or_choice_is_an_error():
    frame = panel(seed=6)
    with pytest.raises(ValueError, match="true treatment"):
        placebo.fit(frame, units="keep", timing="keep", **KEYS)
    with pytest.raises(NoVariation, match="d does not vary"):
        placebo.fit(frame.assign(d=0.0), **KEYS)
    with pytest.raises(ValueError, match="cannot draw 60 of 60"):
        placebo.fit(frame, n_treated=60, **KEYS)


def test_one_treated_city_has_a_placebo():
    frame = panel(treated=1, seed=7, effect=3.0)
    result = placebo.fit(frame, controls=X, draws=300, seed=1, **KEYS)
    assert len(result.draws) + result.n_failed == 300
    assert result.p_value <= 0.05  # about one in sixty cities has so large an effect


@pytest.mark.slow
def test_placebo_p_values_are_uniform_without_an_effect():
    p = [
        placebo.fit(panel(60, 10, effect=0.0, seed=s, last=8), draws=199, seed=s, **KEYS).p_value
        for s in range(400)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) <= 0.075


def test_event_study_equals_hand_made_dummies():
    frame = panel(seed=8)
    k = frame["year"] - frame["adopted"]
    result = event_study.fit(frame, controls=X, first=-3, last=2, **KEYS)
    work = frame.copy()
    names = []
    for j in (-3, -2, 0, 1, 2):
        inside = k <= -3 if j == -3 else k >= 2 if j == 2 else k == j
        work[f"k{j}"] = inside.astype(float)
        names.append(f"k{j}")
    expected = twfe.fit(work, outcome="y", treatment=names, controls=X, entity="city", time="year")
    np.testing.assert_allclose(
        result.regression.params.to_numpy(), expected.params.to_numpy(), atol=1e-12
    )
    path = result.path()
    assert path["relative_time"].tolist() == [-3, -2, -1, 0, 1, 2]
    assert path.loc[path["relative_time"] == -1, "estimate"].item() == 0.0
    assert (path["ci_low"] <= path["ci_low_90"]).all()
    b, v = expected.params[names[:2]].to_numpy(), expected.vcov.loc[names[:2], names[:2]].to_numpy()
    assert result.pretrend["f"] == pytest.approx(float(b @ np.linalg.solve(v, b)) / 2)
    assert result.figure().axes


def test_event_study_with_base_outside_the_window():
    frame = panel(80, 14, treated=40, seed=9, first=6, last=9)
    result = event_study.fit(frame, first=-4, last=5, base=None, binned="none", **KEYS)
    assert result.relative_times == tuple(range(-4, 6))
    assert result.base is None
    with pytest.raises(ValueError, match="must not be binned"):
        event_study.fit(frame, first=-4, last=5, base=None, **KEYS)


def test_event_study_names_empty_periods_and_missing_controls():
    frame = panel(seed=10)
    with pytest.raises(NoVariation, match=r"no treated row t-30"):
        event_study.fit(frame, first=-30, last=3, binned="none", **KEYS)
    everyone = frame[frame["adopted"].notna()]
    span = everyone["year"] - everyone["adopted"]
    first, last = int(span.min()), int(span.max())
    with pytest.raises(NoVariation, match="no never-treated entity"):
        event_study.fit(everyone, first=first, last=last, binned="none", **KEYS)
    result = event_study.fit(everyone, first=-2, last=2, **KEYS)  # binned ends identify it
    assert np.isfinite(result.tidy()["std_error"]).all()
    with pytest.raises(NoVariation, match="no entity adopts"):
        event_study.fit(frame.assign(d=0.0), **KEYS)
