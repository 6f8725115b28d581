"""Spatial likelihoods against brute force on small panels, and what the estimator refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from scipy.stats import multivariate_normal

from estimation.panel import MissingData, NoVariation
from estimation.spatial import build
from estimation.spatial.arrays import UnbalancedPanel, keep_balanced, spatial_arrays
from estimation.spatial.impacts import impacts
from estimation.spatial.logdet import DenseLogDeterminant, SparseLogDeterminant, Traces
from estimation.spatial.ml import spatial_panel
from estimation.spatial.random_effects import random_effects
from estimation.spatial.tests import likelihood_ratio, lm_tests, specification_tests, wald
from estimation.spatial.weights import WeightsError

N, T = 14, 6


def make(
    seed: int = 0,
    n: int = N,
    t: int = T,
    rho: float = 0.4,
    k: int = 4,
    theta: float = 0.6,
    trend: float = 0.1,
    errors_only: bool = False,
):
    """Synthetic panel with a spatial lag (or error); asymmetric weights (nearest neighbours)."""
    generator = np.random.default_rng(seed)
    lon, lat = generator.uniform(100, 120, n), generator.uniform(22, 42, n)
    weights = build.nearest(tuple(range(n)), lon, lat, k=k).normalise("row")
    w = weights.matrix.toarray()
    x = generator.normal(size=(t, n, 2))
    effect = generator.normal(size=n)
    e = 0.5 * generator.normal(size=(t, n))
    signal = x @ [1.0, -0.5] + (x[..., 0] @ w.T) * theta + effect + np.arange(t)[:, None] * trend
    multiplier = np.linalg.inv(np.eye(n) - rho * w).T
    y = signal + e @ multiplier if errors_only else (signal + e) @ multiplier
    frame = pd.DataFrame(
        {
            "unit": np.tile(np.arange(n), t),
            "year": np.repeat(np.arange(2000, 2000 + t), n),
            "y": y.ravel(),
            "x1": x[..., 0].ravel(),
            "x2": x[..., 1].ravel(),
        }
    )
    return frame, weights


COMMON = {"outcome": "y", "controls": ["x1", "x2"], "entity": "unit", "time": "year"}


def dummies(frame: pd.DataFrame, effects: str) -> np.ndarray:
    parts = [np.ones((len(frame), 1))]
    if effects in ("individual", "twoway"):
        parts.append(pd.get_dummies(frame["unit"], drop_first=True).to_numpy(float))
    if effects in ("time", "twoway"):
        parts.append(pd.get_dummies(frame["year"], drop_first=True).to_numpy(float))
    return np.hstack(parts)


@pytest.mark.parametrize("effects", ["none", "individual", "time", "twoway"])
@pytest.mark.parametrize("model", ["sar", "sem", "sdm", "sdem"])
@pytest.mark.parametrize("normalise", ["row", "spectral"])
def test_likelihood_equals_brute_force_with_dummies(model, effects, normalise):
    """The NT-variate normal density with dummies as regressors, maximised over rho alone."""
    frame, weights = make()
    if normalise == "spectral":
        weights = build.inverse_distance(
            weights.ids, np.linspace(100, 113, N), np.linspace(30, 40, N) ** 1.01
        ).normalise("spectral")
    w = np.kron(np.eye(T), weights.matrix.toarray())
    frame = frame.sort_values(["year", "unit"])
    y = frame["y"].to_numpy()
    x = frame[["x1", "x2"]].to_numpy()
    if model in ("sdm", "sdem"):
        x = np.hstack([x, w @ x])
    x = np.hstack([x, dummies(frame, effects)])

    def loglik(r: float) -> float:
        inside = np.eye(N * T) - r * w
        left, right = inside @ y, x if model in ("sar", "sdm") else inside @ x
        e = left - right @ np.linalg.lstsq(right, left, rcond=None)[0]
        s2 = e @ e / len(e)
        return -len(e) / 2 * (np.log(2 * np.pi * s2) + 1) + np.linalg.slogdet(inside)[1]

    fit = spatial_panel(
        frame,
        model=model,
        effects=effects,
        weights=weights,
        profile_time_effects=True,
        allow_disconnected=True,
        **COMMON,
    )
    best = optimize.minimize_scalar(
        lambda r: -loglik(r), bounds=(-0.95, 0.99), method="bounded", options={"xatol": 1e-10}
    )
    assert fit.loglik == pytest.approx(-best.fun, abs=1e-8)
    assert fit.spatial == pytest.approx(best.x, abs=1e-6)
    assert loglik(fit.spatial) == pytest.approx(fit.loglik, abs=1e-8)


def test_error_model_convention_lies_below_the_profiled_maximum():
    frame, weights = make()
    plain = spatial_panel(frame, model="sem", weights=weights, allow_disconnected=True, **COMMON)
    exact = spatial_panel(
        frame,
        model="sem",
        weights=weights,
        profile_time_effects=True,
        allow_disconnected=True,
        **COMMON,
    )
    assert exact.loglik > plain.loglik
    assert abs(exact.spatial - plain.spatial) < 0.05


@pytest.mark.parametrize("model", ["sar", "sdm", "sem"])
def test_information_equals_curvature_of_the_expected_likelihood(model):
    """With individual effects, the analytic SEs equal those of the numerical Hessian in large T."""
    frame, weights = make(
        seed=4,
        n=12,
        t=400,
        theta=0.6 if model == "sdm" else 0.0,
        trend=0.0,
        errors_only=model == "sem",
    )
    fit = spatial_panel(
        frame, model=model, effects="individual", weights=weights, allow_disconnected=True, **COMMON
    )
    t, n = 400, 12
    arrays = spatial_arrays(
        frame,
        outcome="y",
        regressors=["x1", "x2"],
        durbin=["x1", "x2"] if model == "sdm" else [],
        entity="unit",
        time="year",
        weights=weights,
    )
    y = arrays.y - arrays.y.mean(0)
    x = arrays.x - arrays.x.mean(0)
    w = weights.matrix.toarray()

    def negative(theta: np.ndarray) -> float:
        beta, r, s2 = theta[:-2], theta[-2], theta[-1]
        inside = np.eye(n) - r * w
        e = (y - x @ beta) @ inside.T if model == "sem" else y @ inside.T - x @ beta
        return (
            t * n / 2 * np.log(2 * np.pi * s2)
            - t * np.linalg.slogdet(inside)[1]
            + (e**2).sum() / (2 * s2)
        )

    theta = fit.parameters.to_numpy()
    step = 1e-4
    p = len(theta)
    hessian = np.empty((p, p))
    for i in range(p):
        for j in range(p):
            total = 0.0
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                at = theta.copy()
                at[i] += a * step
                at[j] += b * step
                total += a * b * negative(at)
            hessian[i, j] = total / (4 * step**2)
    numeric = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance())), numeric, rtol=0.06)


@pytest.mark.parametrize("effects", ["individual", "twoway"])
@pytest.mark.parametrize("model", ["sar", "sdm", "sem", "sdem"])
def test_random_effects_likelihood_is_the_normal_density(model, effects):
    """At the reported optimum and around it, against scipy's multivariate normal."""
    frame, weights = make(seed=2)
    durbin = ["x1", "x2"] if model in ("sdm", "sdem") else []
    arrays = spatial_arrays(
        frame,
        outcome="y",
        regressors=["x1", "x2"],
        durbin=durbin,
        entity="unit",
        time="year",
        weights=weights,
    )
    fit = random_effects(arrays, model=model, effects=effects)
    w = weights.matrix.toarray()
    if effects == "individual":
        y = arrays.y
        x = np.concatenate([np.ones((T, N, 1)), arrays.x], axis=2)
    else:
        y = arrays.y - arrays.y.mean(1, keepdims=True)
        x = arrays.x - arrays.x.mean(1, keepdims=True)

    def density(beta, r, s2, phi2) -> float:
        inside = np.eye(N) - r * w
        e = y @ inside.T - x @ beta if model in ("sar", "sdm") else (y - x @ beta) @ inside.T
        if effects == "twoway":
            e = e - e.mean(1, keepdims=True)
        mean = np.full((T, T), 1 / T)
        omega = s2 * (np.eye(T) - mean + mean / phi2)
        logdet = T * np.linalg.slogdet(inside)[1]
        return multivariate_normal(cov=omega).logpdf(e.T).sum() + logdet

    best = density(fit.beta, fit.spatial, fit.sigma2, fit.phi2)
    assert best == pytest.approx(fit.loglik, abs=1e-6)
    generator = np.random.default_rng(0)
    for _ in range(40):
        moved = density(
            fit.beta + 0.02 * generator.normal(size=len(fit.beta)),
            fit.spatial + 0.02 * generator.normal(),
            fit.sigma2 * np.exp(0.05 * generator.normal()),
            fit.phi2 * np.exp(0.1 * generator.normal()),
        )
        assert moved < best


def test_sparse_and_dense_paths_agree():
    frame, weights = make(n=60, t=5)
    for model in ("sar", "sem", "sdm"):
        fits = [
            spatial_panel(
                frame, model=model, weights=weights, logdet=m, allow_disconnected=True, **COMMON
            )
            for m in ("dense", "sparse")
        ]
        assert fits[1].logdet.method == "sparse LU"
        np.testing.assert_allclose(fits[0].parameters, fits[1].parameters, atol=1e-8)
        np.testing.assert_allclose(fits[0].covariance(), fits[1].covariance(), atol=1e-8)
        tables = [impacts(f, draws=200).table.iloc[:, 2:] for f in fits]
        np.testing.assert_allclose(tables[0], tables[1], atol=1e-7)


def test_log_determinant_and_traces():
    _, weights = make(n=40)
    w = weights.matrix.toarray()
    dense, thin = DenseLogDeterminant(weights), SparseLogDeterminant(weights)
    for rho in (-0.7, 0.0, 0.3, 0.9):
        a = w @ np.linalg.inv(np.eye(40) - rho * w)
        expected = np.linalg.slogdet(np.eye(40) - rho * w)[1]
        for method in (dense, thin):
            assert method.value(np.array([rho]))[0] == pytest.approx(expected, abs=1e-10)
            first, second = Traces(weights, method).trace_a(np.array([rho]))
            assert first[0] == pytest.approx(np.trace(a), abs=1e-7)
            assert second[0] == pytest.approx(np.trace(a @ a), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("normalise", ["row", "spectral"])
def test_effects_equal_the_definition_and_delta_equals_numerical_slopes(normalise):
    frame, weights = make()
    if normalise == "spectral":
        weights = build.inverse_distance(
            weights.ids, np.linspace(100, 113, N), np.linspace(30, 40, N) ** 1.01
        ).normalise("spectral")
    fit = spatial_panel(
        frame, model="sdm", effects="individual", weights=weights, allow_disconnected=True, **COMMON
    )
    w = weights.matrix.toarray()

    def definition(theta: np.ndarray) -> np.ndarray:
        s = np.linalg.inv(np.eye(N) - theta[-1] * w)
        out = []
        for j in (0, 1):
            response = s @ (theta[j] * np.eye(N) + theta[j + 2] * w)
            direct, total = np.trace(response) / N, response.sum() / N
            out += [direct, total - direct, total]
        return np.array(out)

    found = impacts(fit, draws=20000, seed=1)
    theta = np.append(fit.beta, fit.spatial)
    np.testing.assert_allclose(found.table["estimate"], definition(theta), atol=1e-10)
    jacobian = np.column_stack(
        [(definition(theta + h) - definition(theta - h)) / 2e-6 for h in 1e-6 * np.eye(len(theta))]
    )
    v = fit.covariance().to_numpy()[:-1, :-1]
    expected = np.sqrt(np.diag(jacobian @ v @ jacobian.T))
    np.testing.assert_allclose(found.table["se_delta"], expected, rtol=1e-5)
    np.testing.assert_allclose(found.table["se_sim"], expected, rtol=0.25)
    again = impacts(fit, draws=20000, seed=1)
    pd.testing.assert_frame_equal(found.table, again.table)


def test_cluster_sandwich_is_near_the_analytic_one_without_dependence():
    """Independent normal errors: both covariances estimate the same thing."""
    frame, weights = make(seed=11, n=300, t=6, k=5)
    fit = spatial_panel(frame, model="sdm", weights=weights, allow_disconnected=True, **COMMON)
    ratio = np.sqrt(np.diag(fit.covariance("cluster")) / np.diag(fit.covariance()))
    assert (np.abs(ratio - 1) < 0.25).all()


def test_lee_yu_individual_scales_the_variance_only():
    frame, weights = make()
    plain = spatial_panel(
        frame, effects="individual", weights=weights, allow_disconnected=True, **COMMON
    )
    fixed = spatial_panel(
        frame,
        effects="individual",
        lee_yu=True,
        weights=weights,
        allow_disconnected=True,
        **COMMON,
    )
    np.testing.assert_allclose(plain.beta, fixed.beta)
    assert fixed.sigma2 == pytest.approx(plain.sigma2 * T / (T - 1))


def test_transformation_equals_orthonormally_transformed_data():
    """Lee and Yu (2010): the likelihood of F'y, built here from explicit eigenvectors."""
    frame, weights = make()
    w = weights.matrix.toarray()
    fit = spatial_panel(
        frame,
        model="sdm",
        lee_yu="transformation",
        weights=weights,
        allow_disconnected=True,
        **COMMON,
    )
    arrays = spatial_arrays(
        frame,
        outcome="y",
        regressors=["x1", "x2"],
        durbin=["x1", "x2"],
        entity="unit",
        time="year",
        weights=weights,
    )

    def basis(m: int) -> np.ndarray:
        values, vectors = np.linalg.eigh(np.eye(m) - 1 / m)
        return vectors[:, values > 0.5]

    ft, fn = basis(T), basis(N)
    y = fn.T @ arrays.y.T @ ft
    x = np.stack([fn.T @ arrays.x[..., j].T @ ft for j in range(4)], axis=-1)
    small = fn.T @ w @ fn
    flat = x.reshape(-1, 4)

    def loglik(r: float) -> float:
        left = ((np.eye(N - 1) - r * small) @ y).ravel()
        e = left - flat @ np.linalg.lstsq(flat, left, rcond=None)[0]
        s2 = e @ e / len(e)
        det = (T - 1) * np.linalg.slogdet(np.eye(N - 1) - r * small)[1]
        return -len(e) / 2 * (np.log(2 * np.pi * s2) + 1) + det

    assert fit.loglik == pytest.approx(loglik(fit.spatial), abs=1e-8)
    for step in (-0.01, 0.01):
        assert loglik(fit.spatial + step) < fit.loglik


def test_tests_have_the_right_restrictions():
    frame, weights = make(seed=8, n=30, t=8)
    found = specification_tests(frame, weights=weights, allow_disconnected=True, **COMMON)
    table = found.tidy().set_index("test")
    assert table.loc["LR_both_ind", "df"] == 7
    assert table.loc["LR_both_time", "df"] == 29
    assert table.loc["LR_SDM_SAR", "df"] == 2
    # The data have a spatial lag of x1: SAR is rejected, and Wald and LR agree roughly.
    assert table.loc["LR_SDM_SAR", "p_value"] < 1e-4
    assert table.loc["Wald_SDM_SAR", "statistic"] == pytest.approx(
        table.loc["LR_SDM_SAR", "statistic"], rel=0.35
    )
    assert table.loc["LM_lag", "p_value"] < 1e-4
    with pytest.raises(KeyError, match="no test 'LM'"):
        found["LM"]
    transformed = spatial_panel(
        frame, weights=weights, lee_yu="transformation", allow_disconnected=True, **COMMON
    )
    with pytest.raises(ValueError, match="transformed data cannot be compared"):
        likelihood_ratio("LR", transformed, found.fits["sdm", "twoway"], 2, "")
    with pytest.raises(ValueError, match="no Durbin terms"):
        wald(found.fits["sar", "twoway"], "sar")


def test_robust_lm_refuses_a_null_without_regressors():
    frame, weights = make()
    arrays = spatial_arrays(
        frame, outcome="y", regressors=[], durbin=[], entity="unit", time="year", weights=weights
    )
    with pytest.raises(ValueError, match="robust LM tests do not exist"):
        lm_tests(arrays, "twoway")


def test_panels_that_do_not_fit_are_refused():
    frame, weights = make()
    fit = {"weights": weights, "allow_disconnected": True, **COMMON}
    gap = frame.drop(index=frame.index[(frame["unit"] == 3) & (frame["year"] == 2002)])
    with pytest.raises(UnbalancedPanel, match="1 of 84 unit-periods are absent, first unit=3, ti"):
        spatial_panel(gap.rename(columns={"year": "time"}), **{**fit, "time": "time"})
    hole = frame.copy()
    hole.loc[(hole["unit"] == 5) & (hole["year"] == 2001), "x1"] = np.nan
    with pytest.raises(UnbalancedPanel, match=r"first unit=5, year=2001 \(x1\)"):
        spatial_panel(hole, **fit)
    with pytest.raises(UnbalancedPanel, match="repeat an entity-time pair, first unit=0"):
        spatial_panel(pd.concat([frame, frame.head(1)]), **fit)
    with pytest.raises(UnbalancedPanel, match="at least 2 are needed"):
        spatial_panel(frame[frame["year"] == 2000], **fit)
    with pytest.raises(MissingData, match="nowhere"):
        spatial_panel(frame, **{**fit, "controls": ["nowhere"]})
    with pytest.raises(WeightsError, match="1 of the weights are not in the panel"):
        spatial_panel(frame[frame["unit"] != 2], **fit)
    with pytest.raises(NoVariation, match="fixed does not vary"):
        spatial_panel(
            frame.assign(fixed=frame["unit"] * 1.0), **{**fit, "controls": ["x1", "fixed"]}
        )
    with pytest.raises(ValueError, match="twice is a linear combination"):
        spatial_panel(frame.assign(twice=2 * frame["x1"]), **{**fit, "controls": ["x1", "twice"]})
    part = keep_balanced(hole, ["y", "x1"], entity="unit", time="year")
    assert part.units_left_out == (5,)
    assert part.periods_left_out == ()
    assert len(part.frame) == (N - 1) * T
    thin = frame.copy()
    thin.loc[(thin["unit"] > 3) & (thin["year"] == 2001), "y"] = np.nan
    part = keep_balanced(thin, ["y", "x1"], entity="unit", time="year")
    assert part.units_left_out == ()
    assert part.periods_left_out == (2001,)
    with pytest.raises(UnbalancedPanel, match="no unit is complete"):
        keep_balanced(
            frame[frame["unit"] % T != frame["year"] - 2000], ["y"], entity="unit", time="year"
        )


def test_options_that_do_not_fit_are_refused():
    frame, weights = make()
    fit = {"weights": weights, "allow_disconnected": True, **COMMON}
    with pytest.raises(ValueError, match="model 'sac' is unknown"):
        spatial_panel(frame, model="sac", **fit)
    with pytest.raises(ValueError, match="effects 'fixed' are unknown"):
        spatial_panel(frame, effects="fixed", **fit)
    with pytest.raises(ValueError, match="takes no Durbin terms"):
        spatial_panel(frame, model="sar", durbin=["x1"], **fit)
    with pytest.raises(ValueError, match=r"Durbin terms \['x9'\] are not among"):
        spatial_panel(frame, durbin=["x9"], **fit)
    with pytest.raises(ValueError, match="is for fixed effects"):
        spatial_panel(frame, effects="none", lee_yu=True, **fit)
    spectral = build.inverse_distance(
        weights.ids, np.linspace(100, 113, N), np.linspace(30, 40, N)
    ).normalise("spectral")
    with pytest.raises(WeightsError, match="rows that all sum to one"):
        spatial_panel(frame, lee_yu=True, **{**fit, "weights": spectral})
    with pytest.raises(ValueError, match="covariance 'hac' is unknown"):
        spatial_panel(frame, **fit).covariance("hac")


def test_a_likelihood_without_an_inner_maximum_is_refused():
    """Dense weights and a map-wide wave: under the transformation rho runs to one."""
    generator = np.random.default_rng(0)
    n, t = 40, 10
    lon = np.linspace(100, 120, n)
    weights = build.inverse_distance(tuple(range(n)), lon, np.full(n, 30.0)).normalise("row")
    wave = (lon - lon.mean()) * generator.normal(size=(t, 1)) + 0.01 * generator.normal(size=(t, n))
    frame = pd.DataFrame(
        {
            "unit": np.tile(np.arange(n), t),
            "year": np.repeat(np.arange(t), n),
            "y": wave.ravel(),
            "x1": generator.normal(size=n * t),
        }
    )
    fit = {
        "outcome": "y", "controls": ["x1"], "entity": "unit", "time": "year", "model": "sar",
        "weights": weights,
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"rises up to the bound 1\.0000"):
        spatial_panel(frame, lee_yu="transformation", **fit)
    assert 0.5 < spatial_panel(frame, **fit).spatial < 1
