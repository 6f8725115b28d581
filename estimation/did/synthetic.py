"""Synthetic difference-in-differences, cohort by cohort, with one jackknife over all of them.

Belongs here: the staggered aggregate of synthetic DiD and its standard error. Does not belong here:
the unit and time weights themselves, which are diff-diff's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from estimation.did.cohorts import call_library, prepare
from estimation.panel import NoVariation
from estimation.tidy import tidy_frame


@dataclass(frozen=True)
class SyntheticResult:
    """Staggered synthetic DiD.

    Attributes
    ----------
    estimate, std_error : float
        Mean of the cohort effects, weighted by treated entity-years (Clarke et al. 2023), and its
        fixed-weights jackknife error (Arkhangelsky et al. 2021, algorithm 3) over all entities;
        NaN with fewer than two treated entities.
    cohorts : DataFrame
        cohort, n_treated, n_post, estimate, std_error.
    unit_weights : DataFrame
        cohort, entity, weight.
    n_obs, n_entities, n_controls, n_dropped : int
    """

    estimate: float
    std_error: float
    cohorts: pd.DataFrame
    unit_weights: pd.DataFrame
    n_obs: int
    n_entities: int
    n_controls: int
    n_dropped: int
    skipped: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """The aggregate (normal interval), then every cohort."""
        terms = ["ATT", *(f"ATT [{int(g)}]" for g in self.cohorts["cohort"])]
        values = np.r_[self.estimate, self.cohorts["estimate"].to_numpy()]
        errors = np.r_[self.std_error, self.cohorts["std_error"].to_numpy()]
        return tidy_frame(terms, values, errors)


@dataclass(frozen=True)
class _Cohort:
    """Each unit's contrast post minus weighted pre, for treated and weighted controls."""

    year: int
    treated: pd.Series
    control: pd.Series
    weights: pd.Series
    n_post: int

    def effect(self, without: object = None) -> float:
        t = self.treated.drop(without) if without in self.treated.index else self.treated
        c, w = self.control, self.weights
        if without in c.index:
            c, w = c.drop(without), w.drop(without)
        if t.empty or w.sum() <= 0:
            return float("nan")
        return float(t.mean() - np.average(c, weights=w))


def fit(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    entity: str,
    time: str,
    min_pre: int = 2,
    seed: int = 0,
) -> SyntheticResult:
    """Synthetic DiD per adoption cohort against the never-treated, then aggregated.

    Entities without every year are left out (the method needs a balanced panel) and counted.

    Raises
    ------
    NoVariation
        If there are fewer than two never-treated entities, or no cohort has ``min_pre`` years
        before adoption.
    """
    c = prepare(data, outcome=outcome, treatment=treatment, entity=entity, time=time)
    wide = c.frame.pivot(index=entity, columns=time, values=outcome).sort_index()
    n_before = len(wide)
    wide = wide.dropna()
    cohort = c.frame.groupby(entity)["cohort"].first().reindex(wide.index)
    never = wide.index[cohort == 0]
    if len(never) < 2:
        raise NoVariation(
            f"synthetic DiD needs at least two never-treated entities with every year; "
            f"there are {len(never)}"
        )
    years = wide.columns.to_numpy()
    parts: list[_Cohort] = []
    skipped: list[str] = []
    for g in sorted(int(v) for v in cohort.unique() if v != 0):
        members = wide.index[cohort == g]
        if int(np.sum(years < g)) < min_pre:
            skipped.append(f"{g}: {int(np.sum(years < g))} years before adoption")
            continue
        parts.append(_one(wide.loc[[*members, *never]], list(members), g, years, seed))
    if not parts:
        raise NoVariation(f"no cohort has {min_pre} years before adoption: {'; '.join(skipped)}")
    everyone = [*never, *(i for p in parts for i in p.treated.index)]
    estimate = _aggregate(parts)
    error = _jackknife(parts, everyone)
    cohorts = pd.DataFrame(
        {
            "cohort": [p.year for p in parts],
            "n_treated": [len(p.treated) for p in parts],
            "n_post": [p.n_post for p in parts],
            "estimate": [p.effect() for p in parts],
            "std_error": [_jackknife([p], [*never, *p.treated.index]) for p in parts],
        }
    )
    weights = pd.concat(
        [
            pd.DataFrame({"cohort": p.year, entity: p.weights.index, "weight": p.weights.values})
            for p in parts
        ],
        ignore_index=True,
    )
    return SyntheticResult(
        estimate, error, cohorts, weights, len(everyone) * len(years), len(everyone), len(never),
        n_before - len(wide) + c.n_always, tuple(skipped),
    )  # fmt: skip


def _one(
    wide: pd.DataFrame, members: list[object], g: int, years: np.ndarray, seed: int
) -> _Cohort:
    from diff_diff import SyntheticDiD

    long = wide.stack().reset_index()
    long.columns = pd.Index(["unit", "time", "y"])
    long["treated"] = long["unit"].isin(set(members)).astype(int)
    post = [t for t in years if t >= g]
    result, _ = call_library(
        lambda: SyntheticDiD(variance_method="jackknife", seed=seed).fit(
            long, outcome="y", treatment="treated", unit="unit", time="time", post_periods=post
        ),
        f"synthetic DiD, cohort {g}",
    )
    omega = _series(result.unit_weights).reindex(wide.index.difference(members)).fillna(0.0)
    lam = _series(result.time_weights)
    pre = [t for t in years if t < g]
    contrast = wide[post].mean(axis=1) - wide[pre].mul(lam.reindex(pre).fillna(0.0)).sum(axis=1)
    return _Cohort(
        g,
        contrast[contrast.index.isin(members)],
        contrast[~contrast.index.isin(members)],
        omega,
        len(post),
    )


def _series(weights: Mapping) -> pd.Series:
    return pd.Series({k: float(v) for k, v in weights.items()}, dtype=float)


def _aggregate(parts: list[_Cohort], without: object = None) -> float:
    effects, sizes = [], []
    for p in parts:
        n = len(p.treated) - (1 if without in p.treated.index else 0)
        value = p.effect(without)
        if n > 0 and np.isfinite(value):
            effects.append(value)
            sizes.append(n * p.n_post)
    return float(np.average(effects, weights=sizes)) if effects else float("nan")


def _jackknife(parts: list[_Cohort], units: list) -> float:
    if sum(len(p.treated) for p in parts) < 2:
        return float("nan")
    left_out = np.array([_aggregate(parts, u) for u in units])
    if not np.isfinite(left_out).all():
        return float("nan")
    n = len(left_out)
    return float(np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2)))
