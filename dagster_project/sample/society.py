"""People, jobs, services and innovation of the synthetic cities.

Belongs here: population, employment by sector and industry, wages, students, telecoms, patents,
words in government work reports, and the districts' part of a city. Does not belong here: output
and money (``economy``), energy and pollution (``environment``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagster_project.sample.inputs import stream
from dagster_project.sample.noise import logistic, logit

if TYPE_CHECKING:
    from dagster_project.sample.world import Setting

# Manufacturing sub-industries as the industrial yearbook names them, with their usual share of
# manufacturing employment; the first nine are the advanced ones of study B.
MANUFACTURING = {
    "石油加工、炼焦和核燃料加工业": 0.012,
    "化学原料和化学制品制造业": 0.055,
    "医药制造业": 0.026,
    "通用设备制造业": 0.054,
    "专用设备制造业": 0.041,
    "交通运输设备制造业": 0.075,
    "电气机械和器材制造业": 0.072,
    "计算机、通信和其他电子设备制造业": 0.106,
    "仪器仪表及文化、办公用机械制造业": 0.013,
    "农副食品加工业": 0.044,
    "食品制造业": 0.024,
    "纺织业": 0.056,
    "纺织服装、服饰业": 0.052,
    "造纸和纸制品业": 0.016,
    "非金属矿物制品业": 0.066,
    "黑色金属冶炼和压延加工业": 0.044,
    "有色金属冶炼和压延加工业": 0.024,
    "金属制品业": 0.045,
    "其他制造业": 0.175,
}


def population(s: Setting, city: dict[str, np.ndarray]) -> None:
    """Resident and registered population (10 000 persons), their urban part, and land (km2)."""
    area = s.area_km2[:, None]
    density = s.by_region(east=6.08, central=5.98, northeast=5.25, west=5.30)
    density = density + s.by_rank(municipality=1.5, subprovincial=0.8, capital=0.35)
    pilots = 0.10 * s.adoption["innovative"].notna() + 0.05 * s.adoption["smart"].notna()
    density = density + pilots.to_numpy(float)[:, None]
    density = density - 0.58 * (np.log(area) - 9.4) + s.draws.level("density", 0.46)
    plateau = s.cities["province_code"].isin(["540000", "630000"]).to_numpy(float)[:, None]
    density = density - 1.1 * plateau
    crowded = np.maximum(density - 6.3, 0.0)
    density = density - 0.35 * crowded  # the densest cities are not outliers
    # No city outgrows the largest real one (about 32 million residents), however wide its land.
    density = np.minimum(density, np.log(2.7e7 / area))
    drift = s.by_region(east=0.006, central=0.002, northeast=-0.007, west=0.003)
    change = drift * (s.years - 2013) + s.draws.ar1("population", 0.008, 0.9)
    resident = np.exp(density + change) * area / 1e4
    city["pop_resident"] = resident
    city["land_area"] = np.broadcast_to(np.round(area), resident.shape)
    ratio = 0.03 - 0.22 * s.income + s.by_rank(municipality=-0.1, subprovincial=-0.1)
    ratio = ratio + s.draws.level("registered", 0.06) + s.draws.ar1("registered", 0.006, 0.9)
    city["pop_registered"] = resident * np.exp(ratio)
    urban = logit(0.51) + 0.075 * (s.years - 2013) + 0.60 * s.income
    urban = urban + s.by_rank(municipality=0.9, subprovincial=0.8, capital=0.5)
    urban = urban + s.draws.level("urban", 0.30) + s.draws.ar1("urban", 0.05)
    city["pop_resident_urban"] = resident * logistic(urban)
    city["urbanisation_rate"] = 100 * logistic(urban)
    city["pop_registered_urban"] = city["pop_registered"] * logistic(urban - 0.04)


def employment(s: Setting, city: dict[str, np.ndarray]) -> None:
    """Employees of urban units by sector and industry, and the digital industry's quotient."""
    ratio = (
        np.log(0.105)
        + 0.80 * s.income
        + s.by_rank(municipality=0.3, subprovincial=0.3, capital=0.25)
    )
    ratio = ratio + s.path({2003: -0.22, 2012: 0.0, 2014: 0.12, 2023: 0.02})
    ratio = ratio + s.draws.level("jobs", 0.22) + s.draws.ar1("jobs", 0.04)
    units = city["pop_resident"] * np.exp(ratio)
    city["employees_total_unit"] = units
    city["employees_urban_nonprivate"] = units * 1e4
    private = s.path({2003: -0.75, 2010: -0.25, 2017: 0.15, 2023: 0.3})
    private = private + s.draws.level("private", 0.36) + s.draws.ar1("private", 0.16)
    city["employees_private_self"] = units * np.exp(private)
    primary = np.clip(0.014 * np.exp(s.draws.level("jobs_primary", 0.8)), 0.001, 0.15)
    third = logit(0.548) + s.path({2003: -0.1, 2009: -0.02, 2013: -0.12, 2016: 0.0, 2023: 0.25})
    third = third + s.by_rank(municipality=0.3, subprovincial=0.2, capital=0.15)
    third = third + s.draws.level("jobs_tertiary", 0.58) + s.draws.ar1("jobs_tertiary", 0.1)
    city["employees_primary"] = units * primary
    city["employees_tertiary"] = units * (1 - primary) * logistic(third)
    city["employees_secondary"] = units - city["employees_primary"] - city["employees_tertiary"]
    # The quotient is additive, so that its trends are parallel in levels, as study C estimates it;
    # scaled once so that the employment-weighted national mean is 1, as the definition implies.
    quotient = np.exp(s.draws.level("ict", 0.55) + 0.35 * s.income - 0.05)
    quotient = quotient * np.exp(s.by_rank(municipality=1.0, subprovincial=0.85, capital=0.8))
    quotient = quotient * np.clip(1 + s.draws.ar1("ict", 0.27, 0.7), 0.05, None)
    quotient = quotient * (units.sum() / (units * quotient).sum())
    quotient = s.moved("ict_quotient", quotient)
    city["ict_quotient"] = quotient
    national = s.path({2003: 0.0105, 2012: 0.0145, 2016: 0.021, 2023: 0.0305})
    other = city["employees_tertiary"]
    city["employees_ict"] = np.minimum(units * quotient * national, 0.85 * other)
    city["employees_manufacturing"] = city["employees_secondary"] * logistic(
        logit(0.64) + s.draws.level("manufacturing", 0.4)
    )
    # Shares of the tertiary jobs; what is left is education, health and government.
    for name, share in (
        ("transport", 0.080), ("finance", 0.064), ("leasing_business", 0.045),
        ("science_tech", 0.036), ("realestate", 0.034), ("wholesale_retail", 0.092),
    ):  # fmt: skip
        tilt = 0.25 * s.income + s.draws.level(name, 0.25) + s.draws.ar1(name, 0.05)
        city[f"employees_{name}"] = other * share * np.exp(np.clip(tilt, -1.0, 0.45))


def services(s: Setting, city: dict[str, np.ndarray]) -> None:
    """Wages, students, broadband and words in government work reports."""
    wage = s.path({2003: 9.40, 2008: 10.12, 2013: 10.68, 2018: 11.12, 2023: 11.47})
    wage = wage + 0.22 * s.income + s.draws.level("wage", 0.07) + s.draws.ar1("wage", 0.03)
    city["wage_average"] = np.exp(wage)
    city["wage_total"] = city["wage_average"] * city["employees_total_unit"] * 0.98
    students = np.log(0.0083) + s.path({2003: -0.75, 2006: -0.32, 2013: 0.0, 2018: 0.12, 2023: 0.4})
    students = students + s.by_rank(municipality=0.9, subprovincial=1.55, capital=1.65)
    students = students + 0.25 * s.income - 0.12 + s.draws.level("students", 0.82)
    students = students + s.draws.ar1("students", 0.08)
    ratio = np.clip(np.exp(students), 0.0002, 0.118)
    city["students_higher"] = city["pop_registered"] * 1e4 * ratio
    line = s.path({2003: -4.1, 2006: -3.0, 2010: -2.2, 2014: -1.75, 2017: -1.38, 2023: -0.92})
    line = line + 0.3 * s.income + s.draws.level("broadband", 0.25) + s.draws.ar1("broadband", 0.06)
    city["broadband_subscribers"] = city["pop_resident"] * np.clip(np.exp(line), 0.002, 0.9)
    words = 9.45 + s.draws.level("words", 0.15) + s.draws.ar1("words", 0.1, 0.3)
    city["words_total"] = np.round(np.exp(words))
    green = np.log(0.0027) + s.path({2003: -0.35, 2010: 0.0, 2017: 0.28, 2023: 0.25})
    green = green + s.draws.level("words_green", 0.25) + s.draws.ar1("words_green", 0.33, 0.3)
    city["words_environment"] = np.round(city["words_total"] * np.exp(green))
    new = np.log(0.006) + 0.3 * s.income + 0.05 * (s.years - 2013)
    new = new + s.draws.level("words_new", 0.2) + s.draws.ar1("words_new", 0.25, 0.3)
    city["words_new_quality"] = np.round(city["words_total"] * np.exp(new))


def innovation(s: Setting, city: dict[str, np.ndarray]) -> None:
    """Patent applications and grants (pieces) and the digital-finance and digital-China indices."""
    size = np.log(city["pop_resident"]) - np.log(city["pop_resident"]).mean()
    common = 0.85 * size + 1.45 * s.income
    common = common + s.by_rank(municipality=0.5, subprovincial=0.7, capital=0.75)
    common = common + s.draws.level("patents", 0.55) + s.draws.ar1("patents", 0.12)
    green = 4.05 + common + s.path({2003: -2.3, 2006: -1.75, 2013: 0.1, 2018: 1.0, 2023: 1.3})
    share = np.log(0.108) + s.draws.level("green_share", 0.26) + s.draws.ar1("green_share", 0.12)
    total = np.exp(green - share)
    city["patents_applied"] = np.round(total)
    city["patents_green"] = np.round(s.moved("patents_green", np.exp(green)))
    city["patents_green_invention"] = np.round(city["patents_green"] * 0.46)
    digital = 4.35 + 1.22 * common + s.draws.level("digital", 0.45)
    digital = digital + s.path({2003: -2.7, 2006: -2.0, 2013: 0.2, 2018: 1.3, 2023: 2.0})
    digital = np.minimum(np.exp(digital + s.draws.ar1("digital", 0.12)), 0.62 * total)
    city["patents_digital"] = np.round(s.moved("patents_digital", digital))
    invention = s.moved("patents_invention", total * 0.37 * np.exp(s.draws.level("invent", 0.15)))
    city["patents_invention_applied"] = np.round(invention)
    city["patents_invention_authorised"] = np.round(invention * 0.33)
    city["patents_granted"] = np.round(total * 0.60)
    city["patents_invention_granted"] = city["patents_invention_authorised"]
    finance = s.path(
        {2003: -60, 2008: 0, 2010: 28, 2011: 49, 2013: 127, 2015: 172, 2018: 232, 2020: 262,
         2022: 291, 2023: 300}
    )  # fmt: skip
    finance = finance + 22 * s.income + s.draws.level("finance", 7) + s.draws.ar1("finance", 3)
    city["digital_finance_index"] = np.maximum(s.moved("digital_finance", finance), 17.0)
    index = 20 + 9 * s.income + s.by_rank(municipality=45, subprovincial=22, capital=10)
    index = index + s.draws.level("digital_china", 4) + 1.5 * (s.years - 2019)
    city["digital_china_index"] = np.maximum(index, 1.0)


def districts(s: Setting, city: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The districts' part of every indicator that the yearbook prints for both scopes.

    An amount of the districts never exceeds the city's; municipalities consist of districts only.
    """
    people = logit(0.33) + s.by_rank(subprovincial=1.5, capital=0.8)
    people = np.clip(logistic(people + s.draws.level("districts", 0.6)), 0.06, 1.0)
    people = np.where(s.rank["municipality"][:, None] == 1, 1.0, people)
    out: dict[str, np.ndarray] = {}
    for power, names in {
        1.0: ("pop_resident", "pop_registered", "employees_private_self"),
        1.5: ("land_area",),
        0.7: ("grp", "pop_resident_urban", "pop_registered_urban", "electricity_total",
              "electricity_industry", "electricity_household", "retail_sales"),
        0.55: ("fiscal_revenue", "fiscal_expenditure", "expenditure_science",
               "expenditure_education", "deposits", "loans", "savings_household", "fdi_actual",
               "employees_urban_nonprivate", "employees_total_unit", "students_higher",
               "investment_fixed"),
    }.items():  # fmt: skip
        for name in names:
            out[name] = city[name] * people**power
    for name in ("gas_supply", "lpg_supply", "built_up_area", "construction_land",
                 "road_area_per_capita", "green_coverage"):  # fmt: skip
        out[name] = np.array(city[name])  # town networks: printed for the districts only
    for name in ("pop_resident", "pop_registered"):  # the urban part stays a part
        out[f"{name}_urban"] = np.minimum(out[f"{name}_urban"], 0.985 * out[name])
    out["grp_per_capita"] = out["grp"] / out["pop_resident"] * 1e4
    gap = stream(s.draws.seed, "district growth").normal(0, 0.4, city["grp"].shape)
    out["grp_growth"] = city["grp_growth"] + np.where(people == 1.0, 0.0, gap)
    shrink = np.where(people == 1.0, 1.0, 0.45)
    out["share_primary"] = np.round(city["share_primary"] * shrink, 2)
    rest = (100 - out["share_primary"]) / (100 - city["share_primary"])
    out["share_secondary"] = np.round(city["share_secondary"] * rest, 2)
    out["share_tertiary"] = np.round(100 - out["share_primary"] - out["share_secondary"], 2)
    return out


def manufacturing(s: Setting, city: dict[str, np.ndarray], n_provinces: int) -> np.ndarray:
    """Employees of manufacturing sub-industries by province, (p, industry, t), 10 000 persons.

    Sum over industries = employees of manufacturing in the province's cities times 1.25, the rest
    working outside urban units.
    """
    total = np.zeros((n_provinces, len(s.years)))
    np.add.at(total, s.province, city["employees_manufacturing"])
    rng = stream(s.draws.seed, "manufacturing")
    share = np.array(list(MANUFACTURING.values()))
    tilt = share * np.exp(rng.normal(0, 0.5, (n_provinces, len(share))))
    drift = np.exp(rng.normal(0, 0.01, (n_provinces, len(share)))[:, :, None] * np.arange(21))
    weight = tilt[:, :, None] * drift[:, :, : len(s.years)]
    weight = weight / weight.sum(axis=1, keepdims=True)
    return 1.25 * total[:, None, :] * weight
