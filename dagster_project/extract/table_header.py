"""The header row of a mapped sheet: titles, and the units that stand beside names in them.

Belongs here: finding a column by the names that a mapping gives, and labels that say what a sheet
or a row means. Does not belong here: which row is the header (tables.py), or the cells below it
(table_cells.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dagster_project.extract.table_mapping import SheetMapping, ValueColumn, column_key
from dagster_project.extract.table_open import Sheet
from dagster_project.extract.text import printed
from dagster_project.extract.units import unit_key

# 专利申请总量(件), 碳排放量_吨: a title with its unit
_TITLE_AND_UNIT = re.compile(r"(.+?)(?:\((.+)\)|[_:/](.+))")
_TITLE_AND_BRACKET = re.compile(r"(.+)\(([^()]+)\)")


@dataclass(frozen=True)
class Header:
    """A header row: its 0-based number and its titles (as :func:`column_key` folds them).

    A column whose title is a mapped name and a unit in brackets is found under the bare name too;
    ``units`` then holds that unit, which goes before the mapping's.
    """

    row: int
    columns: dict[str, int]
    bare: dict[str, int] = field(default_factory=dict)
    units: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, row: int, cells: Sequence[object]) -> Header:
        columns: dict[str, int] = {}
        bare: dict[str, int] = {}
        units: dict[int, str] = {}
        for number, title in enumerate(cells):
            if not filled(title):
                continue
            key = column_key(printed(title))
            columns.setdefault(key, number)
            parts = _TITLE_AND_UNIT.fullmatch(key)
            unit = (parts[2] or parts[3]) if parts else ""
            if parts and unit_key(unit):
                bare.setdefault(parts[1], number)
                units[number] = unit
        return cls(row, columns, bare, units)

    def find(self, names: Sequence[str]) -> int | None:
        """Column of the first name that a title is, else of the first that it is but for a unit."""
        keys = [column_key(name) for name in names]
        for titles in (self.columns, self.bare):
            for key in keys:
                if key in titles:
                    return titles[key]
        return None

    def unit_of(self, number: int, names: Sequence[str]) -> str:
        """Unit in the title of a column that was found under its bare name; else empty."""
        exact = any(self.columns.get(column_key(name)) == number for name in names)
        return "" if exact else self.units.get(number, "")


def label_above(sheet: Sheet, header: Header, spec: SheetMapping) -> str | None:
    """What follows ``label_above`` in the lines above the header, as in 指标：居民消费价格指数."""
    starts = tuple(column_key(start) for start in spec.label_above)
    for row in sheet.rows[: header.row]:
        cells = [printed(cell).strip() for cell in row if filled(cell)]
        for number, cell in enumerate(cells):
            key = column_key(cell)
            start = next((s for s in starts if key == s or key.startswith(s + ":")), None)
            if start is None:
                continue
            text = re.sub(r"^[^:：]*[:：]", "", cell).strip() if ":" in key else ""
            if text or number + 1 < len(cells):
                return text or cells[number + 1]
    return None


def unmapped_label(text: str) -> ValueColumn:
    """A label that the mapping does not name, as an indicator of its own: key and printed unit."""
    key = column_key(text)
    for form in (_TITLE_AND_BRACKET, _TITLE_AND_UNIT):
        parts = form.fullmatch(key)
        unit = next(filter(None, parts.groups()[1:]), "") if parts else ""
        if parts and unit_key(unit):
            return ValueColumn(indicator=parts[1], unit=unit)
    return ValueColumn(indicator=key)


def filled(cell: object) -> bool:
    """Whether a cell holds anything but blanks."""
    return cell is not None and str(cell).strip() != ""
