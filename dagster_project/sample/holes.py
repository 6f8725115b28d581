"""Which cells of the synthetic files are left empty, so that filling is exercised.

Belongs here: the choice of missing cells. Does not belong here: how they are printed (the writers)
or filled (the warehouse).
"""

from __future__ import annotations

import numpy as np

from dagster_project.sample.inputs import stream
from dagster_project.sample.world import World

# Marks that real editions print for a missing number; the empty text is a blank cell.
HOLE_MARKS = ("", "", "-", "…", "", "--")

# Chained over time, or the base of every ratio: never missing.
_NEVER = frozenset({"grp_growth", "grp", "pop_resident", "pop_registered", "land_area"})
# No study's sample begins or ends inside this span, so a hole always has neighbours to fill from.
FIRST_HOLE_YEAR, LAST_HOLE_YEAR = 2007, 2018
SHARE = 0.004


def missing(world: World, indicator: str) -> np.ndarray:
    """Cells of an indicator that the files leave empty, boolean (n, t).

    The same cells in a world and its twin; at most ``SHARE`` of the cells, never two neighbouring
    years of a city, never outside 2007-2018.
    """
    shape = (len(world.cities), len(world.years))
    if indicator in _NEVER:
        return np.zeros(shape, dtype=bool)
    every = np.arange(2003, 2024)
    draw = stream(world.seed, f"holes:{indicator}").random((shape[0], every.size)) < SHARE
    draw[:, 1:] &= ~draw[:, :-1]
    draw[:, (every < FIRST_HOLE_YEAR) | (every > LAST_HOLE_YEAR)] = False
    # A unit's own first year is the end of its span.
    first = world.cities["first_year"].to_numpy()[:, None]
    draw &= every[None, :] > first + 1
    return draw[:, (every >= world.years[0]) & (every <= world.years[-1])]
