"""Spatial panels by exact maximum likelihood: SAR, SEM, SDM and SDEM with fixed effects.

Belongs here: the public function, its options and what it refuses. Does not belong here: weights,
likelihoods, impacts, tests. Ours because spreg has neither time effects nor Lee-Yu, leaves W x out
of the trace of a Durbin model's direct impact, and factorises a matrix at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from estimation.spatial.arrays import EFFECTS, SpatialArrays, check_rank, demean, spatial_arrays
from estimation.spatial.likelihood import error_model, finish, lag_model
from estimation.spatial.logdet import LogDeterminant, log_determinant
from estimation.spatial.result import SpatialFit
from estimation.spatial.weights import Weights, WeightsError

MODELS = ("ols", "slx", "sar", "sem", "sdm", "sdem")
LEE_YU = (None, "elhorst", "transformation")


def spatial_panel(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str | Sequence[str] = (),
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    weights: Weights,
    model: str = "sdm",
    effects: str = "twoway",
    durbin: Sequence[str] | None = None,
    lee_yu: str | bool | None = None,
    logdet: str = "auto",
    profile_time_effects: bool = False,
    allow_islands: bool = False,
    allow_disconnected: bool = False,
) -> SpatialFit:
    """Fit y = rho W y + x b + W x theta + effects + e, or with errors u = lambda W u + e.

    Parameters
    ----------
    data : DataFrame
        Balanced panel, one row per entity and time.
    outcome, treatment, controls, entity, time : str or sequence
        Column names; regressors are treatment, then controls.
    weights : Weights
        Normalised; labels are the values of ``entity`` (any order).
    model : {"sar", "sem", "sdm", "sdem", "ols", "slx"}
    effects : {"twoway", "individual", "time", "none"}
    durbin : sequence of str, optional
        Regressors whose spatial lag enters SDM, SDEM and SLX; default all.
    lee_yu : {None, "elhorst", "transformation"} or bool
        True means ``elhorst``: sigma2 T/(T-1) (individual), N/(N-1) (time), and the correction of
        the direct two-way estimates by Lee and Yu (2010) as in Elhorst (2014), eq. 3.29.
        ``transformation`` maximises the likelihood of the orthonormally transformed data.
    logdet : {"auto", "dense", "sparse"}
        Exact log-determinant from eigenvalues, or by sparse LU.
    profile_time_effects : bool
        Error models with time effects only. False: filter the demeaned data, as Elhorst (2014,
        eq. 3.18) and splm do, which fixes the effects at their least-squares values. True:
        maximise over the effects as well; the likelihood is a little higher (always so under
        ``transformation``). The two agree as N grows.
    allow_islands, allow_disconnected : bool
        Accept units without neighbours (their lag is zero), or weights in several parts.

    Returns
    -------
    SpatialFit

    Raises
    ------
    WeightsError
        Weights not normalised, with islands or disconnected parts (unless allowed), or labels that
        are not those of the panel.
    UnbalancedPanel
        Gaps or too few periods.
    ValueError
        Unknown model, effects or correction; collinear regressors; a likelihood that rises to the
        bound of the spatial parameter.

    Notes
    -----
    Elhorst (2014, ch. 3); Anselin, Le Gallo and Jayet (2008). The expected information follows
    Elhorst's and splm's convention: W(I - rho W)^-1 x b is not demeaned a second time.
    """
    listed = [treatment] if isinstance(treatment, str) else list(treatment)
    regressors = [*listed, *controls]
    if model not in MODELS:
        raise ValueError(f"model {model!r} is unknown; use one of {', '.join(MODELS)}")
    if effects not in EFFECTS:
        raise ValueError(f"effects {effects!r} are unknown; use one of {', '.join(EFFECTS)}")
    lags: Sequence[str] = ()
    if model in ("sdm", "sdem", "slx"):
        lags = regressors if durbin is None else list(durbin)
        if not lags:
            raise ValueError(f"{model} without Durbin terms; name them or use sar, sem or ols")
    elif durbin:
        raise ValueError(f"{model} takes no Durbin terms; use sdm, sdem or slx")
    weights.check(allow_islands=allow_islands, allow_disconnected=allow_disconnected)
    arrays = spatial_arrays(
        data,
        outcome=outcome,
        regressors=regressors,
        durbin=lags,
        entity=entity,
        time=time,
        weights=weights,
        purpose=f"{model.upper()} of {outcome}",
        min_periods=2 if effects in ("individual", "twoway") else 1,
    )
    return fit_arrays(
        arrays,
        model=model,
        effects=effects,
        lee_yu=lee_yu,
        logdet=logdet,
        profile_time_effects=profile_time_effects,
    )


def fit_arrays(
    arrays: SpatialArrays,
    *,
    model: str,
    effects: str,
    lee_yu: str | bool | None = None,
    logdet: str | LogDeterminant = "auto",
    profile_time_effects: bool = False,
) -> SpatialFit:
    """``spatial_panel`` on arrays already shaped; ``logdet`` may be shared between models."""
    correction = "elhorst" if lee_yu is True else (lee_yu or None)
    if correction not in LEE_YU:
        raise ValueError(f"lee_yu {correction!r} is unknown; use None, elhorst or transformation")
    if correction and effects == "none":
        raise ValueError("the Lee-Yu correction is for fixed effects; effects are 'none'")
    weights = arrays.weights
    if correction and effects in ("time", "twoway") and not weights.is_row_normalised:
        raise WeightsError(
            "the Lee-Yu correction with time effects needs rows that all sum to one; "
            f"{weights.kind} weights have islands or another normalisation"
        )
    determinant = log_determinant(weights, logdet) if isinstance(logdet, str) else logdet
    if effects == "none":
        x = np.concatenate([np.ones((*arrays.shape, 1)), arrays.x], axis=2)
        arrays = replace(arrays, x=x, names=("intercept", *arrays.names), n_own=arrays.n_own + 1)
    t, n = arrays.shape
    y = demean(arrays.y, effects).ravel()
    x = demean(arrays.x, effects).reshape(t * n, -1)
    check_rank(x, arrays.names, effects)
    if x.shape[1] + 2 >= t * n:
        raise ValueError(f"{t * n} observations cannot support {x.shape[1] + 2} parameters")
    if model in ("sar", "sdm"):
        return lag_model(arrays, y, x, model, effects, correction, determinant)
    if model in ("sem", "sdem"):
        profiled = profile_time_effects or correction == "transformation"
        return error_model(arrays, y, x, model, effects, correction, determinant, profiled)
    return finish(
        arrays, y, x, model, effects, None, determinant, 0.0, np.linalg.lstsq(x, y)[0], x, y
    )
