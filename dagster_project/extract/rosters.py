"""Corrections of the shipped rosters: one csv per roster, applied row by row.

Belongs here: reading ``landing/rosters/<roster>.csv``, refusing what cannot be meant, and saying
what each row changes. Does not belong here: applying the changes (dbt staging does, so that a
roster has one definition) or deciding which listed unit flags its city (dbt as well).

A row stands for one listed unit: its city and, where the roster lists units below the city, the
unit's name. A row of the user's file takes the place of the shipped row of the same unit, or is
added; with ``remove`` in an extra column ``action`` the shipped row is left out. A column that the
file does not have keeps the shipped value. One bad row refuses its whole file: half a correction
would be a roster that nobody has written.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dagster_project.extract import crosswalk
from dagster_project.extract.roster_rules import (
    ACTION,
    CITY,
    UNIT,
    Refusal,
    RosterChecker,
    ShippedRoster,
    is_year,
)
from dagster_project.extract.safety import Limits, check_path
from dagster_project.extract.schema import ExtractError

SOURCE = "rosters"
FOLDER = "rosters"
PREFIX = "roster_"

_NOT_CORRECTABLE = ("roster_excluded_units",)  # a note on what has no row, read by no model
_LIMITS = Limits(file_bytes=8 * 1024 * 1024)
_MAX_ROWS = 20_000


@dataclass(frozen=True)
class RosterChange:
    """One row that differs from the shipped roster.

    Attributes
    ----------
    change : str
        ``amended``, ``added`` or ``removed``.
    row, before : dict
        The row in force and the shipped one; empty for removed and added rows respectively.
    line : int
        Line of the user's file, the header being line 1.
    """

    roster: str
    change: str
    city_code: str
    city_name: str
    listed_unit: str
    row: dict[str, str]
    before: dict[str, str]
    file: str
    file_sha256: str
    line: int

    def summary(self) -> str:
        """The change in one line, for logs and ``release.json``."""
        unit = self.listed_unit
        who = f"{self.city_name} ({self.city_code})" + (f" {unit}" if unit else "")
        if self.change == "amended":
            what = "; ".join(
                f"{column} {self.before.get(column, '') or '(blank)'} -> {value or '(blank)'}"
                for column, value in self.row.items()
                if value != self.before.get(column, "")
            )
        else:
            shown = self.row or self.before
            years = [f"{c} {v}" for c, v in shown.items() if is_year(c) and v]
            what = ", ".join(years) or "no year"
        return f"{self.roster}: {self.change} {who}: {what} [{self.file} line {self.line}]"


@dataclass(frozen=True)
class RosterFile:
    """What one file of corrections holds. ``changes`` is empty when anything is refused."""

    file: str
    file_sha256: str
    size: int
    roster: str
    n_rows: int = 0
    n_same: int = 0
    n_cities: int = 0
    changes: tuple[RosterChange, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def counts(self) -> str:
        """How many rows change what."""
        kinds = [c.change for c in self.changes]
        words = [f"{kinds.count(k)} {k}" for k in ("amended", "added", "removed")]
        return f"{self.roster}: {', '.join(words)}, {self.n_same} as shipped"


@cache
def shipped_rosters(seeds: Path = crosswalk.SEEDS) -> dict[str, ShippedRoster]:
    """Every roster that can be corrected, by name (``roster_smart_city``, ...)."""
    found = {}
    for path in sorted(seeds.glob(f"{PREFIX}*.csv")):
        if path.stem in _NOT_CORRECTABLE:
            continue
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            rows = tuple(dict(row) for row in reader)
            found[path.stem] = ShippedRoster(path.stem, tuple(reader.fieldnames or ()), rows)
    return found


def read_rosters(landing: Path, *, seeds: Path = crosswalk.SEEDS) -> list[RosterFile]:
    """All files of corrections in ``landing/rosters``, sorted by name.

    Returns
    -------
    list of RosterFile
        A file that cannot be used comes with its refusals and without changes; nothing is raised.
    """
    folder = landing / FOLDER
    if not folder.is_dir():
        return []
    results: list[RosterFile] = []
    for path in roster_files(landing):
        result = read_roster(path, landing, seeds=seeds)
        first = next((r for r in results if r.roster == result.roster and not r.refusals), None)
        if first is not None and not result.refusals:
            message = (
                f"{first.file} corrects {result.roster} already: keep one file per roster and put "
                "the rows together"
            )
            result = _refused(result, [Refusal(0, "", "", message)])
        results.append(result)
    return results


def roster_files(landing: Path) -> list[Path]:
    """Files in ``landing/rosters`` that are meant as corrections (hidden files and notes aside)."""
    folder = landing / FOLDER
    if not folder.is_dir():
        return []
    return sorted(
        p
        for p in folder.iterdir()
        if not p.name.startswith((".", "~$")) and p.suffix.lower() not in (".md", ".txt", ".json")
    )


def read_roster(path: Path, landing: Path, *, seeds: Path = crosswalk.SEEDS) -> RosterFile:
    """Read one file of corrections and compare it with the shipped roster row by row."""
    name = path.relative_to(landing).as_posix()
    empty = RosterFile(name, "", 0, "")
    try:
        check_path(path, landing, _LIMITS)
        raw = path.read_bytes()
    except (ExtractError, OSError) as error:
        return _refused(empty, [Refusal(0, "", "", re.sub(r"\s+", " ", str(error)))])
    rosters = shipped_rosters(seeds)
    stem = path.stem.lower()
    roster_name = stem if stem.startswith(PREFIX) else PREFIX + stem
    result = RosterFile(name, hashlib.sha256(raw).hexdigest(), len(raw), roster_name)
    if path.suffix.lower() != ".csv" or roster_name not in rosters:
        known = ", ".join(f"{r}.csv" for r in rosters)
        message = f"{name} corrects no shipped roster: expected one of {known}"
        return _refused(result, [Refusal(0, "", path.name, message)])
    try:
        lines = _lines(raw)
    except ValueError as error:
        return _refused(result, [Refusal(0, "", "", f"{name}: {error}")])
    return _compare(result, rosters[roster_name], lines, crosswalk.load(seeds))


def _lines(raw: bytes) -> list[tuple[int, list[str]]]:
    """Rows with the number of the line on which each ends; blank ones are left out."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise ValueError("neither UTF-8 nor GB18030: save the table as csv (UTF-8)")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"no readable csv ({error}): save the table as csv (UTF-8)") from error
    rows = [(line, row) for line, row in rows if any(row)]
    if len(rows) < 2:
        raise ValueError("no rows: give a header and at least one row")
    if len(rows) - 1 > _MAX_ROWS:
        raise ValueError(f"{len(rows) - 1} rows, more than the {_MAX_ROWS} a roster can have")
    return rows


def _compare(
    result: RosterFile,
    roster: ShippedRoster,
    lines: list[tuple[int, list[str]]],
    names: crosswalk.Crosswalk,
) -> RosterFile:
    checker = RosterChecker(result.file, roster, names)
    header = [cell.lower() for cell in lines[0][1]]
    while header and not header[-1]:  # spreadsheets leave empty columns at the end
        header.pop()
    checker.header(header)
    if checker.found:
        return _refused(result, checker.found)
    shipped = {roster.key(row): row for row in roster.rows}
    seen: dict[tuple[str, str], int] = {}
    changes: list[RosterChange] = []
    same = 0
    for line, cells in lines[1:]:
        if any(cells[len(header) :]):
            checker.refuse(line, "", "", f"{len(cells)} cells under {len(header)} columns")
            continue
        given = dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=False))
        action = given.pop(ACTION, "").lower()
        key = roster.key(given)
        before = shipped.get(key, {})
        row = {**dict.fromkeys(roster.columns, ""), **before, **given}
        checker.city(line, row)
        who = f"{row.get('name_zh') or key[0]}{' ' + key[1] if key[1] else ''}"
        if UNIT in roster.columns and not key[1]:
            checker.refuse(line, UNIT, "", f"{UNIT} is blank: name the listed unit")
        if key in seen:
            checker.refuse(line, CITY, key[0], f"{who} stands on line {seen[key]} already")
        seen.setdefault(key, line)
        if action not in ("", "set", "remove"):
            checker.refuse(line, ACTION, action, f"action {action!r}: expected set, remove or none")
        elif action == "remove":
            if not before:
                checker.refuse(line, ACTION, action, f"{who} is not in the shipped {roster.name}")
            row = {}
        else:
            # An added row has no shipped value to fall back on: every checked column counts.
            checker.values(line, row, set(given) if before else set(roster.columns))
        if row == before:
            same += 1
            continue
        change = "removed" if not row else "amended" if before else "added"
        city = names.official.get(key[0], "")
        if row and not row.get("name_zh", city):
            row["name_zh"] = city
        changes.append(
            RosterChange(
                roster.name, change, key[0], city, key[1], row, before,
                result.file, result.file_sha256, line,
            )
        )  # fmt: skip
    counted = RosterFile(
        result.file,
        result.file_sha256,
        result.size,
        result.roster,
        n_rows=len(lines) - 1,
        n_same=same,
        n_cities=len({city for city, _ in seen}),
        changes=tuple(changes),
    )
    return _refused(counted, checker.found) if checker.found else counted


def _refused(result: RosterFile, refusals: list[Refusal]) -> RosterFile:
    return RosterFile(
        result.file,
        result.file_sha256,
        result.size,
        result.roster,
        n_rows=result.n_rows,
        refusals=tuple(refusals),
    )


def as_json(row: dict[str, str]) -> str:
    """A roster row as the text in which the lake keeps it."""
    return json.dumps(row, ensure_ascii=False)
