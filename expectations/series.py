"""Release rules of the observed series behind the panel, one row per printed value taken.

Belongs here: shifted digits, mixed units, exchanged columns, jumps, coverage of a year: what a
series says about itself. Does not belong here: relations between columns (``city_year``), or one
source against another (``sources``). Interpolated values are left out: they would hide a jump.
The table comes from ``series_table.prepare``.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from expectations import diagnosis
from expectations.allowed import reasons, reasons_for_column
from expectations.rules import Rule
from expectations.series_table import expected_range

TABLE = "series"
# Three cities of one column and year, or a twentieth of them, are a block and no misprint.
BLOCK_CITIES, BLOCK_SHARE = 3, 0.05
# A year may hold this much less of an indicator's cities than the years around it.
MAX_COVERAGE_LOSS = 0.20


def _is_unit(table: pd.DataFrame) -> pd.Series:
    return table["power"].abs().isin(diagnosis.UNIT_POWERS)


def _in_block(table: pd.DataFrame, hit: pd.Series) -> pd.Series:
    """Number of cities hit in the same column and year, where they are so many as to be a block."""
    key = [table["indicator"], table["scope"], table["year"]]
    cities = hit.groupby(key).transform("sum")
    of = hit.groupby(key).transform("size")
    many = (cities >= BLOCK_SHARE * of) | _whole(table, hit)
    return cities.where(hit & (cities >= BLOCK_CITIES) & many)


def _whole(table: pd.DataFrame, hit: pd.Series) -> pd.Series:
    """Whether most cities of a province are hit in the same column and year."""
    key = [table["indicator"], table["scope"], table["year"], table["province_code"]]
    return hit.groupby(key).transform("mean") > 0.5


def _single(which: Callable[[pd.DataFrame], pd.Series]) -> Callable[[pd.DataFrame], pd.Series]:
    def derive(table: pd.DataFrame) -> pd.Series:
        hit = which(table)
        alone = hit & _in_block(table, hit).isna()
        return table["power"].where(alone, 0.0).where(table["z"].notna())

    return derive


def _block(which: Callable[[pd.DataFrame], pd.Series]) -> Callable[[pd.DataFrame], pd.Series]:
    def derive(table: pd.DataFrame) -> pd.Series:
        return _in_block(table, which(table)).fillna(0.0).where(table["z"].notna())

    return derive


def _digits(table: pd.DataFrame) -> pd.Series:
    return (table["power"].fillna(0) != 0) & ~_is_unit(table)


def _factor_text(rows: pd.DataFrame, what: str) -> pd.Series:
    texts = []
    for power, stays in zip(rows["power"], rows["stays"], strict=True):
        tail = "from this year on" if stays == 1 else "in this year only"
        texts.append(
            f"{what}: the value is {10.0**power:g} times what the years around say, {tail}"
        )
    return pd.Series(texts, index=rows.index, dtype=object)


def _explain_jump(rows: pd.DataFrame) -> pd.Series:
    texts = []
    for row in rows.to_dict("records"):
        if row["stays"] != 1:
            text = "jump: one year off and back: a misprint, or a value of another city or coverage"
        elif row["shift_together"] >= 1:
            text = (
                "jump: the level shifts and stays, with other columns of the city: another "
                "boundary or coverage"
            )
        else:
            text = "jump: the level shifts and stays: another coverage or definition, or a misprint"
        before = row["source_before"]
        if isinstance(before, str) and before != row["source"]:
            text += f"; the value before is from {before}"
        texts.append(text)
    return pd.Series(texts, index=rows.index, dtype=object)


def _explain_exchange(rows: pd.DataFrame) -> pd.Series:
    return "columns exchanged: the whole year carries the values of " + rows["partner"].astype(str)


_DIGITS_EXPECTED = "the power of ten of the years around"
_EXCHANGED = "no column carrying the values of its neighbour"

RULES: tuple[Rule, ...] = (
    Rule(
        name="columns_exchanged",
        severity="critical",
        description="No two columns carry each other's values in a whole year.",
        needs=("exchanged",),
        derive=lambda t: t["exchanged"],
        high=0.0,
        expected=_EXCHANGED,
        likely_cause="columns exchanged when the table was put together",
        explain=_explain_exchange,
        bounds=expected_range,
    ),
    Rule(
        name="year_in_another_unit",
        severity="critical",
        description="The median city of a year is on the level of the years around.",
        needs=("year_scale",),
        derive=lambda t: t["year_scale"],
        high=0.0,
        expected=f"a median change by a factor below {diagnosis.YEAR_FACTOR:g}",
        likely_cause="units mixed: the column stands in another unit in the whole year",
        bounds=expected_range,
    ),
    *(
        rule
        for name, which, what in (
            ("digits_shifted", _digits, "digits shifted"),
            ("units_mixed", _is_unit, "units mixed (10,000 times: 万元 and 亿元, 人 and 万人)"),
        )
        for rule in (
            Rule(
                name=name,
                severity="warning",
                description=f"No single value is off by a power of ten ({what}).",
                needs=("power",),
                derive=_single(which),
                low=0.0,
                high=0.0,
                expected=_DIGITS_EXPECTED,
                likely_cause=what,
                explain=lambda rows, what=what: _factor_text(rows, what),  # type: ignore[misc]
                bounds=expected_range,
                allowed=reasons_for_column,
            ),
            Rule(
                name=f"{name}_in_block",
                severity="critical",
                description=f"No block of a year's cities is off by a power of ten ({what}).",
                needs=("power",),
                derive=_block(which),
                high=0.0,
                expected=_DIGITS_EXPECTED,
                likely_cause=what,
                explain=lambda rows, what=what: _factor_text(rows, what),  # type: ignore[misc]
                bounds=expected_range,
                allowed=reasons_for_column,
            ),
        )
    ),
    Rule(
        name="jumps",
        severity="warning",
        description="Values change from year to year as they do in other cities (robust z).",
        needs=("z",),
        derive=lambda t: t["z"].where(t["jump"] == 1, t["z"].clip(-1.0, 1.0)),
        low=-diagnosis.MAX_Z,
        high=diagnosis.MAX_Z,
        expected=f"a robust z within {diagnosis.MAX_Z:g}",
        likely_cause="a misprint, another boundary, coverage, definition or source",
        explain=_explain_jump,
        bounds=expected_range,
        allowed=reasons,
    ),
    Rule(
        name="zeros",
        severity="warning",
        description="No zero among values that are otherwise positive.",
        needs=("zero",),
        derive=lambda t: t["zero"],
        high=0.0,
        expected="a positive value, as in the years around",
        likely_cause="a zero that stands for a missing value, or digits shifted until none is left",
        bounds=expected_range,
        allowed=reasons,
    ),
    Rule(
        name="coverage_of_a_year",
        severity="warning",
        description="A year holds about as many cities of an indicator as the years around.",
        needs=("coverage_loss",),
        derive=lambda t: t["coverage_loss"],
        high=MAX_COVERAGE_LOSS,
        expected=f"at most {MAX_COVERAGE_LOSS:.0%} fewer cities than in the years around",
        likely_cause="a table of this year is missing or was read in part",
    ),
)
