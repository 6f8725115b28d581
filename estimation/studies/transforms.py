"""What a study file may do to its sample before a column is estimated, by name.

Belongs here: declared, reproducible changes of a panel (rows kept, columns added, tails cut). Does
not belong here: estimators, or anything a dbt model should have settled for all users of the panel.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from estimation.panel import require

if TYPE_CHECKING:
    from estimation.studies.spec import ModelSpec

Transform = Callable[[pd.DataFrame, Any, "ModelSpec"], pd.DataFrame]
_TRANSFORMS: dict[str, Transform] = {}


def transform(name: str) -> Callable[[Transform], Transform]:
    """Register a transform under the key that a study file uses."""

    def register(function: Transform) -> Transform:
        _TRANSFORMS[name] = function
        return function

    return register


def names() -> list[str]:
    """Names of all transforms, sorted."""
    return sorted(_TRANSFORMS)


def apply(
    data: pd.DataFrame, transforms: Iterable[Mapping[str, Any]], model: ModelSpec
) -> pd.DataFrame:
    """Apply transforms in order to a copy of the sample.

    Parameters
    ----------
    data : DataFrame
        Sample with the model's entity and time columns.
    transforms : iterable of one-key mappings
        For example ``[{"drop_years": [2020]}, {"winsorise": {"columns": "continuous"}}]``.
    model : ModelSpec
        Names the outcome, treatment, controls, entity and time that transforms refer to.

    Raises
    ------
    ValueError
        If a transform is unknown, an argument is missing or unknown, or no row is left.
    MissingData
        If a column that a transform needs is absent or empty.
    """
    frame = data.copy()
    for column in frame.columns:
        # Nullable numbers turn comparisons with a missing value into missing; floats into false.
        if isinstance(frame[column].dtype, pd.api.extensions.ExtensionDtype) and (
            pd.api.types.is_numeric_dtype(frame[column].dtype)
        ):
            frame[column] = frame[column].astype(float)
    for step in transforms:
        if len(step) != 1:
            raise ValueError(f"a transform is a mapping with one key, got {sorted(step)}")
        name, argument = next(iter(step.items()))
        if name not in _TRANSFORMS:
            raise ValueError(f"unknown transform {name!r}; known: {', '.join(names())}")
        try:
            frame = _TRANSFORMS[name](frame, argument, model)
        except KeyError as error:
            raise ValueError(f"transform {name}: the argument {error} is missing") from error
        if frame.empty:
            raise ValueError(f"transform {name} ({argument}) leaves no row of the sample")
    return frame


def source_columns(model: ModelSpec) -> list[str]:
    """Columns that the transforms of a model read from the sample itself.

    Columns that an earlier transform adds are not among them, so a caller can tell a variable that
    the user has not brought from one that the study file makes.
    """
    read: list[str] = []
    made: set[str] = set()
    for step in model.transforms:
        name, argument = next(iter(step.items()))
        names_read, names_made = _reads_and_makes(name, argument, model)
        read += [c for c in names_read if c not in made]
        made |= set(names_made)
    return list(dict.fromkeys(read))


def _reads_and_makes(name: str, argument: Any, model: ModelSpec) -> tuple[list[str], list[str]]:
    if name == "where":
        return _names_in(str(argument)), []
    if name == "add_columns":
        reads = [c for expression in argument.values() for c in _names_in(str(expression))]
        return [c for c in reads if c not in argument], list(argument)
    if name in ("years", "drop_years"):
        return [model.time], []
    o = dict(argument) if isinstance(argument, Mapping) else {"columns": argument}
    value = o.get("columns", "continuous" if name in ("winsorise", "trim") else None)
    if value == "continuous":
        columns = [model.outcome, *model.controls]
    elif value is True or value is None:
        columns = []
    else:
        columns = [value] if isinstance(value, str) else list(value)
    singles = [
        o[k] for k in ("column", "adoption", "duration", "trend") if isinstance(o.get(k), str)
    ]
    by = int(o.get("by", 1)) if name in ("lag", "lead") else 1
    made = {
        "lag": [f"L{by}_{c}" for c in columns],
        "lead": [f"F{by}_{c}" for c in columns],
        "interact_trend": [f"{c}_x_trend{p}" for c in columns for p in o.get("powers", [1, 2])],
        "interact": [o.get("name", "_x_".join(columns))],
        "square": [f"{c}_sq" for c in columns],
        "log": [f"ln_{c}" for c in columns],
        "group_by_cut": [o.get("name")],
        "match": ["match_weight"],
    }.get(name, [])
    return [*columns, *singles], [m for m in made if m]


def _names_in(expression: str) -> list[str]:
    """Variable names of an expression in the query language, in order."""
    text = re.sub(r"@\w+", "0", expression)
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"cannot read the expression {expression!r}: {error}") from error
    calls = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in calls]


def _options(argument: Any, name: str, known: Sequence[str], main: str | None = None) -> dict:
    """Arguments as a mapping; a bare list or string stands for the main argument."""
    if not isinstance(argument, Mapping):
        if main is None:
            raise ValueError(f"transform {name} needs a mapping with {list(known)}")
        argument = {main: argument}
    unknown = set(argument) - set(known)
    if unknown:
        raise ValueError(f"transform {name}: unknown {sorted(unknown)}; known: {list(known)}")
    return dict(argument)


def _columns(value: Any, frame: pd.DataFrame, model: ModelSpec, name: str) -> list[str]:
    """Column names; ``continuous`` is the outcome and controls with more than two values."""
    if value == "continuous":
        wanted = [model.outcome, *model.controls]
        require(frame, wanted, f"transform {name}")
        return [c for c in dict.fromkeys(wanted) if frame[c].nunique() > 2]
    wanted = [value] if isinstance(value, str) else list(value)
    require(frame, wanted, f"transform {name}")
    return wanted


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
    o = _options(argument, "years", ["from", "to"])
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
    flags = _columns(_options(argument, "drop_rank", ["columns"], "columns")["columns"], frame,
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
        else _columns(argument, frame, model, "balanced")
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
    return frame.dropna(subset=_columns(argument, frame, model, "drop_missing")).copy()


@transform("winsorise")
def _winsorise(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Set values below the ``lower`` and above the ``upper`` tail share to the quantile.

    The quantile is the smallest observed value whose cumulative share reaches the tail (no
    interpolation), so that winsorised values are values of the data.
    """
    o = _options(argument, "winsorise", ["columns", "lower", "upper"], "columns")
    for c in _columns(o.get("columns", "continuous"), frame, model, "winsorise"):
        low, high = _tails(frame[c], o)
        frame[c] = frame[c].astype(float).clip(low, high)
    return frame


@transform("trim")
def _trim(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Leave out rows in which any of the columns lies outside its tails."""
    o = _options(argument, "trim", ["columns", "lower", "upper"], "columns")
    keep = np.ones(len(frame), dtype=bool)
    for c in _columns(o.get("columns", "continuous"), frame, model, "trim"):
        low, high = _tails(frame[c], o)
        keep &= (frame[c].isna() | frame[c].between(low, high)).to_numpy()
    return frame[keep].copy()


def _tails(values: pd.Series, o: Mapping[str, Any]) -> tuple[float, float]:
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
    return _shift(frame, _options(argument, "lag", ["columns", "by"], "columns"), model, "L", 1)


@transform("lead")
def _lead(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``F<by>_<column>``: the value ``by`` years later of the same entity."""
    return _shift(frame, _options(argument, "lead", ["columns", "by"], "columns"), model, "F", -1)


def _shift(
    frame: pd.DataFrame, o: Mapping[str, Any], model: ModelSpec, prefix: str, sign: int
) -> pd.DataFrame:
    by = int(o.get("by", 1))
    columns = _columns(o["columns"], frame, model, "lag or lead")
    keys = [model.entity, model.time]
    moved = frame[[*keys, *columns]].copy()
    moved[model.time] = moved[model.time] + sign * by
    moved = moved.rename(columns={c: f"{prefix}{by}_{c}" for c in columns})
    clash = [c for c in moved.columns if c in frame.columns and c not in keys]
    return frame.drop(columns=clash).merge(moved, on=keys, how="left")


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
    o = _options(argument, "shift_treatment", ["treatment", "adoption", "years", "before"])
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
    o = _options(argument, "keep_cohorts", ["adoption", "cohorts", "last", "set_year", "treatment"])
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
    o = _options(argument, "duration_band", ["duration", "from", "to", "treatment"])
    treatment = o.get("treatment", model.treatment[0])
    require(frame, [o["duration"], treatment], "transform duration_band")
    years = frame[o["duration"]].astype(float)
    inside = (years >= o.get("from", 0)) & (years <= o.get("to", np.inf))
    return frame[(frame[treatment].astype(float) == 0) | inside].copy()


@transform("interact_trend")
def _interact_trend(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``<column>_x_trend<p>`` for powers p of the years since the first year."""
    o = _options(argument, "interact_trend", ["columns", "powers", "trend"], "columns")
    trend = (
        frame[o["trend"]].astype(float)
        if "trend" in o
        else (frame[model.time] - frame[model.time].min()).astype(float)
    )
    for c in _columns(o["columns"], frame, model, "interact_trend"):
        for p in o.get("powers", [1, 2]):
            frame[f"{c}_x_trend{p}"] = frame[c].astype(float) * trend ** int(p)
    return frame


@transform("interact")
def _interact(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add the product of columns, called ``name`` (default ``a_x_b``); ``centre`` demeans first."""
    o = _options(argument, "interact", ["columns", "name", "centre"], "columns")
    columns = _columns(o["columns"], frame, model, "interact")
    product = pd.Series(1.0, index=frame.index)
    for c in columns:
        v = frame[c].astype(float)
        product = product * (v - v.mean() if c in o.get("centre", ()) else v)
    frame[o.get("name", "_x_".join(columns))] = product
    return frame


@transform("add_columns")
def _add_columns(frame: pd.DataFrame, argument: Any, _model: ModelSpec) -> pd.DataFrame:
    """Add columns from expressions in the columns: ``{name: "a / b"}``."""
    for name, expression in _options(argument, "add_columns", list(argument)).items():
        try:
            frame[name] = frame.eval(str(expression))
        except Exception as error:  # as in `where`: the cause is kept in the message
            raise ValueError(f"transform add_columns: {name} = {expression!r}: {error}") from error
    return frame


@transform("square")
def _square(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``<column>_sq``."""
    for c in _columns(argument, frame, model, "square"):
        frame[f"{c}_sq"] = frame[c].astype(float) ** 2
    return frame


@transform("log")
def _log(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Add ``ln_<column>``; a value of zero or less raises (``plus`` adds a constant first)."""
    o = _options(argument, "log", ["columns", "plus"], "columns")
    for c in _columns(o["columns"], frame, model, "log"):
        v = frame[c].astype(float) + float(o.get("plus", 0))
        if (v <= 0).any():
            raise ValueError(f"transform log: {c} has {int((v <= 0).sum())} values not above zero")
        frame[f"ln_{c}"] = np.log(v)
    return frame


@transform("standardise")
def _standardise(frame: pd.DataFrame, argument: Any, model: ModelSpec) -> pd.DataFrame:
    """Replace columns by (x - mean) / sd over the sample (sd with n - 1)."""
    for c in _columns(argument, frame, model, "standardise"):
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
    o = _options(argument, "group_by_cut", known)
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
