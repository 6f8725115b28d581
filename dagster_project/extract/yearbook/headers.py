"""Header cells over each data column, put together to one path from the top level down.

Belongs here: merged ranges, and the rule for parents that were not merged. Does not belong here:
finding the header rows (``layout``) or the meaning of a path (the registry seed).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dagster_project.extract.text import (
    Scope,
    fold,
    indicator_key,
    leaf_scope,
    parse_header,
    printed,
    unit_key,
)
from dagster_project.extract.yearbook.layout import Block, blank
from dagster_project.extract.yearbook.sheets import Sheet

_YEAR_LEVEL = re.compile(r"((?:19[89]|20\d)\d)年?(?:末|底)?")
# 2014年年末总人口, but no base of prices (1990年不变价工业总产值, 2005年基准地区生产总值), no span
# (2010年至2014年平均增速) and no comparison (2014年比2013年增长). 固定资产, 基本养老 and 到位资金
# only begin like such words.
_YEAR_BEFORE = re.compile(
    r"((?:19[89]|20\d)\d)年(?!不变|固定(?!资产)|基(?![本础层金建])|价(?!格指数)|可比|为|以|起|及|前|后|=|至"
    r"|到(?![位达])|比(?!重|例|上年|去年)|较(?!上年|去年)|[与和](?=\d)|[-~—–])(?=.)"
)


@dataclass(frozen=True, slots=True)
class Column:
    """One data column.

    Attributes
    ----------
    key : str
        Normal header path, empty when nothing is printed above the column.
    printed : str
        Levels as printed, joined by `` / ``.
    scope : "city", "districts" or "unspecified"
    unit : str
        Unit as printed, ``unit_key`` its normal form.
    year : int or None
        Data year, where the columns of a table are years.
    note : str
        What the reader noticed (for example that two printed units disagree).
    """

    index: int
    key: str
    printed: str
    scope: Scope
    unit: str
    unit_key: str
    year: int | None = None
    note: str = ""


def read_columns(
    sheet: Sheet, block: Block, *, title: str, title_unit: str, title_scope: Scope | None
) -> list[Column]:
    """Columns of a block that hold numbers, in order."""
    wanted = [c for c in block.columns if c not in block.skipped]
    if not wanted:
        return []
    grid = _filled(sheet, block, wanted)
    columns = []
    for position, index in enumerate(wanted):
        levels = [grid[r][position] for r in range(len(block.header))]
        # a table with one indicator may name it only in its title
        fallback = title if any(levels) or len(wanted) == 1 else ""
        columns.append(_column(index, levels, fallback, title_unit, title_scope))
    return columns


def _filled(sheet: Sheet, block: Block, wanted: list[int]) -> list[list[str]]:
    """Header texts per row and wanted column, with every level repeated over its columns.

    Merged ranges say what a text covers. Where a cell is blank and unmerged, it belongs to the text
    on its left when something stands below it and both have the same parents: on the printed page
    a group's head stands once, at the left end of its columns.
    """
    texts = [[printed(sheet.rows[r][c]).strip() for c in wanted] for r in block.header]
    origin = [
        [(r, c) if texts[i][j] else None for j, c in enumerate(wanted)]
        for i, r in enumerate(block.header)
    ]
    place = {c: j for j, c in enumerate(wanted)}
    for top, left, bottom, right in sheet.merges:
        if top not in block.header or blank(sheet.rows[top][left]):
            continue
        text = printed(sheet.rows[top][left]).strip()
        for r in range(top, min(bottom, block.header[-1]) + 1):
            for c in range(left, right + 1):
                if c in place:
                    texts[r - block.header[0]][place[c]] = text
                    origin[r - block.header[0]][place[c]] = (top, left)
    for i in range(len(texts) - 1):
        for j in range(1, len(wanted)):
            below = any(texts[k][j] for k in range(i + 1, len(texts)))
            neighbours = wanted[j] - wanted[j - 1] == 1
            if texts[i][j] or not texts[i][j - 1] or not below or not neighbours:
                continue
            if any(origin[k][j] != origin[k][j - 1] for k in range(i)):
                continue
            beside = parse_header(texts[i][j - 1])
            # a unit printed once goes for all columns under the same head
            if beside.key or (beside.unit and any(texts[k][j] for k in range(i))):
                texts[i][j], origin[i][j] = texts[i][j - 1], origin[i][j - 1]
    return texts


def _column(
    index: int, levels: list[str], title: str, title_unit: str, title_scope: Scope | None
) -> Column:
    path: list[str] = []
    for level in levels:
        if level and (not path or path[-1] != level):
            path.append(level)
    year = None
    kept: list[str] = []
    scope: Scope | None = None
    unit = ""
    note = ""
    for depth, level in enumerate(path):
        if match := _YEAR_LEVEL.fullmatch(fold(level).replace(" ", "")):
            year = int(match[1])
            continue
        if before := _YEAR_BEFORE.match(fold(level).replace(" ", "")):
            year = int(before[1])
        header = parse_header(level)
        leaf = leaf_scope(level) if depth == len(path) - 1 and depth > 0 else header.scope
        scope = leaf or scope
        if header.unit and (header.chinese or header.key == "" or not unit):
            if unit and not header.chinese and header.unit_key != unit_key(unit):
                note = f"printed units disagree: {unit} and {header.unit}"
            else:
                unit = header.unit
        elif header.unit and header.unit_key != unit_key(unit):
            note = f"printed units disagree: {unit} and {header.unit}"
        if header.key and not (leaf and not header.scope):
            kept.append(level)
    key = indicator_key(kept) if kept else ""
    if not key and title:
        key = parse_header(re.sub(r"[(（]\s*\d{4}\s*年?\s*[)）]", "", title)).key
        path = [title, *path] if key else path
    unit = unit or title_unit
    return Column(
        index=index,
        key=key,
        printed=" / ".join(re.sub(r"\s+", " ", level) for level in path),
        scope=scope or title_scope or "unspecified",
        unit=unit,
        unit_key=unit_key(unit),
        year=year,
        note=note,
    )
