"""Adapters of the difference-in-differences room: regression, event study, placebo, groups.

Does not belong here: anything that computes (``estimation.did``); staggered-adoption estimators
(``staggered``) and matching (``matching``) have adapters of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from estimation.did import event_study, heterogeneity, moderation, placebo, twfe
from estimation.studies.registry import Estimation, RunContext, estimator
from estimation.studies.spec import ModelSpec

_R2_RULES = {
    "overall": ("adj_r2", "adjusted, all effects counted"),
    "within": ("adj_r2_within", "adjusted within, all effects partialled out"),
    "within_entity": (
        "adj_r2_within_entity",
        "adjusted within entities, time effects counted as regressors",
    ),
}
_SHORT_DRAWS = 200  # draws of a run that does not ask for the published size


def check_options(model: ModelSpec, *known: str) -> dict[str, Any]:
    """The model's options; one that the estimator does not know raises."""
    unknown = set(model.options) - {*known, "r2_rule"}
    if unknown:
        raise ValueError(
            f"{model.estimator}: unknown options {sorted(unknown)}; known: {sorted(known)}"
        )
    return dict(model.options)


def effects_of(model: ModelSpec) -> tuple[str, ...]:
    """Fixed effects of the model, by default entity and time."""
    return model.fixed_effects or (model.entity, model.time)


def common(model: ModelSpec) -> dict[str, Any]:
    """Keyword arguments that most estimators of the room share."""
    return {
        "outcome": model.outcome,
        "controls": model.controls,
        "entity": model.entity,
        "time": model.time,
        "fixed_effects": effects_of(model),
        "cluster": model.cluster or model.entity,
    }


def one_treatment(model: ModelSpec) -> str:
    """The single treatment of a model; several raise."""
    if len(model.treatment) != 1:
        raise ValueError(f"{model.estimator} takes one treatment, got {list(model.treatment)}")
    return model.treatment[0]


def draws_of(options: dict[str, Any], context: RunContext, default: int) -> int:
    """Published number of draws in a full run, at most 200 otherwise."""
    wanted = int(options.get("draws", default))
    return wanted if context.full else min(wanted, _SHORT_DRAWS)


def regression_diagnostics(result: twfe.TwfeResult, options: dict[str, Any]) -> dict[str, Any]:
    """Sample accounting and R2 variants of a regression."""
    rule = options.get("r2_rule", "overall")
    if rule not in _R2_RULES:
        raise ValueError(f"r2_rule {rule!r}; choose {', '.join(_R2_RULES)}")
    return {
        "r2_rule": _R2_RULES[rule][1],
        **{k: float(v) for k, v in result.r2.items()},
        "constant": result.constant,
        "constant_t": result.constant / result.constant_se if result.constant_se > 0 else None,
        "n_clusters": result.n_clusters,
        "df_t": float(result.df),
        "n_singletons": result.n_singletons,
        "n_missing_rows": result.n_missing,
        "collinear_dropped": ", ".join(result.dropped) or None,
    }


def from_twfe(
    result: twfe.TwfeResult,
    options: dict[str, Any],
    *,
    tidy: pd.DataFrame | None = None,
    diagnostics: dict[str, Any] | None = None,
    tables: dict[str, pd.DataFrame] | None = None,
    figures: dict[str, Any] | None = None,
) -> Estimation:
    """A fitted regression as the study runner wants it."""
    found = regression_diagnostics(result, options)
    value = result.r2.get(_R2_RULES[options.get("r2_rule", "overall")][0])
    return Estimation(
        tidy=result.tidy() if tidy is None else tidy,
        n_obs=result.n_obs,
        n_entities=result.n_entities,
        se_rule=result.se_rule,
        adj_r2=None if value is None or not np.isfinite(value) else float(value),
        diagnostics={**found, **(diagnostics or {})},
        tables=tables or {},
        figures=figures or {},
    )


@estimator("twfe")
def two_way_fixed_effects(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Fixed-effects regression. Options: ``r2_rule`` (overall | within | within_entity),
    ``clusters`` (list, several ways), ``covariance`` (cluster | HC1 | iid)."""
    options = check_options(model, "clusters", "covariance")
    keys = common(model)
    keys["cluster"] = options.get("clusters") or keys["cluster"]
    result = twfe.fit(
        data,
        treatment=model.treatment,
        weights=model.weights,
        covariance=options.get("covariance", "cluster"),
        **keys,
    )
    return from_twfe(result, options)


@estimator("event_study")
def event_study_adapter(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Event study. Options: ``first``, ``last``, ``base`` (null = all periods outside the window),
    ``binned`` (both | lower | upper | none), ``adoption`` (column of adoption years)."""
    options = check_options(model, "first", "last", "base", "binned", "adoption")
    chosen = {
        k: options[k] for k in ("first", "last", "base", "binned", "adoption") if k in options
    }
    result = event_study.fit(
        data, treatment=one_treatment(model), weights=model.weights, **common(model), **chosen
    )
    path = result.path()
    post = [event_study.term_name(k) for k in result.relative_times if k >= 0]
    joint = result.regression.wald(post)
    return from_twfe(
        result.regression,
        options,
        diagnostics={
            "base_period": "outside the window" if result.base is None else result.base,
            "binned_ends": result.binned,
            "pretrend_f": result.pretrend.get("f"),
            "pretrend_p": result.pretrend.get("p_value"),
            "post_joint_p": joint["p_value"],
        },
        tables={"path": path},
        figures={
            "event_study": result.figure(
                title=f"Event study of {model.treatment[0]}", outcome=f"Effect on {model.outcome}"
            )
        },
    )


@estimator("placebo")
def placebo_adapter(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Placebo draws. Options: ``draws``, ``units`` (draw | keep), ``timing`` (keep | draw |
    common), ``n_treated``, ``first_time``, ``last_time``. The draws are cheap, so a short run
    uses the published number too."""
    known = ("draws", "units", "timing", "n_treated", "first_time", "last_time")
    options = check_options(model, *known)
    chosen = {k: options[k] for k in known if k in options}
    result = placebo.fit(
        data, treatment=one_treatment(model), weights=model.weights, seed=context.seed,
        **common(model), **chosen,
    )  # fmt: skip
    b = result.draws["estimate"]
    return from_twfe(
        result.regression,
        options,
        tidy=result.tidy(),
        diagnostics={
            "p_value_kind": "randomisation p value of the coefficient",
            "randomisation_p": result.p_value,
            "randomisation_p_t": result.p_value_t,
            "placebo_mean": float(b.mean()),
            "placebo_sd": float(b.std(ddof=1)),
            "placebo_q025": float(b.quantile(0.025)),
            "placebo_q975": float(b.quantile(0.975)),
            "share_p_above_0.1": float((result.draws["p_value"] > 0.1).mean()),
            "n_draws": len(b),
            "n_draws_without_variation": result.n_failed,
            "placebo_design": result.design,
        },
        tables={"draws": result.draws},
        figures={"placebo": result.figure(title=f"Placebo test of {model.treatment[0]}")},
    )


@estimator("heterogeneity")
def heterogeneity_adapter(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Effects by the groups of ``split_by`` and tests of their difference. Options: ``split_by``,
    ``draws`` (permutations). The first treatment term is compared."""
    options = check_options(model, "split_by", "draws")
    if "split_by" not in options:
        raise ValueError("heterogeneity needs the option split_by: a group column of the sample")
    result = heterogeneity.fit(
        data, treatment=model.treatment, group=options["split_by"], weights=model.weights,
        permutations=draws_of(options, context, 500), seed=context.seed, **common(model),
    )  # fmt: skip
    assert result.stacked is not None
    diagnostics: dict[str, Any] = {
        "equality_f": result.joint["f"],
        "equality_p": result.joint["p_value"],
        "n_permutations": result.draws,
        "groups_without_estimate": "; ".join(f"{k}: {v}" for k, v in result.failed.items()) or None,
    }
    for name, fit in result.groups.items():
        diagnostics[f"n_obs [{name}]"] = fit.n_obs
    for term, p in zip(result.differences["term"], result.differences["permutation_p"].to_numpy()):
        diagnostics[f"permutation_p {term}"] = float(p)
    return from_twfe(
        result.stacked,
        options,
        tidy=result.tidy(),
        diagnostics=diagnostics,
        tables={"differences": result.differences},
        figures={"groups": moderation.group_figure(result.tidy(), model.outcome)},
    )


@estimator("moderation")
def moderation_adapter(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Interaction of the treatment with ``moderator``. Options: ``moderator``, ``centre``
    (bool), ``split_by`` (compare the interaction between groups), ``draws``."""
    options = check_options(model, "moderator", "centre", "split_by", "draws")
    if "moderator" not in options:
        raise ValueError("moderation needs the option moderator: a column of the sample")
    treatment, moderator = one_treatment(model), options["moderator"]
    frame, term = moderation.interacted(
        data, treatment, moderator, centre=bool(options.get("centre", False))
    )
    if options.get("split_by"):
        split = model.model_copy(
            update={
                "treatment": (term, treatment, moderator),
                "options": {
                    k: v for k, v in options.items() if k in ("split_by", "draws", "r2_rule")
                },
            }
        )
        return heterogeneity_adapter(frame, split, context)
    result = twfe.fit(
        frame, treatment=[term, treatment, moderator], weights=model.weights, **common(model)
    )
    margins = moderation.marginal_effects(result, frame, treatment, moderator, term)
    return from_twfe(
        result,
        options,
        tables={"marginal_effects": margins},
        figures={"marginal_effects": moderation.margin_figure(margins, treatment, moderator)},
    )
