"""How the editions of the synthetic yearbook lay a table out: families of quirks, rows and merges.

Belongs here: title rows, header rows, units, merged cells, province rows, spaces and text numbers,
modelled on real editions. Does not belong here: which tables there are (``yearbook_tables``) and
file formats (``yearbook_writer``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dagster_project.sample.yearbook_tables import BOTH, CITY, DISTRICTS, UNIT_EN, Column, Table

PROVINCE_EN = {
    "河北省": "Hebei", "山西省": "Shanxi", "内蒙古自治区": "Inner Mongolia", "辽宁省": "Liaoning",
    "吉林省": "Jilin", "黑龙江省": "Heilongjiang", "江苏省": "Jiangsu", "浙江省": "Zhejiang",
    "安徽省": "Anhui", "福建省": "Fujian", "江西省": "Jiangxi", "山东省": "Shandong",
    "河南省": "Henan", "湖北省": "Hubei", "湖南省": "Hunan", "广东省": "Guangdong",
    "广西壮族自治区": "Guangxi", "海南省": "Hainan", "四川省": "Sichuan", "贵州省": "Guizhou",
    "云南省": "Yunnan", "西藏自治区": "Tibet", "陕西省": "Shaanxi", "甘肃省": "Gansu",
    "青海省": "Qinghai", "宁夏回族自治区": "Ningxia", "新疆维吾尔自治区": "Xinjiang",
}  # fmt: skip
_MUNICIPALITIES = ("110000", "120000", "310000", "500000")


@dataclass(frozen=True)
class Layout:
    """One family of editions.

    Attributes
    ----------
    title : ``plain`` | ``bilingual`` | ``banner`` | ``spaced``
        Rows above the header.
    unit : ``row`` | ``inline``
        Where the unit stands when all columns share it; columns with different units always print
        it inline.
    english : bool
        Second column with English names, English in header cells.
    english_row : bool
        English of the header in a row of its own below the Chinese.
    text : bool
        Numbers stored as text.
    """

    name: str
    first: int
    last: int
    suffix: str
    title: str
    unit: str
    english: bool = False
    english_row: bool = False
    text: bool = False
    indent: str = "  "
    file_name: str = "SYNTHETIC_{number} {title}"
    whole_book: tuple[int, ...] = ()


LAYOUTS = (
    Layout("early", 2004, 2006, ".xls", "plain", "row", indent="",
           file_name="SYNTHETIC_{edition}-{number}", whole_book=(2005,)),
    Layout("two-row", 2007, 2012, ".xlsx", "plain", "inline", indent=" ",
           whole_book=(2009,)),
    Layout("bilingual", 2013, 2017, ".xlsx", "bilingual", "row", english=True,
           file_name="SYNTHETIC_{edition}_{number} {title}", whole_book=(2015,)),
    Layout("banner", 2018, 2021, ".xlsx", "banner", "inline", english=True, english_row=True,
           file_name="SYNTHETIC_{edition}_{edition}-{number}"),
    Layout("stacked", 2022, 2023, ".xlsx", "bilingual", "row", english=True,
           file_name="SYNTHETIC_{edition}_{number} {title}"),
    Layout("spaced", 2024, 2024, ".xlsx", "spaced", "row", english=True, text=True,
           file_name="SYNTHETIC_{number}_{title}"),
)  # fmt: skip


def layout_of(edition: int) -> Layout:
    """The family of an edition.

    Raises
    ------
    ValueError
        If no family covers the edition.
    """
    for layout in LAYOUTS:
        if layout.first <= edition <= layout.last:
            return layout
    raise ValueError(f"no layout for edition {edition}")


@dataclass
class Sheet:
    """A laid-out table: header cells, body, merges. Cells are None, text or numbers."""

    name: str
    file_stem: str
    rows: list[list[object]] = field(default_factory=list)
    merges: list[tuple[int, int, int, int]] = field(default_factory=list)
    first_body_row: int = 0


@dataclass(frozen=True)
class Body:
    """The body of one edition: which cities, under which names, and the values by indicator.

    ``values[(indicator, scope)]`` has one number per city; NaN is a missing cell.
    """

    codes: list[str]
    names: list[str]
    names_en: list[str]
    provinces: list[str]
    values: dict[tuple[str, str], np.ndarray]
    holes: list[str]


def lay_out(
    layout: Layout, edition: int, number: str, table: Table, body: Body, sheet: str
) -> Sheet:
    """One table as rows of cells with merges, in the manner of its edition."""
    leaves = [
        (column, scope)
        for column in table.columns
        for scope in ((CITY, DISTRICTS) if column.scope == BOTH else (column.scope,))
    ]
    scopes = {scope for _, scope in leaves}
    scope_row = len(scopes) > 1
    suffix = "" if scope_row else {CITY: "（全市）", DISTRICTS: "（市辖区）"}[scopes.pop()]
    units = {column.unit for column, _ in leaves}
    shared = units.pop() if len(units) == 1 and layout.unit == "row" else None
    width = len(leaves) + (2 if layout.english else 1)
    title = f"{table.title}{suffix}"
    stem = layout.file_name.format(edition=edition, number=number, title=title)
    out = Sheet(name=sheet, file_stem=stem)
    _title_rows(out, layout, edition, number, title, table.title_en, shared, width)
    _header_rows(out, layout, leaves, scope_row, shared is None)
    out.first_body_row = len(out.rows)
    _body_rows(out, layout, leaves, body, width)
    return out


def _title_rows(
    out: Sheet, layout: Layout, edition: int, number: str, title: str, english: str,
    unit: str | None, width: int,
) -> None:  # fmt: skip
    blank: list[object] = [None] * width

    def row(first: str | None, *others: tuple[int, str]) -> None:
        cells = list(blank)
        cells[0] = first
        for at, text in others:
            cells[at] = text
        out.rows.append(cells)

    unit_en = f"({UNIT_EN[unit]})" if unit else ""
    if layout.title == "plain":
        row(f"{number}  {title}")
        if unit:
            row(None, (width - 1, f"单位：{unit}"))
        out.merges.append((0, 0, 0, width - 1))
    elif layout.title == "bilingual":
        row(f"{number}{title}")
        row(english)
        row(None)
        if unit:
            row(f"单位：{unit}")
            row(unit_en)
            row(None)
    elif layout.title == "banner":
        row(None)
        row(f"中国{edition - 1}年地级以上城市数据", (2, f"{number} {title}"))
        row(None)
        out.merges.append((1, 0, 2, 1))
        if width > 3:
            out.merges.append((1, 2, 2, width - 1))
    else:
        row(None)
        row(f"{number}{title}")
        row(None)
        row(english)
        row(None)
        if unit:
            row(f"单位：{unit}", (width - 1, unit_en))


def _label(layout: Layout, level: tuple[str, str], unit: str | None) -> str:
    chinese, english = level
    text = f"{chinese}({unit})" if unit and not layout.english else chinese
    if not layout.english:
        return text
    if unit:
        text = f"{chinese}\n({unit})"
    if layout.english_row:
        return text
    return f"{text}\n{english}" + (f"\n({UNIT_EN[unit]})" if unit else "")


def _header_rows(
    out: Sheet, layout: Layout, leaves: list[tuple[Column, str]], scope_row: bool, inline: bool
) -> None:
    depth = max(len(column.path) for column, _ in leaves)
    lead = 2 if layout.english else 1
    top = len(out.rows)
    out.rows += [[None] * (lead + len(leaves)) for _ in range(depth)]
    for level in range(depth):
        start = 0
        while start < len(leaves):
            column = leaves[start][0]
            stop = start + 1
            while stop < len(leaves) and _same(column, leaves[stop][0], level):
                stop += 1
            if level < len(column.path):
                own = level == len(column.path) - 1 or level == 0
                unit = column.unit if inline and own else None
                text = _label(layout, column.path[level], unit)
                out.rows[top + level][lead + start] = text
                # An indicator without inner levels stands over all rows of its columns.
                alone = len(column.path) == 1 and all(
                    leaves[i][0].indicator == column.indicator for i in range(start, stop)
                )
                last = top + depth - 1 if alone else top + level
                if last > top + level or stop - start > 1:
                    out.merges.append((top + level, lead + start, last, lead + stop - 1))
            start = stop
    if layout.english_row:
        english: list[object] = [None] * (lead + len(leaves))
        for i, (column, _) in enumerate(leaves):
            first = i == 0 or leaves[i - 1][0] is not column
            english[lead + i] = column.path[-1][1] if first else None
        out.rows.append(english)
    if scope_row:
        words = {CITY: "全市", DISTRICTS: "市辖区"}
        if layout.english:
            words = {CITY: "全市\nTotal City", DISTRICTS: "市辖区\nDistricts under City"}
        out.rows.append([None] * lead + [words[scope] for _, scope in leaves])
    bottom = len(out.rows) - 1
    out.rows[top][0] = "城 市" if layout.english else "城市"
    if bottom > top:
        out.merges.append((top, 0, bottom, 0))
    if layout.english:
        out.rows[top][1] = "City"
        if bottom > top:
            out.merges.append((top, 1, bottom, 1))


def _same(left: Column, right: Column, level: int) -> bool:
    """Whether two columns share one header cell at a level."""
    if left is right:
        return True
    if level == 0:
        return left.path[0] == right.path[0]
    return left.path[: level + 1] == right.path[: level + 1] and len(left.path) > level


def _body_rows(
    out: Sheet, layout: Layout, leaves: list[tuple[Column, str]], body: Body, width: int
) -> None:
    columns = []
    for column, scope in leaves:
        values = np.round(body.values[(column.indicator, scope)] * column.factor, column.decimals)
        columns.append((values, column.decimals))
    province = ""
    for i, code in enumerate(body.codes):
        municipal = code in _MUNICIPALITIES
        if not municipal and body.provinces[i] != province:
            province = body.provinces[i]
            header: list[object] = [None] * width
            header[0] = province
            if layout.english:
                header[1] = PROVINCE_EN[province]
            out.rows.append(header)
        indent = "" if municipal else layout.indent
        row: list[object] = [indent + body.names[i]]
        if layout.english:
            row.append(("" if municipal else indent) + body.names_en[i])
        for j, (values, decimals) in enumerate(columns):
            row.append(_cell(values[i], decimals, layout, body.holes[(i + j) % len(body.holes)]))
        out.rows.append(row)
    if not layout.english:  # a note under the table, as older books print
        note: list[object] = [None] * width
        note[0] = "注：本表为合成数据（SYNTHETIC），不是统计数据。"
        out.rows.append(note)


def _cell(value: float, decimals: int, layout: Layout, hole: str) -> object:
    if np.isnan(value):
        return hole or None
    if layout.text:
        return f"{value:.{decimals}f}"
    return int(value) if decimals == 0 else float(value)
