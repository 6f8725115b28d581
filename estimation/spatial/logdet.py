"""The log-determinant ln|I - rho W| and the traces that follow from it, dense and sparse.

Belongs here: exact evaluation from eigenvalues, and from sparse LU factors for large N. Does not
belong here: likelihoods. Ours because spreg factorises a matrix per evaluation and per year, and
because the traces behind impacts and information come from the same function for free:
d/drho ln|I - rho W| = -tr(W(I - rho W)^-1), and so on.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.polynomial import chebyshev
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from estimation.spatial.weights import Weights

DENSE_LIMIT = 1200
_EDGE = 1e-6
_NODES = 32


def _grid(low: float, high: float, points: int) -> np.ndarray:
    unit = (1 - np.cos(np.linspace(0, np.pi, points))) / 2
    return np.concatenate([low - low * unit, high * unit[1:]])[1:-1]


class LogDeterminant(Protocol):
    """What likelihoods and impacts ask of a weights matrix."""

    lower: float
    upper: float
    method: str

    @property
    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Points inside the interval, denser at its ends and around zero, and the values there."""
        ...

    def value(self, rho: np.ndarray) -> np.ndarray:
        """ln|I - rho W| for each rho."""
        ...

    def derivatives(self, rho: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
        """First and second derivative in rho, for rho within ``reach`` of their midpoint."""
        ...


class DenseLogDeterminant:
    """Exact from the eigenvalues: sum ln(1 - rho omega_i). Setup O(N^3) once, then O(N)."""

    method = "eigenvalues"

    def __init__(self, weights: Weights) -> None:
        values = weights.eigenvalues
        self.omega = values
        real = values.real[np.abs(values.imag) < 1e-12] if np.iscomplexobj(values) else values
        low, high = float(real.min(initial=0.0)), float(real.max(initial=0.0))
        # The interval around zero on which I - rho W stays invertible (Anselin 1988, sec. 6.1).
        self.lower = 1 / low if low < -1e-12 else -1 / max(weights.spectral_radius, 1e-12)
        self.upper = 1 / high if high > 1e-12 else 1.0

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        points = _grid(self.lower, self.upper, 61)
        return points, self.value(points)

    def value(self, rho: np.ndarray) -> np.ndarray:
        grid = np.atleast_1d(np.asarray(rho, dtype=float))
        inside = 1 - grid[:, None] * self.omega[None, :]
        return np.log(np.abs(inside)).sum(axis=1)

    def derivatives(self, rho: np.ndarray, reach: float = 0.0) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
        grid = np.atleast_1d(np.asarray(rho, dtype=float))
        ratio = self.omega[None, :] / (1 - grid[:, None] * self.omega[None, :])
        return -ratio.sum(axis=1).real, -(ratio**2).sum(axis=1).real


class SparseLogDeterminant:
    """From sparse LU factors of I - rho W; derivatives from a Chebyshev interpolant around rho.

    The function is analytic inside the interval, so 32 nodes on a short stretch give its first two
    derivatives to better than 1e-9 relative.
    """

    method = "sparse LU"

    def __init__(self, weights: Weights) -> None:
        self._matrix = sparse.csc_matrix(weights.matrix)
        self._identity = sparse.identity(weights.n, format="csc")
        radius = weights.spectral_radius
        # -1/radius is inside the true lower bound 1/omega_min, which needs all eigenvalues.
        self.lower, self.upper = -1 / radius, 1 / radius
        self._known: dict[float, float] = {}
        self._pieces: list[tuple[float, float, np.ndarray]] = []

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        points = _grid(self.lower, self.upper, 17)
        return points, self.value(points)

    def _single(self, rho: float) -> float:
        if rho not in self._known:
            factor = sparse_linalg.splu(self._identity - rho * self._matrix)
            diagonal = np.abs(factor.U.diagonal())
            self._known[rho] = float(np.log(diagonal).sum())
        return self._known[rho]

    def value(self, rho: np.ndarray) -> np.ndarray:
        grid = np.atleast_1d(np.asarray(rho, dtype=float))
        for low, high, coefficients in self._pieces:
            if grid.size > 4 and low <= grid.min() and grid.max() <= high:
                return chebyshev.chebval((2 * grid - low - high) / (high - low), coefficients)
        return np.array([self._single(float(r)) for r in grid])

    def derivatives(self, rho: np.ndarray, reach: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
        grid = np.atleast_1d(np.asarray(rho, dtype=float))
        low, high, coefficients = self._piece(float(grid.min()), float(grid.max()), reach)
        z = (2 * grid - low - high) / (high - low)
        scale = 2 / (high - low)
        first = chebyshev.chebval(z, chebyshev.chebder(coefficients)) * scale
        second = chebyshev.chebval(z, chebyshev.chebder(coefficients, 2)) * scale**2
        return first, second

    def _piece(self, low: float, high: float, reach: float) -> tuple[float, float, np.ndarray]:
        for piece in self._pieces:
            if piece[0] <= low and high <= piece[1]:
                return piece
        margin = max(reach, 0.02, 0.1 * (high - low))
        # Keep half of the way to the singularity free, or the interpolant loses its accuracy.
        low = max(low - margin, low - (low - self.lower) / 2)
        high = min(high + margin, high + (self.upper - high) / 2)
        nodes = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        at = (low + high) / 2 + (high - low) / 2 * nodes
        values = np.array([self._single(float(r)) for r in at])
        coefficients = chebyshev.chebfit(nodes, values, _NODES - 1)
        self._pieces.append((low, high, coefficients))
        return self._pieces[-1]


class Traces:
    """Traces and norms of the spatial multiplier S = (I - rho W)^-1 at one or many rho.

    With A = W S: tr A, tr A A from the log-determinant; tr A'A and diag A by solving.
    """

    def __init__(self, weights: Weights, logdet: LogDeterminant) -> None:
        self.weights = weights
        self.logdet = logdet

    def trace_a(self, rho: np.ndarray, reach: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
        """tr A and tr A^2 for each rho."""
        first, second = self.logdet.derivatives(np.atleast_1d(rho), reach)
        return -first, -second

    @cached_property
    def _dense(self) -> np.ndarray | None:
        if self.logdet.method != "eigenvalues":
            return None
        return self.weights.matrix.toarray()

    def multiplier(self, rho: float) -> np.ndarray:
        """S = (I - rho W)^-1, dense (N, N); the last one is kept on the dense path."""
        n = self.weights.n
        if self._dense is not None:
            known = getattr(self.logdet, "last_multiplier", None)
            if known is None or known[0] != rho:
                known = (rho, np.linalg.inv(np.eye(n) - rho * self._dense))
                self.logdet.last_multiplier = known  # type: ignore[attr-defined]
            return known[1]
        factor = self._factor(rho)
        out = np.empty((n, n))
        block = 256
        for start in range(0, n, block):
            stop = min(n, start + block)
            right = np.zeros((n, stop - start))
            right[np.arange(start, stop), np.arange(stop - start)] = 1.0
            out[:, start:stop] = factor.solve(right)
        return out

    def _factor(self, rho: float) -> sparse_linalg.SuperLU:
        identity = sparse.identity(self.weights.n, format="csc")
        return sparse_linalg.splu(identity - rho * sparse.csc_matrix(self.weights.matrix))

    def solve(self, rho: float, right: np.ndarray, transpose: bool = False) -> np.ndarray:
        """(I - rho W)^-1 applied to (N, m), or its transpose."""
        if self._dense is not None:
            multiplier = self.multiplier(rho)
            return (multiplier.T if transpose else multiplier) @ right
        return self._factor(rho).solve(right, trans="T" if transpose else "N")


def log_determinant(weights: Weights, method: str = "auto") -> LogDeterminant:
    """Dense up to 1,200 units or for well-filled matrices, sparse LU above.

    Parameters
    ----------
    method : {"auto", "dense", "sparse"}

    Raises
    ------
    ValueError
        Unknown method.
    """
    if method == "auto":
        dense = weights.n <= DENSE_LIMIT or weights.density > 0.05
        method = "dense" if dense else "sparse"
    if method == "dense":
        return DenseLogDeterminant(weights)
    if method == "sparse":
        return SparseLogDeterminant(weights)
    raise ValueError(f"log-determinant method {method!r} is unknown; use auto, dense or sparse")
