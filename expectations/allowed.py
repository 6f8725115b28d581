"""True jumps: what looks like a defect and is none, each with its reason.

Belongs here: reading ``true_jumps.csv`` and matching its rows. Does not belong here: how a jump is
recognised (``diagnosis``). A row without an indicator stands for every indicator of the city and
year, as after a change of boundaries.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

PATH = Path(__file__).with_name("true_jumps.csv")
COLUMNS = ("city_code", "city", "year", "indicator", "reason", "confidence")


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
    key = ["city_code", "year", "indicator"]
    if (twice := table[table.duplicated(key)]).size:
        row = twice.iloc[0]
        raise ValueError(f"{path.name}: {row.city} {row.year} {row.indicator} stands twice")
    return table.assign(year=table["year"].astype(int))


def reasons(table: pd.DataFrame) -> pd.Series:
    """Reason why a row's value is true although it jumps; None elsewhere."""
    listed = load()
    text = listed["reason"] + " (" + listed["confidence"] + ")"
    places = zip(listed["city_code"], listed["year"], listed["indicator"], strict=True)
    exact = dict(zip(places, text, strict=True))
    keys = zip(table["city_code"], table["year"], table["indicator"], strict=True)
    found = [exact.get((c, y, i), exact.get((c, y, ""))) for c, y, i in keys]
    return pd.Series(found, index=table.index, dtype=object)
