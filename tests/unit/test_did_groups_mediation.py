"""Heterogeneity, moderation and mediation against regressions written out, and their refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from estimation import mediation
from estimation.did import heterogeneity, moderation, twfe
from estimation.did.gram import entity_moments
from estimation.panel import NoVariation
from tests.unit.did_panels import panel

KEYS = {"outcome": "y", "treatment": "d", "entity": "city", "time": "year"}
X = ["x0", "x1"]


@pytest.mark.parametrize("keep", [1.0, 0.8])
def test_moments_reproduce_the_regression(keep):
    frame = panel(keep=keep, seed=1).sort_values(["city", "year"]).reset_index(drop=True)
    m = entity_moments(frame, ["y", "d", *X], entity="city", fixed_effects=["city", "year"])
    beta = m.solve(m.gram.sum(axis=0), "y", ["d", *X])
    expected = twfe.fit(frame, controls=X, **KEYS).params.to_numpy()
    np.testing.assert_allclose(beta, expected, atol=1e-10)


def test_moments_of_a_resample_equal_the_regression_on_copied_entities():
    frame = panel(30, 8, treated=12, seed=2, last=6)
    frame = frame.sort_values(["city", "year"]).reset_index(drop=True)
    m = entity_moments(frame, ["y", "d", "x0"], entity="city", fixed_effects=["city", "year"])
    weights = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30)).astype(float)
    beta = m.solve(np.tensordot(weights, m.gram, axes=1), "y", ["d", "x0"])
    copies = [
        frame[frame["city"] == i].assign(city=f"{i}-{c}")
        for i in range(30)
        for c in range(int(weights[i]))
    ]
    expected = twfe.fit(pd.concat(copies), controls=["x0"], **KEYS).params.to_numpy()
    np.testing.assert_allclose(beta, expected, atol=1e-10)


def test_group_effects_equal_split_regressions_and_the_difference_its_delta_method():
    frame = panel(80, 10, treated=40, seed=3)
    result = heterogeneity.fit(frame, group="rich", controls=X, permutations=99, seed=1, **KEYS)
    parts = [twfe.fit(frame[frame["rich"] == g], controls=X, **KEYS) for g in (0.0, 1.0)]
    tidy = result.tidy().set_index("term")
    for name, part in zip(("0", "1"), parts):
        assert tidy.loc[f"d [{name}]", "estimate"] == pytest.approx(part.params["d"], abs=1e-10)
    gap = tidy.loc["difference [0] - [1]"]
    assert gap["estimate"] == pytest.approx(parts[0].params["d"] - parts[1].params["d"], abs=1e-10)
    # Disjoint clusters: the variance is the sum, up to the small-sample factor of the joint fit.
    naive = np.sqrt(sum(p.covariance("d") for p in parts))
    assert gap["std_error"] == pytest.approx(naive, rel=0.03)
    assert result.joint["f"] == pytest.approx(gap["statistic"] ** 2, rel=1e-9)


def test_fast_and_slow_permutations_agree():
    frame = panel(40, 8, treated=20, seed=4, last=6)
    ids = np.sort(frame["city"].unique())
    keys = {
        "entity": "city",
        "time": "year",
        "fixed_effects": ("city", "year"),
        "cluster": "city",
    }
    f = frame.sort_values(["city", "year"]).reset_index(drop=True)
    label = f["rich"].map(heterogeneity._name)
    args = (f, "y", ["d"], X, label, ids, ["0", "1"], keys)
    rng = np.random.Generator(np.random.PCG64(0))
    order = np.argsort(rng.random((6, len(ids))), axis=1)

    class Fixed:
        """Hands the same shuffles to both ways."""

        def __init__(self):
            self.i = 0

        def random(self, shape):
            out = np.empty(shape)
            np.put_along_axis(out, order, np.broadcast_to(np.arange(shape[1]), shape) * 1.0, axis=1)
            return out

        def permutation(self, n):
            self.i += 1
            return order[self.i - 1]

    fast = heterogeneity._fast(*args, Fixed(), 6)
    slow = heterogeneity._slow(*args, Fixed(), 6)
    for name in ("0", "1"):
        np.testing.assert_allclose(fast[name], slow[name], atol=1e-10)


def test_true_difference_is_found():
    frame = panel(120, 10, treated=60, effect=0.0, seed=5)
    frame["y"] = frame["y"] + 1.5 * frame["d"] * frame["rich"]
    result = heterogeneity.fit(frame, group="rich", permutations=199, seed=0, **KEYS)
    row = result.differences.iloc[0]
    assert row["estimate"] == pytest.approx(-1.5, abs=0.5)
    assert row["permutation_p"] == pytest.approx(1 / 200)


def test_split_without_a_treated_unit_is_named():
    frame = panel(seed=6)
    frame["part"] = np.where(frame["city"] < 30, "with", "without")
    with pytest.raises(NoVariation, match=r"leaves 1 estimable group.*without: d does not vary"):
        heterogeneity.fit(frame, group="part", permutations=9, **KEYS)
    frame["part"] = np.where(frame["city"] < 30, frame["city"] % 2, 2)
    result = heterogeneity.fit(frame, group="part", permutations=9, **KEYS)
    assert set(result.groups) == {"0", "1"}
    assert "2" in result.failed


@pytest.mark.slow
def test_permutation_p_values_are_uniform_without_a_difference():
    p = [
        heterogeneity.fit(
            panel(60, 8, treated=30, seed=s, last=6), group="rich", permutations=99, seed=s, **KEYS
        ).differences["permutation_p"].iloc[0]
        for s in range(300)
    ]  # fmt: skip
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_interaction_and_marginal_effect():
    frame = panel(100, 10, treated=50, effect=0.2, seed=7)
    frame["y"] = frame["y"] + 0.6 * frame["d"] * frame["x0"]
    work, term = moderation.interacted(frame, "d", "x0")
    result = twfe.fit(work, outcome="y", treatment=[term, "d", "x0"], entity="city", time="year")
    assert result.coefficient(term) == pytest.approx(0.6, abs=0.2)
    margins = moderation.marginal_effects(result, work, "d", "x0", term)
    i = 20
    m = margins["x0"].iloc[i]
    assert margins["effect"].iloc[i] == pytest.approx(
        result.coefficient("d") + m * result.coefficient(term)
    )
    shifted = work.assign(x0=work["x0"] - m)  # the treatment's own coefficient at this moderator
    shifted[term] = shifted["d"] * shifted["x0"]
    again = twfe.fit(
        shifted, outcome="y", treatment=["d", term, "x0"], entity="city", time="year"
    ).tidy()
    assert margins["std_error"].iloc[i] == pytest.approx(again["std_error"].iloc[0], rel=1e-8)


def test_mediation_paths_and_sobel():
    frame = panel(120, 10, treated=60, effect=0.3, seed=8)
    frame["y"] = frame["y"] + 0.5 * frame["m"]
    result = mediation.fit(frame, mediator="m", controls=X, draws=400, seed=3, **KEYS)
    first = twfe.fit(frame, outcome="m", treatment="d", controls=X, entity="city", time="year")
    second = twfe.fit(
        frame, outcome="y", treatment=["d", "m"], controls=X, entity="city", time="year"
    )
    a, b = first.coefficient("d"), second.coefficient("m")
    assert result.indirect == pytest.approx(a * b, abs=1e-12)
    expected = np.sqrt(a**2 * second.covariance("m") + b**2 * first.covariance("d"))
    assert result.sobel_se == pytest.approx(expected, rel=1e-10)
    # In linear regressions on the same rows, total = direct + indirect holds exactly.
    total = result.total.coefficient("d")
    assert total == pytest.approx(second.coefficient("d") + a * b, abs=1e-10)
    tidy = result.tidy().set_index("term")
    boot = tidy.loc["indirect effect (bootstrap)"]
    assert boot["ci_low"] < result.indirect < boot["ci_high"]
    assert result.indirect == pytest.approx(0.4, abs=3 * result.sobel_se)
    assert boot["std_error"] == pytest.approx(result.sobel_se, rel=0.25)
    np.testing.assert_allclose(
        result.bootstrap[:, 2], result.bootstrap[:, 0] + result.bootstrap[:, 1], atol=1e-9
    )


def test_mediator_absorbed_by_the_effects_is_an_error():
    frame = panel(seed=9)
    frame["m"] = frame["city"] * 1.0
    with pytest.raises(NoVariation):
        mediation.fit(frame, mediator="m", draws=0, **KEYS)
