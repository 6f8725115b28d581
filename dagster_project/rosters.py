"""User corrections of rosters, from the landing folder into the lake and into the release notes.

Belongs here: writing the changed rows where dbt reads them, and the report on each file. Does not
belong here: what a correction may say (``extract.rosters``) or how it is applied (dbt staging).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.dbt_project import DERIVED, OVERRIDES
from dagster_project.extract.rosters import SOURCE, RosterFile, as_json, read_rosters
from dagster_project.extract.schema import ExtractResult
from dagster_project.extract.tables import partition_name
from dagster_project.fingerprints import code_version
from dagster_project.lake import Lake, partition_fingerprint, replacing
from dagster_project.settings import Settings

_READER = ("dagster_project.extract.rosters", "dagster_project.extract.roster_rules")


def ingest_rosters(settings: Settings, log: Callable[[str], None]) -> list[RosterFile]:
    """Read ``landing/rosters``, write the changed rows to the lake, and say what changed.

    A refused file leaves its shipped roster as it is, and lands in rejects row by row.
    """
    files = read_rosters(settings.landing_dir)
    _write_overrides(settings, files)
    lake = Lake(settings.lake)
    partitions = {_partition(f): f for f in files}
    for gone in set(lake.partitions(SOURCE)) - set(partitions):
        lake.forget(SOURCE, gone)
        log(f"{SOURCE} {gone}: no longer in the landing folder; the shipped roster holds again")
    version = code_version(*_READER)
    for name, file in partitions.items():
        # The shipped roster is the other half of every comparison: always reported anew.
        fingerprint = partition_fingerprint([(file.file, file.file_sha256)], version)
        lake.write(SOURCE, name, _report(file), fingerprint)
        for refusal in file.refusals:
            log(f"{SOURCE} refused: {refusal.message}")
        if file.refusals:
            log(f"{SOURCE} {file.file}: nothing of it is used until that is corrected")
        else:
            log(f"{SOURCE} {file.counts()}")
        for change in file.changes:
            log(f"  {change.summary()}")
    return files


def roster_changes(settings: Settings) -> dict[str, Any]:
    """What the user's files changed in the rosters of the warehouse, for ``release.json``."""
    path = settings.lake / "derived" / f"{OVERRIDES}.parquet"
    rows: list[dict[str, Any]] = []
    if path.exists():
        frame = pd.read_parquet(path)
        columns = ["roster", "change", "city_code", "city_name", "listed_unit", "summary"]
        records = frame[[*columns, "file", "file_sha256", "line"]].to_dict("records")
        rows = [{str(key): value for key, value in record.items()} for record in records]
    return {"min_confidence": settings.min_confidence, "rows": rows}


def _partition(file: RosterFile) -> str:
    return partition_name(file.file.rsplit("/", 1)[-1])


def _write_overrides(settings: Settings, files: list[RosterFile]) -> None:
    rows = [
        {
            "roster": change.roster,
            "change": change.change,
            "city_code": change.city_code,
            "city_name": change.city_name,
            "listed_unit": change.listed_unit,
            "row_values": as_json(change.row),
            "before_values": as_json(change.before),
            "summary": change.summary(),
            "file": change.file,
            "file_sha256": change.file_sha256,
            "line": change.line,
        }
        for file in files
        for change in file.changes
    ]
    path = settings.lake / "derived" / f"{OVERRIDES}.parquet"
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=DERIVED[OVERRIDES]), temporary)


def _report(file: RosterFile) -> ExtractResult:
    """File report and rejects of one file of corrections; it holds no observations."""
    common = {"source": SOURCE, "file": file.file, "file_sha256": file.file_sha256}
    rejects = [
        {
            **common,
            "release": "user",
            "row": refusal.line or None,
            "indicator_printed": refusal.column,
            "value_printed": refusal.value,
            "reason": "roster_refused",
            "detail": refusal.message,
            "suggestion": "correct the row; until then the shipped roster holds",
        }
        for refusal in file.refusals
    ]
    if file.refusals:
        reason = file.refusals[0].message
        if len(file.refusals) > 1:
            reason += f" (and {len(file.refusals) - 1} more, see rejects)"
    else:
        # As many changes as fit a cell; all of them are in release.json.
        shown = "; ".join(c.summary() for c in file.changes[:10])
        more = f"; and {len(file.changes) - 10} more" if len(file.changes) > 10 else ""
        reason = file.counts() + (f": {shown}{more}" if shown else "")
    report = {
        **common,
        "bytes": file.size,
        "table_title": f"corrections of {file.roster}" if file.roster else "",
        "release": "user",
        "status": "rejected" if file.refusals else "read",
        "reason": reason,
        "n_entities": file.n_cities,
        "n_indicators": 0,
        "n_observations": 0,
        "n_missing": 0,
        "n_rejects": len(rejects),
    }
    return ExtractResult.from_rows([], rejects, [report])
