"""Writes the synthetic grids: EDGAR-like CO2, PM2.5, night lights and elevation.

Belongs here: spreading a city's total or mean over the cells of its polygon so that area-weighted
zonal statistics give it back, and the file formats of the real products. Does not belong here: the
totals themselves (``environment``).

Files are written with h5py and rasterio directly: xarray would store the same, four times slower.
"""

from __future__ import annotations

import calendar
from pathlib import Path

import h5py
import numpy as np
import rasterio
from rasterio.transform import from_origin
from scipy import ndimage, sparse

from dagster_project.extract.coverage import cell_area_m2
from dagster_project.sample.inputs import COARSE, EAST, FINE, NORTH, SOUTH, WEST, Geography, stream
from dagster_project.sample.world import World

# Years written as fluxes (kg m-2 s-1) instead of tonnes, as one of EDGAR's two products.
FLUX_YEARS = (2003, 2004, 2005)
# Earlier PM2.5 years carry the variable name of the product's fifth version.
PM25_V5_LAST = 2009
_OUTSIDE_TONNES = 120.0  # per cell without any city: sea lanes and the rest of the world
_OUTSIDE_PM25 = 21.0
_PM25_FRAME = (60.0, 150.0, 0.0, 60.0)  # west, east, south, north of the Asian PM2.5 files


class Spreader:
    """Turns city totals into cell values that zonal sums give back exactly.

    A city's amount goes to cells that lie wholly inside it, in a fixed uneven pattern; a city
    without such a cell (islands) uses the cell it covers most. What neighbours then pick up in
    shared cells is removed by solving ``(F P') x = total``, with ``F`` the coverage and ``P`` the
    pattern, both (n_cities, n_cells).
    """

    def __init__(
        self, coverage: sparse.csr_matrix, rng: np.random.Generator, spread: float
    ) -> None:
        rows, cols, values = [], [], []
        for i in range(coverage.shape[0]):
            part = slice(coverage.indptr[i], coverage.indptr[i + 1])
            cell, share = coverage.indices[part], coverage.data[part]
            inside = share > 0.9999
            if inside.any():
                chosen = cell[inside]
                weight = np.exp(spread * rng.standard_normal(chosen.size))
            else:
                chosen, weight = cell[[np.argmax(share)]], np.ones(1)
            rows.append(np.full(chosen.size, i))
            cols.append(chosen)
            values.append(weight / weight.sum())
        index = (np.concatenate(rows), np.concatenate(cols))
        self.pattern = sparse.csr_matrix((np.concatenate(values), index), shape=coverage.shape)
        self._back = np.linalg.inv((coverage @ self.pattern.T).toarray())

    def cells(self, totals: np.ndarray) -> np.ndarray:
        """Cell values (n_cells,) for city totals (n,)."""
        return np.maximum(self.pattern.T @ (self._back @ totals), 0.0)


def write_grids(world: World, landing: Path) -> list[Path]:
    """Write ``edgar``, ``pm25``, ``nightlights`` and ``elevation`` below the landing folder.

    Raises
    ------
    ValueError
        If the world carries no geography.
    """
    if world.geography is None:
        raise ValueError("grids need the coverage of cells: generate the world with a geography")
    geography = world.geography
    written = [_elevation(world.seed, geography, landing / "elevation")]
    written += _edgar(world, geography, landing / "edgar")
    written += _pm25(world, geography, landing / "pm25")
    written += _lights(world, geography, landing / "nightlights")
    return written


def _edgar(world: World, geography: Geography, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    coverage = geography.coarse
    rows, cols = geography.rows // 2, geography.cols // 2
    spreader = Spreader(coverage, stream(world.seed, "edgar pattern"), 1.1)
    free = np.asarray(coverage.sum(axis=0)).ravel() == 0
    lat, lon = np.round(np.arange(-89.95, 90, COARSE), 2), np.round(np.arange(-179.95, 180, 0.1), 2)
    south, west = round((SOUTH + 90) / COARSE), round((WEST + 180) / COARSE)
    area = cell_area_m2(np.round(-90 + COARSE * np.arange(1801), 1), COARSE)
    window = (slice(south, south + rows), slice(west, west + cols))
    written = []
    for position, year in enumerate(world.years):
        values = spreader.cells(world.city["co2_edgar"][:, position])
        values[free] = _OUTSIDE_TONNES
        globe = np.zeros((lat.size, lon.size), dtype="float32")
        tonnes = values.reshape(rows, cols)[::-1]  # EDGAR runs from south to north
        flux = int(year) in FLUX_YEARS
        if flux:
            seconds = (366 if calendar.isleap(int(year)) else 365) * 86400.0
            tonnes = tonnes * 1000.0 / (area[window[0], None] * seconds)
        globe[window] = tonnes
        kind, variable = ("flx_nc", "fluxes") if flux else ("emi", "emissions")
        path = folder / f"SYNTHETIC_v8.0_FT2022_GHG_CO2_{year}_TOTALS_{kind}.nc"
        attributes = {
            "substance": "CO2",
            "year": str(year),
            "release": "EDGARv8.0_FT2022_GHG",
            "units": "kg m-2 s-1" if flux else "Tonnes",
            "long_name": f"SYNTHETIC total CO2, {'flux' if flux else 'tonnes per cell and year'}",
        }
        _write_nc(path, variable, globe, lat, lon, attributes)
        written.append(path)
    return written


def _pm25(world: World, geography: Geography, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    west, east, south, north = _PM25_FRAME
    coverage = geography.coarse.tocsc(copy=True)
    rows, cols = geography.rows // 2, geography.cols // 2
    covered = np.asarray(coverage.sum(axis=0)).ravel()
    # Cell value = texture x mean of the cities in it, weighted by coverage; city levels x solve
    # W B x = means, with W the area weights of zonal means.
    blend = coverage @ sparse.diags(1.0 / np.where(covered > 0, covered, 1.0))
    rng = stream(world.seed, "pm25 texture")
    texture = ndimage.gaussian_filter(rng.standard_normal((rows, cols)), 4, mode="nearest")
    texture = np.exp(0.06 * texture / texture.std()).ravel()
    blend = (blend @ sparse.diags(texture)).tocsr()
    area = cell_area_m2(NORTH - COARSE * np.arange(rows + 1), COARSE)
    weight = coverage @ sparse.diags(np.repeat(area, cols))
    weight = sparse.diags(1.0 / np.asarray(weight.sum(axis=1)).ravel()) @ weight
    solve = np.linalg.inv((weight @ blend.T).toarray())
    lat = np.round(np.arange(south + COARSE / 2, north, COARSE), 2)
    lon = np.round(np.arange(west + COARSE / 2, east, COARSE), 2)
    row, col = round((SOUTH - south) / COARSE), round((WEST - west) / COARSE)
    depth = min(rows, lat.size - row)
    written = []
    for position, year in enumerate(world.years):
        values = blend.T @ (solve @ world.city["pm25"][:, position])
        values = np.where(covered > 0, np.maximum(values, 1.0), _OUTSIDE_PM25)
        asia = np.full((lat.size, lon.size), np.nan, dtype="float32")
        asia[row : row + depth, col : col + cols] = values.reshape(rows, cols)[::-1][:depth]
        old = int(year) <= PM25_V5_LAST
        name, variable = ("V5GL04.HybridPM25c", "GWRPM25") if old else ("V6GL02.02.CNNPM25", "PM25")
        path = folder / f"SYNTHETIC_{name}.0p10.AS.{year}01-{year}12.nc"
        attributes = {"units": "ug/m3", "long_name": "SYNTHETIC annual mean PM2.5"}
        _write_nc(path, variable, asia, lat, lon, attributes)
        written.append(path)
    return written


def _lights(world: World, geography: Geography, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    spreader = Spreader(geography.fine, stream(world.seed, "light pattern"), 1.6)
    written = []
    for position, year in enumerate(world.years):
        values = spreader.cells(world.city["night_light"][:, position])
        path = folder / f"SYNTHETIC_VNL_v2_{year}_average_masked.tif"
        shape = (geography.rows, geography.cols)
        _write_tif(path, values.reshape(shape).astype("float32"), "DN")
        written.append(path)
    return written


def _elevation(seed: int, geography: Geography, folder: Path) -> Path:
    """High in the west, rough at its edges, flat in the east: no city is given a value."""
    folder.mkdir(parents=True, exist_ok=True)
    lon = (WEST + FINE * (np.arange(geography.cols) + 0.5))[None, :]
    lat = (NORTH - FINE * (np.arange(geography.rows) + 0.5))[:, None]
    plateau = 4300 / (1 + np.exp((lon - 101.5) / 1.6)) * np.exp(-(((lat - 33) / 7.5) ** 2))
    steppe = 900 / (1 + np.exp((lon - 113) / 2.5)) + 120
    rng = stream(seed, "terrain")
    noise = rng.standard_normal((geography.rows, geography.cols))
    hills = ndimage.gaussian_filter(noise, 1.2, mode="wrap") * 4.2
    ranges = ndimage.gaussian_filter(noise, 9, mode="wrap") * 30
    rough = 60 + 0.16 * (plateau + steppe) + 260 * np.clip(ranges, 0, 2)
    height = plateau + steppe + rough * hills + 220 * ranges
    path = folder / "SYNTHETIC_SRTM_elevation.tif"
    _write_tif(path, np.clip(height, 1, 8000).astype("int16"), "m")
    return path


def _write_nc(
    path: Path, variable: str, values: np.ndarray, lat: np.ndarray, lon: np.ndarray,
    attributes: dict[str, str],
) -> None:  # fmt: skip
    with h5py.File(path, "w", libver=("earliest", "v110")) as file:
        file.attrs["Conventions"] = "CF-1.8"
        for key in ("substance", "year", "release"):
            if key in attributes:
                file.attrs[key] = attributes[key]
        file.attrs["comment"] = "SYNTHETIC: invented numbers, not a measurement"
        for name, axis, unit in (("lat", lat, "degrees_north"), ("lon", lon, "degrees_east")):
            scale = file.create_dataset(name, data=axis, dtype="float64", track_times=False)
            scale.make_scale(name)
            scale.attrs["units"] = unit
            scale.attrs["standard_name"] = "latitude" if name == "lat" else "longitude"
        data = file.create_dataset(
            variable, data=values, dtype="float32", chunks=(min(300, lat.size), min(600, lon.size)),
            compression="gzip", compression_opts=1, shuffle=True, track_times=False,
            fillvalue=np.float32("nan"),
        )  # fmt: skip
        for key, text in attributes.items():
            data.attrs[key] = text
        for i, name in enumerate(("lat", "lon")):
            data.dims[i].attach_scale(file[name])


def _write_tif(path: Path, values: np.ndarray, unit: str) -> None:
    profile = {
        "driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1,
        "dtype": values.dtype.name, "crs": "EPSG:4326", "compress": "deflate", "zlevel": 1,
        "predictor": 3 if values.dtype.kind == "f" else 2, "tiled": True,
        "transform": from_origin(WEST, NORTH, FINE, FINE),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(values, 1)
        file.units = (unit,)
        file.update_tags(comment="SYNTHETIC: invented numbers, not a measurement")


__all__ = ["EAST", "FLUX_YEARS", "PM25_V5_LAST", "Spreader", "write_grids"]
