"""Each cell of a table: an observation, a reject with its reason, or counted as missing.

Belongs here: what is wrong with a row, a column or a cell. Does not belong here: finding them
(``layout``, ``headers``, ``entities``) or whole files (``read``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache

from dagster_project.extract.crosswalk import Crosswalk
from dagster_project.extract.text import Parsed, Scope, cell_name, fold, parse_number, printed
from dagster_project.extract.yearbook import layout
from dagster_project.extract.yearbook.collect import Batch, Collector, TableMeta
from dagster_project.extract.yearbook.entities import Entity
from dagster_project.extract.yearbook.headers import Column
from dagster_project.extract.yearbook.sheets import Sheet


def read_cells(
    sheet: Sheet,
    columns: list[Column],
    entities: list[Entity],
    meta: TableMeta,
    collected: Collector,
    crosswalk: Crosswalk,
    block: layout.Block,
) -> None:
    """Turn each cell of a table's data columns into an observation, a reject or a missing mark.

    Every cell that is not missing, in a row with a name or beside one, ends in exactly one of the
    first two; the report row that is written at the end carries the counts.
    """
    counts: Counter[str] = Counter()
    twice = _twice(columns)
    repeated = _repeated(entities)
    notes: list[str] = []
    batch = collected.open(meta)
    for entity in entities:
        if entity.kind in ("heading", "note"):
            if entity.kind == "note":
                notes.append(fold(sheet.rows[entity.row][block.name_col])[:120])
            if not entity.numbers:
                continue
        if entity.kind == "unknown_text":
            batch.reject(
                entity.row,
                block.name_col,
                entity=entity.name,
                printed=printed(sheet.rows[entity.row][block.name_col]),
                reason="text_row",
                detail=f"row {entity.row + 1} has a name but no numbers, and is no known city",
                suggestion="a heading, or a misprinted name with an empty row",
            )
            continue
        section = {"province": "province", "national": "national"}.get(entity.kind, meta.section)
        if entity.kind == "province" and not entity.numbers and meta.section != "province":
            continue  # it only opens a group of cities
        row_note = f"footnote mark {entity.marks} removed from the name" if entity.marks else ""
        if entity.kind == "place" and section == "prefecture":
            row_note = _check_name(entity, meta, batch, block, crosswalk, row_note)
        if entity.kind in ("place", "province"):
            counts["entities"] += 1
        problem = None
        if entity.kind == "unnamed":
            problem = (
                "no_entity",
                f"numbers in row {entity.row + 1} without a city name",
                "write the city's name into the name column, or delete the row",
            )
        elif entity.kind in ("heading", "note"):
            problem = (
                "no_entity",
                f"numbers in row {entity.row + 1}, which is named {entity.name!r} and not a city",
                "check the row in the workbook",
            )
        elif entity.bad_year:
            problem = (
                "row_without_year",
                f"{entity.bad_year!r} in column {(block.year_col or 0) + 1} is no year",
                "write the year into the cell",
            )
        elif entity.row in repeated:
            problem = (
                "duplicate_row",
                f"{entity.name} stands in rows {repeated[entity.row]} of the same table",
                "keep the right row and delete the other",
            )
        for column in columns:
            cell = sheet.rows[entity.row][column.index]
            parsed = parse_number(cell)
            if parsed.kind == "missing":
                counts["missing"] += entity.kind == "place"
                continue
            shown, remark = printed(cell), parsed.note
            if parsed.value is not None and (entity.row, column.index) in sheet.percent:
                value = round(parsed.value * 100, 10)
                remark = f"percent format: stored as {shown}"
                shown = f"{printed(value)}%"
                parsed = Parsed("number", value)
            failed = problem
            if failed is None and not column.key:
                failed = (
                    "no_header",
                    f"column {column.index + 1} has numbers but no header",
                    "write the indicator into the header, or delete the column",
                )
            if failed is None and column.index in twice:
                failed = (
                    "ambiguous_header",
                    f"columns {twice[column.index]} have the same header {column.key!r} "
                    f"({column.scope})",
                    "make the headers in the workbook distinct",
                )
            if failed is None and parsed.kind == "noise":
                failed = ("not_a_number", f"{printed(cell)!r} is not a number", parsed.suggestion)
            if failed is not None:
                batch.reject(
                    entity.row,
                    column.index,
                    entity=entity.name,
                    indicator=column.printed,
                    printed=printed(cell),
                    reason=failed[0],
                    detail=f"{cell_name(entity.row + 1, column.index + 1)}: {failed[1]}",
                    suggestion=failed[2],
                )
                continue
            batch.observe(
                entity.row,
                _of_row(column, entity.scope, entity.year),
                section or "unspecified",
                entity.name,
                entity.code,
                entity.province,
                shown,
                parsed.value,
                "; ".join(n for n in (remark, row_note, column.note) if n),
            )
    aside = [f"{kind} (column {c + 1})" for c, kind in sorted(block.skipped.items())]
    remarks = [f"set aside: {', '.join(aside)}"] if aside else []
    remarks += [f"footnote: {note}" for note in notes[:5]]
    batch.close(columns, counts, "; ".join(remarks))


@lru_cache(maxsize=1 << 12)
def _of_row(column: Column, scope: Scope | None, year: int | None) -> Column:
    """A column as it is meant in a row that states its own scope or year."""
    if scope is None and year is None:
        return column
    return replace(column, scope=scope or column.scope, year=year or column.year)


def _check_name(
    entity: Entity,
    meta: TableMeta,
    batch: Batch,
    block: layout.Block,
    crosswalk: Crosswalk,
    note: str,
) -> str:
    """Report a name that the crosswalk does not know; say so where a recorded misprint was met."""
    found = crosswalk.resolve(entity.name, province=entity.province, year=meta.data_year)
    if found.city_code is None:
        batch.reject(
            entity.row,
            block.name_col,
            entity=entity.name,
            printed=entity.name,
            reason=found.reason or "unknown_name",
            detail=f"{cell_name(entity.row + 1, block.name_col + 1)}: {found.detail}; the numbers "
            "of the row are kept under the name as printed",
            suggestion=found.suggestion,
        )
        return note
    if found.kind == "misprint":
        official = crosswalk.official[found.city_code]
        corrected = f"recorded correction: {entity.name} is a misprint of {official}"
        return f"{note}; {corrected}" if note else corrected
    return note


def _twice(columns: list[Column]) -> dict[int, str]:
    """Columns whose header, scope and year also stand over another column."""
    places: dict[tuple[str, str, int | None], list[int]] = {}
    for column in columns:
        if column.key:
            places.setdefault((column.key, column.scope, column.year), []).append(column.index)
    return {
        index: " and ".join(str(i + 1) for i in group)
        for group in places.values()
        if len(group) > 1
        for index in group
    }


def _repeated(entities: list[Entity]) -> dict[int, str]:
    """Rows of one table that name the same place, where more than one of them has numbers."""
    places: dict[tuple[object, ...], list[int]] = {}
    for entity in entities:
        if entity.numbers and entity.kind in ("place", "province", "national"):
            key = (entity.kind, entity.name, entity.province, entity.scope, entity.year)
            places.setdefault(key, []).append(entity.row)
    return {
        row: " and ".join(str(r + 1) for r in rows)
        for rows in places.values()
        if len(rows) > 1
        for row in rows
    }
