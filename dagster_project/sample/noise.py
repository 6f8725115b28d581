"""Random building blocks of the sample: city levels, persistent shocks, regional shocks, squashing.

Belongs here: draws and transforms that know nothing of any indicator. Does not belong here: what an
indicator's level or trend is (``economy``, ``society``, ``environment``).
"""

from __future__ import annotations

import numpy as np

from dagster_project.sample.inputs import stream


class Draws:
    """Named draws for ``n`` cities and ``t`` years; same seed and name, same numbers."""

    def __init__(self, seed: int, n: int, t: int, province: np.ndarray) -> None:
        self.seed, self.n, self.t = seed, n, t
        self._province = province

    def level(self, name: str, sd: float, *, bound: float = 2.8) -> np.ndarray:
        """City level, shape (n, 1): normal, drawn again beyond ``bound`` standard deviations."""
        rng = stream(self.seed, f"level:{name}")
        z = rng.standard_normal(self.n)
        while (far := np.abs(z) > bound).any():
            z[far] = rng.standard_normal(int(far.sum()))
        return sd * ((z - z.mean()) / z.std())[:, None]

    def ar1(self, name: str, sd: float, rho: float = 0.75) -> np.ndarray:
        """Stationary AR(1) noise within city, shape (n, t), standard deviation ``sd``.

        ``e[0] ~ N(0, sd^2)``, ``e[s] = rho e[s-1] + sqrt(1 - rho^2) N(0, sd^2)``; independent of
        any treatment, so trends are parallel by construction.
        """
        if not 0 <= rho < 1:
            raise ValueError(f"rho must lie in [0, 1), got {rho}")
        z = sd * stream(self.seed, f"ar1:{name}").standard_normal((self.n, self.t))
        out = np.empty_like(z)
        out[:, 0] = z[:, 0]
        for s in range(1, self.t):
            out[:, s] = rho * out[:, s - 1] + np.sqrt(1 - rho**2) * z[:, s]
        return out

    def province_shock(self, name: str, sd: float) -> np.ndarray:
        """Shock common to the cities of a province, independent over years, shape (n, t).

        Gives neighbours the correlation that spatial models look for. Not persistent: a lasting
        provincial shock would make errors clustered by city too small for zones that follow
        provincial borders.
        """
        count = int(self._province.max()) + 1
        z = sd * stream(self.seed, f"province:{name}").standard_normal((count, self.t))
        return z[self._province]


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-x))


def logit(p: float | np.ndarray) -> np.ndarray:
    """log(p / (1 - p))."""
    p = np.asarray(p, dtype=float)
    return np.log(p / (1.0 - p))


def balanced(level: np.ndarray, group: np.ndarray) -> np.ndarray:
    """A level (n, 1) shifted so that ``group`` (n,) and the rest have the same mean."""
    if group.all() or not group.any():
        return level
    shift = level[~group].mean() - level[group].mean()
    return level + shift * group[:, None]
