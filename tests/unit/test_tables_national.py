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
        ("年度,100美元", "元/100美元"),
        ("年份,人民币对美元汇率(元/100美元)", "元/100美元"),
    ],
)
def test_one_row_per_year(tmp_path, head, unit):
    result = _read(tmp_path, "exchange_rate", f"{head}\n2014,614.28\n2015-12-31,622.84\n")
    assert _series(result, "cny_per_usd") == {2014: 614.28, 2015: 622.84}
    assert set(result.observations["unit_key"]) == {unit}


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
