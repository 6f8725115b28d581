"""Output, its composition, public finance, money and trade of the synthetic cities.

Belongs here: levels, trends and spreads of economic indicators. Does not belong here: people and
jobs (``society``), energy and pollution (``environment``).

Amounts are ratios times output, so that a policy which raises output leaves the ratios that the
studies use as controls where they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dagster_project.sample.noise import Draws, balanced, logistic, logit

if TYPE_CHECKING:
    from dagster_project.sample.world import Setting

# Real growth of a typical city, per cent a year, and the rise of its price level (rounded from the
# national accounts, then lowered a little so that the means of GDP per head meet the studies').
_GROWTH = {
    2003: 11.5, 2004: 12.2, 2005: 12.0, 2006: 12.5, 2007: 13.2, 2008: 11.4, 2009: 11.0, 2010: 12.2,
    2011: 10.6, 2012: 9.5, 2013: 8.8, 2014: 7.8, 2015: 7.3, 2016: 7.0, 2017: 6.7, 2018: 6.3,
    2019: 5.8, 2020: 2.3, 2021: 7.2, 2022: 2.9, 2023: 5.0,
}  # fmt: skip
_PRICES = {
    2003: 0.0, 2004: 6.9, 2005: 3.9, 2006: 3.7, 2007: 6.8, 2008: 6.6, 2009: -0.2, 2010: 6.4,
    2011: 7.0, 2012: 1.8, 2013: 1.5, 2014: 0.6, 2015: -0.6, 2016: 0.6, 2017: 2.4, 2018: 2.0,
    2019: 0.8, 2020: 0.5, 2021: 3.6, 2022: 1.8, 2023: -0.4,
}  # fmt: skip
# Yuan per US dollar, yearly averages (National Bureau of Statistics).
YUAN_PER_DOLLAR = {
    2003: 8.277, 2004: 8.2768, 2005: 8.1917, 2006: 7.9718, 2007: 7.604, 2008: 6.9451, 2009: 6.831,
    2010: 6.7695, 2011: 6.4588, 2012: 6.3125, 2013: 6.1932, 2014: 6.1428, 2015: 6.2284,
    2016: 6.6423, 2017: 6.7518, 2018: 6.6174, 2019: 6.8985, 2020: 6.8976, 2021: 6.4515,
    2022: 6.7261, 2023: 7.0467,
}  # fmt: skip


def income_level(cities: pd.DataFrame, adoption: pd.DataFrame, draws: Draws) -> np.ndarray:
    """Log deviation of a city's output per head from the national path, shape (n, 1).

    Higher in the east, in cities of higher rank and in pilots (innovative cities most). Big-data
    zones follow provincial borders and are as rich as the rest.
    """
    region = cities["region"].map({"east": 0.20, "central": -0.08, "northeast": 0.02, "west": -0.1})
    rank = cities["rank"].map(
        {"municipality": 0.45, "subprovincial": 0.42, "capital": 0.22, "ordinary": 0.0}
    )
    pilots = 0.15 * adoption["innovative"].notna() + 0.06 * adoption["smart"].notna()
    pilots = pilots + 0.05 * adoption["dual"].notna()
    fixed = (region.to_numpy(float) + rank.to_numpy(float) + pilots.to_numpy(float))[:, None]
    total = fixed + draws.level("income", 0.46)
    total = balanced(total, adoption["bigdata"].notna().to_numpy())
    return total - total.mean()


def product(s: Setting, city: dict[str, np.ndarray]) -> None:
    """Gross regional product, real and nominal, growth and composition."""
    growth = np.array([_GROWTH[int(y)] for y in s.years]) / 100
    prices = np.array([_PRICES[int(y)] for y in s.years]) / 100
    path = 9.085 + np.concatenate([[0.0], np.cumsum(np.log1p(growth[1:]) - 0.004)])
    level = np.cumsum(np.log1p(prices))
    level = level - level[1]  # prices of 2004
    per_head = path + s.income + s.draws.ar1("output", 0.05, 0.92)
    per_head = per_head + s.draws.province_shock("output", 0.012)
    untreated = city["pop_resident"] * np.exp(per_head) / 1e4
    real = s.moved("grp_real", untreated)
    city["output_untreated"] = untreated  # what energy, light and carbon follow
    city["grp_real"] = real
    first = growth[:1] * 100 + s.draws.level("growth_first", 1.0)
    city["grp_growth"] = np.hstack([first, (real[:, 1:] / real[:, :-1] - 1) * 100])
    city["grp"] = real * np.exp(level + s.draws.ar1("deflator", 0.012, 0.8))
    city["grp_per_capita"] = city["grp"] / city["pop_resident"] * 1e4

    third_to_second = s.path(
        {2003: -0.16, 2006: -0.24, 2008: -0.32, 2011: -0.36, 2013: -0.27, 2015: -0.04, 2017: 0.06,
         2019: 0.24, 2020: 0.26, 2022: 0.17, 2023: 0.2}
    ) + s.by_rank(municipality=0.7, subprovincial=0.4, capital=0.4)  # fmt: skip
    third_to_second = third_to_second - 0.12 * s.cities["resource"].to_numpy(float)[:, None]
    third_to_second = third_to_second - 0.03
    third_to_second = third_to_second + s.draws.level("structure", 0.40)
    third_to_second = third_to_second + s.draws.ar1("structure", 0.10, 0.8)
    primary = s.path({2003: -1.55, 2010: -1.95, 2018: -2.25, 2023: -2.15}) - 0.95 * s.income
    primary = primary - s.by_rank(municipality=0.9, subprovincial=0.7, capital=0.6)
    primary = primary + s.draws.level("primary", 0.35) + s.draws.ar1("primary", 0.05)
    share_1 = np.clip(logistic(primary), 0.002, 0.55)
    share_2 = (1 - share_1) / (1 + np.exp(third_to_second))
    city["share_primary"] = np.round(100 * share_1, 2)
    city["share_secondary"] = np.round(100 * share_2, 2)
    # The third share is what is left, so that printed shares add up to 100.00.
    city["share_tertiary"] = np.round(100 - city["share_primary"] - city["share_secondary"], 2)
    for sector in ("primary", "secondary", "tertiary"):
        city[f"value_added_{sector}"] = city["grp"] * city[f"share_{sector}"] / 100
    enterprises = city["value_added_secondary"] * s.path({2003: 1.9, 2010: 1.5, 2023: 1.0})
    enterprises = enterprises * np.exp(s.draws.level("enterprises", 0.3))
    city["industrial_enterprises"] = np.maximum(np.round(enterprises), 3.0)


def public_finance(s: Setting, city: dict[str, np.ndarray]) -> None:
    """General public budget: expenditure, revenue, education and science, in 10 000 yuan."""
    output = city["grp"] * 1e4
    tibet = (s.cities["province_code"] == "540000").to_numpy(float)[:, None]
    size = s.path({2003: -2.38, 2006: -2.2, 2009: -1.95, 2012: -1.77, 2016: -1.62, 2023: -1.57})
    size = size - 0.45 * s.income + 1.45 * tibet + s.draws.level("spending", 0.36)
    size = size + s.draws.ar1("spending", 0.07)
    spending = np.clip(np.exp(size), 0.04, 2.6)
    city["fiscal_expenditure"] = output * spending
    own = np.log(0.385) + 0.50 * s.income + s.path({2003: 0.06, 2011: 0.04, 2017: 0.0, 2023: -0.08})
    own = own + s.by_rank(municipality=0.35, subprovincial=0.35, capital=0.15) - 0.7 * tibet
    own = own + s.draws.level("own_revenue", 0.31) + s.draws.ar1("own_revenue", 0.06)
    city["fiscal_revenue"] = city["fiscal_expenditure"] * np.clip(np.exp(own), 0.02, 1.5)
    school = np.log(0.074) - 0.25 * tibet + s.draws.level("school", 0.26)
    school = school + s.draws.ar1("school", 0.08)
    city["expenditure_education"] = city["fiscal_expenditure"] * np.exp(school)
    science = np.log(0.0082) + 0.55 * s.income - 0.8 * tibet
    science = science + s.path({2003: -0.9, 2007: -0.2, 2012: 0.1, 2018: 0.3, 2023: 0.35})
    science = science + s.by_rank(municipality=0.9, subprovincial=1.0, capital=0.5)
    science = science + s.draws.level("science", 0.52) + s.draws.ar1("science", 0.14)
    city["expenditure_science"] = city["fiscal_expenditure"] * np.clip(np.exp(science), 8e-4, 0.079)


def money_and_trade(s: Setting, city: dict[str, np.ndarray]) -> None:
    """Deposits, loans, foreign investment, trade, retail sales and fixed investment."""
    output = city["grp"] * 1e4
    loans = s.path({2003: -0.32, 2008: -0.52, 2011: -0.38, 2015: -0.12, 2019: 0.08, 2023: 0.24})
    loans = loans + s.by_rank(municipality=0.65, subprovincial=0.6, capital=0.7) - 0.09
    loans = loans + s.draws.level("loans", 0.46) + s.draws.ar1("loans", 0.08)
    city["loans"] = output * np.exp(loans)
    deposits = 0.27 + 0.78 * loans + s.draws.level("deposits", 0.18) + s.draws.ar1("deposits", 0.05)
    city["deposits"] = output * np.exp(deposits)
    saving = logistic(logit(0.6) - s.by_rank(municipality=0.9, subprovincial=0.7, capital=0.6))
    city["savings_household"] = (
        city["deposits"] * saving * np.exp(-(s.draws.level("saving", 0.08) ** 2))
    )
    foreign = s.path({2003: -4.02, 2007: -4.10, 2013: -4.45, 2018: -4.85, 2023: -5.35}) - 0.02
    foreign = foreign + 0.45 * s.income + s.by_region(east=0.4, central=0.1, northeast=0, west=-0.6)
    foreign = foreign + s.draws.level("foreign", 0.78) + s.draws.ar1("foreign", 0.25)
    foreign_ratio = np.clip(np.exp(foreign), 1e-5, 0.19)
    dollar = np.array([YUAN_PER_DOLLAR[int(y)] for y in s.years])
    city["fdi_actual"] = output * foreign_ratio / dollar
    for name, mean in (("imports", -3.5), ("exports", -2.8)):
        trade = mean + 0.8 * s.income + s.by_region(east=1.3, central=0, northeast=0.2, west=-0.5)
        trade = trade + s.draws.level(name, 0.9) + s.draws.ar1(name, 0.2)
        city[name] = output * np.clip(np.exp(trade), 1e-5, 1.4)
    retail = np.log(0.365) + s.path({2003: -0.08, 2009: -0.06, 2016: 0.06, 2019: 0.06, 2023: -0.1})
    retail = retail + s.draws.level("retail", 0.28) + s.draws.ar1("retail", 0.07)
    city["retail_sales"] = output * np.clip(np.exp(retail), 0.02, 1.0)
    invest = s.path({2003: -1.0, 2009: -0.5, 2014: -0.25, 2017: -0.22, 2023: -0.45})
    invest = invest + s.draws.level("investment", 0.27) + s.draws.ar1("investment", 0.16)
    city["investment_fixed"] = output * np.exp(invest)
