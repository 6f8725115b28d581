"""Release rules of the table ``city_year``.

Belongs here: cities per year, identities between columns, treatment flags. Does not belong here:
keys and ranges of single columns (dbt tests), what one series says about itself (``series``), or
one source against another (``sources``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from expectations.rules import (
    Role,
    Rule,
    bounds_by_role,
    share_outside_by_year,
    withdrawn,
)

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

# Parts that cannot exceed their whole, in one unit: part, whole, slack (rounding, other bodies).
PARTS = (
    ("pop_registered_urban", "pop_registered", 1.01),
    ("pop_resident_urban", "pop_resident", 1.01),
    ("expenditure_science", "fiscal_expenditure", 1.0),
    ("expenditure_education", "fiscal_expenditure", 1.0),
    ("savings_household", "deposits", 1.0),
    ("electricity_industry", "electricity_total", 1.02),
    ("electricity_household", "electricity_total", 1.02),
    ("patents_invention_granted", "patents_granted", 1.0),
    ("retail_above_size", "retail_sales", 1.5),
)


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


def _wage_ratio(table: pd.DataFrame) -> pd.Series:
    # 万元 over 万人 is yuan per person.
    return table["wage_total"] / table["employees_onpost_average"] / table["wage_average"]


def _urban_difference(table: pd.DataFrame) -> pd.Series:
    return 100 * table["pop_resident_urban"] / table["pop_resident"] - table["urbanisation_rate"]


def _explain_ratio(derive: Callable[[pd.DataFrame], pd.Series], usual: str) -> Callable:
    """Likely cause of a ratio that should be 1, by its size."""

    def explain(rows: pd.DataFrame) -> pd.Series:
        ratio = derive(rows)
        tens = np.log10(ratio.where(ratio > 0))
        nearest = tens.round()
        near = (nearest != 0) & ((tens - nearest).abs() < 0.15)
        unit = near & (nearest.abs() == 4)
        text = np.select(
            [unit, near, ratio.between(0.75, 1.33)],
            [
                "units mixed: one of the two is off by 10,000",
                "digits shifted: one of the two is off by 10^" + nearest.map("{:g}".format),
                usual,
            ],
            "one of the two is wrong, or is of another area: the other rules and sources of this "
            "city and year say which",
        )
        return pd.Series(text, index=rows.index)

    return explain


def _districts_ratio(table: pd.DataFrame) -> pd.Series:
    return table["grp_districts"] / table["grp"]


def _whole_for_districts(table: pd.DataFrame, column: str) -> pd.Series:
    """1 where districts equal the whole city although they usually are well below it, else 0."""
    ratio = table[f"{column}_districts"] / table[column]
    usual = ratio.groupby(table["city_code"]).transform("median")
    return ((ratio > 0.995) & (usual < 0.9)).astype("float64").where(ratio.notna())


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
    roles: dict[str, Role],
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
            bounds=bounds_by_role(roles, low, high),
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


_VINTAGES = "GDP and value added of different vintages or sources, one of them revised"
_POPULATIONS = "registered instead of resident population"

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
        roles={"share_primary": "term", "share_secondary": "term", "share_tertiary": "term"},
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
        cites=("grp",),
        explain=_explain_ratio(_sector_ratio, _VINTAGES),
        bounds=bounds_by_role({"grp": "denominator"}, 0.97, 1.03),
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
        explain=_explain_ratio(_per_capita_ratio, _POPULATIONS),
        bounds=bounds_by_role(
            {"grp": "numerator", "pop_resident": "denominator", "grp_per_capita": "denominator"},
            0.75,
            1.33,
        ),
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
        roles={"grp_districts": "numerator", "grp": "denominator"},
    ),
    *(
        Rule(
            name=f"{column}_of_districts_is_their_own",
            severity="warning",
            description=f"{column} of the districts is not that of the whole city in one year.",
            needs=(f"{column}_districts", column),
            derive=lambda table, column=column: _whole_for_districts(table, column),  # type: ignore[misc]
            high=0.0,
            expected="well below the whole city, as in the city's other years",
            likely_cause="the value of 全市 stands in the column of 市辖区",
            cites=(f"{column}_districts",),
        )
        for column in ("grp", "pop_resident")
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
        rule
        for part, whole, slack in PARTS
        for rule in _identity(
            name=f"{part}_within_{whole}",
            description=f"{part} is at most {whole}.",
            needs=(part, whole),
            derive=lambda table, part=part, whole=whole: table[part] / table[whole],  # type: ignore[misc]
            low=0.0,
            high=slack,
            expected=f"at most {slack:g} times {whole}",
            likely_cause="columns exchanged, or digits of one of the two shifted",
            roles={part: "numerator", whole: "denominator"},
        )
    ),
    *_identity(
        name="wage_bill_agrees",
        description="Wage bill over persons employed agrees with the average wage.",
        needs=("wage_total", "employees_onpost_average", "wage_average"),
        derive=_wage_ratio,
        low=0.8,
        high=1.25,
        expected="0.8 to 1.25",
        likely_cause="digits of one of the three shifted, or other units",
        roles={
            "wage_total": "numerator",
            "employees_onpost_average": "denominator",
            "wage_average": "denominator",
        },
    ),
    *_identity(
        name="urbanisation_rate_agrees",
        description="Urban over resident population agrees with the urbanisation rate.",
        needs=("pop_resident_urban", "pop_resident", "urbanisation_rate"),
        derive=_urban_difference,
        low=-3.0,
        high=3.0,
        expected="within 3 points of the printed rate",
        likely_cause="registered instead of resident population, or a misprint",
        roles={},
    ),
)
