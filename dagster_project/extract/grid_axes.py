"""Axes of regular grids: from cell centres to edges, and the window over an area.

Belongs here: the arithmetic of evenly spaced longitudes and latitudes. Does not belong here:
opening files (grid_read.py) or coverage (coverage.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dagster_project.extract.coverage import GridGeometry
from dagster_project.extract.schema import ExtractError

MAX_CELLS = 250_000_000


def regular_axis(path: Path, axis: str, ascending: np.ndarray) -> tuple[float, float]:
    """Lower edge and step of cell centres; single-precision noise is rounded away."""
    n = len(ascending)
    if n < 2:
        raise ExtractError(f"{path.name}: {axis} has {n} value(s); expected a grid")
    step = (ascending[-1] - ascending[0]) / (n - 1)
    per_degree = round(1.0 / step) if step > 0 else 0
    if per_degree and n * abs(step - 1.0 / per_degree) < 0.05 * step:
        step = 1.0 / per_degree
    off = ascending - step * np.arange(n)
    if step <= 0 or np.ptp(off) > 0.1 * step:
        raise ExtractError(f"{path.name}: {axis} is not evenly spaced; expected a regular grid")
    edge = float(off.mean()) - step / 2
    halves = edge / (step / 2)
    if abs(halves - round(halves)) < 0.05:
        edge = round(halves) * (step / 2)
    return edge, float(step)


def clip(
    path: Path, whole: GridGeometry, bounds: tuple[float, float, float, float], pad: int
) -> tuple[GridGeometry, slice, slice, tuple[int, int, int, int]]:
    """Window of a grid over bounds: its geometry, rows, columns, and the margin that ``pad`` added.

    Raises
    ------
    ExtractError
        If the grid does not touch the bounds, or the window is beyond the limit of cells.
    """
    west, south, east, north = bounds
    col0 = max(int(np.floor((west - whole.left) / whole.dx + 1e-9)), 0)
    col1 = min(int(np.ceil((east - whole.left) / whole.dx - 1e-9)), whole.nx)
    row0 = max(int(np.floor((whole.top - north) / whole.dy + 1e-9)), 0)
    row1 = min(int(np.ceil((whole.top - south) / whole.dy - 1e-9)), whole.ny)
    if col1 <= col0 or row1 <= row0:
        w, s, e, n = whole.bounds
        raise ExtractError(
            f"{path.name}: the grid ({w:g} to {e:g} E, {s:g} to {n:g} N) does not touch the cities "
            f"({west:g} to {east:g} E, {south:g} to {north:g} N)"
        )
    if (col1 - col0) * (row1 - row0) > MAX_CELLS:
        raise ExtractError(
            f"{path.name}: {(col1 - col0) * (row1 - row0):,} cells over the cities, more than the "
            f"limit of {MAX_CELLS:,}; resample it, e.g. gdalwarp -tr 0.00833333 0.00833333 "
            "-r average in.tif out.tif"
        )
    margin = (min(pad, row0), min(pad, whole.ny - row1), min(pad, col0), min(pad, whole.nx - col1))
    rows = slice(row0 - margin[0], row1 + margin[1])
    cols = slice(col0 - margin[2], col1 + margin[3])
    geometry = GridGeometry(
        whole.left + cols.start * whole.dx,
        whole.top - rows.start * whole.dy,
        whole.dx,
        whole.dy,
        cols.stop - cols.start,
        rows.stop - rows.start,
    )
    return geometry, rows, cols, margin
