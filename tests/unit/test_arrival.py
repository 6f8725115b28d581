"""The sensor's judgement: when files are complete, what is new, and what is left aside and why."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from dagster_project import arrival, ingest, sensors
from dagster_project.assets.arrivals import arrival_key, arrival_specs
from dagster_project.definitions import build_definitions
from dagster_project.extract.discover import discover
from dagster_project.jobs import EVERYTHING
from dagster_project.lake import Lake
from dagster_project.resources import PilotPanel
from dagster_project.sensors import landing_files
from dagster_project.settings import Settings


def _drop(landing: Path, name: str, content: bytes = b"one") -> Path:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class Folder:
    """A landing folder, and the sensor looking at it time after time."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.landing = home / "landing"
        self.landing.mkdir()
        self.panel = PilotPanel(data_home=str(home / "data"), landing=str(self.landing))
        self.instance = instance
        self.cursor: str | None = None

    def look(self) -> tuple[list[dg.RunRequest], str, dg.SensorResult | None]:
        """Run requests, the reason for skipping, and the whole result of one look."""
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources={"pilot_panel": self.panel},
            sensor_name="landing_files",
        ) as context:
            result = landing_files(context)
        if isinstance(result, dg.SkipReason):
            return [], result.skip_message or "", None
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor or self.cursor
        reason = result.skip_reason.skip_message if result.skip_reason else ""
        return list(result.run_requests or []), reason or "", result


@pytest.fixture
def folder(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Folder(tmp_path, instance)


def test_a_file_is_taken_only_when_it_stands_still(folder):
    path = _drop(folder.landing, "yearbook/2023/2-7.xlsx", b"first half")
    requests, reason, _ = folder.look()
    assert requests == []
    assert "yearbook/2023/2-7.xlsx" in reason
    path.write_bytes(b"first half, second half")
    assert folder.look()[0] == []
    # The same size, written again: not complete either.
    path.write_bytes(b"FIRST HALF, SECOND HALF")
    os.utime(path, ns=(1, 1))
    assert folder.look()[0] == []
    requests, _, result = folder.look()
    assert len(requests) == 1
    assert requests[0].tags["pilot_panel/new"] == "yearbook/2023/2-7.xlsx"
    added = {(r.partitions_def_name, *r.partition_keys) for r in result.dynamic_partitions_requests}
    assert added == {("yearbook_editions", "2023")}


def _settle(folder: Folder) -> tuple[list[dg.RunRequest], str]:
    """Look until the folder stands still, then once more."""
    folder.look()
    requests, reason, _ = folder.look()
    return requests, reason


def test_one_run_for_a_set_of_files_and_none_for_the_same_set(folder):
    for name in ("yearbook/2022/a.xlsx", "yearbook/2023/b.xlsx"):
        _drop(folder.landing, name, name.encode())
    assert len(_settle(folder)[0]) == 1
    requests, reason, _ = folder.look()
    assert requests == []
    assert "2 files, all of them taken before" in reason


def test_a_reissued_file_runs_again_and_so_does_its_return(folder):
    path = _drop(folder.landing, "yearbook/2023/a.xlsx", b"as printed")
    keys = [_settle(folder)[0][0].run_key]
    for content in (b"re-issued", b"as printed"):
        path.write_bytes(content)
        (request,) = _settle(folder)[0]
        assert request.tags["pilot_panel/re-issued"] == "yearbook/2023/a.xlsx"
        keys.append(request.run_key)
    assert len(set(keys)) == 3, "Dagster drops a request whose key it has seen"


def test_a_withdrawn_file_runs_again(folder):
    _drop(folder.landing, "yearbook/2022/a.xlsx", b"a")
    path = _drop(folder.landing, "yearbook/2023/b.xlsx", b"b")
    _settle(folder)
    path.unlink()
    (request,) = _settle(folder)[0]
    assert request.tags["pilot_panel/withdrawn"] == "yearbook/2023/b.xlsx"


def test_copies_and_strangers_start_no_run_and_are_named(folder):
    _drop(folder.landing, "yearbook/2023/a.xlsx", b"a")
    _settle(folder)
    _drop(folder.landing, "yearbook/2023/a (1).xlsx", b"a")
    _drop(folder.landing, "yearbook/2023/notes.docx", b"n")
    requests, reason = _settle(folder)
    assert requests == []
    assert "a (1).xlsx: the same content as yearbook/2023/a.xlsx, read once" in reason
    assert "notes.docx: unrecognised" in reason
    # In another edition it is another statement, even with the same bytes.
    _drop(folder.landing, "yearbook/2024/a.xlsx", b"a")
    assert len(_settle(folder)[0]) == 1


def test_a_corrected_roster_is_new_content(folder):
    _drop(folder.landing, "yearbook/2023/a.xlsx", b"a")
    _settle(folder)
    _drop(folder.landing, "rosters/innovative.csv", b"city_code\n440300\n")
    (request,) = _settle(folder)[0]
    assert request.tags["pilot_panel/new"] == "rosters/innovative.csv"


def test_a_look_that_takes_long_goes_on_behind_the_ticks(folder, monkeypatch):
    go_on, looks = threading.Event(), []

    def slow(settings):
        looks.append(settings.landing_dir)
        assert go_on.wait(30)
        return scan(settings)

    scan = ingest.scan
    monkeypatch.setattr(ingest, "scan", slow)
    monkeypatch.setattr(sensors, "WAIT_SECONDS", 0.05)
    _drop(folder.landing, "yearbook/2023/a.xlsx", b"a" * 1000)
    folder.look()
    for _ in range(2):
        started = time.monotonic()
        requests, reason, _ = folder.look()
        assert time.monotonic() - started < 5
        assert requests == []
        assert "still reading 1 files" in reason
        assert "yearbook/2023/a.xlsx" in reason
    assert len(looks) == 1, "the second tick asks for the look of the first"
    # A file that comes meanwhile is waited for, and looked at when the first look has ended.
    _drop(folder.landing, "yearbook/2023/b.xlsx", b"b")
    assert "stand still" in folder.look()[1]
    assert "still reading 2 files" in folder.look()[1]
    go_on.set()
    monkeypatch.setattr(sensors, "WAIT_SECONDS", 20.0)
    deadline = time.monotonic() + 20
    requests = folder.look()[0]
    while not requests and time.monotonic() < deadline:
        requests = folder.look()[0]
    (request,) = requests
    assert request.tags["pilot_panel/new"] == "yearbook/2023/a.xlsx, yearbook/2023/b.xlsx"


def test_unfinished_downloads_are_not_waited_for(folder):
    _drop(folder.landing, "yearbook/2023/a.xlsx", b"a")
    folder.look()
    _drop(folder.landing, "yearbook/2023/b.xlsx.part", b"half")
    assert len(folder.look()[0]) == 1


def test_an_absent_an_empty_and_a_foreign_folder_say_what_is_missing(folder, tmp_path):
    assert "nothing to read in the landing folder" in folder.look()[1]
    _drop(folder.landing, "notes.docx", b"n")
    assert "none of them recognised" in _settle(folder)[1]
    folder.panel = PilotPanel(data_home=str(tmp_path), landing=str(tmp_path / "nowhere"))
    assert "no landing folder" in folder.look()[1]


def test_a_run_by_hand_on_the_same_files_is_not_repeated(folder):
    _drop(folder.landing, "yearbook/2023/a.xlsx", b"a")
    digest = arrival.digest(arrival.content(folder.landing, discover(folder.landing)))

    @dg.asset(key=["landing"])
    def landing():
        return dg.MaterializeResult(metadata={"content": digest})

    dg.materialize([landing], instance=folder.instance)
    requests, reason = _settle(folder)
    assert requests == []
    assert "all of them taken by run" in reason
    _drop(folder.landing, "yearbook/2023/b.xlsx", b"b")
    assert len(_settle(folder)[0]) == 1


def _end(folder: Folder, request: dg.RunRequest, step_failed: bool) -> None:
    """Record that the run of a request has failed, with or without a failed step."""

    @dg.op
    def work():
        if step_failed:
            raise RuntimeError("this step fails")

    @dg.job
    def done():
        work()

    tags = {"dagster/run_key": str(request.run_key)}
    result = done.execute_in_process(instance=folder.instance, tags=tags, raise_on_error=False)
    if not step_failed:
        storage = folder.instance.run_storage
        run = folder.instance.get_run_by_id(result.run_id)
        assert run is not None
        storage.delete_run(result.run_id)
        storage.add_run(run._replace(status=dg.DagsterRunStatus.FAILURE))


@pytest.mark.parametrize(("step_failed", "again"), [(True, 0), (False, 1)])
def test_a_killed_run_is_repeated_but_not_one_that_failed_by_itself(folder, step_failed, again):
    _drop(folder.landing, "yearbook/2023/a.xlsx", b"a")
    (request,) = _settle(folder)[0]
    _end(folder, request, step_failed)
    requests, _, _ = folder.look()
    assert len(requests) == again
    assert all(r.run_key != request.run_key for r in requests)


def test_a_damaged_cursor_is_an_empty_memory():
    for cursor in (None, "", "no json", '{"stand": 1}', "[]"):
        assert arrival.Memory.from_cursor(cursor) == arrival.Memory()
    memory = arrival.Memory({"a": [1, 2]}, {"a": "x"}, 3)
    assert arrival.Memory.from_cursor(memory.to_cursor()) == memory


def test_arrivals_are_observed_only_and_keep_the_yearly_rhythm():
    definitions = build_definitions()
    graph = definitions.resolve_asset_graph()
    policies = {spec.key: spec.freshness_policy for spec in arrival_specs()}
    for key, policy in policies.items():
        assert not graph.get(key).is_materializable
        assert (policy is None) == key.path[-1].startswith("compiled_"), key
    yearly = policies[arrival_key("yearbook")]
    assert yearly is not None
    assert 365 < yearly.warn_window.to_timedelta().days < yearly.fail_window.to_timedelta().days
    job = definitions.resolve_job_def(EVERYTHING)
    assert not set(policies) & set(job.asset_layer.executable_asset_keys)
    assert job.partitions_def is None


CSV = "年份,省份,城市,城市代码,数字中国指数\n2019,北京市,北京市,110000,81.5\n"


def test_a_copy_is_one_vintage_until_its_original_goes(tmp_path):
    landing = tmp_path / "landing"
    settings = Settings(data_home=tmp_path / "data", landing=landing)
    original = _drop(landing, "tables/digital_china_index/a.csv", CSV.encode())
    lake = Lake(settings.lake)
    lake.prepare()
    _drop(landing, "tables/digital_china_index/a (1).csv", CSV.encode())

    def state() -> tuple[list[str], list[str], int]:
        files = ingest.scan(settings)
        ingest.ingest("digital_china_index", settings, files, [].append)
        folder = settings.lake / "files" / "digital_china_index"
        report = pd.concat(pd.read_parquet(p) for p in sorted(folder.glob("*.parquet")))
        rows = lake.counts().query("kind == 'raw'")["rows"].sum()
        return report["file"].tolist(), report["status"].tolist(), int(rows)

    names = ["tables/digital_china_index/a.csv", "tables/digital_china_index/a (1).csv"]
    assert state() == (names, ["read", "set_aside"], 1)
    original.unlink()
    assert state() == (names[1:], ["read"], 1)
