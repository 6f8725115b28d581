"""Effects by group, and the test of their difference that split-sample tables leave out.

Belongs here: separate estimates by a group column, the clustered test of equality and the Fisher
permutation test. Does not belong here: making groups (``studies.transforms``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from estimation.did import twfe
from estimation.did.gram import entity_moments
from estimation.panel import NoVariation
from estimation.tidy import COLUMNS, tidy_frame


@dataclass(frozen=True)
class HeterogeneityResult:
    """Group effects and their differences.

    Attributes
    ----------
    groups : dict
        Regression per group label, in sorted order.
    failed : dict
        Groups without an estimate and why (for example no treated unit).
    stacked : TwfeResult
        The fully interacted regression whose covariance tests differences.
    differences : DataFrame
        Tidy rows ``a - b`` plus ``permutation_p`` (NaN when not drawn).
    joint : dict
        F test that all groups have the same effect.
    draws : int
        Permutations behind ``permutation_p``.
    """

    groups: dict[str, twfe.TwfeResult]
    failed: dict[str, str]
    stacked: twfe.TwfeResult | None
    term: str
    differences: pd.DataFrame
    joint: dict[str, float]
    draws: int

    def tidy(self) -> pd.DataFrame:
        """One row per group (``term [group]``) and one per difference."""
        rows = []
        for name, result in self.groups.items():
            table = result.tidy()
            rows.append(table[table["term"] == self.term].assign(term=f"{self.term} [{name}]"))
        frames = [*rows, self.differences[COLUMNS]] if len(self.differences) else rows
        return pd.concat(frames, ignore_index=True)[COLUMNS]


def fit(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str | Sequence[str],
    group: str,
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | None = None,
    weights: str | None = None,
    permutations: int = 500,
    seed: int = 0,
) -> HeterogeneityResult:
    """Estimate per group; compare the coefficient of the first treatment term.

    The difference is tested (i) in the regression with every regressor and effect interacted with
    the group, clustered, which allows clusters that span groups; (ii) by Fisher's permutation:
    group labels (whole paths over time, if they change) are shuffled over entities, and the p value
    is the share of shuffles with a difference at least as large.

    Raises
    ------
    NoVariation
        If fewer than two groups can be estimated; the message names each and why.
    """
    terms = (treatment,) if isinstance(treatment, str) else tuple(treatment)
    effects = tuple(fixed_effects) if fixed_effects is not None else (entity, time)
    way = cluster or entity
    d = twfe.design(
        data, outcome=outcome, regressors=[*terms, *controls], entity=entity, time=time,
        fixed_effects=(*effects, group), cluster=way, weights=weights,
        purpose=f"the split by {group}",
    )  # fmt: skip
    frame = d.frame.copy()
    keys: dict[str, Any] = {
        "entity": entity, "time": time, "fixed_effects": effects, "cluster": way,
    }  # fmt: skip
    results: dict[str, twfe.TwfeResult] = {}
    failed: dict[str, str] = {}
    for value in np.sort(frame[group].unique()):
        part = frame[frame[group] == value]
        name = _name(value)
        try:
            results[name] = twfe.fit(
                part, outcome=outcome, treatment=terms, controls=controls, weights=weights, **keys
            )
        except (NoVariation, ValueError) as error:
            failed[name] = str(error)
    if len(results) < 2:
        why = "; ".join(f"{k}: {v}" for k, v in failed.items())
        raise NoVariation(f"the split by {group} leaves {len(results)} estimable group(s). {why}")
    stacked = _stacked(frame, outcome, terms, controls, group, list(results), keys, weights)
    pairs = list(combinations(results, 2))
    differences, joint = _differences(stacked, terms[0], pairs, list(results))
    p_values: dict[tuple[str, str], float] = {}
    if permutations > 0 and weights is None:
        p_values = _permute(
            frame, outcome, terms, controls, group, results, keys, permutations, seed
        )
    differences["permutation_p"] = [p_values.get(pair, np.nan) for pair in pairs]
    return HeterogeneityResult(
        results, failed, stacked, terms[0], differences, joint, permutations if p_values else 0
    )


def _name(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _stacked(
    frame: pd.DataFrame,
    outcome: str,
    terms: Sequence[str],
    controls: Sequence[str],
    group: str,
    names: list[str],
    keys: dict,
    weights: str | None,
) -> twfe.TwfeResult:
    label = frame[group].map(_name)
    wide = frame[label.isin(names)].copy()
    label = label[label.isin(names)]
    columns: list[str] = []
    for name in names:
        for c in [*terms, *controls]:
            wide[f"{c} [{name}]"] = wide[c].astype(float) * (label == name)
            columns.append(f"{c} [{name}]")
    effects = [f"{e}^{group}" for e in keys["fixed_effects"]]
    first = [f"{terms[0]} [{n}]" for n in names]
    return twfe.fit(
        wide, outcome=outcome, treatment=first, controls=[c for c in columns if c not in first],
        entity=keys["entity"], time=keys["time"], fixed_effects=effects, cluster=keys["cluster"],
        weights=weights,
    )  # fmt: skip


def _differences(
    stacked: twfe.TwfeResult, term: str, pairs: list[tuple[str, str]], names: list[str]
) -> tuple[pd.DataFrame, dict[str, float]]:
    estimate, error = [], []
    for one, two in pairs:
        i, j = f"{term} [{one}]", f"{term} [{two}]"
        estimate.append(stacked.coefficient(i) - stacked.coefficient(j))
        variance = stacked.covariance(i) + stacked.covariance(j) - 2 * stacked.covariance(i, j)
        error.append(float(np.sqrt(max(variance, 0.0))))
    table = tidy_frame(
        [f"difference [{one}] - [{two}]" for one, two in pairs],
        np.array(estimate),
        np.array(error),
        df=stacked.df,
    )
    labels = [f"{term} [{n}]" for n in names]
    contrast = np.hstack([np.ones((len(names) - 1, 1)), -np.eye(len(names) - 1)])
    rows = [f"c{i}" for i in range(len(names) - 1)]
    joint = twfe.wald_test(
        pd.Series(contrast @ stacked.params[labels].to_numpy(), index=rows),
        pd.DataFrame(
            contrast @ stacked.vcov.loc[labels, labels].to_numpy() @ contrast.T,
            index=rows,
            columns=rows,
        ),
        rows,
        stacked.df,
    )
    return table, joint


def _permute(
    frame: pd.DataFrame,
    outcome: str,
    terms: Sequence[str],
    controls: Sequence[str],
    group: str,
    results: dict[str, twfe.TwfeResult],
    keys: dict,
    draws: int,
    seed: int,
) -> dict[tuple[str, str], float]:
    entity = keys["entity"]
    label = frame[group].map(_name)
    frame = frame[label.isin(list(results))]
    label = label[label.isin(list(results))]
    rng = np.random.Generator(np.random.PCG64(seed))
    ids = np.sort(frame[entity].unique())
    constant = bool((label.groupby(frame[entity]).nunique() == 1).all())
    if constant and set(keys["fixed_effects"]) <= {entity, keys["time"]}:
        sample = _fast(frame, outcome, terms, controls, label, ids, list(results), keys, rng, draws)
    else:
        sample = _slow(frame, outcome, terms, controls, label, ids, list(results), keys, rng, draws)
    p_values = {}
    for one, two in combinations(results, 2):
        true = results[one].coefficient(terms[0]) - results[two].coefficient(terms[0])
        drawn = sample[one] - sample[two]
        drawn = drawn[np.isfinite(drawn)]
        exceed = np.sum(np.abs(drawn) >= abs(true) - 1e-12 * max(1.0, abs(true)))
        p_values[(one, two)] = float((1 + exceed) / (1 + len(drawn)))
    return p_values


def _fast(
    frame: pd.DataFrame,
    outcome: str,
    terms: Sequence[str],
    controls: Sequence[str],
    label: pd.Series,
    ids: np.ndarray,
    names: list[str],
    keys: dict,
    rng: np.random.Generator,
    draws: int,
) -> dict[str, np.ndarray]:
    """Labels constant within entities: group moments are sums of entity moments."""
    moments = entity_moments(
        frame, [outcome, *terms, *controls], entity=keys["entity"],
        fixed_effects=keys["fixed_effects"],
    )  # fmt: skip
    own = label.groupby(frame[keys["entity"]]).first().reindex(ids).to_numpy()
    order = np.argsort(rng.random((draws, len(ids))), axis=1)
    shuffled = own[order]
    out = {}
    for name in names:
        member = (shuffled == name).astype(float)
        out[name] = np.concatenate(
            [
                moments.solve(
                    np.tensordot(member[i : i + 200], moments.gram, axes=1),
                    outcome,
                    [*terms, *controls],
                )[:, 0]
                for i in range(0, draws, 200)
            ]
        )
    return out


def _slow(
    frame: pd.DataFrame,
    outcome: str,
    terms: Sequence[str],
    controls: Sequence[str],
    label: pd.Series,
    ids: np.ndarray,
    names: list[str],
    keys: dict,
    rng: np.random.Generator,
    draws: int,
) -> dict[str, np.ndarray]:
    """Labels that change over time move as whole paths from entity to entity."""
    entity, time = keys["entity"], keys["time"]
    path = frame.assign(__label=label).pivot(index=entity, columns=time, values="__label")
    path = path.reindex(ids).ffill(axis=1).bfill(axis=1)
    row = np.searchsorted(ids, frame[entity].to_numpy())
    column = np.searchsorted(path.columns.to_numpy(), frame[time].to_numpy())
    values = path.to_numpy()
    out = {name: np.full(draws, np.nan) for name in names}
    for r in range(draws):
        drawn = values[rng.permutation(len(ids))][row, column]
        for name in names:
            try:
                out[name][r] = twfe.fit(
                    frame[drawn == name],
                    outcome=outcome,
                    treatment=terms,
                    controls=controls,
                    **keys,
                ).coefficient(terms[0])
            except (NoVariation, ValueError):
                continue  # this shuffle has no estimate for the group; it stays NaN and is left out
    return out
