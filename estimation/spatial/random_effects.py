"""Spatial panels with random individual effects, the efficient side of the Hausman test.

Belongs here: SAR and SDM with random effects (Elhorst 2014, sec. 3.3.2), SEM and SDEM as in
Kapoor, Kelejian and Prucha (effects pass the filter too). Does not belong here: the Hausman test
itself (``tests``). Ours because spreg's random effects know no Durbin terms and no time effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize

from estimation.spatial import covariance
from estimation.spatial.arrays import SpatialArrays, check_rank, demean, lag_panel
from estimation.spatial.likelihood import maximise
from estimation.spatial.logdet import LogDeterminant, log_determinant

_LOG_PHI2 = (-18.0, 3.0)


@dataclass(frozen=True)
class RandomEffectsFit:
    """A spatial panel with random individual effects.

    Attributes
    ----------
    names, beta
        Regressors (intercept first unless time effects are out) and coefficients.
    spatial, sigma2, phi2 : float
        rho or lambda, innovation variance, sigma2 / (T sigma2_mu + sigma2).
    loglik : float
    information : ndarray
        Of (beta, spatial, sigma2, phi2).
    """

    model: str
    effects: str
    names: tuple[str, ...]
    beta: np.ndarray
    spatial: float
    sigma2: float
    phi2: float
    loglik: float
    information: np.ndarray
    n_periods: int

    @property
    def spatial_name(self) -> str:
        """``rho`` or ``lambda``."""
        return "rho" if self.model in ("sar", "sdm") else "lambda"

    @property
    def sigma2_mu(self) -> float:
        """Variance of the individual effects (negative when the data ask for less than none)."""
        return self.sigma2 * (1 / self.phi2 - 1) / self.n_periods

    @property
    def parameters(self) -> pd.Series:
        """All estimates by name."""
        names = [*self.names, self.spatial_name, "sigma2", "phi2"]
        return pd.Series([*self.beta, self.spatial, self.sigma2, self.phi2], index=names)

    def covariance_matrix(self) -> np.ndarray:
        """Inverse expected information, in the order of ``parameters``."""
        return covariance.invert(self.information)

    def covariance(self) -> pd.DataFrame:
        """Inverse expected information."""
        names = list(self.parameters.index)
        return pd.DataFrame(self.covariance_matrix(), index=names, columns=names)

    def tidy(self, level: float = 0.95) -> pd.DataFrame:
        """Coefficients and the spatial parameter."""
        frame = covariance.tidy(self.parameters, np.sqrt(np.diag(self.covariance_matrix())), level)
        return frame[~frame["term"].isin(["sigma2", "phi2"])].reset_index(drop=True)


class _Moments:
    """Within and between cross products of Z and W Z, from which every likelihood value follows."""

    def __init__(self, z: np.ndarray, wz: np.ndarray) -> None:
        t = z.shape[0]
        both = np.concatenate([z, wz], axis=2)
        mean = both.mean(axis=0)
        self.between = t * mean.T @ mean
        centred = (both - mean).reshape(-1, both.shape[2])
        self.within = centred.T @ centred
        self.k = z.shape[2]

    def at(self, phi2: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Z'Z, Z'WZ + its transpose, (WZ)'WZ in the metric Q + phi2 P."""
        return self._blocks(self.within + phi2 * self.between)

    def between_at(self, spatial: float) -> np.ndarray:
        """(Z - rho W Z)'P(Z - rho W Z)."""
        a, b, c = self._blocks(self.between)
        return a - spatial * b + spatial**2 * c

    def _blocks(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        k = self.k
        cross = s[:k, k:]
        return s[:k, :k], cross + cross.T, s[k:, k:]


def random_effects(
    arrays: SpatialArrays,
    *,
    model: str = "sdm",
    effects: str = "individual",
    logdet: str | LogDeterminant = "auto",
    near: float | None = None,
) -> RandomEffectsFit:
    """Maximum likelihood with random individual effects.

    Parameters
    ----------
    arrays : SpatialArrays
        Durbin terms included already (``arrays.spatial_arrays``).
    model : {"sar", "sdm", "sem", "sdem"}
    effects : {"individual", "twoway"}
        Random individual effects; ``twoway`` takes time effects out as fixed.
    near : float, optional
        phi2 of a similar model: the search starts there instead of on a grid.

    Notes
    -----
    ln L = -NT/2 ln(2 pi sigma2) + T ln|I - rho W| + N/2 ln phi2 - e'(Q + phi2 P)e / (2 sigma2):
    Elhorst (2014), eq. 3.39, with phi2 = phi squared; phi2 above one is allowed and means that
    units differ less than their innovations would make them.
    """
    if effects not in ("individual", "twoway"):
        raise ValueError(f"random effects are 'individual' or 'twoway', not {effects!r}")
    if model not in ("sar", "sdm", "sem", "sdem"):
        raise ValueError(f"no random-effects version of {model!r}; use sar, sdm, sem or sdem")
    determinant = log_determinant(arrays.weights, logdet) if isinstance(logdet, str) else logdet
    lag = model in ("sar", "sdm")
    x, names = arrays.x, arrays.names
    outside = "time" if effects == "twoway" else "none"
    if effects == "individual":
        x = np.concatenate([np.ones((*arrays.shape, 1)), x], axis=2)
        names = ("intercept", *names)
    t, n = arrays.shape
    y, x = demean(arrays.y, outside), demean(x, outside)
    check_rank(x.reshape(t * n, -1), names, outside)
    scale = np.sqrt((x**2).mean(axis=(0, 1)))
    z = np.concatenate([y[..., None], x / scale], axis=2)
    wz = demean(lag_panel(arrays.weights, z), outside)
    if lag:
        # Only the outcome is lagged: the columns of W X in the quadratic form stay zero.
        wz[..., 1:] = 0.0
    moments = _Moments(z, wz)

    def profile(spatial: float, pieces: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple:
        a, b, c = pieces
        value, change = a - spatial * b + spatial**2 * c, -b + 2 * spatial * c
        coefficient = np.linalg.solve(value[1:, 1:], value[1:, 0])
        v = np.concatenate([[1.0], -coefficient])
        return float(v @ value @ v), float(v @ change @ v), coefficient

    def best(log_phi2: float) -> tuple[float, float, float]:
        """Log-likelihood at its best rho, that rho, and the slope in ln phi2 (envelope)."""
        phi2 = float(np.exp(log_phi2))
        pieces = moments.at(phi2)
        rss, slope = _lag_profile(*pieces) if lag else _error_profile(profile, pieces)

        def objective(rho: np.ndarray, det: np.ndarray | None = None) -> np.ndarray:
            det = determinant.value(rho) if det is None else det
            return -t * n / 2 * (np.log(2 * np.pi) + 1 + np.log(rss(rho) / (t * n))) + t * det

        def score(rho: float) -> float:
            value, change = slope(rho)
            return -t * n / 2 * change / value + t * float(
                determinant.derivatives(np.array([rho]), 0.02)[0][0]
            )

        spatial = maximise(objective, score, determinant)
        value = float(objective(np.array([spatial]))[0]) + n / 2 * log_phi2
        total, _, coefficient = profile(spatial, pieces)
        v = np.concatenate([[1.0], -coefficient])
        between = float(v @ moments.between_at(spatial) @ v)
        return value, spatial, n / 2 - t * n / 2 * phi2 * between / total

    grid = np.linspace(*_LOG_PHI2, 8)
    if near is not None:
        grid = np.clip(np.log(near) + np.array([-2.5, -0.5, 0.5, 2.5]), *_LOG_PHI2)
    tried = [best(float(g)) for g in grid]
    start = int(np.argmax([found[0] for found in tried]))
    if near is not None and start in (0, 3):
        return random_effects(arrays, model=model, effects=effects, logdet=determinant)
    low, high = max(0, start - 1), min(len(grid) - 1, start + 1)
    log_phi2 = float(grid[start])
    if tried[low][2] > 0 > tried[high][2]:
        log_phi2 = float(
            optimize.brentq(lambda g: best(float(g))[2], grid[low], grid[high], xtol=1e-12)
        )
    loglik, spatial, _ = best(log_phi2)
    phi2 = float(np.exp(log_phi2))
    rss, _, coefficient = profile(spatial, moments.at(phi2))
    sigma2 = rss / (t * n)
    beta = coefficient / scale
    information = _information(
        arrays, lag, demean(x, "none"), beta, spatial, sigma2, phi2, determinant, outside
    )
    return RandomEffectsFit(
        model, effects, names, beta, spatial, sigma2, phi2, loglik, information, t
    )


def _lag_profile(a: np.ndarray, b: np.ndarray, c: np.ndarray):  # type: ignore[no-untyped-def]
    """Residual sum of squares of y - rho W y on X, a parabola in rho."""
    # a - rho b + rho^2 c with only y lagged: partial X out of (y, W y).
    xx = a[1:, 1:]
    yx = np.vstack([a[0, 1:], b[0, 1:]])
    yy = np.array([[a[0, 0], b[0, 0] / 2], [b[0, 0] / 2, c[0, 0]]])
    s = yy - yx @ np.linalg.solve(xx, yx.T)

    def rss(rho: np.ndarray) -> np.ndarray:
        return s[0, 0] - 2 * rho * s[0, 1] + rho**2 * s[1, 1]

    return rss, lambda rho: (float(rss(np.asarray(rho))), -2 * s[0, 1] + 2 * rho * s[1, 1])


def _error_profile(profile, pieces):  # type: ignore[no-untyped-def]
    def rss(values: np.ndarray) -> np.ndarray:
        return np.array([profile(float(v), pieces)[0] for v in np.atleast_1d(values)])

    return rss, lambda value: profile(value, pieces)[:2]


def _information(
    arrays: SpatialArrays,
    lag: bool,
    x: np.ndarray,
    beta: np.ndarray,
    spatial: float,
    sigma2: float,
    phi2: float,
    determinant: LogDeterminant,
    outside: str,
) -> np.ndarray:
    """Expected information of (beta, spatial, sigma2, phi2)."""
    t, n = arrays.shape
    pieces = covariance.Pieces("lag", arrays.weights, determinant, (t, n), t, t * n, False)
    a = covariance.spatial_matrix(pieces, spatial)
    trace, square, norm = covariance.three_traces(pieces, a, spatial)
    k = x.shape[2]

    def metric(values: np.ndarray) -> np.ndarray:
        mean = values.mean(axis=0, keepdims=True)
        return values - (1 - np.sqrt(phi2)) * mean

    if lag:
        mean = demean((x @ beta) @ a.T, outside)
        used = metric(x).reshape(t * n, k)
        shift = metric(mean).ravel()
    else:
        filtered = demean(x - spatial * lag_panel(arrays.weights, x), outside)
        used, shift = metric(filtered).reshape(t * n, k), np.zeros(t * n)
    out = np.zeros((k + 3, k + 3))
    out[:k, :k] = used.T @ used / sigma2
    out[:k, k] = out[k, :k] = used.T @ shift / sigma2
    out[k, k] = t * (square + norm) + float(shift @ shift) / sigma2
    out[k, k + 1] = out[k + 1, k] = t * trace / sigma2
    out[k + 1, k + 1] = t * n / (2 * sigma2**2)
    out[k, k + 2] = out[k + 2, k] = -trace / phi2
    out[k + 1, k + 2] = out[k + 2, k + 1] = -n / (2 * sigma2 * phi2)
    out[k + 2, k + 2] = n / (2 * phi2**2)
    return out


def with_unit_means(arrays: SpatialArrays, names: Sequence[str]) -> SpatialArrays:
    """Arrays with the unit means of the named regressors added (Mundlak terms, ``mean:v``)."""
    index = [arrays.names.index(n) for n in names]
    means = np.repeat(arrays.x[..., index].mean(axis=0, keepdims=True), arrays.shape[0], axis=0)
    return replace(
        arrays,
        x=np.concatenate([arrays.x, means], axis=2),
        names=(*arrays.names, *(f"mean:{n}" for n in names)),
    )
