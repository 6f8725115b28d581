"""Whether the rows of a mapped sheet are what the mapping says, or something else.

Belongs here: columns that name counties, firms or, in a table of provinces, cities; rows of other
countries or currencies; numbers that cannot be in the assumed unit; and rows that give one city and
year several numbers. Does not belong here: reading cells (table_cells.py).
Index releases and firm tables have a column of cities too, and would pass for city data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from dagster_project.extract.table_header import Header, filled
from dagster_project.extract.table_mapping import SheetMapping, ValueColumn, column_key
from dagster_project.extract.table_open import Sheet
from dagster_project.extract.text import parse_number, printed

# Titles, as column_key folds them, of columns that name units smaller than a city.
_BELOW_CITY = {
    "counties": (
        *("县", "区县", "县区", "县域", "县名", "县名称", "县域名称", "区县名称", "区县名", "县市"),
        *("县(区)", "县(市)", "县(市、区)", "县级市", "县代码", "县域代码", "区县代码"),
        *("county", "countyname", "county_name", "countycode", "county_code", "county_id"),
    ),
    "firms": (
        *(
            "股票代码",
            "证券代码",
            "股票简称",
            "证券简称",
            "企业名称",
            "公司名称",
            "上市公司",
            "企业代码",
        ),
        *("stkcd", "stock_code", "symbol", "scode", "firm", "firm_id", "company"),
    ),
}
_CITIES = (
    *("城市", "城市名称", "地级市", "地市", "市", "城市代码"),
    *("city", "cityname", "city_name", "citycode", "city_code"),
)


_CODES = re.compile(r"代码|code|_id$|stkcd|symbol")


def finer_column(sheet: Sheet, header: Header, spec: SheetMapping) -> str | None:
    """Why the rows are of smaller units than the mapping says: a filled column names such units.

    ``None`` where there is none, or the mapping itself uses the column.
    """
    if spec.section not in ("prefecture", "province"):
        return None
    smaller = {**_BELOW_CITY, **({"cities": _CITIES} if spec.section == "province" else {})}
    keys = spec.keys
    used = {header.find(n) for n in (keys.entity, keys.entity_code, keys.province, keys.item) if n}
    title_of = {number: title for title, number in header.columns.items()}
    for units, titles in smaller.items():
        for number in (header.columns[t] for t in titles if t in header.columns):
            rows = sheet.rows[header.row + 1 :]
            below = [r[number] for r in rows if number < len(r) and filled(r[number])]
            # 城市 and 县 may also head numbers: prices in cities, counts of counties
            names = sum(parse_number(cell).kind == "noise" for cell in below)
            if not below or (2 * names <= len(below) and not _CODES.search(title_of[number])):
                continue
            if number not in used:
                title = printed(sheet.rows[header.row][number]).strip()
                return f"its rows are of {units} (column {title})"
    return None


def other_subjects(
    columns: Sequence[Sequence[object]],
    titles: Sequence[object],
    header: Header,
    spec: SheetMapping,
) -> dict[int, str]:
    """Rows about another country or currency than ``spec.about`` allows, each with the reason.

    Parameters
    ----------
    columns
        Cells below the header, column by column.
    titles
        The header row as printed.

    Returns
    -------
    dict of int to str
        By 0-based row. A blank cell counts as something else, unless the whole column is blank.
    """
    found: dict[int, str] = {}
    for rule in spec.about:
        wanted = {column_key(value) for value in rule.values}
        for number in {
            header.columns[n] for n in map(column_key, rule.column) if n in header.columns
        }:
            cells = columns[number]
            if not any(map(filled, cells)):
                continue
            title = printed(titles[number]).strip()
            for row, cell in enumerate(cells):
                if column_key(printed(cell)) not in wanted:
                    said = printed(cell).strip() or "nothing"
                    found.setdefault(
                        row,
                        f"the column {title} says {said}; expected {' or '.join(rule.values[:3])}",
                    )
    return found


def assumed_unit_fails(value: ValueColumn, title: str, cells: dict[str, float]) -> str | None:
    """Why numbers under a title without a unit are not in the unit that the mapping assumes.

    Parameters
    ----------
    cells
        The numbers of the column, by cell.

    Returns
    -------
    str or None
        ``None`` where all of them lie within the bounds of the mapping, or it states none.
    """
    if value.within is None:
        return None
    low, high = value.within
    cell = next((c for c, number in cells.items() if not low <= number <= high), None)
    if cell is None:
        return None
    return (
        f"the title {title} states no unit, and {cells[cell]:.12g} in {cell} cannot be in "
        f"{value.unit} ({low:.12g} to {high:.12g}); no number of the column is used"
    )


def without_contradictions(
    frame: pd.DataFrame, layout: str, place: str
) -> tuple[pd.DataFrame, list[dict]]:
    """Observations without those that give one city, year and series different numbers.

    Parameters
    ----------
    frame
        Observations of one sheet.
    layout
        ``long`` or ``wide``, of the mapping.
    place
        File and sheet, for the message.

    Returns
    -------
    frame, rejects
        Taking any of several numbers would be a guess, so all of them become rejects. Repeats of
        the same number are kept.
    """
    if frame.empty:
        return frame, []
    keys = ["entity_printed", "entity_code_printed", "province_printed", "indicator_printed"]
    keys += ["indicator_key", "data_year"] + (["col"] if layout == "long" else [])
    repeated = frame[frame.duplicated(keys, keep=False)]
    differing = repeated.groupby(keys, dropna=False)["value"].transform("nunique") > 1
    wrong = repeated[differing]
    rejects = []
    for _, group in wrong.groupby(keys, dropna=False, sort=False):
        rows = ", ".join(str(r) for r in group["row"][:5])
        more = f" and {len(group) - 5} more" if len(group) > 5 else ""
        for cell in group.to_dict("records"):
            entity, year = cell["entity_printed"], cell["data_year"]
            known = ("data_year", "row", "col", "cell", "entity_printed", "indicator_printed")
            rejects.append(
                {
                    **{key: cell[key] for key in (*known, "value_printed")},
                    "reason": "duplicate_row",
                    "detail": f"{place}, cell {cell['cell']}: {entity} {year} stands in rows "
                    f"{rows}{more} with different numbers",
                    "suggestion": "keep the right row; if the rows are of counties, firms or "
                    "industries, this is no table of cities: add them up first",
                }
            )
    return frame.drop(index=wrong.index), rejects
