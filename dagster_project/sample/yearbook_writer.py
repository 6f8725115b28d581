"""Writes the synthetic editions of the China City Statistical Yearbook as real workbooks.

Belongs here: values into laid-out tables, and tables into .xlsx and .xls files. Does not belong
here: wording (``yearbook_tables``) and layout (``yearbook_layouts``). Edition E reports data year
E - 1; workbooks carry fixed dates, so the same seed gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import xlsxwriter
import xlwt

from dagster_project.sample.holes import HOLE_MARKS, missing
from dagster_project.sample.inputs import stream
from dagster_project.sample.world import World
from dagster_project.sample.yearbook_layouts import Body, Layout, Sheet, lay_out, layout_of
from dagster_project.sample.yearbook_tables import BOTH, CITY, DISTRICTS, Table, tables

_WRITTEN = dt.datetime(2000, 1, 1)  # fixed, so that files do not change with the clock


def write_yearbooks(world: World, folder: Path) -> list[Path]:
    """Write one folder per edition; returns the files in order.

    Parameters
    ----------
    folder
        ``landing/yearbook``; an edition's files go to ``<folder>/<edition>/``.
    """
    written: list[Path] = []
    for position, year in enumerate(world.years):
        edition = int(year) + 1
        layout = layout_of(edition)
        target = folder / str(edition)
        target.mkdir(parents=True, exist_ok=True)
        printed = tables(edition)
        body = _body(world, position, printed)
        sheets = [
            lay_out(layout, edition, f"2-{i}", table, body, _sheet_name(world, layout, edition, i))
            for i, table in enumerate(printed, start=1)
        ]
        if edition in layout.whole_book:
            path = target / f"SYNTHETIC_{edition}年中国城市统计年鉴{layout.suffix}"
            contents = _contents(edition, printed)
            _write(path, [contents, *sheets])
            written.append(path)
            continue
        for sheet in sheets:
            path = target / f"{sheet.file_stem}{layout.suffix}"
            _write(path, [sheet])
            written.append(path)
    return written


def _body(world: World, position: int, printed: list[Table]) -> Body:
    year = int(world.years[position])
    listed = world.listed()[:, position]
    values: dict[tuple[str, str], np.ndarray] = {}
    for table in printed:
        for column in table.columns:
            hole = missing(world, column.indicator)[:, position]
            for scope in (CITY, DISTRICTS) if column.scope == BOTH else (column.scope,):
                source = world.districts if scope == DISTRICTS else world.city
                column_values = source[column.indicator][:, position].astype(float)
                values[(column.indicator, scope)] = np.where(hole, np.nan, column_values)[listed]
    cities = world.cities[listed]
    names = [n for n, keep in zip(world.printed_names(year), listed, strict=True) if keep]
    return Body(
        codes=cities["city_code"].tolist(),
        names=names,
        names_en=cities["name_en"].tolist(),
        provinces=cities["province_name"].tolist(),
        values=values,
        holes=list(HOLE_MARKS),
    )


def _sheet_name(world: World, layout: Layout, edition: int, index: int) -> str:
    """Sheet names as found in real files: arbitrary numbers, or plain Sheet1."""
    if layout.name in ("early", "banner"):
        return "Sheet1" if edition not in layout.whole_book else f"Sheet{index}"
    shuffled = stream(world.seed, f"sheets:{edition}").permutation(90)
    return f"Sheet{int(shuffled[index]) + 1}"


def _contents(edition: int, printed: list[Table]) -> Sheet:
    """The page of contents of a whole book, which holds no table."""
    sheet = Sheet(name="目录", file_stem="")
    sheet.rows = [
        [f"中国城市统计年鉴—{edition}"],
        ["合成数据 SYNTHETIC"],
        ["二、地级以上城市统计资料"],
    ]
    sheet.rows += [[f"2-{i} {table.title}"] for i, table in enumerate(printed, start=1)]
    return sheet


def _write(path: Path, sheets: list[Sheet]) -> None:
    if path.suffix == ".xls":
        _write_xls(path, sheets)
    else:
        _write_xlsx(path, sheets)


def _write_xlsx(path: Path, sheets: list[Sheet]) -> None:
    book = xlsxwriter.Workbook(str(path), {"strings_to_numbers": False, "in_memory": True})
    book.set_properties({"created": _WRITTEN, "comments": "SYNTHETIC"})
    wrap = book.add_format({"text_wrap": True, "align": "center", "valign": "vcenter"})
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        inside = {(r, c) for r1, c1, r2, c2 in sheet.merges
                  for r in range(r1, r2 + 1) for c in range(c1, c2 + 1)}  # fmt: skip
        for r1, c1, r2, c2 in sheet.merges:
            page.merge_range(r1, c1, r2, c2, sheet.rows[r1][c1] or "", wrap)
        for r, row in enumerate(sheet.rows):
            for c, cell in enumerate(row):
                if cell is None or (r, c) in inside:
                    continue
                if isinstance(cell, str):
                    page.write_string(r, c, cell, wrap if "\n" in cell else None)
                else:
                    page.write_number(r, c, cell)
    book.close()


def _write_xls(path: Path, sheets: list[Sheet]) -> None:
    book = xlwt.Workbook(encoding="utf-8")
    for sheet in sheets:
        page = book.add_sheet(sheet.name)
        inside = set()
        for r1, c1, r2, c2 in sheet.merges:
            page.write_merge(r1, r2, c1, c2, sheet.rows[r1][c1])
            inside |= {(r, c) for r in range(r1, r2 + 1) for c in range(c1, c2 + 1)}
        for r, row in enumerate(sheet.rows):
            for c, cell in enumerate(row):
                if cell is not None and (r, c) not in inside:
                    page.write(r, c, cell)
    book.save(str(path))
