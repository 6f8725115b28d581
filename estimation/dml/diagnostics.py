"""What a referee asks of a double machine learning estimate, as named numbers.

Belongs here: fit of the nuisance functions, overlap, sensitivity bounds, spread over splits,
instrument strength. Does not belong here: the estimate itself (``estimate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from estimation.dml.crossfit import Predictions
from estimation.dml.design import Design
from estimation.dml.inference import weak_instrument

# The scenario of the printed bounds: a confounder that explains 3% of the residual variance of the
# outcome and adds 3% to the treatment's (doubleml's own default).
_SCENARIO = 0.03
_THIN = 0.10


def nuisance_table(
    rows: Mapping[str, tuple[Predictions, np.ndarray | None, np.ndarray | None]],
) -> pd.DataFrame:
    """One row per nuisance function: name, out-of-fold R2 (mean over splits), fits not converged.

    The R2 is 1 - SSE/SST on the rows the function is meant for (one arm, in the IRM).
    """
    table = []
    for name, (prediction, target, mask) in rows.items():
        assert target is not None
        use = np.ones(len(target), dtype=bool) if mask is None else mask
        total = np.sum((target[use] - target[use].mean()) ** 2)
        wrong = np.sum((target[use, None] - prediction.values[use]) ** 2, axis=0)
        r2 = float(np.mean(1 - wrong / total)) if total > 0 else float("nan")
        table.append(
            {
                "nuisance": name,
                "r2": r2,
                "not_converged": prediction.not_converged,
                "reused": prediction.reused,
            }
        )
    return pd.DataFrame(table)


def overlap(design: Design, residual: np.ndarray, treatment: str) -> dict[str, float | str]:
    """How much of the treatment is left to compare outcomes by.

    Parameters
    ----------
    residual : ndarray (n, repetitions)
        Residualised treatment.

    Returns
    -------
    dict
        Shares of the treatment's variance left by city and year effects alone and by everything;
        the number of cities that carry half of the squared residual; and a sentence.
    """
    flag = design.frame[treatment].to_numpy(dtype=float)
    left = float(np.mean(residual.var(axis=0)) / np.var(flag))
    weight = np.bincount(design.entity, weights=np.mean(residual**2, axis=1))
    ordered = np.sort(weight)[::-1]
    carry = int(np.searchsorted(np.cumsum(ordered), 0.5 * ordered.sum()) + 1)
    effects = design.left_after_effects
    note = (
        f"city and year effects alone leave {effects:.0%} of the variance of {treatment}, effects "
        f"and controls as used leave {left:.0%}; half of it lies in {carry} entities"
    )
    if left < _THIN:
        note += "; overlap is thin and the estimate rests on few comparisons"
    elif effects > 0 and left > 2 * effects:
        note += "; the learner has not absorbed the effects"
    return {
        "treatment_variance_left_by_effects": effects,
        "treatment_variance_left": left,
        "entities_carrying_half": carry,
        "overlap": note,
    }


def sensitivity(fitted: Any) -> dict[str, float]:
    """doubleml's bounds against an unobserved confounder (Chernozhukov et al. 2022).

    Bounds of the estimate when a confounder explains 3% of the residual variance of outcome and
    treatment, the robustness value (the strength that would bring the estimate to zero) and the
    one that would bring the 95% interval to zero.
    """
    fitted.sensitivity_analysis(cf_y=_SCENARIO, cf_d=_SCENARIO, rho=1.0, level=0.95)
    found = fitted.sensitivity_params
    return {
        "sensitivity_lower": float(found["theta"]["lower"][0]),
        "sensitivity_upper": float(found["theta"]["upper"][0]),
        "robustness_value": float(found["rv"][0]),
        "robustness_value_interval": float(found["rva"][0]),
    }


def spread_over_splits(estimates: np.ndarray) -> dict[str, float | int]:
    """Number of repeated splits and how far their estimates lie apart."""
    found: dict[str, float | int] = {"splits": len(estimates)}
    if len(estimates) > 1:
        found |= {
            "splits_min": float(estimates.min()),
            "splits_max": float(estimates.max()),
            "splits_sd": float(estimates.std(ddof=1)),
        }
    return found


def instrument_strength(
    u: np.ndarray, w: np.ndarray, v: np.ndarray, *, cluster: np.ndarray | None
) -> dict[str, float | str]:
    """Effective F, first stage and Anderson-Rubin set of the residuals of a PLIV model."""
    found = weak_instrument(u, w, v, cluster=cluster)
    words = {
        "interval": f"[{found.ar_low:.4g}, {found.ar_high:.4g}]",
        "outside": f"outside ({found.ar_low:.4g}, {found.ar_high:.4g})",
        "all": "the whole line: the instrument says nothing",
        "empty": "empty: no effect fits the instrument",
    }
    weak = "weak (below 23.1, 10% bias at 5%)" if found.effective_f < 23.1 else "strong"
    return {
        "effective_f": found.effective_f,
        "first_stage": found.first_stage,
        "first_stage_std_error": found.first_stage_se,
        "ar_low": found.ar_low,
        "ar_high": found.ar_high,
        "anderson_rubin_95": words[found.ar_kind],
        "instrument": weak,
    }
