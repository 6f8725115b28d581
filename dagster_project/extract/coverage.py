"""How much of each grid cell lies in each city: an explicit sparse matrix, computed once, cached.

Belongs here: the geometry of regular longitude-latitude grids, cell areas, and the coverage matrix
(exactextract's exact fractions). Does not belong here: reading grids, or what is summed of them.
With the matrix at hand a further year is one sparse product, which no zonal-statistics library
offers: they all intersect polygons and cells again for each raster.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.feature import FeatureSource, JSONFeature
from exactextract.raster import NumPyRasterSource
from scipy import sparse

from dagster_project.extract.schema import ExtractError

# WGS-84
_SEMI_MAJOR = 6378137.0
_ECC2 = 0.0066943799901413165
# Neighbouring polygons digitised apart overlap by slivers; more than this is a wrong map.
_MAX_OVERLAP_SHARE = 0.01


@dataclass(frozen=True)
class GridGeometry:
    """A regular grid, north up, west to east: edges of the upper left cell, steps and counts."""

    left: float
    top: float
    dx: float
    dy: float
    nx: int
    ny: int

    @property
    def lat_edges(self) -> np.ndarray:
        """Latitudes of the row edges, north to south, degrees, shape (ny + 1,)."""
        return self.top - self.dy * np.arange(self.ny + 1)

    @property
    def lon_edges(self) -> np.ndarray:
        """Longitudes of the column edges, west to east, degrees, shape (nx + 1,)."""
        return self.left + self.dx * np.arange(self.nx + 1)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north, degrees."""
        return (
            self.left,
            self.top - self.dy * self.ny,
            self.left + self.dx * self.nx,
            self.top,
        )

    def row_area_m2(self) -> np.ndarray:
        """Area of one cell in each row, m2, shape (ny,)."""
        return cell_area_m2(self.lat_edges, self.dx)

    def key(self) -> str:
        """Stable text of the geometry, for hashing."""
        numbers = (self.left, self.top, self.dx, self.dy)
        return ",".join(f"{x:.9f}" for x in numbers) + f",{self.nx},{self.ny}"


def cell_area_m2(lat_edges: np.ndarray, dx: float) -> np.ndarray:
    """Areas of cells between successive latitudes on the WGS-84 ellipsoid.

    Parameters
    ----------
    lat_edges
        Degrees, shape (n + 1,), ascending or descending.
    dx
        Width of a cell in degrees of longitude.

    Returns
    -------
    ndarray
        m2, shape (n,). Zone area as in Snyder (1987), Map Projections: A Working Manual, eq. 3-12.
    """
    sine = np.sin(np.radians(lat_edges))
    ecc = np.sqrt(_ECC2)
    zone = sine / (1.0 - _ECC2 * sine**2) + np.log((1.0 + ecc * sine) / (1.0 - ecc * sine)) / (
        2 * ecc
    )
    per_radian = 0.5 * _SEMI_MAJOR**2 * (1.0 - _ECC2) * zone
    return np.radians(dx) * np.abs(np.diff(per_radian))


@dataclass(frozen=True)
class Coverage:
    """Share of every cell that lies in every city.

    Attributes
    ----------
    matrix
        CSR, cities by cells (row-major, north to south); fractions of the cell, 0 to 1.
    in_grid
        Share of each polygon's area that the grid's extent covers, shape (cities,).
    overlap
        Greatest share of one cell that the map gave to cities in excess of the whole cell; such
        cells are scaled back, so that nothing is counted twice.
    """

    city_codes: tuple[str, ...]
    geometry: GridGeometry
    matrix: sparse.csr_matrix
    in_grid: np.ndarray
    overlap: float


def boundaries_digest(boundaries: gpd.GeoDataFrame) -> str:
    """Content hash of codes and polygons."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\n".join(boundaries["city_code"]).encode())
    geometry = boundaries.geometry.to_numpy()
    digest.update(np.ascontiguousarray(shapely.get_coordinates(geometry)).tobytes())
    digest.update(np.asarray(shapely.get_num_coordinates(geometry)).tobytes())
    return digest.hexdigest()


def coverage_of(
    geometry: GridGeometry, boundaries: gpd.GeoDataFrame, cache_dir: Path | None = None
) -> Coverage:
    """The coverage matrix of a grid and a map, from the cache where it lies there.

    Parameters
    ----------
    geometry
        The grid (or the window of it) that values come on.
    boundaries
        As :func:`dagster_project.extract.boundaries.load_boundaries` returns.
    cache_dir
        Folder of cached matrices, one ``coverage-<hash>.npz`` each, written to a temporary name
        and moved into place. A damaged file is computed again.

    Raises
    ------
    ExtractError
        If polygons of different cities overlap by more than a hundredth of their area.
    """
    key = hashlib.blake2b(
        f"{boundaries_digest(boundaries)}|{geometry.key()}".encode(), digest_size=16
    ).hexdigest()
    codes = tuple(boundaries["city_code"])
    if cache_dir is None:
        return _build(geometry, boundaries, codes)
    path = Path(cache_dir) / f"coverage-{key}.npz"
    if path.exists():
        try:
            return _load(str(path), path.stat().st_mtime_ns, geometry, codes)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)  # cut short by a full disk or a kill: compute again
    built = _build(geometry, boundaries, codes)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as handle:
        np.savez(
            handle,
            data=built.matrix.data,
            indices=built.matrix.indices,
            indptr=built.matrix.indptr,
            in_grid=built.in_grid,
            overlap=built.overlap,
        )
    partial.replace(path)
    return built


@lru_cache(maxsize=2)
def _load(path: str, _mtime_ns: int, geometry: GridGeometry, codes: tuple[str, ...]) -> Coverage:
    with np.load(path) as stored:
        matrix = sparse.csr_matrix(
            (stored["data"], stored["indices"], stored["indptr"]),
            shape=(len(codes), geometry.nx * geometry.ny),
        )
        return Coverage(codes, geometry, matrix, stored["in_grid"], float(stored["overlap"]))


class _Polygon(JSONFeature):
    """A polygon handed over as WKB; the library's own way through GeoJSON text takes most of the
    time for boundaries with thousands of points."""

    def __init__(self, code: str, geometry: shapely.Geometry):
        super().__init__({"type": "Feature", "properties": {"city_code": code}})
        self.wkb = shapely.to_wkb(geometry)

    def geometry(self) -> bytes:
        return self.wkb


class _Polygons(FeatureSource):
    """Polygons of a frame, in order."""

    def __init__(self, frame: gpd.GeoDataFrame):
        super().__init__()
        self.frame = frame

    def count(self) -> int:
        return len(self.frame)

    def __iter__(self) -> Iterator[_Polygon]:
        for code, geometry in zip(self.frame["city_code"], self.frame.geometry):
            yield _Polygon(code, geometry)

    def srs_wkt(self) -> str:
        return self.frame.crs.to_wkt()


def _build(
    geometry: GridGeometry, boundaries: gpd.GeoDataFrame, codes: tuple[str, ...]
) -> Coverage:
    # A 15 arc-second grid over China has 180 million cells, 55 million of them in cities: nothing
    # here may take eight bytes for each cell. The grid itself is one zero, broadcast.
    west, south, east, north = geometry.bounds
    grid = NumPyRasterSource(
        np.broadcast_to(np.uint8(0), (geometry.ny, geometry.nx)),
        xmin=west, ymin=south, xmax=east, ymax=north, srs_wkt=boundaries.crs.to_wkt(),
    )  # fmt: skip
    # Room for the cells inside and on the border of every polygon; pages not used cost nothing.
    shapes = boundaries.geometry.to_numpy()
    step = min(geometry.dx, geometry.dy)
    border = 3 * shapely.length(shapes) / step + 16 * shapely.get_num_coordinates(shapes)
    room = int((shapely.area(shapes) / (geometry.dx * geometry.dy) + border).sum())
    ids, data = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.float32)
    starts, covered = [0], []
    cities = np.zeros(geometry.nx * geometry.ny, dtype=np.uint8)  # that have a share of the cell
    for number in range(len(codes)):
        polygon = _Polygons(boundaries.iloc[number : number + 1])
        cells = exact_extract(grid, polygon, ["cell_id", "coverage"], output="pandas")
        part = slice(starts[-1], starts[-1] + len(cells["cell_id"][0]))
        ids[part], data[part] = cells["cell_id"][0], cells["coverage"][0]
        covered.append(data[part].sum(dtype=float))
        cities[ids[part]] += 1
        starts.append(part.stop)
    ids, data = ids[: starts[-1]], data[: starts[-1]]
    area = np.array(covered) * geometry.dx * geometry.dy
    in_grid = area / shapely.area(shapes)  # both in square degrees
    # Only a cell that several cities share can be given away more than once. Coverage fractions
    # come in single precision: an excess below 1e-5 is rounding, and is scaled back as well, so
    # that sums over cities never exceed the grid's total.
    shared = np.flatnonzero(cities[ids] > 1)
    _, place = np.unique(ids[shared], return_inverse=True)
    total = np.bincount(place, weights=data[shared])
    excess = np.maximum(total - 1.0, 0.0)
    if excess.sum() > _MAX_OVERLAP_SHARE * sum(covered):
        raise ExtractError(
            f"polygons of different cities overlap by {excess.sum() / sum(covered):.1%} of their "
            "area; the boundary file must hold one level of units without overlaps"
        )
    data[shared] *= (1.0 / np.maximum(total, 1.0))[place].astype(np.float32)
    matrix = sparse.csr_matrix((data, ids, starts), shape=(len(codes), geometry.nx * geometry.ny))
    return Coverage(
        codes, geometry, matrix, np.minimum(in_grid, 1.0), float(excess.max(initial=0.0))
    )
