"""The worked queries answer the question in their first line, on a panel built from files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.integration.conftest import ROOT, Dataset

FOLDER = ROOT / "queries"
QUERIES = sorted(FOLDER.glob("*.sql"))
# Columns that carry the answer; a query may show more around them.
ANSWERS = {
    "01_gdp_of_a_city": {"year", "grp_100m_yuan", "how", "value_printed", "file", "sheet", "cell"},
    "02_provenance_of_one_value": {"value", "printed_number", "conversion_factor", "file", "cell"},
    "03_cells_behind_a_derived_value": {"derived_value", "input_column", "input_value", "cell"},
    "04_treated_cities_by_year": {"adoption_year", "confidence", "cities_entering", "cities"},
    "05_readings_of_a_roster": {"study", "reading", "share_treated", "share_printed", "gap"},
    "06_listed_units_that_flag_no_city": {"programme", "reason", "listed_units", "names"},
    "07_coverage_by_variable_and_year": {"column_name", "year", "cities_observed"},
    "08_filled_values": {"column_name", "n_observed", "n_filled", "share_interpolated"},
    "09_conflicts_between_sources": {"indicator", "source_taken", "values_taken", "conflicts"},
    "10_estimates_with_another_sign": {"study", "estimate", "published_estimate", "p_value"},
    "11_agreement_with_published": {"study", "compared", "same_sign", "published_in_interval"},
    "12_descriptives_beside_printed": {"study", "symbol", "mean", "mean_printed"},
    "13_what_was_read": {"source", "files", "printed_values", "taken_by_the_panel"},
    "14_raw_event_time_means": {"event_time", "mean_treated", "mean_never_treated"},
    "15_what_a_column_means": {"column_name", "label_zh", "unit", "definition"},
    "16_what_the_checks_found": {"rule", "indicator", "likely_cause", "n_findings", "source_cell"},
    "17_both_readings_of_the_boundaries": {"city_name", "year", "reading", "grp_consistent"},
    "18_headers_not_used": {"source", "status", "header", "candidates", "cells", "example_cell"},
}
# Nothing need differ from the published signs, and a panel may be without findings; the tests below
# recompute these answers instead.
MAY_BE_EMPTY = {
    "10_estimates_with_another_sign",
    "16_what_the_checks_found",
    "18_headers_not_used",
}


@pytest.fixture(scope="module")
def panel(built_dataset: Dataset) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published panel, read-only, as `make sql` opens it."""
    path = built_dataset.published / "panel.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


def answer(connection: duckdb.DuckDBPyConnection, name: str) -> pd.DataFrame:
    """The rows that a worked query returns."""
    return connection.execute((FOLDER / f"{name}.sql").read_text(encoding="utf-8")).df()


def test_every_query_is_listed_here_and_says_its_question() -> None:
    assert {q.stem for q in QUERIES} == set(ANSWERS)
    for query in QUERIES:
        text = query.read_text(encoding="utf-8")
        assert re.match(r"-- Question: .+", text), f"{query.name} does not open with its question"
        assert "?" in text.split("select")[0], f"{query.name}: the header asks nothing"
        assert len(duckdb.extract_statements(text)) == 1, f"{query.name}: more than one statement"


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q.stem)
def test_a_query_answers(panel: duckdb.DuckDBPyConnection, query: Path) -> None:
    rows = answer(panel, query.stem)
    needed = ANSWERS[query.stem]
    assert needed <= set(rows.columns)
    if query.stem not in MAY_BE_EMPTY:
        assert len(rows) > 0
        for column in needed - {"share_printed", "gap", "value_printed"}:
            assert rows[column].notna().any(), f"{column} is empty"


def test_the_session_in_the_readme_can_be_repeated(panel: duckdb.DuckDBPyConnection) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    session = text.split("## A SQL session")[1].split("\n## ")[0]
    queries: list[str] = []
    for line in session.splitlines():
        if line.startswith("sql> "):
            queries.append(line.removeprefix("sql> "))
        elif line.startswith("...> "):
            queries[-1] += "\n" + line.removeprefix("...> ")
    assert len(queries) >= 3
    for query in queries:
        rows = panel.execute(query).df()
        # The header line of the printed answer names the columns that the query gives today.
        assert all(f" {column} " in session for column in rows.columns), query
        assert len(rows) > 0, query


def test_gdp_of_a_city_is_what_is_printed(panel: duckdb.DuckDBPyConnection) -> None:
    rows = answer(panel, "01_gdp_of_a_city")
    observed = rows[(rows["how"] == "observed") & (rows["unit_printed"] == "亿元")]
    assert len(observed) > 0
    printed = observed["value_printed"].astype(float)
    assert (printed - observed["grp_100m_yuan"]).abs().max() < 1e-9
    filled = rows[rows["how"] == "interpolated"]
    assert filled.groupby("year").size().eq(2).all()


def test_printed_number_times_factor_is_the_value(panel: duckdb.DuckDBPyConnection) -> None:
    rows = answer(panel, "02_provenance_of_one_value")
    assert set(rows["scope"]) == {"city", "districts"}
    gap = (rows["printed_number"] * rows["conversion_factor"] - rows["value"]).abs()
    assert gap.max() < 1e-6


def test_a_derived_value_follows_from_its_cells(panel: duckdb.DuckDBPyConnection) -> None:
    rows = answer(panel, "03_cells_behind_a_derived_value")
    value = rows.set_index("input_column")["input_value"]
    # Spending is in 10,000 yuan and GDP in 100 million, a factor of 10,000 apart.
    expected = value["expenditure_education"] / (value["grp"] * 1e4)
    assert rows["derived_value"].iloc[0] == pytest.approx(expected, rel=1e-12)


def test_treated_cities_agree_with_the_flags(panel: duckdb.DuckDBPyConnection) -> None:
    rows = answer(panel, "04_treated_cities_by_year")
    listed = rows["cities"].str.split("、").explode()
    assert listed.is_unique
    assert rows["cities_treated_so_far"].iloc[-1] == rows["cities_entering"].sum() == len(listed)
    flagged = panel.execute(
        "select distinct city_name from city_year where low_carbon = 1"
    ).fetchall()
    assert {name for (name,) in flagged} <= set(listed)


def test_other_signs_are_all_found(panel: duckdb.DuckDBPyConnection) -> None:
    rows = answer(panel, "10_estimates_with_another_sign")
    estimates = panel.execute("from estimates").df()
    compared = estimates[
        estimates["status"].eq("ok")
        & estimates["estimate"].notna()
        & estimates["published_estimate"].notna()
    ]
    assert len(compared) > 0
    other = compared["estimate"] * compared["published_estimate"] < 0
    assert len(rows) == other.sum()
    by_study = answer(panel, "11_agreement_with_published").set_index("study")
    assert by_study["compared"].sum() == len(compared)
    assert (
        by_study["same_sign"].sum()
        == ((compared["estimate"] * compared["published_estimate"]) > 0).sum()
    )


def test_a_conflict_is_counted_with_both_cells(
    built_dataset: Dataset, panel: duckdb.DuckDBPyConnection
) -> None:
    counted = answer(panel, "09_conflicts_between_sources")
    rows = panel.execute("select count(*) from conflicts").fetchone()
    assert rows is not None
    assert counted["conflicts"].sum() == rows[0]
    # Sources of the sample agree, so a disagreement is put into a copy.
    with duckdb.connect() as copy:
        copy.execute(f"attach '{built_dataset.published / 'panel.duckdb'}' as panel (read_only)")
        copy.execute("create table provenance as from panel.provenance")
        copy.execute("create table conflicts as from panel.conflicts limit 0")
        copy.execute(
            "insert into conflicts (unit_code, city_name, year, indicator, source, other_source, "
            "value, other_value, ratio, file, sheet, cell, other_file, other_sheet, other_cell) "
            "values ('320100', '南京市', 2019, 'grp', 'yearbook', 'compiled_gdp', 10, 5, 2, "
            "'a.xlsx', 's', 'C3', 'b.xlsx', 't', 'D4')"
        )
        first = answer(copy, "09_conflicts_between_sources").iloc[0]
    assert first["indicator"] == "grp"
    assert first["worst_case"] == "南京市 2019"
    assert first["worst_ratio"] == 2
    assert first["worst_cell"] == "a.xlsx s C3"
    assert first["other_cell"] == "b.xlsx t D4"


def test_every_finding_is_counted_once(panel: duckdb.DuckDBPyConnection) -> None:
    rows = answer(panel, "16_what_the_checks_found")
    findings = panel.execute("from findings").df()
    assert rows["n_findings"].sum() == len(findings)
    by_rule = findings.groupby("rule").size().to_dict()
    assert rows.groupby("rule")["n_findings"].sum().to_dict() == by_rule


def test_coverage_never_exceeds_the_cities(panel: duckdb.DuckDBPyConnection) -> None:
    rows = answer(panel, "07_coverage_by_variable_and_year")
    cities = panel.execute("select count(*) from cities where city_or_above = 1").fetchone()
    assert cities is not None
    assert rows["cities_with_a_value"].between(1, cities[0]).all()
    assert not rows.duplicated(["column_name", "year"]).any()
