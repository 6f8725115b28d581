"""The crosswalk and the indicator registry: complete, without contradictions, refusing to guess."""

from __future__ import annotations

import csv
import shutil

import pandas as pd
import pytest

from dagster_project.extract import crosswalk, registry, units
from dagster_project.extract.crosswalk import SEEDS
from dagster_project.extract.registry import RegistryError
from dagster_project.extract.text import indicator_key, normalise_name


def seed(name):
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def names():
    return crosswalk.load()


@pytest.fixture(scope="module")
def known():
    return registry.load()


# --- crosswalk ------------------------------------------------------------------------------


def test_cities_carry_no_column_of_a_restricted_licence():
    columns = set(seed("cities")[0])
    assert not {c for c in columns if c.startswith(("hu_", "seat_"))} | columns & {"lon", "lat"}
    assert not [r["city_code"] for r in seed("cities") if "Hu " in r["note"]]


def test_297_cities_at_prefecture_level_and_above():
    rows = seed("cities")
    assert len(rows) == 339
    now = [r for r in rows if r["in_2020_2023"] == "1" and r["city_or_above"] == "1"]
    assert len(now) == 297
    assert sum(r["unit_type"] == "municipality" for r in now) == 4


def test_every_city_resolves_in_every_form(names):
    for row in seed("cities"):
        year = {"341400": 2009, "371200": 2015}.get(row["city_code"], 2020)
        full, short, province = row["name_zh"], row["short_zh"], row["province_zh"]
        forms = [full, short, f"  {full}① "]
        if row["unit_type"] != "municipality":
            tail = crosswalk.short_province(province)
            forms += [province + full, tail + short, province + short, tail + full]
        if row["unit_type"] == "autonomous_prefecture":
            forms.append(short.removesuffix("州") + "州")
        for form in forms:
            assert names.resolve(form, year=year).city_code == row["city_code"], form
            assert names.resolve(form, province=province, year=year).city_code == row["city_code"]


@pytest.mark.parametrize(
    ("name", "year", "code"),
    [
        ("襄樊市", 2005, "420600"), ("襄阳市", 2015, "420600"), ("思茅市", 2004, "530800"),
        ("思茅地区", 2002, "530800"), ("普洱市", 2010, "530800"), ("巢湖市", 2009, "341400"),
        ("莱芜市", 2018, "371200"), ("三沙市", 2013, "460300"), ("儋州市", 2016, "460400"),
        ("毕节地区", 2005, "520500"), ("毕节市", 2012, "520500"), ("铜仁地区", 2008, "520600"),
        ("海东地区", 2010, "630200"), ("吐鲁番地区", 2012, "650400"), ("哈密地区", 2012, "650500"),
        ("林芝地区", 2010, "540400"), ("山南地区", 2010, "540500"), ("那曲地区", 2010, "540600"),
        ("昌都地区", 2010, "540300"), ("日喀则地区", 2010, "540200"), ("淮阴市", 2000, "320800"),
        ("伊克昭盟", 2000, "150600"), ("河北保定", 2005, "130600"), ("延边州", 2010, "222400"),
        ("荷泽市", 2010, "371700"), ("吉林", 2010, "220200"), ("阿里地区", 2010, "542500"),
        ("锡林郭勒盟", 2010, "152500"), ("西双版纳", 2010, "532800"),
    ],
)  # fmt: skip
def test_renamed_upgraded_and_short_names(names, name, year, code):
    assert names.resolve(name, year=year).city_code == code


@pytest.mark.parametrize(
    ("name", "year", "province", "reason", "said"),
    [
        ("巢湖市", 2013, None, "name_not_valid", "2010"),
        ("莱芜市", 2020, None, "name_not_valid", "2018"),
        ("三沙市", 2010, None, "name_not_valid", "2012"),
        ("儋州市", 2010, None, "name_not_valid", "2015"),
        ("石家庄", 2010, "山东省", "province_mismatch", "山东省"),
        ("石家店市", 2010, None, "unknown_name", "石家庄市"),
        ("济源市", 2010, None, "unknown_name", "crosswalk"),
        ("吉林省", 2010, None, "unknown_name", "crosswalk"),
        ("", 2010, None, "unknown_name", "crosswalk"),
    ],
)
def test_what_is_not_resolved_says_why(names, name, year, province, reason, said):
    found = names.resolve(name, year=year, province=province)
    assert (found.city_code, found.reason) == (None, reason)
    assert said in found.detail + found.suggestion


def test_names_are_in_normal_form_and_mean_one_unit_a_year():
    seen: dict[str, list[dict]] = {}
    codes = {r["city_code"] for r in seed("cities")}
    for row in seed("city_names"):
        assert row["name_key"] == normalise_name(row["name_key"])
        assert row["city_code"] in codes
        assert row["kind"] in {"current", "short", "former", "prefixed", "misprint"}
        assert row["confidence"] in {"verified", "from-memory", "uncertain"}
        for other in seen.get(row["name_key"], []):
            apart = (int(row["valid_from"] or 0) > int(other["valid_to"] or 9999)) or (
                int(other["valid_from"] or 0) > int(row["valid_to"] or 9999)
            )
            assert apart, f"{row['name_key']} means two units"
        seen.setdefault(row["name_key"], []).append(row)


def test_codes_and_boundary_changes_name_known_cities():
    codes = {r["city_code"] for r in seed("cities")}
    printed = [r["code_printed"] for r in seed("city_codes")]
    assert len(printed) == len(set(printed))
    assert {r["city_code"] for r in seed("city_codes")} == codes
    for row in seed("city_boundary_changes"):
        assert row["partner_code"] in codes
        assert row["effective"][:4] in (row["data_year"], str(int(row["data_year"]) - 1))
        # only a whole absorption or an upgrade has a consistent series without county data
        assert bool(row["consistent_code"]) == (row["additive"] == "1")


# --- registry -------------------------------------------------------------------------------

STUDY_INDICATORS = [
    "pop_resident", "pop_registered", "pop_registered_urban", "pop_resident_urban",
    "urbanisation_rate", "land_area", "built_up_area", "construction_land", "grp",
    "grp_per_capita", "grp_growth", "share_primary", "share_secondary", "share_tertiary",
    "value_added_primary", "value_added_secondary", "value_added_tertiary", "fiscal_revenue",
    "fiscal_expenditure", "expenditure_science", "expenditure_education", "deposits", "loans",
    "savings_household", "fdi_actual", "imports", "exports", "retail_sales",
    "employees_urban_nonprivate", "employees_total_unit", "employees_private_self",
    "employees_primary", "employees_secondary", "employees_tertiary", "employees_manufacturing",
    "employees_ict", "employees_transport", "employees_finance", "employees_leasing_business",
    "employees_science_tech", "employees_realestate", "employees_wholesale_retail",
    "wage_average", "wage_total", "students_higher", "broadband_subscribers", "electricity_total",
    "electricity_industry", "electricity_household", "gas_supply", "lpg_supply",
    "road_area_per_capita", "green_coverage", "so2_industrial", "investment_fixed",
    "patents_granted", "patents_invention_granted", "patents_applied",
    "patents_invention_applied", "patents_invention_authorised", "patents_green",
    "patents_green_invention", "patents_digital", "co2_edgar", "pm25", "night_light",
    "night_light_mean", "elevation_mean", "relief", "digital_finance_index",
    "marketisation_index", "words_total", "words_environment", "words_new_quality",
    "energy_province", "employment_industry_province", "price_index_investment",
    "price_index_consumer", "key_enterprises", "digital_china_index", "co2_ceads", "grp_index",
    "grp_real_2000", "grp_deflator",
]  # fmt: skip


def test_every_indicator_of_the_studies_is_registered(known):
    assert not set(STUDY_INDICATORS) - set(known.indicators)


# Headers as editions from 2001 on have worded them, with the unit printed beside them.
HEADERS = [
    ("年末总人口（万人）", "pop_registered"),
    ("户籍人口 (万人)", "pop_registered"),
    ("年末户籍人口（万人）", "pop_registered"),
    ("年平均人口(万人)", "pop_average"),
    ("国内生产总值（当年价格）(万元)", "grp"),
    ("地区生产总值（万元）", "grp"),
    ("人均国内生产总值（元）", "grp_per_capita"),
    ("第二产业占GDP的比重(%)", "share_secondary"),
    ("地方财政一般预算内收入（万元）", "fiscal_revenue"),
    ("公共财政支出(万元)", "fiscal_expenditure"),
    ("科学支出（万元）", "expenditure_science"),
    ("教育事业费支出（万元）", "expenditure_education"),
    ("当年实际使用外资金额（万美元）", "fdi_actual"),
    ("年末金融机构各项贷款余额（万元）", "loans"),
    ("城乡居民储蓄年末余额（万元）", "savings_household"),
    ("年末单位从业人员数（万人）", "employees_total_unit"),
    ("单位从业人员（人）", "employees_total_unit"),
    ("城镇私营和个体从业人员（人）", "employees_private_self"),
    ("信息传输、计算机服务和软件业（万人）", "employees_ict"),
    ("信息传输、软件和信息技术服务业 (人)", "employees_ict"),
    ("交通运输、仓储和邮政业(万人)", "employees_transport"),
    ("交通仓储邮电业(万人)", "employees_transport"),
    ("批发零售贸易业(万人)", "employees_wholesale_retail"),
    ("租赁和商业服务业（万人）", "employees_leasing_business"),
    ("科学研究、技术服务和地质勘查业(万人)", "employees_science_tech"),
    ("国际互联网用户数（户）", "broadband_subscribers"),
    ("互联网宽带接入用户数(万户)", "broadband_subscribers"),
    ("普通高等学校在校学生数(人)", "students_higher"),
    ("高等学校在校学生数（人）", "students_higher"),
    ("全社会固定资产投资总额（万元）", "investment_fixed"),
    ("固定资产投资（不含农户）（万元）", "investment_fixed"),
    ("全年用电量（万千瓦时）", "electricity_total"),
    ("煤气(人工、天然气)供气总量（万立方米）", "gas_supply"),
    ("液化石油气供气总量(吨)", "lpg_supply"),
    ("人均铺装道路面积(平方米)", "road_area_per_capita"),
    ("建成区绿化覆盖率(%)", "green_coverage"),
    ("工业二氧化硫排放量（吨）", "so2_industrial"),
    ("工业烟尘排放量（吨）", "dust_industrial"),
    ("职工平均工资(元)", "wage_average"),
    ("土地面积(平方公里)", "land_area"),
    ("建成区面积（平方公里）", "built_up_area"),
    ("社会消费品零售总额（万元）", "retail_sales"),
]


@pytest.mark.parametrize(("header", "indicator"), HEADERS, ids=[h[0] for h in HEADERS])
def test_spellings_over_the_editions(known, header, indicator):
    from dagster_project.extract.text import parse_header

    parsed = parse_header(header)
    found = known.lookup("yearbook", indicator_key(header), parsed.unit_key)
    assert (found.status, found.indicator) == ("mapped", indicator)
    assert found.factor > 0


def test_units_are_converted(known):
    assert known.lookup("yearbook", "地区生产总值", "万元").factor == 1e-4
    assert known.lookup("yearbook", "年末总人口", "人").factor == 1e-4
    assert known.lookup("yearbook", "城镇非私营单位从业人员期末人数", "万人").factor == 1e4
    for (a, b), factor in known.conversions.items():
        if (b, a) in known.conversions:
            assert known.conversions[b, a] * factor == pytest.approx(1)


def test_a_missing_unit_is_mapped_only_where_it_is_recorded(known):
    assert known.lookup("yearbook", "常住人口", "", year=2020).status == "mapped"
    assert known.lookup("yearbook", "常住人口", "", year=2010).status == "unmapped" or (
        known.lookup("yearbook", "常住人口", "", year=2010).status == "no_unit"
    )
    assert known.lookup("yearbook", "地区生产总值", "").status == "no_unit"
    assert known.lookup("yearbook", "地区生产总值", "吨").status == "unit_unknown"


def test_the_code_of_an_indicator_is_a_spelling_in_every_source(known):
    found = known.lookup("a_new_table", "fdi_actual", "百万美元")
    assert (found.status, found.indicator, found.factor) == ("mapped", "fdi_actual", 100.0)
    assert known.lookup("a_new_table", "fdi_actual", "").status == "no_unit"
    assert known.lookup("a_new_table", "实际使用外资", "万美元").status == "unmapped"


def test_yearbook_spellings_and_units_are_in_normal_form(known):
    spellings = {s.unit_key for s in known.spellings if s.unit_key} | {
        i.unit for i in known.indicators.values()
    }
    assert not spellings - set(units.known_units()) - {"1"}
    for s in known.spellings:
        if s.source == "yearbook":
            assert s.indicator_key == indicator_key(s.indicator_key.split("/"))


def test_nearest_candidates(known):
    assert registry.nearest("普通高校在校学生数")[0].indicator == "students_higher"
    assert registry.nearest("财政支出/教育事业费")[0].indicator == "expenditure_education"
    best = registry.nearest("地区生产总值")[0]
    assert (best.indicator, best.score) == ("grp", 1.0)
    assert registry.nearest("xyz") == []
    scores = [c.score for c in registry.nearest("年末总人口数量", n=9)]
    assert scores == sorted(scores, reverse=True)


def observations(*rows):
    columns = ["indicator_key", "unit_key", "scope", "col"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(source="yearbook", file="f.xlsx", sheet="s", table_no="2-1",
                        section="prefecture", data_year=2019)  # fmt: skip


def test_unmapped_headers_are_listed_with_candidates(known):
    frame = observations(("普通高校在校学生数", "人", "city", 3), ("年末总人口", "万人", "city", 4))
    heads = known.headers(frame)
    assert heads["status"].tolist() == ["unmapped", "mapped"]
    assert "students_higher" in heads["candidates"].iloc[0]
    assert heads["candidates"].iloc[1] == ""
    assert heads["nearest"].iloc[0] == "students_higher"
    assert 0 < heads["distance"].iloc[0] < 0.5
    assert heads["distance"].isna().tolist() == [False, True]


def test_headers_that_map_twice_are_found(known):
    frame = observations(
        ("年末总人口", "万人", "city", 3),
        ("户籍人口", "万人", "city", 4),
        ("地区生产总值", "亿元", "city", 5),
    )
    assert registry.twice(known.headers(frame)).tolist() == [True, True, False]
    apart = frame.assign(scope=["city", "districts", "city"])
    assert not registry.twice(known.headers(apart)).any()


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        (
            "indicator_spellings",
            "yearbook,年末总人口,万人,,pop_resident,,,",
            r"two indicators: pop_registered \(line \d+\), pop_resident \(line \d+ of "
            r"indicator_spellings\.csv\)",
        ),
        ("indicator_spellings", "yearbook,年末总人口,万人,city,pop_registered,,,", "twice"),
        ("indicator_spellings", "yearbook,新指标,万人,,nothing,,,", "unknown indicator 'nothing'"),
        ("indicator_spellings", "yearbook,新指标,公里,,pop_registered,,,", "no conversion"),
        ("indicators", "grp,x,x,亿元,0,1,,,city", "stands twice"),
        ("indicators", "new,x,x,亿元,1,1,,,city", "empty range"),
    ],
)
def test_a_contradictory_registry_is_refused(tmp_path, file, line, said):
    for name in ("indicators", "indicator_spellings", "unit_conversions"):
        shutil.copy(SEEDS / f"{name}.csv", tmp_path)
    with (tmp_path / f"{file}.csv").open("a", encoding="utf-8") as handle:
        handle.write(line + "\n")
    with pytest.raises(RegistryError, match=said):
        registry.load(tmp_path)
