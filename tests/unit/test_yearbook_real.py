"""The real workbooks: every cell accounted for, spot truth read independently, registry, crosswalk.

The independent side uses openpyxl and its own few rules, nothing of the reader.
"""

from __future__ import annotations

import re
import time
from functools import cache

import openpyxl
import pytest

from dagster_project.extract import crosswalk, registry
from dagster_project.extract.yearbook import read_edition

pytestmark = pytest.mark.real

EDITIONS = ("2021", "2023", "2024")
# Cells chosen by hand over editions and tables; the number stands in the cell of that workbook.
SPOTS = [
    ("2021/2021_2021-2-1", "石家庄市", "D9", "常住人口", "districts", 576),
    ("2021/2021_2021-2-1", "唐山市", "E10", "常住人口/城镇常住人口", "city", 496),
    ("2021/2021_2021-2-1", "哈密市", "C329", "常住人口", "city", 67),
    ("2021/2021_2021-2-7", "重庆市", "C250", "地区生产总值(当年价格)", "city", 25003),
    ("2021/2021_2021-2-7", "鄂尔多斯市", "E39", "人均地区生产总值", "city", 164387),
    ("2021/2021_2021-2-7", "吐鲁番市", "H329", "地区生产总值增长率", "districts", 1.55),
    ("2021/2021_2021-2-8", "大庆市", "E73", "第二产业占地区生产总值的比重", "city", 46.72),
    ("2021/2021_2021-2-18", "北京市", "C7", "城镇非私营单位从业人员期末人数", "city", 7399399),
    ("2021/2021_2021-2-18", "克拉玛依市", "F328", "城镇非私营单位在岗职工平均工资", "city", 129545),
    ("2021/2021_2021-3-3", "武安市", "E12", "第二产业增加值", "unspecified", 4068941),
    ("2023/2023_2-1 人口数", "张家口市", "F19", "户籍人口/城镇户籍人口", "districts", 99),
    ("2023/2023_2-7 地区生产总值", "鄂尔多斯市", "C38", "地区生产总值(当年价格)", "city", 5613),
    ("2023/2023_2-7 地区生产总值", "哈密市", "E329", "人均地区生产总值", "city", 130488),
    ("2023/2023_2-8 地区生产总值构成", "拉萨市", "G289", "第三产业占地区生产总值的比重", "city",
     57.46),
    ("2023/2023_2-18 劳动力就业及收入状况（全市）", "深圳市", "E209",
     "城镇非私营单位在岗职工工资总额", "city", 82856217),
    ("2023/2023_3-1 人口状况", "新星市", "C427", "年末户籍人口", "unspecified", 9),
    ("2024/2-10_年末金融机构存贷款余额", "上海市", "E82", "年末金融机构人民币各项贷款余额", "city",
     1059065990),
    ("2024/2-12_对外经济贸易(全市)", "苏州市", "D87", "货物出口额", "city", 150815900),
    ("2024/2-17_科技创新情况(全市)", "合肥市", "D113", "专利授权数/发明", "city", 15431),
    ("2024/2-1_人口数", "克拉玛依市", "E330", "常住人口/常住人口城镇化率", "city", 98.98),
    ("2024/2-29_用电量情况(全市)", "唐山市", "D15", "全社会用电量/工业用电", "city", 7577318),
    ("2024/2-30_天然气供应及利用情况(市辖区)", "成都市", "C254", "天然气供气总量", "districts",
     407831),
    ("2024/2-3_工业颗粒物排放量和二氧化硫及氮氧化物排放量(全市)", "哈密市", "D335",
     "工业二氧化硫排放量", "city", 4364),
    ("2024/2-5_空气质量状况和污水及生活垃圾处理率(全市)", "邢台市", "D14", "空气质量优良天数比例",
     "city", 57.8),
    ("2024/2-6_地区生产总值", "北京市", "C8", "地区生产总值(当年价格)", "city", 43761),
    ("2024/2-8_地方一般公共预算收支状况(全市)", "杭州市", "E101",
     "地方一般公共预算支出/科学技术支出", "city", 2429074),
]  # fmt: skip


@pytest.fixture(scope="module")
def editions(real_data_dir):
    folder = real_data_dir / "yearbook"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    missing = [e for e in EDITIONS if not (folder / e).is_dir()]
    if missing:
        pytest.skip(f"editions {missing} are not in {folder}")
    return {e: read_edition(folder / e, relative_to=real_data_dir) for e in EDITIONS}


@cache
def _open(path):
    return openpyxl.load_workbook(path)


def _workbooks(real_data_dir):
    return sorted(
        path for e in EDITIONS for path in (real_data_dir / "yearbook" / e).glob("*.xls*")
    )


def test_every_workbook_is_read(editions, real_data_dir):
    reported = [row for result in editions.values() for row in result.files.to_dict("records")]
    assert len(reported) == len(_workbooks(real_data_dir)) == 24
    assert {row["status"] for row in reported} == {"read"}
    for row in reported:
        assert row["release"] in EDITIONS
        assert row["data_year"] == int(row["release"]) - 1
        assert row["table_no"]
        assert row["table_title"]
        assert row["section"] == ("county" if row["table_no"].startswith("3-") else "prefecture")


@pytest.mark.parametrize(
    ("file", "city", "cell", "key", "scope", "number"), SPOTS, ids=[f"{s[0]}!{s[2]}" for s in SPOTS]
)
def test_spot_truth(editions, real_data_dir, file, city, cell, key, scope, number):
    name = f"yearbook/{file}.xlsx"
    sheet = _open(real_data_dir / name).worksheets[0]
    assert float(sheet[cell].value) == number
    assert str(sheet[f"A{sheet[cell].row}"].value).strip() == city
    found = editions[file[:4]].observations
    row = found[(found["file"] == name) & (found["cell"] == cell)]
    assert len(row) == 1
    row = row.iloc[0]
    assert row["value"] == number
    assert (row["entity_printed"], row["indicator_key"], row["scope"]) == (city, key, scope)


def _count(path):
    """Numbers and noise of all city rows, counted with openpyxl and nothing else."""
    filled = 0
    for sheet in _open(path).worksheets:
        in_body = False
        for row in sheet.iter_rows(values_only=True):
            name = re.sub(r"\s", "", str(row[0] or ""))
            if not in_body:
                in_body = name in ("北京市", "河北省") or name == "辛集市"
            if not in_body or not name or re.search(r"(省|自治区)$", name):
                continue
            filled += sum(1 for v in row[2:] if v is not None and str(v).strip() not in ("", "-"))
    return filled


def test_counts_add_up(editions, real_data_dir):
    """Every filled cell of every city row is an observation or a reject, in each of 24 files."""
    total = 0
    for path in _workbooks(real_data_dir):
        name = path.relative_to(real_data_dir).as_posix()
        result = editions[path.parent.name]
        observed = (result.observations["file"] == name).sum()
        cells = result.rejects[result.rejects["file"] == name]
        rejected = cells["indicator_printed"].notna().sum()
        filled = _count(path)
        assert observed + rejected == filled, name
        report = result.files[result.files["file"] == name].iloc[0]
        assert report["n_observations"] == observed
        assert report["n_rejects"] == len(cells)
        total += filled
    assert total > 28000


def test_digitising_noise_is_rejected_with_its_cell(editions):
    noise = editions["2021"].rejects.set_index("cell")["value_printed"].to_dict()
    assert noise == {"D298": "143)413", "E325": "2604G40", "E389": "4414)61", "E405": "135OOO"}
    assert (
        editions["2021"].rejects["suggestion"].str.contains("compare with the printed page").all()
    )


def test_registry_resolves_every_header(editions):
    known = registry.load()
    for result in editions.values():
        headers = known.headers(result.observations)
        unmapped = headers[headers["status"] != "mapped"]
        assert unmapped.empty, unmapped[["file", "indicator_key", "unit_key"]].to_string()
        assert not registry.twice(headers).any()


def test_values_lie_in_the_registered_ranges(editions):
    """Converted to the registered unit, hardly a whole-city value is out of its range."""
    known = registry.load()
    outside = []
    for result in editions.values():
        rows = result.observations
        rows = rows[(rows["section"] == "prefecture") & (rows["scope"] != "districts")]
        for row in rows.itertuples():
            unit = row.unit_key if isinstance(row.unit_key, str) else ""
            hit = known.lookup("yearbook", row.indicator_key, unit, row.scope, row.data_year)
            value, limits = row.value * hit.factor, known.indicators[hit.indicator]
            if not limits.low <= value <= limits.high:
                outside.append((row.file, row.cell, row.entity_printed, hit.indicator, value))
    assert len(outside) <= 10, outside


@pytest.mark.parametrize("edition", EDITIONS)
def test_all_297_cities_resolve(editions, edition):
    result = editions[edition]
    resolved = crosswalk.resolve_frame(result.observations)
    assert resolved["city_code"].notna().all(), resolved[resolved["city_code"].isna()]
    # Sansha has a row in every edition, but edition 2021 prints no number in it
    expected = 296 if edition == "2021" else 297
    assert resolved["city_code"].nunique() == expected
    tables = result.files[result.files["section"] == "prefecture"]
    # table 2-29 of edition 2024 lacks the row of Chongqing
    short = set(tables.loc[tables["n_entities"] != 297, "table_no"])
    assert short == ({"2-29"} if edition == "2024" else set())


def test_an_edition_reads_in_a_second_or_two(editions, real_data_dir):
    started = time.perf_counter()
    read_edition(real_data_dir / "yearbook" / "2024", relative_to=real_data_dir)
    assert time.perf_counter() - started < 4
