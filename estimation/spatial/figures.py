"""Figures of the spatial room: Moran's I over time, local clusters on the map, effects compared.

Belongs here: drawing what has been computed. Does not belong here: computing, the house style
(``estimation.plotting``), or saving (callers save; estimators know no paths).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from estimation.plotting import INK, PALETTE, interval_plot, label, new_figure
from estimation.spatial.moran import MoranResult

_CLUSTER_COLOURS = {
    "not significant": "#cccccc",
    "low-low": "#2166ac",
    "low-high": "#67a9cf",
    "high-low": "#ef8a62",
    "high-high": "#b2182b",
}


def moran_over_time(results: Mapping[str, MoranResult], variable: str) -> Figure:
    """Moran's I by period, one line per weights matrix; hollow where the permutation p > 0.05."""
    figure, (axes,) = new_figure()
    for (name, result), colour in zip(results.items(), PALETTE * 4):
        table = result.table
        axes.plot(table["time"], table["moran_i"], color=colour, linewidth=1.4, label=name)
        clear = table["p_permutation"] <= 0.05
        for mask, face in ((clear, colour), (~clear, "white")):
            axes.plot(
                table.loc[mask, "time"],
                table.loc[mask, "moran_i"],
                linestyle="none",
                marker="o",
                markersize=5,
                markerfacecolor=face,
                markeredgecolor=colour,
            )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8)
    label(
        axes,
        title=f"Spatial autocorrelation of {variable} (hollow: permutation p > 0.05)",
        x="year",
        y="Moran's I",
    )
    return figure


def cluster_map(
    table: pd.DataFrame, lon: np.ndarray, lat: np.ndarray, *, variable: str, period: object
) -> Figure:
    """Local Moran clusters at the units' coordinates (degrees), one colour per kind of cluster."""
    figure, (axes,) = new_figure(7.2, 5.6)
    for kind, colour in _CLUSTER_COLOURS.items():
        chosen = (table["cluster"] == kind).to_numpy()
        quiet = kind == "not significant"
        axes.scatter(
            np.asarray(lon)[chosen],
            np.asarray(lat)[chosen],
            s=14 if quiet else 26,
            color=colour,
            label=f"{kind} ({int(chosen.sum())})",
            zorder=1 if quiet else 2,
        )
    axes.set_aspect(1 / np.cos(np.radians(float(np.mean(lat)))))
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    label(
        axes,
        title=f"Local Moran clusters of {variable}, {period}",
        x="longitude",
        y="latitude",
    )
    return figure


def effects_figure(effects: pd.DataFrame, *, title: str) -> Figure:
    """Direct, indirect and total effects with their intervals, from a tidy table of effects."""
    return interval_plot(
        list(effects["term"]),
        list(effects["estimate"]),
        list(effects["ci_low"]),
        list(effects["ci_high"]),
        title=title,
        x="effect, 95% interval",
    )
