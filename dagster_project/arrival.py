"""When files in the landing folder are complete, and whether they bring anything new.

Belongs here: the judgement behind the sensor, as functions of what lies in the folder and of what
was taken before. Does not belong here: Dagster (``sensors``), reading files (``ingest``), or which
reader takes which file (``extract.discover``).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dagster_project.extract.discover import GRID_FOLDERS, IGNORED_NAMES, UNRECOGNISED, LandingFile
from dagster_project.extract.rosters import roster_files

_SHOWN = 5
_DATED = ("yearbook", *GRID_FOLDERS.values())


@dataclass
class Memory:
    """What the sensor carries from one look at the folder to the next.

    Attributes
    ----------
    stand : dict
        Size and modification time of every file at the last look.
    taken : dict
        Path and content hash of the files that the last run was started for.
    runs : int
        Runs started so far; part of the run key, so that a file that is withdrawn and dropped
        again later runs again.
    """

    stand: dict[str, list[int]] = field(default_factory=dict)
    taken: dict[str, str] | None = None
    runs: int = 0

    @classmethod
    def from_cursor(cls, cursor: str | None) -> Memory:
        """Read back what ``to_cursor`` wrote; anything else is an empty memory."""
        try:
            stored = json.loads(cursor or "{}")
            return cls(stored["stand"], stored["taken"], stored["runs"])
        except (ValueError, KeyError, TypeError):
            return cls()

    def to_cursor(self) -> str:
        """The memory as text."""
        return json.dumps(vars(self), ensure_ascii=False, sort_keys=True)


def look(landing: Path) -> dict[str, list[int]]:
    """Size and modification time (ns) of every file below the landing folder, without opening any.

    Hidden files and unfinished downloads (``.part``, ``.crdownload``, ...) are not looked at.
    """
    stand = {}
    for folder, subfolders, names in os.walk(landing):
        subfolders[:] = sorted(n for n in subfolders if not n.startswith("."))
        for name in sorted(names):
            if IGNORED_NAMES.match(name):
                continue
            path = Path(folder) / name
            try:
                stat = path.lstat()
            except FileNotFoundError:
                continue  # gone between listing and looking: the next look sees it settled
            stand[path.relative_to(landing).as_posix()] = [stat.st_size, stat.st_mtime_ns]
    return stand


def moving(before: dict[str, list[int]], now: dict[str, list[int]]) -> list[str]:
    """Files that came, grew, shrank, were written or went since the last look, sorted."""
    return sorted(p for p in before.keys() | now.keys() if before.get(p) != now.get(p))


def first_of_each(files: Iterable[LandingFile]) -> tuple[list[LandingFile], dict[Path, Path]]:
    """One file per content, and the copies with what they copy.

    Where folder or name state the edition or the year (yearbooks, grids), the same bytes under
    another edition are another statement, not a copy. Of several, the one with the shortest name
    is kept: copies get longer ones ("... (1).xlsx").
    """
    kept: dict[tuple[str, str, str], LandingFile] = {}
    copies: dict[Path, Path] = {}
    for file in sorted(files, key=lambda f: (len(str(f.path)), str(f.path))):
        key = (file.source, file.partition if file.source in _DATED else "", file.sha256)
        if file.sha256 and key in kept:
            copies[file.path] = kept[key].path
        else:
            kept[key] = file
    return sorted(kept.values(), key=lambda f: str(f.path)), copies


def content(landing: Path, files: Iterable[LandingFile]) -> dict[str, str]:
    """Path and content hash of everything that a run would use: sources and rosters.

    Copies and files that no reader takes do not count: they change nothing in the panel.
    """
    kept, _ = first_of_each(f for f in files if f.source != UNRECOGNISED)
    found = {f.path.relative_to(landing).as_posix(): f.sha256[:20] for f in kept}
    for path in roster_files(landing):
        if path.is_file() and not path.is_symlink():
            found[path.relative_to(landing).as_posix()] = _hash(path)
    return found


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()[:20]
    except OSError as error:  # the run says so, and goes on with the shipped roster
        return f"unreadable: {error.strerror}"


def digest(found: dict[str, str]) -> str:
    """One hash for a set of files."""
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()[:20]


def changes(before: dict[str, str] | None, now: dict[str, str]) -> dict[str, list[str]]:
    """New, re-issued and withdrawn files since the last run; empty groups are left out."""
    old = before or {}
    groups = {
        "new": [p for p in now if p not in old],
        "re-issued": [p for p in now if p in old and old[p] != now[p]],
        "withdrawn": [p for p in old if p not in now],
    }
    return {name: sorted(paths) for name, paths in groups.items() if paths}


def skipped(landing: Path, files: Iterable[LandingFile]) -> list[str]:
    """Files that a run would not read, each with the reason."""
    files = list(files)
    lines = [
        f"{f.path.relative_to(landing).as_posix()}: {f.reason or 'no reader knows this file'}"
        for f in files
        if f.source == UNRECOGNISED
    ]
    _, copies = first_of_each(f for f in files if f.source != UNRECOGNISED)
    lines += [
        f"{copy.relative_to(landing).as_posix()}: the same content as "
        f"{original.relative_to(landing).as_posix()}, read once"
        for copy, original in copies.items()
    ]
    return sorted(lines)


def shown(items: list[str], separator: str = ", ") -> str:
    """The first few of a list, and how many more there are."""
    more = f"{separator}and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return separator.join(items[:_SHOWN]) + more
