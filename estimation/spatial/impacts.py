"""Direct, indirect and total effects of a fitted spatial panel, with two kinds of standard errors.

Belongs here: what a coefficient means once outcomes feed back on each other. Does not belong here:
fitting. Ours because spreg's Durbin model multiplies only b by the trace: it leaves theta W out,
so that its direct effects are wrong (its totals are right).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev

from estimation.spatial.covariance import tidy
from estimation.spatial.logdet import Traces
from estimation.spatial.result import SpatialFit

EFFECT_NAMES = ("direct", "indirect", "total")
_NODES = 24


@dataclass(frozen=True)
class Impacts:
    """Average effects of each regressor.

    Attributes
    ----------
    table : DataFrame
        Columns variable, effect (direct, indirect, total), estimate, se_delta, sim_mean, se_sim,
        sim_low, sim_high (2.5 and 97.5 percentiles of the draws).
    draws : int
        Simulation draws kept.
    share_outside : float
        Share of draws whose spatial parameter left the interval of invertibility, drawn again.
    covariance_kind, seed
        What the draws came from.
    """

    table: pd.DataFrame
    draws: int
    share_outside: float
    covariance_kind: str
    seed: int

    def tidy(self, errors: str = "delta", level: float = 0.95) -> pd.DataFrame:
        """Tidy table, terms ``direct:v``, ``indirect:v``, ``total:v``.

        Parameters
        ----------
        errors : {"delta", "simulated"}
            Delta method with the normal distribution; or standard deviation of the draws around the
            point estimate, with the draws' percentiles as interval.
        """
        terms = self.table["effect"] + ":" + self.table["variable"]
        series = pd.Series(self.table["estimate"].to_numpy(), index=terms.to_numpy())
        if errors == "delta":
            return tidy(series, self.table["se_delta"].to_numpy(), level)
        if errors != "simulated":
            raise ValueError(f"errors {errors!r} are unknown; use 'delta' or 'simulated'")
        if self.draws == 0:
            raise ValueError("no draws were made; call impacts(fit, draws=...) with draws > 0")
        out = tidy(series, self.table["se_sim"].to_numpy(), level)
        out["ci_low"], out["ci_high"] = self.table["sim_low"], self.table["sim_high"]
        return out


@dataclass(frozen=True)
class _Multipliers:
    """Averages over units: trace and sum of S and of S W, and their slopes in rho; arrays (R,)."""

    trace_s: np.ndarray
    trace_sw: np.ndarray
    sum_s: np.ndarray
    sum_sw: np.ndarray


def _sum_of_a(fit: SpatialFit, traces: Traces) -> Callable[[np.ndarray], np.ndarray]:
    """1'A 1 / N as a function of rho, A = W (I - rho W)^-1."""
    weights = fit.weights
    if weights.is_row_normalised:
        return lambda rho: 1 / (1 - rho)

    def single(rho: float) -> float:
        return float(weights.column_sums @ traces.solve(rho, np.ones((weights.n, 1)))[:, 0])

    def many(rho: np.ndarray) -> np.ndarray:
        # 1'W S 1 is smooth in rho, so many draws are interpolated.
        if rho.size <= _NODES:
            return np.array([single(float(r)) for r in rho]) / weights.n
        low, high = float(rho.min()), float(rho.max())
        at = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        nodes = (low + high) / 2 + (high - low) / 2 * at
        values = np.array([single(float(r)) for r in nodes]) / weights.n
        coefficients = chebyshev.chebfit(at, values, _NODES - 1)
        return chebyshev.chebval((2 * rho - low - high) / (high - low), coefficients)

    return many


def _multipliers(fit: SpatialFit, rho: np.ndarray) -> _Multipliers:
    n = fit.weights.n
    traces = Traces(fit.weights, fit.logdet)
    trace_a = traces.trace_a(rho)[0] / n
    sum_a = _sum_of_a(fit, traces)(rho)
    return _Multipliers(1 + rho * trace_a, trace_a, 1 + rho * sum_a, sum_a)


def _positions(fit: SpatialFit) -> tuple[list[str], list[int], list[int | None]]:
    names = [n for n in fit.names[: fit.n_own] if n != "intercept"]
    own = [fit.names.index(n) for n in names]
    lagged = [fit.names.index(f"W*{n}") if f"W*{n}" in fit.names else None for n in names]
    return names, own, lagged


def _effects(fit: SpatialFit, beta: np.ndarray, m: _Multipliers) -> np.ndarray:
    """Effects (R, variables, 3) for coefficient draws beta (R, k)."""
    names, own, lagged = _positions(fit)
    out = np.empty((beta.shape[0], len(names), 3))
    for j, (o, w) in enumerate(zip(own, lagged)):
        theta = beta[:, w] if w is not None else 0.0
        out[:, j, 0] = beta[:, o] * m.trace_s + theta * m.trace_sw
        out[:, j, 2] = beta[:, o] * m.sum_s + theta * m.sum_sw
    out[:, :, 1] = out[:, :, 2] - out[:, :, 0]
    return out


def _slopes(fit: SpatialFit, m: _Multipliers) -> np.ndarray:
    """Jacobian (variables, 3, k + 1) of the effects in (beta, rho)."""
    names, own, lagged = _positions(fit)
    n, k = fit.weights.n, len(fit.beta)
    out = np.zeros((len(names), 3, k + 1))
    trace_a2, sum_a2 = 0.0, 0.0
    if fit.has_lag:
        traces = Traces(fit.weights, fit.logdet)
        trace_a2 = float(traces.trace_a(np.array([fit.spatial]))[1][0]) / n
        sum_a2 = 1 / (1 - fit.spatial) ** 2
    if fit.has_lag and not fit.weights.is_row_normalised:
        traces = Traces(fit.weights, fit.logdet)
        ones = np.ones((n, 1))
        right = fit.weights.lag(traces.solve(fit.spatial, ones))[:, 0]
        left = traces.solve(fit.spatial, fit.weights.column_sums[:, None], transpose=True)[:, 0]
        sum_a2 = float(left @ right) / n
    rho = fit.spatial
    for j, (o, w) in enumerate(zip(own, lagged)):
        theta = fit.beta[w] if w is not None else 0.0
        out[j, 0, o], out[j, 2, o] = m.trace_s[0], m.sum_s[0]
        if w is not None:
            out[j, 0, w], out[j, 2, w] = m.trace_sw[0], m.sum_sw[0]
        # dA/drho = A A, and S = I + rho A.
        out[j, 0, k] = fit.beta[o] * (m.trace_sw[0] + rho * trace_a2) + theta * trace_a2
        out[j, 2, k] = fit.beta[o] * (m.sum_sw[0] + rho * sum_a2) + theta * sum_a2
    out[:, 1, :] = out[:, 2, :] - out[:, 0, :]
    return out


def impacts(
    fit: SpatialFit, *, draws: int = 1000, seed: int = 20240101, covariance: str = "analytic"
) -> Impacts:
    """Average direct, indirect and total effects (LeSage and Pace 2009, sec. 2.7).

    dy/dx' = (I - rho W)^-1 (b I + theta W): direct is the mean diagonal, total the mean row sum.

    Parameters
    ----------
    fit : SpatialFit
    draws : int
        Simulation draws of (beta, rho) from their normal distribution; 0 for the delta method only.
    seed : int
    covariance : {"analytic", "cluster"}
        Covariance behind both kinds of standard errors.
    """
    names, _, _ = _positions(fit)
    k = len(fit.beta)
    size = k + 1 if fit.spatial_name else k
    matrix = fit.covariance_matrix(covariance)[:size, :size]
    rho = fit.spatial if fit.has_lag else 0.0
    at = _multipliers(fit, np.array([rho]))
    point = _effects(fit, fit.beta[None, :], at)[0]
    slopes = _slopes(fit, at)
    used = np.zeros((k + 1, k + 1))
    used[:k, :k] = matrix[:k, :k]
    if fit.has_lag:
        used[:size, :size] = matrix
    delta = np.sqrt(np.einsum("vep,pq,veq->ve", slopes, used, slopes))
    rows = {
        "variable": np.repeat(names, 3),
        "effect": EFFECT_NAMES * len(names),
        "estimate": point.ravel(),
        "se_delta": delta.ravel(),
    }
    kept, outside = 0, 0.0
    simulated = np.full((4, point.size), np.nan)
    if draws > 0:
        beta, rhos, outside = _draw(fit, matrix, draws, seed)
        m = _multipliers(fit, rhos)
        sample = _effects(fit, beta, m).reshape(len(rhos), -1)
        kept = len(rhos)
        simulated = np.vstack(
            [
                sample.mean(axis=0),
                sample.std(axis=0, ddof=1),
                *np.quantile(sample, [0.025, 0.975], axis=0),
            ]
        )
    for name, values in zip(("sim_mean", "se_sim", "sim_low", "sim_high"), simulated):
        rows[name] = values
    return Impacts(pd.DataFrame(rows), kept, outside, covariance, seed)


def _draw(
    fit: SpatialFit, matrix: np.ndarray, draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    generator = np.random.default_rng(seed)
    k = len(fit.beta)
    centre = np.concatenate([fit.beta, [fit.spatial]])[: matrix.shape[0]]
    scale = np.sqrt(np.diag(matrix))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    root = vectors * np.sqrt(np.clip(values, 0, None))
    kept: list[np.ndarray] = []
    tried = found = 0
    while found < draws:
        block = centre + (generator.standard_normal((draws, len(centre))) @ root.T) * scale
        tried += draws
        if fit.has_lag:
            inside = (block[:, k] > fit.logdet.lower) & (block[:, k] < fit.logdet.upper)
            block = block[inside]
        kept.append(block)
        found += len(block)
        if tried > 50 * draws:
            raise ValueError(
                "fewer than 2% of the draws of rho lie in its interval; the estimate is at the "
                "bound, so use the delta method or another model"
            )
    sample = np.vstack(kept)
    outside = 1 - len(sample) / tried
    sample = sample[:draws]
    rhos = sample[:, k] if fit.has_lag else np.zeros(draws)
    return sample[:, :k], rhos, outside
