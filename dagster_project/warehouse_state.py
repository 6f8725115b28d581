"""What the warehouse was built from, node by node, so that a refresh builds no more than it must.

Belongs here: fingerprints of dbt nodes and the record of those that the warehouse holds. Does not
belong here: calling dbt (``assets.warehouse``) or SQL. dbt's own ``source_status:fresher`` compares
times that a source states; here content decides, so that a file copied back is no news.

A fingerprint covers everything that decides the rows of a node: the dbt project as a whole (models,
macros, seeds, variables), the code that calls dbt, the libraries, and the content of the lake
tables that the node rests on, near or far. Any change of code or seeds therefore builds everything.
The record vouches for one warehouse file, known by its hash, and is taken away while dbt writes: a
killed run or a foreign hand leads to a full build, never to a stale table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dagster_project.fingerprints import code_version, file_hash, library_versions, tree_hash
from dagster_project.lake import write_text
from dagster_project.settings import DBT_PROJECT_DIR, Settings

_LIBRARIES = ("dbt-core", "dbt-duckdb", "duckdb", "dagster-dbt")
_CODE = (
    "dagster_project.dbt_project",
    "dagster_project.dbt_stage",
    "dagster_project.headers",
    "dagster_project.assets.warehouse",
    __name__,
)
_NO_PROJECT_FILES = ("target", "logs")


def project_fingerprint(settings: Settings, variables: Mapping[str, str]) -> str:
    """Everything but the lake that decides what dbt builds, and where: views name the lake."""
    files = [
        path
        for path in DBT_PROJECT_DIR.rglob("*")
        if path.is_file()
        and path.suffix in {".sql", ".yml", ".csv", ".md"}
        and not set(_NO_PROJECT_FILES) & set(path.relative_to(DBT_PROJECT_DIR).parts)
    ]
    parts = [
        tree_hash(DBT_PROJECT_DIR, files),
        code_version(*_CODE),
        *library_versions(*_LIBRARIES),
        json.dumps(dict(sorted(variables.items()))),
        str(settings.lake),
        str(settings.warehouse),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def lake_fingerprints(lake: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Content of every dbt source: a folder of partitions, or one computed file.

    Raises
    ------
    KeyError
        If a source is neither; it would go unwatched.
    """
    found = {}
    for unique_id, source in manifest["sources"].items():
        name = source["name"]
        folder, file = lake / name, lake / "derived" / f"{name}.parquet"
        if folder.is_dir():
            # A partition without rows says nothing: a corrected roster leaves one in raw.
            found[unique_id] = tree_hash(
                lake, (p for p in folder.glob("*/*.parquet") if pq.read_metadata(p).num_rows)
            )
        elif source["source_name"] == "derived":
            found[unique_id] = tree_hash(lake, [file] if file.exists() else [])
        else:
            raise KeyError(f"{unique_id}: neither the folder {folder} nor a file in lake/derived")
    return found


def node_fingerprints(
    manifest: Mapping[str, Any], project: str, sources: Mapping[str, str]
) -> dict[str, str]:
    """Fingerprint of every model, seed and data test: the project and the sources below it."""
    nodes = manifest["nodes"]

    @cache
    def below(unique_id: str) -> frozenset[str]:
        if unique_id in sources:
            return frozenset([unique_id])
        parents = nodes[unique_id].get("depends_on", {}).get("nodes", [])
        return frozenset().union(*(below(parent) for parent in parents))

    found = {}
    for unique_id in nodes:
        parts = [project, *(f"{s} {sources[s]}" for s in sorted(below(unique_id)))]
        found[unique_id] = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return found


def pending_writes(warehouse: Path) -> Path:
    """DuckDB's write-ahead log; where it exists, the next to open the file will change it."""
    return warehouse.with_name(f"{warehouse.name}.wal")


@dataclass(frozen=True)
class Built:
    """A node as the warehouse holds it: what it was made of, when, and what is said of it."""

    fingerprint: str
    run: str
    rows: int | None = None
    preview: str = ""
    passed: bool | None = None  # of a test
    severity: str = ""
    check: list[str] = field(default_factory=list)  # asset key and name, of a test shown in the UI

    @property
    def since(self) -> str:
        """The run that built it, as the UI shortens it."""
        return self.run[:8]


@dataclass
class WarehouseState:
    """The nodes that the warehouse file holds; empty if nothing vouches for it."""

    path: Path
    nodes: dict[str, Built] = field(default_factory=dict)

    @classmethod
    def load(cls, settings: Settings) -> WarehouseState:
        """The record, if it belongs to the warehouse file as it is now."""
        path = settings.cache / "warehouse_state.json"
        state = cls(path)
        if not path.exists() or not settings.warehouse.exists():
            return state
        if pending_writes(settings.warehouse).exists():
            return state  # left by a killed process: the file is not what readers see
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            nodes = {name: Built(**values) for name, values in stored["nodes"].items()}
            if stored["warehouse"] == file_hash(settings.warehouse):
                state.nodes = nodes
        except (ValueError, KeyError, TypeError):
            pass  # a record of another version vouches for nothing: everything is built
        return state

    def unchanged(self, fingerprints: Mapping[str, str]) -> set[str]:
        """Nodes that the warehouse holds as they would be built now."""
        return {
            name
            for name, fingerprint in fingerprints.items()
            if name in self.nodes and self.nodes[name].fingerprint == fingerprint
        }

    def forget(self) -> None:
        """Take the record away, before the warehouse is written."""
        self.path.unlink(missing_ok=True)

    def save(self, settings: Settings) -> None:
        """Vouch for the warehouse file as it is now; nothing may write it any more."""
        if pending_writes(settings.warehouse).exists():
            self.forget()
            return
        content = {
            "warehouse": file_hash(settings.warehouse),
            "nodes": {name: vars(built) for name, built in sorted(self.nodes.items())},
        }
        write_text(self.path, json.dumps(content, ensure_ascii=False, indent=0))
