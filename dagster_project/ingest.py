"""Landing folder to lake: which files changed, which reader takes them, what became of each.

Belongs here: the incremental walk shared by all source assets. Does not belong here: file formats
(``extract``), Dagster (``assets.sources``), or anything after the lake.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from dagster_project.arrival import first_of_each
from dagster_project.extract import table_mapping
from dagster_project.extract.discover import LandingFile, discover
from dagster_project.extract.schema import ExtractError, ExtractResult
from dagster_project.lake import Lake, partition_fingerprint
from dagster_project.readers import GRID_SOURCES, check_population, read, reader_version
from dagster_project.settings import Settings

_SECONDS_BETWEEN_LINES = 3.0


class EmptyLandingError(Exception):
    """The landing folder holds nothing that any reader knows."""


@dataclass
class IngestReport:
    """What one source's ingestion did, for people and for metadata."""

    source: str
    read: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # file -> reason
    observations: int = 0
    rejects: int = 0


@cache
def table_sources() -> tuple[str, ...]:
    """Ids of all declared table mappings, sorted (patents and compiled tables included)."""
    return tuple(sorted(table_mapping.load_mappings()))


def all_sources() -> tuple[str, ...]:
    """Every source that has a raw asset, in the order in which people look for them."""
    return ("yearbook", *GRID_SOURCES, *table_sources())


def scan(settings: Settings) -> list[LandingFile]:
    """Files of the landing folder with their source, partition and hash.

    Raises
    ------
    EmptyLandingError
        If no file is recognised; the message says what is expected where.
    """
    settings.cache.mkdir(parents=True, exist_ok=True)
    population = settings.population.resolve() if settings.population else None
    found = [
        file
        for file in discover(
            settings.landing_dir, hash_cache=settings.cache / "landing_hashes.json"
        )
        if file.path.resolve() != population  # known by its setting, not by its place
    ]
    if not any(f.source != "unrecognised" for f in found):
        seen = f"{len(found)} files there, none of them recognised" if found else "it is empty"
        raise EmptyLandingError(
            f"nothing to read in the landing folder {settings.landing_dir}: {seen}. Expected for "
            "example yearbook/2023/*.xlsx, edgar/*.nc, pm25/*.nc, patents/*.csv, "
            "tables/<source>/* or compiled/*.xlsx; see the README's table of sources."
        )
    return found


def ingest(
    source: str,
    settings: Settings,
    files: list[LandingFile],
    log: Callable[[str], None],
) -> IngestReport:
    """Bring one source's partitions in the lake up to date with the landing folder.

    A partition is read again only if one of its files, their names, or the reader changed; of a
    grid also if the boundaries did, and of PM2.5 the population grid. A file that cannot be read is
    a row in the file report with its reason, never an exception, so that one bad file does not keep
    the good ones out.

    Raises
    ------
    SettingsError
        If the boundaries or the population grid of the settings cannot be used.
    """
    lake = Lake(settings.lake)
    report = IngestReport(source)
    said = time.monotonic()
    partitions: dict[str, list[LandingFile]] = defaultdict(list)
    for file in files:
        if file.source == source:
            partitions[file.partition].append(file)
    _, copies = first_of_each(file for members in partitions.values() for file in members)
    for gone in set(lake.partitions(source)) - set(partitions):
        lake.forget(source, gone)
        report.removed.append(gone)
        log(f"{source} {gone}: no longer in the landing folder, removed from the lake")
    version, checked = reader_version(source, settings) if partitions else "", False
    for number, (partition, members) in enumerate(sorted(partitions.items()), start=1):
        members.sort(key=lambda f: str(f.path))
        names = [str(f.path.relative_to(settings.landing_dir)) for f in members]
        # Whether a file is a copy counts: when its original goes, it is read.
        hashes = [
            (name, f.sha256 + (" copy" if f.path in copies else ""))
            for name, f in zip(names, members, strict=True)
        ]
        fingerprint = partition_fingerprint(hashes, version)
        if lake.fingerprint(source, partition) == fingerprint:
            report.unchanged.append(partition)
            continue
        if source == "pm25" and not checked:
            check_population(settings)
            checked = True
        parts = []
        for name, file in zip(names, members, strict=True):
            if file.path in copies:
                original = str(copies[file.path].relative_to(settings.landing_dir))
                parts.append(copy_of(source, partition, name, file, original))
                log(f"{source} {name}: the same content as {original}, read once")
                continue
            try:
                parts.append(read(source, [file], settings))
            except ExtractError as error:
                parts.append(refused(source, partition, name, file, str(error)))
        result = ExtractResult.concat(parts)
        for row in result.files[result.files["status"] == "rejected"].itertuples():
            report.refused[str(row.file)] = str(row.reason)
            log(f"{source} {row.file}: not read: {row.reason}")
        lake.write(source, partition, result, fingerprint)
        report.read.append(partition)
        report.observations += len(result.observations)
        report.rejects += len(result.rejects)
        # Progress, but no line per file where files take a tenth of a second.
        if time.monotonic() - said > _SECONDS_BETWEEN_LINES or number == len(partitions):
            said = time.monotonic()
            log(
                f"{source} {partition} ({number} of {len(partitions)}): {report.observations:,} "
                f"observations so far, {report.rejects:,} rejects"
            )
    return report


def refused(
    source: str, partition: str, name: str, file: LandingFile, reason: str
) -> ExtractResult:
    """The record of a file that could not be read: a file row and a reject, no observation."""
    return ExtractResult.from_rows(
        [],
        [
            {
                "source": source,
                "release": partition,
                "file": name,
                "file_sha256": file.sha256,
                "reason": "unreadable_file",
                "detail": reason,
                "suggestion": "replace the file by a fresh download, or remove it",
            }
        ],
        [
            {
                "source": source,
                "file": name,
                "file_sha256": file.sha256,
                "bytes": file.size,
                "release": partition,
                "status": "rejected",
                "reason": reason,
                "n_entities": 0,
                "n_indicators": 0,
                "n_observations": 0,
                "n_missing": 0,
                "n_rejects": 1,
            }
        ],
    )


def copy_of(
    source: str, partition: str, name: str, file: LandingFile, original: str
) -> ExtractResult:
    """The record of a second copy of a file: a file row that says so, and nothing else."""
    row = {
        "source": source,
        "file": name,
        "file_sha256": file.sha256,
        "bytes": file.size,
        "release": partition,
        "status": "set_aside",
        "reason": f"the same content as {original}, read once",
        **dict.fromkeys(("n_entities", "n_indicators", "n_observations", "n_missing"), 0),
        "n_rejects": 0,
    }
    return ExtractResult.from_rows([], [], [row])


def record_unrecognised(settings: Settings, files: list[LandingFile]) -> int:
    """Note every file that no reader takes, so that ``published.sources`` names it too."""
    lake = Lake(settings.lake)
    for folder in ("raw", "rejects", "files"):
        shutil.rmtree(settings.lake / folder / "unrecognised", ignore_errors=True)
    strangers = [f for f in files if f.source == "unrecognised"]
    if strangers:
        parts = [
            refused(
                "unrecognised",
                "unrecognised",
                str(f.path.relative_to(settings.landing_dir)),
                f,
                f.reason or "no reader knows this file",
            )
            for f in strangers
        ]
        lake.write("unrecognised", "unrecognised", ExtractResult.concat(parts), "unrecognised")
    return len(strangers)
