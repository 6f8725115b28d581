"""The gates on the real files: errors of a second-hand file against the yearbooks, by rule alone.

The list of errors is found again in this test with plain arithmetic on the two files, so that it
does not rest on the rule that it tests.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from dagster_project.extract import crosswalk, registry
from dagster_project.extract.discover import discover
from dagster_project.extract.table_mapping import load_mappings
from dagster_project.extract.tables import read_table
from dagster_project.extract.yearbook import read_edition
from expectations import series, series_table, sources
from expectations.runner import GateReport, validate

pytestmark = pytest.mark.real

SECOND_HAND = "compiled_industry"
# The yearbook prints GDP in whole 亿元.
ROUNDING, TOLERANCE = 0.5, 0.002


@pytest.fixture(scope="module")
def observations(real_data_dir: Path) -> pd.DataFrame:
    """Values of the yearbooks and of the compiled industry structure, as the gates get them."""
    folders = [p for p in (real_data_dir / "yearbook").glob("*") if p.is_dir()]
    files = [f for f in discover(real_data_dir) if f.source == SECOND_HAND]
    if not folders or not files:
        pytest.skip(f"no yearbook editions or no compiled industry file in {real_data_dir}")
    read = [read_edition(f, relative_to=real_data_dir).observations for f in sorted(folders)]
    mapping = load_mappings()[SECOND_HAND]
    read += [read_table(f.path, mapping, relative_to=real_data_dir).observations for f in files]
    frame = pd.concat([f[f["section"] == "prefecture"] for f in read], ignore_index=True)
    names = crosswalk.resolve_frame(frame)[
        ["entity_printed", "province_printed", "data_year", "city_code"]
    ]
    known = registry.load()
    heads = frame[["source", "indicator_key", "unit_key", "scope", "data_year"]].drop_duplicates()
    found = [
        known.lookup(r.source, r.indicator_key or "", r.unit_key or "", r.scope or "", r.data_year)
        for r in heads.fillna("").itertuples()
    ]
    heads = heads.assign(indicator=[m.indicator for m in found], factor=[m.factor for m in found])
    frame = frame.merge(heads, on=["source", "indicator_key", "unit_key", "scope", "data_year"])
    frame = frame.merge(names, on=["entity_printed", "province_printed", "data_year"])
    frame = frame.dropna(subset=["city_code", "indicator", "value", "factor"])
    decimals = frame["value_printed"].map(lambda v: len((re.findall(r"\.(\d+)", v) or [""])[0]))
    rank = frame["source"].map({"yearbook": 10, SECOND_HAND: 60})
    frame = pd.DataFrame(
        {
            "city_code": frame["city_code"],
            "city_name": frame["entity_printed"],
            "province_code": frame["city_code"].str[:2] + "0000",
            "year": frame["data_year"].astype(int),
            "indicator": frame["indicator"],
            "scope": frame["scope"].where(frame["scope"] == "districts", "city"),
            "value": frame["value"] * frame["factor"],
            "half_unit": 0.5 * 10.0**-decimals * frame["factor"],
            "source": frame["source"],
            "release": frame["release"],
            "rank": rank,
            "source_cell": frame["file"] + " " + frame["sheet"] + " " + frame["cell"],
        }
    )
    key = ["city_code", "year", "indicator", "scope"]
    frame = frame.sort_values([*key, "rank", "source_cell"]).reset_index(drop=True)
    return frame.assign(candidate_no=frame.groupby(key).cumcount() + 1)


@pytest.fixture(scope="module")
def conflicts(observations: pd.DataFrame) -> GateReport:
    table = sources.prepare_conflicts(observations)
    return validate(table, sources.CONFLICT_RULES, name="conflicts")


def test_gdp_errors_of_the_compiled_file_are_found_without_naming_a_city(
    observations: pd.DataFrame, conflicts: GateReport
) -> None:
    grp = observations[(observations["indicator"] == "grp") & (observations["scope"] == "city")]
    sides = {
        source: grp[grp["source"] == source].drop_duplicates(["city_code", "year"])
        for source in ("yearbook", SECOND_HAND)
    }
    both = sides["yearbook"].merge(sides[SECOND_HAND], on=["city_code", "year"], suffixes=("", "2"))
    assert len(both) > 850
    gap = (both["value2"] - both["value"]).abs()
    off = both[gap > ROUNDING + both["half_unit2"] + TOLERANCE * both["value"]]
    true = set(zip(off["city_code"], off["year"], strict=True))
    found = conflicts.findings
    found = found[(found["rule"] == "conflict_with_primary_source") & (found["indicator"] == "grp")]
    assert set(zip(found["city_code"], found["year"], strict=True)) == true
    assert {("150600", 2022), ("340400", 2022)} <= true
    print("\n" + found[["city_name", "year", "value", "expected", "likely_cause"]].to_string())
    causes = found.set_index(["city_code", "year"])["likely_cause"]
    # The GDP of the whole autonomous region stands in place of the city's.
    assert causes["150600", 2022] == "total of the province in place of the city"
    assert causes["340400", 2022].startswith(f"an error of {SECOND_HAND} in this year")
    inside = (found["value"] < found["expected_low"]) | (found["value"] > found["expected_high"])
    assert inside.all()
    assert found["source_cell"].str.contains("产业结构").all()


def test_few_yearbook_values_are_flagged_and_the_known_misprints_are_among_them(
    observations: pd.DataFrame,
) -> None:
    values = observations[observations["source"] == "yearbook"]
    values = values.drop_duplicates(["city_code", "year", "indicator", "scope"])
    report = validate(series_table.prepare(values), series.RULES, name="series")
    assert report.critical_failures == []
    found = report.findings
    print(f"\n{len(found)} of {len(values):,} printed values flagged")
    print(found.groupby(["rule", "indicator", "likely_cause"]).size().to_string())
    assert len(found) < 0.005 * len(values)
    digits = found[found["rule"] == "digits_shifted"]
    shares = digits[digits["indicator"].str.startswith("share_")]
    # Shares are bounded: a shifted one shows by itself, above 100 or off the sum of 100.
    wrong = values[values["indicator"].str.startswith("share_") & (values["value"] > 100)]
    there = set(
        wrong[["city_code", "year", "indicator", "scope"]].itertuples(index=False, name=None)
    )
    named = set(
        shares[["city_code", "year", "indicator", "scope"]].itertuples(index=False, name=None)
    )
    assert len(there) >= 5
    assert there <= named
