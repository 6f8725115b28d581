"""Concentrated likelihoods of spatial lag and error models, and their maximum.

Belongs here: profiling out coefficients and variance, the search over the spatial parameter, and
assembling the fit. Does not belong here: options and checks of the public function (``ml``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import optimize

from estimation.spatial import covariance
from estimation.spatial.arrays import SpatialArrays, demean, lag_panel
from estimation.spatial.logdet import LogDeterminant, Traces
from estimation.spatial.result import SpatialFit
from estimation.spatial.weights import Weights


@dataclass(frozen=True)
class _Sizes:
    """Effective dimensions of the likelihood: (T, N), or less one each under the transformation."""

    periods: int
    n_obs: int
    subtract: bool  # ln(1 - rho) leaves the log-determinant (Lee and Yu 2010, eq. 18)


def _sizes(arrays: SpatialArrays, effects: str, correction: str | None) -> _Sizes:
    t, n = arrays.shape
    if correction != "transformation":
        return _Sizes(t, t * n, False)
    periods = t - 1 if effects in ("individual", "twoway") else t
    across = effects in ("time", "twoway")
    return _Sizes(periods, periods * (n - 1 if across else n), across)


class Objective(Protocol):
    """Concentrated log-likelihood at many rho; ``det`` are known values of ln|I - rho W|."""

    def __call__(self, rho: np.ndarray, det: np.ndarray | None = None) -> np.ndarray:
        """Values (R,)."""
        ...


def maximise(
    objective: Objective,
    slope: Callable[[float], float],
    determinant: LogDeterminant,
) -> float:
    """Global maximum on the open interval: a grid, then the root of the score around its best."""
    low, high = determinant.lower, determinant.upper
    centre, determinants = determinant.grid
    values = objective(centre, determinants)
    best = int(np.argmax(values))
    left = centre[best - 1] if best else low + 1e-9 * (high - low)
    right = centre[best + 1] if best + 1 < len(centre) else high - 1e-9 * (high - low)
    if determinant.method != "eigenvalues":
        found = optimize.minimize_scalar(
            lambda r: -float(objective(np.array([r]))[0]),
            bounds=(left, right),
            method="bounded",
            options={"xatol": 1e-7},
        ).x
        left, right = max(left, found - 1e-4), min(right, found + 1e-4)
        slope(float(found))  # prepares the interpolant around the optimum
    if slope(left) > 0 > slope(right):
        return float(optimize.brentq(slope, left, right, xtol=1e-14, rtol=1e-13))
    return float(
        optimize.minimize_scalar(
            lambda r: -float(objective(np.array([r]))[0]),
            bounds=(left, right),
            method="bounded",
            options={"xatol": 1e-11},
        ).x
    )


def refuse_bound(spatial: float, determinant: LogDeterminant, weights: Weights) -> None:
    """Raise when the likelihood has no maximum inside the interval of the spatial parameter.

    Under the transformation ln|I - rho W| - ln(1 - rho) is finite at rho = 1, so the likelihood
    of nearly uniform weights (every unit a neighbour of every other) can rise up to the bound: such
    a lag is hardly distinguishable from the time effects.
    """
    width = determinant.upper - determinant.lower
    near = min(spatial - determinant.lower, determinant.upper - spatial)
    if near < 1e-6 * width:
        raise ValueError(
            f"the likelihood rises up to the bound {spatial:.4f} of the spatial parameter with "
            f"{weights.kind} weights: there is no estimate inside "
            f"({determinant.lower:.4g}, {determinant.upper:.4g}). Weights this dense are close to "
            "the time effects; use fewer neighbours (a cut-off, a higher power of distance), or "
            "lee_yu=None or 'elhorst'"
        )


def _concentrated(
    rss: Callable[[np.ndarray], np.ndarray],
    rss_slope: Callable[[float], tuple[float, float]],
    determinant: LogDeterminant,
    sizes: _Sizes,
) -> tuple[Objective, Callable[[float], float]]:
    n, t = sizes.n_obs, sizes.periods

    def objective(rho: np.ndarray, det: np.ndarray | None = None) -> np.ndarray:
        rho = np.atleast_1d(rho)
        det = determinant.value(rho) if det is None else det
        if sizes.subtract:
            det = det - np.log1p(-rho)
        return -n / 2 * (np.log(2 * np.pi) + 1 + np.log(rss(rho) / n)) + t * det

    def slope(rho: float) -> float:
        value, change = rss_slope(rho)
        first = float(determinant.derivatives(np.array([rho]), 0.02)[0][0])
        if sizes.subtract:
            first += 1 / (1 - rho)
        return -n / 2 * change / value + t * first

    return objective, slope


def lag_model(
    arrays: SpatialArrays,
    y: np.ndarray,
    x: np.ndarray,
    model: str,
    effects: str,
    correction: str | None,
    determinant: LogDeterminant,
) -> SpatialFit:
    wy = demean(lag_panel(arrays.weights, arrays.y), effects).ravel()
    q, r = np.linalg.qr(x)
    b = np.linalg.solve(r, q.T @ np.column_stack([y, wy]))
    e = np.column_stack([y, wy]) - x @ b
    s = e.T @ e
    objective, slope = _concentrated(
        lambda rho: s[0, 0] - 2 * rho * s[0, 1] + rho**2 * s[1, 1],
        lambda rho: (
            s[0, 0] - 2 * rho * s[0, 1] + rho**2 * s[1, 1],
            -2 * s[0, 1] + 2 * rho * s[1, 1],
        ),
        determinant,
        _sizes(arrays, effects, correction),
    )
    rho = maximise(objective, slope, determinant)
    refuse_bound(rho, determinant, arrays.weights)
    return finish(
        arrays,
        y,
        x,
        model,
        effects,
        correction,
        determinant,
        rho,
        b[:, 0] - rho * b[:, 1],
        x,
        y - rho * wy,
        float(objective(np.array([rho]))[0]),
    )


def error_model(
    arrays: SpatialArrays,
    y: np.ndarray,
    x: np.ndarray,
    model: str,
    effects: str,
    correction: str | None,
    determinant: LogDeterminant,
    profiled: bool,
) -> SpatialFit:
    t, n = arrays.shape
    weights = arrays.weights
    # The profile over b does not change when x is orthonormalised and y replaced by its residual;
    # the cross products are then free of cancellation.
    q, r = np.linalg.qr(x)
    start = np.linalg.solve(r, q.T @ y)
    z = np.column_stack([y - x @ start, q]).reshape(t, n, -1)
    wz = lag_panel(weights, z)
    across = profiled and effects in ("time", "twoway")
    if across and weights.is_row_normalised:
        wz = wz - wz.mean(axis=1, keepdims=True)
    flat, lagged = z.reshape(t * n, -1), wz.reshape(t * n, -1)
    a, c = flat.T @ flat, lagged.T @ lagged
    b = flat.T @ lagged
    b = b + b.T
    projected = across and not weights.is_row_normalised
    if projected:
        # Time effects become (I - lambda W) 1 in the filtered equation: project them off exactly.
        ones, w1 = np.ones(n), weights.row_sums
        g0 = np.einsum("n,tnk->tk", ones, z)
        g1 = -np.einsum("n,tnk->tk", w1, z) - np.einsum("n,tnk->tk", ones, wz)
        g2 = np.einsum("n,tnk->tk", w1, wz)
        h = (float(n), float(w1.sum()), float(w1 @ w1))

    def moments(lam: float) -> tuple[np.ndarray, np.ndarray]:
        value, change = a - lam * b + lam**2 * c, -b + 2 * lam * c
        if projected:
            g, dg = g0 + lam * g1 + lam**2 * g2, g1 + 2 * lam * g2
            norm = h[0] - 2 * lam * h[1] + lam**2 * h[2]
            dnorm = -2 * h[1] + 2 * lam * h[2]
            gg, cross = g.T @ g, g.T @ dg
            value = value - gg / norm
            change = change - (cross + cross.T) / norm + gg * dnorm / norm**2
        return value, change

    def profile(lam: float) -> tuple[float, float, np.ndarray]:
        value, change = moments(lam)
        coefficient = np.linalg.solve(value[1:, 1:], value[1:, 0])
        v = np.concatenate([[1.0], -coefficient])
        return float(v @ value @ v), float(v @ change @ v), coefficient

    objective, slope = _concentrated(
        lambda lam: np.array([profile(float(v))[0] for v in lam]),
        lambda lam: profile(lam)[:2],
        determinant,
        _sizes(arrays, effects, correction),
    )
    lam = maximise(objective, slope, determinant)
    refuse_bound(lam, determinant, weights)
    coefficient = profile(lam)[2]
    beta = start + np.linalg.solve(r, coefficient)
    both = np.concatenate([y[:, None], x], axis=1).reshape(t, n, -1)
    filtered = both - lam * lag_panel(weights, both)
    if across:
        direction = 1 - lam * weights.row_sums
        share = np.einsum("n,tnk->tk", direction, filtered) / (direction @ direction)
        filtered = filtered - direction[None, :, None] * share[:, None, :]
    filtered = filtered.reshape(t * n, -1)
    return finish(
        arrays,
        y,
        x,
        model,
        effects,
        correction,
        determinant,
        lam,
        beta,
        filtered[:, 1:],
        filtered[:, 0],
        float(objective(np.array([lam]))[0]),
    )


def finish(
    arrays: SpatialArrays,
    y: np.ndarray,
    x: np.ndarray,
    model: str,
    effects: str,
    correction: str | None,
    determinant: LogDeterminant,
    spatial: float,
    beta: np.ndarray,
    x_used: np.ndarray,
    y_used: np.ndarray,
    loglik: float | None = None,
) -> SpatialFit:
    t, n = arrays.shape
    sizes = _sizes(arrays, effects, correction)
    residual = y_used - x_used @ beta
    rss = float(residual @ residual)
    sigma2 = rss / sizes.n_obs
    if loglik is None:
        loglik = -t * n / 2 * (np.log(2 * np.pi * sigma2) + 1)
    kind = "lag" if model in ("sar", "sdm") else "error" if model in ("sem", "sdem") else "none"
    pieces = covariance.Pieces(
        kind, arrays.weights, determinant, (t, n), sizes.periods, sizes.n_obs, sizes.subtract
    )
    if correction == "elhorst":
        beta, spatial, sigma2 = covariance.elhorst_correction(
            pieces, effects, beta, spatial, sigma2, x_used
        )
        if kind == "lag":
            wy = demean(lag_panel(arrays.weights, arrays.y), effects).ravel()
            residual = y - spatial * wy - x @ beta
        elif kind == "error":
            residual = y_used - x_used @ beta

    def moments() -> tuple[np.ndarray, covariance.ScoreVariance]:
        return covariance.information_and_scores(pieces, beta, spatial, sigma2, x_used, residual)

    def prediction() -> float:
        fitted = x @ beta
        if kind == "lag":
            solver = Traces(arrays.weights, determinant)
            fitted = solver.solve(spatial, fitted.reshape(t, n).T).T.ravel()
        return _squared_correlation(y, fitted)

    total = arrays.y - arrays.y.mean()
    level_error = residual if kind != "error" else y - x @ beta
    counted = {"none": 0, "individual": 1, "time": t, "twoway": t}[effects]
    return SpatialFit(
        model=model,
        effects=effects,
        lee_yu=correction,
        names=arrays.names,
        n_own=arrays.n_own,
        beta=beta,
        spatial=spatial,
        sigma2=sigma2,
        loglik=float(loglik),
        moments=moments,
        prediction=prediction,
        residuals=residual.reshape(t, n),
        n_obs=t * n,
        n_entities=n,
        n_periods=t,
        n_parameters=x.shape[1] + (kind != "none") + counted,
        r2=1 - rss / float((total**2).sum()),
        r2_within=1 - float(level_error @ level_error) / float(y @ y),
        weights=arrays.weights,
        logdet=determinant,
    )


def _squared_correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(a @ a) * float(b @ b)
    return float((a @ b) ** 2 / scale) if scale > 0 else float("nan")
