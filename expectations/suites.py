"""All gated tables with their rules, in the order in which they are checked and reported.

Belongs here: which rules exist, and one call that checks them all. Does not belong here: the rules
(one module per table), reading tables from a database, or what becomes of the result.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from expectations import city_year, series, series_table, sources
from expectations.rules import Rule
from expectations.runner import GateReport, RuleResult, validate

RULES_BY_TABLE: dict[str, tuple[Rule, ...]] = {
    city_year.TABLE: city_year.RULES,
    series.TABLE: series.RULES,
    sources.CONFLICTS: sources.CONFLICT_RULES,
    sources.CITY_SETS: sources.CITY_SET_RULES,
}
ALL_RULES: tuple[Rule, ...] = tuple(r for rules in RULES_BY_TABLE.values() for r in rules)

_DISTRICTS = "_districts"  # columns of the panel that hold 市辖区 values


def check_panel(
    panel: pd.DataFrame,
    *,
    values: pd.DataFrame,
    observations: pd.DataFrame,
    provenance: pd.DataFrame | None = None,
    docs_dir: Path | None = None,
) -> GateReport:
    """Check the panel, its series and its sources against every rule.

    Parameters
    ----------
    panel : DataFrame
        ``city_year``: one row per city and year.
    values : DataFrame
        ``series_table.COLUMNS``: the printed values that the panel takes.
    observations : DataFrame
        ``sources.OBSERVATION_COLUMNS``: the values of all sources, taken or not.
    provenance : DataFrame, optional
        Where the panel's values stood, for findings on ``city_year``.
    docs_dir : Path, optional
        Data Docs of the panel are written here, those of the other tables in folders beside it.
    """
    cities = panel[["city_code", "city_name", "province_code", "year"]]
    tables = {
        city_year.TABLE: printed_only(panel, values),
        series.TABLE: series_table.prepare(values),
        sources.CONFLICTS: sources.prepare_conflicts(observations),
        sources.CITY_SETS: sources.prepare_city_sets(observations, cities),
    }
    reports = []
    for name, rules in RULES_BY_TABLE.items():
        if tables[name].empty and name != city_year.TABLE:
            reports.append(_nothing_to_check(name, rules))
            continue
        folder = docs_dir
        if docs_dir is not None and name != city_year.TABLE:
            folder = docs_dir.with_name(f"{docs_dir.name}_{name}")
        reports.append(
            validate(
                tables[name],
                rules,
                name=name,
                docs_dir=folder,
                provenance=provenance if name == city_year.TABLE else None,
            )
        )
    return GateReport.joined(reports)


def printed_only(panel: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """The panel without interpolated values, for the columns that its rules read.

    An identity need not hold between a printed and an interpolated number, and a gap is a gap even
    if it was filled.
    """
    needed = {column for rule in city_year.RULES for column in rule.needs}
    printed = values.assign(
        column=values["indicator"]
        + values["scope"].eq("districts").map({True: _DISTRICTS, False: ""})
    )
    printed = printed[printed["column"].isin(needed) & printed["column"].isin(panel.columns)]
    out = panel.copy()
    keys = pd.MultiIndex.from_frame(panel[["city_code", "year"]])
    for column, rows in printed.groupby("column"):
        known = keys.isin(pd.MultiIndex.from_frame(rows[["city_code", "year"]]))
        out[column] = out[column].where(known)
    return out


def _nothing_to_check(name: str, rules: tuple[Rule, ...]) -> GateReport:
    results = tuple(
        RuleResult(
            rule.name,
            rule.severity,
            rule.description,
            "not_applicable",
            0,
            0,
            f"the table {name} has no rows: no second source was brought",
        )
        for rule in rules
    )
    return GateReport(results, pd.DataFrame())
