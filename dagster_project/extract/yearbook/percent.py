"""Cells that a workbook stores as 0.123 and shows as 12.3 %.

Belongs here: finding percent-formatted cells of an xlsx, because the parser gives bare numbers and
the printed figure is a hundred times the stored one. Does not belong here: any other format. The
binary format (.xls) is not covered.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_BUILT_IN = {"9", "10"}  # 0% and 0.00%


def percent_cells(path: Path) -> dict[str, set[tuple[int, int]]]:
    """Percent-formatted cells by sheet name, as 0-based (row, column).

    The file has passed ``check_workbook``, so its XML declares no entities. Sheets are only scanned
    when some style of the workbook is a percentage at all.
    """
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
    found: set[tuple[int, int]] = set()
    with archive.open(part) as stream:
        for _, element in ElementTree.iterparse(stream):
            if element.tag != f"{_MAIN}c":
                if element.tag == f"{_MAIN}row":
                    element.clear()
                continue
            place = re.fullmatch(r"([A-Z]{1,3})(\d+)", element.get("r", ""))
            if place and element.get("s") in styles and element.get("t", "n") == "n":
                column = 0
                for letter in place[1]:
                    column = column * 26 + ord(letter) - 64
                found.add((int(place[2]) - 1, column - 1))
    return found
