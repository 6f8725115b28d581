"""What staggered-adoption estimators share: cohorts of a panel, one result, calling the library.

Belongs here: cohort bookkeeping, the common result object, the translation of library results. Does
not belong here: any estimator (``staggered``, ``callaway``, ``bacon``, ``synthetic``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from estimation.did.event_study import path_figure
from estimation.panel import NoVariation, adoption_year, complete_cases
from estimation.tidy import COLUMNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Cohorts:
    """A panel in the form staggered estimators want.

    Attributes
    ----------
    frame : DataFrame
        Complete rows with the column ``cohort`` (first treated time, 0 = never).
    sizes : Series
        Entities per cohort, ascending; 0 is the never-treated.
    n_always : int
        Entities treated from their first time on, left out because they have no "before".
    """

    frame: pd.DataFrame
    sizes: pd.Series
    n_always: int

    @property
    def never(self) -> int:
        """Number of never-treated entities."""
        return int(self.sizes.get(0, 0))


@dataclass(frozen=True)
class StaggeredResult:
    """What a staggered estimator found.

    Attributes
    ----------
    name : str
    overall : DataFrame
        Tidy rows of the aggregate effects, the headline first.
    path : DataFrame
        relative_time, estimate, std_error, ci_low, ci_high, p_value; reference periods are zero.
    cohorts : DataFrame
        Effects by adoption cohort (empty where the method has none).
    cells : DataFrame
        Effects by cohort and time (empty where the method has none).
    se_rule : str
    n_obs, n_entities : int
    diagnostics : dict
    raw : object
        The library's own result.
    """

    name: str
    overall: pd.DataFrame
    path: pd.DataFrame
    cohorts: pd.DataFrame
    cells: pd.DataFrame
    se_rule: str
    n_obs: int
    n_entities: int
    diagnostics: dict[str, Any]
    raw: Any = field(repr=False, default=None)

    def tidy(self) -> pd.DataFrame:
        """Aggregate effects, then the path (``t-2`` ... ``t+4``)."""
        if self.path.empty:
            return self.overall[COLUMNS]
        path = self.path.assign(
            term=[f"t{int(k):+d}" for k in self.path["relative_time"]],
            statistic=self.path["estimate"] / self.path["std_error"].where(lambda s: s > 0),
        )
        return pd.concat([self.overall[COLUMNS], path[COLUMNS]], ignore_index=True)

    def figure(self, outcome: str = "effect") -> Figure:
        """Path of effects by years since adoption."""
        return path_figure(self.path, base=None, title=self.name, outcome=outcome)


def prepare(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
) -> Cohorts:
    """Cohorts from an absorbing 0/1 treatment.

    Raises
    ------
    NoVariation
        If no entity adopts after its first time, or everybody adopts at the same time.
    """
    used = [outcome, treatment, *covariates, *([cluster] if cluster and cluster != entity else [])]
    frame = complete_cases(data, used, entity=entity, time=time, purpose="staggered DiD").frame
    first = adoption_year(frame, treatment, entity=entity, time=time)
    start = frame.groupby(entity, sort=True)[time].min()
    always = first.notna() & (first <= start)
    frame = frame[~frame[entity].isin(set(first.index[always]))].copy()
    adopted = first[~always].dropna()
    if adopted.empty:
        raise NoVariation(f"{treatment}: no entity adopts after its first year in the sample")
    frame["cohort"] = frame[entity].map(first).fillna(0).astype(int)
    sizes = frame.groupby("cohort")[entity].nunique()
    if len(sizes) < 2:
        raise NoVariation(
            f"{treatment}: all {int(sizes.iloc[0])} entities adopt in {int(sizes.index[0])} and "
            "none never; there is nothing to compare with"
        )
    return Cohorts(frame.reset_index(drop=True), sizes, int(always.sum()))


def call_library(call: Callable[[], Any], name: str) -> tuple[Any, str | None]:
    """Run a library estimator; its warnings become a diagnostic, its refusals name the method."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except (ValueError, np.linalg.LinAlgError) as error:
            raise ValueError(f"{name}: {error}") from error
    texts = dict.fromkeys(
        " ".join(str(w.message).split())[:240]
        for w in caught
        if not issubclass(w.category, DeprecationWarning | FutureWarning)
    )
    return result, " | ".join(texts) or None


def path_table(effects: dict[Any, dict[str, Any]] | None) -> pd.DataFrame:
    rows = []
    for k, cell in sorted((effects or {}).items()):
        low, high = cell["conf_int"]
        error = float(cell["se"])
        rows.append(
            {
                "relative_time": int(k),
                "estimate": float(cell["effect"]),
                "std_error": error if error > 0 else np.nan,
                "ci_low": float(low),
                "ci_high": float(high),
                "p_value": float(cell["p_value"]),
            }
        )
    columns = ["relative_time", "estimate", "std_error", "ci_low", "ci_high", "p_value"]
    table = pd.DataFrame(rows, columns=columns)
    known = table["estimate"].notna()
    return table[known].reset_index(drop=True)


def headline(result: Any, term: str = "ATT") -> pd.DataFrame:
    low, high = result.overall_conf_int
    return pd.DataFrame(
        [
            {
                "term": term,
                "estimate": float(result.overall_att),
                "std_error": float(result.overall_se),
                "statistic": float(result.overall_t_stat),
                "p_value": float(result.overall_p_value),
                "ci_low": float(low),
                "ci_high": float(high),
            }
        ]
    )


def common_diagnostics(c: Cohorts, warning: str | None) -> dict[str, Any]:
    return {
        "n_never_treated": c.never,
        "n_always_treated_left_out": c.n_always,
        "n_cohorts": int((c.sizes.index != 0).sum()),
        "cohorts_of_one": int(((c.sizes == 1) & (c.sizes.index != 0)).sum()),
        "warnings": warning,
    }


def size_of(c: Cohorts, entity: str) -> dict[str, int]:
    return {"n_obs": len(c.frame), "n_entities": int(c.frame[entity].nunique())}


def cell_values(cell: dict[str, Any]) -> dict[str, float]:
    low, high = cell["conf_int"]
    return {
        "estimate": float(cell["effect"]),
        "std_error": float(cell["se"]),
        "p_value": float(cell["p_value"]),
        "ci_low": float(low),
        "ci_high": float(high),
    }


def with_reference(path: pd.DataFrame, base: int) -> pd.DataFrame:
    if (path["relative_time"] == base).any():
        return path
    zero = {"relative_time": base, "estimate": 0.0, "ci_low": 0.0, "ci_high": 0.0}
    return (
        pd.concat([path, pd.DataFrame([zero])], ignore_index=True)
        .sort_values("relative_time")
        .reset_index(drop=True)
    )
