"""What an estimator owes the study runner: one result object and one registry of names.

Belongs here: the contract between a study's YAML and the econometrics. Does not belong
here: any estimator (its own module registers a thin adapter), the YAML schema (``spec``), or
running (``runner``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from estimation.studies.spec import ModelSpec

TIDY_COLUMNS = [
    "term",
    "estimate",
    "std_error",
    "statistic",
    "p_value",
    "ci_low",
    "ci_high",
]


@dataclass(frozen=True)
class Estimation:
    """Result of one column of one exhibit.

    Attributes
    ----------
    tidy : DataFrame
        One row per reported term with the columns ``TIDY_COLUMNS`` (95% interval unless the
        diagnostics say otherwise). The terms of interest come first.
    n_obs, n_entities : int
        Observations and distinct entities that entered the estimation.
    adj_r2 : float or None
        Adjusted R2 in the convention named in ``diagnostics['r2_rule']``.
    se_rule : str
        Covariance convention, e.g. ``"CR1 by city_code, nested effects not counted"``.
    diagnostics : mapping of str to number or str
        Everything else worth a row (pre-trend p, first-stage F, share of negative weights ...).
    tables : mapping of str to DataFrame
        Companion tables (balance, placebo draws, Bacon components ...).
    figures : mapping of str to matplotlib Figure
        Figures by name; the caller saves them. Estimators know no file paths.
    """

    tidy: pd.DataFrame
    n_obs: int
    n_entities: int
    se_rule: str
    adj_r2: float | None = None
    diagnostics: Mapping[str, float | int | str | None] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        missing = [c for c in TIDY_COLUMNS if c not in self.tidy.columns]
        if missing:
            raise ValueError(f"tidy result lacks the columns {missing}")


@dataclass(frozen=True)
class RunContext:
    """Switches that a run hands to every estimator; nothing here changes what is estimated.

    ``full`` asks for the published size (trees, draws); without it an estimator may use fewer and
    must say so in its diagnostics. ``cache`` maps content hashes to reusable intermediate results.
    """

    seed: int = 20240101
    workers: int = 1
    full: bool = False
    cache: Any = None
    progress: Callable[[str], None] = lambda message: None  # noqa: ARG005


Adapter = Callable[[pd.DataFrame, "ModelSpec", RunContext], Estimation]
_REGISTRY: dict[str, Adapter] = {}


def estimator(name: str) -> Callable[[Adapter], Adapter]:
    """Register an adapter under the name that a study's YAML uses.

    Raises
    ------
    ValueError
        If the name is taken by another function.
    """

    def register(function: Adapter) -> Adapter:
        known = _REGISTRY.get(name)
        if known is not None and known.__qualname__ != function.__qualname__:
            raise ValueError(f"estimator {name!r} is registered twice")
        _REGISTRY[name] = function
        return function

    return register


def get(name: str) -> Adapter:
    """The adapter for a name; an unknown name raises with the names that exist."""
    from estimation.studies import adapters  # noqa: F401  (importing registers them)

    if name not in _REGISTRY:
        raise KeyError(f"no estimator named {name!r}; known: {', '.join(sorted(_REGISTRY))}")
    return _REGISTRY[name]


def names() -> list[str]:
    """All registered names, sorted."""
    from estimation.studies import adapters  # noqa: F401

    return sorted(_REGISTRY)
