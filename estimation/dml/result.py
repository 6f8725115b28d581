"""The choices behind an estimate, and the estimate.

Belongs here: ``Configuration`` and ``DMLResult``. Does not belong here: any computation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from estimation.dml.learners import Learner, learner
from estimation.tidy import tidy_frame


@dataclass(frozen=True)
class Configuration:
    """Every choice that decides the numbers, besides the seed.

    Attributes
    ----------
    learner : Learner
        For the outcome, and for treatment and instrument unless ``treatment_learner`` is given.
    folds : int
        K of cross-fitting (``folds_from_ratio`` translates 1:4).
    fold_unit : {"row", "entity"}
        Rows as published, or whole cities.
    effects : {"dummies", "within", "cre", "none"}
        See ``design.make_design``.
    squares : bool
        Squares of the controls among the features.
    winsor : float, optional
    n_rep : int
        Repeated splits, summarised by the median rule.
    se : {"plain", "cluster"}
    min_treated : int
        Fewest treated (and untreated) rows in a training part.
    allow_unidentified : bool
    linear_beside, sensitivity : bool
        Whether these diagnostics are computed.
    """

    learner: Learner = field(default_factory=lambda: learner("forest"))
    treatment_learner: Learner | None = None
    folds: int = 5
    fold_unit: str = "row"
    effects: str = "dummies"
    squares: bool = True
    winsor: float | None = None
    n_rep: int = 1
    se: str = "plain"
    min_treated: int = 5
    allow_unidentified: bool = False
    linear_beside: bool = True
    sensitivity: bool = True

    def __post_init__(self) -> None:
        if self.se not in ("plain", "cluster"):
            raise ValueError(f"se {self.se!r}; expected 'plain' or 'cluster'")
        if self.n_rep < 1:
            raise ValueError(f"n_rep {self.n_rep}; expected at least one split")

    def describe(self) -> str:
        """The configuration in one line, for a table's note."""
        return (
            f"{self.learner.describe()}; effects as {self.effects}; {self.folds} folds over "
            f"{'rows' if self.fold_unit == 'row' else 'entities'}; {self.n_rep} split(s); "
            f"{self.se} standard errors"
        )


#: What study A prints: forest, 1:4, city and year dummies, rows dealt to folds, plain errors.
PUBLISHED = Configuration()

#: What the simulation in docs/dml.md supports: effects taken out before a smoother forest sees the
#: data, whole entities in a fold, errors clustered by entity.
RECOMMENDED = Configuration(
    learner=learner("forest", min_samples_leaf=5),
    effects="within",
    fold_unit="entity",
    se="cluster",
)


@dataclass(frozen=True)
class DMLResult:
    """One estimated effect.

    Attributes
    ----------
    model : {"plr", "pliv", "irm"}
    treatment : str
    estimate, std_error : float
        By the median rule over repeated splits; the error is the configured one.
    df : float or None
        Degrees of freedom of the t distribution (clusters - 1); None is the normal.
    splits : DataFrame
        One row per repetition: estimate, se_plain, se_cluster.
    constant, constant_se : float
        Mean of the final-stage residual and its error, which papers print as the constant.
    nuisances : DataFrame
        One row per nuisance function: out-of-fold R2, fits not converged, whether reused.
    diagnostics : mapping
    influence : ndarray (n,)
        Influence of each row on the estimate (split closest to the median).
    frame : DataFrame
        Rows used, sorted by entity and time.
    """

    model: str
    treatment: str
    estimate: float
    std_error: float
    df: float | None
    splits: pd.DataFrame
    constant: float
    constant_se: float
    nuisances: pd.DataFrame
    diagnostics: Mapping[str, float | int | str | None]
    influence: np.ndarray
    frame: pd.DataFrame
    cluster: np.ndarray
    config: Configuration
    n_obs: int
    n_entities: int
    se_rule: str

    def tidy(self) -> pd.DataFrame:
        """The treatment's row with a 95% interval, then the constant where there is one."""
        effect = tidy_frame(
            [self.treatment], np.array([self.estimate]), np.array([self.std_error]), df=self.df
        )
        if np.isnan(self.constant):
            return effect
        constant = tidy_frame(
            ["_cons"], np.array([self.constant]), np.array([self.constant_se]), df=self.df
        )
        return pd.concat([effect, constant], ignore_index=True)
