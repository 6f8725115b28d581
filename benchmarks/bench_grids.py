"""City sums and means of a year's grid against rasterstats and exactextract, on the same field.

Belongs here: rows of the benchmark for gridded sources. Does not belong here: correctness, which
the tests own; rasterstats counts whole cells by their centre, so its totals differ by design.
All fields are SYNTHETIC; the boundaries are the real ones.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio.transform
import rasterstats
import xarray as xr
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource

from dagster_project.extract.boundaries import load_boundaries
from dagster_project.extract.coverage import GridGeometry, coverage_of
from dagster_project.extract.grids import read_grid, reduce_to_cities

Row = dict[str, str | int | float | None]


@cache
def _boundaries() -> gpd.GeoDataFrame:
    return load_boundaries()


def _best(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _peak(call: Callable[[], object]) -> float:
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def _row(name: str, size: str, ours: float, peer: str, theirs: float, peak: float) -> Row:
    return {
        "name": name, "size": size, "ours_s": ours, "peer": peer, "peer_s": theirs,
        "ratio": theirs / ours, "peak_mb": peak,
    }  # fmt: skip


def _field(step: float) -> tuple[GridGeometry, np.ndarray]:
    west, south, east, north = 73.0, 3.0, 136.0, 54.0
    geometry = GridGeometry(
        west, north, step, step, round((east - west) / step), round((north - south) / step)
    )
    values = np.random.default_rng(1).gamma(0.5, 1e4, (geometry.ny, geometry.nx))
    return geometry, values.astype(np.float32)


def _rasterstats(
    values: np.ndarray, geometry: GridGeometry, cities: gpd.GeoDataFrame, stat: str
) -> list:
    affine = rasterio.transform.from_origin(geometry.left, geometry.top, geometry.dx, geometry.dy)
    return rasterstats.zonal_stats(
        cities, values, affine=affine, stats=[stat], nodata=-9999.0, all_touched=False
    )


def _reduction(step: float, peer_cities: int) -> list[Row]:
    cities = _boundaries()
    geometry, values = _field(step)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        coverage_of(geometry, cities, Path(folder))
        first = time.perf_counter() - start

        def ours() -> object:
            return reduce_to_cities(coverage_of(geometry, cities, Path(folder)), values)

        seconds, peak = _best(ours, 3), _peak(ours)
    part = cities.iloc[:: max(1, len(cities) // peer_cities)]
    factor = len(cities) / len(part)
    note = "" if factor == 1 else f", peer timed on {len(part)} cities and scaled"
    stats = _best(lambda: _rasterstats(values, geometry, part, "mean"), 1) * factor
    west, south, east, north = geometry.bounds
    source = NumPyRasterSource(
        values, xmin=west, ymin=south, xmax=east, ymax=north, srs_wkt=cities.crs.to_wkt()
    )
    exact = _best(lambda: exact_extract(source, part, ["mean"], output="pandas"), 1) * factor
    size = f"{len(cities)} cities, {geometry.nx * geometry.ny:,} cells of {step} degrees"
    later, begin = (f"zonal sum and mean, {year} year{note}" for year in ("a further", "the first"))
    return [
        _row(later, size, seconds, "rasterstats", stats, peak),
        _row(later, size, seconds, "exactextract", exact, peak),
        _row(begin, size, first + seconds, "rasterstats", stats, peak),
    ]


def reduction_tenth_degree() -> list[Row]:
    """EDGAR's grid."""
    return _reduction(0.1, 337)


def reduction_hundredth_degree() -> list[Row]:
    """The fine grid of satellite PM2.5."""
    return _reduction(0.01, 34)


def whole_file() -> Row:
    """A global NetCDF file of one year from disk to observations, coverage known."""
    cities = _boundaries()
    lon, lat = np.arange(-179.95, 180, 0.1), np.arange(-89.95, 90, 0.1)
    values = np.random.default_rng(2).gamma(0.5, 1e4, (1800, 3600)).astype("f4")
    data = xr.Dataset(
        {"emissions": (("lat", "lon"), values, {"units": "Tonnes"})},
        coords={"lat": lat, "lon": lon},
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "SYNTHETIC_v8.0_FT2022_GHG_CO2_2015_TOTALS_emi.nc"
        data.to_netcdf(path, engine="h5netcdf", encoding={"emissions": {"zlib": True}})

        def ours() -> object:
            return read_grid(path, "edgar_co2", cities, folder, relative_to=folder)

        def theirs() -> object:
            with xr.open_dataset(path, engine="h5netcdf") as opened:
                field = opened["emissions"].to_numpy()[::-1]
            return _rasterstats(field, GridGeometry(-180, 90, 0.1, 0.1, 3600, 1800), cities, "sum")

        ours()
        return _row(
            "EDGAR file of one year to city observations", "3600 x 1800 cells, 337 cities",
            _best(ours, 3), "xarray + rasterstats", _best(theirs, 1), _peak(ours),
        )  # fmt: skip


BENCHMARKS = [reduction_tenth_degree, reduction_hundredth_degree, whole_file]
