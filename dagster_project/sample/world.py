"""The synthetic world: every underlying indicator by city and year, in canonical units.

Belongs here: the World object and the order in which its parts are generated. Does not belong here:
the parts themselves (``economy``, ``society``, ``environment``) and anything about files.

The same seed gives the same draws with and without effects, so the true effect on any derived
outcome is the difference between a world and its twin. All numbers are invented; only levels,
trends and spreads are set so that the four studies' printed descriptive statistics are nearly met.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from dagster_project.sample import economy, environment, society
from dagster_project.sample.effects import NO_EFFECTS, Effects
from dagster_project.sample.inputs import (
    SEEDS_DIR,
    Geography,
    adoption_years,
    load_cities,
    load_geography,
)
from dagster_project.sample.noise import Draws

DEFAULT_SEED = 20240101
FIRST_YEAR, LAST_YEAR = 2003, 2023


@dataclass(frozen=True)
class Setting:
    """What every part of the generator needs: cities, years, draws, pilots and effects.

    ``income`` and ``size`` are latent city levels (n, 1) shared by the parts; pilots are richer and
    bigger, which is what makes a comparison of levels misleading and a comparison of changes not.
    """

    cities: pd.DataFrame
    years: np.ndarray
    draws: Draws
    adoption: pd.DataFrame
    effects: Effects
    area_km2: np.ndarray
    lon: np.ndarray
    lat: np.ndarray
    province: np.ndarray
    income: np.ndarray
    rank: dict[str, np.ndarray]

    def moved(self, variable: str, values: np.ndarray) -> np.ndarray:
        """``values`` (n, t) with the declared effects on ``variable`` applied."""
        log = self.effects.shift(variable, "log", self.adoption, self.years)
        add = self.effects.shift(variable, "add", self.adoption, self.years)
        return values * np.exp(log) + add

    def by_rank(self, **bonus: float) -> np.ndarray:
        """Sum of a bonus per administrative rank, shape (n, 1)."""
        total = np.zeros((len(self.cities), 1))
        for rank, value in bonus.items():
            total += value * self.rank[rank][:, None]
        return total

    def by_region(self, **value: float) -> np.ndarray:
        """A value per region of four, shape (n, 1)."""
        return self.cities["region"].map(value).to_numpy(dtype=float)[:, None]

    def path(self, points: dict[int, float]) -> np.ndarray:
        """A national path through (year, value) points, linear between them, shape (1, t)."""
        return np.interp(self.years, list(points), list(points.values()))[None, :]


@dataclass(frozen=True)
class World:
    """All generated variables.

    Attributes
    ----------
    city : dict of str to array (n_cities, n_years)
        Canonical indicators of the whole city, plus a few latent ones (``grp_real``,
        ``ict_quotient``, ``industrial_enterprises``).
    districts : dict of str to array (n_cities, n_years)
        The same indicators for the districts under the city, where the yearbook prints them.
    province : dict of str to array (n_provinces, n_years)
        Indicators reported for provinces.
    manufacturing : array (n_provinces, n_industries, n_years)
        Employees of manufacturing sub-industries, ten thousand persons.
    """

    seed: int
    cities: pd.DataFrame
    years: np.ndarray
    provinces: pd.DataFrame
    adoption: pd.DataFrame
    effects: Effects
    city: dict[str, np.ndarray]
    districts: dict[str, np.ndarray]
    province: dict[str, np.ndarray]
    manufacturing: np.ndarray
    geography: Geography | None = field(default=None, repr=False)

    def frame(self) -> pd.DataFrame:
        """Long panel: ``city_code``, ``year``, one column per variable of ``city``."""
        n, t = len(self.cities), len(self.years)
        keys = {
            "city_code": np.repeat(self.cities["city_code"].to_numpy(), t),
            "city_name": np.repeat(self.cities["city_name"].to_numpy(), t),
            "province_code": np.repeat(self.cities["province_code"].to_numpy(), t),
            "year": np.tile(self.years, n),
        }
        values = {k: np.broadcast_to(v, (n, t)).ravel() for k, v in self.city.items()}
        return pd.DataFrame({**keys, **values})

    def listed(self) -> np.ndarray:
        """Whether a city existed in a year and so stands in the files, shape (n, t)."""
        first = self.cities["first_year"].to_numpy()[:, None]
        here = self.years[None, :] >= first
        if "last_year" in self.cities:  # only in a damaged copy (``defects``)
            here = here & (self.years[None, :] <= self.cities["last_year"].to_numpy()[:, None])
        return here

    def printed_names(self, year: int) -> list[str]:
        """City names as the yearbook of a data year prints them: former names of cities kept."""
        names = []
        for row in self.cities.itertuples():
            former = str(row.former_names).split("|")[-1]
            renamed = str(row.name_since)[:4]
            old = former.endswith("市") and renamed.isdigit() and year < int(renamed)
            names.append(former if old else str(row.city_name))
        return names

    def treatment(self, policy: str) -> np.ndarray:
        """0/1 flag of a pilot by city and year, shape (n, t), absorbing."""
        first = self.adoption[policy].to_numpy()[:, None]
        return (self.years[None, :] >= np.where(np.isnan(first), np.inf, first)).astype(float)


def generate_world(
    seed: int = DEFAULT_SEED,
    effects: Effects | None = None,
    *,
    years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR),
    seeds_dir: Path = SEEDS_DIR,
    geography: Geography | None = None,
    cache_dir: Path | None = None,
) -> World:
    """Generate one world.

    Parameters
    ----------
    effects : Effects or None
        The effects to build in; ``None`` is the twin without any.
    years : (first, last)
        Data years, within 2003-2023. Years are always drawn for 2003-2023 and then cut, so a
        shorter span holds the same numbers.
    geography : Geography, optional
        Coverage of grid cells by cities; loaded when not given.

    Raises
    ------
    ValueError
        If the years lie outside 2003-2023.
    """
    if not FIRST_YEAR <= years[0] <= years[1] <= LAST_YEAR:
        raise ValueError(f"years must lie in {FIRST_YEAR}-{LAST_YEAR}, got {years}")
    cities = load_cities(seeds_dir)
    adoption = adoption_years(cities, seeds_dir)
    if geography is None:
        geography = load_geography(cities["city_code"].tolist(), cache_dir=cache_dir)
    span = np.arange(FIRST_YEAR, LAST_YEAR + 1)
    provinces = cities[["province_code", "province_name"]].drop_duplicates().reset_index(drop=True)
    province = cities["province_code"].map(
        pd.Series(provinces.index, index=provinces["province_code"])
    )
    draws = Draws(seed, len(cities), len(span), province.to_numpy())
    lon, lat = geography.lonlat
    setting = Setting(
        cities=cities,
        years=span,
        draws=draws,
        adoption=adoption,
        effects=effects or NO_EFFECTS,
        area_km2=geography.area_km2,
        lon=lon,
        lat=lat,
        province=province.to_numpy(),
        income=economy.income_level(cities, adoption, draws),
        rank={
            r: (cities["rank"] == r).to_numpy(dtype=float)
            for r in ("municipality", "subprovincial", "capital")
        },
    )
    city: dict[str, np.ndarray] = {}
    society.population(setting, city)
    economy.product(setting, city)
    economy.public_finance(setting, city)
    economy.money_and_trade(setting, city)
    society.employment(setting, city)
    society.services(setting, city)
    society.innovation(setting, city)
    environment.emissions(setting, city)
    environment.energy_and_town(setting, city)
    districts = society.districts(setting, city)
    province_values = environment.provinces(setting, city, len(provinces))
    manufacturing = society.manufacturing(setting, city, len(provinces))
    keep = (span >= years[0]) & (span <= years[1])
    shape = (len(cities), len(span))
    return World(
        seed=seed,
        cities=cities,
        years=span[keep],
        provinces=provinces,
        adoption=adoption,
        effects=setting.effects,
        city={k: np.broadcast_to(v, shape)[:, keep].copy() for k, v in city.items()},
        districts={k: v[:, keep].copy() for k, v in districts.items()},
        province={k: v[:, keep].copy() for k, v in province_values.items()},
        manufacturing=manufacturing[:, :, keep].copy(),
        geography=geography,
    )
