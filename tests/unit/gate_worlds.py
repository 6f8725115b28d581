"""A generated world as the tables that the gates read, without files and without the warehouse."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dagster_project.sample.holes import missing
from dagster_project.sample.world import World
from dagster_project.sample.yearbook_tables import BOTH, CITY, DISTRICTS, tables

FLAGS = {"bigdata": "bigdata", "innovative": "innovative", "smart_city": "smart",
         "low_carbon": "low_carbon"}  # fmt: skip


def printed(world: World, indicators: set[str] | None = None) -> pd.DataFrame:
    """What the yearbook of every year prints, rounded as printed, in canonical units."""
    listed = world.listed()
    parts = []
    for t, year in enumerate(world.years):
        here = world.cities[listed[:, t]]
        for table in tables(int(year) + 1):
            for column in table.columns:
                name = column.indicator
                if indicators is not None and name not in indicators:
                    continue
                hole = missing(world, name)[:, t]
                for scope in (CITY, DISTRICTS) if column.scope == BOTH else (column.scope,):
                    source = world.districts if scope == DISTRICTS else world.city
                    value = np.round(source[name][:, t] * column.factor, column.decimals)
                    part = here[["city_code", "city_name", "province_code"]].assign(
                        year=int(year),
                        indicator=name,
                        scope=scope,
                        value=np.where(hole, np.nan, value / column.factor)[listed[:, t]],
                        half_unit=0.5 * 10.0**-column.decimals / column.factor,
                    )
                    parts.append(part)
    frame = pd.concat(parts, ignore_index=True).dropna(subset=["value"])
    cell = frame["year"].add(1).astype(str) + " " + frame["indicator"] + " " + frame["city_code"]
    return frame.assign(
        source="yearbook", release=frame["year"].add(1).astype(str), rank=10, candidate_no=1,
        source_cell="SYNTHETIC " + cell,
    )  # fmt: skip


def panel(world: World, values: pd.DataFrame) -> pd.DataFrame:
    """The printed values as one row per city and year, with treatment flags.

    A city stays in the panel while it exists, whether or not a file lists it.
    """
    columns = values["indicator"] + values["scope"].map({CITY: "", DISTRICTS: "_districts"})
    wide = values.assign(column=columns).pivot_table(
        index=["city_code", "year"], columns="column", values="value"
    )
    cities = world.cities[["city_code", "city_name", "province_code", "first_year"]]
    rows = cities.merge(pd.DataFrame({"year": world.years}), how="cross")
    rows = rows[rows["year"] >= rows["first_year"]].drop(columns="first_year")
    out = rows.merge(wide.reset_index(), on=["city_code", "year"], how="left")
    for flag, policy in FLAGS.items():
        adopted = out["city_code"].map(
            pd.Series(world.adoption[policy].to_numpy(), index=world.cities["city_code"])
        )
        out[flag] = (out["year"] >= adopted.fillna(9999)).astype(float)
    # As the warehouse defines it: the product of the two flags.
    out["dual"] = out["smart_city"] * out["low_carbon"]
    return out
