"""Adapters of the spatial room: weights from a sample's columns, then panels, tests, Moran, DiD.

Does not belong here: anything that computes (``estimation.spatial``). Weights are described by the
option ``weights``; contiguity needs links, which the run context carries in its cache under
``contiguity`` (columns city_code, neighbour_code), because a sample frame has no polygons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from estimation.spatial import figures
from estimation.spatial.arrays import keep_balanced
from estimation.spatial.did import spatial_did
from estimation.spatial.from_sample import weights_from_sample
from estimation.spatial.impacts import impacts
from estimation.spatial.ml import spatial_panel
from estimation.spatial.moran import MoranResult, local_moran, moran_by_period
from estimation.spatial.result import SpatialFit
from estimation.spatial.tests import SpecificationTests, specification_tests
from estimation.spatial.weights import Weights
from estimation.studies.registry import TIDY_COLUMNS, Estimation, RunContext, estimator
from estimation.studies.spec import ModelSpec

_COMMON = ("weights", "effects", "balance")


def _options(model: ModelSpec, *known: str) -> dict[str, Any]:
    # ``r2_rule`` and the like come from a study's baseline and do not concern this room.
    inherited = {"r2_rule", "clusters"}
    unknown = set(model.options) - set(known) - set(_COMMON) - inherited
    if unknown:
        raise ValueError(
            f"{model.estimator}: unknown options {sorted(unknown)}; "
            f"known: {sorted({*known, *_COMMON})}"
        )
    return dict(model.options)


def weights_from(
    data: pd.DataFrame, spec: Mapping[str, Any] | str, *, entity: str, context: RunContext
) -> tuple[Weights, dict[str, Any]]:
    """``from_sample.weights_from_sample`` with the links that the run context carries."""
    cache = context.cache
    links = cache.get("contiguity") if isinstance(cache, Mapping) else None
    return weights_from_sample(data, spec, entity=entity, links=links)


def _prepared(
    data: pd.DataFrame, model: ModelSpec, options: Mapping[str, Any]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The balanced part of the sample, and what was left out."""
    columns = [model.outcome, *model.treatment, *model.controls]
    if options.get("balance", "drop") == "error":
        return data, {}
    part = keep_balanced(data, columns, entity=model.entity, time=model.time)
    return part.frame, {
        "units_left_out_for_gaps": len(part.units_left_out),
        "units_left_out": _listed(part.units_left_out),
        "periods_left_out_for_gaps": len(part.periods_left_out),
        "periods_left_out": _listed(part.periods_left_out),
    }


def _listed(items: Sequence[Any], count: int = 20) -> str | None:
    shown = ", ".join(str(i) for i in items[:count])
    return (shown + (" ..." if len(items) > count else "")) or None


def _from_fit(
    fit: SpatialFit, tidy: pd.DataFrame, kind: str, diagnostics: dict[str, Any], **extra: Any
) -> Estimation:
    adjusted = 1 - (1 - fit.corr2) * (fit.n_obs - 1) / (fit.n_obs - fit.n_parameters)
    found: dict[str, Any] = {
        "r2_rule": "squared correlation of demeaned outcome and reduced-form prediction, adjusted",
        "r2_levels": fit.r2,
        "r2_within": fit.r2_within,
        "corr2": fit.corr2,
        "loglik": fit.loglik,
        "sigma2": fit.sigma2,
        "n_periods": fit.n_periods,
        "spatial_model": fit.model,
        "spatial_effects": fit.effects,
        "lee_yu": fit.lee_yu or "none",
        "log_determinant": fit.logdet.method,
        "spatial_interval_low": fit.logdet.lower,
        "spatial_interval_high": fit.logdet.upper,
        **fit.weights.summary(),
        **diagnostics,
    }
    return Estimation(
        tidy=tidy[TIDY_COLUMNS].reset_index(drop=True),
        n_obs=fit.n_obs,
        n_entities=fit.n_entities,
        se_rule=fit.se_rule(kind),
        adj_r2=float(adjusted),
        diagnostics=found,
        **extra,
    )


def _block(tests: SpecificationTests) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for result in tests.results:
        out[result.name] = result.statistic
        out[f"{result.name}_p"] = result.p_value
        if result.note:
            out[f"{result.name}_note"] = result.note
    return out


@estimator("spatial_panel")
def panel(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Spatial panel by ML. Options: ``weights`` (``weights_from_sample``), ``spatial_model`` (sdm),
    ``effects`` (twoway), ``durbin`` (list), ``lee_yu``, ``covariance`` (analytic | cluster),
    ``errors`` (delta | simulated), ``draws``, ``balance`` (drop | error)."""
    options = _options(model, "spatial_model", "durbin", "lee_yu", "covariance", "errors", "draws")
    frame, left_out = _prepared(data, model, options)
    weights, allow = weights_from(
        frame, options.get("weights", {}), entity=model.entity, context=context
    )
    kind = options.get("covariance", "analytic")
    fit = spatial_panel(
        frame,
        outcome=model.outcome,
        treatment=model.treatment,
        controls=model.controls,
        entity=model.entity,
        time=model.time,
        weights=weights,
        model=options.get("spatial_model", "sdm"),
        effects=options.get("effects", "twoway"),
        durbin=options.get("durbin"),
        lee_yu=options.get("lee_yu"),
        **allow,
    )
    errors = options.get("errors", "delta")
    found = impacts(fit, draws=int(options.get("draws", 1000)), seed=context.seed, covariance=kind)
    tidy = pd.concat([fit.tidy(kind), found.tidy(errors)], ignore_index=True)
    return _from_fit(fit, tidy, kind, left_out, tables={"effects": found.table})


@estimator("spatial_did")
def difference_in_differences(
    data: pd.DataFrame, model: ModelSpec, context: RunContext
) -> Estimation:
    """Spatial DiD with effects and the whole test block. Options as ``spatial_panel`` (without
    ``spatial_model``), and ``tests`` (true). The first treatment is the policy; others count as
    controls."""
    options = _options(model, "durbin", "lee_yu", "covariance", "errors", "draws", "tests")
    frame, left_out = _prepared(data, model, options)
    weights, allow = weights_from(
        frame, options.get("weights", {}), entity=model.entity, context=context
    )
    effects = options.get("effects", "twoway")
    kind = options.get("covariance", "analytic")
    shared: dict[str, Any] = {
        "outcome": model.outcome,
        "treatment": model.treatment[0],
        "controls": [*model.treatment[1:], *model.controls],
        "entity": model.entity,
        "time": model.time,
        "weights": weights,
        "effects": effects,
        **allow,
    }
    result = spatial_did(
        frame,
        durbin=options.get("durbin"),
        lee_yu=options.get("lee_yu"),
        covariance=kind,
        errors=options.get("errors", "delta"),
        draws=int(options.get("draws", 1000)),
        seed=context.seed,
        **shared,
    )
    tables = {"effects": result.effects.table, "exposure": result.exposure}
    diagnostics = {**left_out, "draws": result.effects.draws, "exposure_se": result.exposure_rule}
    for row in result.exposure.head(2).itertuples():
        diagnostics[f"exposure:{row.term}"] = row.estimate
        diagnostics[f"exposure:{row.term}:p"] = row.p_value
    if options.get("tests", True):
        tests = specification_tests(frame, **shared)
        tables["tests"] = tests.tidy()
        diagnostics.update(_block(tests))
    tidy = result.tidy()
    own = tidy["term"].isin([f"{e}:{model.treatment[0]}" for e in ("direct", "indirect", "total")])
    figure = figures.effects_figure(
        tidy[own], title=f"Effects of {model.treatment[0]} ({weights.kind} weights)"
    )
    return _from_fit(
        result.fit, tidy, kind, diagnostics, tables=tables, figures={"effects": figure}
    )


@estimator("spatial_tests")
def tests_only(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """The test block as terms: estimate and statistic are the chi-squared. Options: ``weights``,
    ``effects``, ``balance``."""
    options = _options(model)
    frame, left_out = _prepared(data, model, options)
    weights, allow = weights_from(
        frame, options.get("weights", {}), entity=model.entity, context=context
    )
    effects = options.get("effects", "twoway")
    found = specification_tests(
        frame,
        outcome=model.outcome,
        treatment=model.treatment,
        controls=model.controls,
        entity=model.entity,
        time=model.time,
        weights=weights,
        effects=effects,
        **allow,
    )
    table = found.tidy()
    tidy = table.rename(columns={"test": "term"}).assign(
        estimate=table["statistic"], std_error=np.nan, ci_low=np.nan, ci_high=np.nan
    )
    fit = found.fits["sdm", effects]
    return _from_fit(fit, tidy, "analytic", {**left_out, **_block(found)}, tables={"tests": table})


@estimator("moran")
def moran(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Moran's I by period, and the local Moran map of one. Options: ``weights`` (one, or a list
    whose first gives the terms and the map), ``permutations`` (999), ``period`` (last), ``level``
    (0.05)."""
    options = _options(model, "permutations", "period", "level")
    specs = options.get("weights", {})
    specs = specs if isinstance(specs, list) else [specs]
    permutations = int(options.get("permutations", 999))
    frame = data.dropna(subset=[model.outcome])
    results: dict[str, MoranResult] = {}
    made: list[Weights] = []
    for spec in specs:
        weights, _ = weights_from(frame, spec, entity=model.entity, context=context)
        made.append(weights)
        results[_name(weights)] = moran_by_period(
            frame,
            outcome=model.outcome,
            entity=model.entity,
            time=model.time,
            weights=weights,
            permutations=permutations,
            seed=context.seed,
        )
    first = next(iter(results.values()))
    tables = {
        "moran": pd.concat(
            [r.table.assign(weights=n) for n, r in results.items()], ignore_index=True
        )
    }
    drawn = {"moran": figures.moran_over_time(results, model.outcome)}
    period = options.get("period", frame[model.time].max())
    if {"lon", "lat"} <= set(frame.columns):
        local = local_moran(
            frame,
            outcome=model.outcome,
            entity=model.entity,
            time=model.time,
            period=period,
            weights=made[0],
            permutations=permutations,
            seed=context.seed,
            level=float(options.get("level", 0.05)),
        )
        places = frame.groupby(model.entity)[["lon", "lat"]].first().loc[local[model.entity]]
        tables["local_moran"] = local
        drawn["local_moran"] = figures.cluster_map(
            local,
            places["lon"].to_numpy(),
            places["lat"].to_numpy(),
            variable=model.outcome,
            period=period,
        )
    share = float((first.table["p_permutation"] <= 0.05).mean())
    return Estimation(
        tidy=first.tidy()[TIDY_COLUMNS],
        n_obs=int(first.table["n_units"].sum()),
        n_entities=int(frame[model.entity].nunique()),
        se_rule=f"randomisation moments; {permutations} permutations in the companion table",
        diagnostics={
            "share_of_years_with_permutation_p_below_5pct": share,
            "permutations": permutations,
            **made[0].summary(),
        },
        tables=tables,
        figures=drawn,
    )


def _name(weights: Weights) -> str:
    notes = ", ".join(f"{k} {v:g}" for k, v in weights.notes.items() if v is not None)
    return weights.kind + (f" ({notes})" if notes else "")
