"""Wild cluster bootstrap of one coefficient, the null imposed, for few or uneven clusters.

Belongs here: bootstrap t, p value and the interval by test inversion. Does not belong here: the
regression. Written by us because with absorbed effects a draw is one small product of cluster sums,
where libraries refit with every dummy spelled out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from estimation.did import covariance as cov
from estimation.did import twfe
from estimation.did.absorb import Absorber, effect_codes
from estimation.panel import NoVariation

_WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])


@dataclass(frozen=True)
class WildResult:
    """Wild cluster bootstrap.

    Attributes
    ----------
    regression : TwfeResult
    term : str
    statistic : float
        t of the null value on the data.
    p_value : float
        Share of |t*| at least as large (symmetric).
    ci_low, ci_high : float
        95% interval by inverting the test; infinite where the test never rejects.
    draws : ndarray
        t* under the null.
    n_clusters : int
    kind : str
        Weights used, and whether all sign patterns were enumerated.
    """

    regression: twfe.TwfeResult
    term: str
    statistic: float
    p_value: float
    ci_low: float
    ci_high: float
    draws: np.ndarray = field(repr=False)
    n_clusters: int
    kind: str

    def tidy(self) -> pd.DataFrame:
        """The coefficient with bootstrap p value and interval, clustered standard error."""
        row = self.regression.tidy()
        row = row[row["term"] == self.term].copy()
        row["p_value"], row["ci_low"], row["ci_high"] = self.p_value, self.ci_low, self.ci_high
        return row.reset_index(drop=True)


def _weights(kind: str, groups: int, draws: int, seed: int) -> tuple[np.ndarray, str]:
    if kind == "rademacher" and 2**groups <= draws:
        grid = np.array(list(product((1.0, -1.0), repeat=groups)))
        return grid, f"rademacher, all {2**groups} patterns"
    rng = np.random.Generator(np.random.PCG64(seed))
    if kind == "rademacher":
        return 2.0 * rng.integers(0, 2, (draws, groups)) - 1.0, f"rademacher, {draws} draws"
    if kind == "webb":
        return _WEBB[rng.integers(0, 6, (draws, groups))], f"webb, {draws} draws"
    raise ValueError(f"weights {kind!r}; choose rademacher or webb")


class _Algebra:
    """Cluster sums from which every bootstrap t follows.

    With entity effects nested in clusters, restricted residuals stay free of entity means after a
    cluster's sign change, so only controls and the other effects have to be projected again.
    """

    def __init__(self, d: twfe.Design, term: str, n_coefficients: int) -> None:
        at = d.names.index(term)
        nested = [
            i for i, e in enumerate(d.absorber.effects) if cov.is_nested(e, d.clusters[0])
        ]  # fmt: skip
        inner = Absorber([d.absorber.effects[i] for i in nested]) if nested else None
        rest = [np.delete(d.x, at, axis=1)]
        for i, name in enumerate(d.effect_names):
            if i not in nested:
                code = effect_codes(d.frame, name)
                dummy = np.zeros((len(code), int(code.max()) + 1))
                dummy[np.arange(len(code)), code] = 1.0
                rest.append(dummy)
        if not nested:
            rest.append(np.ones((len(d.y), 1)))
        raw = np.column_stack(rest)

        def clear(m: np.ndarray) -> np.ndarray:
            return inner.demean(m) if inner is not None else m

        within = clear(raw)
        kept = twfe.independent_columns(np.where(raw == 1, raw + 1e-9, raw), within)
        q = np.linalg.qr(within[:, kept])[0] if kept else np.empty((len(d.y), 0))
        y, x = clear(d.y), clear(d.x[:, at])
        self.y = y - q @ (q.T @ y)
        self.x = x - q @ (q.T @ x)
        self.xx = float(self.x @ self.x)
        if self.xx <= 1e-10 * max(float(d.x[:, at] @ d.x[:, at]), 1e-300):
            raise NoVariation(f"{term} does not vary within the fixed effects")
        self.cluster = d.clusters[0]
        self.groups = int(self.cluster.max()) + 1
        unit = np.column_stack([q, self.x / np.sqrt(self.xx)])
        self.a = cov.cluster_scores(unit, self.x, self.cluster)  # sums of x u by cluster
        self.unit = unit
        k = cov.counted_parameters(n_coefficients, d.absorber.effects, d.clusters)
        n = len(d.y)
        if n <= k:
            raise ValueError(f"{n} observations cannot support {k} parameters")
        self.factor = self.groups / (self.groups - 1) * (n - 1) / (n - k)

    def pieces(self, null: float) -> tuple[np.ndarray, np.ndarray]:
        """By cluster: sums of x e and of u e, with e the residual when the null is imposed."""
        e = self.y - null * self.x
        return (
            np.bincount(self.cluster, weights=self.x * e, minlength=self.groups),
            cov.cluster_scores(self.unit, e, self.cluster),
        )

    def t_values(self, weights: np.ndarray, null: float) -> np.ndarray:
        """t* of every row of ``weights`` (R, G)."""
        s, b = self.pieces(null)
        gap = weights @ s / self.xx
        scores = weights * s[None, :] - (weights @ b) @ self.a.T
        error = np.sqrt(self.factor * np.einsum("rg,rg->r", scores, scores)) / self.xx
        return np.divide(gap, error, out=np.full(len(gap), np.inf), where=error > 0)

    def t_data(self, null: float) -> float:
        """t of the data against the null value."""
        return float(self.t_values(np.ones((1, self.groups)), null)[0])


def fit(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str | Sequence[str],
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | None = None,
    draws: int = 9999,
    seed: int = 0,
    weights: str = "rademacher",
    null: float = 0.0,
    alpha: float = 0.05,
) -> WildResult:
    """Restricted wild cluster bootstrap-t of the first treatment (Cameron, Gelbach, Miller 2008).

    With few clusters all Rademacher patterns are enumerated; below about a dozen clusters ``webb``
    weights have more patterns. The interval holds the null values that are not rejected.
    """
    terms = (treatment,) if isinstance(treatment, str) else tuple(treatment)
    keys: dict[str, Any] = {"entity": entity, "time": time, "fixed_effects": fixed_effects}
    regression = twfe.fit(
        data, outcome=outcome, treatment=terms, controls=controls, cluster=cluster, **keys
    )
    d = twfe.design(
        data, outcome=outcome, regressors=[*terms, *controls], cluster=cluster or entity,
        purpose="the wild bootstrap", **keys,
    )  # fmt: skip
    algebra = _Algebra(d, terms[0], len(regression.params))
    signs, kind = _weights(weights, algebra.groups, draws, seed)
    drawn = algebra.t_values(signs, null)
    t = algebra.t_data(null)

    def p_at(value: float) -> float:
        stars = np.abs(algebra.t_values(signs, value))
        return float(np.mean(stars >= abs(algebra.t_data(value)) - 1e-12))

    b = regression.coefficient(terms[0])
    error = float(np.sqrt(regression.covariance(terms[0])))
    low, high = (_edge(p_at, b, error, side, alpha) for side in (-1, 1))
    return WildResult(
        regression, terms[0], t, float(np.mean(np.abs(drawn) >= abs(t) - 1e-12)), low, high,
        drawn, algebra.groups, kind,
    )  # fmt: skip


def _edge(p_at: Callable[[float], float], b: float, error: float, side: int, alpha: float) -> float:
    """Null value at which the bootstrap p falls to alpha, by doubling and bisection."""
    if not np.isfinite(error) or error <= 0:
        return float("nan")
    outside = 2.0
    while p_at(b + side * outside * error) > alpha:
        outside *= 2
        if outside > 64:
            return float(side * np.inf)
    inside = 0.0
    for _ in range(40):
        middle = (inside + outside) / 2
        if p_at(b + side * middle * error) > alpha:
            inside = middle
        else:
            outside = middle
        if outside - inside < 1e-4:
            break
    return float(b + side * inside * error)
