"""Walks the landing folder: which reader each file belongs to, its partition and its content hash.

Belongs here: places and names of files, and the cache of hashes. Does not belong here: opening
files beyond hashing them (the readers), or remembering what was read before (the lake).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dagster_project.extract.grid_names import GRID_SUFFIXES, check_product, grid_year
from dagster_project.extract.grids import GRID_LIMITS
from dagster_project.extract.safety import Limits, check_path
from dagster_project.extract.schema import ExtractError
from dagster_project.extract.table_mapping import TableMapping, load_mappings, match
from dagster_project.extract.table_open import TABLE_SUFFIXES
from dagster_project.extract.tables import partition_name

UNRECOGNISED = "unrecognised"
GRID_FOLDERS = {
    "edgar": "edgar_co2",
    "pm25": "pm25",
    "nightlights": "nightlights",
    "elevation": "elevation",
}
_YEARBOOK_SUFFIXES = (".xls", ".xlsx", ".xlsm", ".et", ".csv", ".tsv")
# Rosters are read by the warehouse; a user's boundary file is configured.
_NOT_SOURCES = ("rosters", "boundaries")
_POPULATION = "population"
# Left by operating systems, editors and interrupted downloads, or notes for people.
IGNORED_NAMES = re.compile(
    r"^(?:\..*|~\$.*|Thumbs\.db|desktop\.ini|.*\.(?:part|partial|crdownload|tmp|swp))$", re.I
)
_NOTES = (".md", ".json")


@dataclass(frozen=True)
class LandingFile:
    """One file of the landing folder.

    Attributes
    ----------
    source
        Source id, or ``unrecognised``.
    partition
        Edition (yearbook), year or ``static`` (grids), or sanitised file stem (tables).
    reason
        Why a file is unrecognised; empty otherwise.
    """

    source: str
    partition: str
    path: Path
    sha256: str
    size: int
    reason: str = ""


def discover(landing: Path, *, hash_cache: Path | None = None) -> list[LandingFile]:
    """Every file below the landing folder with its source, partition and hash.

    Parameters
    ----------
    landing
        Folder laid out as ``yearbook/<edition>/``, ``edgar/``, ``pm25/``, ``nightlights/``,
        ``elevation/``, ``patents/``, ``tables/<source>/``, ``compiled/``.
    hash_cache
        JSON file that keeps hashes by path, size and modification time, so that unchanged files
        are not read again. A damaged cache is started anew.

    Returns
    -------
    list of LandingFile
        Sorted by path. Files that no reader knows, links that leave the folder, and files beyond
        the size limit come with the source ``unrecognised`` and the reason. Rosters, hidden files
        and notes (``.md``, ``.json``) are not listed.

    Raises
    ------
    ExtractError
        If the folder does not exist or cannot be read.
    """
    landing = Path(landing)
    if not landing.is_dir():
        raise ExtractError(
            f"the landing folder {landing} does not exist; create it and drop the files there"
        )
    mappings = load_mappings()
    hashes = _HashCache(hash_cache)
    found = []
    for path in _walk(landing):
        relative = PurePosixPath(path.relative_to(landing).as_posix())
        if relative.parts[0] in _NOT_SOURCES or IGNORED_NAMES.match(path.name):
            continue
        if path.suffix.lower() in _NOTES:
            continue
        found.append(_recognise(path, relative, landing, mappings, hashes))
    hashes.save()
    return found


def _walk(landing: Path) -> list[Path]:
    """All files below a folder, sorted; links to folders are listed, not followed."""

    def refuse(error: OSError) -> None:
        raise ExtractError(f"cannot list {error.filename}: {error.strerror}; check the permissions")

    paths = []
    for folder, subfolders, names in os.walk(landing, onerror=refuse, followlinks=False):
        here = Path(folder)
        paths += [here / name for name in names]
        paths += [here / name for name in subfolders if (here / name).is_symlink()]
        subfolders[:] = [n for n in subfolders if not n.startswith(".")]
    return sorted(paths, key=lambda p: p.as_posix())


def _recognise(
    path: Path,
    relative: PurePosixPath,
    landing: Path,
    mappings: dict[str, TableMapping],
    hashes: _HashCache,
) -> LandingFile:
    try:
        is_grid = relative.parts[0] in (*GRID_FOLDERS, _POPULATION)
        check_path(path, landing, GRID_LIMITS if is_grid else Limits())
        source, partition = _source(relative, mappings)
        stat = path.stat()
        return LandingFile(source, partition, path, hashes.of(path, stat), stat.st_size)
    except (ExtractError, OSError) as error:
        size = path.stat().st_size if path.is_file() and not path.is_symlink() else 0
        return LandingFile(
            UNRECOGNISED, partition_name(path.stem), path, "", size, _one_line(error)
        )


def _source(relative: PurePosixPath, mappings: dict[str, TableMapping]) -> tuple[str, str]:
    """Source and partition of a file by its place and name; the reason as an error where none."""
    folder, suffix = relative.parts[0], relative.suffix.lower()
    if len(relative.parts) == 1:
        raise ExtractError(
            "unrecognised: lies at the top of the landing folder; put it in the folder of its "
            "source, e.g. yearbook/2023/ or compiled/"
        )
    if folder == _POPULATION:
        raise ExtractError(
            "unrecognised: which population grid weighs the PM2.5 is a setting, not a place: name "
            "one file in PILOT_PANEL_POPULATION; others in this folder are not read"
        )
    if folder == "yearbook":
        if suffix not in _YEARBOOK_SUFFIXES:
            raise ExtractError(
                f"unrecognised: expected an Excel workbook, not {suffix or 'no ending'}"
                f"{_hint(suffix, folder)}"
            )
        if len(relative.parts) < 3:
            raise ExtractError(
                "unrecognised: put the workbook in a folder of its edition, e.g. yearbook/2023/"
            )
        return "yearbook", partition_name(relative.parts[1])
    if folder in GRID_FOLDERS:
        source = GRID_FOLDERS[folder]
        if suffix not in GRID_SUFFIXES[source]:
            expected = " or ".join(GRID_SUFFIXES[source])
            raise ExtractError(
                f"unrecognised: expected {expected} in {folder}/, not {suffix}"
                f"{_hint(suffix, folder)}"
            )
        check_product(relative.name, source)
        year = grid_year(relative.name, source)
        return source, str(year) if year else _without_year(source, relative)
    if suffix not in TABLE_SUFFIXES:
        raise ExtractError(
            f"unrecognised: the ending {suffix or '(none)'} is not read; expected one of "
            f"{', '.join(TABLE_SUFFIXES)}{_hint(suffix, folder)}"
        )
    mapping = match(relative, mappings)
    if mapping is None:
        known = sorted(m.source for m in mappings.values() if any(folder in g for g in m.files))
        raise ExtractError(
            f"unrecognised: no mapping takes this file from {folder}/. Mappings there: "
            f"{', '.join(known) or 'none'}. Move it to its folder, give it the name that its "
            "mapping expects, or add a mapping file for it"
        )
    return mapping.source, partition_name(relative.stem)


def _hint(suffix: str, folder: str) -> str:
    """What to do about a file in a form that sources are handed out in, but that is not read."""
    if suffix in (".zip", ".gz", ".rar", ".7z", ".tar", ".tgz", ".bz2", ".xz"):
        return ". It is a packed archive: unpack it and drop what is inside"
    if suffix in (".asc", ".hdf", ".h5") or (suffix == ".txt" and folder in GRID_FOLDERS):
        return ". Download the source's other form of the same data"
    if suffix in (".pdf", ".caj", ".doc", ".docx"):
        return ". It is a document: save its tables as a workbook"
    if suffix in (".xlsb", ".ods", ".numbers", ".sav", ".rds", ".rdata", ".feather"):
        return ". Save it as .xlsx"
    return ""


def _without_year(source: str, relative: PurePosixPath) -> str:
    """Elevation has no year; other grids may state it inside, and are told apart by name."""
    return "static" if source == "elevation" else partition_name(relative.stem)


def _one_line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))


class _HashCache:
    """SHA-256 of files by path, size and modification time."""

    def __init__(self, path: Path | None):
        self.path = path
        self.known: dict[str, dict] = {}
        self.seen: dict[str, dict] = {}
        if path is not None and path.exists():
            try:
                stored = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                stored = {}  # a cache only: hash again
            self.known = stored if isinstance(stored, dict) else {}

    def of(self, path: Path, stat: os.stat_result) -> str:
        key = str(path.resolve())
        entry = self.known.get(key, {})
        if entry.get("size") != stat.st_size or entry.get("mtime_ns") != stat.st_mtime_ns:
            with path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            entry = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest}
        self.seen[key] = entry
        return str(entry["sha256"])

    def save(self) -> None:
        if self.path is None or self.seen == self.known:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(self.seen, ensure_ascii=False, indent=0), encoding="utf-8")
        partial.replace(self.path)
