"""Instrumental variables on panels against explicit dummies, and weak instruments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

from estimation.iv import iv_regression
from estimation.iv_diagnostics import Moments, anderson_rubin, effective_f, kleibergen_paap
from estimation.iv_plausibility import plausibility
from estimation.panel import MissingData, NoVariation

G, T = 40, 6


def panel(seed: int = 0, strength: float = 0.5, effect: float = 0.7) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    unit, year = np.repeat(np.arange(G), T), np.tile(np.arange(T), G)
    z = generator.normal(size=(G * T, 2)) + generator.normal(size=(G, 2))[unit]
    u = generator.normal(size=G)[unit] + generator.normal(size=G * T)
    w = generator.normal(size=G * T)
    x = strength * (z @ [1.0, 0.6]) + 0.3 * w + u
    y = 1 + effect * x + 0.2 * w + 0.8 * u + 0.1 * year + generator.normal(size=G * T)
    return pd.DataFrame(
        {"unit": unit, "year": year, "y": y, "x": x, "w": w, "z1": z[:, 0], "z2": z[:, 1]}
    )


COMMON = {
    "outcome": "y",
    "treatment": "x",
    "instruments": ["z1", "z2"],
    "controls": ["w"],
    "entity": "unit",
    "time": "year",
}


def explicit(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dummies = np.hstack(
        [
            pd.get_dummies(frame["unit"]).to_numpy(float),
            pd.get_dummies(frame["year"], drop_first=True).to_numpy(float),
        ]
    )
    x = np.column_stack([frame["x"], frame["w"], dummies])
    z = np.column_stack([frame["z1"], frame["z2"], frame["w"], dummies])
    return frame["y"].to_numpy(), x, z


@pytest.mark.parametrize("unbalanced", [False, True])
def test_two_way_clustered_equals_dummies(unbalanced):
    frame = panel()
    if unbalanced:
        frame = frame.drop(index=[3, 50, 51, 120]).reset_index(drop=True)
    fit = iv_regression(frame, **COMMON)
    y, x, z = explicit(frame)
    hat = z @ np.linalg.lstsq(z, x)[0]
    beta = np.linalg.lstsq(hat, y)[0]
    residual = y - x @ beta
    sums = np.zeros((G, x.shape[1]))
    np.add.at(sums, frame["unit"], hat * residual[:, None])
    bread = np.linalg.inv(hat.T @ hat)
    n, k = len(frame), 2 + T
    v = G / (G - 1) * (n - 1) / (n - k) * bread @ sums.T @ sums @ bread
    np.testing.assert_allclose(fit.params, beta[:2], rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), np.sqrt(np.diag(v))[:2], rtol=1e-8)
    assert fit.df == G - 1
    assert "CR1 by unit" in fit.se_rule

    # First stage with the same rule (one more regressor than the second).
    first = fit.first_stages["x"]
    gamma = np.linalg.lstsq(z, frame["x"].to_numpy())[0]
    u = frame["x"].to_numpy() - z @ gamma
    sums = np.zeros((G, z.shape[1]))
    np.add.at(sums, frame["unit"], z * u[:, None])
    bread = np.linalg.inv(z.T @ z)
    v = G / (G - 1) * (n - 1) / (n - k - 1) * bread @ sums.T @ sums @ bread
    np.testing.assert_allclose(first.params, gamma[:3], rtol=1e-8)
    f = gamma[:2] @ np.linalg.solve(v[:2, :2], gamma[:2]) / 2
    assert first.f == pytest.approx(f, rel=1e-7)
    assert fit.rank.wald_f == pytest.approx(f, rel=1e-7)


def test_gmm_and_hansen_j_equal_their_formulas():
    frame = panel()
    fit = iv_regression(frame, method="gmm", **{**COMMON, "fixed_effects": ()})
    x = np.column_stack([frame["x"], frame["w"], np.ones(len(frame))])
    z = np.column_stack([frame["z1"], frame["z2"], frame["w"], np.ones(len(frame))])
    y = frame["y"].to_numpy()

    def meat(e: np.ndarray) -> np.ndarray:
        sums = np.zeros((G, 4))
        np.add.at(sums, frame["unit"], z * e[:, None])
        return sums.T @ sums

    hat = z @ np.linalg.lstsq(z, x)[0]
    weight = np.linalg.inv(meat(y - x @ np.linalg.lstsq(hat, y)[0]))
    middle = x.T @ z @ weight
    beta = np.linalg.solve(middle @ z.T @ x, middle @ z.T @ y)
    np.testing.assert_allclose(fit.params[["x", "w"]], beta[:2], rtol=1e-8)
    moment = z.T @ (y - x @ beta)
    assert fit.overidentification.statistic == pytest.approx(moment @ weight @ moment, rel=1e-7)
    second = iv_regression(frame, method="2sls", **{**COMMON, "fixed_effects": ()})
    assert second.overidentification.statistic == pytest.approx(
        fit.overidentification.statistic, rel=1e-9
    )


def test_effective_f_is_a_ratio_of_quadratic_forms_and_less_than_f_times_l():
    frame = panel()
    fit = iv_regression(frame, **COMMON)
    assert fit.effective_f.value > 0
    homoskedastic = iv_regression(frame, covariance="unadjusted", **COMMON)
    # With classical errors the effective F is the classical F (with the factor of the model).
    assert homoskedastic.effective_f.value == pytest.approx(
        homoskedastic.first_stages["x"].f, rel=1e-9
    )
    order = list(fit.effective_f.critical.values())
    assert order == sorted(order, reverse=True)


def test_rank_test_reduces_to_cragg_donald_and_anderson():
    """Two endogenous variables, classical covariance: smallest eigenvalues in closed form."""
    generator = np.random.default_rng(4)
    n = 400
    z = generator.normal(size=(n, 3))
    x = z @ [[1.0, 0.2], [0.3, 0.9], [0.1, 0.4]] + generator.normal(size=(n, 2)) @ [
        [1.0, 0.5],
        [0.0, 1.0],
    ]
    found = kleibergen_paap(z, x, Moments(None, 1.0, iid=True))
    fitted = z @ np.linalg.lstsq(z, x)[0]
    residual = x - fitted
    wald = n * linalg.eigh(fitted.T @ fitted, residual.T @ residual, eigvals_only=True)[0]
    canonical = linalg.eigh(fitted.T @ fitted, x.T @ x, eigvals_only=True)[0]
    assert found.wald == pytest.approx(wald, rel=1e-8)
    assert found.lm == pytest.approx(n * canonical, rel=1e-8)
    assert found.df == 2


def test_rank_test_has_its_size():
    """Under a rank of one the LM statistic is chi-squared(2): mean 2, 5% rejections."""
    generator = np.random.default_rng(5)
    values = []
    for _ in range(400):
        z = generator.normal(size=(250, 3))
        common = z @ [0.7, 0.4, 0.2]
        x = np.column_stack([common, 2 * common]) + generator.normal(size=(250, 2)) * (
            1 + 0.5 * np.abs(z[:, [0]])
        )
        values.append(kleibergen_paap(z, x, Moments(None, 1.0)).lm_p)
    share = float(np.mean(np.array(values) < 0.05))
    assert 0.02 < share < 0.09


def test_anderson_rubin_set_is_what_the_test_does_not_reject():
    frame = panel(seed=2)
    fit = iv_regression(frame, **COMMON)
    ar = fit.anderson_rubin
    assert ar.kind == "bounded"

    def p_value(b: float) -> float:
        moved = frame.assign(y=frame["y"] - b * frame["x"])
        from scipy import stats

        from estimation.did import twfe

        reduced = twfe.fit(
            moved, outcome="y", treatment=["z1", "z2"], controls=["w"], entity="unit", time="year"
        )
        found = reduced.wald(["z1", "z2"])
        return float(stats.f.sf(found["f"], 2, found["df2"]))

    assert p_value(ar.low) == pytest.approx(0.05, abs=1e-6)
    assert p_value(ar.high) == pytest.approx(0.05, abs=1e-6)
    assert p_value((ar.low + ar.high) / 2) > 0.05
    assert p_value(0.0) == pytest.approx(ar.p_value, rel=1e-6)


def test_anderson_rubin_set_is_unbounded_when_the_instrument_says_nothing():
    kinds = set()
    for seed in range(12):
        generator = np.random.default_rng(seed)
        z = generator.normal(size=(300, 1))
        x = generator.normal(size=300)
        y = x + generator.normal(size=300)
        found = anderson_rubin(z, x, y, Moments(None, 1.0), 298)
        kinds.add(found.kind)
        if found.kind == "everything":
            assert found.low == -np.inf
            assert found.high == np.inf
    assert "everything" in kinds
    assert kinds <= {"everything", "unbounded", "bounded"}


def test_anderson_rubin_covers_with_weak_instruments():
    """First-stage F around 1: about 95 of 100 sets hold the true 0.7."""
    covered = 0
    for seed in range(100):
        frame = panel(seed=1000 + seed, strength=0.03)
        d = frame - frame.groupby("unit").transform("mean")
        d -= d.groupby(frame["year"]).transform("mean")
        moments = Moments(frame["unit"].to_numpy(), G / (G - 1))
        found = anderson_rubin(
            d[["z1"]].to_numpy(), d["x"].to_numpy(), d["y"].to_numpy(), moments, G - 1
        )
        covered += any(low <= 0.7 <= high for low, high in found.intervals)
    assert 88 <= covered <= 100


def test_effective_f_falls_with_strength():
    strong = iv_regression(panel(strength=0.5), **COMMON).effective_f.value
    weak = iv_regression(panel(strength=0.05), **COMMON).effective_f.value
    assert weak < 10 < strong


def test_plausibility_finds_a_direct_effect_of_the_instrument():
    generator = np.random.default_rng(3)
    unit, year = np.repeat(np.arange(120), 10), np.tile(np.arange(10), 120)
    ever = (unit % 3 == 0).astype(float)
    treated = ever * (year >= 5)
    z = generator.normal(size=1200) + 0.5 * treated
    clean = 0.5 * treated + generator.normal(size=1200)
    frame = pd.DataFrame({"unit": unit, "year": year, "d": treated, "z": z, "good": clean})
    frame["bad"] = frame["good"] + 0.5 * z
    shared = {"treatment": "d", "instruments": ["z"], "entity": "unit", "time": "year"}
    good = plausibility(frame, outcome="good", **shared).set_index("check")
    bad = plausibility(frame, outcome="bad", **shared).set_index("check")
    assert list(good.index) == ["reduced form", "never treated", "not yet treated"]
    assert good.loc["never treated", "p_value"] > 0.01
    assert bad.loc["never treated", "p_value"] < 1e-6
    assert good.loc["never treated", "n_obs"] == 800
    everyone = frame.assign(d=1.0 * (year >= 5))
    table = plausibility(everyone, outcome="good", **shared).set_index("check")
    assert np.isnan(table.loc["never treated", "estimate"])
    assert table.loc["never treated", "note"]


def test_what_does_not_fit_is_refused():
    frame = panel()
    with pytest.raises(ValueError, match=r"1 instrument\(s\) for 2 endogenous"):
        iv_regression(frame, **{**COMMON, "treatment": ["x", "w"], "instruments": ["z1"]})
    with pytest.raises(ValueError, match=r"\['w'\] stand in two"):
        iv_regression(frame, **{**COMMON, "instruments": ["w"]})
    with pytest.raises(ValueError, match="method 'ols' is unknown"):
        iv_regression(frame, method="ols", **COMMON)
    with pytest.raises(MissingData, match="port"):
        iv_regression(frame, **{**COMMON, "instruments": ["port"]})
    with pytest.raises(NoVariation, match="instrument port: no variation is left"):
        iv_regression(
            frame.assign(port=frame["unit"] % 2), **{**COMMON, "instruments": ["z1", "port"]}
        )
    with pytest.raises(NoVariation, match="instrument twice"):
        iv_regression(
            frame.assign(twice=2 * frame["z1"]), **{**COMMON, "instruments": ["z1", "twice"]}
        )
    with pytest.raises(NoVariation, match="endogenous variable fixed"):
        iv_regression(frame.assign(fixed=frame["unit"]), **{**COMMON, "treatment": "fixed"})
    with pytest.raises(ValueError, match="entity is given without time"):
        iv_regression(frame, **{**COMMON, "time": None})


def test_missing_rows_are_counted_and_order_does_not_matter():
    frame = panel()
    frame.loc[[5, 9], "z1"] = np.nan
    fit = iv_regression(frame, **COMMON)
    assert fit.n_missing == 2
    again = iv_regression(frame.sample(frac=1, random_state=2), **COMMON)
    pd.testing.assert_series_equal(fit.params, again.params, rtol=1e-12)
    assert fit.anderson_rubin.low == pytest.approx(again.anderson_rubin.low, rel=1e-9)


def test_effective_f_of_a_known_first_stage():
    """Orthonormal instruments, iid errors: the value is ||pi||^2 / (L sigma2)."""
    generator = np.random.default_rng(9)
    z, _ = np.linalg.qr(generator.normal(size=(500, 4)))
    x = z @ [3.0, 2.0, 1.0, 0.5] + generator.normal(size=500)
    pi = z.T @ x
    u = x - z @ pi
    found = effective_f(z, x, Moments(None, 1.0, iid=True))
    assert found.value == pytest.approx(pi @ pi / (4 * (u @ u) / 500), rel=1e-10)
    assert found.effective_df == pytest.approx(4.0)
