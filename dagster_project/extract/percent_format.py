"""Cells that a workbook stores as 0.123 and shows as 12.3 %.

Belongs here: finding percent-formatted cells, because the parser gives bare numbers and the printed
figure is a hundred times the stored one. Does not belong here: any other number format.
"""

from __future__ import annotations

import posixpath
import re
import struct
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from dagster_project.extract.cfb import records, workbook_stream

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_BUILT_IN = {"9", "10"}  # 0% and 0.00%


def percent_cells(path: Path, kind: str) -> dict[str, set[tuple[int, int]]]:
    """Percent-formatted cells by sheet name, as 0-based (row, column).

    ``kind`` is what ``check_workbook`` returned for the file, so its XML declares no entities.
    Sheets are only scanned when some style of the workbook is a percentage at all.
    """
    return _of_xlsx(path) if kind == "xlsx" else _of_xls(path)


def _of_xlsx(path: Path) -> dict[str, set[tuple[int, int]]]:
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if not {"xl/styles.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
            return {}
        styles = _percent_styles(ElementTree.fromstring(archive.read("xl/styles.xml")))
        if not styles:
            return {}
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        targets = {r.get("Id"): r.get("Target", "") for r in relations}
        found = {}
        for sheet in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter(f"{_MAIN}sheet"):
            target = targets.get(sheet.get(_RELATION), "")
            part = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
            if part in names and part.startswith("xl/worksheets/"):
                found[sheet.get("name", "")] = _cells(archive, part, styles)
    return found


# record types: MS-XLS 2.3
_BOUND_SHEET, _BOF, _XF, _FORMAT = 0x0085, 0x0809, 0x00E0, 0x041E
_NUMBER, _RK, _FORMULA, _MULTIPLE_RK = 0x0203, 0x027E, 0x0006, 0x00BD


def _of_xls(path: Path) -> dict[str, set[tuple[int, int]]]:
    book = workbook_stream(path)
    sheets: dict[int, str] = {}  # place of the sheet's first record -> name
    custom: set[int] = set()
    styles: set[int] = set()
    count, biff8 = 0, True
    found: dict[str, set[tuple[int, int]]] = {}
    cells: set[tuple[int, int]] = set()
    for kind, at, length in records(book):
        record = book[at : at + length]
        if kind == _BOUND_SHEET and length > 7:
            sheets[struct.unpack_from("<I", record)[0]] = _text(record[6:], 1, biff8)
        elif kind == _FORMAT and length > 4:
            if "%" in re.sub(r'"[^"]*"|\\.', "", _text(record[2:], 2 if biff8 else 1, biff8)):
                custom.add(struct.unpack_from("<H", record)[0])
        elif kind == _XF and length >= 4:
            form = struct.unpack_from("<H", record, 2)[0]
            if form in custom or str(form) in _BUILT_IN:
                styles.add(count)
            count += 1
        elif kind == _BOF and length >= 2:
            biff8 = struct.unpack_from("<H", record)[0] >= 0x0600
            if at - 4 in sheets:
                cells = found.setdefault(sheets[at - 4], set())
        elif not styles:
            continue
        elif kind in (_NUMBER, _RK, _FORMULA) and length >= 6:
            row, column, style = struct.unpack_from("<HHH", record)
            if style in styles:
                cells.add((row, column))
        elif kind == _MULTIPLE_RK and length >= 6:
            row, first = struct.unpack_from("<HH", record)
            for number, place in enumerate(range(4, length - 7, 6)):
                if struct.unpack_from("<H", record, place)[0] in styles:
                    cells.add((row, first + number))
    return found


def _text(raw: bytes, length_bytes: int, biff8: bool) -> str:
    """A string behind its length; from BIFF8 (Excel 97) on, a flag says how wide characters are."""
    if not biff8:
        return raw[length_bytes:].decode("gb18030", "replace")
    start = length_bytes + 1
    return raw[start:].decode("utf-16-le" if raw[length_bytes] & 1 else "latin-1", "replace")


def _percent_styles(root: ElementTree.Element) -> set[str]:
    custom = {
        f.get("numFmtId")
        for f in root.iter(f"{_MAIN}numFmt")
        if "%" in re.sub(r'"[^"]*"|\\.', "", f.get("formatCode", ""))
    }
    formats = root.find(f"{_MAIN}cellXfs")
    return {
        str(index)
        for index, xf in enumerate(formats if formats is not None else ())
        if xf.get("numFmtId") in _BUILT_IN or xf.get("numFmtId") in custom
    }


def _cells(archive: zipfile.ZipFile, part: str, styles: set[str]) -> set[tuple[int, int]]:
    """Percent-formatted numbers; a row or cell without its place follows the one before it."""
    found: set[tuple[int, int]] = set()
    row, column = 0, 0  # 1-based, of the element before
    with archive.open(part) as stream:
        for event, element in ElementTree.iterparse(stream, events=("start", "end")):
            if element.tag == f"{_MAIN}row":
                if event == "start":
                    said = element.get("r", "")
                    row, column = int(said) if said.isdecimal() else row + 1, 0
                else:
                    element.clear()
            elif element.tag == f"{_MAIN}c" and event == "start":
                place = re.fullmatch(r"([A-Z]{1,3})(\d+)", element.get("r", ""))
                column = _column_number(place[1]) if place else column + 1
                if element.get("s") in styles and element.get("t", "n") == "n":
                    found.add((int(place[2] if place else row) - 1, column - 1))
    return found


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
