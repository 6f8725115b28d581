"""Goodman-Bacon decomposition: which comparisons a two-way fixed-effects estimate averages.

Belongs here: the 2x2 comparisons, their weights and the figure. Does not belong here: the remedy
(``staggered``, ``callaway``). The decomposition is diff-diff's, held to the published one in the
tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from estimation.did.cohorts import call_library, prepare
from estimation.panel import NoVariation
from estimation.plotting import INK, PALETTE, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {
    "treated_vs_never": "treated vs never treated",
    "earlier_vs_later": "earlier vs later treated",
    "later_vs_earlier": "later vs earlier treated",
}


@dataclass(frozen=True)
class BaconResult:
    """Decomposition of a two-way fixed-effects estimate without controls.

    Attributes
    ----------
    comparisons : DataFrame
        kind, treated, control, estimate, weight; weights sum to one.
    summary : DataFrame
        Weight and weighted mean estimate by kind.
    twfe : float
        The coefficient decomposed.
    n_obs, n_entities, n_dropped : int
        ``n_dropped`` entities were left out to balance the panel.
    """

    comparisons: pd.DataFrame
    summary: pd.DataFrame
    twfe: float
    n_obs: int
    n_entities: int
    n_dropped: int

    @property
    def forbidden_weight(self) -> float:
        """Weight on comparisons that use already treated entities as controls."""
        own = self.summary["kind"] == KINDS["later_vs_earlier"]
        return float(self.summary.loc[own, "weight"].sum())

    def figure(self) -> Figure:
        """Every 2x2 estimate against its weight, by kind."""
        figure, (ax,) = new_figure()
        for colour, kind in zip(PALETTE, KINDS.values()):
            part = self.comparisons[self.comparisons["kind"] == kind]
            if len(part):
                ax.scatter(part["weight"], part["estimate"], s=26, color=colour, label=kind)
        ax.axhline(self.twfe, color=INK, linestyle="--", linewidth=0.9)
        ax.annotate(
            f"TWFE {self.twfe:.4f}", (1, self.twfe), xycoords=("axes fraction", "data"),
            fontsize=8, ha="right", va="bottom",
        )  # fmt: skip
        ax.legend(frameon=False, fontsize=8)
        label(ax, title="Goodman-Bacon decomposition", x="Weight", y="2x2 estimate")
        return figure


def decompose(
    data: pd.DataFrame, *, outcome: str, treatment: str, entity: str, time: str
) -> BaconResult:
    """Exact decomposition on the balanced part of the panel (Goodman-Bacon 2021).

    Entities without every year are left out and counted; controls are not part of it.

    Raises
    ------
    NoVariation
        If nobody adopts within the panel, or no entity has every year.
    """
    from diff_diff import BaconDecomposition

    c = prepare(data, outcome=outcome, treatment=treatment, entity=entity, time=time)
    years = c.frame[time].nunique()
    counts = c.frame.groupby(entity)[time].nunique()
    whole = counts.index[counts == years]
    frame = c.frame[c.frame[entity].isin(set(whole))]
    if len(whole) < 2 or frame["cohort"].nunique() < 2:
        raise NoVariation(
            f"the decomposition needs a balanced panel; {len(whole)} of {len(counts)} entities "
            f"have all {years} years. Restrict the years or fill the gaps first"
        )
    result, _ = call_library(
        lambda: BaconDecomposition(weights="exact").fit(
            frame, outcome=outcome, unit=entity, time=time, first_treat="cohort"
        ),
        "Goodman-Bacon",
    )
    table = pd.DataFrame(
        [
            {
                "kind": KINDS.get(x.comparison_type, x.comparison_type),
                "treated": int(float(x.treated_group)),
                "control": "never" if "never" in str(x.control_group) else str(
                    int(float(x.control_group))
                ),
                "estimate": float(x.estimate),
                "weight": float(x.weight),
            }
            for x in result.comparisons
        ]
    ).sort_values(["kind", "treated", "control"], ignore_index=True)  # fmt: skip
    grouped = table.assign(product=table["estimate"] * table["weight"]).groupby("kind")
    summary = grouped.agg(
        weight=("weight", "sum"), n_comparisons=("weight", "size"), product=("product", "sum")
    ).reset_index()
    summary["estimate"] = summary.pop("product") / summary["weight"].where(summary["weight"] > 0)
    total = float(np.sum(table["estimate"].to_numpy() * table["weight"].to_numpy()))
    return BaconResult(
        table, summary, total, len(frame), int(frame[entity].nunique()),
        int(len(counts) - len(whole)) + c.n_always,
    )  # fmt: skip
