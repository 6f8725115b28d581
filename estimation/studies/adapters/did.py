"""Adapters of the two-way fixed effects room; each only translates options and builds the result.

Does not belong here: anything that computes (``estimation.did``).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from estimation.did import twfe
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


def check_options(model: ModelSpec, *known: str) -> dict[str, Any]:
    """The model's options; one that the estimator does not know raises."""
    unknown = set(model.options) - set(known)
    if unknown:
        raise ValueError(
            f"{model.estimator}: unknown options {sorted(unknown)}; known: {sorted(known)}"
        )
    return dict(model.options)


def cluster_of(model: ModelSpec, options: dict[str, Any]) -> str | list[str]:
    """Cluster variable(s): option ``clusters`` (several ways), the model's, or the entity."""
    return options.get("clusters") or model.cluster or model.entity


def from_twfe(result: twfe.TwfeResult, options: dict[str, Any], **extra: Any) -> Estimation:
    """A fitted regression as the study runner wants it."""
    rule = options.get("r2_rule", "overall")
    if rule not in _R2_RULES:
        raise ValueError(f"r2_rule {rule!r}; choose {', '.join(_R2_RULES)}")
    key, words = _R2_RULES[rule]
    diagnostics: dict[str, Any] = {
        "r2_rule": words,
        **{k: float(v) for k, v in result.r2.items()},
        "n_clusters": result.n_clusters,
        "df_t": float(result.df),
        "n_singletons": result.n_singletons,
        "n_missing_rows": result.n_missing,
        "collinear_dropped": ", ".join(result.dropped) or None,
        **extra.pop("diagnostics", {}),
    }
    value = result.r2.get(key)
    return Estimation(
        tidy=extra.pop("tidy", None) if "tidy" in extra else result.tidy(),
        n_obs=result.n_obs,
        n_entities=result.n_entities,
        se_rule=result.se_rule,
        adj_r2=None if value is None else float(value),
        diagnostics=diagnostics,
        **extra,
    )


@estimator("twfe")
def two_way_fixed_effects(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Fixed-effects regression. Options: ``r2_rule`` (overall | within | within_entity),
    ``clusters`` (list, several ways), ``covariance`` (cluster | HC1 | iid)."""
    options = check_options(model, "r2_rule", "clusters", "covariance")
    result = twfe.fit(
        data,
        outcome=model.outcome,
        treatment=model.treatment,
        controls=model.controls,
        entity=model.entity,
        time=model.time,
        fixed_effects=model.fixed_effects or (model.entity, model.time),
        cluster=cluster_of(model, options),
        weights=model.weights,
        covariance=options.get("covariance", "cluster"),
    )
    return from_twfe(result, options)
