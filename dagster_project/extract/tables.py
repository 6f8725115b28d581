"""Compiled tables by declarative mapping: every numeric cell becomes an observation or a reject.

Belongs here: choosing sheets, finding the header and the mapped columns, and the report on each
sheet. Does not belong here: the mappings (mappings/*.yml, table_mapping.py), file formats
(table_open.py), the cells of a sheet (table_cells.py), cities or indicators (dbt seeds).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

import pandas as pd

from dagster_project.extract.schema import ExtractError, ExtractResult
from dagster_project.extract.table_cells import YEAR, Header, TableCells, filled, stack
from dagster_project.extract.table_grain import finer_column
from dagster_project.extract.table_mapping import (
    SheetMapping,
    TableMapping,
    load_mappings,
    match,
    sheet_fits,
)
from dagster_project.extract.table_open import Sheet, open_table
from dagster_project.extract.text import parse_header, printed

__all__ = ["load_mappings", "match", "read_table"]

_HEADER_SEARCH_ROWS = 25


def read_table(
    path: Path, mapping: TableMapping, *, relative_to: Path, sha256: str | None = None
) -> ExtractResult:
    """One table file as observations, rejects and a report row per sheet.

    Parameters
    ----------
    path
        csv, xlsx, xls, dta or parquet.
    mapping
        What its columns mean, see :func:`load_mappings` and :func:`match`.
    relative_to
        The landing folder, for the file name kept with each observation.
    sha256
        Hash of the file where the caller has it already.

    Returns
    -------
    ExtractResult
        ``indicator_key`` is the canonical indicator that the mapping names. Every non-empty cell
        of a mapped column in a row with a year (long layout) or an entity (wide layout) is an
        observation, a missing mark (counted), or a reject. A number in a row without its keys is a
        reject too; rows of text past the data (adverts, notes) are counted in the report.

    Raises
    ------
    ExtractError
        If the file cannot be opened, or a mapped sheet or column is missing; the message lists the
        sheets or columns that were found.
    """
    path = Path(path)
    sheets = open_table(path, Path(relative_to))
    common = {
        "source": mapping.source,
        "release": mapping.release or partition_name(path.stem),
        "file": path.relative_to(relative_to).as_posix(),
        "file_sha256": sha256 or hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    report_base = {**common, "bytes": path.stat().st_size, "table_title": mapping.title}
    observations: list[pd.DataFrame] = []
    rejects: list[dict] = []
    files: list[dict] = []
    used: set[int] = set()
    for sheet in sheets:
        aside = next((s for s in mapping.set_aside if sheet_fits(sheet.name, s.name)), None)
        if aside is not None:
            files.append(_not_read(report_base, sheet, f"set aside by the mapping: {aside.reason}"))
            continue
        if not any(filled(cell) for row in sheet.rows for cell in row):
            files.append(_not_read(report_base, sheet, "empty sheet"))
            continue
        if sheet.hidden and len(sheets) > 1:
            files.append(_not_read(report_base, sheet, "hidden sheet; show it to have it read"))
            continue
        fitting = [i for i, s in enumerate(mapping.sheets) if sheet_fits(sheet.name, s.name)]
        if not fitting and len(sheets) > 1:
            files.append(_not_read(report_base, sheet, "the mapping does not name this sheet"))
            continue
        fitting = fitting or [0]  # a csv has no sheet name to fit
        # several layouts may be declared for one sheet: the first whose columns are there is taken
        headers = [(i, _find_header(sheet, mapping.sheets[i])) for i in fitting]
        number, header = next((pair for pair in headers if pair[1] is not None), headers[0])
        spec = mapping.sheets[number]
        if header is None:
            if spec.name == ("*",) and len(sheets) > 1:
                files.append(_not_read(report_base, sheet, "without the mapped columns"))
                continue
            raise _columns_missing(path, sheet, spec, mapping)
        finer = finer_column(sheet, header, spec)
        if finer is not None:
            if len(sheets) == 1:
                raise ExtractError(
                    f"{path.name}: {finer}; expected one row per "
                    f"{'province' if spec.section == 'province' else 'city'} and year. Add the "
                    "rows up, and drop the column"
                )
            files.append(_not_read(report_base, sheet, finer))
            continue
        _check_title_unit(path, sheet, spec, header)
        used.add(number)
        table = TableCells(path, sheet, spec, header)
        frame, bad, report = table.read()
        title = spec.title or mapping.title
        observations.append(frame.assign(**common, sheet=sheet.name, table_title=title))
        rejects.extend({**common, **row, "sheet": sheet.name} for row in bad)
        files.append({**report_base, **report, "sheet": sheet.name, "table_title": title})
    served = {mapping.sheets[i].name for i in used}
    absent = [s for s in mapping.sheets if s.name not in served and not s.optional]
    if absent:
        wanted = ", ".join(" or ".join(s.name) for s in absent)
        raise ExtractError(
            f"{path.name}: the mapping {mapping.source} expects the sheet {wanted}; found "
            f"{', '.join(s.name for s in sheets) or 'none'}. Is it another table? Otherwise amend "
            f"mappings/{mapping.source}.yml"
        )
    return ExtractResult.from_rows(stack(observations), rejects, files)


def partition_name(stem: str) -> str:
    """A file stem as a partition name: letters, digits and Chinese characters, joined by ``_``."""
    text = re.sub(r"[^\w.]+", "_", unicodedata.normalize("NFKC", stem)).strip("_.")
    if len(text.encode()) > 120:
        text = text[:40] + "_" + hashlib.sha256(stem.encode()).hexdigest()[:8]
    return text or "file"


def _find_header(sheet: Sheet, spec: SheetMapping) -> Header | None:
    """The first row that holds every required column."""
    if spec.header_row is not None:
        candidates = [spec.header_row - 1]
    else:
        candidates = list(range(min(_HEADER_SEARCH_ROWS, len(sheet.rows))))
    for row in candidates:
        if row >= len(sheet.rows):
            continue
        header = Header.of(row, sheet.rows[row])
        if not _lacking(header, spec):
            return header
    return None


def _check_title_unit(path: Path, sheet: Sheet, spec: SheetMapping, header: Header) -> None:
    """Refuse a wide table whose title lines state another unit: it is another series."""
    if spec.layout != "wide" or len(spec.values) != 1 or spec.keys.unit:
        return
    expected = spec.values[0].unit_normal
    lines = [c for row in sheet.rows[: header.row] for c in row if isinstance(c, str)]
    stated = {parse_header(line).unit_key for line in lines} - {""}
    if stated and expected not in ("", "1", *stated):
        raise ExtractError(
            f"{path.name}, sheet {sheet.name}: its title states the unit "
            f"{' and '.join(sorted(stated))}; the mapping expects {expected}. Is it another table?"
        )


def _lacking(header: Header, spec: SheetMapping) -> list[str]:
    """Required columns that a header does not have, in words."""
    keys = spec.keys
    required = [keys.entity, keys.item, keys.indicator, keys.unit]
    if spec.layout == "long":
        required.append(keys.year)
        required += [v.column for v in spec.values if not v.optional]
    if spec.section == "by_code":
        required.append(keys.entity_code)
    lacking = [" or ".join(names) for names in required if names and header.find(names) is None]
    none = not any(header.find(v.column) is not None for v in spec.values)
    if spec.layout == "long" and not lacking and none:
        lacking.append("at least one of " + ", ".join(v.column[0] for v in spec.values))
    if spec.layout == "wide" and not any(YEAR.match(key) for key in header.columns):
        lacking.append("one column per year")
    if spec.only is not None and header.find(spec.only.column) is None:
        lacking.append(" or ".join(spec.only.column))
    return lacking


def _columns_missing(
    path: Path, sheet: Sheet, spec: SheetMapping, mapping: TableMapping
) -> ExtractError:
    """Say what is missing, against the row that comes closest to a header."""
    best, best_row = None, 0
    for row in range(min(_HEADER_SEARCH_ROWS, len(sheet.rows))):
        header = Header.of(row, sheet.rows[row])
        lacking = _lacking(header, spec)
        if header.columns and (best is None or len(lacking) < len(best)):
            best, best_row = lacking, row
    found = [printed(c).strip() for c in sheet.rows[best_row] if filled(c)]
    return ExtractError(
        f"{path.name}, sheet {sheet.name}: the mapping {mapping.source} expects the column "
        f"{'; '.join(best or ['(any)'])}; row {best_row + 1} has {', '.join(found)}. Is it another "
        f"table? Otherwise amend mappings/{mapping.source}.yml"
    )


def _not_read(base: dict, sheet: Sheet, reason: str) -> dict:
    empty = dict.fromkeys(
        ("n_entities", "n_indicators", "n_observations", "n_missing", "n_rejects"), 0
    )
    return {**base, **empty, "sheet": sheet.name, "status": "set_aside", "reason": reason}
