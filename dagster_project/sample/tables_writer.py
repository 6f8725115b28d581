"""Writes the synthetic extracts that come as tables: patents, indices, words, prices, CEADs, ...

Belongs here: columns, names and small quirks of each extract (leading spaces, numbers as text).
Does not belong here: the yearbook and the grids (their own writers).
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xlsxwriter

from dagster_project.sample.holes import missing
from dagster_project.sample.inputs import stream
from dagster_project.sample.society import MANUFACTURING
from dagster_project.sample.world import World

_PATENTS = {
    "专利申请总量": "patents_applied",
    "发明专利申请量": "patents_invention_applied",
    "发明专利授权量": "patents_invention_authorised",
    "绿色专利申请量": "patents_green",
    "绿色发明专利申请量": "patents_green_invention",
    "数字技术专利申请量": "patents_digital",
}
_WORDS = {
    "总词频": "words_total",
    "环境词频": "words_environment",
    "新质生产力词频": "words_new_quality",
}
_CITY_HEAD = ["年份", "省份", "城市", "城市代码"]
CEADS_LAST = 2021  # the inventory's last year; like the real one it lags the yearbook
DIGITAL_CHINA_YEARS = (2018, 2019, 2020)
DIGITAL_FINANCE_FIRST = 2011


def write_tables(world: World, landing: Path) -> list[Path]:
    """Write ``patents`` and all folders below ``tables``; returns the files in order."""
    tables = landing / "tables"
    jobs = [
        _city_csv(world, landing / "patents" / "SYNTHETIC_专利.csv", _PATENTS, holes=True),
        _city_csv(
            world, tables / "government_work_reports" / "SYNTHETIC_政府工作报告词频.csv", _WORDS,
            holes=True,
        ),
        _city_csv(
            world, tables / "key_monitored_enterprises" / "SYNTHETIC_重点监控企业.csv",
            {"废气重点监控企业数": "key_enterprises"},
        ),
        _city_csv(
            world, tables / "digital_china_index" / "SYNTHETIC_数字中国指数.csv",
            {"数字中国指数": "digital_china_index"}, years=DIGITAL_CHINA_YEARS, decimals=2,
        ),
        _digital_finance(world, tables / "digital_finance" / "SYNTHETIC_数字普惠金融指数.xlsx"),
        _province_wide(
            world, tables / "marketisation" / "SYNTHETIC_市场化指数.xlsx", "marketisation_index", 3
        ),
        _province_wide(
            world, tables / "province_energy" / "SYNTHETIC_能源消费总量（万吨标准煤）.xlsx",
            "energy_province", 1,
        ),
        _industry_jobs(world, tables / "province_industry_employment" / "SYNTHETIC_分行业用工.csv"),
        _prices(world, tables / "province_prices" / "SYNTHETIC_价格指数.csv"),
        _ceads(world, tables / "ceads" / "SYNTHETIC_中国城市碳排放清单.xlsx"),
        _national(world, tables / "national_accounts" / "SYNTHETIC_年度数据.csv"),
        _exchange_rate(world, tables / "exchange_rate" / "SYNTHETIC_API_PA.NUS.FCRF.csv"),
    ]  # fmt: skip
    return jobs


def _city_csv(
    world: World, path: Path, columns: dict[str, str], *, years: Iterable[int] | None = None,
    decimals: int = 0, holes: bool = False,
) -> Path:  # fmt: skip
    wanted = set(years) if years is not None else {int(y) for y in world.years}
    values = {
        zh: np.where(missing(world, name), np.nan, world.city[name])
        if holes
        else world.city[name].astype(float)
        for zh, name in columns.items()
    }
    rows: list[list[object]] = []
    listed = world.listed()
    cities = list(world.cities.itertuples())
    for t, year in enumerate(world.years):
        if int(year) not in wanted:
            continue
        for i, city in enumerate(cities):
            if listed[i, t]:
                cells = [_text(v[i, t], decimals) for v in values.values()]
                name = f" {city.city_name}" if i % 50 == 7 else city.city_name
                rows.append([int(year), city.province_name, name, city.city_code, *cells])
    return _csv(path, [*_CITY_HEAD, *columns], rows)


def _industry_jobs(world: World, path: Path) -> Path:
    rows: list[list[object]] = []
    for t, year in enumerate(world.years):
        for p, province in enumerate(world.provinces["province_name"]):
            for k, industry in enumerate(MANUFACTURING):
                value = _text(world.manufacturing[p, k, t], 3)
                rows.append([int(year), province, industry, value])
    return _csv(path, ["年份", "省份", "行业", "平均用工人数(万人)"], rows)


def _prices(world: World, path: Path) -> Path:
    investment = world.province["price_index_investment"]
    consumer = world.province["price_index_consumer"]
    rows: list[list[object]] = []
    for t, year in enumerate(world.years):
        for p, province in enumerate(world.provinces["province_name"]):
            cells = [_text(investment[p, t], 2), _text(consumer[p, t], 2)]
            rows.append([int(year), province, *cells])
    return _csv(path, ["年份", "省份", "固定资产投资价格指数", "居民消费价格指数"], rows)


def _digital_finance(world: World, path: Path) -> Path:
    index = world.city["digital_finance_index"]
    rng = stream(world.seed, "digital finance parts")
    parts = np.clip(rng.normal(1.0, 0.06, (3, *index.shape)), 0.8, 1.2)
    head = ["prov_name", "city_name", "city_code", "year", "index_aggregate",
            "coverage_breadth", "usage_depth", "digitization_level"]  # fmt: skip
    rows: list[list[object]] = [list(head)]
    listed = world.listed()
    for i, city in enumerate(world.cities.itertuples()):
        for t, year in enumerate(world.years):
            if int(year) < DIGITAL_FINANCE_FIRST or not listed[i, t]:
                continue
            four = [index[i, t], *(index[i, t] * parts[:, i, t])]
            rows.append([city.province_name, city.city_name, int(str(city.city_code)), int(year),
                         *(round(float(v), 4) for v in four)])  # fmt: skip
    return _xlsx(path, {"Sheet1": rows})


def _province_wide(world: World, path: Path, name: str, decimals: int) -> Path:
    values = np.round(world.province[name], decimals)
    rows: list[list[object]] = [["省份", *(int(y) for y in world.years)]]
    for p, province in enumerate(world.provinces["province_name"]):
        rows.append([province, *(float(v) for v in values[p])])
    return _xlsx(path, {"Sheet1": rows})


def _ceads(world: World, path: Path) -> Path:
    """The city inventory: a note, a long and a wide sheet; ids as short province and city names."""
    note: list[list[object]] = [
        ["Introduction/简介", "SYNTHETIC 合成数据：invented numbers, not an inventory"],
        ["Type/类型", "CO2\n二氧化碳排放"],
        ["Unit/单位", "million tonnes\n百万吨"],
        ["Timeseries/时间序列", f"{world.years[0]}-{min(int(world.years[-1]), CEADS_LAST)}"],
    ]
    keep = [t for t, y in enumerate(world.years) if int(y) <= CEADS_LAST]
    hole = missing(world, "co2_ceads") | ~world.listed()
    values = np.where(hole, np.nan, world.city["co2_ceads"])
    vector: list[list[object]] = [["ID", "city", "year", "emission"]]
    matrix: list[list[object]] = [["city", *(int(world.years[t]) for t in keep)]]
    for i, city in enumerate(world.cities.itertuples()):
        province, own = _short_province(str(city.province_name)), str(city.city_name)[:-1]
        name = own if city.rank == "municipality" else f"{province}{own}"
        for t in keep:
            cell = None if np.isnan(values[i, t]) else float(values[i, t])
            vector.append([f"{name}{world.years[t]}", name, int(world.years[t]), cell])
        cells = [None if np.isnan(values[i, t]) else float(values[i, t]) for t in keep]
        matrix.append([name, *cells])
    return _xlsx(path, {"NOTE": note, "emission vector": vector, "emission matrix": matrix})


def _national(world: World, path: Path) -> Path:
    """Product and research spending as the statistics bureau exports them: GB 18030, latest first.

    Smooth invented curves of the right size; nothing in the world hangs on them.
    """
    t = np.arange(len(world.years), dtype=float)
    volume = 110.0 - 0.28 * t
    product = 137_000.0 * np.cumprod(np.r_[1.0, volume[1:] / 100 * 1.034])
    research = 1_500.0 * 1.165**t
    lines = {
        "国内生产总值(亿元)": product,
        "国内生产总值指数(上年=100)": volume,
        "研究与试验发展经费支出(亿元)": research,
    }
    rows = [["数据库：年度数据"], ["时间：SYNTHETIC 合成数据"]]
    rows += [["指标", *(f"{y}年" for y in world.years[::-1])]]
    rows += [[name, *(f"{v:.1f}" for v in values[::-1])] for name, values in lines.items()]
    rows += [["数据来源：SYNTHETIC 合成数据，并非国家统计局"]]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


def _exchange_rate(world: World, path: Path) -> Path:
    """The exchange rate as the World Bank exports it: all countries, one column per year."""
    rate = 6.4 + 1.9 * np.exp(-(np.asarray(world.years) - 2003.0) / 4.0)
    head = ["Country Name", "Country Code", "Indicator Name", "Indicator Code"]
    name = "Official exchange rate (LCU per US$, period average)"
    rows: list[list[object]] = [["Data Source", "SYNTHETIC 合成数据"], []]
    rows.append([*head, *(int(y) for y in world.years)])
    for country, code, factor in (("China", "CHN", 1.0), ("Elsewhere", "XXX", 17.0)):
        rows.append([country, code, name, "PA.NUS.FCRF", *(f"{v * factor:.4f}" for v in rate)])
    return _csv(path, rows[0], rows[1:])  # type: ignore[arg-type]


def _short_province(name: str) -> str:
    return name[:3] if name.startswith(("内蒙古", "黑龙江")) else name[:2]


def _text(value: float, decimals: int) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.{decimals}f}"


def _csv(path: Path, head: list[str], rows: list[list[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
    return path


def _xlsx(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    book = xlsxwriter.Workbook(str(path), {"in_memory": True})
    book.set_properties({"created": dt.datetime(2000, 1, 1), "comments": "SYNTHETIC"})
    for name, rows in sheets.items():
        page = book.add_worksheet(name)
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(r, c, cell)
                elif cell is not None:
                    page.write_number(r, c, cell)
    book.close()
    return path
