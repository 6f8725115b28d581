"""Group-time effects of Callaway and Sant'Anna, their aggregates and the pre-test.

Belongs here: this estimator. Does not belong here: its algebra, which is diff-diff's (pinned,
held to published results in the tests).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from estimation.did.cohorts import (
    Cohorts,
    StaggeredResult,
    call_library,
    cell_values,
    common_diagnostics,
    headline,
    path_table,
    prepare,
    size_of,
)
from estimation.panel import NoVariation
from estimation.tidy import tidy_frame


def callaway_santanna(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    covariates: Sequence[str] = (),
    control_group: str | None = None,
    method: str | None = None,
    base_period: str = "varying",
    cluster: str | None = None,
    unbalanced: bool = False,
) -> StaggeredResult:
    """Group-time effects ATT(g, t) and their aggregates (Callaway and Sant'Anna 2021).

    ``control_group`` is never_treated (default, if there are any) or not_yet_treated; ``method``
    reg, ipw or dr (default reg without covariates, dr with). Overall rows: ATT (simple),
    ``ATT dynamic`` (mean over e >= 0) and ``ATT group`` (mean over cohorts by size).

    Entities without every year are left out and counted, as R's did does by default; with
    ``unbalanced`` they stay and the estimator for repeated cross-sections is used, whose means
    also move with who is observed.
    """
    from diff_diff import CallawaySantAnna

    c = prepare(
        data, outcome=outcome, treatment=treatment, entity=entity, time=time,
        covariates=covariates, cluster=cluster,
    )  # fmt: skip
    group = control_group or ("never_treated" if c.never else "not_yet_treated")
    if group == "never_treated" and not c.never:
        raise NoVariation("there is no never-treated entity; use control_group: not_yet_treated")
    way = cluster if cluster and cluster != entity else None
    counts = c.frame.groupby(entity)[time].nunique()
    partial = set(counts.index[counts < c.frame[time].nunique()])
    if partial and not unbalanced:
        rest = c.frame[~c.frame[entity].isin(partial)].drop(columns="cohort")
        if rest.empty:
            raise NoVariation(
                "no entity has every year of the sample; restrict the years, or allow an "
                "unbalanced panel (option unbalanced)"
            )
        c = prepare(
            rest, outcome=outcome, treatment=treatment, entity=entity, time=time,
            covariates=covariates, cluster=cluster,
        )  # fmt: skip
    balanced = not (partial and unbalanced)
    estimator = CallawaySantAnna(
        control_group=group,
        estimation_method=method or ("dr" if covariates else "reg"),
        base_period=base_period,
        cluster=way,
        allow_unbalanced_panel=not balanced,
        pscore_fallback="unconditional",
    )
    result, warning = call_library(
        lambda: estimator.fit(
            c.frame, outcome=outcome, unit=entity, time=time, first_treat="cohort",
            covariates=list(covariates) or None, aggregate="all",
        ),
        "Callaway-Sant'Anna",
    )  # fmt: skip
    path = path_table(result.event_study_effects)
    rows = [headline(result)]
    dynamic = _dynamic_mean(result)
    if dynamic is not None:
        rows.append(dynamic)
    cohorts = pd.DataFrame(
        [
            {"cohort": int(g), "n_entities": int(c.sizes[int(g)]), **cell_values(v)}
            for g, v in sorted((result.group_effects or {}).items())
        ]
    )
    diagnostics: dict[str, Any] = {
        **common_diagnostics(c, warning),
        "control_group": group,
        "balanced": str(balanced),
        "n_entities_without_every_year": len(partial),
    }
    cells = pd.DataFrame(
        [
            {"cohort": int(g), "time": int(t), **cell_values(v)}
            for (g, t), v in sorted(result.group_time_effects.items())
        ]
    )
    if group == "never_treated" and balanced and not covariates and way is None:
        diagnostics.update(pretest(c, outcome=outcome, entity=entity, time=time))
        rows.append(group_average(c, outcome=outcome, entity=entity, time=time))
    return StaggeredResult(
        "Callaway-Sant'Anna", pd.concat(rows, ignore_index=True), path, cohorts, cells,
        f"influence functions, clustered by {way or entity}, normal", diagnostics=diagnostics,
        raw=result, **size_of(c, entity),
    )  # fmt: skip


def _dynamic_mean(result: Any) -> pd.DataFrame | None:
    """Mean of the effects at e >= 0 with the delta-method error, when their covariance is known."""
    if result.event_study_vcov is None:
        return None
    index = [float(k) for k in result.event_study_vcov_index]
    post = [i for i, k in enumerate(index) if k >= 0]
    if not post:
        return None
    effects = {float(k): float(v["effect"]) for k, v in result.event_study_effects.items()}
    b = np.array([effects[index[i]] for i in post])
    v = np.asarray(result.event_study_vcov)[np.ix_(post, post)]
    w = np.full(len(post), 1 / len(post))
    return tidy_frame(["ATT dynamic"], np.array([w @ b]), np.array([np.sqrt(w @ v @ w)]))


@dataclass(frozen=True)
class _Influence:
    """Unconditional ATT(g, t) of a balanced panel with their influence functions.

    A unit of cohort g adds (dY - mean_g dY) / p_g, a never-treated one -(dY - mean_0 dY) / p_0,
    with dY the change from the base period (Callaway and Sant'Anna 2021, theorem 2).
    """

    y: np.ndarray
    years: np.ndarray
    cohort: np.ndarray

    @classmethod
    def of(cls, c: Cohorts, outcome: str, entity: str, time: str) -> _Influence:
        wide = c.frame.pivot(index=entity, columns=time, values=outcome).sort_index()
        cohort = c.frame.groupby(entity)["cohort"].first().reindex(wide.index)
        return cls(wide.to_numpy(), wide.columns.to_numpy(), cohort.to_numpy())

    def cohorts(self) -> list[int]:
        return sorted(int(g) for g in set(self.cohort.tolist()) - {0})

    def effect(self, g: int, period: int, base: int) -> tuple[float, np.ndarray]:
        """ATT of cohort g between two period positions, and its influence by unit (n,)."""
        own, never = self.cohort == g, self.cohort == 0
        change = self.y[:, period] - self.y[:, base]
        n = len(change)
        phi = np.zeros(n)
        phi[own] = (change[own] - change[own].mean()) * n / own.sum()
        phi[never] = -(change[never] - change[never].mean()) * n / never.sum()
        return float(change[own].mean() - change[never].mean()), phi


def pretest(c: Cohorts, *, outcome: str, entity: str, time: str) -> dict[str, float]:
    """Joint Wald test that every ATT(g, t) before adoption is zero, varying base period.

    Unconditional, balanced, never-treated controls. Empty without a pair of pre-periods.
    """
    known = _Influence.of(c, outcome, entity, time)
    pairs = [
        known.effect(g, j, j - 1)
        for g in known.cohorts()
        for j in range(1, int(np.sum(known.years < g)))
    ]
    if not pairs:
        return {}
    b, phi = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    n = phi.shape[1]
    v = phi @ phi.T / n
    rank = int(np.linalg.matrix_rank(v))
    value = float(n * b @ np.linalg.pinv(v, hermitian=True) @ b)
    p_value = float(stats.chi2.sf(value, rank))
    return {"pretrend_wald": value, "pretrend_df": rank, "pretrend_p": p_value}


def group_average(c: Cohorts, *, outcome: str, entity: str, time: str) -> pd.DataFrame:
    """Mean over cohorts, by size, of each cohort's mean post effect; cohort shares estimated.

    Unconditional, balanced, never-treated controls.
    """
    known = _Influence.of(c, outcome, entity, time)
    n, groups = len(known.cohort), known.cohorts()
    theta, phi = [], []
    for g in groups:
        base = int(np.sum(known.years < g)) - 1
        found = [known.effect(g, j, base) for j in range(base + 1, len(known.years))]
        theta.append(np.mean([f[0] for f in found]))
        phi.append(np.mean([f[1] for f in found], axis=0))
    share = np.array([np.mean(known.cohort == g) for g in groups])
    total, values = share.sum(), np.array(theta)
    weight = share / total
    estimate = float(weight @ values)
    spread = weight @ np.array(phi)
    for g, value in zip(groups, values):  # the shares are estimated too
        spread = spread + ((known.cohort == g) - np.mean(known.cohort == g)) / total * (
            value - estimate
        )
    error = np.sqrt(np.mean(spread**2) / n)
    return tidy_frame(["ATT group"], np.array([estimate]), np.array([error]))
