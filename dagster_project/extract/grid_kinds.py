"""The gridded sources: how each product's variable is known, and which indicators come from it.

Belongs here: variable names, accepted units, statistics. A new gridded product is a new entry.
Does not belong here: opening files (grid_read.py) or reducing them to cities (grids.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from dagster_project.extract.grid_read import GridRule


@dataclass(frozen=True)
class Statistic:
    """One indicator taken from a grid: ``how`` is sum, mean or population_mean, of ``field``.

    ``unit_key`` is the unit as the indicator registry spells it. Night lights keep DN there for
    radiances too (the file's own unit stays in ``unit_printed``): annual composites of one
    satellite are comparable among themselves only.
    """

    indicator: str
    how: str
    unit_key: str
    field: str = "value"


@dataclass(frozen=True)
class GridKind:
    """A gridded source: how its variable is known and what is taken from it.

    ``year_when_silent`` dates a field that does not change over time and whose file names no year;
    the warehouse repeats such indicators in every year. ``None`` refuses a file without a year.
    """

    rule: GridRule
    statistics: tuple[Statistic, ...]
    year_when_silent: int | None = None


# Units as fold_unit spells them; "mg" is the megagram of emission inventories, not a milligram.
_TONNES = dict.fromkeys(
    ("tonnes", "tonne", "t", "ton", "tons", "mg", "t/yr", "t/year", "tyr-1", "tonnes/year",
     "tons/year", "tonnesyr-1", "tcell-1yr-1", "tonnes/cell", "mg/yr", "mgyr-1"),
    "t",
)  # fmt: skip
_KILOTONNES = dict.fromkeys(("kt", "gg", "kilotonnes", "kt/yr", "gg/yr"), "kt")
_FLUX = dict.fromkeys(
    ("kgm-2s-1", "kg/m2/s", "kg/m2s-1", "kg/(m2s)", "kg/(m2*s)", "kgm-2sec-1", "kg/m2/sec"),
    "kg m-2 s-1",
)  # fmt: skip
_MICROGRAM = dict.fromkeys(
    ("ug/m3", "ugm-3", "micrograms/cubicmeter", "microgram/m3", "ug/cubicmeter", "ug/m-3",
     "microgramspercubicmeter", "microgrampercubicmeter"), "ug/m3")  # fmt: skip
_LIGHT = {
    **dict.fromkeys(("dn", "digitalnumber", "1", "none"), "DN"),
    **dict.fromkeys(("nw/cm2/sr", "nwcm-2sr-1", "nanowatts/cm2/sr", "nw/sr/cm2"), "nW/cm2/sr"),
}
_METRES = dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "m")

GRID_SOURCES: dict[str, GridKind] = {
    "edgar_co2": GridKind(
        GridRule(
            ("emissions", "fluxes", "emi_co2", "emission", "flux", "co2"),
            {**_TONNES, **_KILOTONNES, **_FLUX},
            None,
            (-1e8, 1e10),
        ),
        (Statistic("co2_edgar", "sum", "吨"),),
    ),
    "pm25": GridKind(
        # The van Donkelaar files name the variable; some of them state no unit, but the product's
        # description does (micrograms per cubic metre), and the valid range guards it.
        GridRule(("pm25", "gwrpm25", "pm2.5", "pm2_5"), _MICROGRAM, "ug/m3", (0.0, 2000.0), True),
        (
            Statistic("pm25", "mean", "ug/m3"),
            Statistic("pm25_population_weighted", "population_mean", "ug/m3"),
        ),
    ),
    "nightlights": GridKind(
        # DMSP composites are 0 to 63; 255 marks cells without a cloud-free observation
        GridRule(None, _LIGHT, "DN", (-100.0, 1e6), byte_missing=255),
        (Statistic("night_light", "sum", "DN"), Statistic("night_light_mean", "mean", "DN")),
    ),
    "elevation": GridKind(
        GridRule(None, _METRES, "m", (-500.0, 9000.0)),
        (
            Statistic("elevation_mean", "mean", "米"),
            Statistic("relief", "mean", "1", field="relief"),
        ),
        year_when_silent=2000,  # the radar mission (SRTM) that most elevation models rest on
    ),
}
