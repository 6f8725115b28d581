"""Estimators that stay right when effects differ by cohort and over time.

Belongs here: Sun-Abraham, imputation, two-stage, stacked and de Chaisemartin-D'Haultfoeuille in one
calling convention. Does not belong here: their algebra, which is diff-diff's (pinned, held to
published results in the tests), and Callaway-Sant'Anna (``callaway``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from estimation.did.cohorts import (
    StaggeredResult,
    call_library,
    common_diagnostics,
    headline,
    path_table,
    prepare,
    size_of,
    with_reference,
)
from estimation.panel import NoVariation


def sun_abraham(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
) -> StaggeredResult:
    """Interaction-weighted event study (Sun and Abraham 2021), never-treated as controls."""
    from diff_diff import SunAbraham

    c = prepare(
        data, outcome=outcome, treatment=treatment, entity=entity, time=time,
        covariates=covariates, cluster=cluster,
    )  # fmt: skip
    if not c.never:
        raise NoVariation("Sun-Abraham needs never-treated entities; this sample has none")
    result, warning = call_library(
        lambda: SunAbraham(cluster=cluster or entity).fit(
            c.frame, outcome=outcome, unit=entity, time=time, first_treat="cohort",
            covariates=list(covariates) or None,
        ),
        "Sun-Abraham",
    )  # fmt: skip
    path = with_reference(path_table(result.event_study_effects), -1)
    return StaggeredResult(
        "Sun-Abraham", headline(result), path, pd.DataFrame(), pd.DataFrame(),
        f"clustered by {cluster or entity} (diff-diff)", diagnostics=common_diagnostics(c, warning),
        raw=result, **size_of(c, entity),
    )  # fmt: skip


def imputation(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
    pretrends: bool = True,
) -> StaggeredResult:
    """Imputation of untreated outcomes (Borusyak, Jaravel and Spiess 2024)."""
    from diff_diff import ImputationDiD

    c = prepare(
        data, outcome=outcome, treatment=treatment, entity=entity, time=time,
        covariates=covariates, cluster=cluster,
    )  # fmt: skip
    result, warning = call_library(
        lambda: ImputationDiD(cluster=cluster or entity, pretrends=pretrends).fit(
            c.frame, outcome=outcome, unit=entity, time=time, first_treat="cohort",
            covariates=list(covariates) or None, aggregate="event_study",
        ),
        "imputation",
    )  # fmt: skip
    return StaggeredResult(
        "Imputation (BJS)", headline(result), path_table(result.event_study_effects),
        pd.DataFrame(),
        pd.DataFrame(), f"conservative variance, clustered by {cluster or entity} (diff-diff)",
        diagnostics=common_diagnostics(c, warning), raw=result, **size_of(c, entity),
    )  # fmt: skip


def two_stage(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
    pretrends: bool = True,
) -> StaggeredResult:
    """Two-stage DiD (Gardner 2022): effects from untreated rows, then the residual on treatment."""
    from diff_diff import TwoStageDiD

    c = prepare(
        data, outcome=outcome, treatment=treatment, entity=entity, time=time,
        covariates=covariates, cluster=cluster,
    )  # fmt: skip
    result, warning = call_library(
        lambda: TwoStageDiD(cluster=cluster or entity, pretrends=pretrends).fit(
            c.frame, outcome=outcome, unit=entity, time=time, first_treat="cohort",
            covariates=list(covariates) or None, aggregate="event_study",
        ),
        "two-stage DiD",
    )  # fmt: skip
    return StaggeredResult(
        "Two-stage (Gardner)", headline(result), path_table(result.event_study_effects),
        pd.DataFrame(), pd.DataFrame(), f"two-stage GMM, clustered by {cluster or entity}",
        diagnostics=common_diagnostics(c, warning), raw=result, **size_of(c, entity),
    )  # fmt: skip


def stacked(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    before: int = 3,
    after: int = 3,
    controls: str = "not_yet_treated",
) -> StaggeredResult:
    """Stacked event windows with corrective weights (Wing, Freedman and Hollingsworth 2024).

    A cohort enters when the window [-before, after] lies within the sample; the others are listed
    in the diagnostics.
    """
    from diff_diff import StackedDiD

    c = prepare(data, outcome=outcome, treatment=treatment, entity=entity, time=time)
    result, warning = call_library(
        lambda: StackedDiD(kappa_pre=before, kappa_post=after, control_group=controls).fit(
            c.frame, outcome=outcome, unit=entity, time=time, first_treat="cohort",
            aggregate="event_study",
        ),
        "stacked DiD",
    )  # fmt: skip
    trimmed = ", ".join(str(int(g)) for g in sorted(result.trimmed_groups)) or None
    return StaggeredResult(
        "Stacked", headline(result), path_table(result.event_study_effects), pd.DataFrame(),
        pd.DataFrame(), f"clustered by {entity} (diff-diff)",
        diagnostics={
            **common_diagnostics(c, warning),
            "window": f"-{before}..{after}",
            "cohorts_outside_window": trimmed,
            "n_stacked_rows": int(result.n_stacked_obs),
        },
        raw=result, **size_of(c, entity),
    )  # fmt: skip


def dcdh(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    horizons: int = 4,
) -> StaggeredResult:
    """Switchers against not-yet-switchers (de Chaisemartin and D'Haultfoeuille 2024).

    The headline is the average effect per switch over the horizons that can be estimated; effect
    l of the library is relative time l - 1 here. Diagnostics carry the share of negative TWFE
    weights.
    """
    from diff_diff import ChaisemartinDHaultfoeuille

    c = prepare(data, outcome=outcome, treatment=treatment, entity=entity, time=time)
    times = np.sort(c.frame[time].unique())
    # The method compares every entity with its first period, so that one must be there.
    first = c.frame.groupby(entity)[time].min()
    late = set(first.index[first > times[0]])
    if late:
        rest = c.frame[~c.frame[entity].isin(late)].drop(columns="cohort")
        c = prepare(rest, outcome=outcome, treatment=treatment, entity=entity, time=time)
    cohorts = c.sizes.index[c.sizes.index != 0]
    longest = int(np.sum(times >= cohorts.min()))
    if not c.never:
        longest = int(np.sum((times >= cohorts.min()) & (times < cohorts.max())))
    wanted = max(1, min(horizons, longest))
    frame = c.frame.assign(**{treatment: c.frame[treatment].astype(int)})
    result, warning = call_library(
        lambda: ChaisemartinDHaultfoeuille(n_bootstrap=0).fit(
            frame, outcome=outcome, unit=entity, time=time, treatment=treatment, L_max=wanted
        ),
        "de Chaisemartin-D'Haultfoeuille",
    )
    effects = {int(k) - 1: v for k, v in (result.event_study_effects or {}).items()}
    for k, cell in (result.placebo_event_study or {}).items():
        effects[-abs(int(k)) - 1] = cell
    return StaggeredResult(
        "de Chaisemartin-D'Haultfoeuille", headline(result, "average effect per switch"),
        with_reference(path_table(effects), -1), pd.DataFrame(), pd.DataFrame(),
        f"analytic, by {entity} (diff-diff)",
        diagnostics={
            **common_diagnostics(c, warning),
            "horizons": wanted,
            "n_entities_without_first_time": len(late),
            "twfe_share_negative_weights": float(result.twfe_fraction_negative),
            "twfe_sigma_fe": float(result.twfe_sigma_fe),
        },
        raw=result, **size_of(c, entity),
    )  # fmt: skip
