"""The daemon at work: files are dropped into a folder, and nobody touches anything else.

Belongs here: sensor, schedule, partitions and freshness with a real daemon and a real code server.
Does not belong here: the sensor's judgement case by case (tests/unit/test_arrival.py).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from tests.integration.conftest import ROOT, Dataset

YEARS = (2016, 2019)
LATEST = "2020"  # the edition that reports 2019
PATIENCE = 900.0  # seconds for a whole run on a busy machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@contextmanager
def _daemon(dataset: Dataset, log: Path, **switches: str) -> Iterator[None]:
    """Dagster's daemon with its code server, as behind ``dagster dev``, until the block ends."""
    home = dataset.data_home / "dagster_home"
    home.mkdir(parents=True, exist_ok=True)
    environment = {
        **dataset.environment(),
        "DAGSTER_HOME": str(home),
        "PILOT_PANEL_LOOK_EVERY_SECONDS": "5",
        "FRESHNESS_DAEMON_INTERVAL_SECONDS": "5",
        **switches,
    }
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text(
            "telemetry: {enabled: false}\nrun_queue: {max_concurrent_runs: 1}\n"
        )
    with _instance(dataset):
        pass  # its tables exist before two processes ask for them
    program = str(Path(sys.executable).with_name("dagster-daemon"))
    command = [program, "run", "-m", "dagster_project.definitions", "-d", str(ROOT)]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield
            assert process.poll() is None, f"the daemon ended by itself; see {log}"
        finally:
            # The whole group: code server and runs are processes of their own.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def _instance(dataset: Dataset) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(dataset.data_home / "dagster_home")) as instance:
        yield instance


def _wait(what: str, done: Callable[[], bool], log: Path, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {patience:.0f} s for {what}:\n{log.read_text()[-4000:]}")
        time.sleep(1)


def _runs(dataset: Dataset) -> list[dg.DagsterRun]:
    with _instance(dataset) as instance:
        return list(instance.get_runs())


def _succeeded(dataset: Dataset, number: int) -> Callable[[], bool]:
    def done() -> bool:
        runs = _runs(dataset)
        failed = [r for r in runs if r.status == dg.DagsterRunStatus.FAILURE]
        assert not failed, f"run {failed[0].run_id} failed"
        return sum(r.status == dg.DagsterRunStatus.SUCCESS for r in runs) >= number

    return done


def _skip_reasons(dataset: Dataset) -> list[str]:
    with _instance(dataset) as instance:
        states = instance.all_instigator_state()
        sensor = next(s for s in states if s.instigator_name == "landing_files")
        ticks = instance.get_ticks(sensor.instigator_origin_id, sensor.selector_id, limit=50)
        return [tick.tick_data.skip_reason or "" for tick in ticks]


def _fresh(dataset: Dataset) -> bool:
    """Whether the daemon has judged raw and arrived yearbooks to be in time."""
    keys = [dg.AssetKey(["raw", "yearbook"]), dg.AssetKey(["arrived", "yearbook"])]
    with _instance(dataset) as instance:
        records = instance.get_freshness_state_records(keys)
    return [records[k].freshness_state.value for k in keys if k in records] == ["PASS", "PASS"]


def _query(dataset: Dataset, sql: str) -> list[tuple]:
    path = str(dataset.published / "panel.duckdb")
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What happened, from an old landing folder to a re-issued file, with the daemon running."""
    from dagster_project.sample.write import write_sample

    base = tmp_path_factory.mktemp("arrival")
    dataset = Dataset(base / "landing", base / "data")
    log = base / "daemon.log"
    write_sample(dataset.landing, years=YEARS)
    waiting = base / "waiting"
    shutil.move(dataset.landing / "yearbook" / LATEST, waiting)
    told: dict = {"dataset": dataset, "log": log, "started": time.monotonic()}

    with _daemon(dataset, log):
        _wait("the first run", _succeeded(dataset, 1), log)
        told["first"] = json.loads((dataset.published / "release.json").read_text())
        told["grp_before"] = _query(dataset, "select count(grp) from city_year where year = 2019")[
            0
        ][0]

        # The new edition, a workbook that is none, a stranger, and a copy beside each original.
        edition = dataset.landing / "yearbook" / LATEST
        shutil.copytree(waiting, edition)
        (edition / "SYNTHETIC_2-99 broken.xlsx").write_bytes(b"PK\x03\x04 this is no workbook")
        (dataset.landing / "patents" / "holidays.docx").write_bytes(b"x")
        originals = sorted(waiting.iterdir())
        for path in originals:
            shutil.copy(path, edition / f"{path.stem} (1){path.suffix}")
        told["originals"] = [p.name for p in originals]
        dropped = time.monotonic()
        _wait("the run of the new edition", _succeeded(dataset, 2), log)
        told["seconds_to_panel"] = time.monotonic() - dropped
        told["second"] = json.loads((dataset.published / "release.json").read_text())
        told["panel"] = _query(
            dataset, "select year, count(grp) from city_year group by year order by year"
        )
        told["sources"] = _query(dataset, "select file, status, reason from sources")
        told["rejects"] = _query(dataset, "select file, reason from rejects")
        told["vintages"] = _query(
            dataset,
            "select count(*), count(distinct (city_code, year, column_name)) from provenance "
            "where column_name = 'grp' and scope = 'city' and data_year = 2019 and year = 2019",
        )

        # The same file once more, elsewhere in the same edition: nothing new.
        shutil.copy(originals[0], edition / f"{originals[0].stem} (2){originals[0].suffix}")
        _wait(
            "a look that names the second copy",
            lambda: any("(2)" in r and "taken before" in r for r in _skip_reasons(dataset)),
            log,
            patience=120,
        )
        told["runs_after_copy"] = len(_runs(dataset))
        told["skip_reasons"] = _skip_reasons(dataset)

        # A corrected roster is new content, too.
        rosters = dataset.landing / "rosters"
        rosters.mkdir()
        (rosters / "innovative.csv").write_text("city_code,year_effective\n440300,2018\n")
        _wait("the run of the corrected roster", _succeeded(dataset, 3), log)
        told["third"] = json.loads((dataset.published / "release.json").read_text())
        told["shenzhen"] = _query(
            dataset,
            "select year, innovative from city_year where city_code = '440300' "
            "and year between 2016 and 2019 order by year",
        )
        told["runs"] = _runs(dataset)
        _wait("the freshness of what arrived", lambda: _fresh(dataset), log, patience=120)
        with _instance(dataset) as instance:
            told["editions"] = set(instance.get_dynamic_partitions("yearbook_editions"))
            told["arrived"] = set(
                instance.get_materialized_partitions(dg.AssetKey(["arrived", "yearbook"]))
            )
    return told


def test_a_new_edition_refreshes_the_panel_untouched(story):
    assert story["grp_before"] == 0
    panel = dict(story["panel"])
    assert {year: panel[year] for year in range(2016, 2020)} == dict.fromkeys(
        range(2016, 2020), 297
    )
    assert story["second"]["release"] != story["first"]["release"]
    assert story["second"]["estimates_of"] == story["second"]["release"]


def test_the_malformed_file_ends_in_rejects_and_keeps_nothing_out(story):
    status = {Path(file).name: (status, reason) for file, status, reason in story["sources"]}
    assert status["SYNTHETIC_2-99 broken.xlsx"][0] == "rejected"
    assert status["SYNTHETIC_2-99 broken.xlsx"][1]
    assert status["holidays.docx"][0] == "rejected"
    refused = {Path(file).name for file, reason in story["rejects"] if reason == "unreadable_file"}
    assert {"SYNTHETIC_2-99 broken.xlsx", "holidays.docx"} <= refused


def test_the_same_file_twice_is_one_vintage(story):
    status = {Path(file).name: (status, reason) for file, status, reason in story["sources"]}
    for name in map(Path, story["originals"]):
        assert status[name.name][0] == "read"
        state, reason = status[f"{name.stem} (1){name.suffix}"]
        assert state == "set_aside"
        assert name.name in reason
    rows, distinct = story["vintages"][0]
    assert rows == distinct == 297
    assert story["runs_after_copy"] == 2, "a copy starts no run"


def test_the_sensor_says_what_it_waits_for_and_what_it_leaves_aside(story):
    reasons = story["skip_reasons"]
    assert any("taken once they stand still" in r for r in reasons)
    assert any("holidays.docx: unrecognised" in r and "left aside" in r for r in reasons)


def test_a_corrected_roster_runs_too_and_stands_in_the_release(story):
    assert len(story["runs"]) == 3
    (row,) = story["third"]["roster_changes"]["rows"]
    assert (row["roster"], row["change"], row["city_code"]) == (
        "roster_innovative",
        "amended",
        "440300",
    )
    assert story["shenzhen"] == [(2016, 0), (2017, 0), (2018, 1), (2019, 1)]
    newest = max(story["runs"], key=lambda r: r.tags.get("dagster/run_key", "").split("-")[-1])
    assert newest.tags["pilot_panel/new"] == "rosters/innovative.csv"


def test_editions_are_partitions_with_their_arrival(story):
    assert story["editions"] == story["arrived"] == {"2017", "2018", "2019", "2020"}


def test_the_schedule_runs_without_an_event(story):
    dataset, log = story["dataset"], story["log"]
    with _daemon(dataset, log, PILOT_PANEL_SCHEDULE="* * * * *"):
        _wait(
            "a scheduled run",
            lambda: any(r.tags.get("dagster/schedule_name") == "monthly" for r in _runs(dataset)),
            log,
            patience=300,
        )
