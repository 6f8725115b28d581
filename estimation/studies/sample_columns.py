"""Declared changes of values: tails cut, lags, interactions, groups, new columns.

Belongs here: what adds or replaces columns. Does not belong here: which rows are used
(``sample_rows``), applying changes (``transforms``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from estimation.panel import require
from estimation.studies.transforms import columns_of, options, transform

if TYPE_CHECKING:
    from estimation.studies.spec import ModelSpec


@transform("winsorise")
def _winsorise(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Set values below the ``lower`` and above the ``upper`` tail share to the quantile.

    The quantile is the smallest observed value whose cumulative share reaches the tail (no
    interpolation), so that winsorised values are values of the data.
    """
    o = options(argument, "winsorise", ["columns", "lower", "upper"], "columns")
    for c in columns_of(o.get("columns", "continuous"), frame, model, "winsorise"):
        low, high = tails(frame[c], o)
        frame[c] = frame[c].astype(float).clip(low, high)
    return frame


def tails(values: pd.Series, o: Mapping[str, Any]) -> tuple[float, float]:
    lower, upper = float(o.get("lower", 0.01)), float(o.get("upper", 0.01))
    if not (0 <= lower < 0.5 and 0 <= upper < 0.5):
        raise ValueError(f"tail shares must lie in [0, 0.5), got {lower} and {upper}")
    v = values.dropna().astype(float)
    return (
        float(v.quantile(lower, interpolation="higher")),
        float(v.quantile(1 - upper, interpolation="lower")),
    )


@transform("lag")
def _lag(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``L<by>_<column>``: the value ``by`` years earlier of the entity (gaps stay gaps)."""
    return _shift(frame, options(argument, "lag", ["columns", "by"], "columns"), model, "L", 1)


@transform("lead")
def _lead(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``F<by>_<column>``: the value ``by`` years later of the same entity."""
    return _shift(frame, options(argument, "lead", ["columns", "by"], "columns"), model, "F", -1)


def _shift(
    frame: pd.DataFrame, o: Mapping[str, Any], model: ModelSpec, prefix: str, sign: int
) -> pd.DataFrame:
    by = int(o.get("by", 1))
    columns = columns_of(o["columns"], frame, model, "lag or lead")
    keys = [model.entity, model.time]
    moved = frame[[*keys, *columns]].copy()
    moved[model.time] = moved[model.time] + sign * by
    moved = moved.rename(columns={c: f"{prefix}{by}_{c}" for c in columns})
    clash = [c for c in moved.columns if c in frame.columns and c not in keys]
    return frame.drop(columns=clash).merge(moved, on=keys, how="left")


@transform("interact_trend")
def _interact_trend(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``<column>_x_trend<p>`` for powers p of the years since the first year."""
    o = options(argument, "interact_trend", ["columns", "powers", "trend"], "columns")
    trend = (
        frame[o["trend"]].astype(float)
        if "trend" in o
        else (frame[model.time] - frame[model.time].min()).astype(float)
    )
    for c in columns_of(o["columns"], frame, model, "interact_trend"):
        for p in o.get("powers", [1, 2]):
            frame[f"{c}_x_trend{p}"] = frame[c].astype(float) * trend ** int(p)
    return frame


@transform("interact")
def _interact(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add the product of columns, called ``name`` (default ``a_x_b``); ``centre`` demeans first."""
    o = options(argument, "interact", ["columns", "name", "centre"], "columns")
    columns = columns_of(o["columns"], frame, model, "interact")
    product = pd.Series(1.0, index=frame.index)
    for c in columns:
        v = frame[c].astype(float)
        product = product * (v - v.mean() if c in o.get("centre", ()) else v)
    frame[o.get("name", "_x_".join(columns))] = product
    return frame


@transform("add_columns")
def _add_columns(frame: pd.DataFrame, argument: Any, _model: ModelSpec) -> pd.DataFrame:
    """Add columns from expressions in the columns: ``{name: "a / b"}``."""
    for name, expression in options(argument, "add_columns", list(argument)).items():
        try:
            frame[name] = frame.eval(str(expression))
        except Exception as error:  # as in `where`: the cause is kept in the message
            raise ValueError(f"transform add_columns: {name} = {expression!r}: {error}") from error
    return frame


@transform("square")
def _square(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``<column>_sq``."""
    for c in columns_of(argument, frame, model, "square"):
        frame[f"{c}_sq"] = frame[c].astype(float) ** 2
    return frame


@transform("log")
def _log(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``ln_<column>``; a value of zero or less raises (``plus`` adds a constant first)."""
    o = options(argument, "log", ["columns", "plus"], "columns")
    for c in columns_of(o["columns"], frame, model, "log"):
        v = frame[c].astype(float) + float(o.get("plus", 0))
        if (v <= 0).any():
            raise ValueError(f"transform log: {c} has {int((v <= 0).sum())} values not above zero")
        frame[f"ln_{c}"] = np.log(v)
    return frame


@transform("standardise")
def _standardise(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Replace columns by (x - mean) / sd over the sample (sd with n - 1)."""
    for c in columns_of(argument, frame, model, "standardise"):
        v = frame[c].astype(float)
        if not v.std() > 0:
            raise ValueError(f"transform standardise: {c} does not vary")
        frame[c] = (v - v.mean()) / v.std()
    return frame


@transform("group_by_cut")
def _group_by_cut(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add a 0/1 column: 1 where ``column`` lies above its median (or mean).

    ``level``: ``row`` compares rows, ``entity`` compares entity means (over the years before
    ``before``, if given). Values equal to the cut are in the low group, or with ``ties: high`` in
    the high one (an odd number of entities). ``reverse`` swaps.
    """
    known = ["column", "name", "cut", "level", "before", "ties", "reverse"]
    o = options(argument, "group_by_cut", known)
    column, name = o["column"], o["name"]
    require(frame, [column], "transform group_by_cut")
    level, cut = o.get("level", "row"), o.get("cut", "median")
    if level not in ("row", "entity") or cut not in ("median", "mean"):
        raise ValueError("transform group_by_cut: level is row or entity, cut is median or mean")
    value = frame[column].astype(float)
    if level == "entity":
        base = frame[frame[model.time] < o["before"]] if "before" in o else frame
        means = base.groupby(model.entity)[column].mean()
        value = frame[model.entity].map(means).astype(float)
        reference = means
    else:
        reference = value
    threshold = reference.median() if cut == "median" else reference.mean()
    above = value >= threshold if o.get("ties", "low") == "high" else value > threshold
    high = above.astype(float)
    if o.get("reverse", False):
        high = 1 - high
    frame[name] = high.where(value.notna())
    return frame
