"""The SQL prompt: answers, lists, finds and runs worked queries, says what is synthetic."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import pytest

from dagster_project.prompt import prompt, question, worked_queries
from dagster_project.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_home=tmp_path, landing=None)
    made.published.mkdir()
    with duckdb.connect(str(made.published / "panel.duckdb")) as connection:
        connection.execute("create table city_year as select '320100' as city_code, 5.5 as grp")
        connection.execute("comment on column city_year.grp is '地区生产总值。 GDP. [亿元]'")
    return made


def _type(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))


def test_one_query_is_answered_and_synthetic_data_named(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prompt(settings, "select grp from city_year") == 0
    assert "5.5" in capsys.readouterr().out
    (settings.published / "SYNTHETIC.txt").write_text("invented")
    assert prompt(settings, "select grp from city_year") == 0
    assert "SYNTHETIC" in capsys.readouterr().out
    assert prompt(settings, "select nothing from nowhere") == 1
    assert "nowhere" in capsys.readouterr().err


def test_columns_are_found_by_term_and_described_in_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _type(
        monkeypatch,
        ".tables",
        ".find 生产总值",
        ".describe city_year",
        ".describe nothing",
        ".quit",
    )
    assert prompt(settings) == 0
    shown = capsys.readouterr()
    assert "city_year                     1  " in shown.out
    assert shown.out.count("[亿元]") == 2
    assert "city_code" in shown.out
    assert "no table nothing" in shown.err


def test_a_query_may_take_several_lines(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _type(monkeypatch, "select grp * 2 as doubled", "from city_year;")
    assert prompt(settings) == 0
    assert "11.0" in capsys.readouterr().out


def test_a_wide_row_hides_no_column(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    columns = ", ".join(f"{i} as column_number_{i:02d}" for i in range(40))
    assert prompt(settings, f"select {columns}") == 0
    shown = capsys.readouterr().out
    assert all(f"column_number_{i:02d}  {i}\n" in shown for i in range(40))
    assert prompt(settings, f"select {columns} where false") == 0
    assert "no rows" in capsys.readouterr().out
    assert prompt(settings, f"select {columns} from range(5)") == 0
    assert "5 rows" in capsys.readouterr().out


def test_worked_queries_are_listed_with_questions_and_run(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len(worked_queries()) >= 10
    for path in worked_queries().values():
        assert question(path).endswith("?")
    own = tmp_path / "own.sql"
    own.write_text("-- Question: what is half of it?\nselect grp / 2 as half from city_year;\n")
    _type(monkeypatch, ".queries", f".run {own}", ".run 99", ".quit")
    assert prompt(settings) == 0
    shown = capsys.readouterr()
    assert "what is the GDP of a city in each year" in shown.out
    assert "2.75" in shown.out
    assert "no query 99" in shown.err


def test_without_a_release_the_message_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prompt(Settings(data_home=tmp_path / "empty", landing=None), "select 1") == 2
    assert "make run" in capsys.readouterr().err
