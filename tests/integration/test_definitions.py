"""The code location: it loads, its graph is connected as meant, and the tools accept it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.ingest import all_sources
from estimation.studies import spec
from expectations import city_year
from tests.integration.conftest import ROOT


@pytest.fixture(scope="module")
def graph() -> dg.AssetSelection:
    return build_definitions().resolve_asset_graph()  # type: ignore[return-value]


def test_every_asset_has_group_description_kind_and_owner(graph) -> None:
    bare = []
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        if not (node.description and node.group_name != "default" and node.owners and node.kinds):
            bare.append(key.to_user_string())
    assert bare == []


def test_the_flow_goes_from_landing_to_report(graph) -> None:
    def ancestors(key: dg.AssetKey) -> set[dg.AssetKey]:
        seen: set[dg.AssetKey] = set()
        todo = [key]
        while todo:
            for parent in graph.get(todo.pop()).parent_keys:
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return seen

    before_report = ancestors(dg.AssetKey(["report", "site"]))
    for source in all_sources():
        assert dg.AssetKey(["raw", source]) in before_report, source
    for study in spec.shipped():
        assert dg.AssetKey(["estimates", study]) in before_report
    for key in (["lake", "outcomes"], ["marts", "city_year"], ["published", "panel"]):
        assert dg.AssetKey(key) in before_report
    assert dg.AssetKey(["published", "panel"]) not in ancestors(dg.AssetKey(["marts", "city_year"]))


def test_every_release_rule_is_an_asset_check(graph) -> None:
    names = {
        key.name
        for key in graph.asset_check_keys
        if key.asset_key == dg.AssetKey(["marts", "city_year"])
    }
    assert {rule.name for rule in city_year.RULES} <= names


def test_jobs_schedule_and_sensor_are_there() -> None:
    repository = build_definitions().get_repository_def()
    assert {"everything", "refresh", "estimates"} <= {j.name for j in repository.get_all_jobs()}
    assert [s.name for s in repository.schedule_defs] == ["monthly"]
    assert [s.name for s in repository.sensor_defs] == ["landing_files"]


@pytest.mark.parametrize(
    "command",
    [
        ["dagster", "definitions", "validate", "-w", "workspace.yaml"],
        ["dg", "check", "defs"],
    ],
    ids=["dagster", "dg"],
)
def test_the_tools_accept_the_code_location(command: list[str], tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(tmp_path),
        "PILOT_PANEL_DATA_HOME": str(tmp_path / "data"),
        "DG_CLI_CONFIG": str(tmp_path / "dg.toml"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    program = str(Path(sys.executable).with_name(command[0]))
    result = subprocess.run(
        [program, *command[1:]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
