"""Matching rules on hand-made scores, wild bootstrap and HonestDiD against their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from estimation import matching
from estimation.did import event_study, honest, specification_curve, twfe, wild
from estimation.panel import NoVariation
from tests.unit.did_panels import panel

KEYS = {"outcome": "y", "treatment": "d", "entity": "city", "time": "year"}


def test_weights_by_rule():
    scores = np.array([0.5, 0.7, 0.4, 0.6, 0.61, 0.9])
    treated = np.array([True, True, False, False, False, False])
    # 0.5 lies 0.1 from both 0.4 and 0.6; 0.7 is nearest to 0.61
    np.testing.assert_allclose(matching.match_weights(scores, treated), [1, 1, 0.5, 0.5, 1, 0])
    first = matching.match_weights(scores, treated, ties="first")
    np.testing.assert_allclose(first, [1, 1, 1, 0, 1, 0])
    two = matching.match_weights(scores, treated, ratio=2, ties="first")
    np.testing.assert_allclose(two, [1, 1, 0.5, 1, 0.5, 0])
    near = matching.match_weights(scores, treated, caliper=0.095)
    np.testing.assert_allclose(near, [0, 1, 0, 0, 1, 0])
    radius = matching.match_weights(scores, treated, method="radius", caliper=0.105)
    np.testing.assert_allclose(radius, [1, 1, 0.5, 1, 0.5, 0])
    none = matching.match_weights(
        np.array([0.95, 0.5, 0.4, 0.6, 0.61, 0.9]), treated, common_support=True
    )
    assert none[0] == 0
    kernel = matching.match_weights(
        scores, treated, method="kernel", kernel="epanechnikov", bandwidth=0.15
    )
    k = 1 - (np.array([0.1, 0.1, 0.11]) / 0.15) ** 2
    k7 = 1 - (np.array([0.1, 0.09]) / 0.15) ** 2
    expected = [
        k[0] / k.sum(),
        k[1] / k.sum() + k7[0] / k7.sum(),
        k[2] / k.sum() + k7[1] / k7.sum(),
    ]
    np.testing.assert_allclose(kernel, [1, 1, *expected, 0])


def test_without_replacement_serves_in_order():
    scores = np.array([0.5, 0.52, 0.51, 0.2])
    treated = np.array([True, True, False, False])
    largest = matching.match_weights(scores, treated, replace=False)
    np.testing.assert_allclose(largest, [1, 1, 1, 1])
    tight = {"replace": False, "caliper": 0.05}
    np.testing.assert_allclose(matching.match_weights(scores, treated, **tight), [0, 1, 1, 0])
    np.testing.assert_allclose(
        matching.match_weights(scores, treated, order="smallest", **tight), [1, 0, 1, 0]
    )


def test_matching_refusals():
    frame = panel(40, 6, treated=15, seed=1, last=5)
    frame["ever"] = matching.ever_treated(frame, "d", entity="city")
    with pytest.raises(NoVariation, match="need both groups"):
        matching.match(frame[frame["ever"] == 1], treated="ever", covariates=["x0"])
    frame["twice"] = 2 * frame["x0"]
    with pytest.raises(ValueError, match="collinear"):
        matching.match(frame, treated="ever", covariates=["x0", "twice"])
    frame["same"] = frame["ever"]
    with pytest.raises(NoVariation, match=r"perfectly predicted|barely overlap"):
        matching.match(frame, treated="ever", covariates=["same"])
    with pytest.raises(NoVariation, match="widen the caliper"):
        matching.match(frame, treated="ever", covariates=["x0"], caliper=1e-14)
    with pytest.raises(ValueError, match="method 'magic'"):
        matching.match(frame, treated="ever", covariates=["x0"], method="magic")


def test_matching_by_year_stays_within_the_year():
    frame = panel(60, 6, treated=20, seed=2, last=5)
    frame["ever"] = matching.ever_treated(frame, "d", entity="city")
    result = matching.match(
        frame, treated="ever", covariates=["x0", "x1"], time="year", by="time", ratio=2
    )
    used = frame.assign(w=result.weights)
    for _, part in used.groupby("year"):
        sums = part.groupby("ever")["w"].sum()
        assert sums[1.0] == pytest.approx(20)
        assert sums[0.0] == pytest.approx(20)
    assert set(result.logits) == {str(y) for y in frame["year"].unique()}
    assert result.love_plot().axes
    assert result.score_figure(frame["ever"]).axes


def test_balance_t_is_the_two_sample_t():
    from scipy import stats

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=50), "g": np.arange(50) < 20})
    table = matching.balance_table(frame, frame["g"], ["x"], pd.Series(1.0, frame.index))
    row = table[table["stage"] == "before"].iloc[0]
    t, p = stats.ttest_ind(frame.loc[frame["g"], "x"], frame.loc[~frame["g"], "x"])
    assert row["t"] == pytest.approx(t)
    assert row["p_value"] == pytest.approx(p)
    s = np.sqrt((frame.loc[frame["g"], "x"].var() + frame.loc[~frame["g"], "x"].var()) / 2)
    gap = frame.loc[frame["g"], "x"].mean() - frame.loc[~frame["g"], "x"].mean()
    assert row["bias_percent"] == pytest.approx(100 * gap / s)


@pytest.mark.parametrize("effects", [("city", "year"), ("year",), ("city", "province^year")])
@pytest.mark.parametrize("cluster", ["city", "province"])
def test_wild_bootstrap_equals_refitting(effects, cluster):
    """Each t* refitted on the bootstrap outcome with the null imposed."""
    frame = panel(30, 8, treated=12, seed=3, last=6, keep=0.95)
    result = wild.fit(
        frame, controls=["x0"], fixed_effects=effects, cluster=cluster, draws=12, seed=5, **KEYS
    )
    d = twfe.design(
        frame, outcome="y", regressors=["d", "x0"], entity="city", time="year",
        fixed_effects=effects, cluster=cluster,
    )  # fmt: skip
    restricted = twfe.fit(
        d.frame, outcome="y", treatment="x0", entity="city", time="year",
        fixed_effects=effects, cluster=cluster,
    )  # fmt: skip
    signs, _ = wild._weights("rademacher", len(np.unique(d.clusters[0])), 12, 5)
    fitted = d.y - restricted.residuals
    for r in range(4):
        again = d.frame.assign(y=fitted + restricted.residuals * signs[r][d.clusters[0]])
        row = twfe.fit(
            again, controls=["x0"], fixed_effects=effects, cluster=cluster, **KEYS
        ).tidy().iloc[0]  # fmt: skip
        assert result.draws[r] == pytest.approx(row["statistic"], abs=1e-8)
    plain = result.regression.tidy().iloc[0]
    assert result.statistic == pytest.approx(plain["statistic"], abs=1e-9)


def test_wild_bootstrap_interval_inverts_the_test():
    frame = panel(40, 8, treated=16, seed=4, last=6)
    result = wild.fit(frame, draws=999, seed=1, **KEYS)
    assert result.ci_low < result.regression.coefficient("d") < result.ci_high
    inside = wild.fit(frame, draws=999, seed=1, null=result.ci_low + 1e-3, **KEYS)
    outside = wild.fit(frame, draws=999, seed=1, null=result.ci_low - 1e-2, **KEYS)
    assert inside.p_value > 0.05 >= outside.p_value


def test_wild_bootstrap_enumerates_few_clusters():
    frame = panel(36, 8, treated=14, seed=5, last=6)
    result = wild.fit(frame, cluster="province", draws=999, **KEYS)
    assert result.kind == "rademacher, all 64 patterns"
    assert len(result.draws) == 64
    webb = wild.fit(frame, cluster="province", draws=999, weights="webb", **KEYS)
    assert len(np.unique(np.round(webb.draws, 9))) > 200


def test_honest_bounds_start_at_the_estimate_and_widen():
    frame = panel(120, 12, treated=60, effect=1.0, seed=6, first=5, last=8)
    study = event_study.fit(frame, first=-4, last=3, **KEYS)
    result = honest.bounds(study, grid=(0.0, 0.5, 1.0))
    widths = (result.table["ci_high"] - result.table["ci_low"]).to_numpy()
    assert (np.diff(widths) > 0).all()
    post = [event_study.term_name(k) for k in range(4)]
    assert result.estimate == pytest.approx(study.regression.params[post].mean())
    assert result.table["bound_low"].iloc[0] == pytest.approx(result.estimate, abs=1e-6)
    assert result.figure().axes
    with pytest.raises(ValueError, match="base period -1"):
        honest.bounds(event_study.fit(frame, first=-4, last=3, base=-2, **KEYS))


def test_specification_curve_runs_every_combination():
    frame = panel(60, 8, treated=24, seed=7, last=6)
    result = specification_curve.fit(
        {"all": frame, "late": frame[frame["year"] > 2001]},
        outcome="y", treatment="d", entity="city", time="year",
        control_sets=specification_curve.control_subsets(["x0", "x1"]),
        fixed_effects={"two-way": ("city", "year"), "province": ("city", "province^year")},
    )  # fmt: skip
    assert len(result.table) + len(result.failed) == 2 * 4 * 2
    expected = twfe.fit(frame, controls=["x0", "x1"], **KEYS).coefficient("d")
    assert result.baseline == pytest.approx(expected, abs=1e-12)
    assert result.table["estimate"].is_monotonic_increasing
    assert result.figure("y").axes
