"""Adapters of double machine learning: options translated, two configurations side by side.

Belongs here: option names, the number of trees of a quick run, and the rows of the published and
the recommended configuration. Does not belong here: anything that computes (``estimation.dml``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from estimation.dml import (
    RECOMMENDED,
    Configuration,
    DMLResult,
    MemoryStore,
    Runtime,
    folds_from_ratio,
    irm,
    learner,
    pliv,
    plr,
)
from estimation.dml.difference import difference, median_groups
from estimation.dml.learners import Learner
from estimation.panel import NoVariation
from estimation.studies.registry import Estimation, RunContext, estimator
from estimation.studies.spec import ModelSpec
from estimation.tidy import COLUMNS

#: Trees of a run that is not full; the published size is ``HYPERPARAMETERS['forest']['trees']``.
QUICK_TREES = 50
# Shared by the columns of a process when the run brings no store of its own.
_STORE = MemoryStore()

_CONFIGURATION = {
    "learner",
    "learner_params",
    "folds",
    "split_ratio",
    "effects",
    "fold_unit",
    "squares",
    "n_rep",
    "trees",
    "se",
    "winsor",
    "min_treated",
    "allow_unidentified",
    "linear_beside",
    "sensitivity",
    "also_defensible",
}
_GROUP = {"split_by", "by_time", "keep"}

Fit = Callable[[pd.DataFrame, Configuration], DMLResult]


@estimator("dml_plr")
def dml_plr(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Partially linear regression (``estimation.dml.plr``).

    Options: ``learner`` (forest, lasso, neural_net, boosting, stacking, linear),
    ``learner_params``, ``trees``, ``folds`` or ``split_ratio`` ("1:4"), ``effects`` (dummies,
    within, cre, none), ``fold_unit`` (row, entity), ``squares``, ``winsor``, ``n_rep``, ``se``
    (plain, cluster), ``min_treated``, ``allow_unidentified``, ``linear_beside``, ``sensitivity``,
    ``also_defensible`` (a further row ``<treatment> [recommended]``); and, to keep one group only,
    ``split_by`` (a 0/1 column, or one cut at its median), ``by_time`` (the median of each year) and
    ``keep`` (high, low).
    """
    options = _options(model, _CONFIGURATION | _GROUP)

    def fit(frame: pd.DataFrame, config: Configuration) -> DMLResult:
        return plr(frame, **_roles(model), config=config, **_running(context))

    return _side_by_side(_group(data, model, options), context, options, fit)


@estimator("dml_pliv")
def dml_pliv(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Partially linear IV (``estimation.dml.pliv``): options of ``dml_plr``, and ``instrument``."""
    options = _options(model, _CONFIGURATION | _GROUP | {"instrument"})
    instrument = options.pop("instrument", None)
    if not isinstance(instrument, str):
        raise ValueError("dml_pliv needs the option instrument, the name of one column")

    def fit(frame: pd.DataFrame, config: Configuration) -> DMLResult:
        return pliv(
            frame, instrument=instrument, **_roles(model), config=config, **_running(context)
        )

    return _side_by_side(_group(data, model, options), context, options, fit)


@estimator("dml_irm")
def dml_irm(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Interactive regression (``estimation.dml.irm``): further options ``score`` and ``clip``.

    ``also_defensible`` adds correlated random effects with folds over entities and clustered
    errors, because the within transformation does not leave a 0/1 treatment.
    """
    options = _options(model, _CONFIGURATION | _GROUP | {"score", "clip"})
    extra = {k: options.pop(k) for k in ("score", "clip") if k in options}

    def fit(frame: pd.DataFrame, config: Configuration) -> DMLResult:
        return irm(frame, **_roles(model), **extra, config=config, **_running(context))

    return _side_by_side(_group(data, model, options), context, options, fit, effects_beside="cre")


@estimator("dml_plr_difference")
def dml_plr_difference(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Difference of the effects of two groups (``estimation.dml.difference``).

    Options: those of ``dml_plr`` without ``keep``. The term ``high - low`` is the effect where
    ``split_by`` is 1 (or above the median) minus the other.
    """
    options = _options(model, _CONFIGURATION | _GROUP - {"keep"})
    column = options.pop("split_by", None)
    if not isinstance(column, str):
        raise ValueError("dml_plr_difference needs the option split_by, the name of one column")
    high = median_groups(data, column, time=model.time if options.pop("by_time", False) else None)
    beside = options.pop("also_defensible", False)
    published, note = _configuration(options, context)

    def fit(frame: pd.DataFrame, config: Configuration) -> DMLResult:
        return plr(frame, **_roles(model), config=config, **_running(context))

    keys = [model.entity, model.time, model.cluster or model.entity]
    settings = {"high - low": published}
    if beside:
        settings["high - low [recommended]"] = _recommended(published, context)
    rows, diagnostics, results = [], dict(note), []
    for term, config in settings.items():
        first, second = fit(data[high], config), fit(data[~high], config)
        rows.append(difference(first, second, term=term, keys=keys))
        tag = "recommended_" if "[" in term else ""
        diagnostics |= {
            f"{tag}estimate_high": first.estimate,
            f"{tag}estimate_low": second.estimate,
            f"{tag}n_obs_high": first.n_obs,
            f"{tag}n_obs_low": second.n_obs,
        }
        results.append((first, second))
    first, second = results[0]
    return Estimation(
        tidy=pd.concat(rows, ignore_index=True)[COLUMNS],
        n_obs=first.n_obs + second.n_obs,
        n_entities=int(data[model.entity].nunique()),
        se_rule="influence functions of both groups, summed by city where a city is in both",
        diagnostics=diagnostics,
    )


def _side_by_side(
    data: pd.DataFrame,
    context: RunContext,
    options: dict[str, Any],
    fit: Fit,
    *,
    effects_beside: str = "within",
) -> Estimation:
    beside = options.pop("also_defensible", False)
    published, note = _configuration(options, context)
    first = fit(data, published)
    tables = {"nuisances": first.nuisances, "splits": first.splits.reset_index()}
    rows = [first.tidy()]
    diagnostics: dict[str, Any] = {**note, **first.diagnostics}
    if beside:
        config = replace(_recommended(published, context), effects=effects_beside)
        try:
            second = fit(data, config)
        except NoVariation as error:
            # The published configuration prints a number here; that nothing identifies it is the
            # finding, so the column stands and says so.
            diagnostics["recommended"] = f"not identified: {error}"
        else:
            row = second.tidy().iloc[[0]].copy()
            row["term"] = f"{first.treatment} [recommended]"
            rows.insert(1, row)
            diagnostics |= {f"recommended {k}": v for k, v in second.diagnostics.items()}
            diagnostics["recommended se_rule"] = second.se_rule
            tables["nuisances_recommended"] = second.nuisances
            tables["splits_recommended"] = second.splits.reset_index()
    tidy = pd.concat(rows, ignore_index=True)[COLUMNS]
    last = tidy["term"] == "_cons"
    return Estimation(
        tidy=pd.concat([tidy[~last], tidy[last]], ignore_index=True),
        n_obs=first.n_obs,
        n_entities=first.n_entities,
        se_rule=first.se_rule,
        diagnostics=diagnostics,
        tables=tables,
    )


def _options(model: ModelSpec, known: set[str]) -> dict[str, Any]:
    unknown = set(model.options) - known
    if unknown:
        raise ValueError(
            f"{model.estimator}: unknown options {sorted(unknown)}; known: {sorted(known)}"
        )
    if len(model.treatment) != 1:
        raise ValueError(f"{model.estimator} takes one treatment, got {list(model.treatment)}")
    if model.weights:
        raise ValueError(f"{model.estimator} does not take weights")
    return dict(model.options)


def _configuration(
    options: dict[str, Any], context: RunContext
) -> tuple[Configuration, dict[str, Any]]:
    """The configuration that the options ask for, at this run's size, and what to say about it."""
    o = dict(options)
    if "folds" in o and "split_ratio" in o:
        raise ValueError("give folds or split_ratio, not both")
    ratio = o.pop("split_ratio", None)
    folds = int(o.pop("folds", 5)) if ratio is None else folds_from_ratio(ratio)
    name = o.pop("learner", "forest")
    params = dict(o.pop("learner_params", {}))
    trees = o.pop("trees", None)
    if trees is not None:
        params["trees"] = int(trees)
    asked = learner(name, **params)
    used = _sized(asked, context)
    note: dict[str, Any] = {}
    if "trees" in dict(asked.params):
        note["trees"] = used["trees"]
        if used != asked:
            note["size"] = (
                f"{used['trees']} trees instead of {asked['trees']}: not a full run (FULL=1)"
            )
    return Configuration(learner=used, folds=folds, **o), note


def _sized(asked: Learner, context: RunContext) -> Learner:
    params = dict(asked.params)
    if context.full or params.get("trees", 0) <= QUICK_TREES:
        return asked
    return learner(asked.name, **{**params, "trees": QUICK_TREES})


def _recommended(published: Configuration, context: RunContext) -> Configuration:
    """The recommended configuration with the same splits, sample and features as the published."""
    params = dict(published.learner.params)
    sized = (
        learner("forest", **{**dict(RECOMMENDED.learner.params), "trees": params["trees"]})
        if "trees" in params
        else _sized(RECOMMENDED.learner, context)
    )
    return replace(
        RECOMMENDED,
        learner=sized,
        folds=published.folds,
        squares=published.squares,
        winsor=published.winsor,
        min_treated=published.min_treated,
    )


def _roles(model: ModelSpec) -> dict[str, Any]:
    return {
        "outcome": model.outcome,
        "treatment": model.treatment[0],
        "controls": model.controls,
        "entity": model.entity,
        "time": model.time,
        "cluster": model.cluster,
        "fixed_effects": model.fixed_effects or None,
    }


def _running(context: RunContext) -> dict[str, Any]:
    store = _STORE if context.cache is None else context.cache
    runtime = Runtime(workers=context.workers, store=store, progress=context.progress)
    return {"seed": context.seed, "runtime": runtime}


def _group(data: pd.DataFrame, model: ModelSpec, options: dict[str, Any]) -> pd.DataFrame:
    """One group of the sample, where the options ask for one; takes those options out."""
    column, keep = options.pop("split_by", None), options.pop("keep", None)
    by_time = options.pop("by_time", False)
    if column is None and keep is None:
        return data
    if not isinstance(column, str) or keep not in ("high", "low"):
        raise ValueError(
            f"split_by {column!r} with keep {keep!r}: expected a column and keep: high or low"
        )
    high = median_groups(data, column, time=model.time if by_time else None)
    return data[high if keep == "high" else ~high]
