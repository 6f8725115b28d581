"""Gridded sources reduced to cities: EDGAR CO2, PM2.5, night lights, elevation and relief.

Belongs here: the reduction of a field to cities and the observations made of it. Does not belong
here: what is taken from which product (grid_kinds.py), opening files (grid_read.py), coverage
fractions (coverage.py), or Dagster.
"""

from __future__ import annotations

import calendar
import hashlib
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy import sparse

from dagster_project.extract.coverage import Coverage, GridGeometry, coverage_of
from dagster_project.extract.grid_kinds import GRID_SOURCES, GridKind, Statistic
from dagster_project.extract.grid_names import check_product, grid_release, grid_year
from dagster_project.extract.grid_read import GridRule, GridWindow, read_window
from dagster_project.extract.relief import relief_degree, window_cells
from dagster_project.extract.safety import Limits, check_path
from dagster_project.extract.schema import ExtractError, ExtractResult

_POPULATION = GridRule(None, dict.fromkeys(("persons", "people", "count", "1", ""), "persons"),
                       "persons", (0.0, 1e8))  # fmt: skip

# Grids are large on disk, but only the window over the cities is unpacked.
GRID_LIMITS = Limits(file_bytes=16 * 1024**3)
# Below these shares of its area covered by valid cells, a city is rejected: a sum over a part is
# not the city's total, a mean over a corner is not the city's mean.
MIN_COVERAGE = {"sum": 0.9, "mean": 0.25, "population_mean": 0.25}
# Coverage is noted where less than this share is covered.
_NOTED_COVERAGE = 0.995


def read_grid(
    path: Path,
    kind: str,
    boundaries: gpd.GeoDataFrame,
    cache_dir: Path | None,
    *,
    relative_to: Path,
    population: Path | None = None,
    sha256: str | None = None,
    min_coverage: dict[str, float] | None = None,
) -> ExtractResult:
    """One gridded file as observations, one per city and indicator.

    Parameters
    ----------
    path
        The file: one year (EDGAR, PM2.5, night lights), or elevation.
    kind
        Source id, a key of ``GRID_SOURCES``.
    boundaries
        As :func:`dagster_project.extract.boundaries.load_boundaries` returns.
    cache_dir
        Where coverage matrices are kept; ``None`` computes them each time.
    relative_to
        The landing folder, for the file name kept with each observation.
    population
        Grid of persons per cell (GeoTIFF or NetCDF). Given for ``pm25``, the population-weighted
        mean is read too.
    sha256
        Hash of the file where the caller has it already.
    min_coverage
        Overrides of ``MIN_COVERAGE``, by statistic.

    Returns
    -------
    ExtractResult
        ``entity_code_printed`` is the city code, ``indicator_key`` the canonical indicator,
        ``sheet`` the variable. A city without a valid cell, or with too few of them, is a reject.

    Raises
    ------
    ExtractError
        If the file is missing, unreadable, of another product, variable, unit or year.
    """
    if kind not in GRID_SOURCES:
        raise ExtractError(
            f"unknown grid source {kind!r}; expected one of {', '.join(GRID_SOURCES)}"
        )
    source = GRID_SOURCES[kind]
    path = Path(path)
    check_path(path, Path(relative_to), GRID_LIMITS)
    check_product(path.name, kind)
    bounds = tuple(float(x) for x in boundaries.total_bounds)
    pad = 8 if kind == "elevation" else 0  # relief needs the neighbours of a border cell
    window = read_window(path, source.rule, bounds, pad=pad)  # type: ignore[arg-type]
    year = _year(path, kind, source, window)
    _check_substance(path, kind, window)
    geometry = window.inner_geometry()
    coverage = coverage_of(geometry, boundaries, cache_dir)

    notes = list(window.notes)
    if source.year_when_silent and grid_year(path.name, kind) is None:
        notes.append(f"does not change over time, dated {year}")
    fields = {"value": _annual_amount(window, year) if kind == "edgar_co2" else window.values}
    if any(s.field == "relief" for s in source.statistics):
        fields["relief"] = relief_degree(window.values, window.geometry)
        cells = window_cells(window.geometry)
        notes.append(f"relief window of {cells} by {cells} cells of {window.geometry.dy:g} degrees")
    people = None
    if population is not None:
        people = population_on(population, geometry, bounds)  # type: ignore[arg-type]
        notes.append(f"population from {Path(population).name}")

    limits = {**MIN_COVERAGE, **(min_coverage or {})}
    sha = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    common: dict[str, str | int] = {
        "source": kind,
        "release": window.attributes.get("release") or grid_release(path.name, kind),
        "data_year": year,
        "file": path.relative_to(relative_to).as_posix(),
        "file_sha256": sha,
        "sheet": window.variable,
    }
    observations, rejects = [], []
    for statistic in source.statistics:
        if statistic.how == "population_mean" and people is None:
            continue
        reduced = reduce_to_cities(coverage, window.without_margin(fields[statistic.field]), people)
        good, bad = _rows(statistic, reduced, boundaries, window, limits[statistic.how], notes)
        observations.append(good.assign(**common))
        rejects.append(bad.assign(**common))
    frame = pd.concat(observations, ignore_index=True)
    refused = pd.concat(rejects, ignore_index=True)
    report = {
        **common,
        "bytes": path.stat().st_size,
        "table_title": _title(window),
        "section": "prefecture",
        "data_year_last": year,
        "status": "read",
        "reason": "; ".join(notes),
        "n_entities": frame["entity_code_printed"].nunique(),
        "n_indicators": frame["indicator_key"].nunique(),
        "n_observations": len(frame),
        "n_missing": 0,
        "n_rejects": len(refused),
    }
    return ExtractResult.from_rows(frame, refused.to_dict("records"), [report])


def reduce_to_cities(
    coverage: Coverage, values: np.ndarray, population: np.ndarray | None = None
) -> pd.DataFrame:
    """Sum and means of a field over every city.

    Parameters
    ----------
    coverage
        Of the same geometry as ``values``.
    values
        Shape (ny, nx); NaN is missing and enters neither sums nor weights.
    population
        Persons per cell, same shape.

    Returns
    -------
    DataFrame
        One row per city, in the order of ``coverage.city_codes``: ``sum`` (values times the
        fraction of the cell inside), ``mean`` (weights: cell area times fraction), ``share``
        (of the city's area that valid cells cover), ``cells``, and ``population_mean``.
    """
    flat, people = values.ravel(), None if population is None else population.ravel()
    area, nx = coverage.geometry.row_area_m2(), coverage.geometry.nx
    matrix = coverage.matrix
    n = len(coverage.city_codes)
    out = {k: np.full(n, np.nan) for k in ("sum", "mean", "share", "population_mean")}
    cells = np.zeros(n, dtype=int)
    # City by city, not as one product: values stay in single precision in memory (night lights
    # have 10^8 cells) while sums run in double, and missing cells need no second matrix. Plain
    # sums, not BLAS products: those depend on the number of threads in the last digits.
    for i in range(n):
        part = slice(matrix.indptr[i], matrix.indptr[i + 1])
        ids, fraction = matrix.indices[part], matrix.data[part].astype(float)
        value = flat[ids].astype(float)
        valid = np.isfinite(value)
        cells[i] = np.count_nonzero(valid & (fraction > 0))
        weight = fraction * area[ids // nx]
        whole = weight.sum()
        if cells[i] == 0:
            out["share"][i] = 0.0
            continue
        if not valid.all():  # missing cells weigh nothing
            value = np.where(valid, value, 0.0)
            fraction, weight = fraction * valid, weight * valid
        out["share"][i] = coverage.in_grid[i] * weight.sum() / whole
        out["sum"][i] = (fraction * value).sum()
        out["mean"][i] = (weight * value).sum() / weight.sum()
        if people is not None:
            lived = fraction * np.nan_to_num(people[ids])
            if lived.sum() > 0:
                out["population_mean"][i] = (lived * value).sum() / lived.sum()
    return pd.DataFrame({"city_code": coverage.city_codes, "cells": cells, **out})


def population_on(
    path: Path, geometry: GridGeometry, bounds: tuple[float, float, float, float]
) -> np.ndarray:
    """Persons per cell of ``geometry`` from a population grid of any resolution, shape (ny, nx).

    Counts are spread evenly over a population cell and regrouped by overlap, so that their total
    is kept; missing cells count as uninhabited.
    """
    window = read_window(Path(path), _POPULATION, bounds)
    rows = _overlap(window.geometry.lat_edges[::-1], geometry.lat_edges[::-1])[::-1, ::-1]
    cols = _overlap(window.geometry.lon_edges, geometry.lon_edges)
    return np.asarray(rows @ np.nan_to_num(window.values.astype(float)) @ cols.T)


def _overlap(source: np.ndarray, target: np.ndarray) -> sparse.csr_matrix:
    """Share of each source interval in each target interval; ascending edges, shape (t, s)."""
    low = np.maximum.outer(target[:-1], source[:-1])
    high = np.minimum.outer(target[1:], source[1:])
    return sparse.csr_matrix(np.maximum(high - low, 0.0) / np.diff(source))


def _annual_amount(window: GridWindow, year: int) -> np.ndarray:
    """Tonnes per cell and year, from tonnes, kilotonnes or a flux."""
    if window.unit == "t":
        return window.values
    if window.unit == "kt":
        return window.values * 1000.0
    seconds = (366 if calendar.isleap(year) else 365) * 86400.0
    to_tonnes = window.geometry.row_area_m2() * seconds / 1000.0
    return window.values.astype(float) * to_tonnes[:, None]


def _year(path: Path, kind: str, source: GridKind, window: GridWindow) -> int:
    named = grid_year(path.name, kind)
    stated = re.fullmatch(r"\s*((?:19|20)\d{2})(?:\.0)?\s*", window.attributes.get("year", ""))
    inside = int(stated.group(1)) if stated else None
    if named and inside and named != inside:
        raise ExtractError(
            f"{path.name}: the name says {named}, the attribute year inside the file {inside}; "
            "rename the file or download it again"
        )
    year = named or inside or source.year_when_silent
    if year is None:
        raise ExtractError(
            f"{path.name}: no year in the file name nor in an attribute year; rename the file so "
            "that its name holds the year, e.g. ..._2015_..."
        )
    return year


def _check_substance(path: Path, kind: str, window: GridWindow) -> None:
    substance = window.attributes.get("substance", "")
    if kind == "edgar_co2" and substance and not substance.upper().startswith("CO2"):
        raise ExtractError(f"{path.name}: holds {substance}; expected fossil CO2")
    if kind == "edgar_co2" and "bio" in substance.lower():
        raise ExtractError(f"{path.name}: holds {substance}; expected fossil CO2")


def _title(window: GridWindow) -> str:
    attributes = window.attributes
    return attributes.get("long_name") or attributes.get("title") or window.variable


def _rows(
    statistic: Statistic,
    reduced: pd.DataFrame,
    boundaries: gpd.GeoDataFrame,
    window: GridWindow,
    limit: float,
    notes: list[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    value = reduced[statistic.how].to_numpy()
    share = reduced["share"].to_numpy()
    name = boundaries["name"].to_numpy()
    empty = reduced["cells"].to_numpy() == 0
    uninhabited = ~empty & ~np.isfinite(value)
    thin = ~empty & ~uninhabited & (share < limit)
    good = ~(empty | uninhabited | thin)
    indicator = f"{window.variable} / {statistic.how.replace('_', ' ')}"
    if statistic.field != "value":
        indicator = f"{statistic.field} from {indicator}"
    extra = "; ".join(notes)
    partial = [
        f"valid cells cover {s:.1%} of the city" if s < _NOTED_COVERAGE else "" for s in share
    ]
    observed = pd.DataFrame(
        {
            "section": "prefecture",
            "table_title": _title(window),
            "entity_printed": name,
            "entity_code_printed": reduced["city_code"],
            "indicator_printed": indicator,
            "indicator_key": statistic.indicator,
            "scope": "city",
            "unit_printed": window.unit_printed or window.unit,
            "unit_key": statistic.unit_key,
            "value": value,
            "note": ["; ".join(filter(None, (p, extra))) or None for p in partial],
        }
    )[good]
    refused = pd.DataFrame(
        {
            "entity_printed": [f"{c} {n}" for c, n in zip(reduced["city_code"], name)],
            "indicator_printed": indicator,
            "value_printed": [f"{v:.10g}" if np.isfinite(v) else None for v in value],
            "reason": np.select(
                [empty, uninhabited], ["no_valid_cell", "no_population"], "coverage_below_minimum"
            ),
            "detail": [
                f"{n} ({c}): valid cells cover {s:.1%} of the city, at least {limit:.0%} needed"
                for c, n, s in zip(reduced["city_code"], name, share)
            ],
            "suggestion": "use a grid that covers the city, or leave the city without a value",
        }
    )[~good]
    return observed, refused
