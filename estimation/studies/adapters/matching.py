"""Adapters of matching and mediation.

Does not belong here: anything that computes (``estimation.matching``, ``estimation.mediation``).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from estimation import matching, mediation
from estimation.did import twfe
from estimation.studies.adapters.did import (
    check_options,
    common,
    draws_of,
    from_twfe,
    one_treatment,
)
from estimation.studies.registry import TIDY_COLUMNS, Estimation, RunContext, estimator
from estimation.studies.spec import ModelSpec

_MATCH = (
    "method", "ratio", "replace", "caliper", "ties", "order", "search", "kernel", "bandwidth",
    "common_support", "by", "score",
)  # fmt: skip


def _matched(
    data: pd.DataFrame, model: ModelSpec, options: dict[str, Any]
) -> tuple[pd.DataFrame, matching.MatchResult, list[str]]:
    frame = data.reset_index(drop=True).copy()
    group = options.get("group")
    if group is None:
        group = "ever_treated"
        frame[group] = matching.ever_treated(frame, model.treatment[0], entity=model.entity)
    frame["match_group"] = frame[group].astype(float)
    covariates = list(options.get("covariates") or model.controls)
    if not covariates:
        raise ValueError("matching needs covariates: option covariates or the model's controls")
    chosen = {k: options[k] for k in _MATCH if k in options}
    result = matching.match(
        frame, treated="match_group", covariates=covariates, time=model.time, **chosen
    )
    frame["match_weight"] = result.weights
    return frame, result, covariates


def _balance_report(result: matching.MatchResult) -> dict[str, Any]:
    after = result.balance[result.balance["stage"] == "after"]["bias_percent"].abs()
    before = result.balance[result.balance["stage"] == "before"]["bias_percent"].abs()
    return {
        "max_abs_bias_before": float(before.max()),
        "max_abs_bias_after": float(after.max()),
        "mean_abs_bias_after": float(after.mean()),
        "n_treated_rows": result.n_treated,
        "n_treated_rows_matched": result.n_treated_matched,
        "n_control_rows_used": result.n_controls_used,
        "periods_without_score": "; ".join(result.skipped) or None,
    }


@estimator("psm_did")
def psm_did(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Matching, then fixed-effects DiD on the matched rows. Options: ``covariates``, ``group``,
    ``by`` (pooled | time), ``weighted`` (default true) and those of ``match_weights``."""
    options = check_options(model, "covariates", "group", "weighted", *_MATCH)
    frame, result, _ = _matched(data, model, options)
    used = frame[frame["match_weight"] > 0]
    keys = common(model)
    regression = twfe.fit(
        used,
        treatment=model.treatment,
        weights="match_weight" if options.get("weighted", True) else None,
        **keys,
    )
    return from_twfe(
        regression,
        options,
        diagnostics={
            **_balance_report(result),
            "weighted": str(bool(options.get("weighted", True))),
        },
        tables={"balance": result.balance, "weights": used[
            [model.entity, model.time, "match_group", "match_weight"]
        ].reset_index(drop=True)},
        figures={
            "love_plot": result.love_plot(),
            "scores": result.score_figure(frame["match_group"]),
        },
    )  # fmt: skip


@estimator("balance")
def balance(data: pd.DataFrame, model: ModelSpec, _context: RunContext) -> Estimation:
    """Balance table of a match: one term per covariate and stage, the difference of means.

    Options as ``psm_did``. ``statistic`` is the t of the difference; the standardised bias stands
    in the table ``balance`` and, per covariate, in the diagnostics."""
    options = check_options(model, "covariates", "group", "weighted", *_MATCH)
    frame, result, covariates = _matched(data, model, options)
    table = result.balance
    tidy = pd.DataFrame(
        {
            "term": table["variable"] + " (" + table["stage"] + ")",
            "estimate": table["mean_treated"] - table["mean_control"],
            "statistic": table["t"],
            "p_value": table["p_value"],
        }
    )
    tidy["std_error"] = (tidy["estimate"] / tidy["statistic"]).abs()
    tidy["ci_low"] = tidy["estimate"] - 1.959964 * tidy["std_error"]
    tidy["ci_high"] = tidy["estimate"] + 1.959964 * tidy["std_error"]
    details = {
        f"{kind}: {variable} ({stage})": float(value)
        for kind in ("bias_percent", "mean_treated", "mean_control", "p_value")
        for variable, stage, value in zip(table["variable"], table["stage"], table[kind].to_numpy())
    }
    complete = frame[[*covariates, "match_group"]].notna().all(axis=1)
    return Estimation(
        tidy=tidy[TIDY_COLUMNS],
        n_obs=int(complete.sum()),
        n_entities=int(frame.loc[complete, model.entity].nunique()),
        se_rule="two-sample t test of (weighted) means, rows as independent",
        diagnostics={**_balance_report(result), **details},
        tables={"balance": table},
        figures={
            "love_plot": result.love_plot(),
            "scores": result.score_figure(frame["match_group"]),
        },
    )


@estimator("mediation")
def mediation_adapter(data: pd.DataFrame, model: ModelSpec, context: RunContext) -> Estimation:
    """Two-equation mediation. Options: ``mediator``, ``draws`` (cluster bootstrap)."""
    options = check_options(model, "mediator", "draws")
    if "mediator" not in options:
        raise ValueError("mediation needs the option mediator: a column of the sample")
    result = mediation.fit(
        data, treatment=one_treatment(model), mediator=options["mediator"],
        draws=draws_of(options, context, 1000), seed=context.seed, **common(model),
    )  # fmt: skip
    return from_twfe(
        result.second,
        options,
        tidy=result.tidy(),
        diagnostics={
            "share_mediated": result.share,
            "n_bootstrap": len(result.bootstrap),
            "n_bootstrap_failed": result.n_failed,
            "assumption": mediation.ASSUMPTION,
        },
        tables={
            "bootstrap": pd.DataFrame(
                result.bootstrap, columns=["indirect", "direct", "total"]
            )
        },
    )  # fmt: skip
