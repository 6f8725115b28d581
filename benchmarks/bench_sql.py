"""A query by city and by year on the published panel beside the same panel in pandas from CSV.

Belongs here: the time people wait for an answer. Does not belong here: whether the answer is right,
which the tests own. Without a published panel in the dataset, one of the same shape is made up,
SYNTHETIC, and published by the project's own writer; the row's name says which.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from dagster_project.settings import load_settings

REPEATS = 15


def _made_up() -> pd.DataFrame:
    """299 cities by 24 years with 180 numbers each: the shape of a panel of all sources."""
    rng = np.random.default_rng(7)
    cities, years = 299, 24
    keys = pd.DataFrame(
        {
            "city_code": np.repeat([f"{110000 + 100 * i}" for i in range(cities)], years),
            "year": np.tile(np.arange(2000, 2000 + years), cities),
        }
    )
    keys["city_name"] = "SYNTHETIC " + keys["city_code"]
    names = ["grp", "pop_registered", *(f"x{i}" for i in range(178))]
    numbers = pd.DataFrame(rng.gamma(2.0, 100.0, (len(keys), len(names))), columns=names)
    return pd.concat([keys, numbers], axis=1)


@contextmanager
def _panel() -> Iterator[tuple[Path, Path, str]]:
    """Database, CSV and what they are."""
    published = load_settings().published
    database, csv = published / "panel.duckdb", published / "csv" / "city_year.csv"
    if database.exists() and csv.exists():
        yield database, csv, "published panel"
        return
    with tempfile.TemporaryDirectory() as name:
        frame = _made_up()
        database, csv = Path(name) / "panel.duckdb", Path(name) / "city_year.csv"
        frame.to_csv(csv, index=False, encoding="utf-8-sig")
        with duckdb.connect(str(database)) as connection:
            connection.register("frame", frame)
            connection.execute("create table city_year as from frame")
        yield database, csv, "made-up panel"


def _seconds(call: Callable[[], int], repeats: int) -> tuple[float, float, int]:
    """Median and longest seconds over repetitions, and the rows of the last answer."""
    times, rows = [], 0
    for _ in range(repeats):
        start = time.perf_counter()
        rows = call()
        times.append(time.perf_counter() - start)
    return statistics.median(times), max(times), rows


def _row(what: str, condition: str, value: object) -> list[dict]:
    with _panel() as (database, csv, kind):
        query = f"select * from city_year where {condition} = ?"

        def cold() -> int:
            # As a script does: open the file, ask, close.
            with duckdb.connect(str(database), read_only=True) as connection:
                return len(connection.execute(query, [value]).fetchall())

        def from_csv() -> int:
            frame = pd.read_csv(csv, dtype={"city_code": str})
            return len(frame[frame[condition] == value])

        ours, slowest, rows = _seconds(cold, REPEATS)
        peer, _, found = _seconds(from_csv, 3)
        assert rows == found > 0, f"{what}: {rows} rows from SQL, {found} from CSV"
        with duckdb.connect(str(database), read_only=True) as connection:
            opened, _, _ = _seconds(
                lambda: len(connection.execute(query, [value]).fetchall()), REPEATS
            )
            shape = connection.execute(
                "select count(*), (select count(*) from duckdb_columns() "
                "where table_name = 'city_year') from city_year"
            ).fetchone()
        frame = pd.read_csv(csv, dtype={"city_code": str})
        loaded, _, _ = _seconds(lambda: len(frame[frame[condition] == value]), REPEATS)
        tracemalloc.start()
        cold()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    assert shape is not None
    size = f"{shape[0]:,} x {shape[1]} ({kind}), {rows} rows back"
    longest = f"slowest of {REPEATS}: {slowest * 1e3:.0f} ms"
    return [
        {
            "name": f"{what}, file opened for the query ({longest})",
            "size": size,
            "ours_s": ours,
            "peer": "pandas.read_csv and filter",
            "peer_s": peer,
            "ratio": peer / ours,
            "peak_mb": peak,
        },
        {
            "name": f"{what}, file open already",
            "size": size,
            "ours_s": opened,
            "peer": "pandas, filter of a frame in memory",
            "peer_s": loaded,
            "ratio": loaded / opened,
            "peak_mb": peak,
        },
    ]


def by_city() -> list[dict]:
    """All years and columns of one city."""
    with _panel() as (database, _, _), duckdb.connect(str(database), read_only=True) as connection:
        city = connection.execute("select max(city_code) from city_year").fetchone()
    assert city is not None
    return _row("one city, all years", "city_code", city[0])


def by_year() -> list[dict]:
    """All cities and columns of one year."""
    with _panel() as (database, _, _), duckdb.connect(str(database), read_only=True) as connection:
        year = connection.execute("select max(year) from city_year").fetchone()
    assert year is not None
    return _row("one year, all cities", "year", year[0])


def provenance_of_a_value() -> list[dict]:
    """The printed cell of one value; the peer reads the provenance from CSV."""
    published = load_settings().published
    database, csv = published / "panel.duckdb", published / "csv" / "provenance.csv"
    if not csv.exists():
        print(f"  left out: {csv} is not there; `make run` publishes a panel to measure on")
        return []
    query = "select * from provenance where city_code = ? and year = ? and column_name = ?"
    with duckdb.connect(str(database), read_only=True) as connection:
        key = connection.execute(
            "select city_code, year, column_name from provenance "
            "where column_name = 'grp' and scope = 'city' order by 1 desc, 2 desc limit 1"
        ).fetchone()
        counted = connection.execute("select count(*) from provenance").fetchone()
    assert key is not None
    assert counted is not None

    def ours() -> int:
        with duckdb.connect(str(database), read_only=True) as connection:
            return len(connection.execute(query, list(key)).fetchall())

    def theirs() -> int:
        frame = pd.read_csv(csv, dtype=str)
        chosen = (
            (frame["city_code"] == key[0])
            & (frame["year"] == str(key[1]))
            & (frame["column_name"] == key[2])
        )
        return len(frame[chosen])

    seconds, slowest, rows = _seconds(ours, REPEATS)
    peer, _, found = _seconds(theirs, 1)
    assert rows == found > 0
    tracemalloc.start()
    ours()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return [
        {
            "name": f"printed cell of one value (slowest of {REPEATS}: {slowest * 1e3:.0f} ms)",
            "size": f"{counted[0]:,} cells",
            "ours_s": seconds,
            "peer": "pandas.read_csv and filter",
            "peer_s": peer,
            "ratio": peer / seconds,
            "peak_mb": peak,
        }
    ]


BENCHMARKS = [by_city, by_year, provenance_of_a_value]
