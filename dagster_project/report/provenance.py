"""The page that leads from a value to its printed cell: pick a city and a column, see every year.

Belongs here: turning the tables ``provenance``, ``lineage`` and ``pilot_units`` of a release into
small script files, one per city and province, and the page that shows them. Does not belong here:
finding out where a value comes from (dbt), or estimates. Pages opened from a folder may not fetch
data, but may load scripts; hence scripts rather than JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment

from dagster_project.resources import connect
from dagster_project.settings import Settings

# Sorted so that each unit, and in it each series, is one block.
_CELLS = """
    select
        city_code, column_name, scope, item, year, is_filled, data_year, value, value_printed,
        unit_printed, conversion_factor, source, release, entity_printed, indicator_printed, note,
        file, sheet, cell
    from provenance
    where city_code in (select city_code from city_year union select province_code from city_year)
    order by city_code, column_name, scope, item, year, data_year
"""
_ROSTER = """
    select
        city_code, programme, reading, listed_unit, level, flags_city, reason, adoption_year, batch,
        announced, confidence, note
    from pilot_units
    where city_code in (select city_code from city_year)
    order by city_code, programme, reading, listed_unit
"""
_COLUMNS = """
    select
        dictionary.table_name, dictionary.column_name, coalesce(dictionary.label_zh, ''),
        coalesce(dictionary.unit, ''), coalesce(dictionary.definition, ''),
        list(lineage.input_column order by lineage.input_column)
            filter (where lineage.input_column is not null)
    from data_dictionary as dictionary
    left join lineage
        on
            dictionary.table_name = lineage.table_name
            and dictionary.column_name = lineage.column_name
    where
        (dictionary.table_name = 'city_year' or dictionary.table_name like 'sample%')
        and dictionary.column_name not in
        ('city_code', 'city_name', 'province_code', 'province_name', 'year', 'trend')
    group by all
    order by dictionary.table_name, dictionary.column_name
"""
_CITIES = """
    select distinct
        city_year.city_code, city_year.city_name, cities.name_en, city_year.province_code,
        city_year.province_name
    from city_year
    inner join cities on city_year.city_code = cities.city_code
    order by city_year.city_code
"""


@dataclass
class _Lexicon:
    """Texts that many cells share, kept once and referred to by number."""

    known: dict[Any, int] = field(default_factory=dict)

    def number(self, entry: Any) -> int:
        return self.known.setdefault(entry, len(self.known))

    def entries(self) -> list[Any]:
        return list(self.known)


@dataclass
class _Lexica:
    places: _Lexicon = field(default_factory=_Lexicon)
    headers: _Lexicon = field(default_factory=_Lexicon)
    units: _Lexicon = field(default_factory=_Lexicon)


def interpolated(year: int, start: tuple[int, float], end: tuple[int, float]) -> float:
    """The value of ``year`` on the line through two observed years, as the panel fills it."""
    share = (year - start[0]) / (end[0] - start[0])
    return start[1] + (end[1] - start[1]) * share


def _as_printed(value: float, printed: str | None) -> str | int:
    """The printed text, or 0 if it reads exactly as the value does."""
    text = printed or ""
    number = int(value) if value.is_integer() and abs(value) < 1e15 else value
    return 0 if text == json.dumps(number) else text


def _series(rows: Iterable[tuple[Any, ...]], lexica: _Lexica, names: _Lexicon) -> dict[str, Any]:
    """One column of one unit: printed cells by year, and interpolated years between them."""
    printed: dict[int, list[Any]] = {}
    ends: dict[int, list[tuple[int, float]]] = {}
    for row in rows:
        (_, _, _, _, year, is_filled, data_year, value, text, unit, factor) = row[:11]
        source, release, entity, header, note, file, sheet, cell = row[11:]
        if is_filled:
            ends.setdefault(year, []).append((data_year, value))
        if data_year not in printed:
            entry = [
                data_year,
                value,
                _as_printed(value, text),
                lexica.units.number(unit or ""),
                factor,
                lexica.places.number((source, release, file, sheet)),
                cell or "",
                lexica.headers.number(header or ""),
                names.number(entity or ""),
            ]
            printed[data_year] = [*entry, note] if note else entry
    filled = [
        [year, between[0][0], between[-1][0], interpolated(year, between[0], between[-1])]
        for year, between in sorted(ends.items())
    ]
    return {"p": [printed[year] for year in sorted(printed)], "f": filled}


def _units(
    connection: duckdb.DuckDBPyConnection, lexica: _Lexica
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Code and content of every city and province that has cells."""
    result = connection.execute(_CELLS)
    rows = iter(lambda: result.fetchmany(20_000), [])
    flat = (row for block in rows for row in block)
    for code, own in groupby(flat, key=lambda r: r[0]):
        names = _Lexicon()
        series: dict[str, list[Any]] = {}
        for (column, scope, item), cells in groupby(own, key=lambda r: (r[1], r[2], r[3] or "")):
            entry = {"s": scope, "i": item, **_series(cells, lexica, names)}
            series.setdefault(column, []).append(entry)
        yield code, {"names": names.entries(), "series": series}


def _roster(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    rows = connection.execute(_ROSTER).fetchall()
    return {code: [list(r[1:]) for r in own] for code, own in groupby(rows, key=lambda r: r[0])}


def _derived(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> dict[str, Any]:
    """Values of the panel's computed columns: code to column to ``[year, value]`` pairs."""
    if not columns:
        return {}
    listed = ", ".join(f'"{c}"' for c in columns)
    rows = connection.execute(
        f"select city_code, year, {listed} from city_year order by city_code, year"
    ).fetchall()
    found: dict[str, Any] = {}
    for code, own in groupby(rows, key=lambda r: r[0]):
        years = list(own)
        found[code] = {
            column: [[r[1], r[place]] for r in years if _is_shown(r[place])]
            for place, column in enumerate(columns, start=2)
        }
    return found


def _is_shown(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _script(path: Path, call: str, content: Any) -> None:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    path.write_text(f"{call}({text});\n", encoding="utf-8")


def build_provenance(
    settings: Settings, folder: Path, environment: Environment, release: dict[str, Any]
) -> int:
    """Write the page and its scripts into ``folder``.

    Returns
    -------
    int
        Number of cities that can be picked.

    Raises
    ------
    duckdb.Error
        If the release lacks one of the tables (``provenance``, ``lineage``, ``pilot_units``).
    """
    units = folder / "units"
    units.mkdir(parents=True)
    lexica = _Lexica()
    with connect(settings.published / "panel.duckdb", read_only=True) as connection:
        columns = connection.execute(_COLUMNS).fetchall()
        cities = connection.execute(_CITIES).fetchall()
        printed = {
            name
            for (name,) in connection.execute(
                "select distinct column_name from provenance"
            ).fetchall()
        }
        computed = [
            name
            for table, name, _, _, _, inputs in columns
            if table == "city_year" and inputs and name not in printed
        ]
        derived = _derived(connection, computed)
        roster = _roster(connection)
        written = set()
        for code, content in _units(connection, lexica):
            extra = {"derived": derived.get(code, {}), "roster": roster.get(code, [])}
            _script(units / f"{code}.js", "pilotPanelUnit", {"code": code, **content, **extra})
            written.add(code)
    shown = [list(c) for c in cities if c[0] in written]
    common = {
        "cities": shown,
        "provinces": sorted(written - {c[0] for c in cities}),
        "columns": [[*c[:5], c[5] or []] for c in columns],
        "places": lexica.places.entries(),
        "headers": lexica.headers.entries(),
        "units": lexica.units.entries(),
    }
    _script(folder / "common.js", "pilotPanelCommon", common)
    html = environment.get_template("provenance.html").render(release=release)
    (folder / "index.html").write_text(html, encoding="utf-8")
    return len(shown)
