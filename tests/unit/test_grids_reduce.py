"""Reduction of grids to cities on synthetic fields whose answer is known beforehand."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr
from pyproj import Geod
from shapely.geometry import Polygon, box

from dagster_project.extract import coverage as coverage_module
from dagster_project.extract.boundaries import load_boundaries
from dagster_project.extract.coverage import GridGeometry, cell_area_m2, coverage_of
from dagster_project.extract.grids import population_on, read_grid, reduce_to_cities
from dagster_project.extract.relief import relief_degree, window_cells
from dagster_project.extract.schema import OBSERVATION_SCHEMA, ExtractError

NAME = "SYNTHETIC_v8.0_FT2022_GHG_CO2_2016_TOTALS_emi.nc"
WEST, SOUTH, EAST, NORTH = 110.03, 30.04, 115.97, 33.98


@pytest.fixture(scope="module")
def towns() -> gpd.GeoDataFrame:
    """Three cities that tile a rectangle along slanted lines; no edge lies on a cell's edge."""
    left = Polygon([(WEST, SOUTH), (111.7, SOUTH), (112.9, NORTH), (WEST, NORTH)])
    middle = Polygon([(111.7, SOUTH), (114.4, SOUTH), (113.3, NORTH), (112.9, NORTH)])
    right = Polygon([(114.4, SOUTH), (EAST, SOUTH), (EAST, NORTH), (113.3, NORTH)])
    return gpd.GeoDataFrame(
        {"city_code": ["420100", "420200", "420300"], "name": ["甲市", "乙市", "丙市"]},
        geometry=[left, middle, right],
        crs=4326,
    )


@pytest.fixture(scope="module")
def china(tmp_path_factory) -> gpd.GeoDataFrame:
    return load_boundaries(cache_dir=tmp_path_factory.mktemp("boundaries"))


def _axes(
    step: float = 0.1, west: float = 105, east: float = 120, south: float = 25, north: float = 40
):
    lon = np.round(np.arange(west + step / 2, east, step), 6)
    lat = np.round(np.arange(south + step / 2, north, step), 6)
    return lon, lat


def _dataset(values, lon, lat, name="emissions", units="Tonnes", **attrs) -> xr.Dataset:
    stated = {"units": units} if units else {}
    return xr.Dataset(
        {name: (("lat", "lon"), values, {**stated, **attrs})}, coords={"lat": lat, "lon": lon}
    )


def _write(data: xr.Dataset, path: Path, engine: str = "h5netcdf") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data.to_netcdf(path, engine=engine)
    return path


def _tiff(
    values, path: Path, *, west=105.0, north=40.0, step=0.1, nodata=None, crs="EPSG:4326"
) -> Path:
    profile = {
        "driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1,
        "dtype": values.dtype, "crs": crs, "nodata": nodata,
        "transform": rasterio.transform.from_origin(west, north, step, step),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as image:
        image.write(values, 1)
    return path


def _field(seed: int = 1):
    lon, lat = _axes()
    return np.random.default_rng(seed).gamma(0.5, 1e4, (len(lat), len(lon))), lon, lat


def _by_city(result, indicator: str):
    rows = result.observations[result.observations["indicator_key"] == indicator]
    return rows.set_index("entity_code_printed")["value"]


def test_totals_are_conserved_inside_the_covered_rectangle(towns, tmp_path):
    values, lon, lat = _field()
    path = _write(_dataset(values, lon, lat), tmp_path / NAME)
    result = read_grid(path, "edgar_co2", towns, None, relative_to=tmp_path)
    # Independent of the coverage code: the rectangle cuts each cell by a width and a height.
    width = np.clip(np.minimum(lon + 0.05, EAST) - np.maximum(lon - 0.05, WEST), 0, None) / 0.1
    height = np.clip(np.minimum(lat + 0.05, NORTH) - np.maximum(lat - 0.05, SOUTH), 0, None) / 0.1
    expected = height @ values @ width
    assert result.observations["value"].sum() == pytest.approx(expected, rel=1e-6)
    assert list(result.observations.columns) == OBSERVATION_SCHEMA.names
    row = result.observations.iloc[0]
    assert (row["data_year"], row["release"], row["unit_key"]) == (2016, "v8.0_FT2022", "吨")
    assert (row["sheet"], row["file"], row["unit_printed"]) == ("emissions", NAME, "Tonnes")
    assert len(result.rejects) == 0
    assert result.files.iloc[0]["n_observations"] == 3


def test_national_total_is_conserved_over_real_boundaries(china, tmp_path):
    henan = china[china["city_code"].str.startswith("41")].reset_index(drop=True)
    lon, lat = _axes()
    union = henan.geometry.union_all()
    boxes = gpd.GeoSeries([box(x - 0.05, y - 0.05, x + 0.05, y + 0.05) for y in lat for x in lon])
    inside = boxes.within(union).to_numpy().reshape(len(lat), len(lon))
    assert inside.sum() > 1000
    values = np.where(inside, _field(2)[0], 0.0)
    path = _write(_dataset(values, lon, lat), tmp_path / NAME)
    result = read_grid(path, "edgar_co2", henan, None, relative_to=tmp_path)
    assert result.observations["value"].sum() == pytest.approx(values.sum(), rel=1e-6)


def test_a_constant_field_is_the_constant_in_every_city(china, tmp_path):
    lon, lat = _axes(0.25, 70, 140, 0, 60)
    values = np.full((len(lat), len(lon)), 37.25)
    data = _dataset(values, lon, lat, "GWRPM25", "ug/m3")
    path = _write(data, tmp_path / "V5GL04.HybridPM25.Asia.201501-201512.nc")
    result = read_grid(path, "pm25", china, None, relative_to=tmp_path)
    assert len(result.observations) == 337
    np.testing.assert_allclose(result.observations["value"], 37.25, rtol=1e-12)
    assert result.observations["data_year"].eq(2015).all()
    assert result.observations["note"].isna().all()


def test_flux_and_tonnes_of_the_same_field_agree(towns, tmp_path):
    values, lon, lat = _field()
    geod = Geod(ellps="WGS84")
    # Cell areas from geodesic polygons, not from the formula under test; 2016 is a leap year.
    area = np.array(
        [
            abs(geod.polygon_area_perimeter(
                *np.array(box(0, y - 0.05, 0.1, y + 0.05).exterior.coords).T)[0])
            for y in lat
        ]
    )  # fmt: skip
    flux = values * 1000.0 / (area[:, None] * 366 * 86400)
    tonnes = _write(_dataset(values, lon, lat), tmp_path / "a" / NAME)
    fluxes = _write(
        _dataset(flux, lon, lat, "fluxes", "kg m-2 s-1"),
        tmp_path / "b" / NAME.replace("emi", "flx"),
    )
    one = read_grid(tonnes, "edgar_co2", towns, None, relative_to=tmp_path)
    two = read_grid(fluxes, "edgar_co2", towns, None, relative_to=tmp_path)
    np.testing.assert_allclose(one.observations["value"], two.observations["value"], rtol=1e-6)


def test_a_flux_of_an_ordinary_year_has_365_days(towns, tmp_path):
    values, lon, lat = _field()
    data = _dataset(values * 1e-12, lon, lat, "fluxes", "kg/m2/s")
    results = [
        read_grid(
            _write(data, tmp_path / NAME.replace("2016", str(year))), "edgar_co2", towns, None,
            relative_to=tmp_path,
        )
        for year in (2015, 2016)
    ]  # fmt: skip
    ratio = results[1].observations["value"] / results[0].observations["value"]
    np.testing.assert_allclose(ratio, 366 / 365, rtol=1e-12)


def test_axis_orders_longitude_conventions_and_formats_agree(towns, tmp_path):
    lon = np.round(np.arange(-179.95, 180, 0.1), 6)
    lat = _axes()[1]
    values = np.random.default_rng(5).gamma(0.5, 1e4, (len(lat), len(lon)))
    base = _dataset(values, lon, lat)
    turned = base.assign_coords(lon=base["lon"] % 360).sortby("lon")
    variants = {
        "plain": base,
        "north_first": base.isel(lat=slice(None, None, -1)),
        "greenwich_first": turned,
        "greenwich_first_north_first": turned.isel(lat=slice(None, None, -1)),
        "transposed": base.transpose("lon", "lat"),
        "single_precision_axes": base.assign_coords(
            lon=base["lon"].astype("f4"), lat=base["lat"].astype("f4")
        ),
        "time_axis": base.expand_dims(time=[0]),
    }
    reference = None
    for label, data in variants.items():
        path = _write(data, tmp_path / label / NAME)
        values_by_city = _by_city(
            read_grid(path, "edgar_co2", towns, None, relative_to=tmp_path), "co2_edgar"
        )
        reference = values_by_city if reference is None else reference
        np.testing.assert_allclose(values_by_city, reference, rtol=1e-12, err_msg=label)
    classic = _write(base, tmp_path / "classic" / NAME, engine="scipy")
    again = read_grid(classic, "edgar_co2", towns, None, relative_to=tmp_path)
    np.testing.assert_allclose(_by_city(again, "co2_edgar"), reference, rtol=1e-12)


def test_geotiff_and_netcdf_of_the_same_field_agree(towns, tmp_path):
    values, lon, lat = _field(3)
    values = (values % 90).astype("f4")
    netcdf = _write(
        _dataset(values, lon, lat, "PM25", "ug/m3"),
        tmp_path / "V6GL02.02.CNNPM25.0p10.AS.201501-201512.nc",
    )
    tiff = _tiff(values[::-1], tmp_path / "V6GL02.02.CNNPM25.0p10.AS.201501-201512.tif")
    one, two = (read_grid(p, "pm25", towns, None, relative_to=tmp_path) for p in (netcdf, tiff))
    np.testing.assert_allclose(one.observations["value"], two.observations["value"], rtol=1e-12)
    assert one.observations["release"].eq("V6GL02.02").all()


def test_a_mean_is_weighted_by_area_and_a_sum_is_not(tmp_path):
    tall = gpd.GeoDataFrame(
        {"city_code": ["230100"], "name": ["高市"]}, geometry=[box(110, 20, 111, 60)], crs=4326
    )
    lon, lat = _axes(1.0, 105, 120, 10, 70)
    values = np.tile((lat > 40).astype(float)[:, None], (1, len(lon)))
    path = _tiff(values[::-1], tmp_path / "lights_2015.tif", north=70.0, step=1.0)
    got = read_grid(path, "nightlights", tall, None, relative_to=tmp_path)
    assert _by_city(got, "night_light")["230100"] == pytest.approx(20.0)
    geod = Geod(ellps="WGS84")
    strips = [
        sum(abs(geod.geometry_area_perimeter(box(110, y, 111, y + 1).segmentize(0.01))[0])
            for y in range(low, low + 20))
        for low in (20, 40)
    ]  # fmt: skip
    expected = strips[1] / sum(strips)
    assert _by_city(got, "night_light_mean")["230100"] == pytest.approx(expected, rel=1e-5)
    assert expected < 0.45  # the northern half is smaller


def test_missing_cells_are_not_zero_and_uncovered_cities_are_reported(towns, tmp_path):
    lon, lat = _axes()
    values = np.full((len(lat), len(lon)), 50.0)
    values[:, lon > 113.0] = np.nan
    path = _write(_dataset(values, lon, lat, "PM25", "µg/m³"), tmp_path / "pm_2015.nc")
    result = read_grid(path, "pm25", towns, None, relative_to=tmp_path)
    kept = _by_city(result, "pm25")
    assert set(kept.index) == {"420100", "420200"}
    np.testing.assert_allclose(kept, 50.0)
    note = result.observations.set_index("entity_code_printed")["note"]["420200"]
    assert note.startswith("valid cells cover ")
    reject = result.rejects.iloc[0]
    assert reject["reason"] == "no_valid_cell"
    assert "丙市 (420300)" in reject["detail"]
    # The second city: its share west of 113.0, from its own polygon.
    west = towns.geometry.iloc[1].intersection(box(100, 0, 113.0, 60))
    stated = float(note.split("cover ")[1].split("%")[0]) / 100
    assert stated == pytest.approx(west.area / towns.geometry.iloc[1].area, abs=0.01)


def test_a_grid_that_ends_inside_a_city_gives_no_partial_total(towns, tmp_path):
    lon, lat = _axes(east=113.0)
    values = np.ones((len(lat), len(lon)))
    path = _write(_dataset(values, lon, lat), tmp_path / NAME)
    result = read_grid(path, "edgar_co2", towns, None, relative_to=tmp_path)
    assert list(result.observations["entity_code_printed"]) == ["420100"]
    reasons = dict(zip(result.rejects["entity_printed"], result.rejects["reason"]))
    assert reasons == {"420200 乙市": "coverage_below_minimum", "420300 丙市": "no_valid_cell"}
    lax = read_grid(path, "edgar_co2", towns, None, relative_to=tmp_path, min_coverage={"sum": 0.0})
    assert set(lax.observations["entity_code_printed"]) == {"420100", "420200"}


def test_population_weighted_mean_on_finer_and_coarser_population(towns, tmp_path):
    values, lon, lat = _field(7)
    values = values % 80
    path = _write(_dataset(values, lon, lat, "PM25", "ug/m3"), tmp_path / "pm_2015.nc")
    fine = np.random.default_rng(9).gamma(1.0, 100, (300, 300)).astype("f4")
    population = _tiff(fine, tmp_path / "people_2015.tif", step=0.05)
    result = read_grid(path, "pm25", towns, None, relative_to=tmp_path, population=population)
    grid = GridGeometry(110.0, 34.0, 0.1, 0.1, 60, 40)
    people = fine.reshape(150, 2, 150, 2).sum(axis=(1, 3))[60:100, 50:110]
    matrix = coverage_of(grid, towns).matrix.toarray().astype(float)
    field = values[::-1][60:100, 50:110].ravel()
    weights = matrix * people.ravel()
    expected = (weights @ field) / weights.sum(axis=1)
    np.testing.assert_allclose(_by_city(result, "pm25_population_weighted"), expected, rtol=1e-6)
    coarse = population_on(
        population, GridGeometry(105.0, 40.0, 1.0, 1.0, 15, 15), (105, 25, 120, 40)
    )
    assert coarse.sum() == pytest.approx(float(fine.sum()), rel=1e-6)


def test_relief_matches_a_plain_loop_over_windows():
    geometry = GridGeometry(100.0, 31.0, 1 / 120, 1 / 120, 24, 18)
    rng = np.random.default_rng(11)
    height = rng.gamma(2.0, 150, (18, 24)).cumsum(axis=1)
    height[2:5, 3:5] = np.nan
    got = relief_degree(height, geometry)
    size = window_cells(geometry)
    assert size == 5
    km = 111.195
    filled = height.copy()
    for r, c in np.argwhere(np.isnan(height)):
        block = height[max(r - 2, 0) : r + 3, max(c - 2, 0) : c + 3]
        filled[r, c] = np.nanmean(block)
    row_lat = 31.0 - (np.arange(18) + 0.5) / 120
    for r, c in [(8, 12), (9, 15), (4, 7), (12, 18)]:
        window = height[r - 2 : r + 3, c - 2 : c + 3]
        flat = 0
        for i in range(r - 2, r + 3):
            for j in range(c - 2, c + 3):
                north = (filled[i + 1, j] - filled[i - 1, j]) / (2 / 120 * km * 1000)
                width = 2 / 120 * km * 1000 * np.cos(np.radians(row_lat[i]))
                east = (filled[i, j + 1] - filled[i, j - 1]) / width
                steep = np.degrees(np.arctan(np.hypot(north, east)))
                flat += bool(np.isfinite(height[i, j]) and steep <= 5.0)
        share = flat / np.isfinite(window).sum()
        spread = np.nanmax(window) - np.nanmin(window)
        expected = np.nanmean(window) / 1000 + spread * (1 - share) / 500
        assert got[r, c] == pytest.approx(expected, rel=1e-9), (r, c)
    assert np.isnan(got[3, 4])


def test_relief_at_the_edge_of_the_map_sees_beyond_it(towns, tmp_path):
    step = 1 / 12
    height = np.random.default_rng(4).gamma(2.0, 400, (180, 180)).astype("f4")
    path = _tiff(height, tmp_path / "dem.tif", step=step)
    whole = GridGeometry(105.0, 40.0, step, step, 180, 180)
    expected = reduce_to_cities(coverage_of(whole, towns), relief_degree(height, whole))["mean"]
    result = read_grid(path, "elevation", towns, None, relative_to=tmp_path)
    np.testing.assert_allclose(_by_city(result, "relief"), expected, rtol=1e-9)


def test_a_plateau_has_relief_of_its_height_and_slopes_add(towns, tmp_path):
    step = 1 / 12
    flat = np.full((180, 180), 1500.0, dtype="f4")
    path = _tiff(flat, tmp_path / "dem.tif", step=step)
    result = read_grid(path, "elevation", towns, None, relative_to=tmp_path)
    np.testing.assert_allclose(_by_city(result, "elevation_mean"), 1500.0)
    np.testing.assert_allclose(_by_city(result, "relief"), 1.5, rtol=1e-9)
    assert result.observations["data_year"].eq(2000).all()
    assert result.observations["note"].str.contains("does not change over time").all()
    assert result.observations["note"].str.contains("relief window of 3 by 3 cells").all()


def test_cell_areas_add_up_to_the_ellipsoid():
    total = cell_area_m2(np.linspace(-90, 90, 1801), 0.1).sum() * 3600
    assert total == pytest.approx(510_065_621.7e6, rel=1e-9)  # WGS-84 surface, m2


def test_coverage_is_computed_once_and_a_damaged_cache_heals(towns, tmp_path, monkeypatch):
    geometry = GridGeometry(105.0, 40.0, 0.1, 0.1, 150, 150)
    built = []
    original = coverage_module._build

    def counting(*args):
        built.append(1)
        return original(*args)

    monkeypatch.setattr(coverage_module, "_build", counting)
    first = coverage_of(geometry, towns, tmp_path)
    second = coverage_of(geometry, towns, tmp_path)
    assert len(built) == 1
    assert (first.matrix != second.matrix).nnz == 0
    cached = next(tmp_path.glob("coverage-*.npz"))
    cached.write_bytes(cached.read_bytes()[:200])
    third = coverage_of(geometry, towns, tmp_path)
    assert len(built) == 2
    assert (first.matrix != third.matrix).nnz == 0
    moved = towns.set_geometry(towns.translate(0.01, 0))
    coverage_of(geometry, moved, tmp_path)
    assert len(built) == 3
    assert not list(tmp_path.glob("*.partial"))


def test_overlapping_cities_are_refused(towns):
    doubled = towns.copy()
    doubled.loc[1, "geometry"] = towns.geometry.iloc[0]
    with pytest.raises(ExtractError, match="overlap by"):
        coverage_of(GridGeometry(105.0, 40.0, 0.1, 0.1, 150, 150), doubled)
