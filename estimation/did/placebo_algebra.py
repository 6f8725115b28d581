"""The arithmetic of many fake treatments in one panel: coefficients and clustered errors per draw.

Belongs here: linear algebra on arrays. Does not belong here: data frames, drawing, p values.

With d_it = 1[t >= a_i], y and X cleared of the fixed effects (X orthonormal, y cleared of X), and
Md the treatment cleared of effects and X, one draw needs per entity only
A_i = sum_t (Md)_it y_it and B_i = sum_t (Md)_it^2; then b = sum A / sum B, the cluster score is
A_g - b B_g, and both are sums of entries looked up by (entity, adoption time).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from estimation.did import covariance as cov
from estimation.did.twfe import Design, independent_columns

_BLOCK_BYTES = 6_000_000  # of one block of draws: what stays in a processor cache is fastest
_DENSE_BYTES = 48_000_000
_MAX_COLUMNS = 45  # controls plus time dummies up to which the squared terms are worth tabulating


def _orthonormal(raw: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the independent columns of ``within`` (n, k)."""
    if within.shape[1] == 0:
        return np.empty((within.shape[0], 0))
    kept = independent_columns(raw, within)
    x = within[:, kept]
    return np.linalg.qr(x / np.sqrt(np.einsum("ij,ij->j", x, x)))[0] if kept else x


class _Engine:
    def __init__(
        self,
        design: Design,
        controls: list[int],
        entity: np.ndarray,
        n_entities: int,
        time: np.ndarray,
        n_times: int,
    ) -> None:
        if len(design.clusters) != 1:
            raise ValueError("placebo draws need one cluster variable")
        self.design, self.entity, self.time = design, entity, time
        self.n_entities, self.n_times = n_entities, n_times
        self.n = len(design.y)
        raw = design.x[:, controls]
        absorber = design.absorber
        y, x = absorber.demean(design.y), absorber.demean(raw) if len(controls) else raw
        if design.weights is not None:
            root = np.sqrt(design.weights)
            y, x = y * root, x * root[:, None]
        self.raw, self.within = raw, x
        basis = _orthonormal(raw, x)
        self.basis = basis
        self.y = y - basis @ (basis.T @ y)
        cluster = design.clusters[0]
        groups = int(cluster.max()) + 1
        k = cov.counted_parameters(basis.shape[1] + 1, absorber.effects, design.clusters)
        if self.n <= k:
            raise ValueError(f"{self.n} observations cannot support {k} parameters")
        self.factor = groups / (groups - 1) * (self.n - 1) / (self.n - k)

    def _finish(
        self, a: np.ndarray, b: np.ndarray, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficient and standard error from A and B by draw and cluster, shape (R, G)."""
        numerator, denominator = a.sum(axis=1), b.sum(axis=1)
        dead = denominator <= 1e-10 * np.maximum(scale, 1e-300)
        denominator = np.where(dead, np.nan, denominator)
        estimate = numerator / denominator
        a -= estimate[:, None] * b
        meat = np.einsum("ij,ij->i", a, a)
        return estimate, np.sqrt(self.factor * meat) / denominator


class LookupEngine(_Engine):
    """Entity effects, with or without time effects, entities nested in clusters, no weights.

    Balanced panels keep time effects in closed form; unbalanced ones carry them as dummies among
    the controls. A draw costs one gather per treated entity and two products of order N.
    """

    @staticmethod
    def suits(design: Design, entity: str, time: str) -> bool:
        """Whether the design is one this engine can tabulate."""
        effects = set(design.effect_names)
        if design.weights is not None or len(design.clusters) != 1:
            return False
        if effects not in ({entity, time}, {entity}):
            return False
        which = design.effect_names.index(entity)
        if not cov.is_nested(design.absorber.effects[which], design.clusters[0]):
            return False
        balanced = design.absorber.balanced or len(effects) == 1
        extra = 0 if balanced else min(design.absorber.sizes)
        return design.x.shape[1] + extra <= _MAX_COLUMNS

    def __init__(
        self,
        design: Design,
        controls: list[int],
        entity: np.ndarray,
        n_entities: int,
        time: np.ndarray,
        n_times: int,
    ) -> None:
        super().__init__(design, controls, entity, n_entities, time, n_times)
        self.closed_time = design.absorber.balanced
        if len(design.effect_names) == 2 and not self.closed_time:
            self.basis = self._with_time_dummies()
        k, cells = self.basis.shape[1], n_entities * n_times
        at = entity * n_times + time
        grid_y = np.zeros(cells)
        grid_x = np.zeros((cells, k))
        seen = np.zeros(cells)
        grid_y[at], grid_x[at], seen[at] = self.y, self.basis, 1.0
        self.grid_y = grid_y.reshape(n_entities, n_times)
        self.grid_x = grid_x.reshape(n_entities, n_times, k)
        rows = seen.reshape(n_entities, n_times)
        # One table per entity and adoption time: [sum y, m (1 - m / n), sum x_1 .. sum x_k].
        table = np.zeros((n_entities, n_times + 1, k + 2))
        table[:, :-1, 0] = _tail_sums(self.grid_y)
        treated_rows = _tail_sums(rows)
        table[:, :-1, 1] = treated_rows * (1 - treated_rows / rows.sum(axis=1, keepdims=True))
        table[:, :-1, 2:] = _tail_sums(self.grid_x)
        self.table = table.reshape(-1, k + 2)
        self.sum_xy = np.einsum("it,itk->ik", self.grid_y, self.grid_x)
        self.upper = np.triu_indices(k)
        gram = np.einsum("itk,itl->ikl", self.grid_x, self.grid_x)
        double = np.where(self.upper[0] == self.upper[1], 1.0, 2.0)
        self.gram = gram[:, self.upper[0], self.upper[1]] * double
        self.groups = _entity_clusters(entity, design.clusters[0], n_entities)

    def _with_time_dummies(self) -> np.ndarray:
        dummies = np.zeros((self.n, self.n_times))
        dummies[np.arange(self.n), self.time] = 1.0
        own = np.column_stack([self.raw, dummies[:, 1:]])
        sizes = np.bincount(self.entity, minlength=self.n_entities)
        sums = np.zeros((self.n_entities, own.shape[1]))
        np.add.at(sums, self.entity, own)
        # y is already cleared of effects and controls, so only the basis has to be widened.
        return _orthonormal(own, own - (sums / sizes[:, None])[self.entity])

    def run(self, chosen: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficient and clustered standard error per draw; ``chosen``, ``times`` are (R, M)."""
        per_draw = 8 * (4 * self.n_entities + 4 * chosen.shape[1] * self.table.shape[1]) + 8 * (
            self.gram.shape[1] + self.n_times * (1 + self.basis.shape[1])
        )
        block = max(16, _BLOCK_BYTES // per_draw)
        parts = [
            self._block(chosen[i : i + block], times[i : i + block])
            for i in range(0, len(chosen), block)
        ]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _block(self, chosen: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        draws, size = chosen.shape
        k = self.basis.shape[1]
        looked = np.take(self.table, chosen * (self.n_times + 1) + times, axis=0)  # (R, M, k + 2)
        total = np.matmul(np.ones((1, size)), looked)[:, 0, :]
        c, scale = total[:, 2:], total[:, 1].copy()  # c is X'd, (R, k)
        own_a, own_b = looked[:, :, 0], looked[:, :, 1]
        if k:
            # The two leading columns get a zero, so that whole contiguous rows are multiplied.
            direction = np.concatenate([np.zeros((draws, 2)), c], axis=1)
            own_b = own_b - 2 * np.matmul(looked, direction[:, :, None])[:, :, 0]
        a = -(c @ self.sum_xy.T) if k else np.zeros((draws, self.n_entities))
        b = (
            (c[:, self.upper[0]] * c[:, self.upper[1]]) @ self.gram.T
            if k
            else np.zeros((draws, self.n_entities))
        )
        if self.closed_time:
            v, shared = self._time_share(times)
            tail = np.concatenate([_tail_sums(v), np.zeros((len(v), 1))], axis=1)
            row = np.zeros((1, 1), dtype=np.int64) if shared else np.arange(draws)[:, None]
            own_b = own_b - 2 * tail[row, times]
            a -= v @ self.grid_y.T
            b += np.einsum("rt,rt->r", v, v)[:, None]
            if k and shared:
                b += 2 * (c @ np.einsum("t,itk->ki", v[0], self.grid_x))
            elif k:
                mixed = (v[:, :, None] * c[:, None, :]).reshape(draws, -1)
                b += 2 * (mixed @ self.grid_x.reshape(self.n_entities, -1).T)
        flat = (np.arange(draws)[:, None] * self.n_entities + chosen).ravel()
        a.ravel()[flat] += own_a.ravel()
        b.ravel()[flat] += own_b.ravel()
        if self.groups is not None:
            a, b = a @ self.groups, b @ self.groups
        return self._finish(a, b, scale)

    def _time_share(self, times: np.ndarray) -> tuple[np.ndarray, bool]:
        """Share treated by time less its mean, (R, T), or (1, T) when all draws share it."""
        shared = bool((times == times[0]).all())
        use = times[:1] if shared else times
        counts = np.zeros((len(use), self.n_times + 1))
        np.add.at(counts, (np.arange(len(use))[:, None], use), 1.0)
        share = np.cumsum(counts[:, :-1], axis=1) / self.n_entities
        return share - share.mean(axis=1, keepdims=True), shared


class DenseEngine(_Engine):
    """Any effects, clusters and weights: the draws are projected as blocks of columns."""

    def run(self, chosen: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficient and clustered standard error per draw; ``chosen``, ``times`` are (R, M)."""
        block = max(8, _DENSE_BYTES // (8 * self.n * 6))
        cluster = self.design.clusters[0]
        member = sparse.csr_matrix(
            (np.ones(self.n), (cluster, np.arange(self.n))), shape=(cluster.max() + 1, self.n)
        )
        estimates, errors = [], []
        for start in range(0, len(chosen), block):
            units, at = chosen[start : start + block], times[start : start + block]
            adoption = np.full((len(units), self.n_entities), self.n_times, dtype=np.int64)
            np.put_along_axis(adoption, units, at, axis=1)
            d = (self.time[:, None] >= adoption.T[self.entity]).astype(float)
            scale = np.einsum("ij,ij->j", d, d)
            d = self.design.absorber.demean(d)
            if self.design.weights is not None:
                d *= np.sqrt(self.design.weights)[:, None]
            d -= self.basis @ (self.basis.T @ d)
            a = np.asarray(member @ (d * self.y[:, None])).T.copy()
            b = np.asarray(member @ (d * d)).T.copy()
            estimate, error = self._finish(a, b, scale)
            estimates.append(estimate)
            errors.append(error)
        return np.concatenate(estimates), np.concatenate(errors)


def _tail_sums(values: np.ndarray) -> np.ndarray:
    """Sums from each time to the end along axis 1."""
    return np.flip(np.cumsum(np.flip(values, axis=1), axis=1), axis=1)


def _entity_clusters(entity: np.ndarray, cluster: np.ndarray, n_entities: int) -> np.ndarray | None:
    """Membership (N, G) of entities in coarser clusters; None when every entity is its own."""
    of = np.zeros(n_entities, dtype=np.int64)
    of[entity] = cluster
    groups = int(cluster.max()) + 1
    if groups == n_entities:
        return None
    member = np.zeros((n_entities, groups))
    member[np.arange(n_entities), of] = 1.0
    return member
