"""From the warehouse to the published table of findings, and the list of true jumps."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from dagster_project import gates, release, release_docs
from dagster_project.resources import connect
from dagster_project.settings import PROJECT_ROOT, Settings
from expectations import allowed, sources, suites
from expectations.runner import FINDING_COLUMNS

CITIES = [f"{code:06d}" for code in range(110000, 110300)]
WRONG = "110007"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A warehouse of 300 cities in which a second-hand file has one GDP wrong."""
    made = Settings(data_home=tmp_path / "data", landing=None)
    made.data_home.mkdir(parents=True)
    keys = pd.MultiIndex.from_product([CITIES, range(2015, 2021)]).to_frame(index=False)
    keys.columns = ["city_code", "year"]
    grp = 1000.0 + 50 * (keys["year"] - 2015) + keys["city_code"].astype(int) % 300
    panel = keys.assign(city_name="City " + keys["city_code"], province_code="110000", grp=grp)
    cell = "B" + (panel.index + 2).astype(str)
    primary = pd.DataFrame(
        {"level": "city", "unit_code": panel["city_code"], "data_year": panel["year"],
         "indicator": "grp", "scope": "city", "item": "", "value": panel["grp"],
         "value_printed": panel["grp"].map("{:.0f}".format), "conversion_factor": 1.0,
         "source": "yearbook", "release": "x", "preference_rank": 10, "candidate_no": 1,
         "file": "yearbook.xlsx", "sheet": "Sheet1", "cell": cell}
    )  # fmt: skip
    second = primary.assign(
        source="compiled", preference_rank=60, candidate_no=2, file="compiled.xlsx",
        value=primary["value"] + 0.4, value_printed=(primary["value"] + 0.4).map("{:.1f}".format),
    )  # fmt: skip
    second.loc[(second["unit_code"] == WRONG) & (second["data_year"] == 2018), "value"] *= 10
    candidates = pd.concat([primary, second], ignore_index=True)
    provenance = primary.rename(
        columns={"unit_code": "city_code", "data_year": "year", "indicator": "column_name"}
    ).assign(is_filled=0)
    with duckdb.connect(str(made.warehouse)) as connection:
        for name, frame in (
            ("city_year", panel), ("int_candidates", candidates), ("provenance", provenance),
        ):  # fmt: skip
            connection.register("incoming", frame)
            connection.execute(f"create table {name} as select * from incoming")
            connection.unregister("incoming")
        connection.execute(
            "create table sources as select 'yearbook' as source, 'a.xlsx' as file, "
            "'ff' as file_sha256, 'read' as status"
        )
    return made


def _check(settings: Settings) -> str:
    with connect(settings.warehouse, read_only=True) as connection:
        fingerprint = gates.panel_fingerprint(connection, "city_year")
        report = suites.check_panel(
            connection.execute("select * from city_year").df(),
            values=gates.panel_series(connection),
            observations=gates.source_values(connection),
            provenance=gates.source_cells(connection),
        )
    gates.record(settings, "city_year", fingerprint, report)
    return fingerprint


def test_a_finding_reaches_the_published_database(settings: Settings) -> None:
    fingerprint = _check(settings)
    docs = [
        release_docs.TableDoc("city_year", "The panel.", {"grp": "GDP, 亿元"}),
        release_docs.TableDoc("sources", "What was read.", {}),
    ]
    record = gates.require_passed(settings, "city_year", fingerprint)
    made = release.build_panel_release(settings, docs, record, synthetic=True)
    with duckdb.connect(str(settings.published / "panel.duckdb"), read_only=True) as connection:
        found = connection.execute("select * from findings").df()
        comment = connection.execute(
            "select comment from duckdb_columns() "
            "where table_name = 'findings' and column_name = 'likely_cause'"
        ).fetchone()
    assert comment == (release_docs.FINDINGS_DOC.columns["likely_cause"],)
    assert list(found.columns) == FINDING_COLUMNS == list(release_docs.FINDINGS_DOC.columns)
    # 0.4 is less than the yearbook's rounding to whole 亿元: only the shifted value is a finding.
    assert found[["rule", "city_code", "year"]].to_numpy().tolist() == [
        ["conflict_with_primary_source", WRONG, 2018]
    ]
    row = found.iloc[0]
    assert row["likely_cause"] == "digits shifted: 10 times"
    assert row["source"] == "compiled"
    assert row["source_cell"].startswith("compiled.xlsx Sheet1 B")
    assert row["expected"].startswith("yearbook has 1357 [yearbook.xlsx Sheet1 B")
    assert row["expected_low"] < 1357 < row["expected_high"] < row["value"] / 9
    assert made["rows"]["findings"] == 1
    assert (settings.published / "csv" / "findings.csv").exists()


def test_better_rules_leave_the_identity_of_a_release(settings: Settings) -> None:
    fingerprint = _check(settings)
    docs = [release_docs.TableDoc("city_year", "The panel.", {})]
    record = gates.require_passed(settings, "city_year", fingerprint)
    before = release.build_panel_release(settings, docs, record, synthetic=True)
    types = gates.read_findings(settings).dtypes
    empty = gates.read_findings(settings).iloc[:0]
    empty.to_parquet(gates.findings_path(settings))
    # The columns have one type each, whether or not anything was found.
    assert gates.read_findings(settings).dtypes.equals(types)
    gates.findings_path(settings).unlink()
    assert gates.read_findings(settings).dtypes.equals(types)
    after = release.build_panel_release(settings, docs, record, synthetic=True)
    assert (before["rows"]["findings"], after["rows"]["findings"]) == (1, 0)
    assert before["release"] == after["release"]


def test_a_lost_province_stops_a_primary_source_and_not_a_second_hand_one() -> None:
    keys = pd.MultiIndex.from_product([CITIES, range(2015, 2021)]).to_frame(index=False)
    keys.columns = ["city_code", "year"]
    cities = keys.assign(city_name="x", province_code=keys["city_code"].str[:4])
    gone = keys["city_code"].isin(CITIES[10:14]) & (keys["year"] >= 2018)
    for rank, rule, severity in (
        (10, "source_loses_a_block_of_cities", "critical"),
        (60, "source_loses_a_city", "warning"),
    ):
        values = cities[~gone].assign(source="s", rank=rank)
        table = sources.prepare_city_sets(values, cities)
        report = suites.validate(table, sources.CITY_SET_RULES, name="cities")
        found = report.findings
        assert set(found["rule"]) == {rule}
        assert set(found["severity"]) == {severity}
        # Named once, in the first year without them.
        assert set(found["year"]) == {2018}
        assert sorted(found["city_code"]) == CITIES[10:14]


def test_true_jumps_name_cities_of_the_panel_and_say_why() -> None:
    listed = allowed.load()
    known = pd.read_csv(PROJECT_ROOT / "dbt" / "seeds" / "cities.csv", dtype=str)
    names = known.set_index("city_code")["name_zh"]
    assert set(listed["city_code"]) <= set(names.index)
    assert (listed["city_code"].map(names) == listed["city"]).all()
    assert set(listed["scope"]) <= {"", "city", "districts"}
    assert set(listed["confidence"]) <= {"verified", "from memory"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("110000,北京市,2010,grp,city,,verified", "北京市 2010 has no reason"),
        ("110000,北京市,2010,grp,city,x,verified\n110000,北京市,2010,grp,city,y,verified", "twice"),
    ],
)
def test_a_true_jump_without_a_reason_or_named_twice_is_refused(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "jumps.csv"
    path.write_text(",".join(allowed.COLUMNS) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        allowed.load(path)
