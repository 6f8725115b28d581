"""Which observations span the frontier an observation is measured against.

Belongs here: global, contemporaneous, sequential and window reference sets. Does not belong here:
solving against them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Frontier = Literal["global", "contemporaneous", "sequential", "window"]


@dataclass(frozen=True)
class Task:
    """Rows ``evaluated`` against the technology that the rows ``reference`` span."""

    label: str
    reference: np.ndarray
    evaluated: np.ndarray


def tasks(times: pd.Series | None, n: int, frontier: Frontier, window: int = 3) -> list[Task]:
    """Reference sets of a panel, in the order of time.

    ``global``: all periods (Pastor and Lovell, 2005). ``contemporaneous``: the own period.
    ``sequential``: the own and all earlier periods (Tulkens and Vanden Eeckaut, 1995). ``window``:
    every run of ``window`` consecutive periods is one technology and an observation is evaluated in
    each run that contains it (Charnes, Clark, Cooper and Golany, 1985); its score is the mean.

    Raises
    ------
    ValueError
        If the frontier is unknown or the window is not between 1 and the number of periods, or a
        frontier other than the global one is asked for without a time column.
    """
    everything = np.arange(n)
    if frontier == "global":
        return [Task("all periods", everything, everything)]
    if frontier not in ("contemporaneous", "sequential", "window"):
        raise ValueError(
            f"unknown frontier {frontier!r}: global, contemporaneous, sequential or window"
        )
    if times is None:
        raise ValueError(f"a {frontier} frontier needs a time column")
    values = times.to_numpy()
    periods = np.unique(values)
    rows = {p: np.flatnonzero(values == p) for p in periods}
    if frontier == "contemporaneous":
        return [Task(str(p), rows[p], rows[p]) for p in periods]
    if frontier == "sequential":
        return [
            Task(f"up to {p}", np.concatenate([rows[q] for q in periods[: k + 1]]), rows[p])
            for k, p in enumerate(periods)
        ]
    if not 1 <= window <= len(periods):
        raise ValueError(f"window is {window}; expected 1 to {len(periods)} periods")
    result = []
    for k in range(len(periods) - window + 1):
        inside = np.concatenate([rows[p] for p in periods[k : k + window]])
        result.append(Task(f"{periods[k]} to {periods[k + window - 1]}", inside, inside))
    return result
