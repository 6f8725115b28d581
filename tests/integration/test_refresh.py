"""A refresh builds only what rests on something new, and gives what a full rebuild gives.

Belongs here: refreshed and rebuilt releases side by side, file by file. Does not belong here: when
a run starts (test_arrival.py), or the fingerprints case by case (tests/unit/test_warehouse_state).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import duckdb
import openpyxl
import pytest

from dagster_project.sample.write import write_sample
from tests.integration.conftest import ROOT, Dataset

YEARS = (2016, 2019)
LATEST = "2020"  # the edition that reports 2019

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


def _refresh(dataset: Dataset) -> str:
    result = dataset.run("run", "--job", "refresh")
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    return result.stdout + result.stderr


def _files(dataset: Dataset) -> dict[str, bytes]:
    """Every table in every file format; the DuckDB file is compared row by row."""
    return {
        path.relative_to(dataset.published.resolve()).as_posix(): path.read_bytes()
        for kind in ("parquet", "csv", "stata")
        for path in sorted((dataset.published.resolve() / kind).iterdir())
    }


def _release(dataset: Dataset) -> dict:
    return json.loads((dataset.published / "release.json").read_text())


def _same(refreshed: Dataset, rebuilt: Dataset) -> None:
    """Every published table, file by file and row by row; and what the gates found."""
    ours, theirs = _files(refreshed), _files(rebuilt)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    first, second = _release(refreshed), _release(rebuilt)
    for part in ("release", "rows", "sources", "roster_changes"):
        assert first[part] == second[part], part
    assert first["gates"]["rules"] == second["gates"]["rules"]
    with duckdb.connect() as connection:
        for name, dataset in (("ours", refreshed), ("theirs", rebuilt)):
            path = dataset.published / "panel.duckdb"
            connection.execute(f"attach '{path}' as {name} (read_only)")
        tables = [
            row[0]
            for row in connection.execute(
                "select table_name from duckdb_tables() where database_name = 'ours' order by 1"
            ).fetchall()
        ]
        assert "city_year" in tables
        assert "provenance" in tables
        for table in tables:
            for one, other in (("ours", "theirs"), ("theirs", "ours")):
                row = connection.execute(
                    f'select count(*) from (from {one}."{table}" except all from {other}."{table}")'
                ).fetchone()
                assert row == (0,), f"{table}: rows only in {one}"


def _kept(log: str) -> list[tuple[int, int]]:
    """Of the steps that kept something: how many tables and tests, and of how many."""
    found = re.findall(r"(\d+) of (\d+) tables and tests rest on nothing new", log)
    return [(int(number), int(of)) for number, of in found]


def _reissue(dataset: Dataset) -> tuple[str, str, float]:
    """Print another number in one cell: GDP of one city in the edition that reports 2017."""
    with duckdb.connect(str(dataset.published / "panel.duckdb"), read_only=True) as connection:
        row = connection.execute(
            "select file, sheet, cell, value_printed from provenance where column_name = 'grp' "
            "and scope = 'city' and data_year = 2017 and source = 'yearbook' "
            "order by city_code limit 1"
        ).fetchone()
    assert row is not None
    file, sheet, cell, printed = row
    value = round(float(printed) * 1.01, 2)
    book = openpyxl.load_workbook(dataset.landing / file)
    assert float(book[sheet][cell].value) == float(printed)
    book[sheet][cell].value = value
    book.save(dataset.landing / file)
    return file, cell, value


def _kill_while_dbt_writes(dataset: Dataset) -> None:
    record = dataset.data_home / "cache" / "warehouse_state.json"
    assert record.exists()
    process = subprocess.Popen(
        dataset.command("run", "--job", "refresh"),
        cwd=ROOT,
        env=dataset.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while record.exists():
        assert process.poll() is None, "the run ended before it wrote the warehouse"
        time.sleep(0.1)
    time.sleep(5)
    # The whole group: dbt runs in a process of its own.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_refresh_equals_a_full_rebuild(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path / "landing", tmp_path / "data")
    write_sample(dataset.landing, years=YEARS)
    edition = dataset.landing / "yearbook" / LATEST
    aside = tmp_path / "aside"
    shutil.move(edition, aside)
    _refresh(dataset)
    first = _files(dataset)

    # Nothing new: nothing is built, checked or written, and the release keeps its date.
    created = _release(dataset)["created"]
    log = _refresh(dataset)
    assert [number == of for number, of in _kept(log)] == [True, True]
    assert "the findings stand" in log
    assert f"of {created} stands" in log
    assert _files(dataset) == first
    assert _release(dataset)["created"] == created

    # The record says of every table what the UI shows of it, whether it is built or kept.
    record = json.loads((dataset.data_home / "cache" / "warehouse_state.json").read_text())
    panel = record["nodes"]["model.pilot_panel.city_year"]
    assert panel["rows"] == _release(dataset)["rows"]["city_year"]
    assert "city_code" in panel["preview"]

    # A corrected roster: the printed values and their provenance are not built again.
    rosters = dataset.landing / "rosters"
    rosters.mkdir()
    roster = rosters / "innovative.csv"
    roster.write_text("city_code,year_effective\n440300,2018\n")
    kept = _kept(_refresh(dataset))
    assert sum(number for number, _ in kept) > 60
    assert any(number < of for number, of in kept)
    rebuilt = Dataset(dataset.landing, tmp_path / "after_roster")
    _refresh(rebuilt)
    _same(dataset, rebuilt)
    second = _files(dataset)
    assert second["parquet/city_year.parquet"] != first["parquet/city_year.parquet"]
    assert second["parquet/provenance.parquet"] == first["parquet/provenance.parquet"]

    # A new edition: what rests on rosters and seeds alone is not built again.
    shutil.move(aside, edition)
    kept = _kept(_refresh(dataset))
    assert sum(number for number, _ in kept) > 50
    assert any(number < of for number, of in kept)
    rebuilt = Dataset(dataset.landing, tmp_path / "after_edition")
    _refresh(rebuilt)
    _same(dataset, rebuilt)

    # A re-issued file with another number in one cell, a file that is withdrawn, and the roster
    # changed once more.
    file, cell, value = _reissue(dataset)
    shutil.rmtree(dataset.landing / "tables" / "marketisation")
    roster.write_text("city_code,year_effective\n440300,2017\n")
    # Killed in the middle, the warehouse is half of each; nothing vouches for it any more.
    _kill_while_dbt_writes(dataset)
    assert _kept(_refresh(dataset)) == []
    rebuilt = Dataset(dataset.landing, tmp_path / "after_all")
    _refresh(rebuilt)
    _same(dataset, rebuilt)
    with duckdb.connect(str(dataset.published / "panel.duckdb"), read_only=True) as connection:
        printed = connection.execute(
            "select value from provenance where file = ? and cell = ? and year = data_year",
            [file, cell],
        ).fetchall()
        assert (pytest.approx(value),) in printed
        assert connection.execute(
            "select count(*) filter (where grp is not null), "
            "count(*) filter (where marketisation_index is not null) "
            "from city_year where year = 2019"
        ).fetchone() == (297, 0)
        assert connection.execute(
            "select min(year) from city_year where city_code = '440300' and innovative = 1 "
            "and year >= 2016"
        ).fetchone() == (2017,)
