"""Writes small workbooks for the reader's tests: xlsx through openpyxl, xls through xlwt."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import xlwt

from dagster_project.extract.yearbook import read_file


def write_book(path: Path, sheets, merges=()):
    """Write sheets (name -> rows of cells) in the format that the file's ending names.

    ``merges`` are (first row, first column, last row, last column), 0-based, in the first sheet.
    """
    if isinstance(sheets, list):
        sheets = {"Sheet1": sheets}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".xls":
        book = xlwt.Workbook()
        for number, (name, rows) in enumerate(sheets.items()):
            sheet = book.add_sheet(name)
            covered = set()
            for top, left, bottom, right in merges if number == 0 else ():
                sheet.write_merge(top, bottom, left, right, rows[top][left])
                covered |= {(r, c) for r in range(top, bottom + 1) for c in range(left, right + 1)}
            for r, row in enumerate(rows):
                for c, value in enumerate(row):
                    if value not in (None, "") and (r, c) not in covered:
                        sheet.write(r, c, value)
        book.save(str(path))
        return path
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, (name, rows) in enumerate(sheets.items()):
        sheet = book.create_sheet(name)
        for r, row in enumerate(rows, start=1):
            for c, value in enumerate(row, start=1):
                if value not in (None, ""):
                    sheet.cell(r, c, value)
        for top, left, bottom, right in merges if number == 0 else ():
            sheet.merge_cells(
                start_row=top + 1, start_column=left + 1, end_row=bottom + 1, end_column=right + 1
            )
    book.save(path)
    return path


def read(tmp_path, rows, *, name="2-1 表.xlsx", edition="2010", merges=(), **options):
    path = write_book(tmp_path / "yearbook" / edition / name, rows, merges)
    return read_file(path, relative_to=tmp_path, **options)


def values(result):
    frame = result.observations
    return {
        (r.entity_printed, r.indicator_key, r.scope): r.value for r in frame.itertuples(index=False)
    }


PLAIN = [
    ["2-1 人口状况", "", ""],
    ["单位：万人", "", ""],
    ["城市", "年末总人口", "年平均人口"],
    ["北京市", 1245.83, 1237.5],
    ["河北省", "", ""],
    ["石家庄市", "977.41", "—"],
    ["唐山市", "733①", "…"],
]
