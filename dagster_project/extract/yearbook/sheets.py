"""Workbooks as plain grids: every sheet as rows of cells plus its merged ranges.

Belongs here: opening xls, xlsx and csv safely. Does not belong here: what the cells mean
(``layout``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import ParseError

from python_calamine import CalamineError, SheetVisibleEnum

from dagster_project.extract.parser_errors import PARSER_ERRORS
from dagster_project.extract.percent_format import percent_cells
from dagster_project.extract.safety import DEFAULT_LIMITS, Limits, check_workbook
from dagster_project.extract.schema import ExtractError
from dagster_project.extract.table_open import open_book, read_delimited

TEXT_SUFFIXES = (".csv", ".tsv")


@dataclass
class Sheet:
    """One worksheet.

    Attributes
    ----------
    rows : list of list
        Cells from A1 on, all rows equally long; blanks are empty strings.
    merges : list of tuple
        Merged ranges as (first row, first column, last row, last column), 0-based, inclusive.
    percent : set of tuple
        Cells (row, column), 0-based, that show a hundred times the number they store.
    """

    name: str
    rows: list[list[object]]
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden: bool = False
    percent: set[tuple[int, int]] = field(default_factory=set)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.rows[0]) if self.rows else 0


def open_sheets(path: Path, limits: Limits = DEFAULT_LIMITS) -> list[Sheet]:
    """All worksheets of a workbook (or the one of a csv), in file order; no chart sheets.

    Raises
    ------
    ExtractError
        If the file is no workbook, is damaged or protected, or breaks a safety limit.
    """
    if path.suffix.lower() in TEXT_SUFFIXES:
        return [_text_sheet(path, limits)]
    kind = check_workbook(path, limits)
    try:
        percent = percent_cells(path, kind)
        with open_book(path, kind) as book:
            sheets = []
            for meta in book.sheets_metadata:
                if str(meta.typ).rsplit(".", 1)[-1] not in ("WorkSheet", "MacroSheet"):
                    continue
                sheet = book.get_sheet_by_name(meta.name)
                rows: list[list[object]] = [
                    list(row) for row in sheet.to_python(skip_empty_area=False)
                ]
                height, width = len(rows), len(rows[0]) if rows else 0
                merges = [  # those over blank margins lie outside the cells
                    (first[0], first[1], min(last[0], height - 1), min(last[1], width - 1))
                    for first, last in (sheet.merged_cell_ranges or [])
                    if first[0] < height and first[1] < width
                ]
                hidden = meta.visible != SheetVisibleEnum.Visible
                shown = percent.get(meta.name, set())
                sheets.append(Sheet(meta.name, rows, merges, hidden, shown))
    except (CalamineError, ParseError, *PARSER_ERRORS) as error:
        raise ExtractError(
            f"{path.name}: the {kind} workbook cannot be read ({error}); open it in Excel and save "
            "it again as .xlsx"
        ) from error
    except BaseException as error:
        # The parser is Rust: a panic on a malformed file arrives as a BaseException.
        if type(error).__name__ != "PanicException":
            raise
        raise ExtractError(
            f"{path.name}: the {kind} workbook is malformed ({error}); open it in Excel and save "
            "it again as .xlsx"
        ) from error
    if not sheets:
        raise ExtractError(f"{path.name}: the workbook has no worksheet")
    return sheets


def _text_sheet(path: Path, limits: Limits) -> Sheet:
    """A table that was saved as text: one sheet without merged cells."""
    rows = read_delimited(path, limits)
    width = max((len(row) for row in rows), default=0)
    if len(rows) * width > limits.cells or width > limits.columns:
        raise ExtractError(
            f"{path.name}: {len(rows):,} rows of up to {width:,} cells; split the file"
        )
    return Sheet(path.stem, [row + [""] * (width - len(row)) for row in rows])
