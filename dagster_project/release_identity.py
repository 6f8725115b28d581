"""What a release is made of, and what it is called.

Belongs here: fingerprints of a release's content and of what it was written from. Does not belong
here: writing it (``release``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dagster_project.fingerprints import code_version, file_hash, library_versions
from dagster_project.gates import findings_path
from dagster_project.release_docs import ESTIMATE_DOCS, FINDINGS_DOC, TableDoc
from dagster_project.rosters import roster_changes
from dagster_project.settings import Settings
from dagster_project.warehouse_state import pending_writes


def outcomes_record(settings: Settings) -> dict[str, Any] | None:
    """How the computed outcomes were computed: technology, frontier, span, form of coupling."""
    path = settings.lake / "derived" / "outcomes.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def content_id(staging: Path, names: list[str]) -> str:
    """Identity of a panel: the hash of its tables' Parquet files."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode())
        digest.update((staging / "parquet" / f"{name}.parquet").read_bytes())
    return digest.hexdigest()[:12]


def made_of(
    settings: Settings, docs: list[TableDoc], gate_results: dict[str, Any], synthetic: bool
) -> str:
    """Fingerprint of everything that decides the content of a release but its estimates."""
    findings, pending = findings_path(settings), pending_writes(settings.warehouse)
    parts = [
        file_hash(settings.warehouse),
        file_hash(pending) if pending.exists() else "",  # read together with the file
        file_hash(findings) if findings.exists() else "",
        json.dumps(gate_results, sort_keys=True),
        json.dumps([asdict(d) for d in (*docs, FINDINGS_DOC, *ESTIMATE_DOCS)], sort_keys=True),
        json.dumps(
            [roster_changes(settings), outcomes_record(settings), synthetic], sort_keys=True
        ),
        writer_version(),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def writer_version() -> str:
    """Version of what writes a release: our code and the libraries behind it."""
    code = (
        "release",
        "release_database",
        "release_identity",
        "release_docs",
        "exports",
        "flat_files",
        "rosters",
        "extract.safety",
    )
    return " ".join(
        [
            code_version(*(f"dagster_project.{name}" for name in code)),
            *library_versions("duckdb", "pandas", "pyarrow", "numpy"),
        ]
    )
