"""Spatial weights with their labels: contiguity, same province, distance, nearest and economic.

Belongs here: building, normalising, checking and ordering a weights matrix. Does not belong here:
estimation, or reading boundary files. Polygons and blocks go through libpysal; great-circle
distances are computed here because libpysal's planar distances are wrong for longitudes, and
nearest neighbours need a fixed rule for ties.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import linalg, sparse
from scipy.sparse import linalg as sparse_linalg
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    import libpysal

Numbers = Sequence[float] | np.ndarray | pd.Series
EARTH_RADIUS_KM = 6371.0088
_ROW_TOLERANCE = 1e-10


class WeightsError(ValueError):
    """A weights matrix that does not fit the panel or the estimator; says what to do."""


@dataclass(frozen=True)
class Weights:
    """A spatial weights matrix of N labelled units.

    Attributes
    ----------
    ids : tuple
        Labels of rows and columns, in order.
    matrix : csr_matrix (N, N)
        Weight of column j for row i; zero diagonal.
    kind : str
        What the links are, e.g. ``"contiguity"``.
    normalisation : str
        ``"none"``, ``"row"`` or ``"spectral"``.
    similarity : ndarray (N,) or None
        d with diag(d) W symmetric, when known: the eigenvalues are then real and cheap.
    notes : mapping
        Parameters that built it (cut-off, k ...), for reports.
    """

    ids: tuple[Hashable, ...]
    matrix: sparse.csr_matrix
    kind: str
    normalisation: str = "none"
    similarity: np.ndarray | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.ids)
        if self.matrix.shape != (n, n):
            raise WeightsError(
                f"{self.kind} weights are {self.matrix.shape[0]} x {self.matrix.shape[1]}, "
                f"but {n} labels were given; expected {n} x {n}"
            )
        repeated = pd.Index(self.ids)[pd.Index(self.ids).duplicated()]
        if len(repeated):
            raise WeightsError(
                f"{self.kind} weights: label {repeated[0]} stands {len(repeated) + 1} times"
            )
        values = self.matrix.data
        if not np.isfinite(values).all() or (values < 0).any():
            raise WeightsError(
                f"{self.kind} weights hold negative, missing or infinite values; "
                "expected finite weights >= 0"
            )
        diagonal = self.matrix.diagonal()
        if diagonal.any():
            first = self.ids[int(np.argmax(diagonal != 0))]
            raise WeightsError(
                f"{self.kind} weights: {first} is its own neighbour; set the diagonal to zero"
            )

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.ids)

    @cached_property
    def row_sums(self) -> np.ndarray:
        """Row sums (N,)."""
        return np.asarray(self.matrix.sum(axis=1)).ravel()

    @cached_property
    def column_sums(self) -> np.ndarray:
        """Column sums (N,)."""
        return np.asarray(self.matrix.sum(axis=0)).ravel()

    @property
    def islands(self) -> tuple[Hashable, ...]:
        """Units without any neighbour."""
        return tuple(i for i, s in zip(self.ids, self.row_sums) if s == 0)

    @cached_property
    def n_components(self) -> int:
        """Connected components, direction of links ignored; an island counts as one."""
        return int(connected_components(self.matrix, directed=False)[0])

    @cached_property
    def is_row_normalised(self) -> bool:
        """Whether every row sums to one, so that W 1 = 1."""
        return bool(np.abs(self.row_sums - 1).max() < _ROW_TOLERANCE)

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether w_ij = w_ji up to rounding."""
        return _asymmetry(self.matrix) is None

    @property
    def density(self) -> float:
        """Share of non-zero cells."""
        return self.matrix.nnz / max(1, self.n) ** 2

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """All N eigenvalues; real when W is similar to a symmetric matrix, else complex (dense)."""
        dense = self.matrix.toarray()
        if self.similarity is not None:
            root = np.sqrt(self.similarity)
            symmetric = root[:, None] * dense / root[None, :]
            return linalg.eigvalsh((symmetric + symmetric.T) / 2, check_finite=False)
        values = linalg.eigvals(dense, check_finite=False)
        if np.abs(values.imag).max() < 1e-12:
            return np.sort(values.real)
        order = np.lexsort((values.imag, values.real))
        return values[order]

    @cached_property
    def spectral_radius(self) -> float:
        """Largest absolute eigenvalue; exactly 1 (or 0) for row sums of one without computing."""
        if self.matrix.nnz == 0:
            return 0.0
        if self.is_row_normalised:
            return 1.0
        if self.n <= 1500:
            return float(np.abs(self.eigenvalues).max())
        start = np.ones(self.n)  # Perron vector is positive: a fixed start keeps it deterministic
        return float(
            np.abs(
                sparse_linalg.eigs(
                    self.matrix, k=1, which="LM", return_eigenvectors=False, v0=start
                )
            ).max()
        )

    def lag(self, values: np.ndarray) -> np.ndarray:
        """W applied along the first axis of ``values`` (N, ...)."""
        values = np.asarray(values, dtype=float)
        flat = values.reshape(self.n, -1)
        operator = self._operator
        return np.asarray(operator @ flat).reshape(values.shape)

    @cached_property
    def _operator(self) -> Any:
        # A dense product beats a sparse one well below full density.
        return self.matrix.toarray() if self.density > 0.15 else self.matrix

    def normalise(self, how: str = "row") -> Weights:
        """Row-normalise (rows sum to one, islands stay zero) or divide by the spectral radius.

        Raises
        ------
        WeightsError
            If ``how`` is neither ``row`` nor ``spectral``, or there is no link at all.
        """
        if self.matrix.nnz == 0:
            raise WeightsError(f"{self.kind} weights have no link; nothing to normalise")
        if how == "row":
            sums = self.row_sums
            inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
            matrix = sparse.csr_matrix(sparse.diags(inverse) @ self.matrix)
            base = self.similarity
            if base is None and self.is_symmetric:
                base = np.ones(self.n)
            similar = None if base is None else base * np.where(sums > 0, sums, 1.0)
            return replace(self, matrix=matrix, normalisation="row", similarity=similar)
        if how == "spectral":
            matrix = sparse.csr_matrix(self.matrix / self.spectral_radius)
            similar = self.similarity
            if similar is None and self.is_symmetric:
                similar = np.ones(self.n)
            return replace(self, matrix=matrix, normalisation="spectral", similarity=similar)
        raise WeightsError(f"normalisation {how!r} is unknown; use 'row' or 'spectral'")

    def align(self, ids: Sequence[Hashable]) -> Weights:
        """The same weights with rows and columns in the order of ``ids``.

        Raises
        ------
        WeightsError
            If the two sets of labels differ; the message names the first few on either side.
        """
        wanted = tuple(ids)
        if wanted == self.ids:
            return self
        here, there = set(self.ids), set(wanted)
        if here != there:
            lacking = [i for i in wanted if i not in here]
            extra = [i for i in self.ids if i not in there]
            hint = ""
            if {str(i) for i in here} & {str(i) for i in there} and not here & there:
                hint = " The labels look alike but differ in type (text and number)."
            raise WeightsError(
                f"{self.kind} weights have {self.n} labels, the panel {len(wanted)}: "
                f"{len(lacking)} of the panel are not in the weights ({_some(lacking)}), "
                f"{len(extra)} of the weights are not in the panel ({_some(extra)}). "
                f"Build the weights for the panel's units, or use restrict().{hint}"
            )
        position = pd.Index(self.ids).get_indexer(pd.Index(wanted))
        return self._take(position, wanted)

    def restrict(self, ids: Sequence[Hashable]) -> Weights:
        """Only the units ``ids`` (all must be known), normalised again the same way."""
        wanted = tuple(ids)
        unknown = [i for i in wanted if i not in set(self.ids)]
        if unknown:
            raise WeightsError(f"{self.kind} weights do not know {_some(unknown)}")
        cut = self._take(pd.Index(self.ids).get_indexer(pd.Index(wanted)), wanted)
        return cut if cut.normalisation == "none" else cut.normalise(cut.normalisation)

    def _take(self, position: np.ndarray, ids: tuple[Hashable, ...]) -> Weights:
        similar = None if self.similarity is None else self.similarity[position]
        matrix = sparse.csr_matrix(self.matrix[position][:, position])
        out = replace(self, ids=ids, matrix=matrix, similarity=similar)
        if len(ids) == self.n and "eigenvalues" in self.__dict__:
            out.__dict__["eigenvalues"] = self.eigenvalues  # a permutation keeps the spectrum
        return out

    def check(self, *, allow_islands: bool = False, allow_disconnected: bool = False) -> None:
        """Refuse what would silently change the meaning of rho.

        Raises
        ------
        WeightsError
            Not normalised (spectral radius above one), units without neighbours, or several
            components, unless allowed.
        """
        if self.matrix.nnz == 0:
            raise WeightsError(f"{self.kind} weights have no link")
        if not self.is_row_normalised:
            # The spectral radius of a non-negative matrix never exceeds its largest row sum.
            radius = self.row_sums.max()
            if radius > 1 + 1e-8:
                radius = self.spectral_radius
            if radius > 1 + 1e-8:
                raise WeightsError(
                    f"{self.kind} weights are not normalised (row sums {self.row_sums.min():.4g} "
                    f"to {self.row_sums.max():.4g}, spectral radius {radius:.4g}); call "
                    "normalise('row') or normalise('spectral') first"
                )
        if self.islands and not allow_islands:
            raise WeightsError(
                f"{self.kind} weights leave {len(self.islands)} units without a neighbour "
                f"({_some(self.islands)}); link them (attach_islands), restrict() to the others, "
                "or allow islands, whose spatial lag is then zero"
            )
        alone = len(self.islands)
        parts = self.n_components - alone
        if parts > 1 and not allow_disconnected:
            raise WeightsError(
                f"{self.kind} weights fall into {parts} disconnected parts; spillovers cannot pass "
                "between them. Add links, or allow disconnected weights if this is meant "
                "(a same-province matrix is of this kind)"
            )

    def attach_islands(self, lon: Numbers, lat: Numbers) -> Weights:
        """Link every island both ways to its nearest unit (great circle), then normalise again."""
        if not self.islands:
            return self
        if self.normalisation != "none":
            raise WeightsError("attach islands before normalising the weights")
        distance = great_circle_km(lon, lat)
        np.fill_diagonal(distance, np.inf)
        matrix = sparse.lil_matrix(self.matrix)
        for unit in self.islands:
            i = self.ids.index(unit)
            j = int(np.argmin(distance[i]))
            matrix[i, j] = matrix[j, i] = 1.0
        notes = {**self.notes, "attached_islands": len(self.islands)}
        return replace(self, matrix=sparse.csr_matrix(matrix), similarity=None, notes=notes)

    def to_libpysal(self) -> libpysal.weights.W:
        """The weights as a libpysal ``W`` with positional ids, for esda and spreg."""
        from libpysal.weights import WSP

        return WSP(self.matrix).to_W(silence_warnings=True)

    def summary(self) -> dict[str, float | int | str]:
        """Facts for a report: units, links, neighbours, islands, components."""
        return {
            "weights": self.kind,
            "weights_normalisation": self.normalisation,
            "weights_units": self.n,
            "weights_links": int(self.matrix.nnz),
            "weights_mean_neighbours": float(np.diff(self.matrix.indptr).mean()),
            "weights_islands": len(self.islands),
            "weights_components": self.n_components,
            "weights_symmetric_base": int(self.similarity is not None or self.is_symmetric),
        }


def _some(items: Sequence[Hashable], count: int = 5) -> str:
    shown = ", ".join(str(i) for i in list(items)[:count])
    return shown + (" ..." if len(items) > count else "") if len(items) else "none"


def _asymmetry(matrix: sparse.csr_matrix) -> tuple[int, int] | None:
    difference = sparse.coo_matrix(abs(matrix - matrix.T))
    if difference.nnz == 0:
        return None
    worst = int(np.argmax(difference.data))
    scale = abs(matrix).max()
    if difference.data[worst] <= 1e-12 * scale:
        return None
    return int(difference.row[worst]), int(difference.col[worst])


def great_circle_km(lon: Numbers, lat: Numbers) -> np.ndarray:
    """Haversine distances in km between points in degrees, shape (N, N).

    Raises
    ------
    WeightsError
        If a coordinate is missing or outside its range.
    """
    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise WeightsError("lon and lat must be one-dimensional and of the same length")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise WeightsError("lon or lat is missing for some units; supply their coordinates")
    if np.abs(y).max() > 90 or np.abs(x).max() > 360:
        raise WeightsError("lon or lat is out of range; expected degrees, perhaps swapped?")
    x, y = np.radians(x), np.radians(y)
    half = (
        np.sin((y[:, None] - y[None, :]) / 2) ** 2
        + np.cos(y)[:, None] * np.cos(y)[None, :] * np.sin((x[:, None] - x[None, :]) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
