"""What a release rule is: a number derived per row, the interval it must lie in, and what it means.

Belongs here: the rule type and helpers that rules share. Does not belong here: the rules of a table
(one module per gated table) or running them (``runner``). Keys, ranges and relations are dbt tests
and are not repeated here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Severity = Literal["critical", "warning"]
# The part that a column plays in the number that a rule checks.
Role = Literal["numerator", "denominator", "term"]


@dataclass(frozen=True)
class Rule:
    """One release rule on a city-year table.

    Attributes
    ----------
    name : str
        Stable identifier, also the name of the asset check.
    severity : {"critical", "warning"}
        A failed critical rule stops publication.
    description : str
        One sentence for the UI and Data Docs.
    needs : tuple of str
        Columns that the rule reads. Without one of them, or without a value in them, the rule does
        not apply, and says so.
    derive : callable
        From the table, sorted by city and year, to the checked number per row; NaN where the rule
        does not apply to the row.
    low, high : float or None
        The interval that the number must lie in.
    tolerated : float
        Share of the checked rows that may lie outside before the rule fails. Rows outside are
        findings in any case.
    expected : str
        What was expected, for the message.
    likely_cause : str
        What is usually behind a violation.
    cites : tuple of str
        Columns whose source cells a finding names; by default ``needs``. On a long table (one row
        per ``indicator``) a finding always names the row's own ``indicator`` and ``value``.
    explain : callable, optional
        From offending rows to the likely cause of each; by default ``likely_cause`` for all.
    bounds : callable, optional
        From offending rows, their checked numbers and the cited column to the lowest and highest
        value expected there, in the unit of the value.
    allowed : callable, optional
        From the table to the reason why a row is known to be right although it looks odd, None
        elsewhere. Such rows are listed with the severity ``allowed`` and do not fail the rule.
    """

    name: str
    severity: Severity
    description: str
    needs: tuple[str, ...]
    derive: Callable[[pd.DataFrame], pd.Series]
    expected: str
    likely_cause: str
    low: float | None = None
    high: float | None = None
    tolerated: float = 0.0
    cites: tuple[str, ...] = ()
    explain: Callable[[pd.DataFrame], pd.Series] | None = None
    bounds: Callable[[pd.DataFrame, pd.Series, str], tuple[pd.Series, pd.Series]] | None = None
    allowed: Callable[[pd.DataFrame], pd.Series] | None = None

    def applies(self, table: pd.DataFrame) -> str | None:
        """None if the rule can be checked on ``table``, else the reason why it cannot."""
        absent = [c for c in self.needs if c not in table.columns]
        if absent:
            return f"the table has no column {', '.join(absent)}"
        empty = [c for c in self.needs if table[c].isna().all()]
        if empty:
            return f"no value of {', '.join(empty)}: its source was not brought"
        return None


def bounds_by_role(
    roles: dict[str, Role], low: float | None, high: float | None
) -> Callable[[pd.DataFrame, pd.Series, str], tuple[pd.Series, pd.Series]]:
    """Expected range of a single value, from the part that it plays in the checked number.

    With the other columns as printed, a ``numerator`` v of a checked ratio c must lie in
    [v low/c, v high/c], a ``denominator`` in [v c/high, v c/low], and a ``term`` of a checked sum
    in [v + low - c, v + high - c].
    """
    lowest, highest = -np.inf if low is None else low, np.inf if high is None else high

    def bounds(rows: pd.DataFrame, checked: pd.Series, column: str) -> tuple[pd.Series, pd.Series]:
        value, role = rows[column].astype("float64"), roles.get(column)
        if role == "term":
            return value + (lowest - checked), value + (highest - checked)
        if role == "numerator":
            return value * lowest / checked, value * highest / checked
        if role == "denominator":
            upper = value * checked / lowest if lowest > 0 else value * np.inf
            return value * checked / highest, upper
        unknown = pd.Series(np.nan, index=rows.index)
        return unknown, unknown

    return bounds


def share_outside_by_year(
    table: pd.DataFrame, values: pd.Series, low: float, high: float
) -> pd.Series:
    """Share of a year's values outside an interval, carried by the year's first row.

    A misprint in one city is a finding; a tenth of a year's cities outside is a defect of the
    source (columns exchanged, units mixed) and no release should carry it.
    """
    known = values.notna()
    outside = (known & ~values.between(low, high)).astype("float64").where(known)
    share = outside.groupby(table["year"]).transform("mean")
    return share.where(~table.duplicated("year"))


def withdrawn(table: pd.DataFrame, flag: str) -> pd.Series:
    """1 where an absorbing flag falls from 1 to 0, else 0 (NaN in a city's first year)."""
    before = table[flag].groupby(table["city_code"]).shift()
    return (before - table[flag]).astype("float64")
