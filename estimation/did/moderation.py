"""Interaction of a treatment with a moderator: marginal effects over the moderator's range.

Belongs here: the product term, the effect at each value of the moderator, the figures. Does not
belong here: mediation (``estimation.mediation``). An interaction shows for whom the effect is
larger; it is no evidence that the moderator transmits it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from estimation.did import twfe
from estimation.panel import require
from estimation.plotting import ACCENT, BAND, INK, interval_plot, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def interacted(
    data: pd.DataFrame, treatment: str, moderator: str, *, centre: bool = False
) -> tuple[pd.DataFrame, str]:
    """``data`` with the product column, and its name ``<treatment>_x_<moderator>``.

    ``centre`` takes the moderator's mean out first, so that the treatment's own coefficient is
    the effect at the mean and not at a moderator of zero.
    """
    require(data, [treatment, moderator], "the interaction")
    frame = data.copy()
    m = frame[moderator].astype(float)
    if centre:
        m = m - m.mean()
        frame[moderator] = m
    term = f"{treatment}_x_{moderator}"
    frame[term] = frame[treatment].astype(float) * m
    return frame, term


def marginal_effects(
    result: twfe.TwfeResult, frame: pd.DataFrame, treatment: str, moderator: str, term: str
) -> pd.DataFrame:
    """Effect of treatment at 41 values between the moderator's 2nd and 98th percentiles.

    b_d + b_dm m with variance V_d + m^2 V_dm + 2 m C (Brambor, Clark and Golder 2006).
    """
    values = frame[moderator].astype(float).dropna()
    at = np.linspace(values.quantile(0.02), values.quantile(0.98), 41)
    effect = result.coefficient(treatment) + result.coefficient(term) * at
    variance = result.covariance(treatment) + at**2 * result.covariance(term)
    error = np.sqrt(np.clip(variance + 2 * at * result.covariance(treatment, term), 0, None))
    critical = stats.t.ppf(0.975, result.df)
    return pd.DataFrame(
        {
            moderator: at,
            "effect": effect,
            "std_error": error,
            "ci_low": effect - critical * error,
            "ci_high": effect + critical * error,
            "share_below": [float((values <= x).mean()) for x in at],
        }
    )


def margin_figure(margins: pd.DataFrame, treatment: str, moderator: str) -> Figure:
    """Effect of the treatment over the moderator with its 95% band."""
    figure, (ax,) = new_figure()
    ax.fill_between(
        margins[moderator], margins["ci_low"], margins["ci_high"], color=BAND, alpha=0.5
    )
    ax.plot(margins[moderator], margins["effect"], color=ACCENT)
    ax.axhline(0, color=INK, linewidth=0.8)
    label(ax, title=f"Effect of {treatment} by {moderator}", x=moderator, y="Effect, 95% band")
    return figure


def group_figure(tidy: pd.DataFrame, outcome: str) -> Figure:
    """Point and interval of every group and every difference."""
    return interval_plot(
        list(tidy["term"]), tidy["estimate"].tolist(), tidy["ci_low"].tolist(),
        tidy["ci_high"].tolist(), title="Effects by group and their differences",
        x=f"Effect on {outcome}, 95% interval",
    )  # fmt: skip
