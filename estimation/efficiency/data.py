"""From a panel to the arrays a technology needs, refusing data a DEA model cannot stand on.

Belongs here: checks and their messages. Does not belong here: models and solvers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from estimation.efficiency.programs import Array

_SHOWN = 20


class EfficiencyDataError(ValueError):
    """The data cannot enter a DEA model; the message lists the units and variables."""


@dataclass(frozen=True)
class Observations:
    """Checked observations: arrays (N, m), (N, s), (N, b), and the labels of the rows."""

    labels: pd.DataFrame
    inputs: Array
    good: Array
    bad: Array

    @property
    def data(self) -> Array:
        """All variables side by side: inputs, good outputs, bad outputs."""
        return np.hstack([self.inputs, self.good, self.bad])


def read_observations(
    data: pd.DataFrame,
    *,
    unit: str,
    time: str | None,
    inputs: Sequence[str],
    good_outputs: Sequence[str],
    bad_outputs: Sequence[str] = (),
) -> Observations:
    """Check a panel and take its columns apart.

    Raises
    ------
    EfficiencyDataError
        If a column is absent or used twice, a unit-period occurs twice, or a value is missing,
        infinite, zero or negative; the message lists the units (up to 20) and how many there are.
    """
    if isinstance(inputs, str) or isinstance(good_outputs, str) or isinstance(bad_outputs, str):
        raise EfficiencyDataError("give inputs and outputs as lists of column names")
    keys = [unit] if time is None else [unit, time]
    variables = [*inputs, *good_outputs, *bad_outputs]
    if not inputs or not good_outputs:
        raise EfficiencyDataError("at least one input and one good output are needed")
    absent = [c for c in [*keys, *variables] if c not in data.columns]
    if absent:
        raise EfficiencyDataError(f"no column {absent}; the table has {list(data.columns)}")
    if len(set(variables)) < len(variables):
        raise EfficiencyDataError(f"a variable is used twice among {variables}")
    if data.empty:
        raise EfficiencyDataError("the table has no rows")
    labels = data[keys].reset_index(drop=True)
    unlabelled = labels.isna().any(axis=1)
    if unlabelled.any():
        raise EfficiencyDataError(f"{int(unlabelled.sum())} rows have no {' or '.join(keys)}")
    twice = labels.duplicated(keep=False)
    if twice.any():
        raise EfficiencyDataError(
            f"{_name_rows(labels, np.flatnonzero(twice))} occur more than once; "
            f"one row per {' and '.join(keys)} is expected"
        )
    values = data[variables].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    problems = []
    for description, wrong in (
        ("missing or not a finite number", ~np.isfinite(values)),
        ("zero", values == 0.0),
        ("negative", np.isfinite(values) & (values < 0.0)),
    ):
        for c, variable in enumerate(variables):
            rows = np.flatnonzero(wrong[:, c])
            if len(rows):
                problems.append(f"{variable} is {description} for {_name_rows(labels, rows)}")
    if problems:
        raise EfficiencyDataError(
            "DEA needs positive data: "
            + "; ".join(problems)
            + ". Fill or drop these units before computing efficiency."
        )
    m, s = len(inputs), len(good_outputs)
    return Observations(labels, values[:, :m], values[:, m : m + s], values[:, m + s :])


def _name_rows(labels: pd.DataFrame, rows: np.ndarray) -> str:
    shown = [" ".join(str(v) for v in labels.iloc[r]) for r in rows[:_SHOWN]]
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"{len(rows)} unit(s): {', '.join(shown)}{more}"
