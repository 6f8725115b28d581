"""Puts known defects into a world, so that the gates can be tried on data whose errors are known.

Belongs here: the kinds of defect that real second-hand panels hold, each at a random place and with
a record of where. Does not belong here: finding them (the gates), or clean data (``world``).

A world is never changed in place: :func:`inject` returns a damaged copy, which the writers turn
into files like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from dagster_project.sample.inputs import stream
from dagster_project.sample.world import World


@dataclass(frozen=True)
class Defect:
    """One defect and where it lies.

    Attributes
    ----------
    kind : str
        A key of ``KINDS``.
    year : int
        Data year, the first one where several are touched.
    indicators : tuple of str
        Canonical indicators whose values are wrong.
    city_codes : tuple of str
        Cities concerned; empty when all of them are.
    detail : str
        What was done, for a person.
    """

    kind: str
    year: int
    indicators: tuple[str, ...]
    city_codes: tuple[str, ...]
    detail: str

    def as_record(self) -> dict:
        """As a plain mapping."""
        return asdict(self)


# Pairs that stand side by side in one table and are easily exchanged by a slip of columns.
EXCHANGEABLE = (
    ("share_secondary", "share_tertiary"),
    ("fiscal_revenue", "fiscal_expenditure"),
    ("deposits", "loans"),
    ("imports", "exports"),
    ("employees_secondary", "employees_tertiary"),
)
SCALABLE = ("grp", "pop_resident", "fiscal_expenditure", "loans", "electricity_total",
            "employees_ict", "investment_fixed")  # fmt: skip
JUMPABLE = ("grp", "pop_resident", "loans", "electricity_total", "employees_urban_nonprivate")


def _columns_exchanged(world: World, rng: np.random.Generator) -> tuple[World, Defect]:
    first, second = EXCHANGEABLE[rng.integers(len(EXCHANGEABLE))]
    t = int(rng.integers(1, len(world.years) - 1))
    parts = []
    for source in (world.city, world.districts):
        damaged = dict(source)
        if first in damaged and second in damaged:
            a, b = damaged[first].copy(), damaged[second].copy()
            a[:, t], b[:, t] = source[second][:, t], source[first][:, t]
            damaged[first], damaged[second] = a, b
        parts.append(damaged)
    year = int(world.years[t])
    found = Defect("columns_exchanged", year, (first, second), (),
                   f"{first} and {second} exchanged for all cities in {year}")  # fmt: skip
    return replace(world, city=parts[0], districts=parts[1]), found


def _factor_shift(world: World, rng: np.random.Generator) -> tuple[World, Defect]:
    name = str(rng.choice(SCALABLE))
    factor = float(rng.choice([10.0, 0.1, 1000.0, 0.001]))
    t = int(rng.integers(1, len(world.years) - 1))
    i = int(rng.integers(len(world.cities)))
    code = str(world.cities["city_code"].iloc[i])
    year = int(world.years[t])
    found = Defect("factor_shift", year, (name,), (code,),
                   f"{name} of {code} in {year} times {factor:g}")  # fmt: skip
    return _scaled(world, name, np.array([i]), slice(t, t + 1), factor), found


def _mixed_units(world: World, rng: np.random.Generator) -> tuple[World, Defect]:
    """A province reports in another unit than the column says (10 000 against 100 million yuan)."""
    name = str(rng.choice(["grp", "fiscal_expenditure", "loans", "deposits", "investment_fixed"]))
    factor = 1e4 if name == "grp" else 1e-4
    t = int(rng.integers(1, len(world.years) - 1))
    province = str(rng.choice(world.provinces["province_code"].to_numpy()))
    rows = np.flatnonzero((world.cities["province_code"] == province).to_numpy())
    codes = tuple(world.cities["city_code"].iloc[rows])
    year = int(world.years[t])
    found = Defect("mixed_units", year, (name,), codes,
                   f"{name} of province {province} in {year} in another unit")  # fmt: skip
    return _scaled(world, name, rows, slice(t, t + 1), factor), found


def _jump(world: World, rng: np.random.Generator) -> tuple[World, Defect]:
    """From one year on a series is on another level, as after a silent change of coverage."""
    name = str(rng.choice(JUMPABLE))
    factor = float(rng.choice([0.25, 0.35, 2.8, 4.0]))
    t = int(rng.integers(3, len(world.years) - 3))
    i = int(rng.integers(len(world.cities)))
    code = str(world.cities["city_code"].iloc[i])
    year = int(world.years[t])
    found = Defect("jump", year, (name,), (code,),
                   f"{name} of {code} from {year} on times {factor:g}")  # fmt: skip
    return _scaled(world, name, np.array([i]), slice(t, None), factor), found


def _city_set_change(world: World, rng: np.random.Generator) -> tuple[World, Defect]:
    """A province's last cities are missing from every file from one year on."""
    counts = world.cities["province_code"].value_counts()
    province = str(rng.choice(np.sort(counts[counts >= 6].index.to_numpy(dtype=str))))
    rows = np.flatnonzero((world.cities["province_code"] == province).to_numpy())
    lost = rows[-int(rng.integers(3, 6)) :]
    t = int(rng.integers(len(world.years) // 2, len(world.years) - 1))
    year = int(world.years[t])
    codes = tuple(world.cities["city_code"].iloc[lost])
    cities = world.cities.copy()
    if "last_year" not in cities:
        cities["last_year"] = 9999
    cities.loc[cities.index[lost], "last_year"] = year - 1
    found = Defect("city_set_change", year, (), codes,
                   f"{', '.join(codes)} missing from {year} on")  # fmt: skip
    return replace(world, cities=cities), found


KINDS: dict[str, Callable[[World, np.random.Generator], tuple[World, Defect]]] = {
    "columns_exchanged": _columns_exchanged,
    "factor_shift": _factor_shift,
    "mixed_units": _mixed_units,
    "jump": _jump,
    "city_set_change": _city_set_change,
}


def inject(world: World, kind: str, *, seed: int) -> tuple[World, Defect]:
    """A copy of the world with one defect of a kind at a random place.

    Raises
    ------
    ValueError
        If the kind is unknown, or the world has fewer than eight years.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of defect {kind!r}; known: {', '.join(KINDS)}")
    if len(world.years) < 8:
        raise ValueError("defects need a world of at least eight years")
    return KINDS[kind](world, stream(seed, f"defect:{kind}"))


def _scaled(world: World, name: str, rows: np.ndarray, columns: slice, factor: float) -> World:
    """A copy with an indicator multiplied in some cells, in both scopes."""
    city, districts = dict(world.city), dict(world.districts)
    for part in (city, districts):
        if name in part:
            values = part[name].copy()
            values[rows, columns] = values[rows, columns] * factor
            part[name] = values
    return replace(world, city=city, districts=districts)
