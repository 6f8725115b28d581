"""Headers of every table read, beside the indicator registry: what maps to nothing, or twice.

Belongs here: collecting the headers from the lake and writing those that need a look where dbt
reads them. Does not belong here: the rules of mapping and of nearness (``extract.registry``).
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.extract.registry import Registry, load, twice
from dagster_project.extract.table_header import unmapped_label
from dagster_project.lake import replacing

HEADERS = "headers"
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "file", "sheet", "table_no", "section")),
        *((name, pa.string()) for name in ("indicator_key", "indicator_printed", "scope")),
        *((name, pa.string()) for name in ("unit_key", "unit_printed")),
        *((name, pa.int32()) for name in ("first_year", "last_year")),
        ("cells", pa.int64()),
        ("example_cell", pa.string()),
        *((name, pa.string()) for name in ("status", "indicator", "nearest")),
        ("distance", pa.float64()),
        ("candidates", pa.string()),
    ]
)
_TABLE = ["source", "file", "sheet", "table_no", "section"]
_HEADER = [*_TABLE, "indicator_key", "scope", "unit_key"]


def write_headers(lake: Path, registry: Registry | None = None) -> pd.DataFrame:
    """Write the headers that need a look to ``lake/derived/headers.parquet``, and return them.

    Parameters
    ----------
    lake
        Folder with ``raw/<source>/<partition>.parquet``.

    Returns
    -------
    DataFrame
        In ``SCHEMA``: one row per table, header, unit, scope and status that is ``unmapped``,
        ``unit_unknown`` or ``no_unit`` (with the nearest registered spellings), ``not_read``: a
        column of numbers that the table's mapping does not name, or ``twice``: two headers of one
        table mean the same indicator in the same year.

    Raises
    ------
    RegistryError
        If the registry contradicts itself, e.g. a spelling means two indicators.
    """
    registry = registry or load()
    judged = registry.judged(_headers(lake))
    double = twice(judged)
    judged.loc[double, "status"] = "twice"
    wanted = judged[judged["status"] != "mapped"]
    texts = ("indicator_printed", "unit_printed", "example_cell", "indicator")
    frame = (
        wanted.groupby([*_HEADER, "status"], dropna=False, sort=True)
        .agg(
            **{name: (name, "first") for name in (*texts, "nearest", "distance", "candidates")},
            first_year=("data_year", "min"),
            last_year=("data_year", "max"),
            cells=("cells", "sum"),
        )
        .reset_index()
    )
    frame = pd.concat([frame, _not_read(lake, registry)], ignore_index=True)
    frame = frame.sort_values([*_HEADER, "status"], kind="stable", ignore_index=True)
    table = pa.Table.from_pandas(frame[SCHEMA.names], schema=SCHEMA, preserve_index=False)
    with replacing(lake / "derived" / f"{HEADERS}.parquet") as temporary:
        pq.write_table(table, temporary)
    return frame


def _headers(lake: Path) -> pd.DataFrame:
    """Distinct headers of the lake by table and year, as the warehouse sees them."""
    sql = """
        select source, coalesce(file, '') as file, coalesce(sheet, '') as sheet,
            coalesce(table_no, '') as table_no, coalesce(section, '') as section,
            coalesce(indicator_key, '') as indicator_key,
            coalesce(scope, 'unspecified') as scope, coalesce(unit_key, '') as unit_key,
            coalesce(data_year, 0) as data_year,
            min(indicator_printed) as indicator_printed, min(unit_printed) as unit_printed,
            min_by(cell, (row, col)) as example_cell, count(*) as cells
        from read_parquet(?)
        where value is not null
        group by all
        order by all
    """
    with duckdb.connect() as connection:
        return connection.execute(sql, [f"{lake}/raw/*/*.parquet"]).df()


def _not_read(lake: Path, registry: Registry) -> pd.DataFrame:
    """Columns of numbers that the mapping of their table does not name, with candidates."""
    sql = """
        select source, file, sheet, coalesce(table_no, '') as table_no,
            coalesce(section, '') as section, data_year, data_year_last, columns_not_read
        from read_parquet(?, union_by_name = true)
        where columns_not_read not in ('', '[]')
        order by all
    """
    with duckdb.connect() as connection:
        reports = connection.execute(sql, [f"{lake}/files/*/*.parquet"]).df()
    rows = []
    for report in reports.to_dict("records"):
        for title, cell, cells in json.loads(report["columns_not_read"]):
            label = unmapped_label(title)
            near = registry.nearest(label.indicator, source=report["source"])
            rows.append(
                {
                    **{name: report[name] for name in _TABLE},
                    "indicator_key": label.indicator,
                    "indicator_printed": title,
                    "scope": "city" if report["section"] == "prefecture" else "unspecified",
                    "unit_key": label.unit_normal,
                    "unit_printed": label.unit,
                    "first_year": report["data_year"],
                    "last_year": report["data_year_last"],
                    "cells": cells,
                    "example_cell": cell,
                    "status": "not_read",
                    "nearest": near[0].indicator if near else None,
                    "distance": near[0].distance if near else None,
                    "candidates": "; ".join(map(str, near)),
                }
            )
    frame = pd.DataFrame(rows, columns=SCHEMA.names)
    # one row per header: two columns of a table may carry the same title
    return frame.drop_duplicates(_HEADER)
