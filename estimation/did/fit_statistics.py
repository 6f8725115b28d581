"""What a regression table prints besides coefficients: R2 variants and the constant.

Belongs here: numbers derived from a fitted design. Does not belong here: fitting (``twfe``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from estimation.did import covariance as cov
from estimation.did.absorb import Absorber, redundant_levels

if TYPE_CHECKING:
    from estimation.did.twfe import Design


def constant(
    d: Design,
    x: np.ndarray,
    raw: np.ndarray,
    beta: np.ndarray,
    residual: np.ndarray,
    n_parameters: int,
    covariance: str,
) -> tuple[float, float]:
    """Constant of the regression with the means put back: z = (x within + mean x, 1)."""
    if not d.effect_names:
        return float("nan"), float("nan")
    w = np.ones(len(d.y)) if d.weights is None else d.weights
    means = np.average(raw, axis=0, weights=w)
    value = float(np.average(d.y, weights=w) - means @ beta)
    if covariance != "cluster":
        return value, float("nan")
    root = np.sqrt(w)
    # Only the constant's row of the inverse is needed: columns x within are orthogonal to 1.
    gram = x.T @ x
    total = float(w.sum())
    scores = x * residual[:, None]
    influence = root * residual / total - scores @ np.linalg.solve(gram, means)
    ones = np.ones((len(influence), 1))
    v = cov.clustered(
        ones, influence, np.eye(1), d.clusters, n_parameters=n_parameters, names=d.cluster_names
    )
    return value, float(np.sqrt(max(v.matrix[0, 0], 0.0)))


def r_squared(
    d: Design, residual: np.ndarray, y_within: np.ndarray, k: int, entity: str
) -> dict[str, float]:
    """R2, adjusted R2 and their within variants; see ``twfe.TwfeResult``."""
    w = np.ones(len(d.y)) if d.weights is None else d.weights
    ssr = float(np.sum(w * residual**2))
    centre = float(np.average(d.y, weights=w))
    sst = float(np.sum(w * (d.y - centre) ** 2))
    n = len(d.y)
    levels = sum(d.absorber.sizes) - redundant_levels(d.absorber.effects)
    total = k + levels
    out = {"r2": _ratio(ssr, sst), "adj_r2": np.nan}
    if n > total and sst > 0:
        base = 1 if levels or k else 0
        out["adj_r2"] = 1 - (ssr / (n - total)) / (sst / (n - base))
    if d.effect_names:
        ssw = float(y_within @ y_within)
        out["r2_within"] = _ratio(ssr, ssw)
        if n > total and ssw > 0:
            out["adj_r2_within"] = 1 - (ssr / (n - total)) / (ssw / (n - levels))
    if entity in d.effect_names:
        code, size = cov.codes(d.frame[entity].to_numpy())
        own = Absorber([code], d.weights).demean(d.y)
        sse = float(np.sum(w * own**2))
        out["r2_within_entity"] = _ratio(ssr, sse)
        regressors = k + levels - size
        if n > regressors + 1 and sse > 0:
            # Entity effects are not counted, as a within estimator with clustered errors does.
            share = ssr / sse
            out["adj_r2_within_entity"] = 1 - share * (n - 1) / (n - regressors - 1)
    return out


def _ratio(ssr: float, sst: float) -> float:
    return 1 - ssr / sst if sst > 0 else float("nan")
