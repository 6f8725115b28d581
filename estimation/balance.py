"""Covariate balance before and after matching: the table that studies print, and its figures.

Belongs here: balance statistics and love plots for any weights. Does not belong here: scores and
matches (``matching``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from estimation.plotting import ACCENT, INK, MUTED, WARM, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def balance_table(
    frame: pd.DataFrame, treated: pd.Series, covariates: Sequence[str], weights: pd.Series
) -> pd.DataFrame:
    """Balance before and after weighting, in the layout that the studies print.

    Standardised bias = 100 (m1 - m0) / sqrt((s1^2 + s0^2) / 2) with the unmatched variances in both
    rows (Rosenbaum and Rubin 1985); ``smd_treated`` divides by the unmatched standard deviation of
    the treated, sqrt(p (1 - p)) for 0/1 covariates. t tests the difference of (weighted) means as a
    regression on the group does.
    """
    d = treated.to_numpy(dtype=bool)
    w = weights.to_numpy(dtype=float)
    rows = []
    for name in covariates:
        x = frame[name].to_numpy(dtype=float)
        s1, s0 = x[d].var(ddof=1), x[~d].var(ddof=1)
        binary = bool(np.isin(x, (0.0, 1.0)).all())
        pooled, own = np.sqrt((s1 + s0) / 2), np.sqrt(x[d].var() if binary else s1)
        first: float | None = None
        for stage, v in (("before", np.ones_like(w)), ("after", w)):
            m1, m0 = _mean(x[d], v[d]), _mean(x[~d], v[~d])
            bias = 100 * (m1 - m0) / pooled if pooled > 0 else np.nan
            t, p = _weighted_t(x, d, v)
            rows.append(
                {
                    "variable": name,
                    "stage": stage,
                    "mean_treated": m1,
                    "mean_control": m0,
                    "bias_percent": bias,
                    "smd_treated": (m1 - m0) / own if own > 0 else np.nan,
                    "t": t,
                    "p_value": p,
                    "variance_ratio": _ratio(_variance(x[d], v[d]), _variance(x[~d], v[~d])),
                    "bias_reduction_percent": np.nan
                    if first is None or first == 0
                    else 100 * (1 - abs(bias) / abs(first)),
                }
            )
            first = bias if first is None else first
    return pd.DataFrame(rows)


def _ratio(a: float, b: float) -> float:
    return a / b if b > 0 else float("nan")


def _mean(x: np.ndarray, w: np.ndarray) -> float:
    return float(np.average(x, weights=w)) if w.sum() > 0 else float("nan")


def _variance(x: np.ndarray, w: np.ndarray) -> float:
    total = w.sum()
    if total <= 0:
        return float("nan")
    m = np.average(x, weights=w)
    return float(np.average((x - m) ** 2, weights=w))


def _weighted_t(x: np.ndarray, d: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """t and p of the group coefficient in a weighted regression of x on the group."""
    use = w > 0
    x, d, w = x[use], d[use].astype(float), w[use]
    n = len(x)
    if n < 3 or not 0 < d.sum() < n:
        return float("nan"), float("nan")
    w = w * n / w.sum()  # analytic weights sum to the number of rows
    m = np.average(d, weights=w)
    ssd = float(np.sum(w * (d - m) ** 2))
    b = float(np.sum(w * (d - m) * x)) / ssd
    e = x - np.average(x, weights=w) - b * (d - m)
    s2 = float(np.sum(w * e**2)) / (n - 2)
    if s2 <= 0:
        return float("nan"), float("nan")
    t = b / np.sqrt(s2 / ssd)
    return float(t), float(2 * stats.t.sf(abs(t), n - 2))


def love_plot(balance: pd.DataFrame, *, title: str = "Covariate balance") -> Figure:
    """Standardised bias of every covariate before (hollow) and after (filled) matching."""
    names = list(dict.fromkeys(balance["variable"]))
    figure, (ax,) = new_figure(6.4, 1.4 + 0.34 * len(names))
    position = {n: len(names) - 1 - i for i, n in enumerate(names)}
    for stage, face, colour in (("before", "white", WARM), ("after", ACCENT, ACCENT)):
        part = balance[balance["stage"] == stage]
        ax.scatter(
            part["bias_percent"], [position[v] for v in part["variable"]], s=34, facecolor=face,
            edgecolor=colour, label=stage, zorder=3,
        )  # fmt: skip
    for edge in (-10, 10):
        ax.axvline(edge, color=MUTED, linestyle=":", linewidth=0.9)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(list(position.values()), list(position), fontsize=8)
    ax.legend(frameon=False, fontsize=8)
    label(ax, title=title, x="Standardised bias (%)")
    return figure


def score_figure(scores: pd.Series, weights: pd.Series, treated: pd.Series) -> Figure:
    """Density of the score in both groups, before and after weighting."""
    figure, axes = new_figure(8.4, 3.6, columns=2)
    known = scores.notna()
    grid = np.linspace(float(scores[known].min()), float(scores[known].max()), 300)
    group = treated.astype(float) == 1
    for ax, stage in zip(axes, ("before", "after")):
        for mask, colour, name in ((group, ACCENT, "treated"), (~group, WARM, "control")):
            use = known & mask & (weights > 0 if stage == "after" else True)
            v = scores[use].to_numpy()
            if len(v) > 2 and np.ptp(v) > 0:
                w = weights[use].to_numpy() if stage == "after" else None
                ax.plot(grid, stats.gaussian_kde(v, weights=w)(grid), color=colour, label=name)
        label(ax, title=f"{stage.capitalize()} matching", x="Propensity score", y="Density")
        ax.legend(frameon=False, fontsize=8)
    return figure
