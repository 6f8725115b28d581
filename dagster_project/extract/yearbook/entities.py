"""What each row below a header is: a city, a province, a total, a heading, a footnote.

Belongs here: reading the name column from top to bottom. Does not belong here: the cells beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dagster_project.extract.crosswalk import Crosswalk
from dagster_project.extract.text import (
    Scope,
    leaf_scope,
    normalise_name,
    parse_number,
    printed,
    split_marks,
)
from dagster_project.extract.yearbook import words
from dagster_project.extract.yearbook.layout import Block, blank
from dagster_project.extract.yearbook.sheets import Sheet

Kind = Literal["place", "province", "national", "heading", "note", "unknown_text", "unnamed"]


@dataclass(slots=True)
class Entity:
    """One data row; ``row`` is 0-based, ``numbers`` says whether any cell in it is not missing.

    ``scope`` and ``year`` are those that the row itself states; ``bad_year`` is a year cell that
    cannot be read as one.
    """

    row: int
    kind: Kind
    name: str
    province: str | None
    code: str | None
    marks: str
    numbers: bool
    scope: Scope | None = None
    year: int | None = None
    bad_year: str = ""


def read_entities(
    sheet: Sheet, block: Block, columns: list[int], crosswalk: Crosswalk
) -> list[Entity]:
    """Rows of a block that have a name or a number, in order.

    A city printed once over several rows (全市 and 市辖区, or years) names all of them.
    """
    found: list[Entity] = []
    province: str | None = None
    city: object = None
    below = _merged_below(sheet, block)
    opened = _opens_provinces(sheet, block, crosswalk)
    for r in block.data:
        row = sheet.rows[r]
        cell = row[block.name_col]
        scope = leaf_scope(row[block.scope_col]) if block.scope_col is not None else None
        own_row = leaf_scope(cell) if isinstance(cell, str) else None
        if city is not None and own_row and _has_numbers(row, columns):
            cell, scope = city, own_row
        elif city is not None and blank(cell) and (scope or r in below):
            cell = city
        filled = _has_numbers(row, columns)
        if blank(cell):
            if filled:
                found.append(Entity(r, "unnamed", "", province, None, "", True))
            continue
        name = words.place_name(cell)
        _, marks = split_marks(cell)
        kind = _kind(cell, name, filled, province, crosswalk, opened)
        if kind == "province":
            name = province = _SUM_OF.sub("", name)
        beside = _text(row, block.province_col)
        code = _code(row, block.code_col)
        own = beside or (province if kind == "place" else None)
        if kind == "place" and not beside and name in _MUNICIPALITY_NAMES:
            own = None  # printed above the first province, or between provinces
        entity = Entity(r, kind, name, own, code, marks, filled, scope)
        if block.year_col is not None and filled:
            _date(entity, row[block.year_col])
        city = cell if kind == "place" else None
        found.append(entity)
    if not any(e.kind == "place" and e.name not in _MUNICIPALITY_NAMES for e in found):
        for entity in found:  # a table of provinces: the municipalities are provinces too
            if entity.kind == "place":
                entity.kind = "province"
    return found


def _has_numbers(row: list[object], columns: list[int]) -> bool:
    """Whether any of the columns has a cell that is not missing."""
    return any(parse_number(row[c]).kind != "missing" for c in columns)


def _merged_below(sheet: Sheet, block: Block) -> set[int]:
    """Rows whose name cell is the lower part of a merged one."""
    return {
        r
        for top, left, bottom, right in sheet.merges
        if left <= block.name_col <= right
        for r in range(top + 1, bottom + 1)
    }


_YEAR = re.compile(r"((?:19|20)\d{2})(?:\.0+)?年?")


def _date(entity: Entity, cell: object) -> None:
    text = normalise_name(printed(cell))
    match = _YEAR.fullmatch(text)
    if match:
        entity.year = int(match[1])
    else:
        entity.bad_year = text or "blank"


def _opens_provinces(sheet: Sheet, block: Block, crosswalk: Crosswalk) -> bool:
    """Whether rows of provinces stand among the cities, so that 吉林 may be one of them."""
    if block.province_col is not None:
        return False
    names = (words.place_name(sheet.rows[r][block.name_col]) for r in block.data)
    return any(
        name not in crosswalk and crosswalk.province_code(_SUM_OF.sub("", name)) is not None
        for name in names
    )


_SUM_OF = re.compile(r"(?:合计|小计|总计)$")  # 河北省合计
_MUNICIPALITY_NAMES = frozenset(
    name for short in ("北京", "天津", "上海", "重庆") for name in (short, short + "市")
)


def _kind(
    cell: object,
    name: str,
    filled: bool,
    province: str | None,
    crosswalk: Crosswalk,
    opened: bool,
) -> Kind:
    if words.is_total(cell):
        return "national"
    if name in _MUNICIPALITY_NAMES:
        return "place"
    code = crosswalk.province_code(_SUM_OF.sub("", name))
    if code is not None and (opened or name not in crosswalk):
        # 吉林 without a suffix is the city once its province has been opened
        inside = province is not None and crosswalk.province_code(province) == code
        return "place" if inside and name in crosswalk else "province"
    if words.is_note(cell) and name not in crosswalk:
        return "note"
    if words.is_group(name):
        return "heading"
    if filled or name in crosswalk or (name[-1:] in "市县旗州盟" and 3 <= len(name) <= 12):
        return "place"
    if not words.has_chinese(cell) or len(name) > 20:
        return "note"
    return "unknown_text"


def _text(row: list[object], column: int | None) -> str | None:
    if column is None or blank(row[column]):
        return None
    return normalise_name(row[column])


def _code(row: list[object], column: int | None) -> str | None:
    if column is None or blank(row[column]):
        return None
    number = parse_number(row[column])
    if number.kind == "number" and number.value is not None and number.value.is_integer():
        return str(int(number.value))
    return normalise_name(row[column])
