"""Double machine learning in panels: PLR, PLIV and IRM with learners by name.

The public surface is here; each module says what belongs in it.
"""

from estimation.dml.crossfit import MemoryStore, Runtime
from estimation.dml.estimate import irm, pliv, plr
from estimation.dml.folds import folds_from_ratio
from estimation.dml.learners import HYPERPARAMETERS, Learner, learner
from estimation.dml.result import PUBLISHED, RECOMMENDED, Configuration, DMLResult

__all__ = [
    "HYPERPARAMETERS",
    "PUBLISHED",
    "RECOMMENDED",
    "Configuration",
    "DMLResult",
    "Learner",
    "MemoryStore",
    "Runtime",
    "folds_from_ratio",
    "irm",
    "learner",
    "pliv",
    "plr",
]
