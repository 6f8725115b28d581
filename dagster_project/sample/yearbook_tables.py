"""What the synthetic yearbook prints: tables, columns, and the wording of each edition.

Belongs here: which indicator stands in which table, its Chinese and English header, unit, decimals
and scope as editions worded them. Does not belong here: rows, merges and files
(``yearbook_layouts``, ``yearbook_writer``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BOTH, CITY, DISTRICTS = "both", "city", "districts"

UNIT_EN = {
    "万人": "10 000 persons", "人": "person", "%": "%", "平方公里": "sq.km",
    "亿元": "100 000 000 yuan", "万元": "10 000 yuan", "元": "yuan", "万美元": "10 000 US$",
    "万户": "10 000 households", "万千瓦时": "10 000 kW h",
    "万立方米": "10 000 cu.m", "吨": "ton", "平方米": "sq.m", "个": "unit",
    "件": "piece",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One printed indicator.

    ``path`` holds the header levels as (Chinese, English) pairs; ``factor`` turns the canonical
    unit into the printed one.
    """

    indicator: str
    path: tuple[tuple[str, str], ...]
    unit: str
    scope: str = CITY
    decimals: int = 0
    factor: float = 1.0


@dataclass(frozen=True)
class Table:
    """One table of one edition."""

    key: str
    title: str
    title_en: str
    columns: tuple[Column, ...] = field(default_factory=tuple)


def _one(
    indicator: str, zh: str, en: str, unit: str, scope: str = CITY, decimals: int = 0,
    factor: float = 1.0, parent: tuple[str, str] | None = None,
) -> Column:  # fmt: skip
    path = ((zh, en),) if parent is None else (parent, (zh, en))
    return Column(indicator, path, unit, scope, decimals, factor)


_INDUSTRIES = (
    ("manufacturing", "制造业", "Manufacturing"),
    ("transport", "交通运输、仓储和邮政业", "Transport, Storage and Post"),
    ("wholesale_retail", "批发和零售业", "Wholesale and Retail Trades"),
    ("ict", "信息传输、软件和信息技术服务业", "Information Transmission, Software and IT Services"),
    ("finance", "金融业", "Financial Intermediation"),
    ("realestate", "房地产业", "Real Estate"),
    ("leasing_business", "租赁和商务服务业", "Leasing and Business Services"),
    ("science_tech", "科学研究和技术服务业", "Scientific Research and Technical Services"),
)
# The industry classification of 2003-2012 words three of them differently.
_OLD_INDUSTRY = {
    "ict": "信息传输、计算机服务和软件业",
    "science_tech": "科学研究、技术服务和地质勘查业",
    "transport": "交通运输、仓储及邮政业",
}


def tables(edition: int) -> list[Table]:
    """All tables of an edition in the order they are numbered (2-1, 2-2, ...).

    Later editions drop and insert tables, so that numbers drift: 2-7 of one edition is 2-6 of
    another, as in the printed books.
    """
    old, middle = edition <= 2012, 2013 <= edition <= 2016
    per_person = edition >= 2014  # employees by industry in persons, before in 10 000 persons
    people: dict[str, Any] = {"unit": "万人", "decimals": 3}
    if per_person:
        people = {"unit": "人", "factor": 1e4}
    found = [_population(edition), _resident(), _land()]
    if edition >= 2010:  # printed further back in later editions, which moves every number after
        found.insert(2, _patents())
    found += [_product(edition), _composition(edition)]
    found.append(_budget(edition))
    found.append(_finance(edition))
    if edition <= 2016:
        found.append(_investment(edition))
    found.append(
        Table(
            "fdi", "外商直接投资情况" if old else "利用外资情况", "Utilization of Foreign Capital",
            (_one("fdi_actual",
                  "当年实际使用外资金额", "Amount of Foreign Capital Actually Utilized",
                  "万美元", BOTH),),
        )
    )  # fmt: skip
    found.append(
        Table(
            "trade", "对外经济贸易", "Foreign Trade and Economic Cooperation",
            (_one("imports", "货物进口额", "Import Volume of Goods", "万元"),
             _one("exports", "货物出口额", "Export Volume of Goods", "万元")),
        )
    )  # fmt: skip
    if edition >= 2017:
        found.append(_investment(edition))
    retail = "社会消费品零售总额"
    found.append(
        Table("retail", retail, "Total Retail Sales of Consumer Goods",
              (_one("retail_sales", retail, "Total Retail Sales of Consumer Goods", "万元", BOTH),))
    )  # fmt: skip
    found.append(
        Table("industry", "规模以上工业企业单位数" if edition >= 2011 else "工业企业数",
              "Number of Industrial Enterprises above Designated Size",
              (_one("industrial_enterprises",
                    "规模以上工业企业数" if edition >= 2011 else "工业企业数",
                    "Number of Industrial Enterprises", "个"),))
    )  # fmt: skip
    found.append(_jobs(edition))
    found.append(
        Table("sectors", "按产业分组的单位从业人员" if old else "按三次产业分组的单位从业人员",
              "Persons Employed in Units by Three Strata of Industry",
              tuple(_one(f"employees_{k}", f"{z}从业人员", f"{e} Industry", **people)
                    for k, z, e in (("primary", "第一产业", "Primary"),
                                    ("secondary", "第二产业", "Secondary"),
                                    ("tertiary", "第三产业", "Tertiary"))))
    )  # fmt: skip
    for part, chosen in ((1, _INDUSTRIES[:4]), (2, _INDUSTRIES[4:])):
        columns = []
        for key, zh, en in chosen:
            word = _OLD_INDUSTRY.get(key, zh) if old else zh
            columns.append(_one(f"employees_{key}", word, en, **people))
        found.append(
            Table(f"industries{part}",
                  f"按行业分组的单位从业人员({'一' if part == 1 else '二'})",
                  f"Persons Employed in Units by Sector ({'I' * part})", tuple(columns))
        )  # fmt: skip
    found.append(_wages(edition))
    found.append(
        Table("students", "普通高等学校在校学生" if middle else "教育情况", "Education",
              (_one("students_higher", "普通高等学校在校学生数",
                    "Students Enrollment of Regular Institutions of Higher Education",
                    "人", BOTH),))
    )  # fmt: skip
    found.append(
        Table("telecom", "互联网宽带接入用户" if edition >= 2008 else "国际互联网用户",
              "Subscribers of Internet Services",
              (_one("broadband_subscribers",
                    "互联网宽带接入用户数" if edition >= 2008 else "国际互联网用户数",
                    "Number of Subscribers of Internet Services", "万户", CITY, 2),))
    )  # fmt: skip
    found += [_power(edition), _gas(edition), _town()]
    found.append(
        Table("sulphur", "工业二氧化硫排放量", "Volume of Industrial Sulphur Dioxide Emission",
              (_one("so2_industrial", "工业二氧化硫排放量",
                    "Volume of Sulphur Dioxide Emission", "吨"),))
    )  # fmt: skip
    return found


def _population(edition: int) -> Table:
    if edition <= 2016:
        word, inner = (
            ("年末总人口", "Total Population at Year-end"),
            ("城镇人口", "Urban Population"),
        )
    else:
        word = ("户籍人口", "Household Registered Population")
        inner = ("城镇户籍人口", "Urban Household Registered Population")
    columns = (
        Column("pop_registered", (word,), "万人", BOTH, 2),
        Column("pop_registered_urban", (word, inner), "万人", BOTH, 2),
    )
    return Table("population", "人口数" if edition >= 2009 else "人口状况", "Population", columns)


def _resident() -> Table:
    word, inner = ("常住人口", "Resident Population"), ("城镇常住人口", "Urban Resident Population")
    rate = ("常住人口城镇化率", "Urbanization Rate of Resident Population")
    columns = (
        Column("pop_resident", (word,), "万人", BOTH, 2),
        Column("pop_resident_urban", (word, inner), "万人", BOTH, 2),
        _one("urbanisation_rate", *rate, "%", CITY, 2),
    )
    return Table("resident", "常住人口及城镇化率", "Resident Population and Urbanization", columns)


def _land() -> Table:
    return Table(
        "land", "行政区域土地面积及建成区面积", "Land Area and Built-up Area",
        (_one("land_area", "行政区域土地面积", "Land Area of Administrative Region",
              "平方公里", BOTH),
         _one("built_up_area", "建成区面积", "Area of Built-up District", "平方公里", DISTRICTS, 2),
         _one("construction_land", "城市建设用地面积", "Area of Urban Construction Land",
              "平方公里", DISTRICTS, 2)),
    )  # fmt: skip


def _patents() -> Table:
    word = ("专利授权数", "Number of Patent Authorizations")
    columns = (
        Column("patents_granted", (word,), "件"),
        Column("patents_invention_granted", (word, ("发明", "Invention")), "件"),
    )
    return Table("patents", "科技创新情况", "Scientific and Technological Innovation", columns)


def _product(edition: int) -> Table:
    wide = edition <= 2008  # amounts in 10 000 yuan, without decimals
    name = "地区生产总值(当年价格)" if edition <= 2012 else "地区生产总值（当年价格）"
    columns = (
        _one("grp", name, "Gross Regional Product (Current Prices)", "万元" if wide else "亿元",
             BOTH, 0 if wide else 2, 1e4 if wide else 1.0),
        _one("grp_per_capita", "人均地区生产总值", "Per Capita GRP", "元", BOTH),
        _one("grp_growth", "地区生产总值增长率", "GRP Growth Rate", "%", BOTH, 2),
    )  # fmt: skip
    return Table("product", "地区生产总值", "Gross Regional Product", columns)


def _composition(edition: int) -> Table:
    whole = "GDP" if edition <= 2009 else "地区生产总值"
    columns = tuple(
        _one(f"share_{k}", f"{z}占{whole}的比重", f"{e} Industry as Percentage to GRP", "%",
             BOTH, 2)
        for k, z, e in (("primary", "第一产业", "Primary"), ("secondary", "第二产业", "Secondary"),
                        ("tertiary", "第三产业", "Tertiary"))
    )  # fmt: skip
    title = "地区生产总值构成"
    return Table("composition", title, "Composition of Gross Regional Product", columns)


def _budget(edition: int) -> Table:
    if edition <= 2008:
        title, take, spend = "地方财政收支状况", "地方财政一般预算内收入", "地方财政一般预算内支出"
    elif edition <= 2016:
        title, take, spend = "公共财政收支状况", "公共财政收入", "公共财政支出"
    else:
        title = "地方一般公共预算收支状况"
        take, spend = "地方一般公共预算收入", "地方一般公共预算支出"
    scope = CITY if edition >= 2021 else BOTH
    parent = (spend, "Local General Public Budget Expenditure")
    science = "科学支出" if edition <= 2008 else "科学技术支出"
    columns = (
        _one("fiscal_revenue", take, "Local General Public Budget Revenue", "万元", scope),
        Column("fiscal_expenditure", (parent,), "万元", scope),
        _one("expenditure_science", science, "Expenditure for Science and Technology", "万元",
             scope, parent=parent),
        _one("expenditure_education", "教育支出", "Expenditure for Education", "万元", scope,
             parent=parent),
    )  # fmt: skip
    english = "Local General Public Budget Revenue and Expenditure"
    return Table("budget", title, english, columns)


def _finance(edition: int) -> Table:
    rmb = "人民币" if edition >= 2014 else ""
    columns = [
        _one("deposits", f"年末金融机构{rmb}各项存款余额", "Deposits of Financial Institutions",
             "万元", BOTH),
        _one("loans", f"年末金融机构{rmb}各项贷款余额", "Loans of Financial Institutions",
             "万元", BOTH),
    ]  # fmt: skip
    if edition <= 2020:
        columns.append(
            _one("savings_household", "城乡居民储蓄年末余额", "Household Saving Deposits",
                 "万元", BOTH)
        )  # fmt: skip
    title = "年末金融机构存贷款余额"
    english = "Deposits and Loans of Financial Institutions at Year-end"
    return Table("finance", title, english, tuple(columns))


def _investment(edition: int) -> Table:
    word = "固定资产投资总额" if edition <= 2012 else "固定资产投资(不含农户)"
    english = "Total Investment in Fixed Assets"
    columns = (_one("investment_fixed", word, english, "万元", BOTH),)
    return Table("investment", "固定资产投资情况", english, columns)


def _jobs(edition: int) -> Table:
    private = _one("employees_private_self", "城镇私营和个体从业人员",
                   "Persons Employed in Private Enterprises and Self-Employed",
                   "人", BOTH, factor=1e4)  # fmt: skip
    if edition <= 2013:
        units = _one("employees_total_unit", "年末单位从业人员数",
                     "Persons Employed in Units at Year-end", "万人", BOTH, 3)  # fmt: skip
    else:
        units = _one("employees_urban_nonprivate", "城镇非私营单位从业人员期末人数",
                     "Persons Employed in Urban Non-Private Units at Year-end",
                     "人", BOTH)  # fmt: skip
    return Table("jobs", "劳动力就业状况", "Employment of Labour Force", (units, private))


def _wages(edition: int) -> Table:
    body = "在岗职工" if edition <= 2014 else "城镇非私营单位在岗职工"
    columns = (
        _one("wage_total", f"{body}工资总额", "Total Wage Bill of Staff and Workers", "万元"),
        _one("wage_average", f"{body}平均工资", "Average Wage of Staff and Workers", "元",
             CITY, 2 if edition >= 2010 else 0),
    )  # fmt: skip
    return Table("wages", "职工工资", "Wages of Staff and Workers", columns)


def _power(edition: int) -> Table:
    scope = BOTH if edition <= 2017 else CITY
    parent = ("全社会用电量" if edition >= 2010 else "全年用电量", "Total Electricity Consumption")
    home = "居民生活用电" if edition >= 2019 else "城乡居民生活用电"
    columns = (
        Column("electricity_total", (parent,), "万千瓦时", scope),
        _one("electricity_industry", "工业用电", "Industrial Electricity", "万千瓦时", scope,
             parent=parent),
        _one("electricity_household", home, "Household Electricity", "万千瓦时", scope,
             parent=parent),
    )  # fmt: skip
    return Table("power", "用电量情况", "Electricity Consumption", columns)


def _gas(edition: int) -> Table:
    word = "天然气供气总量" if edition >= 2020 else "供气总量(人工、天然气)"
    columns = (
        _one("gas_supply", word, "Total Gas Supply", "万立方米", DISTRICTS),
        _one("lpg_supply", "液化石油气供气总量", "Total Supply of Liquefied Petroleum Gas",
             "吨", DISTRICTS),
    )  # fmt: skip
    return Table("gas", "供气及利用情况", "Supply and Consumption of Gas", columns)


def _town() -> Table:
    columns = (
        _one("road_area_per_capita", "人均城市道路面积", "Per Capita Area of City Roads",
             "平方米", DISTRICTS, 2),
        _one("green_coverage", "建成区绿化覆盖率", "Green Covered Area as % of Completed Area",
             "%", DISTRICTS, 2),
    )  # fmt: skip
    return Table("town", "市政设施与绿化", "Municipal Facilities and Greening", columns)
