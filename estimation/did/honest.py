"""How large may violations of parallel trends be before the conclusion falls (HonestDiD).

Belongs here: sensitivity bounds of an event study and their figure. Does not belong here: the event
study. The bounds are diff-diff's implementation of Rambachan and Roth (2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from estimation.did import event_study
from estimation.did.cohorts import call_library
from estimation.panel import NoVariation
from estimation.plotting import ACCENT, INK, WARM, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class HonestResult:
    """Robust intervals by the size of the violation allowed.

    Attributes
    ----------
    table : DataFrame
        m, ci_low, ci_high, bound_low, bound_high.
    breakdown : float
        Smallest m on the grid at which the interval holds zero (NaN: none does).
    estimate, std_error : float
        The target (mean of the post coefficients) and its error.
    restriction : str
        relative_magnitude (m times the largest lead-to-lead change) or smoothness (change of
        slope at most m).
    """

    table: pd.DataFrame
    breakdown: float
    estimate: float
    std_error: float
    restriction: str

    def figure(self) -> Figure:
        """Robust interval by the size of the violation; the conventional one on the left."""
        figure, (ax,) = new_figure()
        m = self.table["m"].to_numpy(dtype=float)
        step = (m[1] - m[0]) if len(m) > 1 else 1.0
        ax.vlines(m, self.table["ci_low"], self.table["ci_high"], color=ACCENT, linewidth=2.4)
        half = 1.959964 * self.std_error
        ax.vlines(-step, self.estimate - half, self.estimate + half, color=WARM, linewidth=2.4)
        ax.scatter([-step], [self.estimate], color=WARM, s=22)
        ax.axhline(0, color=INK, linewidth=0.8)
        ax.set_xticks([-step, *m], ["usual", *(f"{v:g}" for v in m)])
        label(
            ax,
            title=f"Sensitivity to violations of parallel trends ({self.restriction})",
            x="Violation allowed (M)",
            y="95% interval",
        )
        return figure


def bounds(
    result: event_study.EventStudyResult,
    *,
    restriction: str = "relative_magnitude",
    grid: Sequence[float] = (0.0, 0.5, 1.0, 1.5, 2.0),
    last: int | None = None,
) -> HonestResult:
    """Sensitivity of the mean post effect of an event study with base -1.

    Parameters
    ----------
    restriction : {"relative_magnitude", "smoothness"}
    grid : sequence of float
        Sizes of the violation; the leads of the event study set the scale.
    last : int, optional
        Last relative time in the target (default: the last estimated).

    Raises
    ------
    NoVariation
        If the event study has no lead to measure violations with.
    ValueError
        If the base is not -1.
    """
    from diff_diff import HonestDiD, MultiPeriodDiDResults, PeriodEffect

    if result.base != -1:
        raise ValueError(f"the bounds need base period -1, the event study has {result.base}")
    times = [k for k in result.relative_times if last is None or k <= last]
    pre, post = [k for k in times if k < 0], [k for k in times if k >= 0]
    if not pre or not post:
        raise NoVariation(f"the bounds need leads and lags, the event study has {times}")
    terms = [event_study.term_name(k) for k in times]
    b = result.regression.params[terms].to_numpy()
    v = result.regression.vcov.loc[terms, terms].to_numpy()
    errors = np.sqrt(np.diag(v))
    effects = {
        k: PeriodEffect(k, b[i], errors[i], b[i] / errors[i], np.nan, (np.nan, np.nan))
        for i, k in enumerate(times)
    }
    weights = np.array([1 / len(post) if k >= 0 else 0.0 for k in times])
    mean, error = float(weights @ b), float(np.sqrt(weights @ v @ weights))
    carrier = MultiPeriodDiDResults(
        period_effects=effects, avg_att=mean, avg_se=error, avg_t_stat=mean / error,
        avg_p_value=np.nan, avg_conf_int=(np.nan, np.nan), n_obs=result.regression.n_obs,
        n_treated=0, n_control=0, pre_periods=pre, post_periods=post, vcov=v,
        reference_period=-1, interaction_indices={k: i for i, k in enumerate(times)},
    )  # fmt: skip
    honest, _ = call_library(
        lambda: [HonestDiD(method=restriction).fit(carrier, M=float(m)) for m in grid],  # type: ignore[arg-type]
        "HonestDiD",
    )
    table = pd.DataFrame(
        {
            "m": [float(m) for m in grid],
            "ci_low": [float(r.ci_lb) for r in honest],
            "ci_high": [float(r.ci_ub) for r in honest],
            "bound_low": [float(r.lb) for r in honest],
            "bound_high": [float(r.ub) for r in honest],
        }
    )
    holds = (table["ci_low"] <= 0) & (table["ci_high"] >= 0)
    breakdown = float(table.loc[holds, "m"].min()) if holds.any() else float("nan")
    return HonestResult(table, breakdown, mean, error, restriction)
