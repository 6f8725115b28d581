"""Stata files: labels and names within Stata's limits, definitions as notes, the same numbers."""

from __future__ import annotations

import struct
from pathlib import Path

import pandas as pd
import pytest
from pandas.io.stata import StataReader

from dagster_project.exports import stata_name, variable_label, write_stata, write_stata_tables

FRAME = pd.DataFrame(
    {
        "city_code": ["110000", "320100", "320100"],
        "year": pd.array([2020, 2019, 2020], dtype="int32"),
        "grp": [36102.6, None, 14818.0],
        "smart_city": pd.array([1, None, 0], dtype="Int32"),
        "city_name": ["北京市", "南京市", None],
        "note": [None, None, None],
    }
)
COMMENTS = {
    "grp": "地区生产总值。 Gross regional product, current prices. Later name. [亿元]",
    "smart_city": "智慧城市试点。 1 from the year of adoption on: national smart-city pilot.",
}


def _notes(path: Path) -> dict[tuple[str, str], str]:
    """Characteristics of a Stata file, read by the published description of format 118."""
    raw = path.read_bytes()
    body = raw[raw.index(b"<characteristics>") : raw.index(b"</characteristics>")]
    found, at = {}, len(b"<characteristics>")
    while body[at : at + 4] == b"<ch>":
        (length,) = struct.unpack("<I", body[at + 4 : at + 8])
        record = body[at + 8 : at + 8 + length]
        assert body[at + 8 + length : at + 13 + length] == b"</ch>"
        assert record.endswith(b"\0")
        names = (record[:129], record[129:258])
        variable, name = (part.split(b"\0")[0].decode() for part in names)
        found[variable, name] = record[258:-1].decode()
        at += 13 + length
    assert at == len(body)
    return found


def test_values_labels_and_notes_come_back(tmp_path: Path) -> None:
    path = tmp_path / "t.dta"
    write_stata(path, FRAME, COMMENTS, "SYNTHETIC. " + "A long title " * 10)
    with StataReader(path) as reader:
        back = reader.read()
        labels = reader.variable_labels()
        assert reader.data_label.startswith("SYNTHETIC. A long title")
    assert list(back["city_id"]) == [110000, 320100, 320100]
    assert list(back["city_code"]) == list(FRAME["city_code"])
    assert list(back["year"]) == [2020, 2019, 2020]
    assert back["grp"].isna().tolist() == [False, True, False]
    assert back["grp"].dropna().tolist() == [36102.6, 14818.0]
    assert back["smart_city"].isna().tolist() == [False, True, False]
    assert list(back["city_name"]) == ["北京市", "南京市", ""]
    assert labels["grp"] == "地区生产总值 Gross regional product, current prices [亿元]"
    notes = _notes(path)
    assert notes["grp", "note1"] == COMMENTS["grp"]
    assert notes["grp", "note0"] == "1"
    assert notes["_dta", "note1"].endswith("A long title ")
    assert ("note", "note1") not in notes


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_stata(tmp_path / name, FRAME, COMMENTS, "title")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("comment", "label"),
    [
        ("", ""),
        ("Sheet.", "Sheet"),
        (
            "年份。 Year the data refer to, not the edition.",
            "年份 Year the data refer to, not the edition",
        ),
        (
            "产业结构升级。 Tertiary over secondary. More text. [1]",
            "产业结构升级 Tertiary over secondary",
        ),
        ("占比。 Share of 2.5 per cent of GDP. More. [%]", "占比 Share of 2.5 per cent of GDP [%]"),
    ],
)
def test_a_label_is_term_first_sentence_and_unit(comment: str, label: str) -> None:
    assert variable_label(comment) == label


def test_long_labels_give_way_in_the_sentence() -> None:
    label = variable_label("中" * 30 + "。 " + "word " * 40 + ". [万元]")
    assert len(label) <= 80
    assert label.startswith("中" * 30 + " word")
    assert label.endswith("... [万元]")
    assert len(variable_label("中" * 200 + "。 Text. [万元]")) == 80


def test_long_names_stay_apart(tmp_path: Path) -> None:
    one, two = "a" * 32 + "_one", "a" * 32 + "_two"
    assert len(stata_name(one)) == 32
    assert stata_name(one) != stata_name(two)
    assert stata_name("short") == "short"
    write_stata(tmp_path / "t.dta", pd.DataFrame({one: [1.0], two: [2.0]}), {one: "First."}, "t")
    back = pd.read_stata(tmp_path / "t.dta")
    assert list(back.columns) == [stata_name(one), stata_name(two)]
    assert _notes(tmp_path / "t.dta")[stata_name(one), "note1"] == f"{one}: First."


def test_panel_and_samples_are_written_and_nothing_else(tmp_path: Path) -> None:
    names = ("city_year", "city_year_consistent", "sample_a", "provenance")
    tables = dict.fromkeys(names, FRAME)
    written = write_stata_tables(tmp_path / "stata", tables, {"city_year": COMMENTS}, "Title.")
    expected = ["panel_consistent.dta", "panel_stata.dta", "sample_a.dta"]
    assert sorted(p.name for p in written) == expected
    assert sorted(p.name for p in (tmp_path / "stata").iterdir()) == expected
    assert _notes(written[0])["_dta", "note1"] == "Title. Table city_year."
