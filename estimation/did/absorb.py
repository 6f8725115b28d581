"""Exact removal of any set of fixed effects from columns, and the singletons they leave behind.

Belongs here: within transformations. Does not belong here: regressions or covariances. Written by
us because demeaning libraries iterate to a tolerance; up to a few thousand remaining levels the
normal equations of the effects can simply be solved, which is exact and deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg, sparse
from scipy.sparse import linalg as sparse_linalg
from scipy.sparse.csgraph import connected_components

from estimation.did.covariance import codes

_DIRECT_LIMIT = 4000  # levels besides the largest effect that are solved by one factorisation


def effect_codes(frame: pd.DataFrame, effect: str) -> np.ndarray:
    """Codes of a fixed effect; ``"province^year"`` means every combination of the two."""
    parts = effect.split("^")
    missing = [p for p in parts if p not in frame.columns]
    if missing:
        raise ValueError(f"fixed effect {effect!r} needs the column(s) {missing}")
    code, _ = codes(frame[parts[0]].to_numpy())
    for part in parts[1:]:
        other, levels = codes(frame[part].to_numpy())
        code, _ = codes(code * levels + other)
    return code


def keep_non_singletons(effects: Sequence[np.ndarray]) -> np.ndarray:
    """Boolean mask without singletons, removed until none is left (Correia 2015)."""
    if not effects:
        raise ValueError("at least one fixed effect is needed to look for singletons")
    keep = np.ones(effects[0].shape[0], dtype=bool)
    changed = True
    while changed:
        changed = False
        for effect in effects:
            counts = np.bincount(effect[keep], minlength=int(effect.max()) + 1)
            alone = keep & (counts[effect] == 1)
            if alone.any():
                keep &= ~alone
                changed = True
    return keep


def redundant_levels(effects: Sequence[np.ndarray]) -> int:
    """Levels that repeat others: components of the first two effects, one per further effect."""
    if len(effects) < 2:
        return 0
    a, b = effects[0], effects[1]
    na, nb = int(a.max()) + 1, int(b.max()) + 1
    graph = sparse.coo_matrix((np.ones(len(a)), (a, na + b)), shape=(na + nb, na + nb))
    return int(connected_components(graph, directed=False)[0]) + len(effects) - 2


@dataclass(frozen=True)
class _Direct:
    """Factor of the remaining effects' normal equations after the largest one is eliminated."""

    pseudo_inverse: np.ndarray
    offsets: tuple[int, ...]


class Absorber:
    """Projects columns off a set of fixed effects.

    One effect: group means. Two effects of a balanced panel: the closed form
    x - x_i. - x_.t + x_.. . Otherwise the largest effect is eliminated and the normal equations of
    the others are solved (dense up to 4,000 levels, conjugate gradients to 1e-13 above).

    Parameters
    ----------
    effects : sequence of int arrays (n,)
        Codes 0..L-1 of each effect, every level present.
    weights : ndarray (n,), optional
        Positive observation weights.
    """

    def __init__(self, effects: Sequence[np.ndarray], weights: np.ndarray | None = None) -> None:
        self.effects = [np.asarray(e, dtype=np.int64) for e in effects]
        self.sizes = [int(e.max()) + 1 for e in self.effects]
        self.weights = weights
        self.n = self.effects[0].shape[0] if self.effects else 0
        self._order = sorted(range(len(self.effects)), key=lambda i: -self.sizes[i])
        self._sums = [self._weight_sums(e, s) for e, s in zip(self.effects, self.sizes)]
        self.balanced = self._is_balanced()
        self._direct: _Direct | None = None

    def _weight_sums(self, effect: np.ndarray, size: int) -> np.ndarray:
        return np.bincount(effect, weights=self.weights, minlength=size).astype(float)

    def _is_balanced(self) -> bool:
        if len(self.effects) != 2 or self.weights is not None:
            return False
        if self.n != self.sizes[0] * self.sizes[1]:
            return False
        cell = self.effects[0] * self.sizes[1] + self.effects[1]
        return bool(np.bincount(cell, minlength=self.n).max() == 1)

    def _means(self, column: np.ndarray, which: int) -> np.ndarray:
        weighted = column if self.weights is None else column * self.weights
        totals = np.bincount(self.effects[which], weights=weighted, minlength=self.sizes[which])
        return totals / self._sums[which]

    def demean(self, matrix: np.ndarray) -> np.ndarray:
        """Residuals of the columns of ``matrix`` (n,) or (n, k) on all effects; input untouched."""
        x = np.asarray(matrix, dtype=float)
        single = x.ndim == 1
        columns = x[:, None] if single else x
        if not self.effects:
            out = columns.copy()
        elif len(self.effects) == 1:
            out = np.column_stack([c - self._means(c, 0)[self.effects[0]] for c in columns.T])
        elif self.balanced:
            out = np.column_stack([self._balanced_column(c) for c in columns.T])
        elif sum(self.sizes) - max(self.sizes) <= _DIRECT_LIMIT:
            out = self._solve_direct(columns)
        else:
            out = np.column_stack([self._solve_iterative(c) for c in columns.T])
        return out[:, 0] if single else out

    def _balanced_column(self, c: np.ndarray) -> np.ndarray:
        centred = c - c.mean()
        for which in (0, 1):
            centred = centred - self._means(centred, which)[self.effects[which]]
        return centred

    def _within_largest(self, columns: np.ndarray) -> np.ndarray:
        big = self._order[0]
        return np.column_stack([c - self._means(c, big)[self.effects[big]] for c in columns.T])

    def _factor(self) -> _Direct:
        if self._direct is not None:
            return self._direct
        big, rest = self._order[0], self._order[1:]
        offsets = tuple(np.concatenate([[0], np.cumsum([self.sizes[i] for i in rest])]).tolist())
        w = np.ones(self.n) if self.weights is None else self.weights
        rows = np.arange(self.n)
        dummies = sparse.hstack(
            [
                sparse.csr_matrix(
                    (np.ones(self.n), (rows, self.effects[i])), shape=(self.n, self.sizes[i])
                )
                for i in rest
            ]
        ).tocsr()
        largest = sparse.csr_matrix(
            (np.ones(self.n), (rows, self.effects[big])), shape=(self.n, self.sizes[big])
        )
        weighted = sparse.diags(w) @ dummies
        cross = (largest.T @ weighted).toarray()
        gram = (dummies.T @ weighted).toarray() - cross.T @ (cross / self._sums[big][:, None])
        # The gram matrix is singular by construction (levels add up); the projection is not.
        self._direct = _Direct(linalg.pinvh(gram, rtol=1e-11), offsets)
        return self._direct

    def _solve_direct(self, columns: np.ndarray) -> np.ndarray:
        factor, rest = self._factor(), self._order[1:]
        out = self._within_largest(columns)
        # A second pass removes the rounding error of the first (iterative refinement).
        for _ in range(2):
            weighted = out if self.weights is None else out * self.weights[:, None]
            right = np.vstack(
                [
                    np.column_stack(
                        [
                            np.bincount(self.effects[i], weights=c, minlength=self.sizes[i])
                            for c in weighted.T
                        ]
                    )
                    for i in rest
                ]
            )
            solution = factor.pseudo_inverse @ right
            fitted = np.zeros_like(out)
            for start, i in zip(factor.offsets, rest):
                fitted += solution[start + self.effects[i]]
            out = out - self._within_largest(fitted)
        return out

    def _solve_iterative(self, column: np.ndarray) -> np.ndarray:
        big, rest = self._order[0], self._order[1:]
        start = column - self._means(column, big)[self.effects[big]]
        offsets = np.concatenate([[0], np.cumsum([self.sizes[i] for i in rest])])
        diagonal = np.concatenate([self._sums[i] for i in rest])

        def collect(values: np.ndarray) -> np.ndarray:
            weighted = values if self.weights is None else values * self.weights
            return np.concatenate(
                [
                    np.bincount(self.effects[i], weights=weighted, minlength=self.sizes[i])
                    for i in rest
                ]
            )

        def spread(level: np.ndarray) -> np.ndarray:
            out = np.zeros(self.n)
            for k, i in enumerate(rest):
                out += level[offsets[k] + self.effects[i]]
            return out - self._means(out, big)[self.effects[big]]

        size = len(diagonal)
        operator = sparse_linalg.LinearOperator((size, size), matvec=lambda v: collect(spread(v)))
        scale = sparse_linalg.LinearOperator((size, size), matvec=lambda v: v / diagonal)
        out = start
        for _ in range(3):
            right = collect(out)
            if np.linalg.norm(right) <= 1e-13 * max(1.0, float(np.linalg.norm(collect(start)))):
                return out
            level, info = sparse_linalg.cg(
                operator, right, rtol=1e-13, atol=0.0, maxiter=20 * size, M=scale
            )
            if info < 0:
                raise ValueError("demeaning failed: the conjugate gradient broke down")
            out = out - spread(level)
        left = float(np.linalg.norm(collect(out)))
        if left > 1e-9 * max(1.0, float(np.linalg.norm(collect(column)))):
            raise ValueError(
                f"demeaning did not converge (remaining {left:.2e}); the effects are nearly "
                "disconnected: drop thin levels or use fewer effects"
            )
        return out
