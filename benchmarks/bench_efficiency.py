"""Efficiency scores against one scipy model per unit, and their cost as the panel grows.

Belongs here: rows of the benchmark for the efficiency room. Does not belong here: correctness,
which the tests own; the agreement printed here only shows that both sides computed the same thing.
All data are SYNTHETIC.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from estimation.efficiency.crosscheck import projection_score
from estimation.efficiency.evaluate import Evaluation, ModelChoice, evaluate
from estimation.efficiency.technology import EFFICIENT_TOLERANCE

Row = dict[str, str | int | float | None]
_TIMED_PEERS = 50


def synthetic_panel(n: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SYNTHETIC city-years: three inputs, GDP from a noisy Cobb-Douglas, one bad output."""
    rng = np.random.default_rng(seed)
    scale = rng.lognormal(sigma=0.9, size=(n, 1))
    inputs = scale * rng.lognormal(sigma=0.45, size=(n, 3))
    waste = np.exp(-np.abs(rng.normal(scale=0.5, size=(n, 1))))
    good = np.exp(np.log(inputs).mean(axis=1, keepdims=True)) * waste
    bad = good * rng.lognormal(sigma=0.6, size=(n, 1))
    return inputs, good, bad


def _ours(n: int, choice: ModelChoice) -> tuple[Evaluation, float]:
    x, y, b = synthetic_panel(n)
    best, result = np.inf, None
    for _ in range(3):
        start = time.perf_counter()
        result = evaluate(x, y, b, np.arange(n), choice)
        best = min(best, time.perf_counter() - start)
    assert result is not None
    return result, best


def _peak_mb(n: int, choice: ModelChoice) -> float:
    """Largest allocation of one run, traced apart from the timed ones."""
    x, y, b = synthetic_panel(n)
    tracemalloc.start()
    evaluate(x, y, b, np.arange(n), choice)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1024.0**2


def _against_scipy(returns: str, solver: str = "auto") -> Row:
    n = 284 * 17
    choice = ModelChoice(returns=returns, solver=solver)  # type: ignore[arg-type]
    ours, seconds = _ours(n, choice)
    x, y, b = synthetic_panel(n)
    # Both kinds of unit in their true proportion, super-efficiency included.
    rng = np.random.default_rng(0)
    efficient = np.flatnonzero(ours.base >= 1 - EFFICIENT_TOLERANCE)
    others = np.setdiff1d(np.arange(n), efficient)
    share = max(1, round(_TIMED_PEERS * len(efficient) / n))
    picked = np.r_[
        rng.choice(efficient, share, replace=False),
        rng.choice(others, _TIMED_PEERS - share, replace=False),
    ]
    start = time.perf_counter()
    # A unit's first model says whether it is efficient; only then is the second one built.
    peer = np.empty(len(picked))
    for k, unit in enumerate(picked):
        peer[k] = projection_score(x, y, b, unit, super_efficiency=False, returns=choice.returns)
        if peer[k] >= 1 - EFFICIENT_TOLERANCE:
            peer[k] = projection_score(x, y, b, unit, super_efficiency=True, returns=choice.returns)
    peer_seconds = (time.perf_counter() - start) * n / len(picked)
    worst = float(np.nanmax(np.abs(peer - ours.solution.value[picked])))
    if not worst < 1e-9 or not np.array_equal(
        np.isnan(peer), np.isnan(ours.solution.value[picked])
    ):
        raise AssertionError(f"scores differ from scipy by {worst:.1e}")
    engine = "" if solver == "auto" else ", HiGHS in place only"
    return {
        "name": f"super-SBM with bad output, global frontier, {returns}{engine}; "
        f"peer timed on {_TIMED_PEERS} units and scaled; largest difference {worst:.0e}",
        "size": n,
        "ours_s": seconds,
        "peer": "scipy linprog (HiGHS), one model per unit",
        "peer_s": peer_seconds,
        "ratio": peer_seconds / seconds,
        "peak_mb": _peak_mb(n, choice),
    }


def super_sbm_crs() -> Row:
    """4,828 units, constant returns."""
    return _against_scipy("crs")


def super_sbm_vrs() -> Row:
    """4,828 units, variable returns."""
    return _against_scipy("vrs")


def super_sbm_crs_highs() -> Row:
    """4,828 units with every programme on HiGHS: what in-place changes alone are worth."""
    return _against_scipy("crs", "highs")


def _cost(n: int) -> Callable[[], Row]:
    def row() -> Row:
        result, seconds = _ours(n, ModelChoice())
        return {
            "name": f"super-SBM crs, cost against N ({result.n_frontier} efficient, "
            f"{1e6 * seconds / n:.0f} us per unit)",
            "size": n,
            "ours_s": seconds,
            "peer": None,
            "peer_s": None,
            "ratio": None,
            "peak_mb": _peak_mb(n, ModelChoice()),
        }

    row.__name__ = f"super_sbm_cost_{n}"
    return row


def contemporaneous_panel() -> Row:
    """284 units x 17 periods, one frontier per period, against the global frontier's cost."""
    x, y, b = synthetic_panel(284 * 17)
    start = time.perf_counter()
    for period in range(17):
        rows = slice(284 * period, 284 * (period + 1))
        evaluate(x[rows], y[rows], b[rows], np.arange(284), ModelChoice())
    return {
        "name": "super-SBM crs, 17 contemporaneous frontiers, one process",
        "size": 284 * 17,
        "ours_s": time.perf_counter() - start,
        "peer": None,
        "peer_s": None,
        "ratio": None,
        "peak_mb": _peak_mb(284, ModelChoice()),
    }


BENCHMARKS: list[Callable[[], Row]] = [
    super_sbm_crs,
    super_sbm_vrs,
    super_sbm_crs_highs,
    contemporaneous_panel,
    *(_cost(n) for n in (1200, 2400, 4800, 9600)),
]

if __name__ == "__main__":
    for benchmark in BENCHMARKS:
        print(benchmark())
