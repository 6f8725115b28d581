"""Figures of the report: every study's estimates beside the published ones.

Belongs here: figures that compare estimates across columns. Does not belong here: figures of one
estimator (event study, placebo), which the estimator returns itself.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

OURS, THEIRS = "#1f4e79", "#c0504d"


MAX_ROWS = 70


def treatment_rows(
    estimates: pd.DataFrame, outcome: str, treatments: tuple[str, ...]
) -> pd.DataFrame:
    """Treatment effects on the study's own outcome: the coefficients that share one scale."""
    return estimates[
        (estimates["status"] == "ok")
        & estimates["estimate"].notna()
        & (estimates["outcome"] == outcome)
        & estimates["term"].isin(treatments)
    ]


def comparison_figure(
    estimates: pd.DataFrame, outcome: str, treatments: tuple[str, ...], title: str
) -> Figure | None:
    """Estimates with 95% intervals, one line per column, and the published values beside them.

    Returns None if there is nothing to draw.
    """
    rows = treatment_rows(estimates, outcome, treatments).head(MAX_ROWS)
    rows = rows.iloc[::-1].reset_index(drop=True)
    if rows.empty:
        return None
    figure = Figure(figsize=(8.2, 1.4 + 0.32 * len(rows)))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    place = np.arange(len(rows))
    low = (rows["estimate"] - rows["ci_low"]).fillna(0).clip(lower=0)
    high = (rows["ci_high"] - rows["estimate"]).fillna(0).clip(lower=0)
    axes.errorbar(
        rows["estimate"],
        place,
        xerr=[low, high],
        fmt="o",
        color=OURS,
        ecolor=OURS,
        capsize=2.5,
        markersize=5,
        label="this panel, 95% interval",
    )
    published = rows["published_estimate"].notna()
    if published.any():
        axes.scatter(
            rows.loc[published, "published_estimate"],
            place[published.to_numpy()] - 0.22,
            marker="D",
            s=28,
            color=THEIRS,
            label="published",
            zorder=3,
        )
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.set_yticks(place)
    axes.set_yticklabels(
        [f"{r.exhibit} ({r.column_id})  {r.term}" for r in rows.itertuples()], fontsize=8
    )
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(fontsize=8, loc="best", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure
