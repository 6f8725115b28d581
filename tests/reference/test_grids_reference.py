"""City statistics against exactextract's own, and polygon areas against printed land areas."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from dagster_project.extract.boundaries import city_geography, load_boundaries
from dagster_project.extract.coverage import GridGeometry, coverage_of
from dagster_project.extract.grids import reduce_to_cities
from dagster_project.extract.table_mapping import load_mappings
from dagster_project.extract.tables import read_table


@pytest.fixture(scope="module")
def china(tmp_path_factory) -> gpd.GeoDataFrame:
    return load_boundaries(cache_dir=tmp_path_factory.mktemp("boundaries"))


@pytest.mark.reference
def test_sums_and_area_weighted_means_equal_exactextract(china):
    part = china.iloc[::12].reset_index(drop=True)
    geometry = GridGeometry(73.0, 54.0, 0.25, 0.25, 252, 204)
    rng = np.random.default_rng(6)
    values = rng.gamma(0.5, 1e3, (geometry.ny, geometry.nx))
    values[rng.random(values.shape) < 0.1] = np.nan
    ours = reduce_to_cities(coverage_of(geometry, part), values)
    west, south, east, north = geometry.bounds
    box = {"xmin": west, "ymin": south, "xmax": east, "ymax": north, "srs_wkt": part.crs.to_wkt()}
    area = np.repeat(geometry.row_area_m2()[:, None], geometry.nx, axis=1)
    theirs = exact_extract(
        NumPyRasterSource(values, **box),
        part[["city_code", "geometry"]],
        ["sum", "weighted_mean"],
        weights=NumPyRasterSource(area, **box),
        output="pandas",
    )
    # single-precision coverage fractions on both sides
    np.testing.assert_allclose(ours["sum"], theirs["sum"], rtol=1e-6)
    np.testing.assert_allclose(ours["mean"], theirs["weighted_mean"], rtol=1e-6)


@pytest.mark.real
def test_polygon_areas_agree_with_printed_land_areas(china, real_data_dir):
    """Half the cities within one per mille; what differs more is known misprints or sea areas."""
    paths = sorted((real_data_dir / "compiled").glob("*人口密度*.xlsx"))
    if not paths:
        pytest.skip(f"no population density workbook in {real_data_dir / 'compiled'}")
    mapping = load_mappings()["compiled_density"]
    rows = read_table(paths[0], mapping, relative_to=real_data_dir).observations
    rows = rows[(rows["indicator_key"] == "land_area") & (rows["data_year"] == 2020)]
    both = rows.merge(city_geography(china), left_on="entity_code_printed", right_on="city_code")
    assert len(both) == len(rows) == 298
    ratio = both["area_km2"] / both["value"]
    assert ratio.median() == pytest.approx(1.0, abs=0.001)
    assert (ratio.sub(1).abs() < 0.1).mean() > 0.93
