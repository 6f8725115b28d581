"""Event study: effects by years since adoption, binned end points, joint test of the leads.

Belongs here: building relative-time terms, estimating them with ``twfe``, the pre-trend test and
the figure. Does not belong here: estimators robust to heterogeneous effects (``modern``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from estimation.did import twfe
from estimation.panel import NoVariation, adoption_year, require
from estimation.plotting import ACCENT, BAND, INK, MUTED, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def term_name(k: int) -> str:
    """Name of a relative-time term: ``t-3``, ``t+0``, ``t+2``."""
    return f"t{k:+d}"


@dataclass(frozen=True)
class EventStudyResult:
    """Event-study coefficients.

    Attributes
    ----------
    regression : TwfeResult
    relative_times : tuple of int
        Relative times with a coefficient, ascending.
    base : int or None
        Base period; None when the base is every period outside the window.
    binned : str
        Which ends collect the periods beyond them: both, lower, upper or none.
    pretrend : dict
        Joint F test of the leads (``f``, ``p_value``, ``df1``, ``df2``); empty without leads.
    cells : Series
        Treated observations behind each relative time.
    """

    regression: twfe.TwfeResult
    relative_times: tuple[int, ...]
    base: int | None
    binned: str
    pretrend: dict[str, float]
    cells: pd.Series

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Relative-time coefficients in time order, then the controls."""
        return self.regression.tidy(alpha)

    def path(self) -> pd.DataFrame:
        """Relative time, estimate, 90 and 95% bounds and n treated rows, base included as zero."""
        wide, narrow = self.regression.tidy(0.05), self.regression.tidy(0.10)
        table = wide.set_index("term").join(
            narrow.set_index("term")[["ci_low", "ci_high"]].add_suffix("_90")
        )
        rows = table.loc[[term_name(k) for k in self.relative_times]].reset_index()
        rows.insert(0, "relative_time", list(self.relative_times))
        if self.base is not None:
            zero = dict.fromkeys(("estimate", "ci_low", "ci_high", "ci_low_90", "ci_high_90"), 0.0)
            extra = pd.DataFrame([{"relative_time": self.base, "term": "base", **zero}])
            rows = pd.concat([rows, extra], ignore_index=True).sort_values("relative_time")
        rows["n_treated"] = rows["relative_time"].map(self.cells).fillna(0).astype(int)
        return rows.reset_index(drop=True)

    def figure(self, *, title: str = "Event study", outcome: str = "effect") -> Figure:
        """Coefficients with 95% bars and 90% inner bars; the base is a hollow point."""
        return path_figure(self.path(), base=self.base, title=title, outcome=outcome)


def path_figure(path: pd.DataFrame, *, base: int | None, title: str, outcome: str) -> Figure:
    """Draw a path with columns relative_time, estimate, ci_low, ci_high (and _90 if present)."""
    figure, (ax,) = new_figure()
    k = path["relative_time"].to_numpy(dtype=float)
    ax.vlines(k, path["ci_low"], path["ci_high"], color=BAND, linewidth=1.6, label="95%")
    if "ci_low_90" in path:
        ax.vlines(k, path["ci_low_90"], path["ci_high_90"], color=ACCENT, linewidth=3, label="90%")
    ax.plot(k, path["estimate"], color=ACCENT, linewidth=0.9, alpha=0.6)
    own = k != base if base is not None else np.ones(len(k), dtype=bool)
    ax.scatter(k[own], path["estimate"][own], color=ACCENT, s=26, zorder=3)
    if base is not None:
        ax.scatter([base], [0], facecolor="white", edgecolor=ACCENT, s=30, zorder=3, label="base")
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.axvline(-0.5, color=MUTED, linestyle="--", linewidth=0.9)
    ax.set_xticks(k, [f"{int(v)}" for v in k])
    ax.legend(frameon=False, fontsize=8, loc="upper left", ncols=3)
    label(ax, title=title, x="Years since adoption", y=outcome)
    return figure


def relative_time(
    data: pd.DataFrame, treatment: str, *, entity: str, time: str, adoption: str | None = None
) -> pd.Series:
    """Years since adoption per row (NaN = never treated), from a column or from the 0/1 flag.

    A flag only shows adoption inside the sample; give ``adoption`` when treatment may have begun
    before the first year.
    """
    if adoption is not None:
        if adoption not in data.columns:
            require(data, [adoption], "the event study")
        return data[time].astype(float) - data[adoption].astype(float)
    first = adoption_year(data, treatment, entity=entity, time=time)
    return data[time].astype(float) - data[entity].map(first).astype(float)


def fit(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    first: int = -5,
    last: int = 5,
    base: int | None = -1,
    binned: str = "both",
    adoption: str | None = None,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | Sequence[str] | None = None,
    weights: str | None = None,
) -> EventStudyResult:
    """Regress the outcome on relative-time dummies, controls and fixed effects.

    y_it = sum_{k != base} b_k 1[t - a_i in bin k] + g'x_it + a_i + l_t + e_it
    (Beck, Levine and Levkov 2010; binning as in Schmidheiny and Siegloch 2023).

    Parameters
    ----------
    first, last : int
        First and last relative time with a term.
    base : int or None
        Relative time left out. None leaves out every period outside [first, last], which needs
        ``binned="none"`` or ``"upper"``.
    binned : {"both", "lower", "upper", "none"}
        Whether ``first`` stands for all earlier and ``last`` for all later periods.

    Raises
    ------
    NoVariation
        If a relative time has no treated row, or a coefficient is not identified (without
        never-treated entities two periods have to be left out).
    ValueError
        If the window or the base make no sense.
    """
    if first >= last:
        raise ValueError(f"the window needs first < last, got {first} and {last}")
    if binned not in ("both", "lower", "upper", "none"):
        raise ValueError(f"binned is both, lower, upper or none, got {binned!r}")
    if base is None and binned in ("both", "lower"):
        raise ValueError("without a base period the periods before `first` must not be binned")
    if base is not None and not first <= base <= last:
        raise ValueError(f"the base {base} lies outside the window {first}..{last}")
    frame = data.copy()
    k = relative_time(frame, treatment, entity=entity, time=time, adoption=adoption)
    if k.isna().all():
        raise NoVariation(f"{treatment}: no entity adopts within the sample")
    if binned in ("both", "lower"):
        k = k.where(~(k < first), float(first))
    if binned in ("both", "upper"):
        k = k.where(~(k > last), float(last))
    wanted = [j for j in range(first, last + 1) if j != base]
    counts = k.value_counts()
    empty = [j for j in wanted if counts.get(float(j), 0) == 0]
    if empty:
        raise NoVariation(
            f"no treated row {', '.join(term_name(j) for j in empty)} from adoption; "
            f"relative times in the sample run from {k.min():.0f} to {k.max():.0f}"
        )
    terms = [term_name(j) for j in wanted]
    for j, term in zip(wanted, terms):
        frame[term] = (k == j).astype(float)
    try:
        result = twfe.fit(
            frame, outcome=outcome, treatment=terms, controls=controls, entity=entity, time=time,
            fixed_effects=fixed_effects, cluster=cluster, weights=weights,
        )  # fmt: skip
    except NoVariation as error:
        never = bool(k.isna().any())
        hint = "" if never else (
            "; there is no never-treated entity, so effects are identified only up to a linear "
            "trend: bin the ends or narrow the window"
        )  # fmt: skip
        raise NoVariation(f"event study not identified: {error}{hint}") from error
    leads = [term_name(j) for j in wanted if j < 0]
    return EventStudyResult(
        regression=result,
        relative_times=tuple(wanted),
        base=base,
        binned=binned,
        pretrend=result.wald(leads) if leads else {},
        cells=counts.rename(index=int).sort_index(),
    )
