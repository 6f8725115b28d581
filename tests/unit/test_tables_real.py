"""The eight compiled workbooks as they lie: counts against openpyxl, spot cells, report."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from dagster_project.extract.discover import discover
from dagster_project.extract.table_mapping import column_key, load_mappings
from dagster_project.extract.tables import read_table

pytestmark = pytest.mark.real

# source: (file name part, sheet, year column or None for wide, value columns, cities)
LAYOUT = {
    "compiled_fdi": ("FDI", "Sheet1", "A", "C", 294),
    "compiled_industry": ("产业结构", "面板数据2000-2023", "A", "FGHIJKL", 342),
    "compiled_gdp": ("GDP相关", "Sheet1", "C", "DEFG", 296),
    "compiled_density": ("人口密度", "面板数据", "A", "FGI", 298),
    "compiled_road": ("道路面积", "地级市+县级市", "A", "F", 684),
    "compiled_edgar": ("碳排放强度", "Sheet1", "A", "G", 295),
    "compiled_finance": ("金融发展", "Sheet1", "A", "GHI", 300),
}


@pytest.fixture(scope="module")
def landing(real_data_dir) -> Path:
    if not (real_data_dir / "compiled").is_dir():
        pytest.skip(f"no folder {real_data_dir / 'compiled'}")
    return real_data_dir


@pytest.fixture(scope="module")
def results(landing):
    files = [f for f in discover(landing) if f.path.parent.name == "compiled"]
    assert len(files) == 8
    assert {f.source for f in files} == {*LAYOUT, "ceads"}
    mappings = load_mappings()
    return {f.source: read_table(f.path, mappings[f.source], relative_to=landing) for f in files}


def _sheet(landing: Path, part: str, sheet: str):
    (path,) = [p for p in (landing / "compiled").glob("*.xlsx") if part in p.name]
    return openpyxl.load_workbook(path, read_only=True, data_only=True)[sheet]


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        try:
            float(cell)
        except ValueError:
            return False
        return True
    return isinstance(cell, int | float) and not isinstance(cell, bool)


@pytest.mark.parametrize("source", LAYOUT)
def test_every_number_is_an_observation_or_a_reject(source, landing, results):
    part, sheet, year_column, value_columns, cities = LAYOUT[source]
    wanted = [ord(letter) - 65 for letter in value_columns]
    year_index = ord(year_column) - 65
    numbers = 0
    for row in _sheet(landing, part, sheet).iter_rows(min_row=2, values_only=True):
        if isinstance(row[year_index], int | float):
            numbers += sum(_is_number(row[i]) for i in wanted if i < len(row))
    result = results[source]
    assert numbers > 6000
    assert len(result.observations) + len(result.rejects) == numbers
    assert result.observations["entity_printed"].nunique() == cities
    assert result.observations["value"].notna().all()
    read = result.files.query("status == 'read'")
    assert list(read["sheet"]) == [sheet]
    assert read["n_observations"].sum() == len(result.observations)


def test_ceads_vector_and_matrix_hold_the_same_inventory(landing, results):
    numbers = 0
    for name, columns in (("emission vector", [3]), ("emission matrix", range(1, 25))):
        for row in _sheet(landing, "碳排放清单", name).iter_rows(min_row=2, values_only=True):
            numbers += sum(_is_number(row[i]) for i in columns)
    observations = results["ceads"].observations
    assert len(observations) == numbers == 2 * 3929
    pairs = observations.pivot_table(
        index=["entity_printed", "data_year"], columns="sheet", values="value"
    )
    assert len(pairs) == 3929
    assert (pairs["emission vector"] - pairs["emission matrix"]).abs().max() < 1e-9
    assert observations["unit_key"].eq("百万吨").all()
    assert "安徽安庆" in set(observations["entity_printed"])


@pytest.mark.parametrize("source", LAYOUT)
def test_spot_cells_equal_the_workbook(source, landing, results):
    part, name, *_ = LAYOUT[source]
    sheet = list(_sheet(landing, part, name).iter_rows(values_only=True))
    observations = results[source].observations
    for position in (0, len(observations) // 3, len(observations) - 1):
        row = observations.iloc[position]
        cell = sheet[int(row["row"]) - 1][int(row["col"]) - 1]
        assert float(cell) == row["value"]
        assert row["entity_printed"] in [str(c).strip() for c in sheet[int(row["row"]) - 1] if c]
        title = sheet[0][int(row["col"]) - 1]
        assert column_key(title) == column_key(row["indicator_printed"])


def test_known_cells(results):
    def value(source, indicator, city, year):
        rows = results[source].observations
        rows = rows[(rows["indicator_key"] == indicator) & (rows["entity_printed"] == city)]
        return rows.set_index("data_year")["value"][year]

    assert value("compiled_edgar", "co2_edgar", "北京市", 2000) == 43133076
    assert value("compiled_gdp", "grp", "上海市", 2000) == 4812.15
    assert value("compiled_finance", "loans", "北京市", 2003) == 120430934
    assert value("compiled_fdi", "fdi_actual", "龙岩", 2023) == 51
    assert value("compiled_industry", "grp", "北京市", 2023) == 43760.7  # stored as text
    assert value("compiled_road", "road_area_per_capita", "北京", 2002) == 8.05


def test_road_sections_follow_the_code(results):
    rows = results["compiled_road"].observations
    by_name = rows.groupby("entity_printed")["section"].agg(set).to_dict()
    assert by_name["河北"] == {"province"}
    assert by_name["北京"] == {"prefecture"}
    assert set(rows["section"]) == {"province", "prefecture", "county"}


def test_sheets_set_aside_say_why(results):
    report = results["compiled_industry"].files.set_index("sheet")
    assert report.loc["2023", "status"] == "set_aside"
    assert "panel sheet" in report.loc["2023", "reason"]
    assert results["compiled_fdi"].files.set_index("sheet").loc["Sheet2", "reason"] == "empty sheet"
    advert = results["compiled_density"].files.set_index("sheet").loc["面板数据", "reason"]
    assert advert == "2 rows of notes or adverts past the data"
    printed = results["compiled_density"].observations["entity_printed"]
    assert not printed.str.contains("淘宝|http").any()
