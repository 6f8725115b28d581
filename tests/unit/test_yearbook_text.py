"""Names, headers, units and numbers as printed."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.extract.text import (
    cell_name,
    column_letter,
    indicator_key,
    leaf_scope,
    normalise_name,
    parse_header,
    parse_number,
    unit_key,
)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (12, 12.0),
        (1.5, 1.5),
        ("1234", 1234.0),
        ("  98.5 ", 98.5),
        ("1,234,567", 1234567.0),
        ("１，２３４．５", 1234.5),
        ("12\u00a0345", 12345.0),
        ("-1.2", -1.2),
        ("－1.2", -1.2),
        ("−0.5", -0.5),
        (".5", 0.5),
        ("+3", 3.0),
        ("1.5E+3", 1500.0),
        ("12.5%", 12.5),
        ("1234①", 1234.0),
        ("1234*", 1234.0),
        ("1234 1)", 1234.0),
    ],
)
def test_numbers_are_read(cell, value):
    parsed = parse_number(cell)
    assert (parsed.kind, parsed.value) == ("number", value)


@pytest.mark.parametrize("cell", [None, "", "  ", "\u3000", "…", "……", "...", "-", "—", "－", "#",
                                  "..", "N/A", float("nan"), "/"])  # fmt: skip
def test_missing_marks(cell):
    assert parse_number(cell).kind == "missing"


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("£05", "could not be read"),
        ("_ 2317", "2317"),
        ("143)413", "143413"),
        ("2604G40", "2604640"),
        ("135OOO", "135000"),
        ("4414)61", "441461"),
        ("1 234", "1234"),
        ("1,23", "123"),
        ("12,3456", "123456"),
        ("05", "5"),
        ("5.", "5"),
        ("1.2.3", "123"),
        ("#DIV/0!", "spreadsheet error"),
        ("(12)", "12"),
        ("abc", "no number"),
        (True, "bool"),
        (dt.date(2020, 1, 2), "date"),
    ],
)
def test_noise_is_never_a_number_and_gets_a_suggestion(cell, hint):
    parsed = parse_number(cell)
    assert parsed.kind == "noise"
    assert parsed.value is None
    assert hint in parsed.suggestion


def test_what_was_removed_is_noted():
    assert "①" in parse_number("12①").note
    assert "%" in parse_number("12%").note
    assert parse_number("12").note == ""


@given(st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda x: abs(x) < 1e12))
def test_every_plain_decimal_is_read_back(number):
    text = format(number, ".4f")
    assert parse_number(text).value == float(text)
    grouped = format(number, ",.2f")
    assert math.isclose(parse_number(grouped).value, float(grouped.replace(",", "")), abs_tol=1e-9)


@given(st.text(alphabet="0123456789OlSGB£)(_.,- ", min_size=1, max_size=9))
def test_a_text_with_a_stray_character_is_never_a_number(text):
    parsed = parse_number(text)
    if parsed.kind == "number":
        assert not set(text) & set("OlSGB£)(_")


def test_names():
    assert normalise_name("  石家庄市") == "石家庄市"
    assert normalise_name("北 京\u3000市①") == "北京市"
    assert normalise_name("莱芜市*") == "莱芜市"
    assert normalise_name(None) == ""


@pytest.mark.parametrize(
    ("text", "key", "unit", "scope"),
    [
        ("地区生产总值（当年价格）\n（亿元）    Gross Regional Product （Current Prices） "
         "（100 000 000 yuan）", "地区生产总值(当年价格)", "亿元", None),
        ("第一产业占地区      生产总值的比重（%）   Primary Industry as Percentage to GRP",
         "第一产业占地区生产总值的比重", "%", None),
        ("细颗粒物年平均浓度 (微克/立方米) Annual Mean Concentration ofPM25 (ug/m3)",
         "细颗粒物年平均浓度", "ug/m3", None),
        ("R&D内部经费支出 Intramural Expenditure on R&D", "R&D内部经费支出", "", None),
        ("PM2.5年平均浓度(μg/m³)", "PM2.5年平均浓度", "ug/m3", None),
        ("全市        Total City", "", "", "city"),
        ("市 辖 区\nDistricts under City", "", "", "districts"),
        ("单位：万元", "", "万元", None),
        ("(10 000 persons)", "", "万人", None),
        ("10 000 kW h", "", "万千瓦时", None),
        ("其中：发明", "发明", "", None),
        ("一、农、林、牧、渔业", "农、林、牧、渔业", "", None),
        ("劳动力就业及收入状况（全市）", "劳动力就业及收入状况", "", "city"),
        ("人口 （人）", "人口", "人", None),
        ("执业(助理)医师数(人)", "执业(助理)医师数", "人", None),
        ("年末实有公共汽(电)车营运车辆数(辆)", "年末实有公共汽(电)车营运车辆数", "辆", None),
        ("占GDP比重(%)", "占GDP比重", "%", None),
        ("人均GDP Per Capita GRP", "人均GDP", "", None),
        ("规模以上工业总产值(当年价,万元)", "规模以上工业总产值(当年价)", "万元", None),
        ("单位：万人、元", "", "", None),
        ("2000年国内生产总值（万元）", "国内生产总值", "万元", None),
    ],
)  # fmt: skip
def test_header_cells_are_taken_apart(text, key, unit, scope):
    header = parse_header(text)
    assert (header.key, header.unit_key, header.scope) == (key, unit, scope)


def test_paths_drop_translations_and_repetitions():
    path = ["地区生产总值(亿元)", "Gross Regional Product", "全市 Total City"]
    assert indicator_key(path) == "地区生产总值"
    assert (
        indicator_key(["专利授权数 Patents", "专利授权数 Patents", "发明 Invention"])
        == "专利授权数/发明"
    )
    assert indicator_key("index_aggregate") == "index_aggregate"


def test_region_is_a_scope_only_as_the_lowest_level():
    assert leaf_scope("地区") == "city"
    assert parse_header("地区").scope is None
    assert parse_header("地区").key == "地区"


@pytest.mark.parametrize(
    ("printed", "key"),
    [("（10 000 yuan）", "万元"), ("100 million yuan", "亿元"), ("万 人", "万人"), ("％", "%"),
     ("人/平方公里", "人/平方公里"), ("persons/sq.km", "人/平方公里"), ("单位：吨", "吨"),
     ("USD 10 000", "万美元"), ("单位：万人、元", ""), ("some words", ""), (None, "")],
)  # fmt: skip
def test_units(printed, key):
    assert unit_key(printed) == key


def test_column_letters_match_openpyxl():
    from openpyxl.utils import get_column_letter

    for number in (1, 26, 27, 52, 702, 703, 16384):
        assert column_letter(number) == get_column_letter(number)
    assert cell_name(12, 28) == "AB12"
    with pytest.raises(ValueError, match="start at 1"):
        column_letter(0)
