"""Adapters of what a referee asks next to a staggered two-way fixed-effects estimate.

Does not belong here: anything that computes (``estimation.did``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from estimation.did import (
    bacon,
    comparison,
    event_study,
    honest,
    specification_curve,
    staggered,
    synthetic,
    twfe,
    wild,
)
from estimation.did.callaway import callaway_santanna
from estimation.did.cohorts import StaggeredResult
from estimation.studies import transforms
from estimation.studies.adapters.did import (
    check_options,
    common,
    draws_of,
    effects_of,
    from_twfe,
    one_treatment,
)
from estimation.studies.registry import Estimation, RunContext, estimator
from estimation.studies.spec import ModelSpec
from estimation.tidy import tidy_frame


def _keys(model: ModelSpec) -> dict[str, Any]:
    return {
        "outcome": model.outcome,
        "treatment": one_treatment(model),
        "entity": model.entity,
        "time": model.time,
    }


def _covariates(model: ModelSpec, options: dict[str, Any]) -> tuple[str, ...]:
    """Option ``with_controls: true`` for the model's controls, or a list ``covariates``."""
    if options.get("with_controls"):
        return model.controls
    return tuple(options.get("covariates") or ())


def _estimation(result: StaggeredResult, model: ModelSpec) -> Estimation:
    tables = {"path": result.path}
    if len(result.cohorts):
        tables["cohorts"] = result.cohorts
    if len(result.cells):
        tables["cells"] = result.cells
    return Estimation(
        tidy=result.tidy(),
        n_obs=result.n_obs,
        n_entities=result.n_entities,
        se_rule=result.se_rule,
        diagnostics=result.diagnostics,
        tables={k: v for k, v in tables.items() if len(v)},
        figures={"path": result.figure(f"Effect on {model.outcome}")} if len(result.path) else {},
    )


@estimator("callaway_santanna")
def callaway(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Options: ``with_controls`` (bool) or ``covariates`` (list), ``control_group``, ``method``,
    ``base_period`` (varying | universal), ``unbalanced`` (bool)."""
    known = ("control_group", "method", "base_period", "unbalanced")
    options = check_options(model, "covariates", "with_controls", *known)
    chosen = {k: options[k] for k in known if k in options}
    result = callaway_santanna(
        data, covariates=_covariates(model, options), cluster=model.cluster, **_keys(model),
        **chosen,
    )  # fmt: skip
    return _estimation(result, model)


def _simple(
    function: Callable[..., StaggeredResult], data: pd.DataFrame, model: ModelSpec
) -> Estimation:
    options = check_options(model, "covariates", "with_controls")
    result = function(
        data, covariates=_covariates(model, options), cluster=model.cluster, **_keys(model)
    )
    return _estimation(result, model)


@estimator("sun_abraham")
def sun_abraham(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Options: ``with_controls`` (bool) or ``covariates`` (list)."""
    return _simple(staggered.sun_abraham, data, model)


@estimator("imputation")
def imputation(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Options: ``with_controls`` (bool) or ``covariates`` (list)."""
    return _simple(staggered.imputation, data, model)


@estimator("two_stage")
def two_stage(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Options: ``with_controls`` (bool) or ``covariates`` (list)."""
    return _simple(staggered.two_stage, data, model)


@estimator("stacked")
def stacked(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Options: ``before``, ``after`` (window), ``controls`` (not_yet_treated | never_treated)."""
    options = check_options(model, "before", "after", "controls")
    chosen = {k: options[k] for k in ("before", "after", "controls") if k in options}
    return _estimation(staggered.stacked(data, **_keys(model), **chosen), model)


@estimator("dcdh")
def dcdh(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Options: ``horizons``."""
    options = check_options(model, "horizons")
    result = staggered.dcdh(data, horizons=int(options.get("horizons", 4)), **_keys(model))
    return _estimation(result, model)


@estimator("sdid")
def sdid(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Staggered synthetic DiD. Options: ``min_pre`` (years before adoption a cohort needs)."""
    options = check_options(model, "min_pre")
    result = synthetic.fit(
        data, min_pre=int(options.get("min_pre", 2)), seed=context.seed, **_keys(model)
    )
    return Estimation(
        tidy=result.tidy(),
        n_obs=result.n_obs,
        n_entities=result.n_entities,
        se_rule="fixed-weights jackknife over all entities, normal",
        diagnostics={
            "n_controls": result.n_controls,
            "n_entities_left_out": result.n_dropped,
            "cohorts_left_out": "; ".join(result.skipped) or None,
        },
        tables={"cohorts": result.cohorts, "unit_weights": result.unit_weights},
    )


@estimator("bacon")
def bacon_adapter(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Goodman-Bacon decomposition, without controls. No options."""
    check_options(model)
    result = bacon.decompose(data, **_keys(model))
    summary = result.summary
    terms = ["TWFE without controls", *summary["kind"]]
    values = pd.Series([result.twfe, *summary["estimate"]]).to_numpy(dtype=float)
    weights = {
        f"weight: {kind}": float(weight)
        for kind, weight in zip(summary["kind"], summary["weight"].to_numpy())
    }
    return Estimation(
        tidy=tidy_frame(terms, values, values * float("nan")),
        n_obs=result.n_obs,
        n_entities=result.n_entities,
        se_rule="a decomposition has no standard error",
        diagnostics={
            **weights,
            "forbidden_weight": result.forbidden_weight,
            "n_entities_left_out": result.n_dropped,
        },
        tables={"comparisons": result.comparisons, "summary": summary},
        figures={"bacon": result.figure()},
    )


@estimator("honest_did")
def honest_did(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Bounds of an event study. Options: ``first``, ``last`` (window), ``adoption``,
    ``restriction`` (relative_magnitude | smoothness), ``grid``, ``target_last``."""
    known = ("first", "last", "adoption", "restriction", "grid", "target_last")
    options = check_options(model, *known)
    window = {k: options[k] for k in ("first", "last", "adoption") if k in options}
    study = event_study.fit(data, treatment=one_treatment(model), **common(model), **window)
    kind = options.get("restriction", "relative_magnitude")
    default: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0)
    if kind == "smoothness":  # M is in units of the outcome: scale the grid by the coefficients
        spread = float(study.path()["estimate"].abs().max())
        default = tuple(round(spread * s, 6) for s in (0.0, 0.02, 0.05, 0.1))
    result = honest.bounds(
        study, restriction=kind, grid=options.get("grid", default), last=options.get("target_last")
    )
    tidy = tidy_frame(
        ["mean post effect"], pd.array([result.estimate]).to_numpy(),
        pd.array([result.std_error]).to_numpy(), df=study.regression.df,
    )  # fmt: skip
    rows = [
        {"term": f"robust interval, M = {m:g}", "ci_low": low, "ci_high": high}
        for m, low, high in result.table[["m", "ci_low", "ci_high"]].to_numpy()
    ]
    return from_twfe(
        study.regression,
        options,
        tidy=pd.concat([tidy, pd.DataFrame(rows)], ignore_index=True),
        diagnostics={
            "restriction": kind,
            "breakdown_m": result.breakdown,
            "pretrend_p": study.pretrend.get("p_value"),
        },
        tables={"bounds": result.table},
        figures={"honest_did": result.figure()},
    )


@estimator("wild_bootstrap")
def wild_bootstrap(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Wild cluster bootstrap of the first treatment. Options: ``draws``, ``weight_type``
    (rademacher | webb)."""
    options = check_options(model, "draws", "weight_type")
    result = wild.fit(
        data, treatment=model.treatment, draws=draws_of(options, context, 9999),
        seed=context.seed, weights=options.get("weight_type", "rademacher"), **common(model),
    )  # fmt: skip
    return from_twfe(
        result.regression,
        options,
        tidy=result.tidy(),
        diagnostics={
            "bootstrap": result.kind,
            "bootstrap_t": result.statistic,
            "p_value_kind": "restricted wild cluster bootstrap-t, symmetric",
        },
        tables={"draws": pd.DataFrame({"t": result.draws})},
    )


@estimator("comparison")
def comparison_adapter(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Every staggered estimator side by side. Options: ``with_controls`` (bool) or ``covariates``
    (list), ``methods``, ``before``, ``after`` (stacked window), ``horizons``."""
    known = ("covariates", "with_controls", "methods", "before", "after", "horizons")
    options = check_options(model, *known)
    result = comparison.fit(
        data, covariates=_covariates(model, options),
        methods=tuple(options.get("methods", comparison.METHODS)),
        stacked_window=(int(options.get("before", 3)), int(options.get("after", 3))),
        horizons=int(options.get("horizons", 4)), seed=context.seed, **_keys(model),
    )  # fmt: skip
    return Estimation(
        tidy=result.tidy(),
        n_obs=int(result.table["n_obs"].max()),
        n_entities=int(result.table["n_entities"].max()),
        se_rule="as each method states",
        diagnostics={
            **{f"n_obs: {m}": int(n) for m, n in zip(result.table["term"], result.table["n_obs"])},
            "without_estimate": "; ".join(f"{k}: {v}" for k, v in result.failed.items()) or None,
        },
        tables={"methods": result.table, "paths": result.paths},
        figures={"comparison": result.figure(model.outcome)},
    )


@estimator("specification_curve")
def curve(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Specification curve. Options: ``control_sets`` (all | stepwise | drop_one), ``samples``
    (label: list of transforms), ``effects`` (label: list of fixed effects)."""
    options = check_options(model, "control_sets", "samples", "effects")
    samples = {"all cities": data}
    for name, steps in (options.get("samples") or {}).items():
        if not isinstance(steps, list):
            raise ValueError(f"samples: {name!r} needs a list of transforms, got {steps!r}")
        samples[name] = transforms.apply(data, steps, model)
    effects = {"two-way": effects_of(model), **(options.get("effects") or {})}
    kind = options.get("control_sets", "all")
    if kind == "all" and not context.full and len(model.controls) > 4:
        kind = "drop_one"
    result = specification_curve.fit(
        samples, outcome=model.outcome, treatment=one_treatment(model),
        control_sets=specification_curve.control_subsets(model.controls, kind),
        fixed_effects=effects, entity=model.entity, time=model.time, cluster=model.cluster,
    )  # fmt: skip
    base = twfe.fit(data, treatment=model.treatment, **common(model))
    summary = result.summary()
    rows = tidy_frame(
        ["median specification", "lowest", "highest"],
        pd.Series(
            [summary["median_estimate"], summary["min_estimate"], summary["max_estimate"]]
        ).to_numpy(),
        pd.Series([float("nan")] * 3).to_numpy(),
    )
    return from_twfe(
        base,
        options,
        tidy=pd.concat([base.tidy().iloc[[0]], rows], ignore_index=True),
        diagnostics={
            **summary,
            "control_sets": kind,
            "without_estimate": "; ".join(f"{k}: {v}" for k, v in result.failed.items()) or None,
        },
        tables={"specifications": result.table},
        figures={"specification_curve": result.figure(model.outcome)},
    )
