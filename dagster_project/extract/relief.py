"""Terrain relief degree of the land surface from an elevation grid.

Belongs here: the window statistics and the formula. Does not belong here: reading the grid
(grid_read.py), or averaging over a city (grids.py).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from dagster_project.extract.coverage import GridGeometry

_KM_PER_DEGREE = 111.195  # of latitude, mean
WINDOW_KM = 5.0
FLAT_SLOPE_DEGREES = 5.0


def window_cells(geometry: GridGeometry, window_km: float = WINDOW_KM) -> int:
    """Odd number of cells whose height is nearest to ``window_km``, at least 3."""
    cells = window_km / (geometry.dy * _KM_PER_DEGREE)
    return max(3, 2 * round((cells - 1) / 2) + 1)


def relief_degree(
    elevation: np.ndarray,
    geometry: GridGeometry,
    *,
    window_km: float = WINDOW_KM,
    flat_slope: float = FLAT_SLOPE_DEGREES,
) -> np.ndarray:
    """Relief degree of land surface (RDLS) of every cell.

    Parameters
    ----------
    elevation
        m, shape (ny, nx), NaN where missing.
    geometry
        The grid's geometry; 30 arc-seconds (about 1 km) is what the formula was made for.
    window_km
        Side of the square window.
    flat_slope
        Steepest slope of flat land, degrees.

    Returns
    -------
    ndarray
        Dimensionless, shape (ny, nx), NaN where the elevation is.

    Notes
    -----
    RDLS = ALT/1000 + {[Max(H) - Min(H)] x [1 - P(A)/A]}/500, Feng, Tang, Yang and Zhang (2007),
    Acta Geographica Sinica 62(10): ALT, Max(H), Min(H) are the mean, highest and lowest elevation
    (m) in a window of area A, P(A) the area of flat land in it. Our reading: a square window of
    5 km (25 km2) around each cell, on coarser grids of 3 by 3 cells; flat land is where the slope
    from central differences is at most 5 degrees; a city's value is the area-weighted mean over
    its cells. On grids much coarser than 1 km the slope is understated and the height difference
    overstated: compare values from one resolution only.
    """
    size = window_cells(geometry, window_km)
    valid = np.isfinite(elevation)
    filled = np.where(valid, elevation, 0.0).astype(float)
    share = ndimage.uniform_filter(valid.astype(float), size, mode="nearest")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = ndimage.uniform_filter(filled, size, mode="nearest") / share
        highest = ndimage.maximum_filter(np.where(valid, elevation, -np.inf), size, mode="nearest")
        lowest = ndimage.minimum_filter(np.where(valid, elevation, np.inf), size, mode="nearest")
        # A coast has no slope towards the sea: missing neighbours take the cell's own height.
        level = np.where(valid, elevation, mean)
        north, east = _gradients(level, geometry)
        slope = np.degrees(np.arctan(np.hypot(north, east)))
        flat = (slope <= flat_slope) & valid
        flat_share = ndimage.uniform_filter(flat.astype(float), size, mode="nearest") / share
        rdls = mean / 1000.0 + (highest - lowest) * (1.0 - np.clip(flat_share, 0.0, 1.0)) / 500.0
    return np.where(valid, rdls, np.nan)


def _gradients(level: np.ndarray, geometry: GridGeometry) -> tuple[np.ndarray, np.ndarray]:
    centre = np.radians((geometry.lat_edges[:-1] + geometry.lat_edges[1:]) / 2.0)
    metres = _KM_PER_DEGREE * 1000.0
    north = np.gradient(level, geometry.dy * metres, axis=0)
    east = np.gradient(level, axis=1) / (geometry.dx * metres * np.cos(centre))[:, None]
    return np.nan_to_num(north), np.nan_to_num(east)
