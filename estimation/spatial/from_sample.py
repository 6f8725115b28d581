"""Weights described in words (kind and options) for the units of a sample frame.

Belongs here: turning a study's ``weights`` option and the sample's columns (lon, lat, province,
income) into normalised weights. Does not belong here: the constructors (``build``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from estimation.panel import require
from estimation.spatial import build
from estimation.spatial.weights import Weights, WeightsError

KINDS = ("contiguity", "same_province", "inverse_distance", "economic_distance", "knn")


def weights_from_sample(
    data: pd.DataFrame,
    spec: Mapping[str, Any] | str,
    *,
    entity: str,
    links: pd.DataFrame | None = None,
) -> tuple[Weights, dict[str, Any]]:
    """Normalised weights of the units in ``data``, and the ``allow_*`` switches that fit them.

    Parameters
    ----------
    spec : mapping or str
        ``kind`` (one of ``KINDS``); ``normalise`` (row | spectral, default row); ``islands`` (error
        | keep | attach: link to the nearest unit); ``disconnected`` (allow | error). By kind:
        ``power``, ``cutoff_km`` (inverse_distance), ``k`` (knn), ``column`` (same_province: group,
        default province_code; economic_distance: variable averaged over the sample, default
        grp_pc).
    links : DataFrame, optional
        Columns city_code, neighbour_code; needed by contiguity.

    Raises
    ------
    WeightsError
        Unknown kind or key, or contiguity without links.
    MissingData
        The sample lacks the columns that the kind needs.
    """
    given: dict[str, Any] = {"kind": spec} if isinstance(spec, str) else dict(spec)
    kind = str(given.pop("kind", None))
    if kind not in KINDS:
        raise WeightsError(f"weights kind {kind!r} is unknown; use one of {', '.join(KINDS)}")
    normalise = given.pop("normalise", "row")
    islands = given.pop("islands", "keep" if kind == "same_province" else "error")
    apart = kind in ("same_province", "contiguity", "knn") or "cutoff_km" in given
    disconnected = given.pop("disconnected", "allow" if apart else "error")
    if islands not in ("error", "keep", "attach"):
        raise WeightsError(f"islands {islands!r} is unknown; use error, keep or attach")
    units = data.groupby(entity, sort=True)
    ids = tuple(units.groups)
    places = ("lon", "lat")
    if kind in ("inverse_distance", "knn") or islands == "attach":
        require(data, [entity, *places], f"{kind} weights")
    if kind == "inverse_distance":
        made = build.inverse_distance(
            ids,
            units["lon"].first(),
            units["lat"].first(),
            power=float(given.pop("power", 1.0)),
            cutoff_km=given.pop("cutoff_km", None),
        )
    elif kind == "knn":
        made = build.nearest(
            ids, units["lon"].first(), units["lat"].first(), k=int(given.pop("k", 5))
        )
    elif kind == "same_province":
        column = given.pop("column", "province_code")
        require(data, [entity, column], "same-province weights")
        made = build.same_group(ids, units[column].first())
    elif kind == "economic_distance":
        column = given.pop("column", "grp_pc")
        require(data, [entity, column], "economic-distance weights")
        made = build.economic_distance(ids, units[column].mean())
    else:
        made = build.from_edges(ids, _same_type(links, pd.Index(ids)))
    if given:
        raise WeightsError(f"{kind} weights do not know the option(s) {sorted(given)}")
    if islands == "attach":
        made = made.attach_islands(units["lon"].first(), units["lat"].first())
    allow = {
        "allow_islands": islands == "keep",
        "allow_disconnected": disconnected == "allow",
    }
    return made.normalise(normalise), allow


def _same_type(links: pd.DataFrame | None, ids: pd.Index) -> pd.DataFrame:
    if links is None:
        raise WeightsError(
            "contiguity weights need the links between units: hand a table with the columns "
            "city_code and neighbour_code to the run context (cache['contiguity']); it is computed "
            "from the boundaries"
        )
    pairs = links[["city_code", "neighbour_code"]]
    return pairs if pairs["city_code"].dtype == ids.dtype else pairs.astype(ids.dtype)
