"""Fully grown regression trees on numeric columns and effects given as codes, compiled.

Belongs here: growing one tree and walking many. Does not belong here: bootstrap and averaging
(``forest``). Written by us because no library grows scikit-learn's tree on city and year effects
without sorting 300 dummies at every node; LightGBM's categories come close but cut at the edge of
a gap instead of its middle, which a 0/1 target shows beyond Monte-Carlo error. The numeric columns
are sorted once per forest, a dummy's split is read from sums per level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Nodes of one tree: ``feature`` (-1 leaf, j < p a numeric column, p + c the c-th code),
#: ``threshold`` (numeric: go left at or below; code: go right at this level), ``left``, ``right``
#: (positions of the children) and ``value`` (weighted mean of the node's rows).
Tree = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _compiled(function: Any) -> Any:
    """The function compiled at its first call, and kept on disk where a place can be written."""
    try:
        return njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:
        # A read-only installation without a cache folder: each process compiles for itself.
        return njit(nogil=True, error_model="numpy")(function)


# Improvements closer than this share of the node's sum of squares are ties.
_TIE = 1e-12


@_compiled
def _uniform(state: np.ndarray) -> float:
    """Next number in [0, 1) of Marsaglia's xorshift64."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return float(x >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@_compiled
def _best_cut(
    order: np.ndarray, rank: np.ndarray, wy: np.ndarray, w: np.ndarray, least: int,
    total: float, weight: float,
) -> tuple[float, int]:  # fmt: skip
    """Best cut of one sorted column: sum of squared sums over weights, and rows left of it."""
    n = len(order)
    best, at = -np.inf, -1
    if rank[order[0]] == rank[order[n - 1]]:
        return best, at
    left_sum, left_weight = 0.0, 0.0
    for i in range(n - 1):
        row = order[i]
        left_sum += wy[row]
        left_weight += w[row]
        if i + 1 < least or rank[order[i + 1]] == rank[row]:
            continue
        if n - i - 1 < least:
            break
        rest = total - left_sum
        gain = left_sum * left_sum / left_weight + rest * rest / (weight - left_weight)
        if gain > best:
            best, at = gain, i + 1
    return best, at


@_compiled
def _partition(rows: np.ndarray, to_left: np.ndarray, spare: np.ndarray) -> int:
    """Rows that go left first, both sides in the order they had; how many go left."""
    n_left, n_right = 0, 0
    for i in range(len(rows)):
        # Written to both places and counted in one: which side comes next cannot be foreseen, and a
        # branch taken wrongly costs more than a write.
        row = rows[i]
        rows[n_left] = row
        spare[n_right] = row
        n_left += to_left[row]
        n_right += 1 - to_left[row]
    for i in range(n_right):
        rows[n_left + i] = spare[i]
    return n_left


@_compiled
def grow(
    x: np.ndarray, group: np.ndarray, rank: np.ndarray, order: np.ndarray, codes: np.ndarray,
    n_levels: int, y: np.ndarray, w: np.ndarray, least: int, seed: int,
) -> Tree:  # fmt: skip
    """Grow one tree to purity, as scikit-learn's best splitter does with the squared error.

    Parameters
    ----------
    x : float ndarray (p, n)
        Numeric columns, one per row of the array.
    group : int ndarray (p,)
        Columns of one group are increasing transforms of one another: one scan serves them all,
        and each takes part in the draw among tied splits with a threshold of its own.
    rank, order : int32 ndarray (g, n)
        Dense rank of every row in each group, and the rows in that order.
    codes : int32 ndarray (c, n)
        Effects, each level standing for a dummy.
    n_levels : int
        One more than the highest code.
    y, w : float ndarray (n,)
        Target and bootstrap counts; rows of weight 0 are not in the tree.
    least : int
        Smallest number of distinct rows in a leaf.
    seed : int
        Of the draw among splits that are equally good (positive).

    Returns
    -------
    Tree
    """
    n_groups, n = rank.shape
    p, n_codes = len(group), len(codes)
    size = np.zeros(n_groups, np.int64)
    for j in range(p):
        size[group[j]] += 1
    m = 0
    for row in range(n):
        m += w[row] > 0
    n_orders = max(n_groups, 1)
    rows = np.empty((n_orders, m), np.int32)
    for g in range(n_orders):
        i = 0
        for k in range(n):
            row = order[g, k] if n_groups else k
            if w[row] > 0:
                rows[g, i] = row
                i += 1
    limit = max(2 * m - 1, 1)
    feature = np.full(limit, -1, np.int32)
    threshold = np.zeros(limit)
    left = np.zeros(limit, np.int32)
    right = np.zeros(limit, np.int32)
    value = np.zeros(limit)
    state = np.empty(1, np.uint64)
    state[0] = np.uint64(seed)
    to_left = np.zeros(n, np.int64)
    spare = np.empty(m, np.int32)
    wy = w * y
    level_sum, level_weight = np.zeros(n_levels), np.zeros(n_levels)
    level_rows = np.zeros(n_levels, np.int64)
    touched = np.empty(n_levels, np.int64)
    stack_node = np.empty(limit, np.int32)
    stack_from = np.empty(limit, np.int32)
    stack_to = np.empty(limit, np.int32)
    stack_node[0], stack_from[0], stack_to[0] = 0, 0, m
    depth, n_nodes = 1, 1
    while depth:
        depth -= 1
        node, start, stop = stack_node[depth], stack_from[depth], stack_to[depth]
        here = rows[0, start:stop]
        total, weight, squares = 0.0, 0.0, 0.0
        low, high = np.inf, -np.inf
        for row in here:
            total += wy[row]
            weight += w[row]
            squares += wy[row] * y[row]
            low, high = min(low, y[row]), max(high, y[row])
        value[node] = total / weight
        count = stop - start
        if low == high or count < 2 * least:
            continue
        tie = _TIE * squares
        best, tied = -np.inf, 0
        best_feature, best_level, best_at = -1, -1, -1
        for g in range(n_groups):
            gain, at = _best_cut(rows[g, start:stop], rank[g], wy, w, least, total, weight)
            if at < 0 or gain < best - tie:
                continue
            tied = size[g] if gain > best + tie else tied + size[g]
            if _uniform(state) * tied < size[g]:
                best_feature, best_at = g, at
            best = max(best, gain)
        for c in range(n_codes):
            n_touched = 0
            for row in here:
                level = codes[c, row]
                if level_rows[level] == 0:
                    touched[n_touched] = level
                    n_touched += 1
                level_rows[level] += 1
                level_sum[level] += wy[row]
                level_weight[level] += w[row]
            for k in range(n_touched):
                level = touched[k]
                inside = level_rows[level]
                if inside < count and inside >= least and count - inside >= least:
                    own, rest = level_sum[level], total - level_sum[level]
                    gain = own * own / level_weight[level]
                    gain += rest * rest / (weight - level_weight[level])
                    if gain >= best - tie:
                        tied = 1 if gain > best + tie else tied + 1
                        if _uniform(state) * tied < 1:
                            best_feature, best_level = n_groups + c, level
                        best = max(best, gain)
                level_rows[level] = 0
                level_sum[level] = 0.0
                level_weight[level] = 0.0
        if best_feature < 0:
            continue
        if best_feature < n_groups:
            # Any column of the group, each with the same chance.
            nth = int(_uniform(state) * size[best_feature])
            column = -1
            for j in range(p):
                if group[j] == best_feature:
                    if nth == 0:
                        column = j
                    nth -= 1
            below = x[column, rows[best_feature, start + best_at - 1]]
            above = x[column, rows[best_feature, start + best_at]]
            cut = below / 2.0 + above / 2.0
            if cut == above:
                cut = below
            feature[node], threshold[node] = column, cut
            for i in range(start, stop):
                to_left[rows[best_feature, i]] = i < start + best_at
        else:
            c = best_feature - n_groups
            feature[node], threshold[node] = p + c, best_level
            for row in here:
                to_left[row] = codes[c, row] != best_level
        n_left = 0
        for g in range(n_orders):
            n_left = _partition(rows[g, start:stop], to_left, spare)
        left[node], right[node] = n_nodes, n_nodes + 1
        stack_node[depth], stack_from[depth] = n_nodes, start
        stack_to[depth] = start + n_left
        stack_node[depth + 1], stack_from[depth + 1] = n_nodes + 1, start + n_left
        stack_to[depth + 1] = stop
        depth += 2
        n_nodes += 2
    return (
        feature[:n_nodes].copy(), threshold[:n_nodes].copy(), left[:n_nodes].copy(),
        right[:n_nodes].copy(), value[:n_nodes].copy(),
    )  # fmt: skip


@_compiled
def add_predictions(
    out: np.ndarray, x: np.ndarray, codes: np.ndarray, feature: np.ndarray, threshold: np.ndarray,
    left: np.ndarray, right: np.ndarray, value: np.ndarray,
) -> None:  # fmt: skip
    """Add one tree's predictions to ``out`` (n,), for ``x`` (p, n) and ``codes`` (c, n)."""
    p = len(x)
    for row in range(len(out)):
        node = 0
        while feature[node] >= 0:
            j = feature[node]
            if j < p:
                goes_left = x[j, row] <= threshold[node]
            else:
                goes_left = codes[j - p, row] != threshold[node]
            node = left[node] if goes_left else right[node]
        out[row] += value[node]


def prepare(x: np.ndarray) -> dict[str, Any]:
    """Columns sorted once for all trees: ``x``, ``group``, ``rank`` and ``order`` of ``grow``.

    Parameters
    ----------
    x : float ndarray (n, p)
    """
    n, p = x.shape
    group = np.empty(p, np.int64)
    ranks: list[np.ndarray] = []
    seen: dict[bytes, int] = {}
    for j in range(p):
        _, inverse = np.unique(x[:, j], return_inverse=True)
        rank = inverse.astype(np.int32)
        key = rank.tobytes()
        if key not in seen:
            seen[key] = len(ranks)
            ranks.append(rank)
        group[j] = seen[key]
    rank = np.array(ranks, dtype=np.int32).reshape(len(ranks), n)
    order = np.argsort(rank, axis=1, kind="stable").astype(np.int32)
    columns = np.ascontiguousarray(x.T, dtype=float)
    return {"x": columns, "group": group, "rank": rank, "order": order}
