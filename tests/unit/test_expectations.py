"""Release rules: what they find, what they name, and when they do not apply."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from expectations import city_year, series, series_table
from expectations.runner import validate


@pytest.fixture
def panel() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    cities = [f"{c:06d}" for c in range(110000, 110000 + 290)]
    years = range(2015, 2021)
    frame = pd.DataFrame([(c, y) for c in cities for y in years], columns=["city_code", "year"])
    frame["city_name"] = "City " + frame["city_code"]
    size = rng.normal(7, 0.8, len(cities)).repeat(len(years))
    grp = np.exp(size + 0.06 * (frame["year"] - 2015) + rng.normal(0, 0.02, len(frame)))
    frame["grp"] = grp
    frame["share_primary"] = rng.uniform(2, 15, len(frame))
    frame["share_secondary"] = rng.uniform(30, 50, len(frame))
    frame["share_tertiary"] = 100 - frame["share_primary"] - frame["share_secondary"]
    for sector in ("primary", "secondary", "tertiary"):
        frame[f"value_added_{sector}"] = grp * frame[f"share_{sector}"] / 100
    frame["pop_resident"] = np.exp(size - 2.0)
    frame["grp_per_capita"] = grp * 1e4 / frame["pop_resident"]
    frame["smart_city"] = (frame["year"] >= 2017).astype(int) * (frame.index % 12 < 6)
    frame["low_carbon"] = (frame["year"] >= 2018).astype(int)
    frame["dual"] = frame["smart_city"] * frame["low_carbon"]
    return frame


def _result(report, rule: str):
    return next(r for r in report.results if r.rule == rule)


def test_a_clean_panel_fails_no_rule(panel: pd.DataFrame) -> None:
    report = validate(panel, city_year.RULES, name="city_year")
    assert [r.rule for r in report.results if r.status == "failed"] == []
    assert _result(report, "sector_shares_sum_to_100").n_checked == len(panel)
    absent = _result(report, "savings_household_within_deposits")
    assert absent.status == "not_applicable"
    assert "savings_household" in absent.message


def test_a_withdrawn_flag_is_critical_and_named(panel: pd.DataFrame) -> None:
    row = panel.index[(panel["city_code"] == "110000") & (panel["year"] == 2019)]
    panel.loc[row, ["smart_city", "dual"]] = 0
    report = validate(panel, city_year.RULES, name="city_year")
    assert {r.rule for r in report.critical_failures} == {"smart_city_absorbing", "dual_absorbing"}
    found = report.findings[report.findings["rule"] == "smart_city_absorbing"]
    assert found[["city_code", "year"]].to_numpy().tolist() == [["110000", 2019]]


def test_a_shifted_digit_names_city_year_value_and_cell(panel: pd.DataFrame) -> None:
    row = panel.index[(panel["city_code"] == "110003") & (panel["year"] == 2018)]
    panel.loc[row, "grp"] *= 10
    values = panel[["city_code", "city_name", "year", "grp"]].rename(columns={"grp": "value"})
    values = values.assign(
        province_code=values["city_code"].str[:2] + "0000",
        indicator="grp",
        scope="city",
        source="yearbook",
        source_cell="yearbook/2019/2-7.xlsx Sheet1 C" + values.index.astype(str),
    )
    report = validate(series_table.prepare(values), series.RULES, name="series")
    found = report.findings
    # Up by a factor of ten, and down again in the year after: one value is wrong, not two.
    assert found[["rule", "city_code", "year"]].to_numpy().tolist() == [
        ["digits_shifted", "110003", 2018]
    ]
    finding = found.iloc[0]
    assert finding["source_cell"] == f"yearbook/2019/2-7.xlsx Sheet1 C{row[0]}"
    assert finding["expected_low"] < finding["value"] / 10 < finding["expected_high"]
    assert "10 times" in finding["likely_cause"]
    message = _result(report, "digits_shifted").message
    assert "City 110003 2018" in message
    assert "2-7.xlsx" in message


def test_one_misprinted_share_warns_and_a_whole_year_of_them_stops(panel: pd.DataFrame) -> None:
    one = panel.copy()
    row = one.index[(one["city_code"] == "110004") & (one["year"] == 2016)]
    one.loc[row, "share_primary"] += 20
    report = validate(one, city_year.RULES, name="city_year")
    assert _result(report, "sector_shares_sum_to_100").status == "failed"
    assert report.critical_failures == []
    found = report.findings[report.findings["rule"] == "sector_shares_sum_to_100"]
    assert set(found["indicator"]) == {"share_primary", "share_secondary", "share_tertiary"}
    year = panel.copy()
    year.loc[year["year"] == 2016, "share_primary"] *= 10
    report = validate(year, city_year.RULES, name="city_year")
    assert {r.rule for r in report.critical_failures} == {"sector_shares_sum_to_100_by_year"}
    assert " 2016" in report.critical_failures[0].message


def test_the_whole_city_in_the_column_of_the_districts_is_found(panel: pd.DataFrame) -> None:
    panel["pop_resident_districts"] = panel["pop_resident"] * 0.4
    one_area = panel["city_code"] == "110007"  # a city without counties: always the same number
    panel.loc[one_area, "pop_resident_districts"] = panel["pop_resident"]
    row = panel.index[(panel["city_code"] == "110008") & (panel["year"] == 2018)]
    panel.loc[row, "pop_resident_districts"] = panel["pop_resident"]
    report = validate(panel, city_year.RULES, name="city_year")
    found = report.findings
    assert found[["rule", "city_code", "year", "indicator"]].to_numpy().tolist() == [
        ["pop_resident_of_districts_is_their_own", "110008", 2018, "pop_resident_districts"]
    ]


def test_expected_ranges_are_numbers_in_the_unit_of_the_value(panel: pd.DataFrame) -> None:
    row = panel.index[(panel["city_code"] == "110009") & (panel["year"] == 2018)]
    right = panel.loc[row, "grp_per_capita"].iloc[0]
    panel.loc[row, "grp_per_capita"] *= 100
    report = validate(panel, city_year.RULES, name="city_year")
    found = report.findings.set_index("indicator").loc["grp_per_capita"]
    assert found["rule"] == "gdp_per_capita_agrees"
    assert found["expected_low"] == pytest.approx(right / 1.33)
    assert found["expected_high"] == pytest.approx(right / 0.75)
    assert found["likely_cause"].startswith("digits shifted")


def test_a_gap_between_two_years_is_found(panel: pd.DataFrame) -> None:
    row = panel.index[(panel["city_code"] == "110005") & (panel["year"] == 2017)]
    panel.loc[row, "grp"] = np.nan
    first = panel.index[(panel["city_code"] == "110006") & (panel["year"] == 2015)]
    panel.loc[first, "grp"] = np.nan  # before the first value: not a gap
    report = validate(panel, city_year.RULES, name="city_year")
    found = report.findings[report.findings["rule"] == "no_gap_in_gdp"]
    assert found[["city_code", "year"]].to_numpy().tolist() == [["110005", 2017]]


def test_half_of_the_cities_missing_in_a_year_is_critical(panel: pd.DataFrame) -> None:
    thin = panel[(panel["year"] != 2016) | (panel["city_code"] < "110100")]
    report = validate(thin, city_year.RULES, name="city_year")
    assert "cities_in_every_year" in {r.rule for r in report.critical_failures}


def test_an_empty_panel_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        validate(pd.DataFrame(columns=["city_code", "year"]), city_year.RULES, name="city_year")


def test_data_docs_are_written(panel: pd.DataFrame, tmp_path) -> None:
    validate(panel, city_year.RULES, name="city_year", docs_dir=tmp_path / "docs")
    assert (tmp_path / "docs" / "index.html").exists()
