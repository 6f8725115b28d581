"""Releases: the marts copied into a folder that people read, swapped in whole or not at all.

Belongs here: what a release contains and how it takes the place of the one before. Does not belong
here: whether it may (``gates``), or how the marts come about (``dbt``).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from dagster_project.exports import write_stata_tables
from dagster_project.fingerprints import file_hash, file_hashes
from dagster_project.flat_files import Earlier, export
from dagster_project.gates import read_findings
from dagster_project.release_database import STORAGE_VERSION, create_table, write_database
from dagster_project.release_docs import ESTIMATE_DOCS, FINDINGS_DOC, TableDoc
from dagster_project.release_identity import (
    content_id,
    made_of,
    outcomes_record,
    writer_version,
)
from dagster_project.resources import connect
from dagster_project.rosters import roster_changes
from dagster_project.settings import PROJECT_ROOT, Settings
from dagster_project.warehouse_state import pending_writes

DATABASE = "panel.duckdb"
ESTIMATE_TABLES = ("estimates", "estimate_diagnostics")
# Their columns of text; all others are numbers, but for ``synthetic``.
_TEXT = frozenset(
    [
        "study",
        "exhibit",
        "column_id",
        "label",
        "exhibit_title",
        "estimator",
        "outcome",
        "term",
        "se_rule",
        "published_statistic_kind",
        "status",
        "message",
        "spec_hash",
        "panel_release",
        "name",
        "text",
    ]
)


class ReleaseError(Exception):
    """A release could not be put together; the message says which part is missing."""


def read_release(settings: Settings) -> dict[str, Any] | None:
    """``release.json`` of the current release, or None if nothing was published yet."""
    path = settings.published / "release.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def build_panel_release(
    settings: Settings,
    docs: list[TableDoc],
    gate_results: dict[str, Any],
    *,
    synthetic: bool,
) -> dict[str, Any]:
    """Copy the marts of the warehouse into a new release and swap it in.

    Estimates of an earlier release of the very same panel are kept; of another panel they are not,
    because they would no longer belong to the numbers beside them.

    Returns
    -------
    dict
        The new ``release.json``.
    """
    current = read_release(settings)
    ingredients = made_of(settings, docs, gate_results, synthetic)
    same_writer = current is not None and current.get("written_by") == writer_version()
    before = None
    if current is not None and same_writer:
        before = Earlier(settings.published.resolve(), current.get("files", {}))
    staging = _staging(settings)
    try:
        counts: dict[str, int] = {}
        with connect(settings.warehouse, read_only=True) as connection:
            tables = {
                d.name: _fetch(connection, d.name) for d in docs if _exists(connection, d.name)
            }
        missing = [d.name for d in docs if d.name not in tables]
        if missing:
            raise ReleaseError(
                f"the warehouse lacks {', '.join(missing)}: run the job `everything` once"
            )
        for name, frame in tables.items():
            counts[name] = len(frame)
            export(staging, name, frame, before)
        release_id = content_id(staging, [d.name for d in docs])
        kept: dict[str, pd.DataFrame] = {}
        if current and current["release"] == release_id:
            kept = _read_estimates(settings.published, current)
        estimates = kept or _empty_estimates()
        for name, frame in estimates.items():
            counts[name] = len(frame)
            export(staging, name, frame)
        # Not part of the release's identity: better rules leave the estimates valid.
        findings = read_findings(settings)
        counts[FINDINGS_DOC.name] = len(findings)
        export(staging, FINDINGS_DOC.name, findings)
        write_database(
            staging / DATABASE,
            {**tables, FINDINGS_DOC.name: findings, **estimates},
            [*docs, FINDINGS_DOC, *ESTIMATE_DOCS],
            synthetic=synthetic,
        )
        write_stata_tables(
            staging / "stata",
            tables,
            {d.name: d.columns for d in docs},
            f"{_notice(synthetic)}. Release {release_id}.",
        )
        release = {
            "release": release_id,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "synthetic": synthetic,
            "notice": _notice(synthetic),
            "estimates_of": release_id if kept else None,
            "rows": counts,
            "files": file_hashes(staging, (p for p in staging.rglob("*") if p.is_file())),
            "sources": _source_hashes(tables.get("sources")),
            "roster_changes": roster_changes(settings),
            "outcomes": outcomes_record(settings),
            "gates": gate_results,
            "code_version": code_revision(),
            "made_of": ingredients,
            "written_by": writer_version(),
            "duckdb": {"written_by": duckdb.__version__, "storage_version": STORAGE_VERSION},
        }
        _finish(settings, staging, release)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return release


def standing_release(
    settings: Settings,
    docs: list[TableDoc],
    gate_results: dict[str, Any],
    *,
    synthetic: bool,
) -> dict[str, Any] | None:
    """The current release, if building it anew would give the same; else None.

    The same means: the warehouse file, the gates' record and findings, the comments, the code and
    libraries that write a release. Its files must still be those that were written.
    """
    current = read_release(settings)
    ingredients = made_of(settings, docs, gate_results, synthetic)
    if current is None or current.get("made_of") != ingredients:
        return None
    return current if _whole(settings.published, current, current.get("files", {})) else None


def add_estimates(
    settings: Settings, estimates: pd.DataFrame, diagnostics: pd.DataFrame
) -> dict[str, Any]:
    """A new copy of the current release with these estimates, swapped in.

    Raises
    ------
    ReleaseError
        If nothing is published, or the estimates rest on another release.
    """
    release = read_release(settings)
    if release is None:
        raise ReleaseError("nothing is published yet: run the job `everything` first")
    foreign = set(estimates["panel_release"].dropna()) - {release["release"]}
    if foreign:
        raise ReleaseError(
            f"estimates rest on release {', '.join(sorted(foreign))}, but {release['release']} is "
            "published: run the job `estimates` again"
        )
    staging = _staging(settings)
    try:
        shutil.copytree(settings.published.resolve(), staging, dirs_exist_ok=True)
        frames = {"estimates": _typed(estimates), "estimate_diagnostics": _typed(diagnostics)}
        sound = _whole(staging, release, [DATABASE])
        written = [staging / DATABASE] if sound else []
        with duckdb.connect(str(staging / DATABASE)) as connection:
            for doc in ESTIMATE_DOCS:
                frame = frames[doc.name]
                export(staging, doc.name, frame)
                create_table(connection, frame, doc)
                release["rows"][doc.name] = len(frame)
                written += [staging / k / f"{doc.name}.{k}" for k in ("csv", "parquet")]
        # All other hashes stay: a file that another hand has changed is not vouched for anew.
        release["files"] = release.get("files", {}) | file_hashes(staging, written)
        release["estimates_of"] = release["release"]
        release["estimated"] = datetime.now(UTC).isoformat(timespec="seconds")
        _finish(settings, staging, release)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return release


def code_revision() -> str:
    """Commit of the code, with ``+changes`` when files differ from it; ``unknown`` outside git."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+changes" if changed else "")


def _notice(synthetic: bool) -> str:
    if synthetic:
        return "SYNTHETIC DATA: every number in this release was invented to exercise the software"
    return "Built from the files listed under sources"


def _staging(settings: Settings) -> Path:
    settings.releases.mkdir(parents=True, exist_ok=True)
    for leftover in settings.releases.glob(".staging-*"):
        shutil.rmtree(leftover)
    staging = settings.releases / f".staging-{os.getpid()}"
    staging.mkdir()
    return staging


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    found = connection.execute(
        "select count(*) from information_schema.tables where table_name = ?", [name]
    ).fetchone()
    return bool(found and found[0])


def _fetch(connection: duckdb.DuckDBPyConnection, name: str) -> Any:
    """A mart as an Arrow table, in the order in which dbt wrote it."""
    return connection.execute(f'select * from "{name}"').to_arrow_table()


def _whole(folder: Path, release: dict[str, Any], files: Iterable[str]) -> bool:
    """Whether these files of a release, at least one, are as they were written."""
    names, earlier = list(files), Earlier(folder, release.get("files", {}))
    if DATABASE in names and pending_writes(folder / DATABASE).exists():
        return False
    return bool(names) and all(earlier.holds(name) for name in names)


def _read_estimates(folder: Path, release: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Estimates of a release, none if they are not those that were written."""
    files = [f"parquet/{name}.parquet" for name in ESTIMATE_TABLES]
    if not _whole(folder, release, files):
        return {}
    return {n: pd.read_parquet(folder / f) for n, f in zip(ESTIMATE_TABLES, files, strict=True)}


def _empty_estimates() -> dict[str, pd.DataFrame]:
    from estimation.studies.runner import DIAGNOSTIC_COLUMNS, ESTIMATE_COLUMNS

    extra = ["panel_release", "synthetic"]
    return {
        "estimates": _typed(pd.DataFrame(columns=[*ESTIMATE_COLUMNS, *extra])),
        "estimate_diagnostics": _typed(pd.DataFrame(columns=[*DIAGNOSTIC_COLUMNS, *extra])),
    }


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a type for columns without any value, which else are of DuckDB's type NULL.

    Queries on such a column fail for want of a type, and older clients do not know it.
    """
    empty = [c for c in frame.columns if frame[c].isna().all()]
    kinds = {
        c: "string" if c in _TEXT else "boolean" if c == "synthetic" else "float64" for c in empty
    }
    return frame.astype(kinds)


def _source_hashes(sources: Any) -> list[dict[str, Any]]:
    if sources is None:
        return []
    frame = sources.to_pandas()
    columns = [c for c in ("source", "file", "file_sha256", "status") if c in frame.columns]
    return frame[columns].drop_duplicates().sort_values(columns).to_dict("records")


def _finish(settings: Settings, staging: Path, release: dict[str, Any]) -> None:
    """Write ``release.json``, give the folder its name, point ``published`` at it, tidy up."""
    if release["synthetic"]:
        notice = staging / "SYNTHETIC.txt"
        notice.write_text(release["notice"] + "\n", encoding="utf-8")
        release["files"][notice.name] = file_hash(notice)
    (staging / "release.json").write_text(
        json.dumps(release, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    final = settings.releases / f"{stamp}-{release['release']}"
    os.replace(staging, final)
    # A link is replaced in one step: a reader sees the old release or the new one.
    link = settings.published.with_name(f".{settings.published.name}.{os.getpid()}.tmp")
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(final, settings.published.parent), target_is_directory=True)
    os.replace(link, settings.published)
    folders = sorted(p for p in settings.releases.iterdir() if p.is_dir() and p.name[0] != ".")
    for old in folders[: -settings.keep_releases]:
        if old != final:
            shutil.rmtree(old)
