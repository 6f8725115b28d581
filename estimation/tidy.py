"""The table every estimator hands back: one row per term, t or normal intervals.

Belongs here: turning estimates and standard errors into the common columns. Does not belong here:
computing either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

COLUMNS = ["term", "estimate", "std_error", "statistic", "p_value", "ci_low", "ci_high"]


def tidy_frame(
    terms: Sequence[str],
    estimates: np.ndarray,
    std_errors: np.ndarray,
    *,
    df: float | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Rows with statistic, two-sided p value and a 1 - alpha interval.

    ``df=None`` uses the normal distribution. A standard error that is zero or missing leaves the
    statistic, p value and interval missing, never infinite.
    """
    estimate = np.asarray(estimates, dtype=float)
    error = np.asarray(std_errors, dtype=float)
    error = np.where(error > 0, error, np.nan)
    law = stats.norm() if df is None else stats.t(df)
    statistic = estimate / error
    critical = float(law.ppf(1 - alpha / 2))
    return pd.DataFrame(
        {
            "term": list(terms),
            "estimate": estimate,
            "std_error": error,
            "statistic": statistic,
            "p_value": 2 * law.sf(np.abs(statistic)),
            "ci_low": estimate - critical * error,
            "ci_high": estimate + critical * error,
        },
        columns=COLUMNS,
    )
