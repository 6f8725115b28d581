"""What a row of a roster must be: a known city, years that are years, words that the SQL knows.

Belongs here: the checks on one file of corrections, cell by cell, each with the message for the
person who wrote it. Does not belong here: reading files or comparing rows (``rosters``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dagster_project.extract import crosswalk

ACTION = "action"
CONFIDENCE = ("verified", "from-memory", "uncertain")
CITY, UNIT = "city_code", "listed_unit"

# Treaty ports go back to 1843; nothing is planned further ahead than this.
_FIRST_YEAR, _LAST_YEAR = 1840, 2100
_YEAR_COLUMN = re.compile(r"(?:^|_)year(?:_|$)")
_FLAG_COLUMN = re.compile(r"^(?:in|has|is|whole)_|^listed_individually$|^rail_by_")
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_BELOW_CITY = ("district", "county", "county_city", "town", "zone_or_new_area")
# Words that the SQL tells apart: another spelling would silently mean "not listed".
_CLOSED = {
    "roster_resource": ("resource_class",),
    "roster_two_control": ("zone",),
    "roster_city_tier": ("tier",),
    "roster_big_data": ("zone_type",),
}


@dataclass(frozen=True)
class ShippedRoster:
    """A roster as it comes with the project: its columns and rows, everything as text."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]

    def key(self, row: dict[str, str]) -> tuple[str, str]:
        """City and listed unit; the unit is empty where the roster lists whole cities only."""
        return row[CITY], row[UNIT] if UNIT in self.columns else ""


@dataclass(frozen=True)
class Refusal:
    """A row that cannot be meant; ``line`` 0 is the file as a whole."""

    line: int
    column: str
    value: str
    message: str


@dataclass
class RosterChecker:
    """Collects what is wrong with the rows of one file."""

    file: str
    roster: ShippedRoster
    names: crosswalk.Crosswalk
    found: list[Refusal] = field(default_factory=list)

    def refuse(self, line: int, column: str, value: str, message: str) -> None:
        """Note a refusal; the message is completed by file and line."""
        where = f"{self.file} line {line}" if line else self.file
        self.found.append(Refusal(line, column, value, f"{where}: {message}"))

    def header(self, header: list[str]) -> None:
        """Columns that the roster does not have, that stand twice, or that are missing."""
        allowed = {*self.roster.columns, ACTION}
        required = [c for c in (CITY, UNIT) if c in self.roster.columns]
        for column in header:
            if column not in allowed:
                self.refuse(
                    1, column, column,
                    f"column {column or '(blank)'!r} is not one of {self.roster.name}: "
                    f"{', '.join(self.roster.columns)}",
                )  # fmt: skip
        for column in sorted({c for c in header if header.count(c) > 1}):
            self.refuse(1, column, column, f"column {column!r} stands twice")
        for column in required:
            if column not in header:
                self.refuse(1, column, "", f"column {column!r} is missing: it names the unit")

    def city(self, line: int, row: dict[str, str]) -> None:
        """The code is a city's, and the name beside it that city's."""
        code = row[CITY]
        official = self.names.official.get(code)
        name = row.get("name_zh", "")
        if official is None:
            resolved = self.names.resolve(name) if name else None
            known = resolved is not None and resolved.city_code
            hint = f"; {name} has the code {resolved.city_code}" if known and resolved else ""
            self.refuse(
                line, CITY, code,
                f"{code or '(blank)'} is no code of a city at prefecture level (GB/T 2260)"
                f"{hint}. A county or district is listed under its city's code",
            )  # fmt: skip
        elif name and name != official and self.names.resolve(name).city_code != code:
            self.refuse(
                line, "name_zh", name,
                f"the code {code} is {official}, the name says {name}: correct one of them",
            )  # fmt: skip

    def values(self, line: int, row: dict[str, str], given: set[str]) -> None:
        """Years, flags, dates and closed words; ``given`` are the columns that may not be blank."""
        for column in self.roster.columns:
            value = row.get(column, "")
            if not value:
                if column in given and not self._may_be_blank(column):
                    self.refuse(line, column, "", f"{column} is blank: {self._expected(column)}")
            elif not self._fits(column, value):
                self.refuse(
                    line, column, value, f"{column} {value!r}: {self._expected(column)}"
                )  # fmt: skip
        if row.get("whole_city") == "1" and row.get("level") in _BELOW_CITY:
            self.refuse(
                line, "whole_city", "1",
                f"a {row['level']} does not stand for the whole city: give whole_city 0, or the "
                "level of the city",
            )  # fmt: skip

    def _may_be_blank(self, column: str) -> bool:
        """Blank where the shipped roster has blanks, or where no SQL depends on the text."""
        checked = column == "confidence" or self._expected(column)
        return not checked or any(not row[column] for row in self.roster.rows)

    def _words(self, column: str) -> tuple[str, ...]:
        """The words allowed in a column; empty where any text is."""
        if column == "confidence" or column.endswith("_confidence"):
            return CONFIDENCE
        if column == "level" or column in _CLOSED.get(self.roster.name, ()):
            words = {row[column] for row in self.roster.rows} - {""}
            if "prefecture_city" in words:
                words |= {"municipality", "county_city", "county", "district"}
            return tuple(sorted(words))
        return ("0", "1") if _FLAG_COLUMN.search(column) else ()

    def _fits(self, column: str, value: str) -> bool:
        words = self._words(column)
        if words:
            return value in words
        if is_year(column):
            return bool(re.fullmatch(r"\d{4}", value)) and _FIRST_YEAR <= int(value) <= _LAST_YEAR
        if column in ("announced", "trading_start"):
            match = _DATE.fullmatch(value)
            if not match or (column == "trading_start" and not match[3]):
                return False
            year, month, day = (int(part) if part else 1 for part in match.groups())
            return _FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12 and 1 <= day <= 31
        return not any(ord(character) < 32 for character in value)

    def _expected(self, column: str) -> str:
        words = self._words(column)
        if words:
            return f"expected {' or '.join(words)}"
        if is_year(column):
            return f"expected a year from {_FIRST_YEAR} to {_LAST_YEAR}, in four digits"
        if column == "announced":
            return "expected a year, a month or a day, as 2015, 2015-04 or 2015-04-07"
        return "expected a day, as 2013-06-18" if column == "trading_start" else ""


def is_year(column: str) -> bool:
    """Whether a column holds years (``year_effective``, ``open_year``, ...)."""
    return bool(_YEAR_COLUMN.search(column)) and not column.endswith("_confidence")
