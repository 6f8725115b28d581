"""Propensity score matching: logit, nearest, radius and kernel matches, balance before and after.

Belongs here: scores, weights, balance tables and their figures, on any cross-section or panel. Does
not belong here: the outcome regression that follows. Written by us because no library in use states
its tie rule or gives the year-by-year kernel weights that the studies need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from estimation.balance import balance_table, love_plot, score_figure
from estimation.logit import Logit, logit
from estimation.panel import NoVariation, as_matrix, require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("nearest", "radius", "kernel")
_TIE = 1e-12  # scores closer than this are tied


def match_weights(
    scores: np.ndarray,
    treated: np.ndarray,
    *,
    method: str = "nearest",
    ratio: int = 1,
    replace: bool = True,
    caliper: float | None = None,
    ties: str = "average",
    order: str = "largest",
    search: str = "both",
    kernel: str = "gaussian",
    bandwidth: float = 0.06,
    common_support: bool = False,
) -> np.ndarray:
    """Weights for the effect on the treated: 1 per matched treated, their shares on controls.

    Parameters
    ----------
    scores : ndarray (n,)
    treated : bool ndarray (n,)
    method : {"nearest", "radius", "kernel"}
        ``nearest``: the ``ratio`` closest controls; ``radius``: every control within ``caliper``;
        ``kernel``: every control with kernel weight.
    replace : bool
        Without replacement treated units are served in the given ``order`` of their score
        (largest, smallest or file), and each takes the nearest control still free. ``search``
        ``below`` lets them look at controls with a score not above their own first, as the
        MatchIt 4.5.1 build of the reference case does; ``both`` is nearest in the plain sense.
    caliper : float, optional
        Largest distance in the score.
    ties : {"average", "first"}
        With replacement: share a place among equally distant controls, or take the first in file
        order. Without replacement the first is taken.
    kernel : {"gaussian", "epanechnikov"}
        Epanechnikov is zero beyond the bandwidth.
    common_support : bool
        Leave out treated units whose score lies outside the range of the controls.

    Returns
    -------
    ndarray (n,)
        Sums to the number of matched treated within each group; 0 = not used.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r}; choose {', '.join(METHODS)}")
    if ratio < 1 or (caliper is not None and caliper <= 0) or bandwidth <= 0:
        raise ValueError("ratio must be at least 1, caliper and bandwidth positive")
    if method == "radius" and caliper is None:
        raise ValueError("radius matching needs a caliper")
    d = np.asarray(treated, dtype=bool)
    t, c = np.flatnonzero(d), np.flatnonzero(~d)
    weights = np.zeros(len(scores))
    if len(t) == 0 or len(c) == 0:
        return weights
    if common_support:
        t = t[(scores[t] >= scores[c].min()) & (scores[t] <= scores[c].max())]
    distance = np.abs(scores[t][:, None] - scores[c][None, :])
    if method == "nearest" and not replace:
        above = scores[c][None, :] > scores[t][:, None] if search == "below" else None
        if search not in ("both", "below"):
            raise ValueError(f"search {search!r}; choose both or below")
        share = _without_replacement(distance, scores[t], ratio, caliper, order, above)
    elif method == "nearest":
        share = _with_replacement(distance, ratio, caliper, ties)
    else:
        if method == "radius":
            share = (distance <= float(caliper or 0) + _TIE).astype(float)
        elif kernel == "gaussian":
            share = np.exp(-0.5 * (distance / bandwidth) ** 2)
        elif kernel == "epanechnikov":
            share = np.clip(1 - (distance / bandwidth) ** 2, 0, None)
        else:
            raise ValueError(f"kernel {kernel!r}; choose gaussian or epanechnikov")
        if caliper is not None:
            share = np.where(distance <= caliper + _TIE, share, 0.0)
        total = share.sum(axis=1, keepdims=True)
        share = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
    weights[t] = (share.sum(axis=1) > 0).astype(float)
    weights[c] = share.sum(axis=0)
    return weights


def _with_replacement(
    distance: np.ndarray, ratio: int, caliper: float | None, ties: str
) -> np.ndarray:
    n_controls = distance.shape[1]
    k = min(ratio, n_controls)
    share = np.zeros_like(distance)
    ranked = np.argsort(distance, axis=1, kind="stable")
    for i, row in enumerate(distance):
        chosen = ranked[i, :k]
        if ties == "average":
            cut = row[chosen[-1]]
            inside = np.flatnonzero(row < cut - _TIE)
            edge = np.flatnonzero(np.abs(row - cut) <= _TIE)
            value = np.zeros(n_controls)
            value[inside] = 1.0
            value[edge] = (k - len(inside)) / len(edge)
        elif ties == "first":
            value = np.zeros(n_controls)
            value[chosen] = 1.0
        else:
            raise ValueError(f"ties {ties!r}; choose average or first")
        if caliper is not None:
            value[row > caliper + _TIE] = 0.0
        total = value.sum()
        if total > 0:
            share[i] = value / total
    return share


def _without_replacement(
    distance: np.ndarray,
    scores: np.ndarray,
    ratio: int,
    caliper: float | None,
    order: str,
    above: np.ndarray | None,
) -> np.ndarray:
    if order not in ("largest", "smallest", "file"):
        raise ValueError(f"order {order!r}; choose largest, smallest or file")
    queue = np.arange(len(scores))
    if order != "file":
        queue = np.argsort(-scores if order == "largest" else scores, kind="stable")
    share = np.zeros_like(distance)
    free = np.ones(distance.shape[1], dtype=bool)
    for _ in range(ratio):  # everybody gets a first control before anybody gets a second
        for i in queue:
            if not free.any():
                break
            allowed = free if above is None else free & ~above[i]
            row = np.where(allowed if allowed.any() else free, distance[i], np.inf)
            j = int(np.argmin(row))
            if caliper is not None and row[j] > caliper + _TIE:
                continue
            share[i, j] = 1.0
            free[j] = False
    total = share.sum(axis=1, keepdims=True)
    return np.divide(share, total, out=np.zeros_like(share), where=total > 0)


@dataclass(frozen=True)
class MatchResult:
    """Scores and weights of every row, and how well they balance the covariates.

    Attributes
    ----------
    scores, weights : Series
        By row of the input; missing score and zero weight where a covariate is missing.
    balance : DataFrame
        Per covariate, before and after: means, standardised bias in percent, t and p of the
        difference, variance ratio, reduction of the bias in percent.
    logits : dict
        Fitted logit per period, or under the key ``pooled``.
    skipped : tuple of str
        Periods in which no score could be estimated, with the reason.
    """

    scores: pd.Series
    weights: pd.Series
    balance: pd.DataFrame
    logits: dict[str, Logit]
    skipped: tuple[str, ...]
    n_treated: int
    n_treated_matched: int
    n_controls_used: int

    def love_plot(self, *, title: str = "Covariate balance") -> Figure:
        """Standardised bias of every covariate before and after matching."""
        return love_plot(self.balance, title=title)

    def score_figure(self, treated: pd.Series) -> Figure:
        """Density of the score in both groups before and after matching."""
        return score_figure(self.scores, self.weights, treated)


def match(
    data: pd.DataFrame,
    *,
    treated: str,
    covariates: Sequence[str],
    time: str | None = None,
    by: str = "pooled",
    score: str | None = None,
    **options: object,
) -> MatchResult:
    """Match treated to control rows, pooled or year by year.

    Parameters
    ----------
    treated : str
        0/1 column naming the group (ever treated, not the policy dummy of the year).
    by : {"pooled", "time"}
        ``time`` estimates the logit and matches within each period. Periods with one group only
        are skipped and listed.
    score : str, optional
        Column with a score to use instead of a logit.
    options
        See ``match_weights``.

    Raises
    ------
    MissingData, NoVariation, ValueError
    """
    if by not in ("pooled", "time"):
        raise ValueError(f"by is pooled or time, got {by!r}")
    if by == "time" and time is None:
        raise ValueError("matching by time needs the name of the time column")
    needed = [treated, *covariates, *([score] if score else [])]
    require(data, needed, "matching")
    complete = data[needed].notna().all(axis=1)
    frame = data.loc[complete]
    scores = pd.Series(np.nan, index=data.index)
    weights = pd.Series(0.0, index=data.index)
    groups: list[tuple[object, pd.DataFrame]] = [("pooled", frame)]
    if by == "time":
        groups = [(key, frame[frame[time] == key]) for key in np.sort(frame[time].unique())]
    fits: dict[str, Logit] = {}
    skipped: list[str] = []
    for key, part in groups:
        d = part[treated].to_numpy(dtype=float) == 1
        if score:
            value = part[score].to_numpy(dtype=float)
        else:
            try:
                where = f"{time} {key}" if by == "time" else "the sample"
                fit = logit(d, as_matrix(part, covariates), covariates, where=where)
            except (NoVariation, ValueError) as error:
                if by == "pooled":
                    raise
                skipped.append(f"{key}: {error}")
                continue
            fits[str(key)] = fit
            value = fit.scores
        scores.loc[part.index] = value
        weights.loc[part.index] = match_weights(value, d, **options)  # type: ignore[arg-type]
    if not (weights > 0).any():
        raise NoVariation(
            "matching leaves no treated unit with a control"
            + (f"; skipped: {'; '.join(skipped)}" if skipped else ": widen the caliper")
        )
    group = frame[treated].astype(float) == 1
    used = weights.loc[frame.index] > 0
    return MatchResult(
        scores=scores,
        weights=weights,
        balance=balance_table(frame, group, covariates, weights.loc[frame.index]),
        logits=fits,
        skipped=tuple(skipped),
        n_treated=int(group.sum()),
        n_treated_matched=int((group & used).sum()),
        n_controls_used=int((~group & used).sum()),
    )


def ever_treated(data: pd.DataFrame, treatment: str, *, entity: str) -> pd.Series:
    """1 for rows of entities that are treated at any time in ``data``, else 0."""
    require(data, [treatment, entity], "finding the treated group")
    return data.groupby(entity)[treatment].transform("max").astype(float)
