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
    ("name", "kind", "message"),
    [
        ("v432_CO2_excl_short-cycle_org_C_2012_IPCC_1A1a.0.1x0.1.nc", "edgar_co2",
         "IPCC_1A1a only"),
        ("v6.0_CO2_excl_short-cycle_org_C_2018_TNR_Aviation_CDS.0.1x0.1.nc", "edgar_co2",
         "sector TNR_Aviation_CDS only"),
        ("EDGAR_2024_GHG_CO2_2021_AGS_emi.nc", "edgar_co2", "sector AGS only"),
        ("v6.0_CO2_excl_short-cycle_org_C_2018_1_TOTALS.0.1x0.1.nc", "edgar_co2", "month 1"),
        ("EDGAR_2024_GHG_CO2bio_2023_TOTALS_emi.nc", "edgar_co2", "the name says CO2bio"),
        ("GlobalGWRc_PM25_GL_201301_201312-RH35_Median_NoDust_NoSalt.nc", "pm25", "without dust"),
        ("VNL_v21_npp_2018_global_vcmslcfg_c202205302300.cf_cvg.dat.tif", "nightlights", "cf_cvg"),
        ("VNL_v21_npp_2018_global_vcmslcfg_c202205302300.lit_mask.dat.tif", "nightlights",
         "lit_mask is no mean brightness"),
        ("VNL_v21_npp_2018_global_vcmslcfg_c202205302300.maximum.dat.tif", "nightlights",
         "maximum"),
        ("F152007.v4b_web.cf_cvg.tif", "nightlights", "expected average_masked"),
        ("F182013.v4c_web.pct_lights.tif", "nightlights", "stable_lights"),
    ],
)  # fmt: skip
def test_files_of_the_family_that_hold_something_else(name, kind, message):
    with pytest.raises(ExtractError, match=message):
        check_product(name, kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("v5.0_CO2_excl_short-cycle_org_C_2015.0.1x0.1.nc", "edgar_co2"),
        ("v7.0_FT2021_CO2_excl_short-cycle_org_C_2021_TOTALS.0.1x0.1.nc", "edgar_co2"),
        ("v8.0_FT2022_GHG_CO2_2015_TOTALS_flx_nc (1).nc", "edgar_co2"),
        ("EDGAR_2024_GHG_CO2_2023_TOTALS_emi.nc", "edgar_co2"),
        ("co2_2015.nc", "edgar_co2"),
        ("CHAP_PM2.5_Y1K_2018_V4.nc", "pm25"),
        ("VNL_v21_npp_2018_global_vcmslcfg_c202205302300.average_masked.dat.tif", "nightlights"),
        ("F101992.v4b.global.intercal.stable_lights.avg_vis.tif", "nightlights"),
    ],
)
def test_files_of_the_right_product_pass(name, kind):
    check_product(name, kind)
    assert grid_year(name, kind)


def test_cells_without_observation_in_dmsp_images_are_no_light(town, tmp_path):
    values = np.full((150, 150), 10, dtype="u1")
    values[75:90, 55:60] = 255
    name = "F182010.v4d_web.stable_lights.avg_vis.tif"
    path = _tiff(values, tmp_path / name, west=105, north=40, step=0.1)
    result = read_grid(path, "nightlights", town, None, relative_to=tmp_path)
    means = result.observations.set_index("indicator_key")["value"]
    assert means["night_light_mean"] == 10
    assert "valid cells cover" in result.observations["note"].iloc[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("F182013.v4c_web.avg_vis.tif", "bring the file F..stable_lights.avg_vis.tif"),
        ("F182013.v4c.avg_lights_x_pct.tif", "bring the file F..stable_lights.avg_vis.tif"),
        ("F101992.v4b.cf_cvg.tif", "cf_cvg is no mean brightness"),
        ("F101992.v4b.avg_vis.tif", "bring the file F..stable_lights.avg_vis.tif"),
        (
            "VNL_v22_npp_2013_global_vcmslcfg_c202205302300.average.dat.tif",
            "bring the file VNL_..average_masked.dat.tif",
        ),
        ("VNL_npp_2024_global_vcmslcfg_v2.average.tif", "VNL_..average_masked.dat.tif"),
    ],
)
def test_raw_layers_of_night_lights_do_not_pass_for_cleaned_ones(name, said):
    with pytest.raises(ExtractError, match=said):
        check_product(name, "nightlights")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("V5GL04.HybridPM25.China.201801-201801.nc", "pm25", "201801-201801"),
        ("V5GL04.HybridPM25.China.201804-201812.nc", "pm25", "201804-201812"),
        ("CHAP_PM2.5_M1K_201612_V4.nc", "pm25", "201612, a month or day"),
        ("CHAP_PM2.5_D1K_20161231_V4.nc", "pm25", "20161231, a month or day"),
        ("SVDNB_npp_20180101-20180131_75N060E_vcmslcfg_v10_c201805221252.avg_rade9h.tif",
         "nightlights", "20180101-20180131"),
        ("pm25_2016-12.nc", "pm25", "2016-12, a month"),
        ("PM25_China_2016_12.nc", "pm25", "2016_12, a month"),
        ("pm25.2016.01.tif", "pm25", "2016.01, a month"),
        ("pm25_2016.01.05.nc", "pm25", "2016.01, a month"),
        ("PM2016-07.nc", "pm25", "2016-07, a month"),
        ("VNL_npp_2016_12.average_masked.tif", "nightlights", "2016_12, a month"),
        ("night_2016-06-30.tif", "nightlights", "2016-06, a month"),
    ],
)  # fmt: skip
def test_monthly_files_do_not_pass_for_annual_ones(name, kind, said):
    with pytest.raises(ExtractError, match=f"one calendar year per file.*{said}"):
        grid_year(name, kind)


def test_whole_numbers_without_unit_or_scale_are_no_concentrations(town, tmp_path):
    values, lon, lat = _field()
    tenths = (values % 50 * 10).astype("i4")
    path = _write(_dataset(tenths, lon, lat, "PM2.5", ""), tmp_path / "CHAP_PM2.5_Y1K_2016_V3.nc")
    _refused(path, "pm25", town, "neither a unit nor a scale factor")
    data = _dataset(tenths, lon, lat, "PM2.5", "")
    data["PM2.5"].attrs["scale_factor"] = 0.1
    path = _write(data, tmp_path / "CHAP_PM2.5_Y1K_2017_V3.nc")
    result = read_grid(path, "pm25", town, None, relative_to=tmp_path)
    assert 0 < result.observations.loc[0, "value"] < 50
    image = _tiff(tenths[::-1].astype("u2"), tmp_path / "pm_2018.tif", west=105, north=40, step=0.1)
    _refused(image, "pm25", town, "neither a unit nor a scale factor")


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
        (
            "VNL_v21_npp_201204-201212_global_vcmcfg_c202205302300.average_masked.dat.tif",
            "nightlights",
            2012,
            "VNL_v21",
        ),
        (
            "SVDNB_npp_20150101-20151231_75N060E_vcm-orm-ntl_v10_c201701311200.avg_rade9.tif",
            "nightlights",
            2015,
            "",
        ),
        (
            "VNL_npp_2024_global_vcmslcfg_v2_c202502261200.average_masked.dat.tif",
            "nightlights",
            2024,
            "VNL",
        ),
        ("ECHAP_PM2.5_Y1K_2016_V3.nc", "pm25", 2016, "ECHAP"),
        ("pm25_2016.0.1x0.1.nc", "pm25", 2016, ""),
        ("pm25_2016_10km.nc", "pm25", 2016, ""),
        ("V5GL04.HybridPM25c_0p10.China.201601-201612.nc", "pm25", 2016, "V5GL04"),
        ("Harmonized_DN_NTL_2013_calDMSP.tif", "nightlights", 2013, "Harmonized"),
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
