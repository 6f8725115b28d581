"""Strength of instruments and inference that does not need it.

Belongs here: effective F with its critical values, Kleibergen-Paap statistics, Anderson-Rubin
intervals, on data whose controls and effects are partialled out. Does not belong here: the
regression (``iv``). linearmodels offers none of these with clustered errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, stats

from estimation.did.covariance import cluster_scores


@dataclass(frozen=True)
class EffectiveF:
    """Montiel Olea and Pflueger's effective F and its 5% critical values by worst-case bias."""

    value: float
    effective_df: float
    critical: dict[float, float]


@dataclass(frozen=True)
class RankTest:
    """Kleibergen-Paap: ``lm`` (chi-squared, ``df``) against under-, ``wald_f`` weak instruments."""

    lm: float
    lm_p: float
    df: int
    wald: float
    wald_f: float


@dataclass(frozen=True)
class AndersonRubin:
    """Set of coefficients that the Anderson-Rubin test does not reject.

    Attributes
    ----------
    intervals : tuple of (low, high)
        Disjoint, ascending; ends may be infinite. Empty when every value is rejected.
    kind : str
        ``bounded``, ``unbounded`` (a half line or two), ``everything`` or ``empty``.
    statistic, p_value : float
        Test that the coefficient is zero: F(L, df).
    level : float
    """

    intervals: tuple[tuple[float, float], ...]
    kind: str
    statistic: float
    p_value: float
    level: float

    @property
    def low(self) -> float:
        """Smallest value not rejected (NaN when empty)."""
        return self.intervals[0][0] if self.intervals else float("nan")

    @property
    def high(self) -> float:
        """Largest value not rejected (NaN when empty)."""
        return self.intervals[-1][1] if self.intervals else float("nan")


@dataclass(frozen=True)
class Moments:
    """Meat of sums over clusters (or rows), with its small-sample factor.

    ``cluster`` None means heteroskedastic rows; ``iid`` True the classical covariance.
    """

    cluster: np.ndarray | None
    factor: float
    iid: bool = False

    def meat(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """sum_g s_g r_g' of scores (n, a) and (n, b)."""
        if self.cluster is None:
            return left.T @ right
        one = np.ones(left.shape[0])
        return cluster_scores(left, one, self.cluster).T @ cluster_scores(right, one, self.cluster)

    def cross(self, z: np.ndarray, e: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Estimated covariance of z'e and z'u, factor included."""
        if self.iid:
            return self.factor * float(e @ u) / len(e) * (z.T @ z)
        return self.factor * self.meat(z * e[:, None], z * u[:, None])


def effective_f(
    z: np.ndarray,
    x: np.ndarray,
    moments: Moments,
    biases: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3),
) -> EffectiveF:
    """Effective F of one endogenous variable: pi'Z'Z pi / tr(V_pi Z'Z).

    Montiel Olea and Pflueger (2013), eq. 4; critical values of their simplified (conservative)
    procedure with bound 1/tau, 5% level: with one instrument 37.4, 23.1, 15.1, 12.05.

    Parameters
    ----------
    z : ndarray (n, L)
        Instruments, controls and effects partialled out.
    x : ndarray (n,)
        Endogenous variable, the same.
    """
    zz = z.T @ z
    bread = np.linalg.inv(zz)
    pi = bread @ (z.T @ x)
    u = x - z @ pi
    v = bread @ moments.cross(z, u, u) @ bread
    value = float(pi @ zz @ pi) / float(np.trace(v @ zz))
    root = linalg.sqrtm(zz).real
    w = root @ v @ root
    trace, top = float(np.trace(w)), float(np.linalg.eigvalsh(w).max())
    square = float(np.trace(w @ w))

    def degrees(tau: float) -> float:
        return trace**2 * (1 + 2 / tau) / (square + 2 / tau * trace * top)

    critical = {}
    for tau in biases:
        k = degrees(tau)
        critical[tau] = float(stats.ncx2.ppf(0.95, k, k / tau)) / k
    return EffectiveF(value, degrees(0.1), critical)


def kleibergen_paap(z: np.ndarray, x: np.ndarray, moments: Moments) -> RankTest:
    """Rank test that the first-stage matrix has rank m - 1 (Kleibergen and Paap 2006).

    Parameters
    ----------
    z : ndarray (n, L)
    x : ndarray (n, m)
        Endogenous variables; controls and effects partialled out of both.
    moments : Moments
        Its small-sample factor enters the Wald form only.

    Notes
    -----
    The Wald F is Wald / L: with one endogenous variable the clustered first-stage F. With a
    classical covariance the forms are Cragg and Donald's F and Anderson's canonical correlations.
    """
    n, length = z.shape
    m = x.shape[1]
    pi = np.linalg.solve(z.T @ z, z.T @ x)
    z_root = _root(z.T @ z / n)
    z_inverse = np.linalg.inv(z_root)

    def rank(errors: np.ndarray, factor: float) -> float:
        # Scaled by the errors' covariance, so that a classical covariance gives the identity.
        x_root = np.linalg.inv(_root(errors.T @ errors / n))
        theta = z_root @ pi @ x_root
        if moments.iid:
            meat = np.kron(errors.T @ errors / n, z.T @ z)
        else:
            rows = np.einsum("nm,nl->nml", errors, z).reshape(n, m * length)
            meat = moments.meat(rows, rows)
        transform = np.kron(x_root, z_inverse) / n
        v = factor * transform @ meat @ transform.T
        u, _, wt = np.linalg.svd(theta)
        w, q = wt.T, m - 1
        u22, w22 = u[q:, q:], w[q:, q:]
        a = u[:, q:] @ np.linalg.inv(u22) @ _root(u22 @ u22.T)
        b = _root(w22 @ w22.T) @ np.linalg.inv(w22.T) @ w[:, q:].T
        lam = (a.T @ theta @ b.T).ravel(order="F")
        pair = np.kron(b, a.T)
        return float(lam @ np.linalg.solve(pair @ v @ pair.T, lam))

    wald, lm = rank(x - z @ pi, moments.factor), rank(x, 1.0)
    df = length - m + 1
    return RankTest(lm, float(stats.chi2.sf(lm, df)), df, wald, wald / length)


def _root(matrix: np.ndarray) -> np.ndarray:
    return linalg.sqrtm(np.atleast_2d(matrix)).real


def anderson_rubin(
    z: np.ndarray, x: np.ndarray, y: np.ndarray, moments: Moments, df: float, level: float = 0.95
) -> AndersonRubin:
    """Invert the test that z does not explain y - b x (Anderson and Rubin 1949), any strength.

    F(b) = d(b)'V(b)^-1 d(b) / L with d(b) the coefficients of z in the regression of y - b x, and V
    their clustered covariance; rejected above F(L, df). b = tan(angle) makes the line compact, so
    that half lines and the whole line are found exactly.

    Parameters
    ----------
    z : ndarray (n, L)
    x, y : ndarray (n,)
        One endogenous variable and the outcome; controls and effects partialled out of all.
    """
    length = z.shape[1]
    bread = np.linalg.inv(z.T @ z)
    delta, pi = bread @ (z.T @ y), bread @ (z.T @ x)
    e, u = y - z @ delta, x - z @ pi
    vyy = bread @ moments.cross(z, e, e) @ bread
    vxx = bread @ moments.cross(z, u, u) @ bread
    vxy = bread @ moments.cross(z, u, e) @ bread
    vxy = vxy + vxy.T
    limit = float(stats.f.ppf(level, length, df))

    def many(angles: np.ndarray) -> np.ndarray:
        c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
        d = c * delta - s * pi
        c, s = c[..., None], s[..., None]
        v = c * c * vyy - c * s * vxy + s * s * vxx
        return (d * np.linalg.solve(v, d[..., None])[..., 0]).sum(axis=1) / length - limit

    def excess(angle: float) -> float:
        return float(many(np.array([angle]))[0])

    # The 2SLS estimate is nearly always inside: put it on the grid so that no set is missed.
    xz = z.T @ x
    centre = float(np.arctan(xz @ bread @ (z.T @ y) / (xz @ bread @ xz)))
    half = np.pi / 2
    grid = np.unique(np.concatenate([np.linspace(-half, half, 4001), [centre]]))
    values = many(grid)
    best = int(np.argmin(values))
    around = (grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)])
    low = optimize.minimize_scalar(excess, bounds=around, method="bounded")
    if low.fun < values[best]:
        grid = np.insert(grid, np.searchsorted(grid, low.x), low.x)
        values = many(grid)
    inside = values <= 0
    intervals = []
    start: float | None = -np.inf if inside[0] else None
    for i in range(1, len(grid)):
        if inside[i] == inside[i - 1]:
            continue
        edge = float(np.tan(optimize.brentq(excess, grid[i - 1], grid[i], xtol=1e-14)))
        if inside[i]:
            start = edge
        else:
            intervals.append((float(start if start is not None else -np.inf), edge))
            start = None
    if start is not None:
        intervals.append((float(start), np.inf))
    finite = all(np.isfinite(v) for pair in intervals for v in pair)
    if not intervals:
        kind = "empty"
    elif intervals == [(-np.inf, np.inf)]:
        kind = "everything"
    else:
        kind = "bounded" if finite else "unbounded"
    zero = excess(0.0) + limit
    return AndersonRubin(tuple(intervals), kind, zero, float(stats.f.sf(zero, length, df)), level)
