"""Release rules of the table ``city_year``.

Belongs here: coverage, identities between columns, year-to-year jumps, treatment flags. Does not
belong here: keys and ranges of single columns (dbt tests).
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from expectations.rules import Rule, change_against_year, share_outside_by_year, withdrawn

TABLE = "city_year"

# Flags that, once given, stay: a pilot city remains one in these rosters.
ABSORBING = (
    "bigdata",
    "bigdata_wide",
    "innovative",
    "smart_city",
    "low_carbon",
    "dual",
    "broadband",
    "carbon_ets",
    "civilized_city",
)

# More than this share of a year's cities outside an identity is a defect of the source.
MAX_SHARE_OUTSIDE = 0.10

# Indicators whose year-to-year change is watched, and the change of ln beyond the year's median
# that is out of the ordinary. GDP statements are revised by a census now and then; emissions of a
# whole city never double in a year.
JUMPS = {
    "grp": 0.35,
    "pop_resident": 0.25,
    "co2_edgar": 0.50,
    "pm25": 0.60,
    "loans": 0.70,
    "deposits": 0.70,
    "fiscal_revenue": 0.80,
    "fiscal_expenditure": 0.70,
}


def _share_sum(table: pd.DataFrame) -> pd.Series:
    return table["share_primary"] + table["share_secondary"] + table["share_tertiary"]


def _sector_ratio(table: pd.DataFrame) -> pd.Series:
    total = (
        table["value_added_primary"]
        + table["value_added_secondary"]
        + table["value_added_tertiary"]
    )
    return total / table["grp"]


def _per_capita_ratio(table: pd.DataFrame) -> pd.Series:
    # 亿元 over 万人 is 10,000 yuan per person.
    return table["grp"] * 1e4 / table["pop_resident"] / table["grp_per_capita"]


def _districts_ratio(table: pd.DataFrame) -> pd.Series:
    return table["grp_districts"] / table["grp"]


def _cities_in_year(table: pd.DataFrame) -> pd.Series:
    # One number per year is enough; it is carried by the year's first row.
    counts = table.groupby("year")["city_code"].transform("nunique").astype("float64")
    return counts.where(~table.duplicated("year"))


def _interior_gap(table: pd.DataFrame) -> pd.Series:
    """1 where GDP is absent between two years in which the city has it, else 0."""
    present = table["grp"].notna()
    by_city = table["city_code"]
    seen_before = present.groupby(by_city).cummax()
    seen_after = present[::-1].groupby(by_city[::-1]).cummax()[::-1]
    return (seen_before & seen_after & ~present).astype("float64")


def _dual_minus_singles(table: pd.DataFrame) -> pd.Series:
    return table["dual"] - table["smart_city"] * table["low_carbon"]


def _identity(
    *,
    name: str,
    description: str,
    needs: tuple[str, ...],
    derive: Callable[[pd.DataFrame], pd.Series],
    low: float,
    high: float,
    expected: str,
    likely_cause: str,
) -> tuple[Rule, Rule]:
    """An identity, row by row as a warning and by year as what stops a release."""
    return (
        Rule(
            name=name,
            severity="warning",
            description=description,
            needs=needs,
            derive=derive,
            low=low,
            high=high,
            expected=expected,
            likely_cause=likely_cause,
        ),
        Rule(
            name=f"{name}_by_year",
            severity="critical",
            description=f"{description} Share of a year's cities in which it does not hold.",
            needs=needs,
            derive=lambda table: share_outside_by_year(table, derive(table), low, high),
            high=MAX_SHARE_OUTSIDE,
            expected=f"{expected}, in all but {MAX_SHARE_OUTSIDE:.0%} of a year's cities",
            likely_cause="columns exchanged or units mixed in a whole table; " + likely_cause,
        ),
    )


RULES: tuple[Rule, ...] = (
    Rule(
        name="cities_in_every_year",
        severity="critical",
        description="Every year of the panel has a row for (nearly) every city.",
        needs=("city_code", "year"),
        derive=_cities_in_year,
        low=280,
        high=340,
        expected="280 to 340 cities in each year",
        likely_cause="a source lists another set of cities, or names were not resolved",
        cites=(),
    ),
    *_identity(
        name="sector_shares_sum_to_100",
        description="Shares of the three sectors in GDP add up to 100.",
        needs=("share_primary", "share_secondary", "share_tertiary"),
        derive=_share_sum,
        low=99.0,
        high=101.0,
        expected="99 to 101 %",
        likely_cause="a misprinted share, or shares of different vintages",
    ),
    Rule(
        name="sectors_sum_to_gdp",
        # Only a warning: GDP and value added often come from different sources, of which one was
        # revised after an economic census and the other was not.
        severity="warning",
        description="Value added of the three sectors adds up to GDP.",
        needs=("value_added_primary", "value_added_secondary", "value_added_tertiary", "grp"),
        derive=_sector_ratio,
        low=0.97,
        high=1.03,
        tolerated=0.02,
        expected="0.97 to 1.03 times GDP",
        likely_cause="GDP and value added of different vintages, a shifted digit, or mixed units",
    ),
    Rule(
        name="gdp_per_capita_agrees",
        severity="warning",
        description="GDP over resident population agrees with the printed GDP per capita.",
        needs=("grp", "pop_resident", "grp_per_capita"),
        derive=_per_capita_ratio,
        low=0.75,
        high=1.33,
        tolerated=0.02,
        expected="0.75 to 1.33",
        likely_cause="registered instead of resident population, a shifted digit, or mixed units",
    ),
    *_identity(
        name="districts_within_city",
        description="GDP of the districts under the city is at most that of the whole city.",
        needs=("grp_districts", "grp"),
        derive=_districts_ratio,
        low=0.0,
        high=1.02,
        expected="at most 1.02 times the whole city",
        likely_cause="columns of 全市 and 市辖区 exchanged, or a shifted digit",
    ),
    Rule(
        name="no_gap_in_gdp",
        severity="warning",
        description="No year without GDP between two years with it.",
        needs=("grp",),
        derive=_interior_gap,
        high=0.0,
        expected="a value in every year between the first and the last",
        likely_cause="an edition is missing from the landing folder",
    ),
    Rule(
        name="dual_is_both_singles",
        severity="critical",
        description="The dual-pilot flag is the product of the two single flags.",
        needs=("dual", "smart_city", "low_carbon"),
        derive=_dual_minus_singles,
        low=0.0,
        high=0.0,
        expected="smart_city x low_carbon",
        likely_cause="a roster correction that names only one of the two programmes",
    ),
    *(
        Rule(
            name=f"{flag}_absorbing",
            severity="critical",
            description=f"The flag {flag} never falls back to 0.",
            needs=(flag,),
            derive=lambda table, flag=flag: withdrawn(table, flag),  # type: ignore[misc]
            high=0.0,
            expected="1 in every year after adoption",
            likely_cause="a roster with two adoption years for one city",
        )
        for flag in ABSORBING
    ),
    *(
        Rule(
            name=f"{column}_jump",
            severity="warning",
            description=f"{column} changes from one year to the next as it does in other cities.",
            needs=(column,),
            derive=lambda table, column=column: change_against_year(table, column),  # type: ignore[misc]
            low=-width,
            high=width,
            tolerated=0.01,
            expected=f"a change of ln within {width} of the year's median",
            likely_cause="a digit shifted, another unit, a boundary change, or another source",
        )
        for column, width in JUMPS.items()
    ),
)
