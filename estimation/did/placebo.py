"""Placebo assignments: thousands of fake treatments, each with its exact coefficient and t.

Belongs here: drawing assignments and estimating all of them at once. Does not belong here: the true
regression (``twfe``) beyond what is compared with. Written by us because a loop of regressions
costs a thousand demeanings, while with an absorbing treatment every quantity of the regression is
a sum over entities of entries looked up by adoption time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from estimation.did import covariance as cov
from estimation.did import twfe
from estimation.did.placebo_algebra import DenseEngine, LookupEngine
from estimation.panel import NoVariation, adoption_year
from estimation.plotting import ACCENT, BAND, INK, WARM, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class PlaceboResult:
    """Distribution of the coefficient under fake assignments.

    Attributes
    ----------
    estimate, statistic : float
        True coefficient and clustered t.
    draws : DataFrame
        One row per draw: estimate, std_error, statistic, p_value (t with G - 1).
    p_value : float
        Randomisation p value of the coefficient, (1 + #{|b_r| >= |b|}) / (1 + R).
    p_value_t : float
        The same with the t statistic, which is the better test with unequal cohorts.
    design : str
        What was drawn, in words.
    n_failed : int
        Draws without variation (left out of ``draws``).
    regression : TwfeResult
        The true regression.
    """

    estimate: float
    statistic: float
    draws: pd.DataFrame
    p_value: float
    p_value_t: float
    design: str
    n_failed: int
    regression: twfe.TwfeResult = field(repr=False)

    def tidy(self) -> pd.DataFrame:
        """The true coefficient; randomisation p value, clustered interval."""
        row = self.regression.tidy().iloc[[0]].copy()
        row["p_value"] = self.p_value
        return row

    def figure(self, *, title: str = "Placebo test") -> Figure:
        """Density of the placebo coefficients with their p values and the true coefficient."""
        b = self.draws["estimate"].to_numpy()
        figure, (ax,) = new_figure()
        grid = np.linspace(min(b.min(), self.estimate), max(b.max(), self.estimate), 400)
        if np.ptp(b) > 0:
            density = stats.gaussian_kde(b)(grid)
            ax.fill_between(grid, density, color=BAND, alpha=0.5)
            ax.plot(grid, density, color=ACCENT, linewidth=1.2, label="density (left)")
        ax.axvline(self.estimate, color=WARM, linestyle="--", linewidth=1.2)
        ax.annotate(
            f"true {self.estimate:.4f}", (self.estimate, ax.get_ylim()[1] * 0.95), fontsize=8,
            color=WARM, ha="right" if self.estimate > np.median(grid) else "left", va="top",
        )  # fmt: skip
        ax.axvline(0, color=INK, linewidth=0.7)
        right = ax.twinx()
        right.scatter(
            b, self.draws["p_value"], s=7, facecolor="none", edgecolor=INK, linewidth=0.4,
            alpha=0.6, label="p value (right)",
        )  # fmt: skip
        right.axhline(0.1, color=WARM, linewidth=0.7, linestyle=":")
        right.set_ylim(0, 1.02)
        right.spines[["top"]].set_visible(False)
        right.tick_params(labelsize=8)
        label(ax, title=f"{title} ({len(b)} draws)", x="Placebo coefficient", y="Density")
        label(right, y="p value")
        return figure


def draw_assignments(
    adoption: np.ndarray,
    n_times: int,
    *,
    draws: int,
    seed: int,
    units: str = "draw",
    timing: str = "keep",
    n_treated: int | None = None,
    first_time: int = 1,
    last_time: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fake assignments, all from one generator, so nothing depends on workers or blocks.

    Parameters
    ----------
    adoption : int array (N,)
        True adoption time code per entity, ``n_times`` = never.
    units : {"draw", "keep"}
        Draw the treated entities without replacement, or keep the true ones.
    timing : {"keep", "draw", "common"}
        ``keep`` hands the true adoption times to the treated entities (cohort sizes stay as they
        are); ``draw`` gives each its own uniform time; ``common`` one uniform time per draw.
    n_treated : int, optional
        Entities treated per draw (default: as many as truly treated). With ``timing="keep"`` and
        another number, times are drawn from the true ones with replacement.
    first_time, last_time : int
        Codes between which times are drawn, both included.

    Returns
    -------
    entities, times : int arrays (draws, M)
        Treated entities and their adoption codes.
    """
    n = adoption.shape[0]
    treated = np.flatnonzero(adoption < n_times)
    m = len(treated) if n_treated is None else int(n_treated)
    last = n_times - 1 if last_time is None else last_time
    if units not in ("draw", "keep") or timing not in ("keep", "draw", "common"):
        raise ValueError(
            f"units is draw or keep, timing keep, draw or common: {units!r}, {timing!r}"
        )
    if units == "keep" and timing == "keep":
        raise ValueError("a placebo that keeps both units and timing is the true treatment")
    if not 0 < m < n and units == "draw" and timing == "keep":
        raise ValueError(f"cannot draw {m} of {n} entities: need at least one and one left over")
    if m == 0:
        raise NoVariation("no entity is treated in the sample: there is no cohort to draw")
    if first_time > last:
        raise ValueError(f"no adoption time between codes {first_time} and {last}")
    rng = np.random.Generator(np.random.PCG64(seed))
    if units == "keep":
        chosen = np.broadcast_to(treated[:m], (draws, m)).copy()
    else:
        # The m smallest of n uniform numbers, in the order of those numbers: a random sequence of
        # entities. Sorting them matters: argpartition's own order differs between processors.
        keys = rng.random((draws, n))
        chosen = np.argpartition(keys, min(m, n - 1), axis=1)[:, :m]
        order = np.argsort(np.take_along_axis(keys, chosen, axis=1), axis=1)
        chosen = np.take_along_axis(chosen, order, axis=1)
    if timing == "keep":
        pool = np.sort(adoption[treated])
        if m == len(treated):
            times = np.broadcast_to(pool, (draws, m))
        else:
            times = rng.choice(pool, size=(draws, m))
    elif timing == "draw":
        times = rng.integers(first_time, last + 1, size=(draws, m))
    else:
        times = np.repeat(rng.integers(first_time, last + 1, size=(draws, 1)), m, axis=1)
    return chosen.astype(np.int64), np.asarray(times, dtype=np.int64)


def fit(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | None = None,
    weights: str | None = None,
    draws: int = 1000,
    seed: int = 0,
    units: str = "draw",
    timing: str = "keep",
    n_treated: int | None = None,
    first_time: float | None = None,
    last_time: float | None = None,
) -> PlaceboResult:
    """Placebo test of an absorbing treatment: exact coefficient and clustered t of every draw.

    Parameters
    ----------
    units, timing, n_treated
        What is drawn, see ``draw_assignments``.
    first_time, last_time : optional
        Adoption times that may be drawn (default: second to last time of the panel).
    seed : int
        The same seed gives the same draws whatever the machine, workers or PYTHONHASHSEED.

    Raises
    ------
    NoVariation
        If nobody is treated, or no draw has any variation.
    """
    design = twfe.design(
        data, outcome=outcome, regressors=[treatment, *controls], entity=entity, time=time,
        fixed_effects=fixed_effects, cluster=cluster or entity, weights=weights,
        purpose="the placebo test",
    )  # fmt: skip
    true = twfe.fit_design(design, (treatment,), entity=entity, time=time)
    frame = design.frame
    entity_code, n_entities = cov.codes(frame[entity].to_numpy())
    time_code, n_times = cov.codes(frame[time].to_numpy())
    years = np.sort(frame[time].unique())
    first = adoption_year(frame, treatment, entity=entity, time=time)
    adoption = np.where(first.isna(), n_times, np.searchsorted(years, first.fillna(years[0])))
    low = 1 if first_time is None else int(np.searchsorted(years, first_time))
    high = n_times - 1 if last_time is None else int(np.searchsorted(years, last_time, "right")) - 1
    chosen, times = draw_assignments(
        adoption.astype(np.int64), n_times, draws=draws, seed=seed, units=units, timing=timing,
        n_treated=n_treated, first_time=low, last_time=high,
    )  # fmt: skip
    columns = [j for j, name in enumerate(design.names) if name != treatment]
    kind = LookupEngine if LookupEngine.suits(design, entity, time) else DenseEngine
    engine = kind(design, columns, entity_code, n_entities, time_code, n_times)
    estimate, error = engine.run(chosen, times)
    good = np.isfinite(estimate) & (error > 0)
    if not good.any():
        raise NoVariation("no placebo draw has any variation within the fixed effects")
    b, se = estimate[good], error[good]
    t = b / se
    table = pd.DataFrame(
        {
            "draw": np.flatnonzero(good),
            "estimate": b,
            "std_error": se,
            "statistic": t,
            "p_value": 2 * stats.t.sf(np.abs(t), true.df),
        }
    )
    b0 = true.coefficient(treatment)
    t0 = b0 / float(np.sqrt(true.covariance(treatment)))
    return PlaceboResult(
        estimate=b0,
        statistic=t0,
        draws=table,
        p_value=_exceed(b, b0),
        p_value_t=_exceed(t, t0),
        design=f"units: {units}, timing: {timing}, {chosen.shape[1]} of {n_entities} treated",
        n_failed=int((~good).sum()),
        regression=true,
    )


def _exceed(values: np.ndarray, true: float) -> float:
    # A draw that repeats the true assignment differs from it by rounding only: count it.
    slack = 1e-12 * max(1.0, abs(true))
    return float((1 + np.sum(np.abs(values) >= abs(true) - slack)) / (1 + len(values)))
