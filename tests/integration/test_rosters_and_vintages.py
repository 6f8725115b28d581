"""Corrected rosters and disagreeing editions, on a small lake that dbt builds for real.

Belongs here: what becomes of a user's correction between the csv and the flags, and what the panel
and ``conflicts`` say when two editions print different values. Does not belong here: which
correction is refused (tests/unit/test_rosters.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from dagster_project.dbt_project import build_arguments
from dagster_project.rosters import ingest_rosters, roster_changes
from dagster_project.settings import Settings
from tests.integration.test_dbt_build import _build, _cell, _observations, _query

SMART = (
    "city_code,name_zh,listed_unit,level,whole_city,list_type,year_effective,year_batch,batch,"
    "announced,confidence,note,action\n"
    # 北京 东城区 is shipped with 2013; a district never flags its city.
    "110000,北京市,东城区,district,0,new,2014,2012,2012,2013-01,verified,seen,\n"
    # 深圳 as a whole city is not shipped.
    "440300,深圳市,深圳市,prefecture_city,1,new,2016,2016,2016,2016-01,verified,,\n"
)
INNOVATIVE = "city_code,year_effective\n340100,2012\n"
BROADBAND = "city_code,listed_unit,action\n110000,北京市,remove\n"
REFUSED = "city_code,listed_unit,year_effective\n440300,深圳市,soon\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One build on a lake with two editions that disagree and four files of corrections."""
    base = tmp_path_factory.mktemp("rosters")
    folder = base / "landing" / "rosters"
    folder.mkdir(parents=True)
    (folder / "smart_city.csv").write_text(SMART, encoding="utf-8-sig")
    (folder / "roster_innovative.csv").write_text(INNOVATIVE)
    (folder / "roster_broadband.csv").write_text(BROADBAND, encoding="utf-8")
    (folder / "roster_low_carbon.csv").write_text(REFUSED, encoding="utf-8")
    later = {"release": "2022", "file": "yearbook/2022/2-8.xlsx", "cell": "D9", "row": 9, "col": 4}
    rows = [
        *_observations(),
        # The next edition prints another value for 2020, and the same one for 2018.
        _cell("340400", 2020, "地区生产总值", "亿元", 3302.2, **later),
        _cell("340400", 2018, "地区生产总值", "亿元", 3000.0, **later),
    ]
    said: list[str] = []

    def derive(lake: Path) -> None:
        settings = Settings(data_home=lake.parent, landing=base / "landing")
        ingest_rosters(settings, said.append)
        (base / "said.txt").write_text("\n".join(said), encoding="utf-8")

    variables = {"min_confidence": "from-memory"}
    _build(base / "one", rows, *build_arguments(variables=variables)[1:], prepare=derive)
    return base


def _warehouse(home: Path) -> Path:
    return home / "one" / "warehouse.duckdb"


def test_corrections_reach_the_units_and_the_adoption_years(home):
    units = _query(
        _warehouse(home),
        "select city_code, programme, reading, listed_unit, flags_city, adoption_year, note "
        "from pilot_units where reading in ('announcement', 'whole_city')",
    ).set_index(["programme", "city_code", "listed_unit"])
    district = units.loc[("smart_city", "110000", "东城区")]
    assert (district["adoption_year"], district["flags_city"]) == (2014, 0)
    added = units.loc[("smart_city", "440300", "深圳市")]
    assert (added["adoption_year"], added["flags_city"]) == (2016, 1)
    assert added["note"] == "[rosters/smart_city.csv line 3]"
    assert units.loc[("innovative", "340100", "合肥市"), "adoption_year"] == 2012
    assert ("broadband", "110000", "北京市") not in units.index
    years = _query(
        _warehouse(home),
        "select adoption_year from treatments where city_code = '440300' "
        "and programme = 'smart_city' and reading = 'announcement'",
    )
    assert years["adoption_year"].tolist() == [2016]


def test_a_refused_file_changes_nothing_and_is_named(home):
    shipped = _query(
        _warehouse(home),
        "select count(*) as n from pilot_units where programme = 'low_carbon' "
        "and reading = 'incl_province'",
    )
    assert shipped["n"].tolist() == [156]
    sources = _query(_warehouse(home), "select * from sources where source = 'rosters'")
    status = sources.set_index("file")["status"].to_dict()
    assert status == {
        "rosters/roster_broadband.csv": "read",
        "rosters/roster_innovative.csv": "read",
        "rosters/roster_low_carbon.csv": "rejected",
        "rosters/smart_city.csv": "read",
    }
    reasons = sources.set_index("file")["reason"]
    assert "year_effective 2013 -> 2014" in reasons["rosters/smart_city.csv"]
    assert "year_effective 'soon'" in reasons["rosters/roster_low_carbon.csv"]
    rejects = _query(_warehouse(home), "select * from rejects where source = 'rosters'")
    assert {"roster_refused"} == set(rejects["reason"])
    assert (rejects["row_no"].tolist(), rejects["value_printed"].tolist()) == ([2], ["soon"])


def test_changes_are_printed_and_kept_for_the_release(home):
    said = (home / "said.txt").read_text(encoding="utf-8")
    assert "roster_smart_city: 1 amended, 1 added, 0 removed, 0 as shipped" in said
    assert "roster_innovative: amended 合肥市 (340100)" in said
    assert "nothing of it is used until that is corrected" in said
    kept = roster_changes(Settings(data_home=home / "one", landing=home / "landing"))
    assert {(r["roster"], r["change"]) for r in kept["rows"]} == {
        ("roster_smart_city", "amended"),
        ("roster_smart_city", "added"),
        ("roster_innovative", "amended"),
        ("roster_broadband", "removed"),
    }
    json.dumps(kept)


def test_rows_less_certain_than_asked_for_do_not_flag(home):
    units = _query(_warehouse(home), "select confidence, flags_city, reason from pilot_units")
    uncertain = units[units["confidence"] == "uncertain"]
    assert len(uncertain) > 10
    assert uncertain["flags_city"].eq(0).all()
    assert uncertain["reason"].eq("less certain than min_confidence asks for").any()
    assert units.loc[units["confidence"] == "from-memory", "flags_city"].eq(1).any()


@pytest.mark.parametrize("level", ["from-memory", "verified"])
def test_a_raised_bar_costs_uncertain_attributes_only_and_makes_them_unknown(home, tmp_path, level):
    warehouse = _warehouse(home)
    if level == "verified":
        arguments = build_arguments(variables={"min_confidence": level})[1:]
        arguments += ["--select", "+int_city_groups", "--exclude-resource-type", "test"]
        warehouse = _build(tmp_path / "verified", _observations(), *arguments)
    rosters = {"key_env_city": 113, "two_control_zone": 171, "rail1933": 121}
    groups = _query(warehouse, "from int_city_groups").set_index("city_code")
    for attribute, listed in rosters.items():
        rows = _query(
            warehouse,
            f"select * from stg_roster_attributes where attribute = '{attribute}'",
        )
        uncertain = set(rows.loc[rows["confidence"] == "uncertain", "city_code"])
        known = set(rows["city_code"]) - uncertain
        assert len(rows) == listed
        assert groups.loc[sorted(known & set(groups.index)), attribute].eq(1).all()
        assert groups.loc[sorted(uncertain - known), attribute].isna().all()
        others = groups.index.difference(sorted(known | uncertain))
        assert groups.loc[others, attribute].eq(0).all()
    assert groups["city_tier"].notna().sum() > 300


def test_editions_that_disagree_stand_in_conflicts_with_both_cells(home):
    found = _query(
        _warehouse(home),
        "select * from conflicts where unit_code = '340400' and source = other_source",
    )
    assert len(found) == 1, "the value that both editions print alike is no conflict"
    row = found.iloc[0]
    taken = _query(
        _warehouse(home),
        "select grp from city_year where city_code = '340400' and year = 2020",
    )["grp"].item()
    assert row["value"] == taken
    cells = {
        3002.0: ("2021", "yearbook/2021/2-7.xlsx", "C7"),
        3302.2: ("2022", "yearbook/2022/2-8.xlsx", "D9"),
    }
    assert {row["value"], row["other_value"]} == set(cells)
    assert (row["release"], row["file"], row["cell"]) == cells[row["value"]]
    other = (row["other_release"], row["other_file"], row["other_cell"])
    assert other == cells[row["other_value"]]
    assert row["ratio"] == pytest.approx(row["other_value"] / row["value"])
    assert (row["year"], row["indicator"], row["unit"]) == (2020, "grp", "亿元")


def test_a_shipped_roster_dropped_unchanged_changes_nothing(tmp_path):
    from dagster_project.extract import rosters

    folder = tmp_path / "landing" / "rosters"
    folder.mkdir(parents=True)
    for name in rosters.shipped_rosters():
        shipped = pd.read_csv(f"dbt/seeds/{name}.csv", dtype=str, keep_default_na=False)
        # Saved again by a spreadsheet in Chinese Windows.
        shipped.to_csv(folder / f"{name}.csv", index=False, encoding="gb18030")
    files = rosters.read_rosters(tmp_path / "landing")
    assert len(files) == 13
    for file in files:
        assert (file.refusals, file.changes) == ((), ()), file.file
        assert file.n_same == file.n_rows > 0
