"""Files of roster corrections: what each row changes, and which row refuses its file, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster_project.extract import rosters
from dagster_project.settings import SettingsError, load_settings

HEAD = "city_code,listed_unit,level,whole_city,year_effective,confidence\n"


def _read(tmp_path: Path, name: str, text: str | bytes) -> rosters.RosterFile:
    folder = tmp_path / "rosters"
    folder.mkdir(exist_ok=True)
    raw = text if isinstance(text, bytes) else text.encode("utf-8")
    (folder / name).write_bytes(raw)
    return rosters.read_roster(folder / name, tmp_path)


def _messages(tmp_path: Path, name: str, text: str | bytes) -> str:
    found = _read(tmp_path, name, text)
    assert found.refusals
    assert found.changes == (), "a refused file changes nothing"
    return "\n".join(r.message for r in found.refusals)


def test_columns_left_out_keep_the_shipped_value(tmp_path):
    found = _read(tmp_path, "innovative.csv", "city_code,year_effective\n440300,2009\n")
    assert found.refusals == ()
    (change,) = found.changes
    assert (change.change, change.line, change.city_name) == ("amended", 2, "深圳市")
    assert change.before["year_effective"] == "2008"
    assert change.row == {**change.before, "year_effective": "2009"}
    assert "year_effective 2008 -> 2009" in change.summary()


def test_a_unit_below_the_city_is_a_row_of_its_own(tmp_path):
    text = HEAD + "110000,东城区,district,0,2014,verified\n110000,朝阳区,district,0,2013,verified\n"
    found = _read(tmp_path, "smart_city.csv", text)
    assert [(c.listed_unit, c.change) for c in found.changes] == [
        ("东城区", "amended"),
        ("朝阳区", "amended"),
    ]
    assert "confidence from-memory -> verified" in found.changes[1].summary()


def test_a_row_can_be_removed_but_not_one_that_is_not_there(tmp_path):
    found = _read(tmp_path, "innovative.csv", "city_code,action\n440300,remove\n")
    assert [(c.change, c.row) for c in found.changes] == [("removed", {})]
    text = "city_code,action\n469000,remove\n540600,remove\n"
    message = _messages(tmp_path, "innovative.csv", text)
    assert "is not in the shipped roster_innovative" in message
    assert "line 3" in message


def test_an_added_row_needs_what_the_warehouse_computes_with(tmp_path):
    message = _messages(tmp_path, "innovative.csv", "city_code,year_effective\n540600,2020\n")
    assert "line 2: level is blank" in message
    assert "line 2: confidence is blank" in message
    text = (
        "city_code,year_effective,level,in_2016_list,announced,membership_confidence,"
        "year_confidence,confidence\n540600,2020,prefecture_city,0,2020-01,verified,verified,verified\n"
    )
    (change,) = _read(tmp_path, "innovative.csv", text).changes
    assert (change.change, change.row["name_zh"]) == ("added", "那曲市")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("999999,某区,district,0,2013,verified", "999999 is no code of a city"),
        (",某区,district,0,2013,verified", "(blank) is no code of a city"),
        ("110101,东城区,district,0,2013,verified", "110101 is no code of a city"),
        ("110000,东城区,district,0,20I3,verified", "year_effective '20I3': expected a year"),
        ("110000,东城区,district,0,1213,verified", "year_effective '1213': expected a year"),
        ("110000,东城区,district,0,,verified", "year_effective is blank"),
        ("110000,东城区,district,yes,2013,verified", "whole_city 'yes': expected 0 or 1"),
        ("110000,东城区,district,1,2013,verified", "does not stand for the whole city"),
        ("110000,东城区,distrct,0,2013,verified", "level 'distrct'"),
        ("110000,东城区,district,0,2013,sure", "expected verified or from-memory or uncertain"),
        ("110000,,district,0,2013,verified", "listed_unit is blank"),
        ("110000,东城区,district,0,2013,verified,more", "7 cells under 6 columns"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused_with_its_line(tmp_path, row, expected):
    good = "110000,朝阳区,district,0,2014,verified\n"
    found = _messages(tmp_path, "smart_city.csv", HEAD + good + row + "\n")
    assert expected in found
    assert "rosters/smart_city.csv line 3" in found


def test_the_name_must_be_that_of_the_code(tmp_path):
    text = "city_code,name_zh,year_effective\n440300,广州市,2008\n"
    assert "440300 is 深圳市, the name says 广州市" in _messages(tmp_path, "innovative.csv", text)
    text = "city_code,name_zh,year_effective\n440000,广州市,2008\n"
    assert "广州市 has the code 440100" in _messages(tmp_path, "innovative.csv", text)
    # A former name is that city's, too.
    text = "city_code,name_zh,year_effective\n420600,襄樊市,2011\n"
    assert _read(tmp_path, "innovative.csv", text).refusals == ()


def test_a_duplicate_names_both_lines(tmp_path):
    text = "city_code,year_effective\n440300,2008\n340100,2010\n440300,2009\n"
    message = _messages(tmp_path, "innovative.csv", text)
    assert "line 4" in message
    assert "stands on line 2 already" in message


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("smart_towns.csv", "city_code\n110000\n", "corrects no shipped roster"),
        ("excluded_units.csv", "city_code\n110000\n", "corrects no shipped roster"),
        ("innovative.xlsx", b"PK", "corrects no shipped roster"),
        ("innovative.csv", "city_code\n", "no rows"),
        ("innovative.csv", b"\xff\xfe\x00\x80", "save the table as csv"),
        ("innovative.csv", "city,year\n深圳,2008\n", "column 'city' is not one of"),
        ("innovative.csv", "year_effective\n2008\n", "column 'city_code' is missing"),
        ("innovative.csv", "city_code,level,level\n440300,a,b\n", "'level' stands twice"),
    ],
)
def test_a_file_that_is_no_correction_is_refused(tmp_path, name, content, expected):
    assert expected in _messages(tmp_path, name, content)


def test_two_files_for_one_roster_are_refused_and_notes_are_no_rosters(tmp_path):
    _read(tmp_path, "innovative.csv", "city_code,year_effective\n440300,2009\n")
    _read(tmp_path, "roster_innovative.csv", "city_code,year_effective\n440300,2010\n")
    (tmp_path / "rosters" / "README.md").write_text("how we checked")
    first, second = rosters.read_rosters(tmp_path)
    assert len(first.changes) == 1
    assert "rosters/innovative.csv corrects roster_innovative already" in second.refusals[0].message
    assert second.changes == ()


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text("city_code,year_effective\n440300,2009\n")
    folder = tmp_path / "landing" / "rosters"
    folder.mkdir(parents=True)
    (folder / "innovative.csv").symlink_to(outside)
    (found,) = rosters.read_rosters(tmp_path / "landing")
    assert found.refusals
    assert found.changes == ()


def test_the_certainty_asked_for_is_one_of_three(monkeypatch):
    monkeypatch.setenv("PILOT_PANEL_MIN_CONFIDENCE", "verified")
    assert load_settings().min_confidence == "verified"
    monkeypatch.setenv("PILOT_PANEL_MIN_CONFIDENCE", "")
    assert load_settings().min_confidence == "uncertain"
    monkeypatch.setenv("PILOT_PANEL_MIN_CONFIDENCE", "certain")
    with pytest.raises(SettingsError, match="min_confidence"):
        load_settings()
