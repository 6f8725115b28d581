"""Instrumental variables on panels: two-stage least squares, LIML and GMM after demeaning.

Belongs here: the regression, its first stages and overidentification. Does not belong here:
weak-instrument statistics (``iv_diagnostics``), plausibility checks (``iv_plausibility``).
Coefficients and plain sandwiches come from linearmodels; the small-sample factor is the project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from estimation.did import covariance as cov
from estimation.did import fit_statistics, twfe
from estimation.iv_diagnostics import Moments, anderson_rubin, effective_f, kleibergen_paap
from estimation.iv_result import FirstStage, IvResult, Overidentification
from estimation.panel import NoVariation

METHODS = ("2sls", "liml", "gmm")
COVARIANCES = ("cluster", "robust", "unadjusted")
INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class _Data:
    """Columns with effects taken out, and how to weigh sums of them."""

    y: np.ndarray
    x: np.ndarray  # endogenous (n, m)
    z: np.ndarray  # instruments (n, L)
    w: np.ndarray  # controls (n, k), intercept last where there are no effects
    controls: tuple[str, ...]
    design: twfe.Design
    absorbed: int  # parameters that the effects count for
    cluster: np.ndarray | None
    covariance: str


def iv_regression(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str | Sequence[str],
    instruments: Sequence[str],
    controls: Sequence[str] = (),
    entity: str | None = None,
    time: str | None = None,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | None = None,
    method: str = "2sls",
    covariance: str | None = None,
    small_sample: bool | None = None,
    level: float = 0.95,
) -> IvResult:
    """Instrument ``treatment`` by ``instruments``, fixed effects taken out exactly first.

    Parameters
    ----------
    data : DataFrame
        Rows with a missing cell in a used column are left out and counted.
    treatment, instruments, controls : str or sequence
        Endogenous variables, excluded instruments, exogenous controls.
    entity, time : str, optional
        Default effects are both; without ``entity`` rows are a cross-section with an intercept.
    fixed_effects : sequence of str, optional
        ``()`` for none.
    cluster : str, optional
        Default ``entity``.
    method : {"2sls", "liml", "gmm"}
        GMM is two-step with the weights of ``covariance``.
    covariance : {"cluster", "robust", "unadjusted"}, optional
        Default ``cluster`` where there is a cluster variable, else ``robust``.
    small_sample : bool, optional
        Small-sample factor on the second stage; default yes, but not for GMM (whose theory is of
        large samples; ivregress and linearmodels leave it out as well). First stages always have
        it.

    Returns
    -------
    IvResult

    Raises
    ------
    MissingData, NoVariation, ValueError
        Absent columns; an endogenous variable or instrument that the effects absorb, or collinear
        instruments; fewer instruments than endogenous variables.
    """
    endogenous = (treatment,) if isinstance(treatment, str) else tuple(treatment)
    excluded = tuple(instruments)
    _check(endogenous, excluded, tuple(controls), method)
    if entity is None:
        data = data.assign(_row=np.arange(len(data)), _time=0)
        entity, time = "_row", "_time"
        fixed_effects = () if fixed_effects is None else fixed_effects
    elif time is None:
        raise ValueError("entity is given without time")
    elif cluster is None and covariance in (None, "cluster"):
        cluster = entity
    kind = covariance or ("cluster" if cluster else "robust")
    if kind not in COVARIANCES:
        raise ValueError(f"covariance {kind!r} is unknown; use one of {', '.join(COVARIANCES)}")
    if kind == "cluster" and cluster is None:
        raise ValueError("covariance 'cluster' needs a cluster variable")
    design = twfe.design(
        data,
        outcome=outcome,
        regressors=[*endogenous, *excluded, *controls],
        entity=entity,
        time=str(time),
        fixed_effects=fixed_effects,
        cluster=cluster if kind == "cluster" else None,
        purpose=f"the instrumental-variable regression of {outcome}",
    )
    d = _prepare(design, endogenous, excluded, tuple(controls), kind)
    corrected = method != "gmm" if small_sample is None else small_sample
    return _estimate(d, endogenous, excluded, method, entity, level, corrected)


def _check(
    endogenous: tuple[str, ...], excluded: tuple[str, ...], controls: tuple[str, ...], method: str
) -> None:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is unknown; use one of {', '.join(METHODS)}")
    if not endogenous:
        raise ValueError("no endogenous variable: name the treatment")
    if len(excluded) < len(endogenous):
        raise ValueError(
            f"{len(excluded)} instrument(s) for {len(endogenous)} endogenous variable(s); "
            "at least as many instruments are needed"
        )
    groups = [*endogenous, *excluded, *controls]
    twice = sorted({g for g in groups if groups.count(g) > 1})
    if twice:
        raise ValueError(f"{twice} stand in two of treatment, instruments and controls")


def _prepare(
    design: twfe.Design,
    endogenous: tuple[str, ...],
    excluded: tuple[str, ...],
    controls: tuple[str, ...],
    kind: str,
) -> _Data:
    columns = np.column_stack([design.y, design.x])
    within = design.absorber.demean(columns) if design.effect_names else columns
    names = list(design.names)
    at = {n: i + 1 for i, n in enumerate(names)}
    w = within[:, [at[c] for c in controls]]
    raw = columns[:, [at[c] for c in controls]]
    if not design.effect_names:
        w = np.column_stack([w, np.ones(len(w))])
        raw = np.column_stack([raw, np.linspace(-1, 1, len(w))])
        controls = (*controls, INTERCEPT)
    kept = twfe.independent_columns(raw, w) if len(controls) else []
    w, controls = w[:, kept], tuple(controls[i] for i in kept)
    x = within[:, [at[n] for n in endogenous]]
    z = within[:, [at[n] for n in excluded]]
    order = [at[n] for n in (*endogenous, *excluded)]
    for label, block, position in (
        ("instrument", [*excluded], order[len(endogenous) :]),
        ("endogenous variable", [*endogenous], order[: len(endogenous)]),
    ):
        values = np.column_stack([w, within[:, position]])
        raw_values = np.column_stack([raw[:, kept], columns[:, position]])
        found = twfe.independent_columns(raw_values, values)
        gone = [n for i, n in enumerate(block) if i + w.shape[1] not in found]
        if gone:
            raise NoVariation(
                f"{label} {', '.join(gone)}: no variation is left beside the effects "
                f"{list(design.effect_names)}, the controls and the other {label}s"
            )
    absorbed = cov.counted_parameters(0, design.absorber.effects, design.clusters)
    cluster = design.clusters[0] if kind == "cluster" else None
    return _Data(within[:, 0], x, z, w, controls, design, absorbed, cluster, kind)


def _fit_linearmodels(
    d: _Data, endogenous: tuple[str, ...], excluded: tuple[str, ...], method: str
) -> Any:
    from linearmodels.iv import IV2SLS, IVGMM, IVLIML

    exogenous = pd.DataFrame(d.w, columns=list(d.controls)) if d.w.shape[1] else None
    parts = (
        pd.Series(d.y, name="outcome"),
        exogenous,
        pd.DataFrame(d.x, columns=list(endogenous)),
        pd.DataFrame(d.z, columns=list(excluded)),
    )
    config: dict[str, Any] = {}
    name = {"cluster": "clustered", "robust": "robust", "unadjusted": "unadjusted"}[d.covariance]
    if d.cluster is not None:
        config["clusters"] = d.cluster
    if method == "gmm":
        weight = {} if d.cluster is None else {"clusters": d.cluster}
        fitted = IVGMM(*parts, weight_type=name, **weight)
        return fitted.fit(cov_type=name, debiased=False, iter_limit=2, **config)
    model = IV2SLS if method == "2sls" else IVLIML
    return model(*parts).fit(cov_type=name, debiased=False, **config)


def _factor(d: _Data, k: int) -> tuple[float, float, str]:
    """Small-sample factor on a plain sandwich, degrees of freedom, and the rule in words."""
    n = len(d.y)
    total = k + d.absorbed
    if n <= total:
        raise ValueError(f"{n} observations cannot support {total} parameters")
    if d.cluster is None:
        words = "iid, e'e/(n-K)" if d.covariance == "unadjusted" else "HC1, n/(n-K)"
        return n / (n - total), float(n - total), f"{words}, t(n-K)"
    groups = int(d.cluster.max()) + 1
    if groups < 2:
        raise ValueError(f"cluster variable {d.design.cluster_names[0]} has one cluster")
    rule = (
        f"CR1 by {d.design.cluster_names[0]}, G/(G-1)*(n-1)/(n-K), nested effects not counted, "
        "t(G-1)"
    )
    return groups / (groups - 1) * (n - 1) / (n - total), groups - 1.0, rule


def _partial(d: _Data, values: np.ndarray) -> np.ndarray:
    if d.w.shape[1] == 0:
        return values
    q, _ = np.linalg.qr(d.w / np.sqrt((d.w**2).sum(axis=0)))
    return values - q @ (q.T @ values)


def _estimate(
    d: _Data,
    endogenous: tuple[str, ...],
    excluded: tuple[str, ...],
    method: str,
    entity: str,
    level: float,
    corrected: bool,
) -> IvResult:
    fitted = _fit_linearmodels(d, endogenous, excluded, method)
    terms = [*endogenous, *d.controls]
    k = len(terms)
    factor, df, rule = _factor(d, k)
    if not corrected:
        factor, rule = 1.0, f"{d.covariance}, no small-sample factor, t with {df:.0f} df"
    groups = 0 if d.cluster is None else int(d.cluster.max()) + 1
    # Without ``debiased`` linearmodels gives the plain sandwich, so the whole factor is ours.
    vcov = fitted.cov.loc[terms, terms] * factor
    params = fitted.params.loc[terms]
    x, y, z = _partial(d, d.x), _partial(d, d.y), _partial(d, d.z)
    stage_factor, stage_df, _ = _factor(d, len(excluded) + d.w.shape[1])
    moments = Moments(d.cluster, stage_factor, d.covariance == "unadjusted")
    stages = {
        name: _first_stage(d, name, d.x[:, j], excluded, moments, stage_df, entity)
        for j, name in enumerate(endogenous)
    }
    single = len(endogenous) == 1
    residual = d.y - np.column_stack([d.x, d.w]) @ params.to_numpy()
    return IvResult(
        method=method,
        covariance=d.covariance,
        endogenous=endogenous,
        instruments=excluded,
        params=params,
        vcov=vcov,
        df=df,
        se_rule=rule,
        n_obs=len(d.y),
        n_entities=int(d.design.frame[entity].nunique()),
        n_clusters=groups,
        n_missing=d.design.n_missing,
        n_singletons=d.design.n_singletons,
        first_stages=stages,
        overidentification=_overidentification(d, endogenous, excluded, fitted, method),
        effective_f=effective_f(z, x[:, 0], moments) if single else None,
        rank=kleibergen_paap(z, x, moments),
        anderson_rubin=(
            anderson_rubin(z, x[:, 0], y, moments, stage_df, level) if single else None
        ),
        r2=fit_statistics.r_squared(d.design, residual, d.y, k, entity),
    )


def _first_stage(
    d: _Data,
    name: str,
    x: np.ndarray,
    excluded: tuple[str, ...],
    moments: Moments,
    df: float,
    entity: str,
) -> FirstStage:
    terms = [*excluded, *d.controls]
    regressors = np.column_stack([d.z, d.w])
    scale = np.sqrt((regressors**2).sum(axis=0))
    q, r = np.linalg.qr(regressors / scale)
    beta = np.linalg.solve(r, q.T @ x) / scale
    inverse = np.linalg.inv(r)
    bread = inverse @ inverse.T / np.outer(scale, scale)
    residual = x - regressors @ beta
    v = bread @ moments.cross(regressors, residual, residual) @ bread
    length = len(excluded)
    f = float(beta[:length] @ np.linalg.solve(v[:length, :length], beta[:length])) / length
    inner, outer = float(residual @ residual), _partial(d, x)
    tss = float(outer @ outer)
    left = len(x) - len(terms) - cov.counted_parameters(0, d.design.absorber.effects)
    return FirstStage(
        endogenous=name,
        params=pd.Series(beta, index=terms),
        std_errors=pd.Series(np.sqrt(np.diag(v)), index=terms),
        df=df,
        f=f,
        f_p_value=float(stats.f.sf(f, length, df)),
        f_unadjusted=((tss - inner) / length) / (inner / left),
        partial_r2=1 - inner / tss,
        r2=fit_statistics.r_squared(_with_outcome(d, name), residual, x, len(terms), entity),
    )


def _with_outcome(d: _Data, name: str) -> twfe.Design:
    return replace(d.design, y=d.design.x[:, d.design.names.index(name)])


def _overidentification(
    d: _Data, endogenous: tuple[str, ...], excluded: tuple[str, ...], fitted: Any, method: str
) -> Overidentification | None:
    surplus = len(excluded) - len(endogenous)
    if surplus == 0:
        return None
    if d.covariance == "unadjusted" and method != "gmm":
        test, name = fitted.sargan, "Sargan"
    else:
        # Hansen's J is the objective of efficient GMM, whatever the estimator beside it.
        gmm = fitted if method == "gmm" else _fit_linearmodels(d, endogenous, excluded, "gmm")
        test, name = gmm.j_stat, "Hansen J"
    return Overidentification(name, float(test.stat), surplus, float(test.pval))
