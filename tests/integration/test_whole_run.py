"""One run from landing files to published panel, estimates and report, seen as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from dagster_project.release import read_release
from dagster_project.settings import Settings
from tests.integration.conftest import YEARS, Dataset

TABLES = [
    "city_year",
    "city_year_consistent",
    "boundary_changes",
    "cities",
    "treatments",
    "estimates",
    "data_dictionary",
    "sources",
    "provenance",
]


def _connect(dataset: Dataset) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(dataset.published / "panel.duckdb"), read_only=True)


def test_the_run_says_where_results_lie_and_that_they_are_synthetic(
    built_dataset: Dataset,
) -> None:
    text = (built_dataset.data_home.parent / "stdout.txt").read_text()
    assert "SYNTHETIC" in text
    assert "panel.duckdb" in text
    assert "The slowest steps" in text


def test_published_tables_are_there_and_commented(built_dataset: Dataset) -> None:
    with _connect(built_dataset) as connection:
        for table in TABLES:
            row = connection.execute(f'select count(*) from "{table}"').fetchone()
            assert row is not None
            assert row[0] > 0, table
        bare = connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where not internal and (comment is null or comment = '')"
        ).fetchall()
        assert bare == []
        uncommented = connection.execute(
            "select table_name from duckdb_tables() where comment not like 'SYNTHETIC%'"
        ).fetchall()
        assert uncommented == []
    for table in TABLES:
        assert (built_dataset.published / "parquet" / f"{table}.parquet").exists()
        assert (built_dataset.published / "csv" / f"{table}.csv").exists()


def test_the_panel_holds_every_city_in_every_year(built_dataset: Dataset) -> None:
    with _connect(built_dataset) as connection:
        rows = connection.execute(
            "select year, count(*) from city_year where grp is not null "
            "and year between ? and ? group by year order by year",
            list(YEARS),
        ).fetchall()
    assert [year for year, _ in rows] == list(range(YEARS[0], YEARS[1] + 1))
    # 三沙 is printed from 2012 on, 儋州 from 2015 on.
    assert {count for year, count in rows if year >= 2015} == {297}
    assert {count for year, count in rows if year < 2012} == {295}


def test_both_readings_of_the_boundaries_are_published(built_dataset: Dataset) -> None:
    with _connect(built_dataset) as connection:
        reported = connection.execute("describe city_year").df()["column_name"].tolist()
        consistent = connection.execute("describe city_year_consistent").df()["column_name"]
        extra = ["member_codes", "boundary_break", "boundary_segment"]
        assert [c for c in consistent if c not in extra] == reported
        broken = connection.execute(
            "select city_code, boundary_break, min(year) filter (where boundary_segment = 1) "
            "from city_year_consistent where boundary_break is not null group by all"
        ).fetchall()
        absorbed = connection.execute(
            "select count(*) from city_year_consistent where city_code = '371200'"
        ).fetchone()
    # Hefei took in a part of the dissolved Chaohu.
    assert ("340100", 2011, 2011) in broken
    assert all(first == year for _, year, first in broken)
    assert absorbed == (0,)


def test_release_file_carries_hashes_gates_and_notice(built_dataset: Dataset) -> None:
    release = json.loads((built_dataset.published / "release.json").read_text())
    assert release["synthetic"] is True
    assert release["estimates_of"] == release["release"]
    assert release["code_version"]
    assert all(len(s["file_sha256"]) == 64 for s in release["sources"])
    critical = [r for r in release["gates"]["rules"] if r["severity"] == "critical"]
    assert critical
    assert {r["status"] for r in critical} <= {"passed", "not_applicable"}


@pytest.mark.parametrize("study", ["study_a", "study_b", "study_c", "study_d", "real_carbon"])
def test_each_baseline_is_estimated(built_dataset: Dataset, study: str) -> None:
    from estimation.studies import spec

    shipped = spec.shipped()[study]
    estimates = pd.read_parquet(built_dataset.published / "parquet" / "estimates.parquet")
    for exhibit, column in shipped.spine_columns():
        own = estimates[
            (estimates["study"] == study)
            & (estimates["exhibit"] == exhibit.id)
            & (estimates["column_id"] == column.id)
        ]
        treatment = shipped.model(exhibit, column).treatment
        rows = own[own["term"].isin(treatment)]
        assert len(rows) > 0
        assert rows["status"].eq("ok").all(), rows[["term", "message"]].to_dict("records")
        assert rows["std_error"].gt(0).all()
        assert own["synthetic"].eq(True).all()


def test_a_second_run_reads_nothing_and_gives_the_same_bytes(own_dataset: Dataset) -> None:
    before = read_release(Settings(data_home=own_dataset.data_home, landing=own_dataset.landing))
    assert before is not None
    files = sorted((own_dataset.published / "parquet").glob("*.parquet"))
    old = {f.name: f.read_bytes() for f in files if not f.name.startswith("estimate")}
    result = own_dataset.run("run", "--job", "refresh")
    assert result.returncode == 0, result.stdout + result.stderr
    after = json.loads((own_dataset.published / "release.json").read_text())
    assert after["release"] == before["release"]
    for name, content in old.items():
        assert (own_dataset.published / "parquet" / name).read_bytes() == content, name
    # The copy lies elsewhere, so it was built whole; now nothing is left to build or to write.
    again = own_dataset.run("run", "--job", "refresh")
    assert again.returncode == 0, again.stdout + again.stderr
    log = again.stdout + again.stderr
    assert log.count("tables and tests rest on nothing new") == 2, log
    assert f"release {after['release']} of {after['created']} stands" in log
    assert json.loads((own_dataset.published / "release.json").read_text()) == after


def test_report_names_studies_and_says_synthetic(built_dataset: Dataset) -> None:
    folder: Path = built_dataset.data_home / "results" / "report"
    index = (folder / "index.html").read_text()
    assert "SYNTHETIC" in index
    for study in ("study_a", "study_b", "study_c", "study_d"):
        page = (folder / f"{study}.html").read_text()
        assert "SYNTHETIC" in page
        assert "Published" in page


def test_study_a_is_estimated_whole_and_says_its_size(built_dataset: Dataset) -> None:
    estimates = pd.read_parquet(built_dataset.published / "parquet" / "estimates.parquet")
    own = estimates[estimates["study"] == "study_a"]
    assert own["status"].eq("ok").all(), own.loc[own["status"] != "ok", ["exhibit", "message"]]
    assert own["column_id"].count() >= 25
    page = (built_dataset.data_home / "results" / "report" / "study_a.html").read_text()
    assert "50 trees instead of 500: not a full run (FULL=1)" in page
    for shown in ("<summary>Diagnostics</summary>", "effective_f", "Standard errors of 1"):
        assert shown in page
