"""Declared changes that decide which rows of a sample are used, and when treatment begins.

Belongs here: filters, sample rules, counterfactual timing, matching. Does not belong here: changes
of values (``sample_columns``), applying them (``transforms``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from estimation.panel import require
from estimation.studies.sample_columns import tails
from estimation.studies.transforms import columns_of, options, transform

if TYPE_CHECKING:
    from estimation.studies.spec import ModelSpec


@transform("where")
def _where(frame: pd.DataFrame, argument: Any, _model: ModelSpec) -> pd.DataFrame:
    """Keep the rows for which a pandas query is true."""
    try:
        return frame.query(str(argument)).copy()
    except Exception as error:  # the query language raises many kinds; the message keeps the cause
        raise ValueError(f"transform where: cannot evaluate {argument!r}: {error}") from error


@transform("years")
def _years(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Keep the years ``from`` to ``to``, both included, either optional."""
    o = options(argument, "years", ["from", "to"])
    t = frame[model.time]
    low, high = o.get("from", t.min()), o.get("to", t.max())
    return frame[(t >= low) & (t <= high)].copy()


@transform("drop_years")
def _drop_years(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Leave out the listed years."""
    years = [argument] if isinstance(argument, int) else list(argument)
    return frame[~frame[model.time].isin(years)].copy()


@transform("drop_rank")
def _drop_rank(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Leave out entities for which any of the 0/1 columns is 1 (municipalities, capitals ...)."""
    flags = columns_of(options(argument, "drop_rank", ["columns"], "columns")["columns"], frame,
                     model, "drop_rank")  # fmt: skip
    marked = (frame[flags].fillna(0).astype(float) != 0).any(axis=1)
    gone = set(frame.loc[marked, model.entity])
    return frame[~frame[model.entity].isin(gone)].copy()


@transform("balanced")
def _balanced(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Keep the entities with a complete row in every year (``true``: the model's columns)."""
    columns = (
        [model.outcome, *model.treatment, *model.controls]
        if argument is True
        else columns_of(argument, frame, model, "balanced")
    )
    require(frame, columns, "transform balanced")
    complete = frame.dropna(subset=columns)
    years = complete[model.time].nunique()
    counts = complete.groupby(model.entity)[model.time].nunique()
    full = set(counts[counts == years].index)
    return complete[complete[model.entity].isin(full)].copy()


@transform("drop_missing")
def _drop_missing(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Leave out rows with a missing cell in the columns."""
    return frame.dropna(subset=columns_of(argument, frame, model, "drop_missing")).copy()


@transform("trim")
def _trim(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Leave out rows in which any of the columns lies outside its tails."""
    o = options(argument, "trim", ["columns", "lower", "upper"], "columns")
    keep = np.ones(len(frame), dtype=bool)
    for c in columns_of(o.get("columns", "continuous"), frame, model, "trim"):
        low, high = tails(frame[c], o)
        keep &= (frame[c].isna() | frame[c].between(low, high)).to_numpy()
    return frame[keep].copy()


def _within_sample(frame: pd.DataFrame, adoption: str, model: ModelSpec) -> pd.Series:
    """Adoption years; one after the last year of the sample is never, as far as it can show."""
    years = frame[adoption].astype(float)
    return years.where(years <= float(frame[model.time].max()))


@transform("shift_treatment")
def _shift_treatment(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Counterfactual timing: adoption ``years`` earlier, on years before the true adoption.

    ``adoption`` is the column of true adoption years (missing = never). ``before`` keeps only
    years earlier than it; without it each treated entity keeps its own pre-adoption years.
    """
    o = options(argument, "shift_treatment", ["treatment", "adoption", "years", "before"])
    treatment = o.get("treatment", model.treatment[0])
    require(frame, [o["adoption"]], "transform shift_treatment")
    true = _within_sample(frame, o["adoption"], model)
    t = frame[model.time].astype(float)
    keep = t < float(o["before"]) if "before" in o else true.isna() | (t < true)
    frame[treatment] = (t >= true - abs(int(o["years"]))).astype(float)  # NaN compares as False
    return frame[keep].copy()


@transform("keep_cohorts")
def _keep_cohorts(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Keep never-treated entities and the cohorts listed (or adopted up to ``last``).

    Entities that adopt after the sample ends count as never treated.

    ``set_year`` replaces their adoption by one date, which makes a single-date design.
    """
    o = options(argument, "keep_cohorts", ["adoption", "cohorts", "last", "set_year", "treatment"])
    require(frame, [o["adoption"]], "transform keep_cohorts")
    adoption = _within_sample(frame, o["adoption"], model)
    chosen = adoption.isin([float(c) for c in o["cohorts"]]) if "cohorts" in o else (
        adoption <= float(o["last"])
    )  # fmt: skip
    if not chosen.any():
        raise ValueError(f"transform keep_cohorts: no entity adopted as asked in {dict(o)}")
    treatment = o.get("treatment", model.treatment[0])
    if "set_year" in o:
        year = float(o["set_year"])
        frame[treatment] = (chosen & (frame[model.time].astype(float) >= year)).astype(float)
        frame[o["adoption"]] = adoption.where(~chosen, year)
    return frame[chosen | adoption.isna()].copy()


@transform("duration_band")
def _duration_band(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Keep untreated rows, and treated rows whose years since adoption lie in [from, to]."""
    o = options(argument, "duration_band", ["duration", "from", "to", "treatment"])
    treatment = o.get("treatment", model.treatment[0])
    require(frame, [o["duration"], treatment], "transform duration_band")
    years = frame[o["duration"]].astype(float)
    inside = (years >= o.get("from", 0)) & (years <= o.get("to", np.inf))
    return frame[(frame[treatment].astype(float) == 0) | inside].copy()


@transform("match")
def _match(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Keep the rows that propensity score matching uses and add their ``match_weight``.

    ``covariates`` (default: the controls), ``group`` (0/1 column, default: ever treated), ``by``
    (pooled | time) and the options of ``matching.match_weights``.
    """
    from estimation.matching import ever_treated, match

    o = dict(argument)
    covariates = o.pop("covariates", None) or list(model.controls)
    group = o.pop("group", None)
    work = frame.copy()
    if group is None:
        group = "__ever_treated"
        work[group] = ever_treated(work, model.treatment[0], entity=model.entity)
    result = match(work, treated=group, covariates=covariates, time=model.time, **o)
    frame["match_weight"] = result.weights
    return frame[result.weights > 0].copy()
