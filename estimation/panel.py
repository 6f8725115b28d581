"""Checks that every panel estimator owes its caller before it computes anything.

Belongs here: required columns, missing cells, duplicate entity-time rows, and the errors that name
them. Does not belong here: building samples (dbt), changing them (``studies.transforms``), or
estimating.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


class MissingData(ValueError):
    """Columns that an estimation needs are absent or hold no value.

    Attributes
    ----------
    columns : tuple of str
        What is missing, so that a report can say which source the user has not brought.
    """

    def __init__(self, columns: Iterable[str], purpose: str, available: Iterable[str] = ()) -> None:
        self.columns = tuple(columns)
        listed = ", ".join(self.columns)
        close = sorted(str(c) for c in available)
        hint = f" The sample has: {', '.join(close)}." if close else ""
        super().__init__(
            f"{purpose} needs the column(s) {listed}, which are absent or empty in this sample; "
            f"bring the source that supplies them, or leave the column out of the study.{hint}"
        )


class NoVariation(ValueError):
    """A regressor of interest does not vary once the fixed effects are taken out."""


@dataclass(frozen=True)
class CompleteCases:
    """Rows without a missing cell in the columns used.

    Attributes
    ----------
    frame : DataFrame
        Complete rows, sorted by entity and time, index 0..n-1.
    n_missing : int
        Rows left out because a used cell is missing.
    """

    frame: pd.DataFrame
    n_missing: int


def require(data: pd.DataFrame, columns: Sequence[str], purpose: str) -> None:
    """Raise ``MissingData`` when a column is absent or has no value at all."""
    gone = [c for c in dict.fromkeys(columns) if c not in data.columns]
    empty = [c for c in dict.fromkeys(columns) if c in data.columns and data[c].isna().all()]
    if gone or empty:
        raise MissingData([*gone, *empty], purpose, data.columns if gone else ())


def complete_cases(
    data: pd.DataFrame,
    columns: Sequence[str],
    *,
    entity: str,
    time: str,
    purpose: str,
    unique: bool = True,
) -> CompleteCases:
    """Complete rows of ``columns`` (plus entity and time), sorted by entity and time.

    Sorting makes every later sum run in the same order, so results do not depend on the order in
    which a database handed the rows over.

    Raises
    ------
    MissingData
        If a column is absent or empty.
    ValueError
        If an entity has two rows for one time (``unique``), or no complete row is left.
    """
    needed = list(dict.fromkeys([entity, time, *columns]))
    require(data, needed, purpose)
    frame = data[needed].dropna()
    if frame.empty:
        worst = data[needed].isna().mean().sort_values(ascending=False)
        raise ValueError(
            f"{purpose}: no row is complete in {needed}; most often missing: "
            + ", ".join(f"{c} ({s:.0%})" for c, s in worst.head(3).items())
        )
    if unique:
        twice = frame.duplicated([entity, time])
        if twice.any():
            first = frame.loc[twice, [entity, time]].iloc[0]
            raise ValueError(
                f"{purpose}: {int(twice.sum())} rows repeat an entity-time pair, first "
                f"{entity}={first.iloc[0]}, {time}={first.iloc[1]}; expected one row per pair"
            )
    frame = frame.sort_values([entity, time], kind="mergesort").reset_index(drop=True)
    return CompleteCases(frame, len(data) - len(frame))


def as_matrix(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Columns as a float array (n, k); booleans become 0/1, text raises with the column's name."""
    out = np.empty((len(frame), len(columns)))
    for j, column in enumerate(columns):
        try:
            out[:, j] = frame[column].to_numpy(dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"column {column} is not numeric ({frame[column].dtype}); encode it as numbers"
            ) from error
    if not np.isfinite(out).all():
        bad = [c for j, c in enumerate(columns) if not np.isfinite(out[:, j]).all()]
        raise ValueError(f"columns {bad} hold infinite values; check divisions by zero and logs")
    return out


def adoption_year(data: pd.DataFrame, treatment: str, *, entity: str, time: str) -> pd.Series:
    """First time an absorbing 0/1 treatment is 1, per entity (NaN = never), index entity.

    Raises
    ------
    ValueError
        If the flag is not 0/1 or falls back from 1 to 0; the message names entity and time.
    """
    require(data, [entity, time, treatment], "finding adoption years")
    frame = data[[entity, time, treatment]].dropna().sort_values([entity, time], kind="mergesort")
    flag = frame[treatment].to_numpy(dtype=float)
    odd = ~np.isin(flag, (0.0, 1.0))
    if odd.any():
        row = frame.iloc[int(np.argmax(odd))]
        raise ValueError(
            f"{treatment} must be 0 or 1; {row[entity]} in {row[time]} has {row[treatment]}"
        )
    same = frame[entity].to_numpy()[1:] == frame[entity].to_numpy()[:-1]
    back = same & (flag[1:] < flag[:-1])
    if back.any():
        row = frame.iloc[int(np.argmax(back)) + 1]
        raise ValueError(
            f"{treatment} must be absorbing; {row[entity]} falls back to 0 in {row[time]}"
        )
    first = frame.loc[flag == 1.0].groupby(entity, sort=True)[time].min().astype(float)
    return first.reindex(np.sort(frame[entity].unique()))
