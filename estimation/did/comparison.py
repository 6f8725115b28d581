"""One effect by every staggered estimator side by side.

Belongs here: running the estimators on the same panel and drawing them. Does not belong here: any
estimator. One that cannot be computed is listed with its reason, never left out silently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from estimation.did import staggered, synthetic, twfe
from estimation.did.callaway import callaway_santanna
from estimation.plotting import interval_plot
from estimation.tidy import COLUMNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = (
    "twfe",
    "callaway_santanna",
    "sun_abraham",
    "imputation",
    "two_stage",
    "stacked",
    "dcdh",
    "sdid",
)
_LABELS = {
    "twfe": "TWFE",
    "callaway_santanna": "Callaway-Sant'Anna",
    "sun_abraham": "Sun-Abraham",
    "imputation": "Imputation (BJS)",
    "two_stage": "Two-stage (Gardner)",
    "stacked": "Stacked",
    "dcdh": "dCDH (per switch)",
    "sdid": "Synthetic DiD",
}


@dataclass(frozen=True)
class ComparisonResult:
    """Headline effects.

    Attributes
    ----------
    table : DataFrame
        Tidy columns (``term`` is the method) plus n_obs and n_entities.
    failed : dict
        Methods without an estimate and the reason.
    paths : DataFrame
        method, relative_time, estimate, ci_low, ci_high where a method has a path.
    """

    table: pd.DataFrame
    failed: dict[str, str]
    paths: pd.DataFrame

    def tidy(self) -> pd.DataFrame:
        """One row per method."""
        return self.table[COLUMNS]

    def figure(self, outcome: str) -> Figure:
        """Headline effect of every method with its 95% interval, TWFE as the dashed line."""
        t = self.table
        own = t.loc[t["term"] == _LABELS["twfe"], "estimate"]
        return interval_plot(
            list(t["term"]), t["estimate"].tolist(), t["ci_low"].tolist(), t["ci_high"].tolist(),
            title="One policy, several estimators", x=f"Effect on {outcome}, 95% interval",
            reference=float(own.iloc[0]) if len(own) else None, reference_label="TWFE",
        )  # fmt: skip


def fit(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    covariates: Sequence[str] = (),
    methods: Sequence[str] = METHODS,
    stacked_window: tuple[int, int] = (3, 3),
    horizons: int = 4,
    seed: int = 0,
) -> ComparisonResult:
    """Run the methods on one panel.

    ``covariates`` enter where the method takes time-varying ones (TWFE, Sun-Abraham, imputation,
    two-stage); Callaway-Sant'Anna conditions on their value before adoption. Stacked, dCDH and
    synthetic DiD run without.
    """
    unknown = set(methods) - set(METHODS)
    if unknown:
        raise ValueError(f"unknown methods {sorted(unknown)}; known: {', '.join(METHODS)}")
    keys: dict[str, Any] = {
        "outcome": outcome, "treatment": treatment, "entity": entity, "time": time,
    }  # fmt: skip
    window: dict[str, Any] = {"before": stacked_window[0], "after": stacked_window[1]}
    calls: dict[str, Callable[[], Any]] = {
        "twfe": partial(twfe.fit, data, controls=covariates, **keys),
        "callaway_santanna": partial(callaway_santanna, data, covariates=covariates, **keys),
        "sun_abraham": partial(staggered.sun_abraham, data, covariates=covariates, **keys),
        "imputation": partial(staggered.imputation, data, covariates=covariates, **keys),
        "two_stage": partial(staggered.two_stage, data, covariates=covariates, **keys),
        "stacked": partial(staggered.stacked, data, **window, **keys),
        "dcdh": partial(staggered.dcdh, data, horizons=horizons, **keys),
        "sdid": partial(synthetic.fit, data, seed=seed, **keys),
    }
    rows, paths, failed = [], [], {}
    for method in methods:
        try:
            result = calls[method]()
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            failed[_LABELS[method]] = str(error)
            continue
        row = result.tidy().iloc[[0]].assign(term=_LABELS[method])
        rows.append(row.assign(n_obs=result.n_obs, n_entities=result.n_entities))
        path = getattr(result, "path", None)
        if isinstance(path, pd.DataFrame) and len(path):
            paths.append(path.assign(method=_LABELS[method]))
    if not rows:
        raise ValueError(
            "no method has an estimate: " + "; ".join(f"{k}: {v}" for k, v in failed.items())
        )
    return ComparisonResult(
        pd.concat(rows, ignore_index=True),
        failed,
        pd.concat(paths, ignore_index=True) if paths else pd.DataFrame(),
    )
