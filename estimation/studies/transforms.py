"""What a study file may do to its sample before a column is estimated, by name.

Belongs here: the registry of declared changes, applying them, and which columns they read. Does not
belong here: the changes themselves (``sample_rows``, ``sample_columns``), or anything a dbt model
should have settled for all users of the panel.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
    from estimation.studies import sample_columns, sample_rows  # noqa: F401  (registers them)

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
    known = names()
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
        if name not in known:
            raise ValueError(f"unknown transform {name!r}; known: {', '.join(known)}")
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


def options(argument: Any, name: str, known: Sequence[str], main: str | None = None) -> dict:
    """Arguments as a mapping; a bare list or string stands for the main argument."""
    if not isinstance(argument, Mapping):
        if main is None:
            raise ValueError(f"transform {name} needs a mapping with {list(known)}")
        argument = {main: argument}
    unknown = set(argument) - set(known)
    if unknown:
        raise ValueError(f"transform {name}: unknown {sorted(unknown)}; known: {list(known)}")
    return dict(argument)


def columns_of(value: Any, frame: pd.DataFrame, model: ModelSpec, name: str) -> list[str]:
    """Column names; ``continuous`` is the outcome and controls with more than two values."""
    if value == "continuous":
        wanted = [model.outcome, *model.controls]
        require(frame, wanted, f"transform {name}")
        return [c for c in dict.fromkeys(wanted) if frame[c].nunique() > 2]
    wanted = [value] if isinstance(value, str) else list(value)
    require(frame, wanted, f"transform {name}")
    return wanted
