"""Adapter of instrumental variables: second stage, first stage or GMM as columns of a table.

Does not belong here: anything that computes (``estimation.iv``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from estimation.iv import iv_regression
from estimation.iv_plausibility import plausibility
from estimation.iv_result import IvResult
from estimation.studies.registry import TIDY_COLUMNS, Estimation, RunContext, estimator
from estimation.studies.spec import ModelSpec

_R2 = {
    "overall": "adj_r2",
    "within": "adj_r2_within",
    "within_entity": "adj_r2_within_entity",
}
_KNOWN = {"instruments", "method", "covariance", "stage", "plausibility", "r2_rule", "clusters"}


@estimator("iv")
def instrumental_variables(
    data: pd.DataFrame, model: ModelSpec, _context: RunContext
) -> Estimation:
    """Instrumental variables after taking the effects out.

    Options: ``instruments`` (list), ``method`` (2sls | liml | gmm), ``covariance`` (cluster |
    robust | unadjusted), ``stage`` (second | first: which regression gives the terms),
    ``plausibility`` (true), ``r2_rule`` (overall | within | within_entity).
    """
    options = dict(model.options)
    unknown = set(options) - _KNOWN
    if unknown:
        raise ValueError(f"iv: unknown options {sorted(unknown)}; known: {sorted(_KNOWN)}")
    instruments = options.get("instruments") or []
    instruments = [instruments] if isinstance(instruments, str) else list(instruments)
    stage = options.get("stage", "second")
    if stage not in ("first", "second"):
        raise ValueError(f"iv: stage {stage!r} is unknown; use 'first' or 'second'")
    rule = options.get("r2_rule", "overall")
    if rule not in _R2:
        raise ValueError(f"iv: r2_rule {rule!r}; choose {', '.join(_R2)}")
    effects = model.fixed_effects or None
    cluster = model.cluster or model.entity
    result = iv_regression(
        data,
        outcome=model.outcome,
        treatment=model.treatment,
        instruments=instruments,
        controls=model.controls,
        entity=model.entity,
        time=model.time,
        fixed_effects=effects,
        cluster=cluster,
        method=options.get("method", "2sls"),
        covariance=options.get("covariance"),
    )
    first = next(iter(result.first_stages.values()))
    shown = first if stage == "first" else result
    tidy = shown.tidy()
    tables: dict[str, pd.DataFrame] = {
        "first_stage": pd.concat(
            [s.tidy().assign(endogenous=name) for name, s in result.first_stages.items()],
            ignore_index=True,
        )
    }
    if result.anderson_rubin is not None:
        pairs = result.anderson_rubin.intervals
        tables["anderson_rubin"] = pd.DataFrame(pairs, columns=["low", "high"], dtype=float)
    if options.get("plausibility", True) and len(result.endogenous) == 1:
        tables["plausibility"] = plausibility(
            data,
            outcome=model.outcome,
            treatment=result.endogenous[0],
            instruments=instruments,
            controls=model.controls,
            entity=model.entity,
            time=model.time,
            fixed_effects=effects,
            cluster=cluster,
        )
    value = shown.r2.get(_R2[rule])
    return Estimation(
        tidy=tidy[TIDY_COLUMNS],
        n_obs=result.n_obs,
        n_entities=result.n_entities,
        se_rule=result.se_rule,
        adj_r2=None if value is None or not np.isfinite(value) else float(value),
        diagnostics={"r2_rule": rule, "stage": stage, **_diagnostics(result)},
        tables=tables,
    )


def _diagnostics(result: IvResult) -> dict[str, Any]:
    out: dict[str, Any] = {
        "method": result.method,
        "instruments": ", ".join(result.instruments),
        "n_clusters": result.n_clusters,
        "n_missing_rows": result.n_missing,
        "n_singletons": result.n_singletons,
        "kleibergen_paap_lm": result.rank.lm,
        "kleibergen_paap_lm_p": result.rank.lm_p,
        "kleibergen_paap_wald_f": result.rank.wald_f,
    }
    single = len(result.first_stages) == 1
    for name, first in result.first_stages.items():
        suffix = "" if single else f":{name}"
        out[f"first_stage_f{suffix}"] = first.f
        out[f"first_stage_f_unadjusted{suffix}"] = first.f_unadjusted
        out[f"first_stage_partial_r2{suffix}"] = first.partial_r2
    if result.effective_f is not None:
        out["effective_f"] = result.effective_f.value
        for tau, critical in result.effective_f.critical.items():
            out[f"effective_f_critical_{round(100 * tau)}pct_bias"] = critical
    test = result.overidentification
    if test is not None:
        key = "hansen_j" if test.name == "Hansen J" else "sargan"
        out[key], out[f"{key}_p"], out[f"{key}_df"] = test.statistic, test.p_value, test.df
    ar = result.anderson_rubin
    if ar is not None:
        out["anderson_rubin_low"], out["anderson_rubin_high"] = ar.low, ar.high
        out["anderson_rubin_kind"] = ar.kind
        out["anderson_rubin_p_of_zero"] = ar.p_value
    return out
