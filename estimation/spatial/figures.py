"""Figures of the spatial room: Moran's I over time, local clusters on the map, effects compared.

Belongs here: drawing what has been computed. Does not belong here: computing, or saving (callers
save; estimators know no paths).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from estimation.spatial.moran import MoranResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLUSTER_COLOURS = {
    "high-high": "#b2182b",
    "high-low": "#ef8a62",
    "low-high": "#67a9cf",
    "low-low": "#2166ac",
    "not significant": "#cccccc",
}


def moran_over_time(results: Mapping[str, MoranResult], variable: str) -> Figure:
    """Moran's I by period, one line per weights matrix; hollow where the permutation p > 0.05."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, result in results.items():
        table = result.table
        (line,) = axes.plot(table["time"], table["moran_i"], linewidth=1.4, label=name)
        clear = table["p_permutation"] <= 0.05
        for mask, face in ((clear, line.get_color()), (~clear, "white")):
            axes.plot(
                table.loc[mask, "time"],
                table.loc[mask, "moran_i"],
                linestyle="none",
                marker="o",
                markersize=5,
                markerfacecolor=face,
                markeredgecolor=line.get_color(),
            )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xlabel("year")
    axes.set_ylabel("Moran's I")
    axes.set_title(f"Spatial autocorrelation of {variable} (hollow: permutation p > 0.05)")
    axes.legend(frameon=False, fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def cluster_map(
    table: pd.DataFrame, lon: np.ndarray, lat: np.ndarray, *, variable: str, period: object
) -> Figure:
    """Local Moran clusters at the units' coordinates (degrees), one colour per kind of cluster."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    axes = figure.subplots()
    order = ["not significant", "low-low", "low-high", "high-low", "high-high"]
    for kind in order:
        chosen = (table["cluster"] == kind).to_numpy()
        axes.scatter(
            np.asarray(lon)[chosen],
            np.asarray(lat)[chosen],
            s=14 if kind == "not significant" else 26,
            color=_CLUSTER_COLOURS[kind],
            label=f"{kind} ({int(chosen.sum())})",
            zorder=1 if kind == "not significant" else 2,
        )
    axes.set_aspect(1 / np.cos(np.radians(float(np.mean(lat)))))
    axes.set_xlabel("longitude")
    axes.set_ylabel("latitude")
    axes.set_title(f"Local Moran clusters of {variable}, {period}")
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def effects_figure(effects: pd.DataFrame, *, title: str) -> Figure:
    """Direct, indirect and total effects with their intervals, from a tidy table of effects."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.6 + 0.5 * len(effects)), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(effects))[::-1]
    axes.hlines(rows, effects["ci_low"], effects["ci_high"], color="#2166ac", linewidth=1.6)
    axes.plot(effects["estimate"], rows, "o", color="#2166ac")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(rows, list(effects["term"]))
    axes.set_ylim(-0.6, len(effects) - 0.4)
    axes.set_xlabel("effect, 95% interval")
    axes.set_title(title)
    return figure
