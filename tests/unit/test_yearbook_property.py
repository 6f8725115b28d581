"""Workbooks generated over the layout space are read back exactly: values, units, rejects."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.extract.yearbook import read_file
from tests.unit.yearbook_books import write_book

WORDS = ["年末总人口", "地区生产总值(当年价格)", "科学技术支出", "工业用电", "执业(助理)医师数",
         "R&D人员", "专利授权数", "发明", "房地产业", "信息传输、计算机服务和软件业",
         "建成区绿化覆盖率", "第一产业", "在岗职工平均工资", "人均GDP", "PM2.5年平均浓度",
         "普通高等学校在校学生数"]  # fmt: skip
ENGLISH = ["Total Population at Year-end", "Gross Regional Product", "Staff and Workers",
           "Expenditure for Science & Technology", "Number of Units"]  # fmt: skip
UNITS = {"万人": "10 000 persons", "亿元": "100 million yuan", "元": "yuan", "%": "%",
         "平方公里": "sq.km", "吨": "ton"}  # fmt: skip
CITIES = {"河北省": ["石家庄市", "唐山市", "邯郸市"], "吉林省": ["长春市", "吉林市"],
          "内蒙古自治区": ["呼和浩特市", "鄂尔多斯市"], "山东省": ["济南市", "菏泽市"]}  # fmt: skip
SCOPES = {"city": ["全市", "全市\nTotal City", "全 市"],
          "districts": ["市辖区", "市辖区  Districts under City", "市区"]}  # fmt: skip
MISSING = ["", "-", "—", "…", "...", "#", " "]
NOISE = ["£05", "_ 2317", "143)413", "2604G40", "135OOO", "1 2", "12,34"]


@dataclass
class Leaf:
    path: list[str]
    unit: str
    scope: str | None


@dataclass
class Book:
    """What is printed, and what a right reader makes of it."""

    sheets: dict[str, list[list[object]]]
    merges: list[tuple[int, int, int, int]]
    values: dict[tuple[str, str, str], tuple[float, str]]
    noise: list[str]
    missing: int
    suffix: str
    notes: list[str] = field(default_factory=list)


@st.composite
def leaves(draw) -> list[Leaf]:
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=7, unique=True))
    scoped = draw(st.booleans())
    found: list[Leaf] = []
    while words:
        head = words.pop()
        children: list[str] = []
        if len(words) >= 2 and draw(st.booleans()):
            children = [words.pop() for _ in range(draw(st.integers(1, 2)))]
        own = not children or draw(st.booleans())
        paths = ([[head]] if own else []) + [[head, child] for child in children]
        for path in paths:
            unit = draw(st.sampled_from(sorted(UNITS)))
            both = draw(st.booleans())
            scopes = (["city", "districts"] if both else ["city"]) if scoped else [None]
            found += [Leaf(path, unit, scope) for scope in scopes]
    return found


@st.composite
def numbers(draw) -> tuple[object, float | None, bool]:
    """A cell, the number in it (None for missing) and whether it is noise."""
    kind = draw(st.sampled_from(["number"] * 6 + ["missing", "noise"]))
    if kind == "missing":
        return draw(st.sampled_from(MISSING)), None, False
    if kind == "noise":
        return draw(st.sampled_from(NOISE)), None, True
    value = draw(st.integers(-(10**7), 10**9)) / draw(st.sampled_from([1, 10, 100]))
    text = repr(value)
    style = draw(st.sampled_from(["number", "text", "grouped", "wide", "marked"]))
    if style == "number":
        return value, value, False
    if style == "grouped":
        return f"{value:,.2f}", value, False
    if style == "wide":
        wide = text.translate({ord(c): ord(c) - 0x20 + 0xFF00 for c in "0123456789.-"})
        return wide, value, False
    return (f" {text} " if style == "text" else f"{text}①"), value, False


@st.composite
def books(draw) -> Book:
    columns = draw(leaves())
    english = draw(st.booleans())
    depth = max(len(leaf.path) for leaf in columns)
    scoped = columns[0].scope is not None
    unit_style = draw(st.sampled_from(["inline", "row", "title"]))
    if unit_style == "title":
        columns = [Leaf(leaf.path, columns[0].unit, leaf.scope) for leaf in columns]
    language = draw(st.sampled_from(["zh", "en", "both"]))
    merged = draw(st.booleans())
    first = 2 if english else 1
    width = first + len(columns)

    def unit_text(unit: str) -> str:
        return {"zh": f"（{unit}）", "en": f"({UNITS[unit]})",
                "both": f"({unit}) ({UNITS[unit]})"}[language]  # fmt: skip

    rows: list[list[object]] = [[""] * width for _ in range(draw(st.integers(0, 1)))]
    title = draw(st.sampled_from(["2-7 综合资料", "2—7综合资料\nGeneral Data", "表2-7  综合资料"]))
    rows.append([title] + [""] * (width - 1))
    if draw(st.booleans()):
        rows.append(["中国2019年地级以上城市数据"] + [""] * (width - 1))
    if unit_style == "title":
        unit = columns[0].unit
        stated = {"zh": [f"单位：{unit}"], "en": [f"({UNITS[unit]})"],
                  "both": [f"计量单位：{unit}", f"({UNITS[unit]})"]}[language]  # fmt: skip
        rows += [[line] + [""] * (width - 1) for line in stated]
    top = len(rows)
    height = depth + scoped + (unit_style == "row")
    rows += [[""] * width for _ in range(height)]
    rows[top][0] = draw(st.sampled_from(["城市", "城 市", "城市\nCity", "地 区"]))
    if english:
        rows[top][1] = "City"
    merges: list[tuple[int, int, int, int]] = []
    start = 0
    while start < len(columns):  # one run of columns per text, level by level
        end = start
        while end < len(columns) and columns[end].path[0] == columns[start].path[0]:
            end += 1
        _print_head(draw, rows, merges, columns, start, end, top, first, depth, merged, english,
                    unit_text if unit_style == "inline" else None)  # fmt: skip
        start = end
    for n, leaf in enumerate(columns):
        if leaf.scope:
            rows[top + depth][first + n] = draw(st.sampled_from(SCOPES[leaf.scope]))
        if unit_style == "row":
            rows[top + height - 1][first + n] = unit_text(leaf.unit)

    values, noise, missing = {}, [], 0
    province_rows = draw(st.booleans())
    indent = draw(st.sampled_from(["", "  ", "\u3000"]))
    chosen = draw(st.lists(st.sampled_from(sorted(CITIES)), min_size=1, max_size=4, unique=True))
    for province in chosen:
        if province_rows:
            rows.append([province] + [""] * (width - 1))
        for city in CITIES[province]:
            row: list[object] = [indent + city] + (["English"] if english else [])
            for leaf in columns:
                cell, value, is_noise = draw(numbers())
                row.append(cell)
                if is_noise:
                    noise.append(str(cell))
                elif value is None:
                    missing += 1
                else:
                    key = "/".join(leaf.path)
                    values[city, key, leaf.scope or "unspecified"] = (value, leaf.unit)
            rows.append(row)
    if draw(st.booleans()):
        rows.append(["注：本表数据为快报数。"] + [""] * (width - 1))
    suffix = draw(st.sampled_from([".xlsx", ".xls"]))
    return Book({"任意名": rows}, merges, values, noise, missing, suffix)


def _print_head(
    draw, rows, merges, columns, start, end, top, first, depth, merged, english, unit_text
):
    """Heads of one group: the parent once, its children below, each at its left end."""

    def text(word: str, leaf: Leaf | None) -> str:
        parts = [word]
        if leaf is not None and unit_text is not None:
            parts.append(unit_text(leaf.unit))
        if english and draw(st.booleans()):
            parts.append(draw(st.sampled_from(ENGLISH)))
        return draw(st.sampled_from([" ", "\n", "     "])).join(parts)

    own = [n for n in range(start, end) if len(columns[n].path) == 1]
    rows[top][first + start] = text(columns[start].path[0], columns[start] if own else None)
    if merged and end - start > 1:
        if own and len(own) < end - start:  # the parent's own columns, two rows high
            if len(own) > 1 or depth > 1:
                merges.append((top, first + own[0], top + depth - 1, first + own[-1]))
        else:
            merges.append((top, first + start, top, first + end - 1))
    elif merged and depth > 1 and own:
        merges.append((top, first + start, top + depth - 1, first + start))
    n = start
    while n < end:
        if len(columns[n].path) == 1:
            n += 1
            continue
        last = n
        while last + 1 < end and columns[last + 1].path == columns[n].path:
            last += 1
        rows[top + 1][first + n] = text(columns[n].path[1], columns[n])
        if merged and last > n:
            merges.append((top + 1, first + n, top + 1, first + last))
        n = last + 1


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books())
def test_generated_workbooks_are_read_back_exactly(book):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        path = root / "yearbook" / "2020" / f"2-7{book.suffix}"
        write_book(path, book.sheets, book.merges)
        result = read_file(path, relative_to=root)
    frame = result.observations
    found = {
        (r.entity_printed, r.indicator_key, r.scope): (r.value, r.unit_key)
        for r in frame.itertuples(index=False)
    }
    assert len(found) == len(frame)
    assert found == book.values
    assert sorted(result.rejects["value_printed"]) == sorted(book.noise)
    report = result.files.iloc[0]
    assert report["n_missing"] == book.missing
    assert (report["table_no"], report["table_title"]) == ("2-7", "综合资料")
    assert report["release"] == "2020"
    assert set(frame["section"]) <= {"prefecture"}
