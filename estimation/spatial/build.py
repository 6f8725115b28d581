"""Constructors of spatial weights from what a sample holds: labels, coordinates, groups, edges.

Belongs here: one function per kind of weights. Does not belong here: the matrix itself and its
checks (``weights``). No function reads a file: polygons arrive as a GeoDataFrame, links as rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from estimation.spatial.weights import (
    Numbers,
    Weights,
    WeightsError,
    _asymmetry,
    _some,
    great_circle_km,
)

if TYPE_CHECKING:
    import geopandas


def from_matrix(
    matrix: np.ndarray | sparse.spmatrix | pd.DataFrame,
    ids: Sequence[Hashable] | None = None,
    *,
    kind: str = "given",
    require_symmetric: bool = False,
    normalisation: str | None = None,
) -> Weights:
    """Weights from a square matrix; a labelled DataFrame brings its own ids.

    Parameters
    ----------
    matrix : (N, N)
        Non-negative weights, zero diagonal.
    ids : sequence, optional
        Labels of rows and columns; needed unless ``matrix`` is a DataFrame.
    require_symmetric : bool
        Refuse an asymmetric matrix (contiguity and distance are symmetric by nature).
    normalisation : str, optional
        ``none``, ``row`` or ``spectral``; by default ``row`` where all rows with links sum to one.

    Raises
    ------
    WeightsError
        No labels, labels of rows and columns that differ, or asymmetry where refused.
    """
    if isinstance(matrix, pd.DataFrame):
        if list(matrix.index) != list(matrix.columns):
            raise WeightsError(
                f"{kind} weights: row labels differ from column labels "
                f"(first rows {_some(list(matrix.index), 3)}, "
                f"columns {_some(list(matrix.columns), 3)}); order both the same way"
            )
        ids = list(matrix.index) if ids is None else ids
        matrix = matrix.to_numpy(dtype=float)
    if ids is None:
        raise WeightsError(
            f"{kind} weights came without labels; pass ids in row order, so that they can be "
            "matched with the panel instead of trusting its order"
        )
    rows = sparse.csr_matrix(matrix, dtype=float)
    rows.eliminate_zeros()
    if rows.shape[0] != rows.shape[1]:
        raise WeightsError(f"{kind} weights are {rows.shape}; expected a square matrix")
    labels = tuple(ids)
    place = _asymmetry(rows)
    if place is not None and require_symmetric:
        i, j = place
        raise WeightsError(
            f"{kind} weights are asymmetric: {labels[i]} -> {labels[j]} is {rows[i, j]:.6g}, "
            f"{labels[j]} -> {labels[i]} is {rows[j, i]:.6g}; expected equal values before "
            "normalisation"
        )
    sums = np.asarray(rows.sum(axis=1)).ravel()
    if normalisation is None:
        ones = rows.nnz > 0 and bool(np.abs(sums[sums > 0] - 1).max() < 1e-10)
        normalisation = "row" if ones else "none"
    return Weights(
        labels,
        rows,
        kind,
        normalisation=normalisation,
        similarity=np.ones(len(labels)) if place is None else None,
    )


def from_edges(
    ids: Sequence[Hashable],
    edges: pd.DataFrame,
    *,
    source: str = "city_code",
    target: str = "neighbour_code",
    kind: str = "contiguity",
    symmetrise: bool = False,
) -> Weights:
    """Binary weights from a list of links, one row per directed link.

    Links of units outside ``ids`` are left out (the panel may hold fewer units than the map).

    Raises
    ------
    WeightsError
        A link without its counterpart, unless ``symmetrise``; columns that are absent; or no link
        between the units at all (typically text codes against numbers).
    """
    absent = [c for c in (source, target) if c not in edges.columns]
    if absent:
        raise WeightsError(f"the edge list lacks the column(s) {absent}; it has {list(edges)}")
    labels = pd.Index(tuple(ids))
    rows = labels.get_indexer(pd.Index(edges[source]))
    columns = labels.get_indexer(pd.Index(edges[target]))
    inside = (rows >= 0) & (columns >= 0) & (rows != columns)
    if not inside.any():
        raise WeightsError(
            f"none of the {len(edges)} links joins two of the {len(labels)} units; first link "
            f"{_some(list(edges[source].head(1)), 1)} -> {_some(list(edges[target].head(1)), 1)}, "
            f"first unit {_some(list(labels), 1)}: are the codes of the same type?"
        )
    ones = np.ones(int(inside.sum()))
    n = len(labels)
    matrix = sparse.csr_matrix((ones, (rows[inside], columns[inside])), shape=(n, n))
    matrix.data[:] = 1.0  # a link listed twice stays one link
    if symmetrise:
        matrix = sparse.csr_matrix(matrix.maximum(matrix.T))
    return from_matrix(
        matrix, tuple(labels), kind=kind, require_symmetric=True, normalisation="none"
    )


def edges_from_polygons(
    polygons: geopandas.GeoDataFrame, *, code: str = "city_code", rook: bool = False
) -> pd.DataFrame:
    """Queen (or rook) contiguity of polygons as an edge list, through libpysal.

    Returns
    -------
    DataFrame
        Columns ``city_code``, ``neighbour_code``, both directions, sorted.
    """
    from libpysal.graph import Graph

    if code not in polygons.columns:
        raise WeightsError(f"the polygons lack the column {code}; they have {list(polygons)}")
    frame = polygons.set_index(code).sort_index()
    if frame.index.has_duplicates:
        first = frame.index[frame.index.duplicated()][0]
        raise WeightsError(f"{code} {first} has several polygons; dissolve them first")
    graph = Graph.build_contiguity(frame.geometry, rook=rook, strict=True)
    pairs = graph.adjacency[graph.adjacency > 0].reset_index()
    out = pd.DataFrame(
        {"city_code": pairs["focal"].to_numpy(), "neighbour_code": pairs["neighbor"].to_numpy()}
    )
    return out.sort_values(["city_code", "neighbour_code"], ignore_index=True)


def same_group(
    ids: Sequence[Hashable], groups: Sequence[Hashable] | pd.Series, *, kind: str = "same_province"
) -> Weights:
    """1 between units of the same group (province), 0 otherwise; a group of one is an island."""
    from libpysal.graph import Graph

    labels = tuple(ids)
    series = pd.Series(list(groups), index=pd.RangeIndex(len(labels)))
    if len(series) != len(labels) or series.isna().any():
        raise WeightsError(f"{kind} weights need a group for each of the {len(labels)} units")
    graph = Graph.build_block_contiguity(series)
    return from_matrix(
        graph.sparse, labels, kind=kind, require_symmetric=True, normalisation="none"
    )


def inverse_distance(
    ids: Sequence[Hashable],
    lon: Numbers,
    lat: Numbers,
    *,
    power: float = 1.0,
    cutoff_km: float | None = None,
) -> Weights:
    """Weights d_ij^-power of great-circle distances, zero beyond ``cutoff_km``.

    Raises
    ------
    WeightsError
        If two units share their coordinates: the weight would be infinite.
    """
    labels = tuple(ids)
    distance = great_circle_km(lon, lat)
    off = ~np.eye(len(labels), dtype=bool)
    if (distance[off] == 0).any():
        i, j = np.argwhere((distance == 0) & off)[0]
        raise WeightsError(f"{labels[i]} and {labels[j]} have the same coordinates")
    values = np.zeros_like(distance)
    values[off] = distance[off] ** -power
    if cutoff_km is not None:
        values[distance > cutoff_km] = 0.0
    out = from_matrix(
        values, labels, kind="inverse_distance", require_symmetric=True, normalisation="none"
    )
    return replace(out, notes={"power": power, "cutoff_km": cutoff_km})


def nearest(ids: Sequence[Hashable], lon: Numbers, lat: Numbers, *, k: int = 5) -> Weights:
    """1 for the k nearest units by great circle; ties go to the unit listed first. Asymmetric."""
    labels = tuple(ids)
    if not 1 <= k < len(labels):
        raise WeightsError(f"k nearest neighbours needs 1 <= k < {len(labels)}; got k={k}")
    distance = great_circle_km(lon, lat)
    np.fill_diagonal(distance, np.inf)
    chosen = np.argsort(distance, axis=1, kind="stable")[:, :k]
    n = len(labels)
    rows = np.repeat(np.arange(n), k)
    matrix = sparse.csr_matrix((np.ones(n * k), (rows, chosen.ravel())), shape=(n, n))
    return replace(from_matrix(matrix, labels, kind="knn", normalisation="none"), notes={"k": k})


def economic_distance(ids: Sequence[Hashable], values: Numbers) -> Weights:
    """Weights 1 / |v_i - v_j| of a sample average, e.g. real GDP per head over the years.

    Raises
    ------
    WeightsError
        Missing values, or two units with the same value: the weight would be infinite.
    """
    labels = tuple(ids)
    v = np.asarray(values, dtype=float)
    if v.shape != (len(labels),) or not np.isfinite(v).all():
        bad = [i for i, x in zip(labels, v) if not np.isfinite(x)]
        raise WeightsError(f"economic distance needs one finite value per unit; bad: {_some(bad)}")
    gap = np.abs(v[:, None] - v[None, :])
    off = ~np.eye(len(labels), dtype=bool)
    if (gap[off] == 0).any():
        i, j = np.argwhere((gap == 0) & off)[0]
        raise WeightsError(
            f"{labels[i]} and {labels[j]} have the same average ({v[i]:.6g}); their economic "
            "distance is zero and its inverse infinite. Use a less rounded variable"
        )
    out = np.zeros_like(gap)
    out[off] = 1.0 / gap[off]
    return from_matrix(
        out, labels, kind="economic_distance", require_symmetric=True, normalisation="none"
    )
