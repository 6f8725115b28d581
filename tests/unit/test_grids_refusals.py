"""Grid files that must be refused, each with a message that says what is wrong and what to do."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from shapely.geometry import box

from dagster_project.extract.grid_names import check_product, grid_release, grid_year
from dagster_project.extract.grids import read_grid
from dagster_project.extract.schema import ExtractError
from tests.unit.test_grids_reduce import NAME, _axes, _dataset, _field, _tiff, _write


@pytest.fixture
def town() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"city_code": ["420100"], "name": ["甲市"]}, geometry=[box(110, 30, 112, 32)], crs=4326
    )


def _refused(path, kind, town, message):
    with pytest.raises(ExtractError, match=message):
        read_grid(path, kind, town, None, relative_to=path.parent)


def test_missing_file_and_unknown_kind(town, tmp_path):
    _refused(tmp_path / NAME, "edgar_co2", town, "cannot be opened")
    _refused(tmp_path / NAME, "rainfall", town, "unknown grid source 'rainfall'; expected one of")


def test_files_that_are_not_what_their_ending_says(town, tmp_path):
    path = tmp_path / NAME
    path.write_bytes(b"<html>not found</html>")
    _refused(path, "edgar_co2", town, "not a NetCDF file.*error page")
    values, lon, lat = _field()
    whole = _write(_dataset(values, lon, lat), tmp_path / "w" / NAME).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    _refused(path, "edgar_co2", town, "cannot be read as NetCDF.*download it again")
    image = tmp_path / "lights_2015.tif"
    image.write_bytes(b"II*\x00garbage")
    _refused(image, "nightlights", town, "cannot be read as GeoTIFF")


def test_wrong_variable_lists_what_was_found(town, tmp_path):
    values, lon, lat = _field()
    path = _write(_dataset(values, lon, lat, "rainfall"), tmp_path / NAME)
    _refused(
        path,
        "edgar_co2",
        town,
        r"expected the variable emissions or fluxes.*found rainfall\(lat, lon\)",
    )
    bare = xr.Dataset({"emissions": (("a", "b"), values)})
    path = _write(bare, tmp_path / "b" / NAME)
    _refused(path, "edgar_co2", town, "no longitude and latitude")


def test_wrong_and_missing_units(town, tmp_path):
    values, lon, lat = _field()
    path = _write(_dataset(values, lon, lat, units="furlong"), tmp_path / "a" / NAME)
    _refused(path, "edgar_co2", town, "is in 'furlong'; expected one of")
    path = _write(_dataset(values, lon, lat, units=""), tmp_path / "b" / NAME)
    _refused(path, "edgar_co2", town, "states no unit")
    path = _write(_dataset(values % 50, lon, lat, "PM25", "kg m-3"), tmp_path / "pm_2015.nc")
    _refused(path, "pm25", town, "is in 'kg m-3'")


def test_silent_pm25_file_is_read_with_a_note(town, tmp_path):
    values, lon, lat = _field()
    path = _write(_dataset(values % 50, lon, lat, "GWRPM25", ""), tmp_path / "pm_2015.nc")
    result = read_grid(path, "pm25", town, None, relative_to=tmp_path)
    assert result.observations.loc[0, "note"] == "unit not stated in the file, taken as ug/m3"


def test_impossible_values_and_missing_marks(town, tmp_path):
    values, lon, lat = _field()
    marked = values % 50
    marked[60:75, 55:60] = -999.0
    path = _write(_dataset(marked, lon, lat, "PM25", "ug/m3"), tmp_path / "pm_2015.nc")
    result = read_grid(path, "pm25", town, None, relative_to=tmp_path)
    assert 0 < result.observations.loc[0, "value"] < 50
    assert "undeclared missing mark -999" in result.observations.loc[0, "note"]
    marked[60, 55] = 87654.0
    path = _write(_dataset(marked, lon, lat, "PM25", "ug/m3"), tmp_path / "pm_2016.nc")
    _refused(path, "pm25", town, r"PM25 is 87654 at 110\.550 E, 31\.050 N; expected 0 to 2000")


def test_grid_elsewhere_irregular_or_monthly(town, tmp_path):
    lon, lat = _axes(west=-100, east=-85)
    path = _write(_dataset(_field()[0], lon, lat), tmp_path / "a" / NAME)
    _refused(path, "edgar_co2", town, "does not touch the cities")
    values, lon, lat = _field()
    bent = lat.copy()
    bent[70:] += 0.07
    path = _write(_dataset(values, lon, bent), tmp_path / "b" / NAME)
    _refused(path, "edgar_co2", town, "latitude is not evenly spaced")
    monthly = _dataset(values, lon, lat).expand_dims(time=np.arange(12))
    path = _write(monthly, tmp_path / "c" / NAME)
    _refused(path, "edgar_co2", town, "12 steps of time; expected one annual field")


def test_projected_and_many_banded_images(town, tmp_path):
    values = np.ones((150, 150), dtype="f4")
    path = _tiff(values, tmp_path / "lights_2015.tif", west=0, north=0, step=1000, crs="EPSG:3857")
    _refused(path, "nightlights", town, "EPSG:3857; expected longitude and latitude.*gdalwarp")


def test_substance_sector_and_year_are_checked(town, tmp_path):
    values, lon, lat = _field()
    for name, message in {
        "v8.0_FT2022_GHG_CH4_2015_TOTALS_emi.nc": "the name says CH4",
        "v8.0_FT2022_GHG_CO2_2015_ENE_emi.nc": "the sector ENE only",
        "v6.0_CO2_org_short-cycle_C_2015_TOTALS.0.1x0.1.nc": "biogenic",
        "annual_emissions.nc": "no year in the file name",
        "co2_2014_2015.nc": "several years",
    }.items():
        _refused(_write(_dataset(values, lon, lat), tmp_path / name), "edgar_co2", town, message)
    data = _dataset(values, lon, lat, substance="N2O")
    _refused(_write(data, tmp_path / NAME), "edgar_co2", town, "holds N2O; expected fossil CO2")
    data = _dataset(values, lon, lat, year="2011")
    path = _write(data, tmp_path / "y" / NAME)
    _refused(path, "edgar_co2", town, "the name says 2016, the attribute year inside the file 2011")


@pytest.mark.parametrize(
    ("name", "kind", "year", "release"),
    [
        ("v8.0_FT2022_GHG_CO2_2015_TOTALS_emi.nc", "edgar_co2", 2015, "v8.0_FT2022"),
        ("EDGAR_2024_GHG_CO2_2023_TOTALS_emi.nc", "edgar_co2", 2023, "EDGAR_2024_GHG"),
        ("v6.0_CO2_excl_short-cycle_org_C_2018_TOTALS.0.1x0.1.nc", "edgar_co2", 2018, "v6.0"),
        ("SYNTHETIC_v8.0_FT2022_GHG_CO2_2003_TOTALS_flx.nc", "edgar_co2", 2003, "v8.0_FT2022"),
        ("V6GL02.02.CNNPM25.0p10.AS.201501-201512.nc", "pm25", 2015, "V6GL02.02"),
        ("V5GL04.HybridPM25.Asia.201001-201012.nc", "pm25", 2010, "V5GL04"),
        ("F182013.v4c_web.stable_lights.avg_vis.tif", "nightlights", 2013, "F18"),
        ("VNL_v21_npp_2015_global_vcmslcfg_c202205302300.tif", "nightlights", 2015, "VNL_v21"),
        ("SRTM_china_1km.tif", "elevation", None, "SRTM"),
    ],
)
def test_names_as_published_state_year_and_release(name, kind, year, release):
    check_product(name, kind)
    assert grid_year(name, kind) == year
    assert grid_release(name, kind) == release


def test_part_of_a_year_is_refused():
    with pytest.raises(ExtractError, match=r"one calendar year.*201504-201603"):
        grid_year("VNL_v21_npp_201504-201603_global.tif", "nightlights")
