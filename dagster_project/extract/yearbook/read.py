"""Yearbook files to observations, rejects and one report row per table.

Belongs here: putting together sheets, blocks, headers and rows, and what becomes of a file or table
that cannot be read. Does not belong here: layout rules (their own modules), single cells
(``cells``) or the meaning of names and headers (the seeds).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from dagster_project.extract import crosswalk as crosswalk_module
from dagster_project.extract.crosswalk import Crosswalk
from dagster_project.extract.safety import DEFAULT_LIMITS, Limits, check_path
from dagster_project.extract.schema import ExtractError, ExtractResult
from dagster_project.extract.text import Scope, fold, parse_header
from dagster_project.extract.yearbook import edition as editions
from dagster_project.extract.yearbook import layout, words
from dagster_project.extract.yearbook.cells import read_cells
from dagster_project.extract.yearbook.collect import Collector, TableMeta
from dagster_project.extract.yearbook.entities import Entity, read_entities
from dagster_project.extract.yearbook.headers import Column, read_columns
from dagster_project.extract.yearbook.sheets import TEXT_SUFFIXES, Sheet, open_sheets

SOURCE = "yearbook"
SUFFIXES = (".xls", ".xlsx", ".xlsm", ".et", *TEXT_SUFFIXES)


@dataclass
class _Carried:
    """What a continued table (续表) takes over from the table before it."""

    number: str | None = None
    title: str = ""
    unit: str = ""
    lines: list[str] = field(default_factory=list)


def read_file(
    path: Path,
    *,
    relative_to: Path,
    edition_hint: str | None = None,
    crosswalk: Crosswalk | None = None,
    limits: Limits = DEFAULT_LIMITS,
    strict: bool = False,
) -> ExtractResult:
    """Read one workbook of the China City Statistical Yearbook.

    Parameters
    ----------
    path : Path
        The workbook, xls or xlsx, with one table or many sheets.
    relative_to : Path
        Landing folder; paths in the result are relative to it, and links may not leave it.
    edition_hint : str, optional
        Edition that the caller knows; one more statement that must agree with the others.
    crosswalk : Crosswalk, optional
        Names of places; the shipped seed by default. Observations keep names as printed either way.
    limits : Limits, optional
        Safety limits.
    strict : bool
        Raise instead of reporting a file that cannot be read.

    Returns
    -------
    ExtractResult
        Every cell in a data column of a named row that is not missing is either an observation or
        a reject. A file that cannot be read gives one row in ``files`` (status ``rejected``) and
        one in ``rejects``, with the reason.

    Raises
    ------
    ExtractError
        Only with ``strict``: the file cannot be read at all, or its edition is not clear.
    """
    collected = Collector(SOURCE)
    _read_into(collected, Path(path), Path(relative_to), edition_hint, crosswalk, limits, strict)
    return collected.result()


def _read_into(
    collected: Collector,
    path: Path,
    root: Path,
    edition_hint: str | None,
    crosswalk: Crosswalk | None,
    limits: Limits,
    strict: bool,
) -> None:
    try:
        check_path(path, root, limits)
        relative = path.relative_to(root)
    except ExtractError as error:
        if strict:
            raise
        collected.reject_file(path.name, None, None, None, str(error), "unsafe")
        return
    name = relative.as_posix()
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    evidence = editions.from_path(relative)
    if edition_hint is not None:
        if not str(edition_hint).strip().isdigit():
            raise ValueError(f"edition_hint must be a year, got {edition_hint!r}")
        evidence.append(editions.Evidence("the caller", int(edition_hint)))
    release = str(evidence[0].edition) if len({e.edition for e in evidence}) == 1 else None
    known = crosswalk or crosswalk_module.load()
    try:
        sheets = open_sheets(path, limits)
        _read_sheets(sheets, name, digest, len(data), evidence, collected, known)
    except ExtractError as error:
        if strict:
            raise
        collected.reject_file(name, digest, len(data), release, str(error), "unreadable_file")


def read_edition(
    folder: Path,
    *,
    relative_to: Path,
    edition_hint: str | None = None,
    crosswalk: Crosswalk | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> ExtractResult:
    """Read all workbooks in a folder and below, in the order of their names.

    Files that are no workbooks by their ending, temporary files of spreadsheet programs and second
    copies of the same content are set aside with a reason. One unreadable file stops nothing.
    """
    collected = Collector(SOURCE)
    seen: dict[str, str] = {}
    root = Path(relative_to)
    for path in sorted(Path(folder).rglob("*"), key=lambda p: p.as_posix()):
        if path.is_dir() and not path.is_symlink():
            continue
        relative = path.relative_to(root).as_posix()
        if path.name.startswith(("~$", ".")):
            collected.set_file_aside(relative, None, "temporary or hidden file")
            continue
        if path.suffix.lower() not in SUFFIXES:
            ending = path.suffix or "no"
            collected.set_file_aside(relative, None, f"{ending} ending: not a workbook")
            continue
        if path.is_file() and path.stat().st_size <= limits.file_bytes:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest in seen:
                collected.set_file_aside(relative, digest, f"same content as {seen[digest]}")
                continue
            seen[digest] = relative
        _read_into(collected, path, root, edition_hint, crosswalk, limits, strict=False)
    return collected.result()


def _read_sheets(
    sheets: list[Sheet],
    file: str,
    digest: str,
    size: int,
    evidence: list[editions.Evidence],
    collected: Collector,
    crosswalk: Crosswalk,
) -> None:
    carried = _Carried()
    tables = 0
    refused: list[str] = []
    for sheet in sheets:
        meta = TableMeta(file=file, sha256=digest, bytes=size, sheet=sheet.name)
        if not any(not layout.blank(cell) for row in sheet.rows for cell in row):
            collected.table(meta, "set_aside", "blank sheet")
            continue
        if sheet.hidden:
            collected.table(
                meta, "set_aside", "hidden sheet; show it in the workbook to have it read"
            )
            continue
        blocks = layout.find_blocks(sheet, crosswalk)
        if not blocks:
            reason = _why_no_table(sheet, crosswalk)
            refused.append(f"sheet {sheet.name!r}: {reason}")
            collected.table(meta, "set_aside", reason)
            continue
        for block in blocks:
            tables += 1
            _read_block(sheet, block, meta, evidence, collected, crosswalk, carried)
    if tables == 0:
        collected.drop_tables(file)
        raise ExtractError(
            f"{file}: no table of cities found. A yearbook table has a header cell 城市 (or City), "
            f"a column of city names below it and numbers beside them. {'; '.join(refused[:3])}"
        )


def _why_no_table(sheet: Sheet, crosswalk: Crosswalk) -> str:
    cities = [
        (number, [c for c in row if words.place_name(c) in crosswalk and words.has_chinese(c)])
        for number, row in enumerate(sheet.rows, start=1)
    ]
    number, across = max(cities, key=lambda pair: len(pair[1]), default=(0, []))
    if len(across) > 2:
        return (
            f"the cities stand side by side in row {number}: turn the table (transpose), so that "
            "each city is a row"
        )
    first = [fold(c) for row in sheet.rows for c in row if isinstance(c, str) and c.strip()][:3]
    shown = "; ".join(text[:40] for text in first) or "only numbers"
    return f"no name column and no known city in it; it begins with: {shown}"


def _read_block(
    sheet: Sheet,
    block: layout.Block,
    base: TableMeta,
    evidence: list[editions.Evidence],
    collected: Collector,
    crosswalk: Crosswalk,
    carried: _Carried,
) -> None:
    number, title, unit, lines = _title(sheet, block, base, carried)
    meta = base.named(number, title, layout.section_of(lines, number))
    subject = f"{base.file}, sheet {sheet.name!r}" + (f", table {number}" if number else "")
    try:
        edition = editions.agree([*evidence, *editions.from_title(lines)], subject)
    except ExtractError as error:
        collected.reject_table(meta, str(error), "edition_unclear")
        return
    meta.edition, meta.data_year = edition, edition - 1
    columns = read_columns(
        sheet, block, title=title, title_unit=unit, title_scope=_title_scope(lines)
    )
    entities = read_entities(sheet, block, [c.index for c in columns], crosswalk)
    if message := _not_of_this_form(block, meta, columns, entities):
        collected.reject_table(meta, f"{subject}: {message}", "not_a_yearbook_table")
        return
    places = [e for e in entities if e.kind == "place"]
    known = sum(e.name in crosswalk for e in places)
    anchored = any(e.kind in ("province", "national") for e in entities)
    if not columns or not entities or (known == 0 and not anchored):
        shown = ", ".join(e.name for e in entities[:4]) or "none"
        collected.reject_table(
            meta,
            f"{subject}: no name in its name column is a city or province of China (found: {shown})"
            if columns
            else f"{subject}: no column with numbers beside the names",
            "not_a_yearbook_table",
        )
        return
    if not places:
        meta.section = "province"
    elif meta.section not in ("prefecture", "county"):
        meta.section = "prefecture" if known * 2 >= len(places) else "county"
    read_cells(sheet, columns, entities, meta, collected, crosswalk, block)


def _not_of_this_form(
    block: layout.Block, meta: TableMeta, columns: list[Column], entities: list[Entity]
) -> str | None:
    """What tells a table apart from those of a yearbook though it has cities and numbers."""
    if block.item_col is not None:
        return (
            f"column {block.item_col + 1} names an indicator for each row, as exports of data "
            "platforms do. Put the file under tables/ with a mapping, or one indicator to a column"
        )
    years = {c.year for c in columns if c.year} | {e.year for e in entities if e.year}
    late = sorted(y for y in years if meta.data_year and y > meta.data_year)
    if late:
        return (
            f"it states the year {late[-1]}, but edition {meta.edition} reports data year "
            f"{meta.data_year}. Move the file to the folder of edition {late[-1] + 1}"
        )
    return None


def _title(
    sheet: Sheet, block: layout.Block, base: TableMeta, carried: _Carried
) -> tuple[str | None, str, str, list[str]]:
    """Number, title, unit and lines of a table; a continued one takes over what it leaves out."""
    lines = list(block.title_lines)
    number, title = layout.title_of(lines)
    unit = layout.title_unit(lines)
    continues = block.continued and (number is None or number == carried.number)
    if continues:
        number = number or carried.number
        title = carried.title or title
        unit = unit or carried.unit
        lines = [*carried.lines, *lines]
    elif not lines and carried.title and block.header.start > 0:
        number, title, unit, lines = carried.number, carried.title, carried.unit, carried.lines
    if number is None:
        number = words.table_number(sheet.name) or words.table_number(Path(base.file).stem)
    if not title:
        stem = words.without_table_number(Path(base.file).stem)
        title = stem if words.has_chinese(stem) else ""
    carried.number, carried.title, carried.unit, carried.lines = number, title, unit, lines
    return number, title, unit, lines


def _title_scope(lines: list[str]) -> Scope | None:
    for line in lines:
        scope = parse_header(line).scope
        if scope is not None:
            return scope
    return None
