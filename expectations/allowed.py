"""True jumps: what looks like a defect and is none, each with its reason.

Belongs here: reading ``true_jumps.csv`` and matching its rows. Does not belong here: how a jump is
recognised (``diagnosis``). A row without an indicator stands for every indicator of the city and
year, as after a change of boundaries; one without a scope for 全市 and 市辖区.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

PATH = Path(__file__).with_name("true_jumps.csv")
COLUMNS = ("city_code", "city", "year", "indicator", "scope", "reason", "confidence")


@cache
def load(path: Path = PATH) -> pd.DataFrame:
    """The allow-list.

    Raises
    ------
    ValueError
        If a column is missing, a reason is empty, or a key occurs twice.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    missing = [c for c in COLUMNS if c not in table.columns]
    if missing:
        raise ValueError(f"{path.name} lacks the columns {', '.join(missing)}")
    if (bare := table[table["reason"].str.strip() == ""]).size:
        raise ValueError(
            f"{path.name}: {bare.iloc[0].city} {bare.iloc[0].year} has no reason; say why the jump "
            "is true, or take the row out"
        )
    key = ["city_code", "year", "indicator", "scope"]
    if (twice := table[table.duplicated(key)]).size:
        row = twice.iloc[0]
        raise ValueError(f"{path.name}: {row.city} {row.year} {row.indicator} stands twice")
    return table.assign(year=table["year"].astype(int))


def reasons(table: pd.DataFrame) -> pd.Series:
    """Reason why a row's value is true although it jumps; None elsewhere."""
    return _matched(table, whole_city=True)


def reasons_for_column(table: pd.DataFrame) -> pd.Series:
    """As :func:`reasons`, of rows that name the indicator: a boundary explains no power of ten."""
    return _matched(table, whole_city=False)


def _matched(table: pd.DataFrame, *, whole_city: bool) -> pd.Series:
    listed = load()
    key = ["city_code", "year", "indicator", "scope"]
    text = listed["reason"] + " (" + listed["confidence"] + ")"
    known = dict(zip(listed[key].itertuples(index=False, name=None), text, strict=True))
    # A few dozen city-years are listed, a table has hundreds of thousands of rows.
    places = pd.MultiIndex.from_frame(listed[["city_code", "year"]]).unique()
    near = pd.MultiIndex.from_frame(table[["city_code", "year"]]).isin(places)
    found = pd.Series(None, index=table.index, dtype=object)
    texts = []
    for city, year, indicator, scope in table.loc[near, key].itertuples(index=False, name=None):
        tried = [(city, year, indicator, scope), (city, year, indicator, "")]
        if whole_city:
            tried += [(city, year, "", scope), (city, year, "", "")]
        texts.append(next((known[place] for place in tried if place in known), None))
    found[near] = texts
    return found
