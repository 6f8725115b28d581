"""What goes wrong ends in one clear message, and the last release stays."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from dagster_project import gates
from dagster_project.definitions import build_definitions
from dagster_project.resources import PilotPanel
from dagster_project.settings import Settings
from tests.integration.conftest import ROOT, Dataset


def _release_id(dataset: Dataset) -> str:
    import json

    return str(json.loads((dataset.published / "release.json").read_text())["release"])


def _spoil_warehouse(dataset: Dataset) -> None:
    """Withdraw a treatment in one city and year: a critical rule forbids it."""
    with duckdb.connect(str(dataset.data_home / "warehouse.duckdb")) as connection:
        connection.execute(
            "update city_year set innovative = 0 where city_code = '440300' and year = 2017"
        )


def _materialise(dataset: Dataset, *keys: list[str], checks: bool) -> object:
    """Materialise assets in a run of their own, as the UI does."""
    import dagster as dg

    panel = PilotPanel(data_home=str(dataset.data_home), landing=str(dataset.landing))
    defs = build_definitions({"pilot_panel": panel})
    selection = dg.AssetSelection.keys(*keys).without_checks()
    if checks:
        selection = selection | dg.AssetSelection.checks_for_assets(
            dg.AssetKey(["marts", "city_year"])
        )
    with dg.DagsterInstance.ephemeral() as instance:
        job = dg.define_asset_job("part", selection=selection, executor_def=dg.in_process_executor)
        repository = dg.Definitions(
            assets=defs.assets,
            asset_checks=defs.asset_checks,
            jobs=[job],
            resources=defs.resources,
        )
        return repository.resolve_job_def("part").execute_in_process(
            instance=instance, raise_on_error=False
        )


def _failures(result: object) -> str:
    text = ""
    for event in result.all_events:  # type: ignore[attr-defined]
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None:
                text += error.message
                error = error.cause
    return text


def test_a_failed_critical_check_leaves_the_release(own_dataset: Dataset) -> None:
    before = _release_id(own_dataset)
    _spoil_warehouse(own_dataset)
    # Checks and publication in one run: the blocking check stops publication.
    result = _materialise(own_dataset, ["published", "panel"], checks=True)
    assert not result.success  # type: ignore[attr-defined]
    assert _release_id(own_dataset) == before
    # Publication in a run of its own: it looks the last result up, and refuses.
    alone = _materialise(own_dataset, ["published", "panel"], checks=False)
    assert not alone.success  # type: ignore[attr-defined]
    message = _failures(alone)
    assert "innovative_absorbing" in message
    assert "2017" in message
    assert "深圳" in message
    assert _release_id(own_dataset) == before
    findings = pd.read_parquet(
        gates.record_path(Settings(data_home=own_dataset.data_home)).with_name("findings.parquet")
    )
    assert "440300" in set(findings["city_code"])


def test_publication_of_an_unchecked_change_is_refused(own_dataset: Dataset) -> None:
    before = _release_id(own_dataset)
    _spoil_warehouse(own_dataset)
    alone = _materialise(own_dataset, ["published", "panel"], checks=False)
    assert not alone.success  # type: ignore[attr-defined]
    assert "has changed since it was last checked" in _failures(alone)
    assert _release_id(own_dataset) == before


@pytest.mark.timeout(900)
def test_killed_at_any_moment_the_release_stands_and_the_next_run_heals(
    own_dataset: Dataset,
) -> None:
    before = _release_id(own_dataset)
    # Another set of files, so that there is something to read, build and publish.
    shutil.rmtree(own_dataset.landing / "yearbook" / "2018")
    moments = sorted(random.Random(7).uniform(4, 30) for _ in range(5))
    for seconds in moments:
        process = subprocess.Popen(
            own_dataset.command("run", "--job", "refresh"),
            cwd=ROOT,
            env=own_dataset.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.1)
        if process.poll() is None:
            # The whole group: dbt runs in a process of its own.
            import os

            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with duckdb.connect(
            str(own_dataset.published / "panel.duckdb"), read_only=True
        ) as connection:
            row = connection.execute("select count(*) from city_year").fetchone()
        assert row is not None
        assert row[0] > 0
    healed = own_dataset.run("run", "--job", "refresh")
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert _release_id(own_dataset) != before
    assert not list(own_dataset.data_home.rglob("*.tmp"))


def _message(dataset: Dataset) -> str:
    result = dataset.run("run", "--job", "refresh")
    assert result.returncode != 0
    return result.stdout + result.stderr


def test_an_empty_landing_folder(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    text = _message(Dataset(landing, tmp_path / "data"))
    assert "nothing to read in the landing folder" in text
    assert "yearbook/2023/*.xlsx" in text


def test_a_landing_folder_that_does_not_exist(tmp_path: Path) -> None:
    text = _message(Dataset(tmp_path / "nowhere", tmp_path / "data"))
    assert "is not a folder" in text
    assert "Traceback" not in text


def test_a_data_home_that_cannot_be_written(tmp_path: Path, built_dataset: Dataset) -> None:
    blocked = tmp_path / "occupied"
    blocked.write_text("")
    text = _message(Dataset(built_dataset.landing, blocked / "data"))
    assert "cannot be written" in text
    assert "DATA_HOME" in text
    assert "Traceback" not in text


def test_synthetic_and_real_files_never_mix(own_dataset: Dataset) -> None:
    for marker in own_dataset.landing.glob("SYNTHETIC*"):
        marker.unlink()
    text = _message(own_dataset)
    assert "They never mix" in text


def test_bad_files_are_named_and_the_good_ones_published(own_dataset: Dataset) -> None:
    edition = own_dataset.landing / "yearbook" / "2018"
    (edition / "broken.xlsx").write_bytes(b"this is no workbook")
    other = pd.DataFrame({"a": ["nothing"], "b": ["to see"]})
    other.to_excel(edition / "holiday plan.xlsx", index=False)
    (own_dataset.landing / "notes.docx").write_bytes(b"x")
    shutil.rmtree(own_dataset.landing / "edgar")
    result = own_dataset.run("run", "--job", "refresh")
    assert result.returncode == 0, result.stdout + result.stderr
    with duckdb.connect(str(own_dataset.published / "panel.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select file, status, reason from sources where status <> 'read'"
        ).fetchall()
        grp = connection.execute("select count(grp) from city_year where year = 2017").fetchone()
        co2 = connection.execute("select count(co2_edgar) from city_year").fetchone()
    found = {Path(file).name: (status, reason) for file, status, reason in rows}
    assert found["broken.xlsx"][0] == "rejected"
    assert found["broken.xlsx"][1]
    assert found["holiday plan.xlsx"][0] in ("rejected", "set_aside")
    assert found["notes.docx"][0] == "rejected"
    assert grp == (297,)
    assert co2 == (0,)


def test_an_unknown_city_is_a_reject_not_a_guess(own_dataset: Dataset) -> None:
    path = next((own_dataset.landing / "patents").glob("*.csv"))
    text = path.read_text(encoding="utf-8-sig")
    header, first, *rest = text.splitlines()
    fields = first.split(",")
    names = header.split(",")
    fields[names.index("城市")] = "桃花源市"
    fields[names.index("城市代码")] = "999900"
    path.write_text("\n".join([header, ",".join(fields), *rest]) + "\n", encoding="utf-8-sig")
    result = own_dataset.run("run", "--job", "refresh")
    assert result.returncode == 0, result.stdout + result.stderr
    with duckdb.connect(str(own_dataset.published / "panel.duckdb"), read_only=True) as connection:
        row = connection.execute(
            "select count(*) from unresolved where printed like '%桃花源%'"
        ).fetchone()
    assert row is not None
    assert row[0] > 0
