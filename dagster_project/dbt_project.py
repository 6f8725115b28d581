"""The dbt project as Dagster sees it: where it lies, how its nodes are named, how it is called.

Belongs here: the manifest, the translator, the arguments and environment of a dbt call. Does not
belong here: SQL, or the assets themselves (``assets.warehouse``).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource
from packaging.version import Version

from dagster_project.headers import HEADERS
from dagster_project.headers import SCHEMA as HEADERS_SCHEMA
from dagster_project.lake import Lake, replacing
from dagster_project.resources import exclusive
from dagster_project.settings import DBT_PROJECT_DIR, Settings

TARGET_DIR = DBT_PROJECT_DIR / "target"
MANIFEST = TARGET_DIR / "manifest.json"
BASE_TAG = "base"
OUTCOMES_TAG = "outcomes"
# Files that dbt reads and that Python assets write; empty until they have run.
DERIVED = {
    "city_geography": pa.schema(
        [
            ("city_code", pa.string()),
            ("lon", pa.float64()),
            ("lat", pa.float64()),
            ("area_km2", pa.float64()),
            ("hu_side", pa.string()),
            ("hu_distance_km", pa.float64()),
            ("boundary_source", pa.string()),
        ]
    ),
    "outcomes": pa.schema(
        [
            ("city_code", pa.string()),
            ("year", pa.int32()),
            *((name, pa.float64()) for name in ("preff", "creff", "syeff")),
            *((name, pa.string()) for name in ("preff_status", "creff_status")),
            *((name, pa.float64()) for name in ("srpce", "srpce_entropy")),
            *((name, pa.string()) for name in ("frontier", "returns")),
        ]
    ),
}
OVERRIDES = "roster_overrides"
DERIVED[OVERRIDES] = pa.schema(
    [
        *((name, pa.string()) for name in ("roster", "change")),  # amended | added | removed
        *((name, pa.string()) for name in ("city_code", "city_name", "listed_unit")),
        ("row_values", pa.string()),  # JSON object: the row in force, {} where removed
        ("before_values", pa.string()),  # JSON object: the shipped row, {} where added
        ("summary", pa.string()),
        *((name, pa.string()) for name in ("file", "file_sha256")),
        ("line", pa.int32()),  # of the user's file, the header being line 1
    ]
)
DERIVED[HEADERS] = HEADERS_SCHEMA
_GROUPS = {"staging": "staging", "intermediate": "intermediate", "marts": "marts"}


class DbtParseError(Exception):
    """dbt could not read the project; the message carries what dbt said."""


def dbt_environment(settings: Settings) -> dict[str, str]:
    """Environment of every dbt call: where lake and warehouse lie, nothing sent home."""
    return {
        "PILOT_PANEL_WAREHOUSE": str(settings.warehouse),
        "PILOT_PANEL_LAKE": str(settings.lake),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def build_arguments(
    *, full_refresh: bool = False, variables: Mapping[str, str] | None = None
) -> list[str]:
    """Arguments of the build; Dagster adds the selection of the assets that are materialised.

    ``variables`` take the place of the project's ``vars`` of the same name.

    Unit tests check the SQL against made-up rows, so they belong to the test suite; a build on the
    user's data runs the data tests.
    """
    arguments = ["build", "--indirect-selection", "cautious"]
    arguments += ["--exclude-resource-type", "unit_test"]
    if variables:
        arguments += ["--vars", json.dumps(dict(sorted(variables.items())))]
    if full_refresh:
        arguments.append("--full-refresh")
    return arguments


def dbt_executable() -> str:
    """The dbt of this environment, also when the environment is not activated.

    Raises
    ------
    DbtParseError
        If there is none.
    """
    beside = Path(sys.executable).with_name("dbt")
    found = str(beside) if beside.exists() else shutil.which("dbt")
    if not found:
        raise DbtParseError("no dbt beside this Python: run `make setup`")
    return found


def ensure_manifest(settings: Settings) -> Path:
    """Parse the dbt project if its manifest is absent or older than its files.

    Loading definitions must work in any order and outside the development server, so this does
    what ``dagster dev`` does by itself.

    Raises
    ------
    DbtParseError
        If dbt cannot parse the project.
    """
    with exclusive(DBT_PROJECT_DIR / "target.lock", 120, "the dbt manifest"):
        if MANIFEST.exists() and MANIFEST.stat().st_mtime >= _newest_source():
            return MANIFEST
        # Parsing needs no lake, but reads the variables that name it.
        result = subprocess.run(
            [dbt_executable(), "--quiet", "parse", "--profiles-dir", ".", "--no-partial-parse"],
            cwd=DBT_PROJECT_DIR,
            env={**os.environ, **dbt_environment(settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0 or not MANIFEST.exists():
            raise DbtParseError(f"dbt parse failed:\n{result.stdout}\n{result.stderr}")
        os.utime(MANIFEST)
    return MANIFEST


def _newest_source() -> float:
    newest = 0.0
    for suffix in ("sql", "yml", "csv", "md"):
        for path in DBT_PROJECT_DIR.rglob(f"*.{suffix}"):
            if "target" not in path.parts:
                newest = max(newest, path.stat().st_mtime)
    return newest


class PanelTranslator(DagsterDbtTranslator):
    """Names dbt nodes by layer (``marts/city_year``), sources by the asset that writes them."""

    def __init__(self) -> None:
        super().__init__(
            settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        name = dbt_resource_props["name"]
        kind = dbt_resource_props["resource_type"]
        if kind == "source":
            return dg.AssetKey(["lake", name])
        if kind == "seed":
            return dg.AssetKey(["facts", name])
        return dg.AssetKey([_layer(dbt_resource_props), name])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "seed":
            return "facts"
        layer = _layer(dbt_resource_props)
        # Their models before the marts stand with the step that computes them, so that the graph
        # of groups has no arrow back.
        if layer != "marts" and OUTCOMES_TAG in dbt_resource_props.get("tags", []):
            return "outcomes"
        return layer

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        return ["team:data"]


def _layer(props: Mapping[str, Any]) -> str:
    for part in props.get("fqn", []):
        if part in _GROUPS:
            return _GROUPS[part]
    return "warehouse"


class LocalDbt(DbtCliResource):
    """dbt as installed beside this Python, without what Dagster asks of a dbt that it cannot know.

    Dagster starts dbt once more for its version, and a second adapter inside its own process, for
    row counts that we read from the warehouse: two seconds per call. Both are private to
    dagster-dbt; if they are renamed, the only loss is these seconds.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002
        return None


def prepare_lake(settings: Settings) -> None:
    """Make sure that dbt finds a lake it can read: empty tables stand for what is not there yet."""
    lake = Lake(settings.lake)
    lake.prepare()
    for name, schema in DERIVED.items():
        path = settings.lake / "derived" / f"{name}.parquet"
        if not path.exists():
            with replacing(path) as temporary:
                pq.write_table(schema.empty_table(), temporary)


def heal_warehouse(settings: Settings) -> str | None:
    """Make sure that dbt finds a warehouse it can open; returns what was healed, if anything.

    A warehouse that DuckDB refuses to open (a killed run, another version) holds nothing that the
    lake does not, so it is set aside.
    """
    import duckdb

    if not settings.warehouse.exists():
        return None
    try:
        duckdb.connect(str(settings.warehouse)).close()
    except duckdb.Error as error:
        if "lock" in str(error).lower():
            return None  # in use; dbt's own retries wait for it
        for path in settings.warehouse.parent.glob(settings.warehouse.name + "*"):
            if path.suffix != ".lock":
                path.unlink()
        return f"the warehouse could not be opened ({error}); it is built anew from the lake"
    return None
