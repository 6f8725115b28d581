"""Release rules of the observed series behind the panel, one row per printed value taken.

Belongs here: shifted digits, mixed units, exchanged columns, jumps, coverage of a year: what a
series says about itself. Does not belong here: relations between columns (``city_year``), or one
source against another (``sources``). Interpolated values are left out: they would hide a jump.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd

from expectations import diagnosis
from expectations.allowed import reasons
from expectations.rules import Rule

TABLE = "series"
COLUMNS = (
    "city_code", "city_name", "province_code", "year", "indicator", "scope", "value", "source",
    "source_cell",
)  # fmt: skip

# Columns in one unit that stand side by side in one table, and are exchanged by a slip of a column.
SIDE_BY_SIDE = (
    ("share_primary", "share_secondary", "share_tertiary"),
    ("value_added_primary", "value_added_secondary", "value_added_tertiary"),
    ("fiscal_revenue", "fiscal_expenditure"),
    ("expenditure_science", "expenditure_education"),
    ("deposits", "loans", "savings_household"),
    ("imports", "exports"),
    ("employees_primary", "employees_secondary", "employees_tertiary"),
    ("electricity_total", "electricity_industry", "electricity_household"),
    ("pop_registered", "pop_registered_urban"),
    ("pop_resident", "pop_resident_urban"),
    ("patents_granted", "patents_invention_granted"),
    ("patents_applied", "patents_invention_applied"),
    ("retail_sales", "retail_above_size", "sales_above_size"),
    ("built_up_area", "construction_land"),
    (
        "employees_manufacturing", "employees_wholesale_retail", "employees_transport",
        "employees_ict", "employees_finance", "employees_realestate",
        "employees_leasing_business", "employees_science_tech",
    ),
)  # fmt: skip

# Rates of change around zero: their logarithm means nothing.
NOT_LEVELS = ("grp_growth", "natural_growth_rate")
# Three cities of one column and year, or a twentieth of them, are a block and no misprint.
BLOCK_CITIES, BLOCK_SHARE = 3, 0.05
# A year may hold this much less of an indicator's cities than the years around it.
MAX_COVERAGE_LOSS = 0.20
_STATS = ("z", "expected_log", "spread", "power", "stays", "jump", "year_scale", "partner")


def prepare(series: pd.DataFrame) -> pd.DataFrame:
    """The table with what :mod:`expectations.diagnosis` says about every value.

    Parameters
    ----------
    series : DataFrame
        ``COLUMNS``; one row per city, year, indicator and scope.

    Raises
    ------
    ValueError
        If a key occurs twice: the rules could not say which value they mean.
    """
    key = ["city_code", "year", "indicator", "scope"]
    twice = series.duplicated(key)
    if twice.any():
        row = series[twice].iloc[0]
        raise ValueError(
            f"{row.city_code} {row.year}: {row.indicator} ({row.scope}) stands twice among the "
            "series of the panel; expected one preferred value"
        )
    table = series.reset_index(drop=True)
    codes, cities = pd.factorize(table["city_code"], sort=True)
    first = int(table["year"].min()) if len(table) else 0
    place = table["year"].to_numpy(dtype=int) - first
    shape = (len(cities), int(place.max()) + 1 if len(table) else 0)
    grouped = table.groupby(["indicator", "scope"], sort=True).indices
    groups: dict[tuple[str, str], np.ndarray] = {
        (name[0], name[1]): np.asarray(rows)  # type: ignore[index]
        for name, rows in grouped.items()
    }
    logs: dict[tuple[str, str], np.ndarray] = {}
    values = table["value"].to_numpy(dtype=float)
    for name, rows in groups.items():
        matrix = np.full(shape, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            matrix[codes[rows], place[rows]] = np.where(
                values[rows] > 0, np.log(values[rows]), np.nan
            )
        logs[name] = matrix
    exchanged = _exchanges(logs)
    out = {stat: np.full(len(table), np.nan) for stat in _STATS if stat != "partner"}
    partner = np.full(len(table), None, dtype=object)
    for name, rows in groups.items():
        if name[0] in NOT_LEVELS:
            continue
        matrix = logs[name].copy()
        for t in exchanged.get(name, {}):
            matrix[:, t] = np.nan
        found = diagnosis.diagnose(matrix)
        at = (codes[rows], place[rows])
        for stat, source in (
            ("z", found.z), ("expected_log", found.expected), ("spread", found.spread),
            ("power", found.power), ("stays", found.stays), ("jump", found.jump),
            ("year_scale", found.year_scale),
        ):  # fmt: skip
            out[stat][rows] = source[at]
        for t, other in exchanged.get(name, {}).items():
            here = rows[(place[rows] == t) & ~np.isnan(logs[name][at])]
            partner[here] = other
            out["expected_log"][here] = logs[(other, name[1])][codes[here], t]
            out["spread"][here] = diagnosis.MIN_CHANGE
    table = table.assign(**out, partner=partner)
    table["exchanged"] = table["partner"].notna().astype("float64")
    by = [table["city_code"], table["indicator"], table["scope"]]
    table["source_before"] = table.sort_values("year")["source"].groupby(by).shift()
    table["coverage_loss"] = _coverage_loss(table)
    table["expected"] = _expected(table)
    return table


def _exchanges(
    logs: dict[tuple[str, str], np.ndarray],
) -> dict[tuple[str, str], dict[int, str]]:
    """Per indicator and scope, the years in which it carries another column, and which one."""
    candidates = []
    for group in SIDE_BY_SIDE:
        for scope in ("city", "districts"):
            for a, b in itertools.combinations(group, 2):
                if (a, scope) in logs and (b, scope) in logs:
                    gain = diagnosis.exchange_gain(logs[a, scope], logs[b, scope])
                    candidates += [(g, t, a, b, scope) for t, g in enumerate(gain) if g > 0]
    found: dict[tuple[str, str], dict[int, str]] = {}
    for _, t, a, b, scope in sorted(candidates, key=lambda c: (-c[0], *c[1:])):
        first, second = found.setdefault((a, scope), {}), found.setdefault((b, scope), {})
        if t not in first and t not in second:
            first[t], second[t] = b, a
    return found


def _coverage_loss(table: pd.DataFrame) -> pd.Series:
    """Share of cities lost against the smaller of the two years around, on a year's first row."""
    key = ["indicator", "scope"]
    counts = table.groupby([*key, "year"]).size().rename("n").reset_index()
    before = counts.groupby(key)["n"].shift()
    after = counts.groupby(key)["n"].shift(-1)
    # NaN beside the first and the last year: nothing can be said there.
    counts["loss"] = 1.0 - counts["n"] / np.minimum(before, after)
    merged = table[[*key, "year"]].merge(counts, on=[*key, "year"], how="left")["loss"]
    return merged.clip(lower=0.0).where(~table.duplicated([*key, "year"]))


def _expected(table: pd.DataFrame) -> pd.Series:
    low, high = _bounds(table)
    text = "between " + low.map("{:.6g}".format) + " and " + high.map("{:.6g}".format)
    return text.where(low.notna(), "as in the years around")


def _bounds(rows: pd.DataFrame, *_: object) -> tuple[pd.Series, pd.Series]:
    spread = rows["spread"].clip(upper=50.0)
    low, high = np.exp(rows["expected_log"] - spread), np.exp(rows["expected_log"] + spread)
    return pd.Series(low, index=rows.index), pd.Series(high, index=rows.index)


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
    factor = rows["power"].map(lambda power: f"{10.0**power:g}")
    tail = rows["stays"].map({1.0: ", from this year on"}).fillna(", in this year only")
    return what + ": the value is " + factor + " times what the years around say" + tail


def _explain_jump(rows: pd.DataFrame) -> pd.Series:
    another = rows["source_before"].notna() & (rows["source_before"] != rows["source"])
    cause = np.where(
        rows["stays"] == 1,
        "jump: the level shifts and stays: another boundary, coverage or definition",
        "jump: one year off and back: a misprint, or a value of another city or coverage",
    )
    text = pd.Series(cause, index=rows.index)
    before = "; the value before is from " + rows["source_before"].astype("object").fillna("")
    return text + before.where(another, "")


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
        bounds=_bounds,
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
        bounds=_bounds,
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
                bounds=_bounds,
                allowed=reasons,
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
                bounds=_bounds,
                allowed=reasons,
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
        bounds=_bounds,
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
