"""Where the tables of a sheet stand: title lines, header rows, name column, columns, data rows.

Belongs here: finding blocks, also several below or beside each other. Does not belong here: what a
header path means (``headers``) or what a row is (``entities``). The rules are those of the printed
page: a label such as 城市 opens the name column, the first place name ends the header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dagster_project.extract.crosswalk import Crosswalk
from dagster_project.extract.text import fold, leaf_scope, parse_header, parse_number
from dagster_project.extract.yearbook import words
from dagster_project.extract.yearbook.sheets import Sheet

_MAX_HEADER_ROWS = 12


@dataclass
class Block:
    """One table in a sheet; rows and columns are 0-based.

    Attributes
    ----------
    title_lines : list of str
        Everything above the header that is not blank, in reading order.
    header : range
        Header rows. ``data`` are the rows below it, to the next block or the end.
    name_col, province_col, code_col, year_col, scope_col, item_col : int
        Name column; columns of provinces, of codes, of the row's year, of its scope (全市 or
        市辖区) and of its indicator, where the table has them.
    columns : range
        Columns to the right of the name column up to the next table beside it.
    """

    title_lines: list[str]
    header: range
    data: range
    name_col: int
    columns: range
    province_col: int | None = None
    code_col: int | None = None
    year_col: int | None = None
    scope_col: int | None = None
    item_col: int | None = None
    continued: bool = False
    skipped: dict[int, str] = field(default_factory=dict)


def blank(cell: object) -> bool:
    """Whether nothing is printed in a cell."""
    return cell is None or (isinstance(cell, str) and (not cell or cell.isspace()))


def find_blocks(sheet: Sheet, crosswalk: Crosswalk) -> list[Block]:
    """All tables of a sheet, top to bottom and left to right; an empty list when there is none."""
    rows = sheet.rows
    blocks: list[Block] = []
    start = 0
    while start < len(rows):
        found = _next_header(rows, start, crosswalk)
        if found is None:
            break
        label_row, labels = found
        top = _header_top(rows, label_row, start, labels)
        first = _first_data_row(rows, label_row, labels[0], crosswalk)
        if first is None:
            start = label_row + 1
            continue
        following = _next_header(rows, first, crosswalk, labelled_only=True)
        end = following[0] if following else len(rows)
        if following:
            end = _title_top(rows, _header_top(rows, end, first, following[1]), first, labels[0])
        title_rows = range(start, top)
        for position, label in enumerate(labels):
            right = labels[position + 1] if position + 1 < len(labels) else sheet.width
            if position and all(blank(c) for r in rows[first:end] for c in r[label + 1 : right]):
                continue  # the names once more, at the right edge of the page
            blocks.append(
                _block(sheet, title_rows, range(top, first), range(first, end), label, right)
            )
        start = end
    return blocks


def _next_header(
    rows: list[list[object]], start: int, crosswalk: Crosswalk, *, labelled_only: bool = False
) -> tuple[int, list[int]] | None:
    """Row of the next name-column label at or below ``start``, and the columns of such labels."""
    for index in range(start, len(rows)):
        row = rows[index]
        first = next((c for c, cell in enumerate(row) if not blank(cell)), None)
        if first is None:
            continue
        labels = [c for c, cell in enumerate(row) if isinstance(cell, str) and words.is_label(cell)]
        if labels:
            named = _name_columns(rows, index, labels)
            if named:
                return index, named
        if labelled_only:
            continue
        # no label at all: the first known place with a number beside it opens the data
        for column in range(min(4, len(row))):
            cell = row[column]
            if not words.has_chinese(cell) or words.is_label(cell):
                continue
            known = words.place_name(cell) in crosswalk or crosswalk.province_code(
                words.place_name(cell)
            )
            numbers = sum(parse_number(c).kind == "number" for c in row[column + 1 :])
            if known and numbers and index > 0:
                return index - 1, [column]
    return None


def _name_columns(rows: list[list[object]], label_row: int, labels: list[int]) -> list[int]:
    """Of the labelled columns, those that really hold place names below."""
    named: list[int] = []
    for column in labels:
        if words.is_province_label(rows[label_row][column]) and column + 1 in labels:
            continue  # a column of provinces to the left of the cities
        below = rows[label_row + 1 : label_row + _MAX_HEADER_ROWS + 40]
        places = sum(words.looks_like_entity(row[column]) for row in below)
        if places == 0 or (named and column - named[-1] == 1):
            continue
        named.append(column)
    return named


def _first_data_row(
    rows: list[list[object]], label_row: int, column: int, crosswalk: Crosswalk
) -> int | None:
    for index in range(label_row + 1, min(len(rows), label_row + _MAX_HEADER_ROWS + 1)):
        cell = rows[index][column]
        if words.looks_like_entity(cell) or words.is_total(cell) or cell in crosswalk:
            return index
    return None


def _header_top(rows: list[list[object]], label_row: int, floor: int, labels: list[int]) -> int:
    """Header rows may begin above a label that stands in the middle of its tall cell."""
    top = label_row
    while top - 1 >= floor:
        above = rows[top - 1]
        cells = [c for c in above[labels[0] + 1 :] if not blank(c)]
        chinese = [c for c in cells if words.has_chinese(c)]
        title = any(
            words.table_number(c) or words.is_unit_statement(c) or words.is_continued(c)
            for c in cells
        )
        if not blank(above[labels[0]]) or not chinese or title:
            break
        if any(re.search(r"\d{4}\s*年.*(?:数据|统计|年鉴)", fold(c)) for c in chinese):
            break
        if (
            top == label_row
            and len(cells) == 1
            and not any(not blank(c) for c in rows[label_row][labels[0] + 1 :])
        ):
            break
        top -= 1
    return top


def _title_top(rows: list[list[object]], header_top: int, floor: int, column: int) -> int:
    """First line of the title above a further table: the row after the last one with data."""
    top = header_top
    while top - 1 > floor:
        above = rows[top - 1]
        if any(parse_number(c).kind == "number" for c in above[column + 1 :]):
            break
        text = above[column]
        if words.looks_like_entity(text) and not words.table_number(text):
            break
        top -= 1
    return top


def _block(
    sheet: Sheet, title_rows: range, header: range, data: range, name_col: int, right: int
) -> Block:
    rows = sheet.rows
    lines = [fold(cell) for r in title_rows for cell in rows[r] if not blank(cell)]
    block = Block(
        title_lines=[line for line in lines if line],
        header=header,
        data=data,
        name_col=name_col,
        columns=range(name_col + 1, right),
    )
    block.continued = any(words.is_continued(line) for line in block.title_lines)
    for column in range(max(0, name_col - 2), name_col):
        heads = [rows[r][column] for r in header]
        if any(words.is_province_label(h) for h in heads):
            block.province_col = column
        elif any(words.is_code_label(h) for h in heads):
            block.code_col = column
    # Beside the table before it, the columns on the left are that table's.
    beside = any(words.is_label(rows[r][c]) for r in header for c in range(name_col - 2))
    for column in range(0 if not beside else name_col, name_col):
        if column not in (block.province_col, block.code_col):
            _row_attribute(block, rows, header, data, column)
    for column in block.columns:
        heads = [rows[r][column] for r in header if not blank(rows[r][column])]
        if any(words.is_code_label(h) for h in heads):
            block.code_col = column
            block.skipped[column] = "codes"
        elif any(words.is_province_label(h) for h in heads):
            block.province_col = column
            block.skipped[column] = "provinces"
        elif (
            heads and all(words.is_label(h) for h in heads) and not _has_digits(rows, data, column)
        ):
            block.skipped[column] = "names in English"
        elif any(words.is_number_label(h) for h in heads):
            block.skipped[column] = "row numbers"
        elif kind := _row_attribute(block, rows, header, data, column):
            block.skipped[column] = kind
        elif _is_text_column(rows, data, column):
            head = fold(heads[0]) if heads else ""
            block.skipped[column] = f"text column {head}".strip()
    return block


def _row_attribute(
    block: Block, rows: list[list[object]], header: range, data: range, column: int
) -> str | None:
    """Note a column that says the year, the scope or the indicator of each row; what it is."""
    heads = [rows[r][column] for r in header if not blank(rows[r][column])]
    if any(words.is_year_label(h) for h in heads):
        block.year_col = column
        return "years"
    below = [rows[r][column] for r in data if not blank(rows[r][column])]
    if below and all(isinstance(c, str) and leaf_scope(c) for c in below):
        block.scope_col = column
        return "scopes"
    if any(words.is_item_label(h) for h in heads):
        block.item_col = column
        return "indicators"
    return None


def _has_digits(rows: list[list[object]], data: range, column: int) -> bool:
    """Whether any cell below the header holds a number (县级市 may head a count of such cities)."""
    return any(parse_number(rows[r][column]).kind == "number" for r in data)


def _is_text_column(rows: list[list[object]], data: range, column: int) -> bool:
    """A column of words (English names, remarks): hardly a cell in it has a digit."""
    texts = digits = 0
    for r in data:
        cell = rows[r][column]
        if blank(cell):
            continue
        if not isinstance(cell, str) or any(ch.isdigit() for ch in cell):
            digits += 1
        elif parse_number(cell).kind != "missing":
            texts += 1
    return texts > 0 and digits <= texts // 10


def title_of(lines: list[str]) -> tuple[str | None, str]:
    """Table number and Chinese title from the lines above a table.

    The line with the number is the title; without a number, the first Chinese line that is neither
    a unit nor the name of the yearbook's section.
    """
    number = None
    rest: list[str] = []
    for line in lines:
        if number is None and (found := words.table_number(line)):
            number = found
            line = words.without_table_number(line)
            rest.insert(0, line)
        else:
            rest.append(line)
    for line in rest:
        if not words.has_chinese(line) or words.is_unit_statement(line):
            continue
        if re.search(r"\d{4}\s*年.*(?:数据|统计资料)$|统计年鉴$|^第.{1,3}部分", line):
            continue
        chinese = re.match(r".*[\u3400-\u9fff](?:\s*\))?", line, re.DOTALL)
        return number, re.sub(r"\s+", " ", chinese[0] if chinese else line).strip()
    return number, ""


def title_unit(lines: list[str]) -> str:
    """Unit that the lines above a table state for all of it, as printed; empty when none."""
    stated = ""
    for line in lines:
        if not words.is_unit_statement(line):
            continue
        header = parse_header(line)
        if header.unit and (not stated or (header.chinese and not words.has_chinese(stated))):
            stated = header.unit
    if stated:
        return stated
    for line in lines:  # 3-1 人口状况（人）
        header = parse_header(line)
        if header.unit and words.has_chinese(line):
            return header.unit
    return ""


def section_of(lines: list[str], number: str | None) -> str | None:
    """Section that the title names, or that the table number implies (2 cities, 3 county level)."""
    text = "".join(lines)
    if re.search(r"县级|县\(市\)|county-level", text, re.IGNORECASE):
        return "county"
    if re.search(r"地级(?:及)?以上|地级市", text):
        return "prefecture"
    if re.search(r"分省|各省|省、自治区", text):
        return "province"
    major = number.split("-")[0] if number else ""
    return {"2": "prefecture", "3": "county"}.get(major)
