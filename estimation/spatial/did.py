"""Spatial difference-in-differences: what a pilot does at home and to its neighbours.

Belongs here: the Durbin model read as a policy evaluation, and its plain counterpart, exposures.
Does not belong here: fitting, weights. The plain counterpart is what referees ask for: it needs no
multiplier (I - rho W)^-1 to be right, and its clustered errors need no likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from estimation.did.covariance import Covariance, clustered, codes, counted_parameters
from estimation.spatial.arrays import check_rank, demean, spatial_arrays
from estimation.spatial.impacts import Impacts, impacts
from estimation.spatial.ml import spatial_panel
from estimation.spatial.result import SpatialFit
from estimation.spatial.weights import Weights
from estimation.tidy import tidy_frame


@dataclass(frozen=True)
class SpatialDid:
    """Own and neighbour effects of a treatment.

    Attributes
    ----------
    fit : SpatialFit
        Durbin model; its coefficients are not effects.
    effects : Impacts
        Direct, indirect and total effects of every regressor.
    exposure : DataFrame
        Tidy table of the same regression without W y: own treatment and the neighbours' treatment
        W*treatment, two-way effects, CR1 by unit.
    treatment : str
    covariance : str
        Kind of standard errors in ``tidy``.
    """

    fit: SpatialFit
    effects: Impacts
    exposure: pd.DataFrame
    exposure_rule: str
    treatment: str
    covariance: str
    errors: str

    def tidy(self, level: float = 0.95) -> pd.DataFrame:
        """Treatment, W*treatment and rho first, then its effects, then the controls."""
        table = self.fit.tidy(self.covariance, level)
        first = [self.treatment, f"W*{self.treatment}", "rho"]
        head = table.set_index("term").reindex([t for t in first if t in set(table["term"])])
        effects = self.effects.tidy(self.errors, level)
        own = effects["term"].str.split(":", n=1).str[1] == self.treatment
        rest = table[~table["term"].isin(first)]
        return pd.concat([head.reset_index(), effects[own], rest, effects[~own]], ignore_index=True)


def spatial_did(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    weights: Weights,
    effects: str = "twoway",
    lee_yu: str | bool | None = None,
    durbin: Sequence[str] | None = None,
    covariance: str = "analytic",
    errors: str = "delta",
    draws: int = 1000,
    seed: int = 20240101,
    allow_islands: bool = False,
    allow_disconnected: bool = False,
) -> SpatialDid:
    """y = rho W y + b d + theta W d + x g + W x h + effects + e, with the effects of d.

    The sign of theta is not the sign of the spillover: with rho > 0 the feedback adds
    rho b / (1 - rho) or so to it. ``tidy`` therefore reports direct, indirect and total effects.

    Parameters
    ----------
    treatment : str
        0/1 policy variable (or an intensity).
    covariance : {"analytic", "cluster"}
    errors : {"delta", "simulated"}
        Standard errors of the effects.

    Raises
    ------
    WeightsError, UnbalancedPanel, ValueError
        As ``spatial_panel``.
    """
    fit = spatial_panel(
        data,
        outcome=outcome,
        treatment=treatment,
        controls=controls,
        entity=entity,
        time=time,
        weights=weights,
        model="sdm",
        effects=effects,
        durbin=durbin,
        lee_yu=lee_yu,
        allow_islands=allow_islands,
        allow_disconnected=allow_disconnected,
    )
    found = impacts(fit, draws=draws, seed=seed, covariance=covariance)
    exposure, rule = exposure_regression(
        data,
        outcome=outcome,
        regressors=[treatment, *controls],
        durbin=[treatment],
        entity=entity,
        time=time,
        weights=weights,
        effects=effects,
    )
    return SpatialDid(fit, found, exposure, rule, treatment, covariance, errors)


def exposure_regression(
    data: pd.DataFrame,
    *,
    outcome: str,
    regressors: Sequence[str],
    durbin: Sequence[str],
    entity: str,
    time: str,
    weights: Weights,
    effects: str = "twoway",
    level: float = 0.95,
) -> tuple[pd.DataFrame, str]:
    """Least squares on own values and the neighbours' average, CR1 by unit, t(G-1).

    Returns
    -------
    tuple of DataFrame and str
        Tidy table and the standard-error rule.
    """
    arrays = spatial_arrays(
        data,
        outcome=outcome,
        regressors=regressors,
        durbin=durbin,
        entity=entity,
        time=time,
        weights=weights,
        purpose=f"exposure regression of {outcome}",
    )
    t, n = arrays.shape
    y = demean(arrays.y, effects).ravel()
    x = arrays.x
    names = arrays.names
    if effects == "none":
        x = np.concatenate([np.ones((t, n, 1)), x], axis=2)
        names = ("intercept", *names)
    x = demean(x, effects).reshape(t * n, -1)
    check_rank(x, names, effects)
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ (x.T @ y)
    unit, _ = codes(np.tile(np.arange(n), t))
    period, _ = codes(np.repeat(np.arange(t), n))
    absorbed = {"none": [], "individual": [unit], "time": [period], "twoway": [unit, period]}
    matrix: Covariance = clustered(
        x,
        y - x @ beta,
        bread,
        [unit],
        n_parameters=counted_parameters(x.shape[1], absorbed[effects], [unit]),
        names=[entity],
    )
    error = np.sqrt(np.diag(matrix.matrix))
    table = tidy_frame(names, beta, error, df=matrix.df, alpha=1 - level)
    first = [v for d in durbin for v in (d, f"W*{d}")]
    order = [*first, *[v for v in names if v not in first]]
    return table.set_index("term").loc[order].reset_index(), matrix.rule
