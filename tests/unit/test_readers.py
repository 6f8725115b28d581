"""What decides how a file is read: boundaries, libraries; and PM2.5 weighted by population."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from shapely.geometry import box

from dagster_project import ingest, readers
from dagster_project.assets import sources
from dagster_project.lake import Lake
from dagster_project.resources import PilotPanel
from dagster_project.settings import Settings, SettingsError


def _map(path: Path, first: tuple[float, float, float, float]) -> Path:
    frame = gpd.GeoDataFrame(
        {"city_code": ["420100", "420200"], "name": ["甲市", "乙市"]},
        geometry=[box(*first), box(112.0, 30.0, 113.0, 31.0)],
        crs=4326,
    )
    frame.to_file(path)
    return path


WEST, SHIFTED = (111.0, 30.0, 112.0, 31.0), (110.0, 30.0, 111.0, 31.0)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """PM2.5 of a known field: it rises by one for every 0.1 degree to the east."""
    lon = np.round(np.arange(109.05, 114.0, 0.1), 6)
    lat = np.round(np.arange(29.05, 32.0, 0.1), 6)
    values = np.broadcast_to(np.arange(len(lon), dtype=float) + 10, (len(lat), len(lon)))
    data = xr.Dataset(
        {"PM25": (("lat", "lon"), values, {"units": "ug/m3"})}, coords={"lat": lat, "lon": lon}
    )
    folder = tmp_path / "landing" / "pm25"
    folder.mkdir(parents=True)
    data.to_netcdf(folder / "pm25_2015.nc", engine="h5netcdf")
    return folder.parent


def _people(path: Path, east_of: float) -> Path:
    """A hundred persons per cell of 0.1 degree, all of them east of a meridian."""
    path.parent.mkdir(parents=True, exist_ok=True)
    counts = np.zeros((30, 50), dtype="f4")
    counts[:, np.arange(109.05, 114.0, 0.1) > east_of] = 100
    profile = {
        "driver": "GTiff", "height": 30, "width": 50, "count": 1, "dtype": "float32",
        "crs": "EPSG:4326", "transform": rasterio.transform.from_origin(109.0, 32.0, 0.1, 0.1),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as image:
        image.write(counts, 1)
    return path


def _settings(tmp_path: Path, landing: Path, **more: Path) -> Settings:
    more.setdefault("boundaries", tmp_path / "a.gpkg")
    if not more["boundaries"].exists():
        _map(more["boundaries"], WEST)
    return Settings(data_home=tmp_path / "data", landing=landing, **more)


def _ingest(settings: Settings, source: str = "pm25") -> ingest.IngestReport:
    return ingest.ingest(source, settings, ingest.scan(settings), lambda _: None)


def _means(settings: Settings, indicator: str = "pm25") -> dict[str, float]:
    frame = pd.read_parquet(Lake(settings.lake).path("raw", "pm25", "2015"))
    own = frame[frame["indicator_key"] == indicator]
    return dict(zip(own["entity_code_printed"], own["value"].round(6), strict=True))


def test_other_boundaries_read_the_grids_again(tmp_path: Path, landing: Path) -> None:
    first = _settings(tmp_path, landing)
    assert _ingest(first).read == ["2015"]
    assert _ingest(first).unchanged == ["2015"]
    before = _means(first)
    moved = _settings(tmp_path, landing, boundaries=_map(tmp_path / "b.gpkg", SHIFTED))
    assert _ingest(moved).read == ["2015"]
    assert _means(moved)["420100"] == pytest.approx(before["420100"] - 10)
    assert _means(moved)["420200"] == before["420200"]
    # The same file with other content, whatever its time says.
    stat = first.boundaries.stat()
    _map(first.boundaries, SHIFTED)
    os.utime(first.boundaries, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert _ingest(first).read == ["2015"]
    assert _means(first) == _means(moved)


def test_codes_beside_a_shapefile_are_part_of_it(tmp_path: Path) -> None:
    path = _map(tmp_path / "map.shp", WEST)
    before = readers.boundaries_stamp(path)
    assert readers.boundaries_stamp(path) == before
    frame = gpd.read_file(path).assign(city_code=["420100", "420300"])
    main = path.read_bytes()
    frame.to_file(path)
    assert path.read_bytes() == main, "the polygons are the same"
    assert readers.boundaries_stamp(path) != before
    settings = Settings(data_home=tmp_path / "data", landing=tmp_path, boundaries=path)
    assert readers.boundaries_for(settings)["city_code"].tolist() == ["420100", "420300"]


def test_the_copy_of_the_polygons_goes_with_the_code_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(tmp_path, tmp_path)
    polygons = readers.boundaries_for(settings)
    (copy,) = settings.cache.glob("boundaries-*.parquet")
    polygons.head(1).to_parquet(copy)
    original = readers.code_version
    monkeypatch.setattr(readers, "code_version", lambda *names: original(*names) + "+")
    assert len(readers.boundaries_for(settings)) == 2, "not the copy that older code left"


def test_boundaries_that_are_not_there_are_named(tmp_path: Path, landing: Path) -> None:
    settings = Settings(data_home=tmp_path / "d", landing=landing, boundaries=tmp_path / "no.gpkg")
    with pytest.raises(SettingsError, match=r"PILOT_PANEL_BOUNDARIES=.*no\.gpkg does not exist"):
        settings.prepare()
    with pytest.raises(SettingsError, match=r"PILOT_PANEL_BOUNDARIES=.*no\.gpkg does not exist"):
        _ingest(settings)


@pytest.mark.parametrize(
    ("source", "library"),
    [
        ("yearbook", "python-calamine"),
        ("pm25", "rasterio"),
        ("edgar_co2", "exactextract"),
        ("patents", "pandas"),
    ],
)
def test_libraries_are_part_of_a_readers_version(
    tmp_path: Path, source: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(tmp_path, tmp_path)
    before = readers.reader_version(source, settings)
    original = readers.library_versions
    monkeypatch.setattr(
        readers,
        "library_versions",
        lambda *names: [*original(*names), "newer" if library in names else ""],
    )
    readers._modules_version.cache_clear()
    try:
        assert readers.reader_version(source, settings) != before
    finally:
        readers._modules_version.cache_clear()


def test_boundaries_do_not_touch_tables(tmp_path: Path) -> None:
    plain = Settings(data_home=tmp_path, landing=tmp_path)
    own = _settings(tmp_path, tmp_path)
    assert readers.reader_version("patents", plain) == readers.reader_version("patents", own)
    assert readers.reader_version("pm25", plain) != readers.reader_version("pm25", own)


def test_pm25_is_weighted_by_the_configured_population(tmp_path: Path, landing: Path) -> None:
    without = _settings(tmp_path, landing)
    _ingest(without)
    assert _means(without, "pm25_population_weighted") == {}
    # 20 columns west of 111.0: cells of the first city hold 30 to 39, those of its east 35 to 39.
    people = _people(landing / "population" / "people_2015.tif", east_of=111.5)
    settings = _settings(tmp_path, landing, population=people)
    assert people not in [f.path for f in ingest.scan(settings)], "known by its setting"
    assert _ingest(settings).read == ["2015"]
    assert _means(settings) == pytest.approx({"420100": 34.5, "420200": 44.5}, abs=1e-3)
    assert _means(settings, "pm25_population_weighted") == pytest.approx(
        {"420100": 37.0, "420200": 44.5}, abs=1e-3
    )
    assert _ingest(settings).unchanged == ["2015"]
    _people(people, east_of=111.8)
    assert _ingest(settings).read == ["2015"]
    assert _means(settings, "pm25_population_weighted")["420100"] == pytest.approx(38.5, abs=1e-3)
    # Left out again, its column goes.
    _ingest(without)
    assert _means(without, "pm25_population_weighted") == {}


def test_a_population_grid_that_cannot_be_used_is_named(tmp_path: Path, landing: Path) -> None:
    missing = _settings(tmp_path, landing, population=tmp_path / "no.tif")
    for use in (missing.prepare, lambda: _ingest(missing)):
        with pytest.raises(SettingsError, match=r"PILOT_PANEL_POPULATION=.*no\.tif does not exist"):
            use()
    damaged = tmp_path / "damaged.tif"
    damaged.write_bytes(b"not a grid")
    with pytest.raises(SettingsError, match=r"POPULATION=.*damaged\.tif cannot be read: "):
        _ingest(_settings(tmp_path, landing, population=damaged))
    nobody = _people(tmp_path / "nobody.tif", east_of=180)
    with pytest.raises(SettingsError, match=r"POPULATION=.*nobody\.tif counts nobody"):
        _ingest(_settings(tmp_path, landing, population=nobody))


def test_a_population_grid_that_no_setting_names_is_reported(tmp_path: Path, landing: Path) -> None:
    people = _people(landing / "population" / "people_2015.tif", east_of=111.5)
    found = {f.path: f for f in ingest.scan(_settings(tmp_path, landing))}
    assert found[people].source == "unrecognised"
    assert "PILOT_PANEL_POPULATION" in found[people].reason


def test_geography_follows_the_content_of_the_boundaries(tmp_path: Path, landing: Path) -> None:
    settings = _settings(tmp_path, landing)
    panel = PilotPanel(data_home=str(settings.data_home), landing=str(landing))
    written = settings.lake / "derived" / "city_geography.parquet"

    def geography() -> float:
        with (
            pytest.MonkeyPatch.context() as patch,
            dg.build_asset_context() as context,
        ):
            patch.setenv("PILOT_PANEL_BOUNDARIES", str(settings.boundaries))
            sources.city_geography_asset(context, pilot_panel=panel)
        frame = pd.read_parquet(written)
        return float(frame.set_index("city_code").loc["420100", "lon"])

    assert geography() == pytest.approx(111.5, abs=0.01)
    sound = written.read_bytes()
    pd.read_parquet(written).head(0).to_parquet(written, index=False)
    assert geography() == pytest.approx(111.5, abs=0.01), "an emptied table is computed again"
    assert written.read_bytes() == sound
    _map(settings.boundaries, SHIFTED)
    assert geography() == pytest.approx(110.5, abs=0.01)
