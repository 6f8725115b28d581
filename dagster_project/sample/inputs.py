"""What the sample takes from the project: the city list, adoption years of pilots, land areas.

Belongs here: reading dbt seeds and the polygon coverage of grid cells, and named random streams.
Does not belong here: any modelling (``world`` and its parts) or file writing.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from dagster_project.extract.coverage import cell_area_m2

SEEDS_DIR = Path(__file__).resolve().parents[2] / "dbt" / "seeds"

# Frame of the coverage matrix: the Chinese territory with a margin, in whole 0.1 degree cells.
WEST, EAST, SOUTH, NORTH = 72.0, 136.0, 2.0, 54.0
FINE = 0.05  # degrees; night lights and elevation
COARSE = 0.1  # degrees; EDGAR and PM2.5


# Levels of a roster row that stand for the whole city.
_WHOLE = ("prefecture_city", "prefecture", "municipality", "province_member")


class SampleInputError(Exception):
    """A seed the sample needs is missing or lacks a column; the message says which."""


def stream(seed: int, name: str) -> np.random.Generator:
    """Random stream of a name: adding one variable never changes the draws of another."""
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))
    )


def read_seed(seeds_dir: Path, name: str) -> pd.DataFrame:
    """One dbt seed as text columns.

    Raises
    ------
    SampleInputError
        If the file is absent.
    """
    path = seeds_dir / f"{name}.csv"
    if not path.exists():
        raise SampleInputError(f"the sample needs the seed {name}.csv; not found in {seeds_dir}")
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")


def code_column(frame: pd.DataFrame) -> str:
    """Name of the column with the six-digit code (``city_code`` or ``adcode``)."""
    for name in ("city_code", "adcode"):
        if name in frame.columns:
            return name
    raise SampleInputError(f"no city_code or adcode column among {list(frame.columns)}")


def load_cities(seeds_dir: Path = SEEDS_DIR) -> pd.DataFrame:
    """The 297 cities at prefecture level and above of 2020-2023, sorted by code.

    Returns
    -------
    DataFrame
        ``city_code, city_name, province_code, province_name, name_en, region`` (east, central,
        west, northeast), ``rank`` (municipality, subprovincial, capital, ordinary), ``resource``
        (0/1), ``coastal`` (0/1), ``former_names``, ``name_since``, ``first_year`` (from which the
        unit exists; 0 before 2000).
    """
    cities = read_seed(seeds_dir, "cities")
    kept = cities[(cities["in_2020_2023"] == "1") & (cities["city_or_above"] == "1")]
    name = "name_zh" if "name_zh" in kept.columns else "city_name"
    out = pd.DataFrame(
        {
            "city_code": kept[code_column(kept)],
            "city_name": kept[name],
            "province_code": kept["province_code"],
            "province_name": kept["province_zh"],
            "name_en": kept["name_en"],
            "region": kept["econ_region4"],
            "rank": np.select(
                [
                    kept["unit_type"] == "municipality",
                    kept["is_subprovincial"] == "1",
                    kept["is_provincial_capital"] == "1",
                ],
                ["municipality", "subprovincial", "capital"],
                "ordinary",
            ),
            "coastal": (kept["coastal"] == "1").astype(int),
            "former_names": kept["former_names"],
            "name_since": kept["current_name_since"],
            "first_year": pd.to_numeric(kept["exists_from"].str[:4], errors="coerce")
            .fillna(0)
            .astype(int),
        }
    ).sort_values("city_code", ignore_index=True)
    roster = read_seed(seeds_dir, "roster_resource")
    out["resource"] = out["city_code"].isin(roster[code_column(roster)]).astype(int)
    if out["city_code"].duplicated().any() or out.empty:
        raise SampleInputError("cities.csv: city codes are not unique, or no city is marked")
    return out


def adoption_years(cities: pd.DataFrame, seeds_dir: Path = SEEDS_DIR) -> pd.DataFrame:
    """First treated year of every pilot by city; never treated is missing.

    Returns
    -------
    DataFrame
        Index ``city_code``; float columns ``bigdata`` (narrow reading; Guizhou 2015, others 2016),
        ``innovative`` (year of the list), ``smart`` (batch year 2012, 2013, 2014, whole cities
        only), ``low_carbon`` (2010, 2012, 2017, members of pilot provinces included) and ``dual``
        (the later of low carbon and the announcement of the smart batch: 2013, 2013, 2015).

    Notes
    -----
    District, county and town pilots never flag their prefecture.
    """
    code = pd.Index(cities["city_code"], name="city_code")
    out = pd.DataFrame(index=code)

    zones = read_seed(seeds_dir, "roster_big_data")
    out["bigdata"] = _first_year(zones[zones["in_narrow"] == "1"], "year_effective")
    innovative = read_seed(seeds_dir, "roster_innovative")
    out["innovative"] = _first_year(innovative[innovative["level"].isin(_WHOLE)], "year_effective")
    smart = read_seed(seeds_dir, "roster_smart_city")
    smart = smart[smart["whole_city"] == "1"]
    out["smart"] = _first_year(smart, "year_batch")
    carbon = read_seed(seeds_dir, "roster_low_carbon")
    out["low_carbon"] = _first_year(carbon[carbon["level"].isin(_WHOLE)], "year_effective")
    announced = _first_year(smart, "year_effective").reindex(code)
    out["dual"] = np.maximum(announced, out["low_carbon"])  # missing if either is missing
    return out


def _first_year(rows: pd.DataFrame, column: str) -> pd.Series:
    years = pd.to_numeric(rows[column], errors="raise").astype(float)
    return years.groupby(rows[code_column(rows)]).min()


@dataclass(frozen=True)
class Geography:
    """Which grid cells belong to which city.

    Attributes
    ----------
    fine : sparse matrix, shape (n_cities, n_rows * n_cols)
        Share of each 0.05 degree cell that lies in the city; rows run from north to south.
    rows, cols : int
        Size of the fine grid.
    """

    city_code: tuple[str, ...]
    fine: sparse.csr_matrix
    rows: int
    cols: int

    @cached_property
    def coarse(self) -> sparse.csr_matrix:
        """The same on 0.1 degree cells: the mean of the four fine cells."""
        row, col = np.divmod(np.arange(self.rows * self.cols), self.cols)
        target = (row // 2) * (self.cols // 2) + col // 2
        merge = sparse.csr_matrix(
            (np.full(target.size, 0.25), (np.arange(target.size), target)),
            shape=(target.size, (self.rows // 2) * (self.cols // 2)),
        )
        return (self.fine @ merge).tocsr()

    @cached_property
    def area_km2(self) -> np.ndarray:
        """Area by city (n,), square kilometres, on the WGS-84 ellipsoid."""
        by_row = cell_area_m2(NORTH - FINE * np.arange(self.rows + 1), FINE) / 1e6
        return np.asarray(self.fine @ np.repeat(by_row, self.cols)).ravel()

    @cached_property
    def lonlat(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean longitude and latitude of every city's cells, two arrays (n,)."""
        weight = np.asarray(self.fine.sum(axis=1)).ravel()
        lon = WEST + FINE * (np.arange(self.cols) + 0.5)
        lat = NORTH - FINE * (np.arange(self.rows) + 0.5)
        x = np.asarray(self.fine @ np.tile(lon, self.rows)).ravel() / weight
        y = np.asarray(self.fine @ np.repeat(lat, self.cols)).ravel() / weight
        return x, y


def load_geography(city_codes: list[str], *, cache_dir: Path | None = None) -> Geography:
    """Coverage of the 0.05 degree cells by the given cities' polygons.

    Parameters
    ----------
    cache_dir
        Folder for the polygons and the coverage, so that a second call takes well under a second.

    Raises
    ------
    SampleInputError
        If a city has no polygon.
    """
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    from dagster_project.extract.boundaries import load_boundaries

    rows, cols = round((NORTH - SOUTH) / FINE), round((EAST - WEST) / FINE)
    boundaries = load_boundaries(cache_dir=cache_dir)
    stamp = zlib.crc32((boundaries.attrs["boundary_source"] + ",".join(city_codes)).encode())
    cached = cache_dir / f"sample-coverage-{stamp:08x}.npz" if cache_dir else None
    if cached is not None and cached.exists():
        return Geography(tuple(city_codes), sparse.load_npz(cached).tocsr(), rows, cols)
    missing = sorted(set(city_codes) - set(boundaries["city_code"]))
    if missing:
        raise SampleInputError(f"no boundary polygon for {', '.join(missing)}")
    polygons = boundaries.set_index("city_code").loc[city_codes, ["geometry"]].reset_index()
    empty = np.zeros((rows, cols), dtype="float32")
    raster = NumPyRasterSource(
        empty, xmin=WEST, ymin=SOUTH, xmax=EAST, ymax=NORTH, srs_wkt=polygons.crs.to_wkt()
    )
    found = exact_extract(raster, polygons, ["cell_id", "coverage"], output="pandas")
    index = np.concatenate([np.asarray(v, dtype=np.int64) for v in found["cell_id"]])
    share = np.concatenate([np.asarray(v, dtype=np.float64) for v in found["coverage"]])
    city = np.repeat(np.arange(len(city_codes)), [len(v) for v in found["cell_id"]])
    fine = sparse.csr_matrix((share, (city, index)), shape=(len(city_codes), rows * cols))
    if cached is not None:
        partial = cached.with_name(f"{cached.stem}.{os.getpid()}.partial.npz")
        sparse.save_npz(partial, fine)
        partial.replace(cached)
    return Geography(tuple(city_codes), fine, rows, cols)
