"""Standard errors, the median rule, and the interval that survives a weak instrument.

Belongs here: what follows from scores and residuals once the nuisance functions are known. Does not
belong here: fitting. The clustered error is ours because doubleml clusters only when its folds are
clusters too, and the published configuration folds over rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats


def influence(psi: np.ndarray, psi_a: np.ndarray) -> np.ndarray:
    """Influence of each row on the estimate: -psi_i / sum(psi_a), shape (n,)."""
    return -psi / psi_a.sum()


def cluster_sums(values: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Sums of ``values`` (n,) by cluster code, shape (G,)."""
    return np.bincount(cluster, weights=values, minlength=int(cluster.max()) + 1)


def clustered_se(effect: np.ndarray, cluster: np.ndarray) -> float:
    """Cluster-robust standard error from influence values.

    sqrt(G/(G-1) * sum_g (sum_{i in g} phi_i)^2): CR1 without the (n-1)/(n-k) part, because the
    residuals are out of fold and no regression parameter was fitted to them.

    Raises
    ------
    ValueError
        With fewer than two clusters.
    """
    sums = cluster_sums(effect, cluster)
    groups = len(sums)
    if groups < 2:
        raise ValueError("clustered standard errors need at least two clusters")
    return float(np.sqrt(groups / (groups - 1) * np.sum(sums**2)))


def median_rule(estimates: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Estimate and standard error over repeated splits, as doubleml aggregates them.

    The median estimate, and (median of the upper 95% bounds - median estimate) / 1.96: a split
    that disagrees widens the interval. With one repetition both are that repetition's.
    """
    centre = float(np.median(estimates))
    upper = float(np.median(estimates + 1.96 * errors))
    return centre, (upper - centre) / 1.96


@dataclass(frozen=True)
class WeakInstrument:
    """First stage and Anderson-Rubin inference of a partially linear IV model.

    Attributes
    ----------
    effective_f : float
        Effective F of Montiel Olea and Pflueger (2013); with one instrument the robust F.
    ar_low, ar_high : float
        95% Anderson-Rubin set; infinite ends mean the set has no end there.
    ar_kind : str
        ``interval``, ``outside`` (everything except (ar_low, ar_high)), ``all`` or ``empty``.
    """

    effective_f: float
    first_stage: float
    first_stage_se: float
    ar_low: float
    ar_high: float
    ar_kind: str


def weak_instrument(
    u: np.ndarray, w: np.ndarray, v: np.ndarray, *, cluster: np.ndarray | None, alpha: float = 0.05
) -> WeakInstrument:
    """First-stage strength and the set of effects that the instrument does not reject.

    Parameters
    ----------
    u, w, v : ndarray (n,)
        Residualised outcome, treatment and instrument.
    cluster : int ndarray (n,), optional
        Codes; without them the moments are heteroskedasticity-robust.

    Notes
    -----
    The set {b : [sum v(u - b w)]^2 <= c * Var(sum v(u - b w))} is the solution of a quadratic
    inequality, because the variance is quadratic in b.
    """

    def spread(a: np.ndarray, b: np.ndarray) -> float:
        if cluster is None:
            return float(np.sum(a * b))
        first, second = cluster_sums(a, cluster), cluster_sums(b, cluster)
        groups = len(first)
        return float(groups / (groups - 1) * np.sum(first * second))

    vu, vw = v * u, v * w
    critical = float(stats.chi2.ppf(1 - alpha, 1))
    total_u, total_w, total_v = float(vu.sum()), float(vw.sum()), float(np.sum(v * v))
    pi = total_w / total_v
    first = v * (w - pi * v)
    first_se = math.sqrt(spread(first, first)) / total_v
    a = total_w**2 - critical * spread(vw, vw)
    b = -2 * (total_u * total_w - critical * spread(vu, vw))
    c = total_u**2 - critical * spread(vu, vu)
    low, high, kind = _quadratic_set(a, b, c)
    strength = (pi / first_se) ** 2 if first_se > 0 else math.inf
    return WeakInstrument(strength, pi, first_se, low, high, kind)


def _quadratic_set(a: float, b: float, c: float) -> tuple[float, float, str]:
    """Where a x^2 + b x + c <= 0."""
    inside = b * b - 4 * a * c
    if a > 0:
        if inside < 0:
            return math.nan, math.nan, "empty"
        root = math.sqrt(inside)
        return (-b - root) / (2 * a), (-b + root) / (2 * a), "interval"
    if a == 0 or inside < 0:
        return -math.inf, math.inf, "all"
    root = math.sqrt(inside)
    return (-b + root) / (2 * a), (-b - root) / (2 * a), "outside"
