"""The true effect on any derived outcome: the difference between a panel and its twin.

Belongs here: comparing two panels that were derived the same way from a sample with effects and
from its twin. Does not belong here: deriving panels (the warehouse) or estimating with noise
(``estimation``).
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pandas as pd

from estimation.did.absorb import Absorber


class TrueEffect(TypedDict):
    """What the effects did to an outcome.

    ``att_on_treated`` is the mean difference over treated observations. ``twfe_of_difference`` is
    the coefficient of the treatment in the two-way fixed-effects regression of the difference: what
    that estimator tends to without noise, with its weighting of staggered and growing effects and
    with the effects of other pilots that overlap. ``n`` counts observations, ``n_treated`` those
    under treatment, ``mean_on_untreated`` is the mean difference elsewhere (other pilots, national
    denominators and frontiers).
    """

    att_on_treated: float
    twfe_of_difference: float
    mean_on_untreated: float
    n: int
    n_treated: int


def true_effect(
    panel: pd.DataFrame,
    twin: pd.DataFrame,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    *,
    controls: tuple[str, ...] = (),
) -> TrueEffect:
    """True effect of a treatment on an outcome.

    Parameters
    ----------
    panel, twin : DataFrame
        One row per entity and time, the same columns; with effects and without. Rows present in
        only one of them, or missing in either, are left out.
    outcome, treatment : str
        Columns; the treatment is 0/1 and the same in both.
    entity, time : str
        Keys.
    controls : tuple of str
        Columns partialled out of both, taken from ``panel``: the estimand of a regression with
        these controls.

    Returns
    -------
    TrueEffect

    Raises
    ------
    ValueError
        If keys repeat, the treatments differ, nothing is common, or no row is treated.

    Notes
    -----
    Least squares is linear in the outcome: the estimate on ``panel`` equals the estimate with the
    same regressors on the twin's outcome plus ``twfe_of_difference``.
    """
    keys = [entity, time]
    for name, frame in (("panel", panel), ("twin", twin)):
        absent = {*keys, outcome, treatment} - set(frame.columns)
        if absent:
            raise ValueError(f"{name} lacks the columns {sorted(absent)}")
        if frame.duplicated(keys).any():
            raise ValueError(f"{name} has several rows for one {entity} and {time}")
    left = panel[[*keys, outcome, treatment, *controls]]
    both = left.merge(twin[[*keys, outcome, treatment]], on=keys, suffixes=("", "_twin"))
    both = both.dropna().sort_values(keys, ignore_index=True)
    if both.empty:
        raise ValueError(f"panel and twin have no common row with {outcome}")
    if not (both[treatment] == both[f"{treatment}_twin"]).all():
        raise ValueError(f"{treatment} differs between panel and twin: they are not twins")
    treated = both[treatment].to_numpy(dtype=float) == 1
    if not treated.any():
        raise ValueError(f"no row is treated by {treatment}")
    difference = both[outcome].to_numpy(dtype=float) - both[f"{outcome}_twin"].to_numpy(dtype=float)
    codes = [pd.factorize(both[key])[0] for key in keys]
    regressors = both[[treatment, *controls]].to_numpy(dtype=float)
    within = Absorber(codes).demean(np.column_stack([difference, regressors]))
    slope = np.linalg.lstsq(within[:, 1:], within[:, 0], rcond=None)[0]
    return {
        "att_on_treated": float(difference[treated].mean()),
        "twfe_of_difference": float(slope[0]),
        "mean_on_untreated": float(difference[~treated].mean()) if (~treated).any() else 0.0,
        "n": len(both),
        "n_treated": int(treated.sum()),
    }
