"""Specification curve: the estimate under every combination of defensible choices.

Belongs here: running control sets x samples x fixed effects, ordering them, drawing them. Does not
belong here: deciding which choices are defensible; a study file declares them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from estimation.did import twfe
from estimation.panel import NoVariation
from estimation.plotting import ACCENT, BAND, INK, MUTED, WARM, label, new_figure
from estimation.tidy import COLUMNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class CurveResult:
    """All specifications, ordered by estimate.

    Attributes
    ----------
    table : DataFrame
        Tidy columns (``term`` names the specification) plus sample, effects, controls, n_obs.
    baseline : float
    failed : dict
    """

    table: pd.DataFrame
    baseline: float
    failed: dict[str, str]

    def summary(self) -> dict[str, float]:
        """Median, range and shares of sign and significance over all specifications."""
        b, p = self.table["estimate"], self.table["p_value"]
        same = np.sign(b) == np.sign(self.baseline)
        return {
            "n_specifications": float(len(b)),
            "median_estimate": float(b.median()),
            "min_estimate": float(b.min()),
            "max_estimate": float(b.max()),
            "share_same_sign": float(same.mean()),
            "share_same_sign_p05": float((same & (p < 0.05)).mean()),
        }

    def figure(self, outcome: str) -> Figure:
        """Estimates with 95% bands in order, and below which choices each one makes."""
        t = self.table
        choices: list[tuple[str, np.ndarray]] = []
        for column in ("sample", "effects"):
            if t[column].nunique() > 1:
                choices += [(str(v), (t[column] == v).to_numpy()) for v in t[column].unique()]
        names = list(dict.fromkeys(c for row in t["controls"] for c in row.split(", ") if c))
        for name in names:
            has = t["controls"].map(lambda row, n=name: n in row.split(", ")).to_numpy()
            if not has.all():
                choices.append((name, has))
        figure, (top, low) = new_figure(8.4, 4.4 + 0.17 * len(choices), rows=2)
        x = np.arange(len(t))
        top.vlines(x, t["ci_low"], t["ci_high"], color=BAND, linewidth=0.8)
        sure = (t["p_value"] < 0.05).to_numpy()
        top.scatter(x[sure], t["estimate"][sure], s=7, color=ACCENT, label="p < 0.05", zorder=3)
        top.scatter(x[~sure], t["estimate"][~sure], s=7, color=MUTED, label="p >= 0.05", zorder=3)
        top.axhline(0, color=INK, linewidth=0.8)
        top.axhline(self.baseline, color=WARM, linestyle="--", linewidth=0.9, label="baseline")
        top.legend(frameon=False, fontsize=7, ncols=3)
        for i, (_, has) in enumerate(choices):
            low.scatter(x[has], np.full(int(has.sum()), -i), s=3, color=INK, marker="|")
        low.set_yticks([-i for i in range(len(choices))], [c for c, _ in choices], fontsize=6)
        low.grid(visible=False)
        label(top, title="Specification curve", y=f"Effect on {outcome}")
        label(low, x="Specifications, ordered by estimate")
        return figure


def control_subsets(controls: Sequence[str], kind: str = "all") -> list[tuple[str, ...]]:
    """``all`` subsets, ``stepwise`` (first none, then one more each) or ``drop_one``."""
    controls = list(controls)
    if kind == "all":
        return [s for k in range(len(controls) + 1) for s in combinations(controls, k)]
    if kind == "stepwise":
        return [tuple(controls[:k]) for k in range(len(controls) + 1)]
    if kind == "drop_one":
        return [tuple(controls), *(tuple(c for c in controls if c != gone) for gone in controls)]
    raise ValueError(f"control sets are all, stepwise or drop_one, got {kind!r}")


def fit(
    samples: Mapping[str, pd.DataFrame],
    *,
    outcome: str,
    treatment: str,
    control_sets: Iterable[Sequence[str]],
    fixed_effects: Mapping[str, Sequence[str]],
    entity: str,
    time: str,
    cluster: str | None = None,
) -> CurveResult:
    """Run every combination; the baseline is the first sample, largest control set, first effects.

    Raises
    ------
    NoVariation
        If no specification can be estimated.
    """
    sets = [tuple(s) for s in control_sets]
    rows, failed = [], {}
    full = max(sets, key=len)
    baseline = float("nan")
    for sample, frame in samples.items():
        for effects_name, effects in fixed_effects.items():
            for controls in sets:
                name = f"{sample}; {effects_name}; {', '.join(controls) or 'no controls'}"
                try:
                    result = twfe.fit(
                        frame, outcome=outcome, treatment=treatment, controls=controls,
                        entity=entity, time=time, fixed_effects=effects, cluster=cluster,
                    )  # fmt: skip
                except ValueError as error:
                    failed[name] = str(error)
                    continue
                row = result.tidy().iloc[0].to_dict()
                row.update(
                    term=name, sample=sample, effects=effects_name, controls=", ".join(controls),
                    n_obs=result.n_obs,
                )  # fmt: skip
                rows.append(row)
                if np.isnan(baseline) and controls == full:
                    baseline = float(row["estimate"])
    if not rows:
        raise NoVariation(f"no specification has an estimate; first: {next(iter(failed.items()))}")
    table = pd.DataFrame(rows).sort_values("estimate", kind="mergesort").reset_index(drop=True)
    return CurveResult(
        table[[*COLUMNS, "sample", "effects", "controls", "n_obs"]], baseline, failed
    )
