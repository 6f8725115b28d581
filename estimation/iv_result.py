"""What an instrumental-variable regression hands back.

Belongs here: result objects and their tidy tables. Does not belong here: computing them (``iv``,
``iv_diagnostics``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from estimation.iv_diagnostics import AndersonRubin, EffectiveF, RankTest
from estimation.tidy import tidy_frame


@dataclass(frozen=True)
class FirstStage:
    """Regression of one endogenous variable on instruments and controls.

    ``f`` tests the excluded instruments with the covariance of the model; ``f_unadjusted`` is the
    classical F.
    """

    endogenous: str
    params: pd.Series
    std_errors: pd.Series
    df: float
    f: float
    f_p_value: float
    f_unadjusted: float
    partial_r2: float
    r2: Mapping[str, float]

    def tidy(self) -> pd.DataFrame:
        """Coefficients; instruments first."""
        return tidy_frame(
            list(self.params.index), self.params.to_numpy(), self.std_errors.to_numpy(), df=self.df
        )


@dataclass(frozen=True)
class Overidentification:
    """Sargan (classical) or Hansen J (robust, clustered) test of surplus instruments."""

    name: str
    statistic: float
    df: int
    p_value: float


@dataclass(frozen=True)
class IvResult:
    """A fitted instrumental-variable regression.

    Attributes
    ----------
    params, vcov, df, se_rule
        Endogenous variables first, then controls; small-sample rule named.
    first_stages : dict by endogenous variable
    overidentification : Overidentification or None
        None when exactly identified.
    effective_f, anderson_rubin
        For one endogenous variable, else None.
    rank : RankTest
        Kleibergen-Paap.
    r2 : dict
        As ``did.twfe``; may be negative.
    """

    method: str
    covariance: str
    endogenous: tuple[str, ...]
    instruments: tuple[str, ...]
    params: pd.Series
    vcov: pd.DataFrame
    df: float
    se_rule: str
    n_obs: int
    n_entities: int
    n_clusters: int
    n_missing: int
    n_singletons: int
    first_stages: Mapping[str, FirstStage]
    overidentification: Overidentification | None
    effective_f: EffectiveF | None
    rank: RankTest
    anderson_rubin: AndersonRubin | None
    r2: Mapping[str, float]

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Coefficients with t statistics and 1 - alpha intervals."""
        errors = np.sqrt(np.diag(self.vcov.to_numpy()))
        return tidy_frame(
            list(self.params.index), self.params.to_numpy(), errors, df=self.df, alpha=alpha
        )
