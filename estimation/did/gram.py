"""Cross products by entity, from which a fixed-effects regression of any resample is one solve.

Belongs here: the entity-by-entity moment matrices and batched solves that bootstraps and
permutations share. Does not belong here: what is resampled (``mediation``, ``heterogeneity``).

After entity means are taken out, time dummies are ordinary columns; the moment matrix of a sample
that holds entity i w_i times is sum_i w_i G_i, exactly, because a repeated entity is a new entity
with effects of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from estimation.did import covariance as cov
from estimation.did.absorb import Absorber, effect_codes
from estimation.did.twfe import independent_columns
from estimation.panel import as_matrix

_MAX_DUMMIES = 400


@dataclass(frozen=True)
class EntityMoments:
    """Moment matrices of entity-demeaned columns.

    Attributes
    ----------
    gram : ndarray (N, q, q)
        By entity, in the sorted order of the entity codes.
    names : tuple of str
        Columns; effects besides the entity's are the dummies ``__fe0`` ... at the end.
    entities : ndarray (N,)
    """

    gram: np.ndarray
    names: tuple[str, ...]
    entities: np.ndarray

    @property
    def dummies(self) -> list[str]:
        """Names of the dummy columns."""
        return [n for n in self.names if n.startswith("__fe")]

    def solve(self, total: np.ndarray, outcome: str, regressors: Sequence[str]) -> np.ndarray:
        """Coefficients (..., k) of ``regressors``; dummies are always included.

        Draws whose regressors are collinear come back as NaN.
        """
        wanted = [*regressors, *self.dummies]
        at = [self.names.index(n) for n in wanted]
        a = total[..., at, :][..., :, at]
        b = total[..., at, self.names.index(outcome)]
        scale = np.sqrt(np.clip(np.diagonal(a, axis1=-2, axis2=-1), 1e-300, None))
        a = a / (scale[..., :, None] * scale[..., None, :])
        b = b / scale
        flat_a, flat_b = a.reshape(-1, len(at), len(at)), b.reshape(-1, len(at))
        out = np.full((len(flat_a), len(regressors)), np.nan)
        try:
            out = np.linalg.solve(flat_a, flat_b[:, :, None])[:, : len(regressors), 0]
            bad = ~np.isfinite(out).all(axis=1) | (np.abs(out).max(axis=1, initial=0.0) > 1e9)
        except np.linalg.LinAlgError:
            bad = np.ones(len(flat_a), dtype=bool)
        for r in np.flatnonzero(bad):
            out[r] = _rank_aware(flat_a[r], flat_b[r], len(regressors))
        return (out / scale.reshape(-1, len(at))[:, : len(regressors)]).reshape(
            *total.shape[:-2], len(regressors)
        )


def _rank_aware(a: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    """Solution where the first k coefficients are identified although dummies are not."""
    values, vectors = np.linalg.eigh(a)
    small = values < 1e-10 * values[-1]
    # A direction without variation that involves a regressor leaves it unidentified.
    if np.abs(vectors[:k, small]).max(initial=0.0) > 1e-6:
        return np.full(k, np.nan)
    inverse = np.where(small, 0.0, 1 / np.where(small, 1.0, values))
    return (vectors @ (inverse * (vectors.T @ b)))[:k]


def entity_moments(
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    entity: str,
    fixed_effects: Sequence[str],
) -> EntityMoments:
    """Moment matrices of complete rows ``frame``.

    Raises
    ------
    ValueError
        If the entity is not among the fixed effects, or the others have more than 400 levels.
    """
    if entity not in fixed_effects:
        raise ValueError(f"resampling by {entity} needs {entity} among the fixed effects")
    code, size = cov.codes(frame[entity].to_numpy())
    blocks = [as_matrix(frame, list(columns))]
    for effect in fixed_effects:
        if effect == entity:
            continue
        levels = effect_codes(frame, effect)
        if levels.max() > _MAX_DUMMIES:
            raise ValueError(
                f"resampling with the fixed effect {effect} ({levels.max() + 1} levels) is not "
                f"offered; at most {_MAX_DUMMIES}"
            )
        dummy = np.zeros((len(frame), int(levels.max()) + 1))
        dummy[np.arange(len(frame)), levels] = 1.0
        blocks.append(dummy[:, 1:])
    raw = np.column_stack(blocks)
    within = Absorber([code]).demean(raw)
    k = len(columns)
    order = np.r_[np.arange(k, raw.shape[1]), np.arange(k)]  # dummies first: keep all that count
    kept = independent_columns(raw[:, order], within[:, order])
    dummies = [order[j] for j in kept if order[j] >= k]
    use = [*range(k), *sorted(dummies)]
    z = within[:, use]
    gram = np.zeros((size, len(use), len(use)))
    starts = np.flatnonzero(np.r_[True, np.diff(code[np.argsort(code, kind="stable")]) > 0])
    z = z[np.argsort(code, kind="stable")]
    for i, (a, b) in enumerate(zip(starts, np.r_[starts[1:], len(z)])):
        gram[i] = z[a:b].T @ z[a:b]
    names = (*columns, *(f"__fe{j}" for j in range(len(use) - k)))
    return EntityMoments(gram, names, np.sort(frame[entity].unique()))
