"""Spatial panels against spreg, and their cost as the number of units grows.

Belongs here: rows of the benchmark for the spatial room. Does not belong here: correctness, which
the tests own; agreement is checked so that both sides are known to compute the same thing. All data
are SYNTHETIC.
"""

from __future__ import annotations

import contextlib
import io
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.spatial import Delaunay

from estimation.spatial import build
from estimation.spatial.impacts import impacts
from estimation.spatial.ml import spatial_panel
from estimation.spatial.result import SpatialFit
from estimation.spatial.tests import specification_tests
from estimation.spatial.weights import Weights

Row = dict[str, str | int | float | None]
_SHAPE: dict[str, Any] = {
    "outcome": "y",
    "controls": ["x1", "x2", "x3"],
    "entity": "unit",
    "time": "year",
}


def synthetic_units(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, Weights]:
    """SYNTHETIC points on a map, and the contiguity of their triangulation."""
    generator = np.random.default_rng(seed)
    lon, lat = generator.uniform(100, 122, n), generator.uniform(22, 42, n)
    corners = Delaunay(np.column_stack([lon, lat])).simplices
    pairs = np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    near = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    matrix = sparse.csr_matrix(((near + near.T) > 0).astype(float))
    made = build.from_matrix(matrix, range(n), kind="contiguity", require_symmetric=True)
    return lon, lat, made.normalise("row")


def synthetic_panel(weights: Weights, periods: int = 17, seed: int = 2) -> pd.DataFrame:
    """SYNTHETIC Durbin panel with rho 0.3 and both effects, three regressors."""
    generator = np.random.default_rng(seed)
    n = weights.n
    x = generator.normal(size=(periods, n, 3))
    lagged = weights.lag(np.moveaxis(x, 1, 0))
    signal = x @ [0.5, -0.4, 0.3] + np.moveaxis(lagged, 0, 1) @ [-0.3, 0.2, 0.1]
    signal = signal + generator.normal(size=n) + generator.normal(size=(periods, n))
    signal += np.linspace(0, 1, periods)[:, None]
    inside = sparse.identity(n, format="csc") - 0.3 * sparse.csc_matrix(weights.matrix)
    y = sparse.linalg.splu(inside).solve(signal.T).T
    frame = pd.DataFrame({f"x{j + 1}": x[..., j].ravel() for j in range(3)})
    frame["y"], frame["unit"] = y.ravel(), np.tile(np.arange(n), periods)
    frame["year"] = np.repeat(np.arange(2004, 2004 + periods), n)
    return frame


def _four(n: int) -> tuple[list[Callable[[], Weights]], pd.DataFrame]:
    lon, lat, contiguity = synthetic_units(n)
    groups = list(np.argsort(np.argsort(lon)) * 28 // n)
    income = np.random.default_rng(3).lognormal(size=n)
    ids = range(n)
    makers: list[Callable[[], Weights]] = [
        # Built anew for every run: a Weights keeps its eigenvalues, and they count.
        lambda: build.from_matrix(contiguity.matrix > 0, ids, kind="contiguity").normalise(),
        lambda: build.same_group(ids, groups).normalise(),
        lambda: build.inverse_distance(ids, lon, lat).normalise(),
        lambda: build.economic_distance(ids, income).normalise(),
    ]
    return makers, synthetic_panel(contiguity)


def _ours(makers: list[Callable[[], Weights]], frame: pd.DataFrame) -> list[dict[str, SpatialFit]]:
    """SDM, SAR and SEM with effects and every test, for each matrix, individual effects."""
    out = []
    for make in makers:
        weights = make()
        block = specification_tests(
            frame, weights=weights, effects="individual", allow_disconnected=True, **_SHAPE
        )
        fits = {m: block.fits[m, "individual"] for m in ("sdm", "sar", "sem")}
        for fit in fits.values():
            impacts(fit, draws=1000)
        out.append(fits)
    return out


def _spreg(weights: list[Any], frame: pd.DataFrame) -> list[dict[str, float]]:
    """The nearest models of spreg: individual effects only, its LM tests and Hausman's (lag)."""
    import spreg

    ordered = frame.sort_values(["year", "unit"])
    y, x = ordered[["y"]].to_numpy(), ordered[_SHAPE["controls"]].to_numpy()
    out = []
    for w in weights:
        with contextlib.redirect_stdout(io.StringIO()):  # spreg prints its own class name
            durbin = spreg.ML_LagFE(y, x, w=w, slx_lags=1, spat_impacts="full")
        lag = spreg.Panel_FE_Lag(y, x, w)
        error = spreg.Panel_FE_Error(y, x, w)
        for test in (
            spreg.panel_LMlag,
            spreg.panel_LMerror,
            spreg.panel_rLMlag,
            spreg.panel_rLMerror,
        ):
            test(y, x, w)
        random = spreg.Panel_RE_Lag(y, x, w)
        spreg.panel_Hausman(lag, random)
        out.append(
            {
                "sdm": float(np.ravel(durbin.betas)[-1]),
                "sar": float(np.ravel(lag.betas)[-1]),
                "sem": float(np.ravel(error.betas)[-1]),
            }
        )
    return out


def _timed(work: Callable[[], Any], repeat: int = 3) -> tuple[Any, float]:
    best, result = np.inf, None
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return result, best


def _peak_mb(work: Callable[[], Any]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1024.0**2


def four_matrices_against_spreg() -> Row:
    """Four matrices x (SDM, SAR, SEM) with all tests and effects, 284 x 17."""
    makers, frame = _four(284)
    ours, seconds = _timed(lambda: _ours(makers, frame))
    pysal = [make().to_libpysal() for make in makers]
    theirs, peer_seconds = _timed(lambda: _spreg(pysal, frame), repeat=1)
    # spreg searches to 1e-7; only (-1, 1) is searched there.
    worst = max(
        abs(fit[m].spatial - peer[m])
        for fit, peer in zip(ours, theirs)
        for m in ("sdm", "sar", "sem")
    )
    if worst > 1e-4:
        raise AssertionError(f"spatial parameters differ from spreg's by {worst:.2e}")
    return {
        "name": "4 matrices x (SDM, SAR, SEM) with all tests; spreg has LM and Hausman only",
        "size": "284 units x 17 years",
        "ours_s": seconds,
        "peer": f"spreg ML_LagFE, Panel_FE_Lag/_Error, Panel_RE_Lag (gap {worst:.0e})",
        "peer_s": peer_seconds,
        "ratio": peer_seconds / seconds,
        "peak_mb": _peak_mb(lambda: _ours(makers, frame)),
    }


def _size(n: int) -> Row:
    """SDM with two-way effects, information and impacts, beside the other log-determinant."""
    _, _, weights = synthetic_units(n)
    frame = synthetic_panel(weights)
    matrix = weights.matrix

    def fit(method: str) -> tuple[SpatialFit, pd.DataFrame]:
        fresh = build.from_matrix(matrix > 0, range(n), kind="contiguity").normalise()
        found = spatial_panel(
            frame, weights=fresh, model="sdm", effects="twoway", logdet=method, **_SHAPE
        )
        return found, impacts(found, draws=1000).table

    (ours, table), seconds = _timed(lambda: fit("auto"), repeat=1)
    other = "sparse" if ours.logdet.method == "eigenvalues" else "dense"
    (peer, peer_table), peer_seconds = _timed(lambda: fit(other), repeat=1)
    gap = max(
        float(np.abs(ours.parameters - peer.parameters).max()),
        float(np.abs(table.iloc[:, 2:] - peer_table.iloc[:, 2:]).max().max()),
    )
    if gap > 1e-6:
        raise AssertionError(f"sparse and dense paths differ by {gap:.2e} at N={n}")
    return {
        "name": f"two-way SDM with effects by {ours.logdet.method}",
        "size": f"{n} units x 17 years",
        "ours_s": seconds,
        "peer": f"own {other} path (largest gap {gap:.0e})",
        "peer_s": peer_seconds,
        "ratio": peer_seconds / seconds,
        "peak_mb": _peak_mb(lambda: fit("auto")),
    }


def durbin_284() -> Row:
    """Prefecture-level cities."""
    return _size(284)


def durbin_1000() -> Row:
    """A thousand units."""
    return _size(1000)


def durbin_2800() -> Row:
    """Counties."""
    return _size(2800)


BENCHMARKS = [four_matrices_against_spreg, durbin_284, durbin_1000, durbin_2800]
