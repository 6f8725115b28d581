"""The policy effects that are built into the sample, declared in one table.

Belongs here: which pilot moves which generated variable, by how much and how fast. Does not belong
here: adoption years (``inputs``) and the untreated world (``world``).

Sizes are of the order that the four studies publish. Variables that the studies use as controls
are left alone, except GDP per head, so that a regression with those controls estimates the effect
that was built in. No effect anywhere on share of industry, human capital or public spending.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Effect:
    """Effect of one pilot on one generated variable.

    Attributes
    ----------
    policy : str
        Column of ``inputs.adoption_years``.
    variable : str
        Variable of the world that moves.
    kind : ``log`` | ``add``
        ``log``: the variable is multiplied by exp(size * phase); ``add``: size * phase is added.
    size : float
        Effect when fully phased in.
    ramp : tuple of float
        Phase by years since adoption (year 0, 1, ...); the last value holds from then on.
    """

    policy: str
    variable: str
    kind: Literal["log", "add"]
    size: float
    ramp: tuple[float, ...] = (1.0,)


_SLOW = (0.3, 0.6, 0.9, 1.0)

DECLARED: tuple[Effect, ...] = (
    # National big-data pilot zones: cleaner and richer from the first year.
    Effect("bigdata", "pm25", "log", -0.10),
    Effect("bigdata", "co2_edgar", "log", -0.08),
    Effect("bigdata", "grp_real", "log", 0.05),
    Effect("bigdata", "patents_green", "log", 0.08),
    Effect("bigdata", "digital_finance", "add", 3.0),
    # Innovative cities: the bad outputs and the energy that a unit of GDP takes.
    Effect("innovative", "pm25", "log", -0.08),
    Effect("innovative", "co2_edgar", "log", -0.08),
    Effect("innovative", "night_light", "log", -0.10),
    Effect("innovative", "energy_use", "log", -0.08),
    Effect("innovative", "patents_invention", "log", 0.15),
    Effect("innovative", "patents_green", "log", 0.15),
    Effect("innovative", "patents_digital", "log", 0.20),
    # Smart and low-carbon pilots together: the digital industry's location quotient, slowly.
    Effect("dual", "ict_quotient", "add", 0.30, _SLOW),
    Effect("dual", "patents_digital", "log", 0.09),
    Effect("dual", "patents_green", "log", 0.09),
    # Smart cities: gas, liquefied petroleum gas and electricity, hence the carbon of study D.
    Effect("smart", "energy_use", "log", -0.22, _SLOW),
    Effect("smart", "co2_ceads", "log", -0.10, _SLOW),
)


@dataclass(frozen=True)
class Effects:
    """A set of effects; ``Effects(())`` is the twin without any."""

    declared: tuple[Effect, ...] = DECLARED

    def shift(
        self, variable: str, kind: str, adoption: pd.DataFrame, years: np.ndarray
    ) -> np.ndarray:
        """Sum of the effects of a kind on a variable, shape (n_cities, n_years)."""
        total = np.zeros((len(adoption), len(years)))
        for effect in self.declared:
            if effect.variable == variable and effect.kind == kind:
                total += effect.size * phase(adoption[effect.policy], years, effect.ramp)
        return total

    def as_records(self) -> list[dict]:
        """The declared effects as plain rows, for the manifest."""
        return [{**asdict(e), "ramp": list(e.ramp)} for e in self.declared]


NO_EFFECTS = Effects(())


def phase(adoption: pd.Series, years: np.ndarray, ramp: tuple[float, ...]) -> np.ndarray:
    """Phase of a policy by city and year: 0 before adoption, then along ``ramp``.

    Raises
    ------
    ValueError
        If ``ramp`` is empty.
    """
    if not ramp:
        raise ValueError("an effect needs at least one phase value")
    since = years[None, :] - adoption.to_numpy(dtype=float)[:, None]
    step = np.clip(np.nan_to_num(since, nan=-1.0), -1, len(ramp) - 1).astype(int)
    return np.where(step < 0, 0.0, np.asarray(ramp)[np.maximum(step, 0)])
