"""Synthetic panels with known effects for the tests of the difference-in-differences room."""

from __future__ import annotations

import numpy as np
import pandas as pd


def panel(
    n: int = 60,
    years: int = 12,
    *,
    treated: int = 20,
    effect: float = 0.5,
    controls: int = 2,
    seed: int = 0,
    keep: float = 1.0,
    first: int = 4,
    last: int = 9,
) -> pd.DataFrame:
    """Staggered panel: y = effect * d + controls + city and year effects + AR errors."""
    rng = np.random.default_rng(seed)
    city = np.repeat(np.arange(n), years)
    year = np.tile(np.arange(2000, 2000 + years), n)
    adoption = np.full(n, np.nan)
    adoption[:treated] = 2000 + rng.integers(first, last + 1, treated)
    frame = pd.DataFrame({"city": city, "year": year})
    frame["adopted"] = adoption[city]
    frame["d"] = (frame["year"] >= frame["adopted"]).astype(float)
    frame["province"] = city // 6
    frame["rich"] = (city % 2).astype(float)
    noise = rng.normal(size=(n, years))
    for t in range(1, years):
        noise[:, t] += 0.5 * noise[:, t - 1]
    y = effect * frame["d"] + noise.ravel() + rng.normal(size=n)[city]
    y = y + 0.1 * (year - 2000)
    for k in range(controls):
        frame[f"x{k}"] = rng.normal(size=n * years) + 0.3 * rng.normal(size=n)[city]
        y = y + 0.2 * frame[f"x{k}"]
    frame["m"] = 0.8 * frame["d"] + rng.normal(size=n * years)
    frame["y"] = y
    frame["w"] = rng.uniform(0.5, 2.0, n * years)
    if keep < 1:
        frame = frame.sample(frac=keep, random_state=seed)
    return frame.reset_index(drop=True)
