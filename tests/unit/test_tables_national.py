"""Exports of national and provincial statistics: layouts, labels, units, other countries' rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import xlsxwriter
import yaml

from dagster_project.extract.schema import ExtractError, ExtractResult
from dagster_project.extract.table_mapping import load_mapping, load_mappings, match
from dagster_project.extract.tables import read_table

NBS = """数据库：年度数据
时间：最近20年
指标,2023年,2022年,2021年
国民总收入(亿元),1284459.4,1197215.0,1141230.8
国内生产总值(亿元),1294271.7,1234029.4,1173823.0
国内生产总值指数(上年=100),105.4,103.1,108.6
研究与试验发展经费支出(亿元),33357.1,30782.9,
人民币对美元汇率(美元=100)(元),704.67,672.61,645.15
注：2023年为初步核算数。
数据来源：国家统计局
"""
WORLD_BANK = """"Data Source","World Development Indicators",

"Last Updated Date","2024-06-28",

"Country Name","Country Code","Indicator Name","Indicator Code","2021","2022","2023",
"Aruba","ABW","Official exchange rate","PA.NUS.FCRF","1.79","1.79","1.79",
"China","CHN","Official exchange rate","PA.NUS.FCRF","6.4489","6.7371","",
"""
DATABANK = (
    "Country Name,Country Code,Series Name,Series Code,2021 [YR2021],2022 [YR2022]\n"
    "China,CHN,GDP deflator,NY.GDP.DEFL.KD.ZG,4.55,1.82\n"
    "China,CHN,Population,SP.POP.TOTL,1412360000,..\n"
    ",,,,,\n"
    "Data from database: World Development Indicators,,,,,\n"
)


def _read(
    tmp_path: Path, source: str, text: str, *, name: str = "download.csv", encoding: str = "utf-8"
) -> ExtractResult:
    path = tmp_path / "tables" / source / name
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(encoding))
    mapping = match(path.relative_to(tmp_path))
    assert mapping is not None
    assert mapping.source == source
    return read_table(path, mapping, relative_to=tmp_path)


def _series(result: ExtractResult, indicator: str) -> dict[int, float]:
    own = result.observations[result.observations["indicator_key"] == indicator]
    return dict(zip(own["data_year"], own["value"], strict=True))


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig"])
def test_an_export_of_the_statistics_bureau_is_read_as_downloaded(tmp_path, encoding):
    result = _read(tmp_path, "national_accounts", NBS, encoding=encoding)
    assert _series(result, "gdp_national") == {2023: 1294271.7, 2022: 1234029.4, 2021: 1173823.0}
    assert _series(result, "gdp_index_national")[2023] == 105.4
    assert _series(result, "rd_expenditure_national") == {2023: 33357.1, 2022: 30782.9}
    assert set(result.observations["section"]) == {"national"}
    assert set(result.observations["entity_printed"]) == {"全国"}
    rate = result.observations.query("indicator_key == 'cny_per_usd'")
    assert set(rate["unit_key"]) == {"元/100美元"}
    cell = result.observations.query("indicator_key == 'gdp_national' and data_year == 2022").iloc[
        0
    ]
    assert (cell["cell"], cell["value_printed"]) == ("C5", "1234029.4")
    report = result.files.iloc[0]
    assert (report["status"], report["data_year"], report["data_year_last"]) == ("read", 2021, 2023)
    assert (report["n_observations"], report["n_missing"], report["n_rejects"]) == (14, 1, 0)


def test_a_label_that_means_nothing_stays_with_its_unit(tmp_path):
    result = _read(tmp_path, "national_accounts", NBS)
    other = result.observations[result.observations["indicator_key"] == "国民总收入"]
    assert other["value"].tolist() == [1284459.4, 1197215.0, 1141230.8]
    assert set(other["unit_key"]) == {"亿元"}
    assert set(other["indicator_printed"]) == {"国民总收入(亿元)"}


def test_of_all_countries_only_the_wanted_is_read(tmp_path):
    result = _read(tmp_path, "exchange_rate", WORLD_BANK)
    assert _series(result, "cny_per_usd") == {2021: 6.4489, 2022: 6.7371}
    assert result.rejects.empty
    report = result.files.iloc[0]
    assert report["n_missing"] == 1
    assert "1 rows are not of CHN" in report["reason"]


def test_years_of_the_databank_and_its_missing_mark(tmp_path):
    result = _read(tmp_path, "national_accounts", DATABANK)
    assert _series(result, "gdp_deflator_growth") == {2021: 4.55, 2022: 1.82}
    assert _series(result, "sp.pop.totl") == {2021: 1412360000.0}
    assert result.files.iloc[0]["n_missing"] == 1


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        ("年份,人民币对美元年平均汇率", "元/美元"),
        ("统计年度,人民币兑美元汇率", "元/美元"),
        ("年份,人民币对美元汇率(元/美元)", "元/美元"),
        ("年度,100美元", "元/100美元"),
        ("年份,人民币对美元汇率(元/100美元)", "元/100美元"),
    ],
)
def test_one_row_per_year(tmp_path, head, unit):
    first, second = (614.28, 622.84) if unit == "元/100美元" else (6.1428, 6.2284)
    text = f"{head}\n2014,{first}\n2015-12-31,{second}\n"
    result = _read(tmp_path, "exchange_rate", text)
    assert _series(result, "cny_per_usd") == {2014: first, 2015: second}
    assert set(result.observations["unit_key"]) == {unit}
    assert result.rejects.empty


@pytest.mark.parametrize(
    ("source", "title", "numbers", "unit", "wrong"),
    [
        ("exchange_rate", "年平均汇率", (622.84, 664.23), "元/美元", "622.84 in B2"),
        ("exchange_rate", "人民币对美元汇率", (6.2284, 664.23), "元/美元", "664.23 in B3"),
        ("national_accounts", "国内生产总值指数", (116.0, 3000.2), "上年=100", "3000.2 in B3"),
        ("national_accounts", "CPI", (101.4, 627.5), "上年=100", "627.5 in B3"),
        ("national_accounts", "GDP平减指数增长率", (101.2, 100.1), "%", "101.2 in B2"),
        ("national_accounts", "GDP", (68.6, 74.0), "亿元", "68.6 in B2"),
    ],
)
def test_numbers_that_cannot_be_in_the_assumed_unit_are_rejects(
    tmp_path, source, title, numbers, unit, wrong
):
    text = f"年份,{title}\n2015,{numbers[0]}\n2016,{numbers[1]}\n"
    result = _read(tmp_path, source, text)
    assert result.observations.empty
    assert result.rejects["reason"].tolist() == ["unit_not_stated"] * 2
    assert result.rejects["cell"].tolist() == ["B2", "B3"]
    detail = result.rejects["detail"].iloc[0]
    assert f"the title {title} states no unit, and {wrong} cannot be in {unit}" in detail
    assert result.files.iloc[0]["n_rejects"] == 2


def test_an_index_that_states_its_base_is_read(tmp_path):
    text = "年份,国内生产总值指数(上年=100),CPI(1978=100)\n2015,107.0,615.2\n"
    result = _read(tmp_path, "national_accounts", text)
    assert _series(result, "gdp_index_national") == {2015: 107.0}
    assert set(result.observations["indicator_key"]) == {"gdp_index_national"}
    assert "CPI(1978=100)" in result.files.iloc[0]["columns_not_read"]


@pytest.mark.parametrize(
    ("title", "wanted", "other"),
    [("币种", "美元", "欧元"), ("国家", "美国", "日本"), ("Currency Code", "USD", "JPY")],
)
def test_another_currency_is_never_the_rate_of_the_dollar(tmp_path, title, wanted, other):
    text = f"年份,{title},平均汇率\n2015,{wanted},6.2284\n2015,{other},6.9\n2016,{other},7.3\n"
    result = _read(tmp_path, "exchange_rate", text)
    assert _series(result, "cny_per_usd") == {2015: 6.2284}
    assert result.rejects[["cell", "reason"]].values.tolist() == [
        ["C3", "other_subject"],
        ["C4", "other_subject"],
    ]
    assert f"the column {title} says {other}; expected" in result.rejects["detail"].iloc[0]
    assert result.files.iloc[0]["columns_not_read"] == "[]"


def test_a_province_or_another_country_is_never_the_country(tmp_path):
    text = (
        "年份,地区,国家,国内生产总值\n2015,全国,中国,688858\n2015,北京,中国,24779\n2016,全国,,7\n"
    )
    result = _read(tmp_path, "national_accounts", text)
    assert _series(result, "gdp_national") == {2015: 688858.0}
    assert result.rejects["cell"].tolist() == ["D3", "D4"]
    assert "says nothing; expected 中国" in result.rejects["detail"].iloc[1]


def test_a_sheet_of_provinces_is_named_above_its_table(tmp_path):
    path = tmp_path / "tables" / "province_accounts" / "分省年度数据.xlsx"
    path.parent.mkdir(parents=True)
    book = xlsxwriter.Workbook(str(path))
    page = book.add_worksheet("分省年度数据")
    rows: list[list[object]] = [
        ["数据库：分省年度数据"],
        ["指标：居民消费价格指数(上年=100)"],
        ["时间：最近10年"],
        ["地区", "2023年", "2022年"],
        ["北京市", 100.4, 101.8],
        ["内蒙古自治区", 100.6, 101.8],
        ["数据来源：国家统计局"],
    ]
    for number, row in enumerate(rows):
        page.write_row(number, 0, row)
    book.close()
    mapping = load_mappings()["province_accounts"]
    result = read_table(path, mapping, relative_to=tmp_path)
    assert set(result.observations["indicator_key"]) == {"price_index_consumer"}
    assert set(result.observations["section"]) == {"province"}
    found = result.observations.set_index(["entity_printed", "data_year"])["value"]
    assert found["北京市", 2022] == 101.8
    assert len(found) == 4


def test_a_sheet_whose_label_is_not_mapped_stays_under_its_own_name(tmp_path):
    text = "数据库：分省年度数据\n指标：,地区生产总值(亿元)\n地区,2023年\n北京市,43760.7\n"
    result = _read(tmp_path, "province_accounts", text)
    assert _series(result, "地区生产总值") == {2023: 43760.7}
    assert set(result.observations["unit_key"]) == {"亿元"}


def test_another_table_is_refused_with_its_columns(tmp_path):
    with pytest.raises(ExtractError, match=r"指标.*row 1 has 城市, 产值"):
        _read(tmp_path, "exchange_rate", "城市,产值\n甲市,5\n")


def test_labels_need_something_to_be_read_from(tmp_path):
    content = {
        "source": "trial",
        "title": "trial",
        "files": ["tables/trial/*"],
        "sheets": [
            {
                "layout": "wide",
                "section": "national",
                "keys": {},
                "labels": {"甲": {"indicator": "gdp_national", "unit": "亿元"}},
            }
        ],
    }
    path = tmp_path / "trial.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ExtractError, match=r"keys\.indicator or label_above"):
        load_mapping(path)
