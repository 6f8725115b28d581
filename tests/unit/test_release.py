"""Releases: swapped in whole, readable by others, refused by the gate, kept when refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from dagster_project import gates, release, release_docs
from dagster_project.resources import connect
from dagster_project.settings import Settings, SettingsError
from estimation.studies.runner import DIAGNOSTIC_COLUMNS, ESTIMATE_COLUMNS
from expectations.runner import GateReport, RuleResult

DOCS = [
    release_docs.TableDoc(
        "city_year", "The panel.", {"city_code": "GB/T 2260 code", "grp": "GDP, 亿元"}
    ),
    release_docs.TableDoc("sources", "What was read.", {"file": "Path below the landing folder"}),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_home=tmp_path / "data", landing=None)


def _warehouse(settings: Settings, grp: float = 100.0) -> str:
    settings.data_home.mkdir(parents=True, exist_ok=True)
    settings.warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(
            "create table city_year as select * from (values ('110000', 2020, ?::double, '=1+1'), "
            "('120000', 2020, 50.0, 'x')) t(city_code, year, grp, note)",
            [grp],
        )
        connection.execute(
            "create table sources as select 'yearbook' as source, 'a.xlsx' as file, "
            "'ff' as file_sha256, 'read' as status"
        )
        return gates.panel_fingerprint(connection, "city_year")


def _report(status: str = "passed", severity: str = "critical") -> GateReport:
    result = RuleResult(
        "some_rule", severity, "d", status, 2, 1, "Beijing 2020: grp = 1 [a.xlsx C3]"
    )
    return GateReport((result,), pd.DataFrame({"rule": ["some_rule"]}))


def _publish(settings: Settings) -> dict:
    with connect(settings.warehouse, read_only=True) as connection:
        fingerprint = gates.panel_fingerprint(connection, "city_year")
    record = gates.require_passed(settings, "city_year", fingerprint)
    return release.build_panel_release(settings, DOCS, record, synthetic=True)


def test_release_has_tables_comments_and_notice(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    made = _publish(settings)
    assert made["synthetic"] is True
    assert "SYNTHETIC" in made["notice"]
    assert made["rows"]["city_year"] == 2
    with duckdb.connect(str(settings.published / "panel.duckdb"), read_only=True) as connection:
        comment = connection.execute(
            "select comment from duckdb_columns() where table_name='city_year' "
            "and column_name='grp'"
        ).fetchone()
        assert comment == ("GDP, 亿元",)
        assert connection.execute("select count(*) from estimates").fetchone() == (0,)
        # Without estimates the columns still have types, so that queries on them run.
        assert connection.execute(
            "select count(*) from duckdb_columns() where not internal "
            "and contains(data_type, 'NULL')"
        ).fetchone() == (0,)
        assert (
            connection.execute(
                "select sign(estimate), upper(term) from estimates where synthetic"
            ).fetchall()
            == []
        )
        assert connection.execute(
            "select comment from duckdb_tables() where table_name='city_year'"
        ).fetchone() == ("SYNTHETIC. The panel.",)
    saved = json.loads((settings.published / "release.json").read_text())
    assert saved["sources"] == [
        {"source": "yearbook", "file": "a.xlsx", "file_sha256": "ff", "status": "read"}
    ]
    text = (settings.published / "csv" / "city_year.csv").read_text(encoding="utf-8-sig")
    assert "=1+1" in text
    assert ",=1+1" not in text, "a spreadsheet would run this cell"


def test_the_file_keeps_the_older_storage_version(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    _publish(settings)
    with duckdb.connect(str(settings.published / "panel.duckdb"), read_only=True) as connection:
        row = connection.execute(
            "select tags from duckdb_databases() where database_name = 'panel'"
        ).fetchone()
    assert row is not None
    assert "v1.2" in str(row[0]), f"written with {row[0]}"


def test_same_panel_same_release_and_bytes(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    first = _publish(settings)
    one = (settings.published / "parquet" / "city_year.parquet").read_bytes()
    gates.record(settings, "city_year", _warehouse(settings), _report())
    second = _publish(settings)
    assert first["release"] == second["release"]
    assert one == (settings.published / "parquet" / "city_year.parquet").read_bytes()
    gates.record(settings, "city_year", _warehouse(settings, grp=101.0), _report())
    assert _publish(settings)["release"] != first["release"]


def _standing(settings: Settings, docs: list[release_docs.TableDoc] = DOCS) -> dict | None:
    record = json.loads(gates.record_path(settings).read_text())
    return release.standing_release(settings, docs, record, synthetic=True)


def test_a_release_stands_while_everything_that_makes_it_is_unchanged(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    assert _standing(settings) is None, "nothing is published yet"
    published = _publish(settings)
    assert _standing(settings) == published
    warehouse, record = settings.warehouse.read_bytes(), gates.record_path(settings).read_bytes()

    gates.record(settings, "city_year", _warehouse(settings, grp=101.0), _report())
    assert _standing(settings) is None, "another panel"
    settings.warehouse.write_bytes(warehouse)
    gates.record_path(settings).write_bytes(record)
    assert _standing(settings) == published

    gates.record(settings, "city_year", "fingerprint", _report("failed", "warning"))
    assert _standing(settings) is None, "another report of the gates"
    gates.record_path(settings).write_bytes(record)

    other = [release_docs.TableDoc("city_year", "Other words.", {}), DOCS[1]]
    assert _standing(settings, other) is None, "another comment"
    outcomes = settings.lake / "derived" / "outcomes.json"
    outcomes.parent.mkdir(parents=True)
    outcomes.write_text('{"stamp": "x"}')
    assert _standing(settings) is None, "outcomes computed in another way"
    outcomes.unlink()
    assert _standing(settings) == published


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("csv/sources.csv", None),
        ("csv/sources.csv", b"source,file\n"),
        ("parquet/city_year.parquet", b"x"),
        ("parquet/findings.parquet", b"x"),
        ("panel.duckdb", None),
        ("panel.duckdb", b"x"),
        ("panel.duckdb.wal", b""),
        ("stata/panel_stata.dta", b"x"),
        ("SYNTHETIC.txt", None),
    ],
)
def test_a_damaged_release_does_not_stand(
    settings: Settings, file: str, content: bytes | None
) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    _publish(settings)
    assert _standing(settings) is not None
    path = settings.published / file
    path.unlink() if content is None else path.write_bytes(content)
    assert _standing(settings) is None


def test_a_table_edited_by_hand_does_not_travel_into_the_next_release(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    made = _publish(settings)
    csv = settings.published / "csv" / "city_year.csv"
    sound = csv.read_bytes()
    csv.write_text("city_code,grp\n110000,999\n")
    # Estimates go into a copy of the release: neither is the edit vouched for there.
    release.add_estimates(settings, *_estimates(made["release"]))
    assert _standing(settings) is None
    _publish(settings)
    assert (settings.published / "csv" / "city_year.csv").read_bytes() == sound
    assert _standing(settings) is not None


def test_a_release_stands_with_its_estimates(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    made = _publish(settings)
    with_estimates = release.add_estimates(settings, *_estimates(made["release"]))
    assert _standing(settings) == with_estimates
    assert with_estimates["files"]["panel.duckdb"] != made["files"]["panel.duckdb"]
    (settings.published / "parquet" / "estimates.parquet").write_bytes(b"x")
    assert _standing(settings) is None
    assert _publish(settings)["estimates_of"] is None, "estimates of another hand are not kept"


def test_a_database_edited_by_hand_is_not_vouched_for_with_the_estimates(
    settings: Settings,
) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    made = _publish(settings)
    with duckdb.connect(str(settings.published / "panel.duckdb")) as connection:
        connection.execute("update city_year set grp = 999")
    release.add_estimates(settings, *_estimates(made["release"]))
    assert _standing(settings) is None


def _leave_a_log(database: Path, statement: str) -> None:
    """Change a database as a process does that is killed before DuckDB moves its log."""
    code = f"import duckdb,os;c=duckdb.connect({str(database)!r});c.execute({statement!r});"
    subprocess.run([sys.executable, "-c", code + "os._exit(9)"], check=False)
    assert database.with_name(database.name + ".wal").exists()


def test_a_release_does_not_stand_if_its_warehouse_has_unwritten_changes(
    settings: Settings,
) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    _publish(settings)
    _leave_a_log(settings.warehouse, "update city_year set grp = 999")
    assert _standing(settings) is None


def test_a_report_is_taken_again_for_the_same_tables_and_rules_only(settings: Settings) -> None:
    fingerprint = _warehouse(settings)
    gates.record(settings, "city_year", fingerprint, _report(), "tables and rules")
    docs = gates.docs_path(settings)
    assert gates.recorded(settings, "tables and rules") is None, "its pages are not there"
    docs.mkdir(parents=True)
    (docs / "index.html").write_text("")
    again = gates.recorded(settings, "tables and rules")
    assert again is not None
    assert again[0].results == _report().results
    assert again[0].findings["rule"].tolist() == ["some_rule"]
    assert gates.recorded(settings, "other tables") is None
    gates.record(settings, "city_year", fingerprint, _report())
    assert gates.recorded(settings, "") is None, "a record that does not say what it checked"
    gates.record_path(settings).write_text('{"inputs": "tables and rules"}')
    assert gates.recorded(settings, "tables and rules") is None


@pytest.mark.parametrize("case", ["failed", "unchecked", "changed"])
def test_refusal_leaves_the_last_release(settings: Settings, case: str) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    before = _publish(settings)
    fingerprint = _warehouse(settings, grp=1.0)
    if case == "failed":
        gates.record(settings, "city_year", fingerprint, _report("failed"))
        expected = r"some_rule: Beijing 2020: grp = 1 \[a.xlsx C3\]"
    elif case == "unchecked":
        gates.record_path(settings).unlink()
        expected = "never checked"
    else:
        expected = "has changed since"
    with pytest.raises(gates.GateRefusal, match=expected):
        _publish(settings)
    assert release.read_release(settings) == before


def test_a_failed_warning_does_not_stop_a_release(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report("failed", "warning"))
    assert _publish(settings)["rows"]["city_year"] == 2


def _estimates(panel_release: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    estimates = pd.DataFrame([{"study": "x", "term": "t", "estimate": 1.0}])
    estimates = estimates.reindex(columns=ESTIMATE_COLUMNS).assign(
        panel_release=panel_release, synthetic=True
    )
    diagnostics = pd.DataFrame([{"study": "x", "name": "n"}]).reindex(columns=DIAGNOSTIC_COLUMNS)
    return estimates, diagnostics.assign(panel_release=panel_release, synthetic=True)


def test_estimates_join_their_own_release_only(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    made = _publish(settings)
    release.add_estimates(settings, *_estimates(made["release"]))
    with duckdb.connect(str(settings.published / "panel.duckdb"), read_only=True) as connection:
        assert connection.execute("select estimate from estimates").fetchall() == [(1.0,)]
    with pytest.raises(release.ReleaseError, match="run the job `estimates` again"):
        release.add_estimates(settings, *_estimates("another"))
    # The same panel again keeps its estimates; another panel does not.
    _publish(settings)
    assert len(pd.read_parquet(settings.published / "parquet" / "estimates.parquet")) == 1
    gates.record(settings, "city_year", _warehouse(settings, grp=3.0), _report())
    _publish(settings)
    assert len(pd.read_parquet(settings.published / "parquet" / "estimates.parquet")) == 0


def test_a_reader_does_not_block_a_release_nor_the_other_way(settings: Settings) -> None:
    gates.record(settings, "city_year", _warehouse(settings), _report())
    _publish(settings)
    path = settings.published / "panel.duckdb"
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb,sys\n"
            f"c=duckdb.connect({str(path)!r},read_only=True)\n"
            "print(c.execute('select max(grp) from city_year').fetchone()[0],flush=True)\n"
            "sys.stdin.readline()\n"
            "print(c.execute('select max(grp) from city_year').fetchone()[0],flush=True)\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdin is not None
    assert reader.stdout.readline().strip() == "100.0"
    # Five releases, so that the folder that the reader holds open is cleaned away too.
    for value in range(200, 205):
        gates.record(settings, "city_year", _warehouse(settings, grp=float(value)), _report())
        _publish(settings)
    reader.stdin.write("\n")
    reader.stdin.flush()
    assert reader.stdout.readline().strip() == "100.0"
    assert reader.wait(timeout=30) == 0
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("select max(grp) from city_year").fetchone() == (204.0,)


def test_only_the_last_releases_are_kept(settings: Settings) -> None:
    for value in range(5):
        gates.record(settings, "city_year", _warehouse(settings, grp=float(value)), _report())
        _publish(settings)
    kept = [p for p in settings.releases.iterdir() if p.is_dir()]
    assert len(kept) == settings.keep_releases
    assert settings.published.resolve() in kept


def test_a_place_that_cannot_be_written_is_one_clear_message(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SettingsError, match=r"cannot be written.*Choose another folder"):
        Settings(data_home=blocked / "data", landing=None).prepare()


def test_a_landing_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"LANDING=.*nowhere is not a folder"):
        Settings(data_home=tmp_path / "d", landing=tmp_path / "nowhere").prepare()
