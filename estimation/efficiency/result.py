"""What an efficiency run returns.

Belongs here: the result object and how solutions become tables. Does not belong here: solving.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class EfficiencyResult:
    """Scores of a panel with everything needed to explain them.

    Attributes
    ----------
    scores : DataFrame
        One row per unit and period, in the order of the input: the unit and time columns under
        their own names, ``score`` (missing when there is no solution), ``status`` (``optimal``,
        ``infeasible``, ``unbounded`` or ``not solved``), ``efficient`` (score of the model
        *without* super-efficiency equal to one; missing where that is unknown) and ``base_score``
        (that score).
    slacks : DataFrame
        Same rows, one column per variable: how far the observation is from its target, in the
        variable's unit, positive when an input or bad output is to shrink or a good output to grow.
        Negative values are the reserves of super-efficient units.
    targets : DataFrame
        Same rows: the projection onto the frontier, in the variable's unit.
    peers : DataFrame
        One row per unit and peer: unit, time, ``peer_unit``, ``peer_time``, ``weight`` (lambda).
    technology : mapping
        Model, returns, orientation, frontier, conventions, variables and counts: what has to be
        recorded beside the scores for them to mean anything.
    """

    scores: pd.DataFrame
    slacks: pd.DataFrame
    targets: pd.DataFrame
    peers: pd.DataFrame
    technology: Mapping[str, str | int | float] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """The scores with the technology beside them, ready to be stored."""
        return self.scores.assign(**{str(k): v for k, v in self.technology.items()})
