"""Which dbt nodes a run may keep: exactly those that nothing new reaches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from dagster_project import gates, warehouse_state
from dagster_project.__main__ import _forget
from dagster_project.dbt_project import PanelTranslator
from dagster_project.dbt_stage import Stage
from dagster_project.lake import write_frame
from dagster_project.settings import Settings
from dagster_project.warehouse_state import (
    Built,
    WarehouseState,
    lake_fingerprints,
    node_fingerprints,
    pending_writes,
    project_fingerprint,
)


def _node(kind: str, name: str, *parents: str) -> dict:
    return {
        "resource_type": kind,
        "name": name,
        "fqn": ["pilot_panel", "marts", name],
        "depends_on": {"nodes": list(parents)},
    }


RAW, ROSTERS = "source.p.lake.raw", "source.p.derived.roster_overrides"
MANIFEST = {
    "sources": {
        RAW: {"name": "raw", "source_name": "lake"},
        ROSTERS: {"name": "roster_overrides", "source_name": "derived"},
    },
    "nodes": {
        "seed.p.cities": _node("seed", "cities"),
        "model.p.values": _node("model", "values", RAW, "seed.p.cities"),
        "model.p.flags": _node("model", "flags", ROSTERS, "seed.p.cities"),
        "model.p.panel": _node("model", "panel", "model.p.values", "model.p.flags"),
        "test.p.flags_known": _node("test", "flags_known", "model.p.flags", "seed.p.cities"),
        "test.p.panel_known": _node("test", "panel_known", "model.p.panel", "seed.p.cities"),
    },
}


def _changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name.split(".")[-1] for name in before if before[name] != after[name]}


def test_news_reach_what_rests_on_them_and_nothing_else():
    before = node_fingerprints(MANIFEST, "code", {RAW: "1", ROSTERS: "1"})
    rosters = node_fingerprints(MANIFEST, "code", {RAW: "1", ROSTERS: "2"})
    assert _changed(before, rosters) == {"flags", "panel", "flags_known", "panel_known"}
    values = node_fingerprints(MANIFEST, "code", {RAW: "2", ROSTERS: "1"})
    assert _changed(before, values) == {"values", "panel", "panel_known"}
    code = node_fingerprints(MANIFEST, "other code", {RAW: "1", ROSTERS: "1"})
    assert _changed(before, code) == {name.split(".")[-1] for name in MANIFEST["nodes"]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = Settings(data_home=tmp_path / "data", landing=None)
    for name in ("raw/yearbook/2020.parquet", "derived/roster_overrides.parquet"):
        write_frame(home.lake / name, pd.DataFrame({"value": [1.0]}))
    return home


def test_content_names_and_absence_of_partitions_are_news(settings: Settings):
    before = lake_fingerprints(settings.lake, MANIFEST)
    partition = settings.lake / "raw" / "yearbook" / "2020.parquet"
    write_frame(partition, pd.DataFrame({"value": [1.0]}))
    assert lake_fingerprints(settings.lake, MANIFEST) == before, "written again, the same"
    empty = settings.lake / "raw" / "rosters" / "smart_city.parquet"
    write_frame(empty, pd.DataFrame({"value": [1.0]}).head(0))
    assert lake_fingerprints(settings.lake, MANIFEST) == before, "no row, no news"
    write_frame(partition, pd.DataFrame({"value": [2.0]}))
    assert _changed(before, lake_fingerprints(settings.lake, MANIFEST)) == {"raw"}
    partition.rename(partition.with_name("2021.parquet"))
    renamed = lake_fingerprints(settings.lake, MANIFEST)
    assert _changed(before, renamed) == {"raw"}
    partition.with_name("2021.parquet").unlink()
    assert _changed(renamed, lake_fingerprints(settings.lake, MANIFEST)) == {"raw"}
    (settings.lake / "derived" / "roster_overrides.parquet").unlink()
    assert _changed(before, lake_fingerprints(settings.lake, MANIFEST)) == {
        "raw",
        "roster_overrides",
    }


def test_a_source_that_nobody_watches_is_an_error(settings: Settings):
    stranger = {"sources": {"source.p.other.news": {"name": "news", "source_name": "other"}}}
    with pytest.raises(KeyError, match="news"):
        lake_fingerprints(settings.lake, stranger)


def test_settings_seeds_and_place_decide_what_dbt_builds(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    project = tmp_path / "dbt"
    (project / "seeds").mkdir(parents=True)
    (project / "seeds" / "cities.csv").write_text("city_code\n110000\n")
    monkeypatch.setattr("dagster_project.warehouse_state.DBT_PROJECT_DIR", project)
    before = project_fingerprint(settings, {"min_confidence": "verified"})
    assert project_fingerprint(settings, {"min_confidence": "verified"}) == before
    (project / "target").mkdir()
    (project / "target" / "compiled.sql").write_text("select 1")
    assert project_fingerprint(settings, {"min_confidence": "verified"}) == before
    assert project_fingerprint(settings, {"min_confidence": "uncertain"}) != before
    elsewhere = Settings(data_home=tmp_path / "elsewhere", landing=None)
    assert project_fingerprint(elsewhere, {"min_confidence": "verified"}) != before
    (project / "seeds" / "cities.csv").write_text("city_code\n120000\n")
    assert project_fingerprint(settings, {"min_confidence": "verified"}) != before


def _write_warehouse(settings: Settings, value: int) -> None:
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(f"create or replace table panel as select {value} as grp")


def test_the_record_vouches_for_the_file_that_it_knows(settings: Settings):
    _write_warehouse(settings, 1)
    state = WarehouseState.load(settings)
    assert state.nodes == {}
    state.nodes["model.p.panel"] = Built("f", "run-of-today", rows=1, preview="| grp |")
    state.nodes["test.p.panel_known"] = Built(
        "f", "run-of-today", passed=True, severity="ERROR", check=["marts", "panel", "known"]
    )
    state.save(settings)
    again = WarehouseState.load(settings)
    assert again.nodes == state.nodes
    assert again.unchanged({"model.p.panel": "f", "test.p.panel_known": "g", "x": "f"}) == {
        "model.p.panel"
    }
    _write_warehouse(settings, 2)
    assert WarehouseState.load(settings).nodes == {}, "another hand has written the warehouse"


def test_changes_that_a_killed_process_left_are_not_vouched_for(settings: Settings):
    _write_warehouse(settings, 1)
    state = WarehouseState.load(settings)
    state.nodes["model.p.panel"] = Built("f", "run")
    state.save(settings)
    code = (
        f"import duckdb,os;c=duckdb.connect({str(settings.warehouse)!r});"
        "c.execute('update panel set grp=99');os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert pending_writes(settings.warehouse).exists()
    assert WarehouseState.load(settings).nodes == {}, "the file will change when it is opened"
    state.save(settings)
    assert not state.path.exists(), "nor is such a file recorded"


@pytest.mark.parametrize("module", ["dbt_stage", "headers", "dbt_project", "assets.warehouse"])
def test_code_that_decides_what_is_built_is_part_of_the_fingerprint(
    settings: Settings, module: str, monkeypatch: pytest.MonkeyPatch
):
    before = project_fingerprint(settings, {})
    original = warehouse_state.code_version

    def changed(*names: str) -> str:
        return original(*names) + ("+" if f"dagster_project.{module}" in names else "")

    monkeypatch.setattr(warehouse_state, "code_version", changed)
    assert project_fingerprint(settings, {}) != before


def test_without_record_or_warehouse_everything_is_built(settings: Settings):
    _write_warehouse(settings, 1)
    state = WarehouseState(settings.cache / "warehouse_state.json", {"a": Built("f", "r")})
    state.save(settings)
    stored = state.path.read_text()
    for damaged in ("", "[]", json.dumps({"nodes": {"a": {"unknown": 1}}}), stored[:40]):
        state.path.write_text(damaged)
        assert WarehouseState.load(settings).nodes == {}
    state.path.write_text(stored)
    assert WarehouseState.load(settings).nodes
    state.forget()
    assert WarehouseState.load(settings).nodes == {}
    state.path.write_text(stored)
    settings.warehouse.unlink()
    assert WarehouseState.load(settings).nodes == {}


def test_a_test_between_the_steps_belongs_to_the_later_one():
    translator = PanelTranslator()
    keys = {u: translator.get_asset_key(n) for u, n in MANIFEST["nodes"].items()}
    early = Stage.of(
        MANIFEST,
        translator,
        [keys["seed.p.cities"], keys["model.p.values"], keys["model.p.flags"]],
        set(),
        select="tag:base",
        exclude="tag:outcomes",
    )
    late = Stage.of(
        MANIFEST, translator, [keys["model.p.panel"]], set(early.keys), select="tag:outcomes"
    )
    assert early.tests == {"test.p.flags_known"}
    assert late.tests == {"test.p.panel_known"}
    assert list(early.keys).index("seed.p.cities") < list(early.keys).index("model.p.flags")
    # dbt's cautious selection leaves out a test of a table that another step has built.
    assert late.selection(late.nodes) == ["--select", "tag:outcomes panel_known"]
    assert early.selection(early.nodes) == ["--select", "tag:base", "--exclude", "tag:outcomes"]
    due = {"model.p.flags", "test.p.flags_known"}
    assert early.selection(due) == [
        "--indirect-selection",
        "empty",
        "--select",
        "flags flags_known",
    ]


def test_a_forced_rebuild_forgets_every_record_and_no_data(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    _write_warehouse(settings, 1)
    state = WarehouseState(settings.cache / "warehouse_state.json", {"a": Built("f", "r")})
    state.save(settings)
    outcomes = settings.lake / "derived" / "outcomes.json"
    records = [state.path, gates.record_path(settings), outcomes]
    for path in records[1:]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    data = {p: p.read_bytes() for p in settings.lake.rglob("*.parquet")}
    _forget(settings)
    assert not any(path.exists() for path in records)
    assert {p: p.read_bytes() for p in settings.lake.rglob("*.parquet")} == data
    assert settings.warehouse.exists()
    assert "REBUILD" in capsys.readouterr().out
    _forget(settings)  # nor is anything amiss where there is no record


@pytest.mark.parametrize(("given", "rebuild"), [("", False), ("1", True), ("0", False)])
def test_the_switch_of_a_rebuild(given: str, rebuild: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PILOT_PANEL_REBUILD", given)
    assert Settings().rebuild is rebuild
