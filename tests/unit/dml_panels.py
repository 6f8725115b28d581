"""SYNTHETIC panels for the tests of double machine learning."""

from __future__ import annotations

import numpy as np
import pandas as pd

CONTROLS = ["x1", "x2", "x3"]
ROLES = {
    "outcome": "y",
    "treatment": "d",
    "controls": CONTROLS,
    "entity": "city",
    "time": "year",
}


def small_panel(
    seed: int = 1, cities: int = 40, years: int = 6, theta: float = 0.5
) -> pd.DataFrame:
    """City effects that drive an absorbing treatment, one instrument, linear controls."""
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=cities)
    city = np.repeat(np.arange(cities), years)
    year = np.tile(np.arange(years), cities)
    x = rng.normal(size=(cities * years, 3)) + 0.3 * effect[city][:, None]
    start = np.where(effect + rng.normal(size=cities) > 0.5, rng.integers(2, years, cities), 99)
    d = (year >= start[city]).astype(float)
    noise = rng.normal(scale=0.2, size=len(city))
    frame = pd.DataFrame(x, columns=CONTROLS)
    frame["city"], frame["year"], frame["d"] = city + 100, year + 2011, d
    frame["y"] = theta * d + effect[city] + 0.1 * year + 0.5 * x[:, 0] + noise
    frame["z"] = 2 * d + rng.normal(size=len(city))
    frame["province"] = city % 5
    return frame
