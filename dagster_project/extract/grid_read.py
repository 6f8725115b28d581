"""Opens a gridded file and returns the window over a map, north up, west to east, units checked.

Belongs here: NetCDF (3 and 4) and GeoTIFF, axis orders, longitude conventions, missing marks, the
rules by which a variable is found. Does not belong here: cities (coverage.py), or what is summed
(grids.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np
import rasterio
import rasterio.errors
import xarray as xr
from rasterio.windows import Window

from dagster_project.extract.coverage import GridGeometry
from dagster_project.extract.grid_axes import clip, regular_axis
from dagster_project.extract.parser_errors import PARSER_ERRORS
from dagster_project.extract.schema import ExtractError

_LON_NAMES = ("lon", "longitude", "x", "nav_lon")
_LAT_NAMES = ("lat", "latitude", "y", "nav_lat")
_CACHE_MB = 64
# Values that products use for "no data" without saying so in an attribute.
_SENTINELS = (-999.0, -999.9, -9999.0, -32768.0, -3.4028235e38, 9.96921e36, 1e20, 65535.0)


@dataclass(frozen=True)
class GridRule:
    """How a variable of one kind of product is known.

    Attributes
    ----------
    variables
        Names, lower case, in order of preference; ``None`` takes the only gridded variable.
    units
        Accepted units (folded, see :func:`fold_unit`) and their meaning.
    unit_when_silent
        Meaning assumed where the file states no unit; ``None`` refuses such a file.
    valid
        Least and greatest possible value; anything else is a missing mark or a wrong file.
    scaled_integers
        Whether products of this kind store scaled whole numbers: such a file without a unit and a
        scale factor is refused, because 399 may mean 39.9.
    byte_missing
        What images of one byte per cell use for "no data" without declaring it.
    """

    variables: tuple[str, ...] | None
    units: dict[str, str]
    unit_when_silent: str | None
    valid: tuple[float, float]
    scaled_integers: bool = False
    byte_missing: int | None = None


@dataclass(frozen=True)
class GridWindow:
    """Values of one variable over a window.

    Attributes
    ----------
    values
        float32 or float64, shape (ny, nx), north up; NaN where missing.
    unit
        Meaning of the unit, a value of ``GridRule.units``.
    attributes
        Attributes of file and variable (lower-case names), as text.
    notes
        What was assumed on the way, for the note of each observation.
    """

    values: np.ndarray
    geometry: GridGeometry
    variable: str
    unit: str
    unit_printed: str
    attributes: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    margin: tuple[int, int, int, int] = (0, 0, 0, 0)  # rows above, below, columns left, right

    def without_margin(self, values: np.ndarray) -> np.ndarray:
        """A field of the window's shape without the rows and columns that padding added."""
        above, below, left, right = self.margin
        ny, nx = values.shape
        return values[above : ny - below, left : nx - right]

    def inner_geometry(self) -> GridGeometry:
        """Geometry of :meth:`without_margin`."""
        above, below, left, right = self.margin
        g = self.geometry
        return GridGeometry(
            g.left + left * g.dx, g.top - above * g.dy, g.dx, g.dy,
            g.nx - left - right, g.ny - above - below,
        )  # fmt: skip


def read_window(
    path: Path, rule: GridRule, bounds: tuple[float, float, float, float], *, pad: int = 0
) -> GridWindow:
    """The part of a file that lies over ``bounds``.

    Parameters
    ----------
    path
        ``.nc`` (NetCDF 3, 4 or HDF5) or ``.tif``.
    rule
        What to look for.
    bounds
        West, south, east, north in degrees, longitudes from -180 to 180.
    pad
        Cells to add on every side, where the file has them; see :attr:`GridWindow.margin`.

    Raises
    ------
    ExtractError
        If the file cannot be opened, has no such variable or unit, is not a regular
        longitude-latitude grid, does not touch the bounds, or holds impossible values.
    """
    if not path.exists():
        raise ExtractError(f"grid file {path} does not exist")
    if path.suffix.lower() in (".tif", ".tiff"):
        window = _read_geotiff(path, rule, bounds, pad)
    else:
        window = _read_netcdf(path, rule, bounds, pad)
    return _without_missing_marks(path, rule, window)


def fold_unit(text: str) -> str:
    """A unit without case, blanks, exponents' signs and the many micro signs."""
    folded = text.strip().lower().replace("µ", "u").replace("μ", "u").replace("³", "3")
    for old, new in (("**", ""), ("^", ""), (" per ", "/"), ("²", "2"), ("⁻", "-"), ("¹", "1")):
        folded = folded.replace(old, new)
    return folded.replace(" ", "").replace("_", "").replace(".", "")


def _read_netcdf(
    path: Path, rule: GridRule, bounds: tuple[float, float, float, float], pad: int
) -> GridWindow:
    with path.open("rb") as handle:
        magic = handle.read(8)
    if magic[:3] == b"CDF":
        engine = "scipy" if magic[3:4] in (b"\x01", b"\x02") else "netcdf4"
    elif magic == b"\x89HDF\r\n\x1a\n":
        engine = "h5netcdf"
    else:
        raise ExtractError(
            f"{path.name}: not a NetCDF file (it begins with {magic[:4]!r}); the download may be "
            "incomplete or an error page saved under this name"
        )
    try:
        if engine == "h5netcdf":
            h5py.File(path, "r").close()  # h5netcdf prints a traceback when it fails to open
        with xr.open_dataset(path, engine=engine, decode_times=False, cache=False) as data:
            return _netcdf_window(path, data, rule, bounds, pad)
    except PARSER_ERRORS as error:
        raise ExtractError(
            f"{path.name}: cannot be read as NetCDF ({type(error).__name__}: {error}); "
            "download it again"
        ) from error


def _netcdf_window(
    path: Path,
    data: xr.Dataset,
    rule: GridRule,
    bounds: tuple[float, float, float, float],
    pad: int,
) -> GridWindow:
    lon_name = _coordinate(data, _LON_NAMES, "degrees_east")
    lat_name = _coordinate(data, _LAT_NAMES, "degrees_north")
    if lon_name is None or lat_name is None:
        raise ExtractError(
            f"{path.name}: no longitude and latitude coordinates; found {_listed(data)}"
        )
    gridded = [str(n) for n, v in data.data_vars.items() if {lon_name, lat_name} <= set(v.dims)]
    if rule.variables is None:
        chosen = gridded if len(gridded) == 1 else []
    else:
        by_name = {name.lower(): name for name in gridded}
        chosen = [by_name[name] for name in rule.variables if name in by_name][:1]
    if not chosen:
        wanted = (
            "exactly one gridded variable"
            if rule.variables is None
            else " or ".join(rule.variables)
        )
        raise ExtractError(f"{path.name}: expected the variable {wanted}; found {_listed(data)}")
    variable = data[chosen[0]]
    for dim in set(variable.dims) - {lon_name, lat_name}:
        if variable.sizes[dim] != 1:
            raise ExtractError(
                f"{path.name}: {chosen[0]} has {variable.sizes[dim]} steps of {dim}; expected one "
                "annual field (drop the annual file, not the monthly one)"
            )
        variable = variable.isel({dim: 0})
    printed = str(variable.attrs.get("units", variable.attrs.get("unit", ""))).strip()
    unit, notes = _unit(path, chosen[0], printed, rule)
    _check_scale(path, chosen[0], printed, rule, variable.dtype)

    lon = np.asarray(data[lon_name].to_numpy(), dtype=float)
    lat = np.asarray(data[lat_name].to_numpy(), dtype=float)
    west_first = np.argsort((lon + 180.0) % 360.0 - 180.0, kind="stable")
    north_first = np.argsort(-lat, kind="stable")
    left, dx = regular_axis(path, "longitude", ((lon + 180.0) % 360.0 - 180.0)[west_first])
    bottom, dy = regular_axis(path, "latitude", lat[north_first][::-1])
    whole = GridGeometry(left, bottom + dy * len(lat), dx, dy, len(lon), len(lat))
    geometry, rows, cols, margin = clip(path, whole, bounds, pad)
    row_ids, col_ids = north_first[rows], west_first[cols]
    # Read one block that holds all wanted cells, then order it; only a window that crosses the
    # file's own seam reads more than it needs.
    block = variable.transpose(lat_name, lon_name).isel(
        {
            lat_name: slice(row_ids.min(), row_ids.max() + 1),
            lon_name: slice(col_ids.min(), col_ids.max() + 1),
        }
    )
    values = block.to_numpy()[np.ix_(row_ids - row_ids.min(), col_ids - col_ids.min())]
    attributes = {str(k).lower(): str(v) for k, v in {**data.attrs, **variable.attrs}.items()}
    return GridWindow(
        _floating(values), geometry, chosen[0], unit, printed, attributes, tuple(notes), margin
    )


def _read_geotiff(
    path: Path, rule: GridRule, bounds: tuple[float, float, float, float], pad: int
) -> GridWindow:
    try:
        # GDAL would keep read blocks up to a share of the machine's memory; each is read once here
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB), rasterio.open(path) as image:
            if image.count != 1:
                raise ExtractError(f"{path.name}: has {image.count} bands; expected one")
            if image.crs is None or not image.crs.is_geographic:
                raise ExtractError(
                    f"{path.name}: its reference system is {image.crs}; expected longitude and "
                    "latitude. Convert it: gdalwarp -t_srs EPSG:4326 in.tif out.tif"
                )
            affine = image.transform
            if affine.b or affine.d or affine.e >= 0 or affine.a <= 0:
                raise ExtractError(
                    f"{path.name}: rotated or not north up; convert it with gdalwarp"
                )
            west = np.array([affine.c, affine.c + affine.a]) + affine.a / 2
            lon = west[0] + affine.a * np.arange(image.width)
            lat = affine.f + affine.e / 2 + affine.e * np.arange(image.height)
            left, dx = regular_axis(path, "longitude", lon)
            bottom, dy = regular_axis(path, "latitude", lat[::-1])
            whole = GridGeometry(left, bottom + dy * len(lat), dx, dy, len(lon), len(lat))
            geometry, rows, cols, margin = clip(path, whole, bounds, pad)
            window = Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
            stored = np.dtype(image.dtypes[0])
            values = _floating(image.read(1, window=window))
            if image.nodata is not None and not np.isnan(image.nodata):
                values[values == np.asarray(image.nodata).astype(values.dtype)] = np.nan
            elif image.nodata is None and stored == np.uint8 and rule.byte_missing is not None:
                values[values == rule.byte_missing] = np.nan
            scale, offset = image.scales[0], image.offsets[0]
            if (scale, offset) != (1.0, 0.0):
                values = values * scale + offset
            tags = {**image.tags(), **image.tags(1)}
            printed = str((image.units or (None,))[0] or tags.get("units", "")).strip()
            if (scale, offset) == (1.0, 0.0):
                _check_scale(path, "band 1", printed, rule, stored)
    except (rasterio.errors.RasterioError, *PARSER_ERRORS) as error:
        raise ExtractError(
            f"{path.name}: cannot be read as GeoTIFF ({error}); download it again"
        ) from error
    unit, notes = _unit(path, "band 1", printed, rule, is_image=True)
    attributes = {str(k).lower(): str(v) for k, v in tags.items()}
    return GridWindow(values, geometry, "band 1", unit, printed, attributes, tuple(notes), margin)


def _unit(
    path: Path, variable: str, printed: str, rule: GridRule, *, is_image: bool = False
) -> tuple[str, list[str]]:
    if printed:
        meaning = rule.units.get(fold_unit(printed))
        if meaning is None:
            raise ExtractError(
                f"{path.name}: {variable} is in {printed!r}; expected one of "
                f"{', '.join(sorted(rule.units))}"
            )
        return meaning, []
    if rule.unit_when_silent is None:
        raise ExtractError(
            f"{path.name}: {variable} states no unit (attribute units); expected one of "
            f"{', '.join(sorted(rule.units))}"
        )
    # A GeoTIFF has no place for a unit, so its silence says nothing.
    return rule.unit_when_silent, [] if is_image else [
        f"unit not stated in the file, taken as {rule.unit_when_silent}"
    ]


def _check_scale(path: Path, variable: str, unit: str, rule: GridRule, dtype: np.dtype) -> None:
    if rule.scaled_integers and not unit and dtype.kind in "iu":
        raise ExtractError(
            f"{path.name}: {variable} stores whole numbers and states neither a unit nor a scale "
            "factor, so that 399 may mean 39.9. Write the attributes scale_factor and units into "
            "it, or store the values themselves"
        )


def _without_missing_marks(path: Path, rule: GridRule, window: GridWindow) -> GridWindow:
    low, high = rule.valid
    values = window.values
    if not (np.nanmin(values, initial=high) < low or np.nanmax(values, initial=low) > high):
        return window
    with np.errstate(invalid="ignore"):
        outside = (values < low) | (values > high)
    marks = np.unique(values[outside])
    unknown = [m for m in marks if not np.isclose(m, _SENTINELS, rtol=1e-5).any()]
    if unknown:
        row, col = np.argwhere(outside & (values == unknown[0]))[0]
        geometry = window.geometry
        raise ExtractError(
            f"{path.name}: {window.variable} is {unknown[0]:g} at "
            f"{geometry.left + (col + 0.5) * geometry.dx:.3f} E, "
            f"{geometry.top - (row + 0.5) * geometry.dy:.3f} N; expected {low:g} to {high:g} "
            f"{window.unit}. Is it the right product, or an undeclared missing mark?"
        )
    values[outside] = np.nan
    note = f"undeclared missing mark {', '.join(f'{m:g}' for m in marks)} read as missing"
    return replace(window, notes=(*window.notes, note))


def _coordinate(data: xr.Dataset, names: tuple[str, ...], unit: str) -> str | None:
    for name in data.variables:
        variable = data[name]
        if variable.ndim == 1 and variable.dims == (name,):
            stated = str(variable.attrs.get("units", "")).lower()
            if str(name).lower() in names or stated == unit:
                return str(name)
    return None


def _listed(data: xr.Dataset) -> str:
    listed = [f"{n}({', '.join(map(str, v.dims))})" for n, v in data.data_vars.items()]
    return ", ".join(listed) or "no variables"


def _floating(values: np.ndarray) -> np.ndarray:
    """Values as floats, copied only if they are none yet: night lights have 10^8 cells."""
    if values.dtype in (np.dtype("f4"), np.dtype("f8")):
        return values if values.flags.writeable else np.array(values)
    return values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
