"""Published results: Callaway-Sant'Anna on mpdta, Bacon on math reform, matching on lalonde."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from estimation import matching
from estimation.did import bacon, comparison, event_study, staggered, synthetic, twfe
from estimation.did.callaway import callaway_santanna
from estimation.panel import NoVariation

pytestmark = pytest.mark.reference

KEYS = {"outcome": "lemp", "treatment": "d", "entity": "countyreal", "time": "year"}


@pytest.fixture(scope="module")
def mpdta(cases_dir) -> pd.DataFrame:
    frame = pd.read_csv(cases_dir / "mpdta_cs" / "mpdta.csv")
    adopted = frame["first.treat"]
    return frame.assign(d=((frame["year"] >= adopted) & (adopted > 0)).astype(float))


@pytest.fixture(scope="module")
def cs(mpdta):
    return callaway_santanna(mpdta, **KEYS)


CELLS = {
    (2004, 2004): (-0.0105, 0.0233),
    (2004, 2005): (-0.0704, 0.0310),
    (2004, 2006): (-0.1373, 0.0364),
    (2004, 2007): (-0.1008, 0.0344),
    (2006, 2004): (0.0065, 0.0233),
    (2006, 2005): (-0.0028, 0.0196),
    (2006, 2006): (-0.0046, 0.0178),
    (2006, 2007): (-0.0412, 0.0202),
    (2007, 2004): (0.0305, 0.0150),
    (2007, 2005): (-0.0027, 0.0164),
    (2007, 2006): (-0.0311, 0.0179),
    (2007, 2007): (-0.0261, 0.0167),
}


def test_callaway_santanna_group_time_effects(cs):
    cells = cs.cells.set_index(["cohort", "time"])
    for key, (estimate, error) in CELLS.items():
        assert cells.loc[key, "estimate"] == pytest.approx(estimate, abs=6e-5)
        assert cells.loc[key, "std_error"] == pytest.approx(error, rel=0.01)


def test_callaway_santanna_aggregates(cs):
    path = cs.path.set_index("relative_time")
    estimates = {
        -3: 0.0305,
        -2: -0.0006,
        -1: -0.0245,
        0: -0.0199,
        1: -0.0510,
        2: -0.1373,
        3: -0.1008,
    }
    errors = {
        -3: 0.0150,
        -2: 0.0133,
        -1: 0.0142,
        0: 0.0118,
        1: 0.0169,
        2: 0.0364,
        3: 0.0344,
    }
    for k, value in estimates.items():
        assert path.loc[k, "estimate"] == pytest.approx(value, abs=6e-5)
        assert path.loc[k, "std_error"] == pytest.approx(errors[k], rel=0.01)
    overall = cs.overall.set_index("term")
    assert overall.loc["ATT", "estimate"] == pytest.approx(-0.039951, abs=5e-7)
    assert overall.loc["ATT", "std_error"] == pytest.approx(0.012034, abs=5e-7)
    assert overall.loc["ATT dynamic", "estimate"] == pytest.approx(-0.0772, abs=5e-5)
    assert overall.loc["ATT dynamic", "std_error"] == pytest.approx(0.0219, rel=0.15)
    assert overall.loc["ATT group", "estimate"] == pytest.approx(-0.0310, abs=5e-5)
    assert overall.loc["ATT group", "std_error"] == pytest.approx(0.0126, rel=0.15)
    groups = cs.cohorts.set_index("cohort")
    for g, (value, error) in {
        2004: (-0.0797, 0.0264),
        2006: (-0.0229, 0.0167),
        2007: (-0.0261, 0.0167),
    }.items():
        assert groups.loc[g, "estimate"] == pytest.approx(value, abs=6e-5)
        assert groups.loc[g, "std_error"] == pytest.approx(error, rel=0.01)
    assert cs.diagnostics["pretrend_p"] == pytest.approx(0.16812, abs=5e-6)


def test_other_estimators_on_mpdta(mpdta, cs):
    assert twfe.fit(mpdta, **KEYS).coefficient("d") == pytest.approx(-0.0365489, abs=5e-8)
    one, two = staggered.imputation(mpdta, **KEYS), staggered.two_stage(mpdta, **KEYS)
    for result, error in ((one, 0.013222), (two, 0.013478)):
        row = result.overall.iloc[0]
        assert row["estimate"] == pytest.approx(-0.0477099, abs=5e-8)
        assert row["std_error"] == pytest.approx(error, abs=5e-7)
    path = staggered.sun_abraham(mpdta, **KEYS).path.set_index("relative_time")["estimate"]
    for k, value in {0: -0.019932, 1: -0.050957, 2: -0.137259, 3: -0.100811}.items():
        assert path[k] == pytest.approx(value, abs=6e-7)
        assert path[k] == pytest.approx(cs.path.set_index("relative_time").loc[k, "estimate"])
    switch = staggered.dcdh(mpdta, **KEYS).path.set_index("relative_time")["estimate"]
    # At the longest horizon one cohort is left and every method compares it with the same units.
    assert switch[3] == pytest.approx(-0.100811, abs=6e-7)


def test_imputation_written_out(mpdta):
    """Untreated rows give county and year effects; the mean gap of treated rows is the effect."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import lsqr

    frame = mpdta.sort_values(["countyreal", "year"])
    i = pd.factorize(frame["countyreal"])[0]
    t = pd.factorize(frame["year"], sort=True)[0]
    n, k = i.max() + 1, t.max() + 1
    rows = np.arange(len(frame))
    x = sp.csr_matrix(
        (np.ones(2 * len(frame)), (np.r_[rows, rows], np.r_[i, n + t])), (len(frame), n + k)
    )
    y, d = frame["lemp"].to_numpy(), frame["d"].to_numpy() == 1
    level = lsqr(x[~d], y[~d], atol=1e-14, btol=1e-14, iter_lim=100000)[0]
    effect = float(np.mean(y[d] - (x @ level)[d]))
    found = staggered.imputation(mpdta, **KEYS).overall["estimate"].iloc[0]
    assert found == pytest.approx(effect, abs=1e-7)


def test_comparison_lists_every_method(mpdta):
    result = comparison.fit(mpdta, stacked_window=(1, 1), **KEYS)
    assert len(result.table) == len(comparison.METHODS)
    assert not result.failed
    assert result.table["estimate"].between(-0.1, 0).all()


def test_comparison_says_why_a_method_is_missing(mpdta):
    treated = mpdta[mpdta["first.treat"] > 0]
    result = comparison.fit(
        treated, methods=("twfe", "sun_abraham", "callaway_santanna", "sdid"), **KEYS
    )
    assert set(result.failed) == {"Sun-Abraham", "Synthetic DiD"}
    assert "never-treated" in result.failed["Sun-Abraham"]


def test_cohorts_of_one_and_nobody_left_to_compare(mpdta):
    one = mpdta.loc[mpdta["first.treat"] == 2004, "countyreal"].iloc[0]
    thin = mpdta[(mpdta["first.treat"] != 2004) | (mpdta["countyreal"] == one)]
    result = callaway_santanna(thin, **KEYS)
    assert result.diagnostics["cohorts_of_one"] == 1
    assert np.isfinite(result.overall["estimate"]).all()
    same = mpdta[mpdta["first.treat"] == 2006]
    with pytest.raises(NoVariation, match="all 40 entities adopt in 2006"):
        callaway_santanna(same, **KEYS)
    with pytest.raises(NoVariation, match="no entity adopts after its first year"):
        callaway_santanna(mpdta.assign(d=0.0), **KEYS)


def test_callaway_santanna_leaves_partial_entities_out_and_says_so(mpdta):
    gone = mpdta["countyreal"].unique()[:7]
    thin = mpdta[~(mpdta["countyreal"].isin(gone) & (mpdta["year"] == 2005))]
    result = callaway_santanna(thin, **KEYS)
    expected = callaway_santanna(mpdta[~mpdta["countyreal"].isin(gone)], **KEYS)
    assert result.diagnostics["n_entities_without_every_year"] == 7
    pd.testing.assert_frame_equal(result.tidy(), expected.tidy())
    kept = callaway_santanna(thin, unbalanced=True, **KEYS)
    assert kept.n_entities == 500
    assert kept.diagnostics["balanced"] == "False"


def test_synthetic_did_single_cohort_equals_the_library(mpdta):
    from diff_diff import SyntheticDiD

    cohort = mpdta[mpdta["first.treat"].isin([0, 2006])].copy()
    cohort["ever"] = (cohort["first.treat"] == 2006).astype(int)
    expected = SyntheticDiD(variance_method="jackknife", seed=0).fit(
        cohort, outcome="lemp", treatment="ever", unit="countyreal", time="year",
        post_periods=[2006, 2007],
    )  # fmt: skip
    found = synthetic.fit(cohort, **KEYS)
    assert found.estimate == pytest.approx(float(expected.att), abs=1e-9)
    assert found.std_error == pytest.approx(float(expected.se), rel=1e-6)


def test_two_periods_two_groups_every_estimator_is_the_difference_in_means(mpdta):
    frame = mpdta[mpdta["first.treat"].isin([0, 2007]) & mpdta["year"].isin([2006, 2007])]
    wide = frame.pivot(index="countyreal", columns="year", values="lemp")
    change = wide[2007] - wide[2006]
    ever = frame.groupby("countyreal")["first.treat"].first() == 2007
    expected = change[ever].mean() - change[~ever].mean()
    for result in (
        callaway_santanna(frame, **KEYS),
        staggered.imputation(frame, pretrends=False, **KEYS),
        staggered.two_stage(frame, pretrends=False, **KEYS),
    ):
        assert result.overall["estimate"].iloc[0] == pytest.approx(expected, abs=1e-10)
    study = event_study.fit(frame, first=-1, last=0, **KEYS)
    assert study.regression.coefficient("t+0") == pytest.approx(expected, abs=1e-10)


@pytest.fixture(scope="module")
def reform(cases_dir) -> pd.DataFrame:
    return pd.read_csv(cases_dir / "bacon_math_reform" / "math_reform.csv")


def test_bacon_on_math_reform(reform):
    keys = {
        "outcome": "incearn_ln", "treatment": "reform_math", "entity": "state", "time": "class",
    }  # fmt: skip
    result = bacon.decompose(reform, **keys)
    summary = result.summary.set_index("kind")
    expected = {
        "earlier vs later treated": (0.06353, 0.02868),
        "later vs earlier treated": (0.05265, 0.03375),
        "treated vs never treated": (0.88382, -0.00129),
    }
    for kind, (weight, estimate) in expected.items():
        assert summary.loc[kind, "weight"] == pytest.approx(weight, abs=5e-6)
        assert summary.loc[kind, "estimate"] == pytest.approx(estimate, abs=5e-6)
    pairs = result.comparisons.set_index(["treated", "control"])
    for (treated, control), (estimate, weight) in {
        (1987, "1985"): (0.04575585, 0.031655309),
        (1986, "1985"): (0.11390411, 0.001978457),
        (1985, "1987"): (0.01021379, 0.039569136),
        (1986, "1987"): (-0.09374495, 0.005440756),
        (1984, "1987"): (0.09784857, 0.013354583),
    }.items():
        assert pairs.loc[(treated, control), "estimate"] == pytest.approx(estimate, abs=5e-6)
        assert pairs.loc[(treated, control), "weight"] == pytest.approx(weight, abs=5e-6)
    direct = twfe.fit(reform, **keys)
    assert result.twfe == pytest.approx(direct.coefficient("reform_math"), abs=1e-10)
    assert result.comparisons["weight"].sum() == pytest.approx(1, abs=1e-10)
    assert result.forbidden_weight == pytest.approx(0.05265, abs=5e-6)


COVARIATES = ["age", "educ", "hispan", "white", "married", "nodegree", "re74", "re75"]


@pytest.fixture(scope="module")
def lalonde(cases_dir) -> pd.DataFrame:
    frame = pd.read_csv(cases_dir / "lalonde_psm" / "lalonde.csv", index_col=0)
    for race in ("black", "hispan", "white"):
        frame[race] = (frame["race"] == race).astype(float)
    return frame.reset_index(drop=True)


def effect(frame, weights) -> float:
    d = frame["treat"] == 1
    return float(
        np.average(frame.loc[d, "re78"], weights=weights[d])
        - np.average(frame.loc[~d, "re78"], weights=weights[~d])
    )


def test_logit_on_lalonde(lalonde, cases_dir):
    fit = matching.logit(
        lalonde["treat"].to_numpy() == 1, lalonde[COVARIATES].to_numpy(float), COVARIATES
    )
    expected = {
        "(intercept)": -1.663281595, "age": 0.01577707099, "educ": 0.1613068770,
        "hispan": -2.081734119, "white": -3.065367729, "married": -0.8321132713,
        "nodegree": 0.7072968811, "re74": -7.177668568e-05, "re75": 5.344644639e-05,
    }  # fmt: skip
    for name, value in expected.items():
        assert fit.params[name] == pytest.approx(value, rel=1e-6)
    scores = pd.read_csv(cases_dir / "lalonde_psm" / "lalonde_ps.csv")["ps"].to_numpy()
    np.testing.assert_allclose(fit.scores, scores, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "att", "treated", "controls"),
    [
        ({}, 1968.7997, 185, None),
        ({"ties": "first"}, 1967.9397, 185, 80),
        ({"ratio": 4, "ties": "first"}, 1314.0617, 185, 168),
        ({"caliper": 0.05}, 1975.2292, 184, None),
        ({"method": "kernel", "kernel": "gaussian", "bandwidth": 0.06}, 1157.9545, 185, 429),
        ({"replace": False, "search": "below"}, 770.390168, 185, 185),
    ],
)
def test_matching_on_lalonde(lalonde, options, att, treated, controls):
    result = matching.match(lalonde, treated="treat", covariates=COVARIATES, **options)
    assert effect(lalonde, result.weights) == pytest.approx(att, abs=1e-3)
    assert result.n_treated_matched == treated
    if controls is not None:
        assert result.n_controls_used == controls


def test_balance_on_lalonde(lalonde):
    plain = matching.match(lalonde, treated="treat", covariates=COVARIATES)
    lalonde = lalonde.assign(distance=plain.scores)
    names = ["distance", "black", *COVARIATES]
    d = lalonde["treat"] == 1
    table = matching.balance_table(lalonde, d, names, pd.Series(1.0, lalonde.index))
    before = table[table["stage"] == "before"].set_index("variable")["smd_treated"]
    expected = {
        "distance": 1.794086, "age": -0.309445, "educ": 0.054965, "black": 1.761542,
        "hispan": -0.349843, "white": -1.881868, "married": -0.826309, "nodegree": 0.244970,
        "re74": -0.721084, "re75": -0.290263,
    }  # fmt: skip
    for name, value in expected.items():
        assert before[name] == pytest.approx(value, abs=1e-5)
    matched = matching.match(
        lalonde, treated="treat", covariates=COVARIATES, replace=False, search="below"
    )
    table = matching.balance_table(lalonde, d, names, matched.weights)
    after = table[table["stage"] == "after"].set_index("variable")["smd_treated"]
    expected = {
        "distance": 0.974047, "age": 0.085368, "educ": -0.118289, "black": 1.025859,
        "hispan": -0.640010, "white": -0.747807, "married": -0.027603, "nodegree": 0.130786,
        "re74": -0.078044, "re75": -0.042770,
    }  # fmt: skip
    for name, value in expected.items():
        assert after[name] == pytest.approx(value, abs=1e-5)


def test_nearest_is_nearest(lalonde, cases_dir):
    scores = pd.read_csv(cases_dir / "lalonde_psm" / "lalonde_ps.csv")["ps"].to_numpy()
    d = lalonde["treat"].to_numpy() == 1
    share = matching._with_replacement(
        np.abs(scores[d][:, None] - scores[~d][None, :]), 1, None, "average"
    )
    distance = np.abs(scores[d][:, None] - scores[~d][None, :])
    assert float((share * distance).sum()) == pytest.approx(0.5443950, abs=1e-6)
    assert int(((share > 0).sum(axis=1) > 1).sum()) == 24
