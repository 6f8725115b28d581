"""Opens csv, xlsx, xls, dta and parquet files as plain sheets of cells, whatever the format.

Belongs here: formats, encodings, delimiters, and the limits on hostile files. Does not belong here:
what a column means (table_mapping.py) or what a cell is worth (tables.py).
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pandas as pd
import pyarrow.parquet as parquet
import python_calamine

from dagster_project.extract.parser_errors import PARSER_ERRORS
from dagster_project.extract.percent_format import percent_cells
from dagster_project.extract.safety import DEFAULT_LIMITS, Limits, check_path, check_workbook
from dagster_project.extract.schema import ExtractError

TABLE_SUFFIXES = (".csv", ".txt", ".tsv", ".xlsx", ".xlsm", ".xls", ".dta", ".parquet")


@dataclass(frozen=True)
class Sheet:
    """Cells of one sheet from A1 on; rows may differ in length.

    For dta and parquet files row 1 holds the variable names and the data begin in row 2.
    """

    name: str
    rows: Sequence[Sequence[object]]
    hidden: bool = False
    percent: Set[tuple[int, int]] = frozenset()  # 0-based cells formatted as percentages


def open_table(path: Path, root: Path, limits: Limits = DEFAULT_LIMITS) -> list[Sheet]:
    """All sheets of a table file.

    Parameters
    ----------
    path, root
        The file and the landing folder it must lie in.
    limits
        See :class:`dagster_project.extract.safety.Limits`.

    Raises
    ------
    ExtractError
        If the file breaks a limit, has an unknown ending, or cannot be read as what it claims.
    """
    check_path(path, root, limits)
    suffix = path.suffix.lower()
    if suffix in (".xlsx", ".xlsm", ".xls"):
        return _workbook(path, limits)
    if suffix in (".csv", ".txt", ".tsv"):
        return [Sheet(path.stem, read_delimited(path, limits))]
    if suffix in (".dta", ".parquet"):
        return [Sheet(path.stem, _frame(path, suffix, limits))]
    raise ExtractError(
        f"{path.name}: the ending {suffix or '(none)'} is not read; expected one of "
        f"{', '.join(TABLE_SUFFIXES)}"
    )


def open_book(path: Path, kind: str) -> python_calamine.CalamineWorkbook:
    """A workbook that has been checked, opened by its content and not by its ending.

    The parser goes by the ending where it is given a path, and an xlsx renamed to .xls (or the
    other way round) is a common thing. ``kind`` is what ``check_workbook`` returned.
    """
    endings = (".xls", ".xla", ".et") if kind == "xls" else (".xlsx", ".xlsm", ".xlam")
    if path.suffix.lower() in endings:
        return python_calamine.CalamineWorkbook.from_path(str(path))
    return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(path.read_bytes()))


def _workbook(path: Path, limits: Limits) -> list[Sheet]:
    try:
        kind = check_workbook(path, limits)
        percent = percent_cells(path, kind)
        with open_book(path, kind) as book:
            return [
                Sheet(
                    sheet.name,
                    book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False),
                    sheet.visible != python_calamine.SheetVisibleEnum.Visible,
                    percent.get(sheet.name, frozenset()),
                )
                for sheet in book.sheets_metadata
            ]
    except (python_calamine.CalamineError, ParseError, *PARSER_ERRORS) as error:
        raise ExtractError(
            f"{path.name}: cannot be read as a workbook ({error}); open it in a spreadsheet "
            "program and save it again, without a password"
        ) from error
    except BaseException as error:
        # The parser is Rust: a panic on a malformed file arrives as a BaseException.
        if type(error).__name__ != "PanicException":
            raise
        raise ExtractError(
            f"{path.name}: malformed workbook ({error}); open it in a spreadsheet program and save "
            "it again"
        ) from error


def read_delimited(path: Path, limits: Limits) -> list[list[object]]:
    """Rows of a text table as text; the delimiter is the one that its first line has most of.

    Raises
    ------
    ExtractError
        If the text is in no known encoding, is no table, or breaks the limit of cells.
    """
    text = _decoded(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",\t;|", key=first.count)
    rows: list[list[object]] = []
    cells = 0
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            cells += len(row)
            if cells > limits.cells:
                raise ExtractError(f"{path.name}: more than {limits.cells:,} cells; split the file")
            rows.append(list(row))
    except csv.Error as error:
        raise ExtractError(
            f"{path.name}: not a readable csv, near line {len(rows) + 1}: {error}"
        ) from error
    return rows


def _decoded(path: Path) -> str:
    """Text in UTF-8 (with or without a mark), UTF-16 with a mark, or GB 18030 (GBK, GB 2312)."""
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise ExtractError(
        f"{path.name}: neither UTF-8 nor GB 18030 text; save it as CSV UTF-8 from a spreadsheet"
    )


def _check_size(path: Path, cells: int, limits: Limits) -> None:
    if cells > limits.cells:
        raise ExtractError(f"{path.name}: more than {limits.cells:,} cells; split the file")


def _frame(path: Path, suffix: str, limits: Limits) -> list[list[object]]:
    try:
        if suffix == ".dta":
            with warnings.catch_warnings():
                # pandas falls back to Latin-1 and says so; the text is put right below
                warnings.simplefilter("ignore", UnicodeWarning)
                frame = pd.read_stata(path, convert_dates=False, convert_missing=False)
        else:
            declared = parquet.read_metadata(path)  # a small file can declare billions of rows
            _check_size(path, declared.num_rows * declared.num_columns, limits)
            frame = pd.read_parquet(path)
    except PARSER_ERRORS as error:
        raise ExtractError(
            f"{path.name}: cannot be read as {suffix[1:]} ({type(error).__name__}: {error}); "
            "export it again"
        ) from error
    _check_size(path, frame.size, limits)
    columns = []
    for name in frame.columns:
        column = frame[name].astype(object)
        cells = [name, *column.where(column.notna(), None).tolist()]
        if suffix == ".dta":
            cells = [_chinese(cell) for cell in cells]
        columns.append(cells)
    return [list(row) for row in zip(*columns)]


def _chinese(cell: object) -> object:
    """Text of Stata 13 and older, which knows no encoding: Chinese bytes shown as Latin-1."""
    if not isinstance(cell, str) or cell.isascii() or max(cell) > "\xff":
        return cell
    raw = cell.encode("latin-1")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return cell
