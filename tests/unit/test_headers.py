"""Headers that the registry does not know, or knows twice: found in the lake, with candidates."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pandas as pd
import pyarrow.parquet as pq
import pytest

from dagster_project.assets import sources
from dagster_project.extract.registry import Registry, RegistryError, Spelling, load
from dagster_project.extract.schema import ExtractResult
from dagster_project.extract.table_mapping import load_mappings
from dagster_project.extract.tables import read_table
from dagster_project.headers import SCHEMA, write_headers
from dagster_project.lake import Lake


def _cells(key: str, unit: str, col: int, years: tuple[int, ...] = (2020,)) -> list[dict]:
    common = {
        "source": "yearbook", "file": "yearbook/2021/2-1.xlsx", "sheet": "s", "table_no": "2-1",
        "section": "prefecture", "indicator_key": key, "indicator_printed": f"{key} printed",
        "scope": "city", "unit_key": unit, "unit_printed": unit, "col": col,
    }  # fmt: skip
    return [
        {**common, "data_year": year, "entity_printed": city, "value": 1.0, "row": row,
         "cell": f"{'ABCDEFGH'[col - 1]}{row}"}
        for year in years
        for row, city in enumerate(("甲市", "乙市"), start=5)
    ]  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.prepare()
    rows = [
        *_cells("地区生产总值", "亿元", 2),
        *_cells("普通高校在校学生数", "人", 3, (2019, 2020)),
        *_cells("财政收入合计", "吨", 4),
        *_cells("年末总人口", "万人", 5),
        *_cells("户籍人口", "万人", 6),
    ]
    lake.write("yearbook", "2021", ExtractResult.from_rows(rows, [], []), "f")
    return lake


def test_every_unmapped_header_is_written_with_its_nearest(lake):
    found = write_headers(lake.root).set_index("indicator_key")
    assert "地区生产总值" not in found.index
    students = found.loc["普通高校在校学生数"]
    assert (students["status"], students["nearest"]) == ("unmapped", "students_higher")
    assert 0 < students["distance"] < 0.5
    assert students["candidates"].startswith("students_higher (")
    assert (students["first_year"], students["last_year"], students["cells"]) == (2019, 2020, 4)
    assert (students["unit_key"], students["example_cell"]) == ("人", "C5")
    stored = pq.read_table(lake.root / "derived" / "headers.parquet")
    assert stored.schema.equals(SCHEMA)
    assert stored.num_rows == len(found)


def test_two_headers_of_one_indicator_are_both_listed(lake):
    found = write_headers(lake.root)
    double = found[found["status"] == "twice"]
    assert double["indicator_key"].tolist() == ["年末总人口", "户籍人口"]
    assert set(double["indicator"]) == {"pop_registered"}


def test_a_header_of_two_statuses_is_two_rows(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.prepare()
    rows = _cells("人口总计", "", 2, (2010, 2020))
    lake.write("yearbook", "2021", ExtractResult.from_rows(rows, [], []), "f")
    shipped = load()
    later = Spelling("yearbook", "人口总计", "万人", "", "pop_resident", 2015, None, "")
    known = Registry(
        list(shipped.indicators.values()), [*shipped.spellings, later], shipped.conversions
    )
    found = write_headers(lake.root, known)
    assert found[["status", "first_year", "last_year", "cells"]].values.tolist() == [
        ["no_unit", 2020, 2020, 2],
        ["unmapped", 2010, 2010, 2],
    ]


def test_columns_that_a_mapping_does_not_name_are_listed(tmp_path, lake):
    path = tmp_path / "patents" / "export.csv"
    path.parent.mkdir()
    path.write_text(
        "序号,年份,城市,城市代码,绿色专利申请量,绿色专利授权量(件),备注\n"
        "1,2020,石家庄市,130100,5,3,无\n2,2020,唐山市,130200,6,4,无\n",
        encoding="utf-8",
    )
    result = read_table(path, load_mappings()["patents"], relative_to=tmp_path)
    lake.write("patents", "export", result, "f")
    found = write_headers(lake.root)
    row = found[found["source"] == "patents"].iloc[0]
    assert (found["source"] == "patents").sum() == 1
    assert (row["indicator_key"], row["unit_key"]) == ("绿色专利授权量", "件")
    assert (row["status"], row["cells"], row["example_cell"]) == ("not_read", 2, "F2")
    assert row["nearest"] == "patents_green"


def test_a_lake_in_order_gives_an_empty_table(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.prepare()
    lake.write(
        "yearbook", "2021", ExtractResult.from_rows(_cells("地区生产总值", "亿元", 2), [], []), "f"
    )
    assert write_headers(lake.root).empty
    assert pq.read_table(lake.root / "derived" / "headers.parquet").num_rows == 0


def test_a_contradictory_registry_stops_the_run_before_anything_is_read(monkeypatch):
    def wrong() -> None:
        raise RegistryError("yearbook '年末总人口' maps to two indicators")

    monkeypatch.setattr(sources.registry, "load", wrong)
    settings = SimpleNamespace(prepare=lambda: pytest.fail("the landing folder was prepared"))
    panel = SimpleNamespace(settings=lambda: settings)
    with pytest.raises(RegistryError, match="two indicators"):
        sources.landing.op.compute_fn.decorated_fn(dg.build_asset_context(), panel)


def test_an_older_empty_table_gets_the_columns_of_today(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.prepare()
    path = lake.path("files", "_empty", "_empty")
    pq.write_table(pq.read_table(path).drop_columns(["columns_not_read"]), path)
    lake.prepare()
    assert "columns_not_read" in pd.read_parquet(path).columns
