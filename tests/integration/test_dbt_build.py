"""dbt on a small lake: the project builds, its unit tests pass, and a changed cell stays local.

Belongs here: what only a build shows. Does not belong here: formulas (dbt unit tests, which run
here too), arrows between layers (tests/unit/test_dbt_layering.py) or the full sample (the run).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from dagster_project.dbt_project import DERIVED
from dagster_project.extract.schema import (
    FILE_SCHEMA,
    OBSERVATION_SCHEMA,
    REJECT_SCHEMA,
    as_frame,
    to_table,
)
from dagster_project.headers import write_headers

DBT = Path(__file__).resolve().parents[2] / "dbt"
CITIES = {"110000": "北京市", "150600": "鄂尔多斯市", "340400": "淮南市"}
YEARS = (2018, 2020, 2022)
JINAN, LAIWU = "370100", "371200"
NAMES = {**CITIES, JINAN: "济南市", LAIWU: "莱芜市"}
MERGED = (
    (JINAN, 2016, 300.0, 6e6),
    (JINAN, 2018, 400.0, 8e6),
    (JINAN, 2020, 700.0, 14e6),
    (LAIWU, 2016, 100.0, 0),
    (LAIWU, 2018, 100.0, 1e6),
)


def _cell(city: str, year: int, key: str, unit: str, value: float, **other: object) -> dict:
    row = list(NAMES).index(city) + 5
    return {
        "source": "yearbook",
        "release": str(year + 1),
        "data_year": year,
        "section": "prefecture",
        "entity_printed": NAMES[city],
        "indicator_printed": key,
        "indicator_key": key,
        "scope": "city",
        "unit_printed": unit,
        "unit_key": unit,
        "value_printed": str(value),
        "value": value,
        "file": f"yearbook/{year + 1}/2-7.xlsx",
        "file_sha256": "0" * 64,
        "sheet": "Sheet1",
        "row": row,
        "col": 3,
        "cell": f"C{row}",
        **other,
    }


def _observations() -> list[dict]:
    rows = []
    for position, city in enumerate(CITIES):
        for year in YEARS:
            product = 1000.0 * (position + 1) + year - 2018
            rows.append(_cell(city, year, "地区生产总值", "亿元", product))
            rows.append(_cell(city, year, "年末金融机构人民币各项贷款余额", "万元", product * 9000))
    second_hand = {"source": "compiled_gdp", "release": "r", "file": "compiled/gdp.xlsx"}
    rows.append(_cell("150600", 2022, "grp", "亿元", 4 * 2004.0, cell="D720", **second_hand))
    rows.append(_cell("110000", 2022, "grp", "亿元", 1004.0, cell="D26", **second_hand))
    rows.append(_cell("110000", 2022, "无人知晓的指标", "亿元", 1.0))
    # Laiwu was merged into Jinan; its loans of 2020 do not exist, and those of 2018 only once.
    for city, year, product, loans in MERGED:
        rows.append(_cell(city, year, "地区生产总值", "亿元", product))
        if loans:
            rows.append(_cell(city, year, "年末金融机构人民币各项贷款余额", "万元", loans))
    rows.append(
        {**_cell("110000", 2022, "地区生产总值", "亿元", 1.0), "entity_printed": "无此城市"}
    )
    country = {"section": "national", "scope": "unspecified", "entity_printed": "全国"}
    brought = {**country, "source": "exchange_rate", "file": "tables/exchange_rate/rate.csv"}
    for year, rate in ((2015, 622.84), (2016, 6.5)):
        rows.append(_cell("110000", year, "cny_per_usd", "元/美元", rate, **brought))
    return rows


def _write_lake(lake: Path, rows: list[dict]) -> None:
    for kind, schema in (
        ("raw", OBSERVATION_SCHEMA),
        ("rejects", REJECT_SCHEMA),
        ("files", FILE_SCHEMA),
    ):
        (lake / kind / "_empty").mkdir(parents=True)
        pq.write_table(schema.empty_table(), lake / kind / "_empty" / "_empty.parquet")
    (lake / "raw" / "yearbook").mkdir()
    table = to_table(as_frame(rows, OBSERVATION_SCHEMA), OBSERVATION_SCHEMA)
    pq.write_table(table, lake / "raw" / "yearbook" / "all.parquet")
    for name, fields in DERIVED.items():
        path = lake / "derived" / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(fields.empty_table(), path)


def _build(
    home: Path,
    rows: list[dict],
    *arguments: str,
    prepare: Callable[[Path], object] = lambda lake: None,
) -> Path:
    """Run ``dbt build`` on a lake of these observations; returns the warehouse file.

    ``prepare`` may add to the lake before dbt reads it.
    """
    home.mkdir()
    _write_lake(home / "lake", rows)
    prepare(home / "lake")
    warehouse = home / "warehouse.duckdb"
    beside = Path(sys.executable).with_name("dbt")
    command = [str(beside) if beside.exists() else shutil.which("dbt") or "dbt", "build"]
    command += ["--profiles-dir", str(DBT), "--project-dir", str(DBT), "--no-use-colors"]
    command += ["--target-path", str(home / "target"), "--log-path", str(home / "logs")]
    done = subprocess.run(
        [*command, *arguments],
        env={
            **os.environ,
            "PILOT_PANEL_WAREHOUSE": str(warehouse),
            "PILOT_PANEL_LAKE": str(home / "lake"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small lake built once, unit tests and data tests included."""
    folder = tmp_path_factory.mktemp("dbt") / "one"
    return _build(folder, _observations(), prepare=write_headers)


def _query(warehouse: Path, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(sql).df()


def test_panel_holds_the_printed_values_and_fills_between_them(warehouse):
    panel = _query(
        warehouse,
        "select year, grp, loans_share, grp_filled from city_year "
        "join city_year_flags using (city_code, year) "
        "where city_code = '150600' and year between 2017 and 2023 order by year",
    )
    assert panel["grp"].tolist()[1:6] == [2000.0, 2001.0, 2002.0, 2003.0, 2004.0]
    assert panel["grp"].isna().tolist() == [True, False, False, False, False, False, True]
    assert panel["grp_filled"].tolist()[1:6] == [0, 1, 0, 1, 0]
    assert panel["loans_share"].tolist()[1:6] == pytest.approx([0.9] * 5)


def test_a_merged_city_has_both_readings(warehouse):
    panel = _query(
        warehouse,
        "select c.year, r.grp as reported, c.grp, c.loans, c.loans_share, c.member_codes "
        "from city_year_consistent as c join city_year as r using (city_code, year) "
        "where city_code = '370100' and year between 2016 and 2020 order by year",
    )
    assert panel["reported"].tolist() == [300.0, 350.0, 400.0, 550.0, 700.0]
    # 2017 and 2019 are interpolated on the combined series
    assert panel["grp"].tolist() == [400.0, 450.0, 500.0, 600.0, 700.0]
    # in 2016 the loans of Laiwu are not observed: there is no sum
    assert panel["loans"].tolist()[2:] == [9e6, 11.5e6, 14e6]
    assert panel["loans"].isna().tolist()[:2] == [True, True]
    assert panel["loans_share"].tolist()[2] == pytest.approx(9e6 / 500e4)
    assert set(panel["member_codes"]) == {"370100, 371200"}
    assert _query(warehouse, "from city_year_consistent where city_code = '371200'").empty
    members = _query(
        warehouse,
        "select member_code, year, member_value, value, outcome from boundary_members "
        "where column_name = 'loans' order by year, member_code",
    )
    assert members["member_code"].tolist() == [JINAN, LAIWU, JINAN, LAIWU, JINAN]
    assert members["outcome"].tolist() == [
        *["none: a member is not observed"] * 2,
        *["sum of the members"] * 2,
        "the surviving unit alone",
    ]


def test_a_conflict_names_both_cells_and_agreement_none(warehouse):
    found = _query(warehouse, "select * from conflicts")
    assert found["unit_code"].tolist() == ["150600"]
    row = found.iloc[0]
    assert (row["value"], row["other_value"], row["ratio"]) == (2004.0, 8016.0, 4.0)
    assert (row["source"], row["cell"]) == ("yearbook", "C6")
    assert (row["other_source"], row["other_cell"]) == ("compiled_gdp", "D720")


def test_unknown_headers_are_those_that_the_warehouse_could_not_resolve(warehouse):
    headers = _query(warehouse, "select * from unmapped_headers")
    assert headers["indicator_key"].tolist() == ["无人知晓的指标"]
    resolved = _query(
        warehouse, "select printed, n_cells from unresolved where kind in ('indicator', 'unit')"
    )
    assert resolved.to_records(index=False).tolist() == [("无人知晓的指标", 1)]
    assert headers["cells"].tolist() == [1]


def test_what_is_unknown_is_listed_with_its_cell(warehouse):
    found = _query(warehouse, "select kind, reason, printed, example_cell from unresolved")
    assert set(found["reason"]) == {"name_unknown", "indicator_not_registered"}
    assert set(found["printed"]) == {"无此城市", "无人知晓的指标"}
    assert found["example_cell"].str.startswith("yearbook/2023/2-7.xlsx | Sheet1 | C").all()


def test_every_value_of_a_derived_column_leads_to_its_cells(warehouse):
    cells = _query(
        warehouse,
        """
        select p.column_name, p.data_year, p.is_filled, p.file, p.cell, p.value_printed
        from lineage as l
        join provenance as p on p.column_name = l.input_column
        where l.table_name = 'city_year' and l.column_name = 'loans_share'
          and p.city_code = '340400' and p.year = 2021
        order by p.column_name, p.data_year
        """,
    )
    assert cells["column_name"].tolist() == ["grp", "grp", "loans", "loans"]
    assert cells["data_year"].tolist() == [2020, 2022, 2020, 2022]
    assert set(cells["is_filled"]) == {1}
    assert set(cells["cell"]) == {"C7"}


def test_columns_carry_comments_and_the_dictionary_repeats_them(warehouse):
    comments = _query(
        warehouse,
        "select table_name, column_name, comment from duckdb_columns() where schema_name = 'main'",
    )
    published = comments[comments["table_name"].isin(["city_year", "cities", "sample_a"])]
    assert len(published) > 250
    assert published["comment"].fillna("").str.len().gt(0).all()
    dictionary = _query(
        warehouse, "select table_name, column_name, definition from data_dictionary"
    )
    both = published.merge(dictionary, on=["table_name", "column_name"], how="left")
    assert (both["comment"] == both["definition"]).all()


def test_a_rate_per_100_dollars_does_not_replace_the_shipped_one(warehouse):
    sql = "select * from national_constants where variable = 'cny_per_usd_nbs'"
    rates = _query(warehouse, sql).set_index("year")
    assert rates.loc[2015, "value"] == 6.2284
    assert rates.loc[2015, "confidence"] != "brought"
    assert (
        "622.84 元/美元 (tables/exchange_rate/rate.csv | Sheet1 | C5) is outside the range"
        in (rates.loc[2015, "not_used"])
    )
    assert tuple(rates.loc[2016, ["value", "confidence"]]) == (6.5, "brought")
    assert rates["not_used"].notna().sum() == 1


def test_treated_shares_are_those_of_the_rosters(warehouse):
    shares = _query(warehouse, "select * from treated_shares").set_index(["programme", "reading"])
    narrow = shares.loc[("bigdata", "narrow")]
    # Guizhou: 6 cities x 8 years; the other zones: 51 cities x 7 years; of 297 x 12 city-years
    assert (narrow["n_treated"], narrow["n_cities"]) == (57, 297)
    assert narrow["share_treated"] == pytest.approx((6 * 8 + 51 * 7) / (297 * 12))
    dual = shares.loc[("dual", "incl_province_announcement")]
    assert dual["n_treated"] == 40
    assert dual["share_treated"] == pytest.approx(0.0711, abs=5e-4)
    assert shares.loc[("innovative", "whole_city"), "n_cities"] == 284


@pytest.mark.slow
def test_same_input_same_bytes_and_a_changed_cell_stays_local(warehouse, tmp_path):
    quick = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    again = _build(tmp_path / "again", _observations(), *quick)
    rows = _observations()
    changed = next(r for r in rows if r["entity_printed"] == "淮南市" and r["data_year"] == 2022)
    changed["value"] += 60.0
    other = _build(tmp_path / "other", rows, *quick)
    tables = ["city_year", "city_year_flags", "provenance", "sample_c", "data_dictionary"]
    for table in tables:
        sql = f"copy (select * from {table}) to '{{}}' (format parquet)"
        copies = []
        for name, file in (("one", warehouse), ("two", again)):
            target = tmp_path / f"{table}_{name}.parquet"
            with duckdb.connect(str(file), read_only=True) as connection:
                connection.execute(sql.format(target))
            copies.append(target.read_bytes())
        assert copies[0] == copies[1], table
    before, after = (_query(w, "select * from city_year") for w in (warehouse, other))
    differs = ~((before == after) | (before.isna() & after.isna())).all(axis=1)
    assert before.loc[differs, ["city_code", "year"]].to_records(index=False).tolist() == [
        ("340400", 2021),  # interpolated between 2020 and the changed year
        ("340400", 2022),
    ]
