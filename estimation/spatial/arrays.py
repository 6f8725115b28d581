"""A balanced panel as arrays in the order of its weights, with the effects taken out.

Belongs here: shaping, the errors of panels that do not fit, demeaning. Does not belong here:
likelihoods. Spatial lags need every unit in every year, so nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from estimation.panel import NoVariation, as_matrix, require
from estimation.spatial.weights import Weights

EFFECTS = ("none", "individual", "time", "twoway")


class UnbalancedPanel(ValueError):
    """A panel with gaps, repeated rows or too few years for a spatial estimator."""


@dataclass(frozen=True)
class SpatialArrays:
    """Raw (not demeaned) arrays of a balanced panel.

    Attributes
    ----------
    y : ndarray (T, N)
    x : ndarray (T, N, k)
        Regressors, spatially lagged ones last.
    names : tuple of str
        Their names; a spatial lag of ``v`` is called ``W*v``.
    ids, times : tuple
        Units in the order of the weights, periods ascending.
    weights : Weights
        Aligned with ``ids``.
    n_own : int
        How many of the k regressors are own values (the rest are lags).
    """

    y: np.ndarray
    x: np.ndarray
    names: tuple[str, ...]
    ids: tuple[Hashable, ...]
    times: tuple[Hashable, ...]
    weights: Weights
    n_own: int

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return self.y.shape  # type: ignore[return-value]


def demean(values: np.ndarray, effects: str) -> np.ndarray:
    """Take individual and/or time effects out of (T, N, ...); ``none`` leaves the values alone."""
    out = np.asarray(values, dtype=float)
    if effects in ("individual", "twoway"):
        out = out - out.mean(axis=0, keepdims=True)
    if effects in ("time", "twoway"):
        out = out - out.mean(axis=1, keepdims=True)
    return out


def balanced(
    data: pd.DataFrame, columns: Sequence[str], *, entity: str, time: str, purpose: str
) -> pd.DataFrame:
    """Rows sorted by time and entity, complete and balanced.

    Raises
    ------
    MissingData
        A column is absent or empty.
    UnbalancedPanel
        A missing value, a repeated row or a gap; the message names unit and period.
    """
    needed = list(dict.fromkeys([entity, time, *columns]))
    require(data, needed, purpose)
    frame = data[needed]
    holes = frame.isna().any(axis=1)
    if holes.any():
        first = _row(frame, holes)
        empty = [c for c in needed if pd.isna(first[c])]
        raise UnbalancedPanel(
            f"{purpose}: {int(holes.sum())} rows have a missing value, first {entity}="
            f"{first[entity]}, {time}={first[time]} ({', '.join(empty)}). A spatial lag needs "
            "every unit in every period: fill the values upstream, or leave out those units "
            "(keep_balanced does this and says which)"
        )
    twice = frame.duplicated([entity, time])
    if twice.any():
        first = _row(frame, twice)
        raise UnbalancedPanel(
            f"{purpose}: {int(twice.sum())} rows repeat an entity-time pair, first {entity}="
            f"{first[entity]}, {time}={first[time]}; expected one row per pair"
        )
    units, periods = frame[entity].unique(), frame[time].unique()
    if len(frame) != len(units) * len(periods):
        full = pd.MultiIndex.from_product([np.sort(units), np.sort(periods)])
        gap = full.difference(pd.MultiIndex.from_frame(frame[[entity, time]]))
        raise UnbalancedPanel(
            f"{purpose}: the panel has gaps, {len(gap)} of {len(full)} unit-periods are absent, "
            f"first {entity}={gap[0][0]}, {time}={gap[0][1]}. Fill them upstream, or leave out "
            "those units (keep_balanced does this and says which)"
        )
    return frame.sort_values([time, entity], kind="mergesort").reset_index(drop=True)


def _row(frame: pd.DataFrame, chosen: pd.Series) -> dict[str, Any]:
    """First chosen row, cell by cell: a row as a Series would turn whole numbers into floats."""
    position = int(np.argmax(chosen.to_numpy()))
    return {str(c): frame[c].iloc[position] for c in frame.columns}


@dataclass(frozen=True)
class Balanced:
    """The balanced part of a panel, and the units and periods left out of it (both sorted)."""

    frame: pd.DataFrame
    units_left_out: tuple[Hashable, ...]
    periods_left_out: tuple[Hashable, ...]


def keep_balanced(
    data: pd.DataFrame,
    columns: Sequence[str],
    *,
    entity: str,
    time: str,
    min_coverage: float = 0.5,
) -> Balanced:
    """Only units observed completely in every period kept.

    A period in which less than ``min_coverage`` of the units are complete goes first: one thin year
    would otherwise cost most units.

    Raises
    ------
    MissingData
        A column is absent or empty.
    UnbalancedPanel
        No unit is complete in every period that is left.
    """
    require(data, [entity, time, *columns], "balancing a panel")
    complete = data.dropna(subset=[entity, time, *columns])
    units = data[entity].nunique()
    per_period = complete.groupby(time)[entity].nunique()
    periods = set(per_period.index[per_period >= min_coverage * units])
    thin = sorted(set(data[time].dropna().unique()) - periods)
    complete = complete[complete[time].isin(periods)]
    counts = complete.groupby(entity)[time].nunique()
    kept = counts.index[counts == len(periods)]
    if len(kept) == 0 or not periods:
        best = per_period.sort_values(ascending=False).head(3)
        raise UnbalancedPanel(
            f"no unit is complete in {list(columns)} in every period of {time}; most complete: "
            + ", ".join(f"{when} ({n} of {units} units)" for when, n in best.items())
        )
    out = complete[complete[entity].isin(kept)]
    return Balanced(
        out.sort_values([entity, time], kind="mergesort").reset_index(drop=True),
        tuple(sorted(set(data[entity].unique()) - set(kept))),
        tuple(thin),
    )


def spatial_arrays(
    data: pd.DataFrame,
    *,
    outcome: str,
    regressors: Sequence[str],
    durbin: Sequence[str],
    entity: str,
    time: str,
    weights: Weights,
    purpose: str = "a spatial panel",
    min_periods: int = 2,
) -> SpatialArrays:
    """Arrays of outcome and regressors in the order of the weights.

    Raises
    ------
    UnbalancedPanel
        Gaps, repeated rows, or fewer periods than ``min_periods``.
    WeightsError
        Labels of the weights and units of the panel differ.
    ValueError
        A Durbin term that is no regressor.
    """
    names = list(dict.fromkeys(regressors))
    strange = [d for d in durbin if d not in names]
    if strange:
        raise ValueError(f"{purpose}: Durbin terms {strange} are not among the regressors {names}")
    frame = balanced(data, [outcome, *names], entity=entity, time=time, purpose=purpose)
    times = tuple(frame[time].unique())
    if len(times) < min_periods:
        raise UnbalancedPanel(
            f"{purpose}: {len(times)} period(s) of {time}; at least {min_periods} are needed "
            "(individual effects leave nothing of a single period)"
        )
    n = len(frame) // len(times)
    order = tuple(frame[entity].iloc[:n])
    aligned = weights.align(order)
    values = as_matrix(frame, [outcome, *names]).reshape(len(times), n, 1 + len(names))
    y, x = values[..., 0], values[..., 1:]
    chosen = [names.index(d) for d in durbin]
    if chosen:
        x = np.concatenate([x, lag_panel(aligned, x[..., chosen])], axis=2)
    return SpatialArrays(
        y, x, (*names, *(f"W*{d}" for d in durbin)), order, times, aligned, len(names)
    )


def lag_panel(weights: Weights, values: np.ndarray) -> np.ndarray:
    """W applied to every period and column of (T, N) or (T, N, k)."""
    moved = np.moveaxis(values, 1, 0)
    return np.moveaxis(weights.lag(moved), 0, 1)


def check_rank(x: np.ndarray, names: Sequence[str], effects: str) -> None:
    """Refuse regressors without variation or linearly dependent after the effects are out.

    Parameters
    ----------
    x : ndarray (n, k)
        Demeaned regressors.

    Raises
    ------
    NoVariation
        A column is constant once the effects are taken out.
    ValueError
        Columns are linearly dependent; the message names the last one.
    """
    if x.shape[1] == 0:
        return
    norms = np.linalg.norm(x, axis=0)
    for name, norm in zip(names, norms):
        if norm < 1e-10 * np.sqrt(x.shape[0]):
            raise NoVariation(
                f"{name} does not vary once the {effects} effects are taken out; leave it out "
                "(or out of the Durbin terms)"
            )
    triangle = np.abs(np.diag(np.linalg.qr(x / norms, mode="r")))
    if triangle.min() < 1e-9:
        raise ValueError(
            f"{names[int(np.argmin(triangle))]} is a linear combination of the other regressors "
            f"and the {effects} effects; leave it out"
        )
