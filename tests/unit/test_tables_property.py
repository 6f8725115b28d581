"""Random workbooks over the layouts that compiled tables take are read back exactly; damaged files
of every format end in a refusal, never in another exception."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from dagster_project.extract.grids import read_grid
from dagster_project.extract.schema import ExtractError
from dagster_project.extract.table_mapping import TableMapping, load_mappings
from dagster_project.extract.tables import read_table
from dagster_project.extract.text import cell_name
from tests.unit.test_grids_reduce import NAME, _dataset, _field, _tiff, _write

CITIES = ("石家庄市", "唐山市", "鄂尔多斯市", "黔东南苗族侗族自治州")
INDICATORS = {"甲": "grp", "乙": "pop_resident"}
MISSING, NOISE = (None, "", "-", "…", "—"), ("12a4", "5O", "£05")
numbers = st.one_of(
    st.integers(-(10**9), 10**12),
    # a workbook keeps 15 to 16 significant digits
    st.floats(-1e9, 1e12, allow_nan=False).map(lambda x: float(f"{x:.12g}")),
)
cells = st.one_of(numbers, st.sampled_from(MISSING), st.sampled_from(NOISE))
rows_of_cities = st.lists(
    st.tuples(st.sampled_from(CITIES), st.integers(1990, 2035), cells, cells),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:2],  # twice with different numbers is refused, see test_tables_read
)


def _mapping(sheet: dict) -> TableMapping:
    content = {"source": "trial", "title": "trial", "files": ["*"], "sheets": [sheet]}
    return TableMapping.model_validate(content)


LONG = _mapping(
    {
        "keys": {"year": "年份", "entity": "城市"},
        "values": [{"column": c, "indicator": i} for c, i in INDICATORS.items()],
    }
)
WIDE = _mapping({"layout": "wide", "keys": {"entity": "城市"}, "values": [{"indicator": "grp"}]})


def _read(grid: list[list[object]], mapping: TableMapping):
    """The rows as a workbook (0-based positions, ``None`` for no cell), read by the mapping."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.xlsx"
        with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as book:
            sheet = book.add_worksheet()
            for r, row in enumerate(grid):
                for c, cell in enumerate(row):
                    if isinstance(cell, str):
                        sheet.write_string(r, c, cell)
                    elif cell is not None:
                        sheet.write_number(r, c, cell)
        return read_table(path, mapping, relative_to=Path(name))


def _check(result, expected: dict, noise: set, missing: int) -> None:
    got = {
        row.cell: (row.entity_printed, row.data_year, row.indicator_key, row.value)
        for row in result.observations.itertuples()
    }
    assert got == expected
    assert set(result.rejects["cell"]) == noise
    assert set(result.rejects["reason"]) <= {"not_a_number"}
    assert result.files.loc[0, "n_missing"] == missing


def _note(cell, place: str, known: tuple, expected: dict, noise: set) -> int:
    """Sort a cell into what reading must give; 1 if it is missing."""
    if isinstance(cell, int | float):
        expected[place] = (*known, float(cell))
    elif cell in NOISE:
        noise.add(place)
    else:
        return 1
    return 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=rows_of_cities,
    titles=st.integers(0, 3),
    blanks=st.booleans(),
    as_text=st.booleans(),
    adverts=st.integers(0, 2),
    order=st.permutations(["年份", "城市", "甲", "乙", "别的"]),
)
def test_long_workbooks_are_read_back_exactly(rows, titles, blanks, as_text, adverts, order):
    grid: list[list[object]] = [[f"标题{n}"] for n in range(titles)] + [list(order)]
    expected: dict = {}
    noise: set = set()
    missing = 0
    for city, year, first, second in rows:
        if blanks:
            grid.append([])
        fields = {"城市": f"  {city}", "年份": f"{year}年" if as_text else year, "别的": 7}
        for title, cell in (("甲", first), ("乙", second)):
            is_number = isinstance(cell, int | float)
            fields[title] = f" {cell!r}" if as_text and is_number else cell
            place = cell_name(len(grid) + 1, order.index(title) + 1)
            missing += _note(cell, place, (city, year, INDICATORS[title]), expected, noise)
        grid.append([fields[title] for title in order])
    grid += [["", "更多数据，关注淘宝店"], ["https://example.org"]][:adverts]
    _check(_read(grid, LONG), expected, noise, missing)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    values=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=4),
    first=st.integers(1990, 2030),
    shape=st.sampled_from(["number", "text", "with 年"]),
    titles=st.integers(0, 2),
)
def test_wide_workbooks_are_read_back_exactly(values, first, shape, titles):
    years = [first, first + 1, first + 5]
    heads = [{"number": y, "text": str(y), "with 年": f"{y}年"}[shape] for y in years]
    grid: list[list[object]] = [[f"标题{n}"] for n in range(titles)] + [["城市", "备注", *heads]]
    expected: dict = {}
    noise: set = set()
    missing = 0
    for city, row in zip(CITIES, values):
        for number, (year, cell) in enumerate(zip(years, row)):
            place = cell_name(len(grid) + 1, number + 3)
            missing += _note(cell, place, (city, year, "grp"), expected, noise)
        grid.append([city, "x", *row])
    _check(_read(grid, WIDE), expected, noise, missing)


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    values, lon, lat = _field()
    data = _dataset(values, lon, lat)
    _write(data, folder / NAME)
    _write(data, folder / NAME.replace("2016", "2015"), engine="scipy")
    _tiff((values % 60).astype("f4"), folder / "lights_2015.tif")
    frame = pd.DataFrame({"年份": range(2000, 2020), "城市": "石家庄市", "专利申请总量": range(20)})
    frame.to_stata(folder / "a.dta", write_index=False, version=118)
    frame.to_parquet(folder / "a.parquet")
    frame.to_csv(folder / "a.csv", index=False, encoding="gb18030")
    frame.to_excel(folder / "a.xlsx", index=False)
    return folder


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [NAME, NAME.replace("2016", "2015"), "lights_2015.tif",
                                  "a.dta", "a.parquet", "a.csv", "a.xlsx"])  # fmt: skip
def test_damaged_files_are_refused_or_read_but_never_crash(kind, whole_files, tmp_path):
    town = gpd.GeoDataFrame(
        {"city_code": ["420100"], "name": ["甲市"]}, geometry=[box(110, 30, 112, 32)], crs=4326
    )
    rng, whole = random.Random(kind), (whole_files / kind).read_bytes()
    messages = []
    for _ in range(40):
        raw = bytearray(whole)
        if rng.random() < 0.3:
            raw = raw[: rng.randrange(len(raw))]
        else:
            for _ in range(rng.choice([1, 3, 20])):
                raw[rng.randrange(min(len(raw), rng.choice([200, 4000, 10**9])))] = rng.randrange(
                    256
                )
        path = tmp_path / kind
        path.write_bytes(raw)
        try:
            if kind.startswith("a."):
                read_table(path, load_mappings()["patents"], relative_to=tmp_path)
            else:
                source = "nightlights" if kind.endswith("tif") else "edgar_co2"
                read_grid(path, source, town, None, relative_to=tmp_path)
        except ExtractError as error:
            messages.append(str(error))
    assert len(messages) > 5
    assert all(kind in message for message in messages)
