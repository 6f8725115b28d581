"""The observed series behind the panel with what :mod:`expectations.diagnosis` says of each value.

Belongs here: which columns may be exchanged, and turning a long table into matrices and back. Does
not belong here: rules and severities (``series``), or the statistics (``diagnosis``).
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from expectations import diagnosis

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
# Indicators that are zero more often than this in any case (patents, imports of small cities).
RARE_ZEROS = 0.01
# ... and a zero is no wonder where the city's own values are below this share of the median city.
MIN_SIZE = 0.02
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
    table["zero"] = _zeros(table)
    table["shift_together"] = _shift_together(table)
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


def _zeros(table: pd.DataFrame) -> pd.Series:
    """1 for a zero where zeros are rare and the city's own values are not next to nothing."""
    by = [table["indicator"], table["scope"]]
    zero = table["value"].eq(0) & ~table["indicator"].isin(NOT_LEVELS)
    rare = zero.groupby(by).transform("mean") <= RARE_ZEROS
    usual = table["value"].groupby(by).transform("median")
    sizeable = np.exp(table["expected_log"]) > MIN_SIZE * usual
    return (zero & sizeable).astype("float64").where(rare)


def _shift_together(table: pd.DataFrame) -> pd.Series:
    """Number of other columns of the city, year and scope that shift the same way."""
    key = [table["city_code"], table["year"], table["scope"]]
    total = pd.Series(0.0, index=table.index)
    for sign in (1.0, -1.0):
        shifts = sign * table["z"] > diagnosis.MAX_Z / 2
        others = shifts.groupby(key).transform("sum") - shifts
        total = total.where(sign * table["z"].fillna(0) <= 0, others.astype("float64"))
    return total


def _expected(table: pd.DataFrame) -> pd.Series:
    low, high = expected_range(table)
    text = "between " + low.map("{:.6g}".format).astype(str) + " and " + high.map("{:.6g}".format)
    return text.where(low.notna(), "as in the years around")


def expected_range(rows: pd.DataFrame, *_: object) -> tuple[pd.Series, pd.Series]:
    """Lowest and highest value that the years around and the other cities let expect."""
    spread = rows["spread"].clip(upper=50.0)
    low, high = np.exp(rows["expected_log"] - spread), np.exp(rows["expected_log"] + spread)
    return pd.Series(low, index=rows.index), pd.Series(high, index=rows.index)
