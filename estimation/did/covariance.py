"""Clustered covariance of least squares with absorbed fixed effects, small-sample rule named.

Belongs here: the sandwich, its degrees of freedom, the rule for effects nested in clusters.
Does not belong here: coefficients. Written by us because pyfixest 0.60's clustered standard error
with two fixed effects changes with PYTHONHASHSEED, and linearmodels counts nested effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Covariance:
    """Covariance of k coefficients.

    Attributes
    ----------
    matrix : ndarray (k, k)
    df : float
        Degrees of freedom of the t distribution (clusters - 1; smallest over several ways).
    n_clusters : tuple of int
        Clusters per way; empty without clustering.
    rule : str
        The small-sample convention in words.
    factor : float
        Small-sample factor on the (first way's) sandwich.
    """

    matrix: np.ndarray
    df: float
    n_clusters: tuple[int, ...]
    rule: str
    factor: float


def codes(values: pd.Series | np.ndarray) -> tuple[np.ndarray, int]:
    """Integer codes 0..G-1 in sorted order of the values, and G."""
    code, levels = pd.factorize(np.asarray(values), sort=True)
    return code.astype(np.int64), len(levels)


def is_nested(effect: np.ndarray, cluster: np.ndarray) -> bool:
    """Whether every level of the fixed effect lies within one cluster."""
    order = np.argsort(effect, kind="stable")
    e, c = effect[order], cluster[order]
    return not bool(np.any((e[1:] == e[:-1]) & (c[1:] != c[:-1])))


def counted_parameters(
    n_coefficients: int,
    effects: Sequence[np.ndarray],
    clusters: Sequence[np.ndarray] = (),
) -> int:
    """Parameters K that enter the small-sample factor (n - 1) / (n - K).

    All effects count as sum of levels - (number of effects - 1), the intercept being among them.
    An effect nested in a cluster variable counts as one parameter, not one per level: the rule
    ``ssc(K.adj=TRUE, K.fixef="nonnested")`` of R fixest, and of Stata reghdfe.
    """
    if not effects:
        return n_coefficients
    total = 0
    for effect in effects:
        levels = int(effect.max()) + 1
        nested = any(is_nested(effect, c) for c in clusters)
        total += 1 if nested else levels
    return n_coefficients + total - (len(effects) - 1)


def cluster_scores(x: np.ndarray, residual: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Sums of x_i e_i by cluster, shape (G, k)."""
    n_groups = int(cluster.max()) + 1
    out = np.empty((n_groups, x.shape[1]))
    for j in range(x.shape[1]):
        out[:, j] = np.bincount(cluster, weights=x[:, j] * residual, minlength=n_groups)
    return out


def _meat(x: np.ndarray, residual: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, int]:
    scores = cluster_scores(x, residual, cluster)
    return scores.T @ scores, scores.shape[0]


def clustered(
    x: np.ndarray,
    residual: np.ndarray,
    bread: np.ndarray,
    clusters: Sequence[np.ndarray],
    *,
    n_parameters: int,
    names: Sequence[str] = (),
) -> Covariance:
    """CR1 sandwich, one-way or multi-way (Cameron, Gelbach and Miller 2011).

    V = G/(G-1) (n-1)/(n-K) (X'X)^-1 (sum_g X_g'e_g e_g'X_g) (X'X)^-1.

    Parameters
    ----------
    x : ndarray (n, k)
        Regressors with the fixed effects (and square roots of weights) taken in.
    residual : ndarray (n,)
    bread : ndarray (k, k)
        Inverse of x'x.
    clusters : sequence of int arrays (n,)
        Codes 0..G-1 per way.
    n_parameters : int
        K, see ``counted_parameters``.

    Raises
    ------
    ValueError
        If a way has fewer than two clusters, or n does not exceed K.
    """
    n = x.shape[0]
    labels = list(names) or [f"way {i + 1}" for i in range(len(clusters))]
    if n <= n_parameters:
        raise ValueError(f"{n} observations cannot support {n_parameters} parameters")
    adjust = (n - 1) / (n - n_parameters)
    counts = tuple(int(c.max()) + 1 for c in clusters)
    for label, count in zip(labels, counts):
        if count < 2:
            raise ValueError(f"cluster variable {label} has one cluster; need at least two")
    if len(clusters) == 1:
        meat, groups = _meat(x, residual, clusters[0])
        factor = groups / (groups - 1) * adjust
        matrix = factor * bread @ meat @ bread
        rule = f"CR1 by {labels[0]}, G/(G-1)*(n-1)/(n-K), nested effects not counted, t(G-1)"
        return Covariance(_symmetric(matrix), groups - 1.0, counts, rule, factor)
    smallest = min(counts)
    factor = smallest / (smallest - 1) * adjust
    total = np.zeros_like(bread)
    for size in range(1, len(clusters) + 1):
        for subset in combinations(range(len(clusters)), size):
            joint = clusters[subset[0]]
            for other in subset[1:]:
                joint = codes(joint * counts[other] + clusters[other])[0]
            total += (-1) ** (size + 1) * _meat(x, residual, joint)[0]
    matrix = _symmetric(factor * bread @ total @ bread)
    values, vectors = np.linalg.eigh(matrix)
    if values.min() < 0:  # Cameron-Gelbach-Miller: negative eigenvalues are set to zero
        matrix = _symmetric((vectors * np.clip(values, 0, None)) @ vectors.T)
    rule = (
        f"multi-way CR1 by {' and '.join(labels)}, smallest G in G/(G-1), (n-1)/(n-K), "
        "nested effects not counted, t(min G - 1)"
    )
    return Covariance(matrix, smallest - 1.0, counts, rule, factor)


def heteroskedastic(
    x: np.ndarray, residual: np.ndarray, bread: np.ndarray, *, n_parameters: int
) -> Covariance:
    """HC1 sandwich n/(n-K) (X'X)^-1 X'diag(e^2)X (X'X)^-1, t(n-K)."""
    n = x.shape[0]
    if n <= n_parameters:
        raise ValueError(f"{n} observations cannot support {n_parameters} parameters")
    scores = x * residual[:, None]
    factor = n / (n - n_parameters)
    matrix = factor * bread @ (scores.T @ scores) @ bread
    return Covariance(_symmetric(matrix), float(n - n_parameters), (), "HC1, n/(n-K)", factor)


def classical(residual: np.ndarray, bread: np.ndarray, *, n_parameters: int) -> Covariance:
    """Homoskedastic covariance s2 (X'X)^-1 with s2 = e'e/(n-K), t(n-K)."""
    n = residual.shape[0]
    if n <= n_parameters:
        raise ValueError(f"{n} observations cannot support {n_parameters} parameters")
    s2 = float(residual @ residual) / (n - n_parameters)
    return Covariance(_symmetric(s2 * bread), float(n - n_parameters), (), "iid, e'e/(n-K)", 1.0)


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return (matrix + matrix.T) / 2
