"""Tables as CSV and Parquet: what a reader finds in the file is what stood in the table."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project import flat_files
from dagster_project.extract.safety import escape_formula
from dagster_project.fingerprints import file_hashes


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


def test_numbers_text_gaps_and_truth_values(tmp_path: Path):
    table = pa.table(
        {
            "city_code": ["110000", "120000", None],
            "year": pa.array([2016, None, 2018], pa.int32()),
            "grp": [0.1, None, 25669.13],
            "synthetic": [True, None, False],
            '名"称': ["北京, 市", "", "two\nlines"],
        }
    )
    path = tmp_path / "t.csv"
    flat_files.write_csv(path, table)
    assert path.read_bytes().startswith("\ufeffcity_code,year".encode())
    assert _rows(path) == [
        ["city_code", "year", "grp", "synthetic", '名"称'],
        ["110000", "2016", "0.1", "True", "北京, 市"],
        ["120000", "", "", "", ""],
        ["", "2018", "25669.13", "False", "two\nlines"],
    ]
    # What people's programs make of it: the byte-order mark is no part of the name.
    assert list(pd.read_csv(path).columns) == list(table.column_names)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=6)
        | st.sampled_from(
            [
                "=1+1",
                " \u3000=1",
                "＋1",
                "-",
                "-1.5",
                "'",
                "@a",
                "\t=x",
                "\xa0-a",
                "中=1",
                "\u200b+a",
            ]
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_text_comes_back_without_formulas(tmp_path: Path, texts: list[str]):
    path = tmp_path / "t.csv"
    flat_files.write_csv(path, pa.table({"n": list(range(len(texts))), "text": texts}))
    found = [row[1] for row in _rows(path)[1:]]
    assert found == [escape_formula(text) for text in texts]


def test_a_file_is_taken_over_only_if_the_table_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
    written = []
    original = flat_files.write_csv
    monkeypatch.setattr(
        flat_files, "write_csv", lambda path, table: (written.append(path), original(path, table))
    )
    frame = pd.DataFrame({"grp": [1.0, 2.0]})
    flat_files.export(before, "city_year", frame)
    earlier = flat_files.Earlier(
        before, file_hashes(before, (p for p in before.rglob("*") if p.is_file()))
    )
    flat_files.export(after, "city_year", frame, earlier)
    flat_files.export(after, "other", frame, earlier)
    flat_files.export(after, "city_year", frame * 2, earlier)
    assert written == [
        before / "csv" / "city_year.csv",
        after / "csv" / "other.csv",
        after / "csv" / "city_year.csv",
    ]
    flat_files.export(after, "city_year", frame, earlier)
    for kind in ("csv", "parquet"):
        name = f"{kind}/city_year.{kind}"
        assert (after / name).read_bytes() == (before / name).read_bytes()
    sound = (before / "csv" / "city_year.csv").read_bytes()
    (before / "csv" / "city_year.csv").write_text("grp\n999\n")
    flat_files.export(after, "city_year", frame, earlier)
    assert (after / "csv" / "city_year.csv").read_bytes() == sound, "edited by hand, not taken over"
