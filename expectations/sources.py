"""Release rules between sources: values that contradict each other, cities that a source loses.

Belongs here: one source against another, and a source against its own year before. Does not belong
here: the panel's own series (``series``) or identities (``city_year``). The panel takes the value
of the source with the best rank; a finding names the other one, with the one taken as expected.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from expectations.allowed import reasons
from expectations.rules import Rule

CONFLICTS, CITY_SETS = "conflicts_between_sources", "cities_of_sources"
OBSERVATION_COLUMNS = (
    "city_code", "city_name", "province_code", "year", "indicator", "scope", "value", "half_unit",
    "source", "release", "rank", "candidate_no", "source_cell",
)  # fmt: skip

# Sources of this rank or better are primary: the yearbook and official extracts.
PRIMARY_RANK = 10
# Two prints of one number differ by rounding, and by no more than this beside it.
MAX_DIFFERENCE = 0.002
# Below this a difference is what a revision after publication usually makes.
VINTAGE = 0.08
# Same coverage in the year beside: the ratios differ by no more than this.
SAME_RATIO = 0.03
SAME_VALUE = 0.0005
# Total of a province against the sum of its cities: leagues and counties under the province are
# not among the cities.
PROVINCE_SUM = (0.85, 1.20)
# This many cities of one province, or this share of all, are a block and no oversight.
BLOCK_CITIES, BLOCK_SHARE = 3, 0.03
# Sources that change more of their cities than this in a usual year have holes by nature.
STEADY = 0.01
# ... and are only reported for a year that loses this share of them.
MUCH_LOST = 0.10

UNEXPLAINED = "unexplained: a misprint, or another part of the city"


def prepare_conflicts(observations: pd.DataFrame) -> pd.DataFrame:
    """Every value that the panel does not take, beside the one that it takes.

    Parameters
    ----------
    observations : DataFrame
        ``OBSERVATION_COLUMNS``: all resolved values in canonical units. ``half_unit`` is half a
        unit of the last printed digit; ``candidate_no`` is 1 for the value taken.

    Returns
    -------
    DataFrame
        One row per value not taken, with ``taken``, ``taken_source``, ``difference`` (relative,
        beyond rounding; NaN within it), ``primary`` and ``cause``.
    """
    key = ["city_code", "year", "indicator", "scope"]
    taken = observations[observations["candidate_no"] == 1]
    reference = taken[[*key, "value", "half_unit", "source", "rank", "source_cell"]].rename(
        columns={
            "value": "taken", "half_unit": "taken_half_unit", "source": "taken_source",
            "rank": "taken_rank", "source_cell": "taken_cell",
        }
    )  # fmt: skip
    others = observations[observations["candidate_no"] > 1].merge(reference, on=key)
    gap = (others["value"] - others["taken"]).abs()
    rounding = others["half_unit"] + others["taken_half_unit"]
    base = others["taken"].abs().where(others["taken"] != 0)
    others["difference"] = (gap - rounding).clip(lower=0.0) / base
    others["primary"] = others["taken_rank"] <= PRIMARY_RANK
    others["ratio"] = others["value"] / base
    others["cause"] = _causes(others, taken)
    others["expected"] = (
        others["taken_source"] + " has " + others["taken"].map("{:.6g}".format).astype(str)
        + " [" + others["taken_cell"].fillna("") + "]"
    )  # fmt: skip
    return others


def _causes(others: pd.DataFrame, taken: pd.DataFrame) -> pd.Series:
    """Likely cause of each difference; the first that fits, from the most telling one."""
    value, ratio = others["value"], others["ratio"]
    with np.errstate(invalid="ignore", divide="ignore"):
        tens = pd.Series(np.log10(ratio.where(ratio > 0).to_numpy()), index=others.index)
    nearest = pd.Series(np.rint(tens), index=others.index)
    power = (nearest != 0) & ((tens - nearest).abs() < 0.02)
    unit = power & nearest.abs().isin([4, 8])
    beside = _taken_beside(others, taken)
    shown = ratio.map("{:.4g}".format).astype(str)
    other_city = _other_city(others, taken)
    total = taken.groupby(["province_code", "year", "indicator", "scope"])["value"].sum()
    total = others[["province_code", "year", "indicator", "scope"]].join(
        total.rename("total"), on=["province_code", "year", "indicator", "scope"]
    )["total"]
    additive = ~others["indicator"].str.contains("share|rate|per_capita|average|growth")
    of_province = additive & (ratio > 2) & (value / total).between(*PROVINCE_SUM)
    near, alone = _beside(others)
    causes = np.select(
        [
            value == 0,
            unit,
            power,
            other_city.notna(),
            beside.notna(),
            of_province,
            (ratio - 1).abs() <= VINTAGE,
            near | _people_too(others),
            alone,
        ],
        [
            "a zero that stands for a missing value",
            "units mixed: another unit by " + shown + " times",
            "digits shifted: " + shown + " times",
            "value of another city: " + other_city.fillna(""),
            "value of another year: " + beside.fillna(""),
            "total of the province in place of the city",
            "another vintage: preliminary against revised",
            "another coverage of the city: the same ratio in a year beside, or in its population",
            "an error of " + others["source"] + " in this year: it agrees in the years beside",
        ],
        UNEXPLAINED,
    )
    return pd.Series(causes, index=others.index)


def _beside(others: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Whether the same source is off by the same ratio in a year beside, or agrees there."""
    by = ["city_code", "indicator", "scope", "source"]
    ordered = others.sort_values([*by, "year"])
    logs = np.log(ordered["ratio"].where(ordered["ratio"] > 0))
    keys = [ordered[c] for c in by]
    near, alone = (pd.Series(False, index=ordered.index) for _ in range(2))
    for step in (1, -1):
        beside = logs.groupby(keys).shift(step)
        close = (ordered["year"] - ordered["year"].groupby(keys).shift(step)).abs() <= 2
        near |= close & ((logs - beside).abs() < SAME_RATIO)
        alone |= close & (beside.abs() < VINTAGE)
    return near.reindex(others.index), alone.reindex(others.index)


def _people_too(others: pd.DataFrame) -> pd.Series:
    """Whether resident population of the city and year is off by about the same ratio."""
    people = others[(others["indicator"] == "pop_resident") & (others["scope"] == "city")]
    ratio = people.groupby(["city_code", "year"])["ratio"].first()
    there = others[["city_code", "year"]].join(ratio.rename("people"), on=["city_code", "year"])
    off = (there["people"] - 1).abs() > VINTAGE
    positive = others["ratio"].where(others["ratio"] > 0)
    # The population may be the other way round: the two values taken can be of different areas.
    agree = (np.abs(np.log(positive * there["people"])) < 2 * SAME_RATIO) | (
        np.abs(np.log(positive / there["people"])) < 2 * SAME_RATIO
    )
    return off & agree & (others["indicator"] != "pop_resident")


def _taken_beside(others: pd.DataFrame, taken: pd.DataFrame) -> pd.Series:
    """Year, as text, whose taken value of the same city equals the row's value; None elsewhere."""
    key = ["city_code", "year", "indicator", "scope"]
    found = pd.Series(None, index=others.index, dtype=object)
    values = taken.set_index(key)["value"]
    for step in (-2, -1, 1, 2):
        moved = others[key].assign(year=others["year"] + step)
        beside = moved.join(values.rename("beside"), on=key)["beside"]
        differs = (beside / others["taken"] - 1).abs() > 4 * SAME_VALUE
        equal = (others["value"] / beside - 1).abs() < SAME_VALUE
        found = found.where(~(equal & differs), (others["year"] + step).astype(str))
    return found


def _other_city(others: pd.DataFrame, taken: pd.DataFrame) -> pd.Series:
    """Name of a city of the same province and year that has the row's value; None elsewhere."""
    odd = others[(others["ratio"] - 1).abs() > 0.02]
    key = ["province_code", "year", "indicator", "scope"]
    pairs = odd[[*key, "city_code", "value"]].reset_index().merge(
        taken[[*key, "city_code", "city_name", "value"]], on=key, suffixes=("", "_there")
    )  # fmt: skip
    same = pairs[
        (pairs["city_code"] != pairs["city_code_there"])
        & ((pairs["value"] / pairs["value_there"] - 1).abs() < SAME_VALUE)
        # Small round numbers agree by chance.
        & (pairs["value"].abs() >= 1000)
    ]
    names = same.drop_duplicates("index").set_index("index")["city_name"]
    return names.reindex(others.index)


def prepare_city_sets(observations: pd.DataFrame, panel_cities: pd.DataFrame) -> pd.DataFrame:
    """Number of printed values per source, city and year, zero where a source has none.

    Parameters
    ----------
    observations : DataFrame
        ``source``, ``rank``, ``city_code``, ``province_code``, ``year``.
    panel_cities : DataFrame
        ``city_code``, ``city_name``, ``province_code``, ``year``: the cities that exist in a year,
        so that a dissolved city is not missed.

    Returns
    -------
    DataFrame
        ``indicator`` (always ``any``), ``scope``, ``value`` (printed values), ``lost`` and
        ``gained`` (1 in the first year without, or with, the city), ``lost_block`` and
        ``gained_block`` (cities of that year where they are a block), ``steady``, ``primary``.
    """
    counts = observations.groupby(["source", "city_code", "year"]).size().rename("value")
    years = observations[["source", "year"]].drop_duplicates()
    grid = years.merge(panel_cities[["city_code", "city_name", "province_code", "year"]], on="year")
    grid = grid.join(counts, on=["source", "city_code", "year"]).fillna({"value": 0.0})
    grid = grid.sort_values(["source", "city_code", "year"], ignore_index=True)
    by = [grid["source"], grid["city_code"]]
    before = grid["value"].groupby(by).shift()
    grid["lost"] = ((grid["value"] == 0) & (before > 0)).astype("float64").where(before.notna())
    grid["gained"] = ((grid["value"] > 0) & (before == 0)).astype("float64").where(before.notna())
    year = [grid["source"], grid["year"]]
    size = (before > 0).groupby(year).transform("sum")
    churn = grid[["lost", "gained"]].sum(axis=1).groupby(year).transform("sum")
    # In most years a steady source has the cities of the year before.
    grid["steady"] = (churn / size.where(size > 0)).groupby(grid["source"]).transform(
        "median"
    ) <= STEADY
    primary = observations.groupby("source")["rank"].min() <= PRIMARY_RANK
    grid["primary"] = grid["source"].map(primary).astype(bool)
    for name in ("lost", "gained"):
        number = grid[name].groupby(year).transform("sum")
        nearby = grid[name].groupby([*year, grid["province_code"]]).transform("sum")
        block = (nearby >= BLOCK_CITIES) | (number >= np.fmax(BLOCK_CITIES, BLOCK_SHARE * size))
        hit = (grid[name] == 1) & block & grid["steady"]
        if name == "lost":
            grid["lost"] = grid["lost"].where(grid["steady"] | (number >= MUCH_LOST * size))
        grid[f"{name}_block"] = number.where(hit, 0.0).where(before.notna())
    return grid.assign(indicator="any", scope="city", source_cell=None)


def _bounds(rows: pd.DataFrame, limit: float) -> tuple[pd.Series, pd.Series]:
    slack = rows["half_unit"] + rows["taken_half_unit"] + limit * rows["taken"].abs()
    return rows["taken"] - slack, rows["taken"] + slack


CONFLICT_RULES: tuple[Rule, ...] = tuple(
    Rule(
        name=name,
        severity="warning",
        description=description,
        needs=("difference",),
        # The signed difference says which side is larger.
        derive=lambda t, primary=primary: (  # type: ignore[misc]
            (t["difference"] * np.sign(t["value"] - t["taken"])).where(t["primary"] == primary)
        ),
        low=-limit,
        high=limit,
        expected=f"the value taken, within rounding and {limit:.1%}",
        likely_cause="an error in the second-hand file, or another vintage",
        explain=lambda rows: rows["cause"],
        bounds=lambda rows, *_, limit=limit: _bounds(rows, limit),  # type: ignore[misc]
    )
    for name, primary, limit, description in (
        ("conflict_with_primary_source", True, MAX_DIFFERENCE,
         "Second-hand files agree with the primary source where both have a value."),
        ("conflict_between_second_hand_files", False, VINTAGE,
         "Second-hand files agree with each other, beyond what revisions make."),
    )
)  # fmt: skip

_LOST = "city set changed: the city's rows are missing, a file was read in part, or names differ"
_SAME_AS_BEFORE = "at least one value of the city, as in the source's year before"

CITY_SET_RULES: tuple[Rule, ...] = (
    Rule(
        name="source_loses_a_city",
        severity="warning",
        description="A source keeps the cities that it had in its year before.",
        needs=("lost",),
        derive=lambda t: t["lost"].where(~((t["lost_block"] > 0) & t["primary"])),
        high=0.0,
        expected=_SAME_AS_BEFORE,
        likely_cause=_LOST,
        allowed=reasons,
    ),
    Rule(
        name="source_loses_a_block_of_cities",
        severity="critical",
        description="A primary source does not lose several cities of a province at once.",
        needs=("lost_block",),
        derive=lambda t: t["lost_block"].where(t["primary"]),
        high=0.0,
        expected=_SAME_AS_BEFORE,
        likely_cause=_LOST,
        allowed=reasons,
    ),
    Rule(
        name="source_gains_a_block_of_cities",
        severity="warning",
        description="A source does not gain a block of cities from one year to the next.",
        needs=("gained_block",),
        derive=lambda t: t["gained_block"],
        high=0.0,
        expected="no value of the city, as in the source's year before",
        likely_cause="city set changed: the source lists more cities, or two sources were joined",
        allowed=reasons,
    ),
)
