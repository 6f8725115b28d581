"""The difference between the effects of two groups, with its own standard error.

Belongs here: splitting a sample at a median and testing whether two estimates differ. Does not
belong here: the estimates. Comparing stars across columns is not a test; this is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from estimation.dml.result import DMLResult
from estimation.panel import require
from estimation.tidy import tidy_frame


def median_groups(data: pd.DataFrame, column: str, *, time: str | None = None) -> np.ndarray:
    """True where ``column`` is 1, or lies above its median (of each time, if ``time`` is named).

    Raises
    ------
    MissingData
        If the column is absent or empty.
    ValueError
        If a cell is missing, or one group would be empty.
    """
    require(data, [column, *([time] if time else [])], "splitting the sample")
    value = data[column].astype(float)
    if value.isna().any():
        raise ValueError(
            f"{column} is missing in {int(value.isna().sum())} rows; they belong to no group"
        )
    if set(value.unique()) <= {0.0, 1.0}:
        high = value == 1.0
    elif time is None:
        high = value > value.median()
    else:
        high = value > value.groupby(data[time]).transform("median")
    if high.all() or not high.any():
        raise ValueError(f"{column} puts all {len(data)} rows in one group")
    return high.to_numpy()


def difference(
    first: DMLResult, second: DMLResult, *, term: str, keys: Sequence[str]
) -> pd.DataFrame:
    """``first`` minus ``second`` as a tidy row (normal interval).

    The influence values of both estimates are summed by the last of ``keys`` (the cluster) when
    the errors are clustered, and kept by row otherwise; an entity that moves between groups
    therefore counts once. Without clustering and with disjoint rows this is the usual
    sqrt(se1^2 + se2^2). Repeated splits enter through the split nearest to the median.

    Parameters
    ----------
    keys : (entity, time, cluster) column names
    """
    entity, time, cluster = keys
    parts = [
        first.frame[[entity, time]].assign(group=_labels(first, cluster), phi=first.influence),
        second.frame[[entity, time]].assign(group=_labels(second, cluster), phi=-second.influence),
    ]
    both = pd.concat(parts, ignore_index=True)
    if first.config.se == "cluster":
        sums = both.groupby("group", sort=True)["phi"].sum().to_numpy()
        variance = len(sums) / (len(sums) - 1) * float(np.sum(sums**2))
    else:
        sums = both.groupby([entity, time], sort=True)["phi"].sum().to_numpy()
        variance = float(np.sum(sums**2))
    gap = first.estimate - second.estimate
    return tidy_frame([term], np.array([gap]), np.array([np.sqrt(variance)]))


def _labels(result: DMLResult, cluster: str) -> np.ndarray:
    return result.frame[cluster].to_numpy()
