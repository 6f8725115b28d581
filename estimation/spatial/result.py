"""What a fitted spatial panel holds, and how it is read: parameters, covariances, tidy table.

Belongs here: the result object. Does not belong here: fitting (``ml``, ``likelihood``), second
moments (``covariance``), impacts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from estimation.spatial import covariance
from estimation.spatial.logdet import LogDeterminant
from estimation.spatial.weights import Weights


@dataclass(frozen=True)
class SpatialFit:
    """A fitted spatial panel.

    Attributes
    ----------
    model, effects : str
    lee_yu : str or None
        Bias correction: ``None``, ``"elhorst"`` (direct approach, corrected) or
        ``"transformation"``.
    names : tuple of str
        Regressors, lags as ``W*v``.
    beta : ndarray (k,)
    spatial : float
        rho (lag models) or lambda (error models); 0 without.
    sigma2 : float
    loglik : float
        At the maximum, constants in, before any Lee-Yu ``elhorst`` correction.
    moments : callable
        Gives information and scores; called once, when first asked for (a likelihood ratio needs
        neither).
    residuals : ndarray (T, N)
        Innovations with the effects taken out.
    n_obs, n_entities, n_periods : int
    r2, r2_within : float
        1 - e'e / total sum of squares (effects count as explained); the same within.
    """

    model: str
    effects: str
    lee_yu: str | None
    names: tuple[str, ...]
    n_own: int
    beta: np.ndarray
    spatial: float
    sigma2: float
    loglik: float
    moments: Callable[[], tuple[np.ndarray, covariance.ScoreVariance]] = field(repr=False)
    prediction: Callable[[], float] = field(repr=False)
    residuals: np.ndarray
    n_obs: int
    n_entities: int
    n_periods: int
    n_parameters: int
    r2: float
    r2_within: float
    weights: Weights
    logdet: LogDeterminant = field(repr=False)

    @cached_property
    def _second(self) -> tuple[np.ndarray, covariance.ScoreVariance]:
        return self.moments()

    @property
    def information(self) -> np.ndarray:
        """Expected information (p, p) of (beta, spatial, sigma2) at the reported values."""
        return self._second[0]

    @property
    def scores(self) -> covariance.ScoreVariance:
        """What the city-clustered sandwich needs."""
        return self._second[1]

    @cached_property
    def corr2(self) -> float:
        """Squared correlation of demeaned outcome and reduced-form prediction (Elhorst 2014)."""
        return self.prediction()

    @property
    def has_lag(self) -> bool:
        """Whether the outcome is spatially lagged."""
        return self.model in ("sar", "sdm")

    @property
    def spatial_name(self) -> str | None:
        """``rho``, ``lambda`` or None."""
        if self.has_lag:
            return "rho"
        return "lambda" if self.model in ("sem", "sdem") else None

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of beta, the spatial parameter (if any) and sigma2."""
        middle = (self.spatial_name,) if self.spatial_name else ()
        return (*self.names, *middle, "sigma2")

    @property
    def parameters(self) -> pd.Series:
        """All estimates by name."""
        middle = [self.spatial] if self.spatial_name else []
        return pd.Series([*self.beta, *middle, self.sigma2], index=list(self.parameter_names))

    def covariance_matrix(self, kind: str = "analytic") -> np.ndarray:
        """``covariance`` as an array in the order of ``parameter_names``."""
        if kind == "analytic":
            return self._analytic
        if kind == "cluster":
            return covariance.sandwich(
                self._analytic, self.scores, self.n_obs, self.n_entities, self.n_parameters
            )
        raise ValueError(f"covariance {kind!r} is unknown; use 'analytic' or 'cluster'")

    @cached_property
    def _analytic(self) -> np.ndarray:
        return covariance.invert(self.information)

    def covariance(self, kind: str = "analytic") -> pd.DataFrame:
        """Covariance of all parameters.

        Parameters
        ----------
        kind : {"analytic", "cluster"}
            Inverse expected information; or the sandwich robust to any dependence within a unit,
            CR1 factor G/(G-1) (n-1)/(n-K), individual effects not counted.

        Raises
        ------
        ValueError
            Unknown kind.
        """
        names = list(self.parameter_names)
        return pd.DataFrame(self.covariance_matrix(kind), index=names, columns=names)

    def se_rule(self, kind: str = "analytic") -> str:
        """The standard-error convention in words."""
        if kind == "analytic":
            return "inverse expected information (ML), normal"
        return "sandwich clustered by unit, CR1, individual effects not counted, normal"

    def tidy(self, kind: str = "analytic", level: float = 0.95) -> pd.DataFrame:
        """Coefficients and spatial parameter: term, estimate, std_error, statistic, p, interval."""
        errors = np.sqrt(np.diag(self.covariance_matrix(kind)))
        frame = covariance.tidy(self.parameters, errors, level)
        return frame[frame["term"] != "sigma2"].reset_index(drop=True)
