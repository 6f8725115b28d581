"""Difference-in-differences against pyfixest: regressions, placebo draws, bootstraps.

Belongs here: timings of ``estimation.did`` and the loops that they replace. Does not belong here:
correctness, which the tests hold. Data are synthetic.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from estimation import mediation
from estimation.did import placebo, twfe, wild

_KEYS: dict[str, Any] = {"outcome": "y", "treatment": "d", "entity": "city", "time": "year"}


def _panel(cities: int, years: int, controls: int, keep: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    city, year = np.repeat(np.arange(cities), years), np.tile(np.arange(years) + 2006, cities)
    adopted = np.where(np.arange(cities) < cities // 4, rng.integers(2010, 2020, cities), 9999)
    frame = pd.DataFrame({"city": city, "year": year})
    frame["d"] = (year >= adopted[city]).astype(float)
    frame["province"] = city // 10
    y = 0.2 * frame["d"] + rng.normal(size=cities)[city] + rng.normal(size=len(frame))
    for k in range(controls):
        frame[f"x{k}"] = rng.normal(size=len(frame)) + rng.normal(size=cities)[city]
        y = y + 0.1 * frame[f"x{k}"]
    frame["m"] = 0.5 * frame["d"] + rng.normal(size=len(frame))
    frame["y"] = y
    return frame.sample(frac=keep, random_state=1) if keep < 1 else frame


def _best(call: Callable[[], Any], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _peak_mb(call: Callable[[], Any]) -> float:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def _row(name: str, size: str, ours: Callable[[], Any], peer: str, peer_s: float) -> dict[str, Any]:
    ours()  # first call pays for imports and warm caches, as the peer's did
    ours_s = _best(ours, 5)
    return {
        "name": name,
        "size": size,
        "ours_s": ours_s,
        "peer": peer,
        "peer_s": peer_s,
        "ratio": peer_s / ours_s,
        "peak_mb": _peak_mb(ours),
    }


def _loop(frame: pd.DataFrame, controls: list[str], timed: int, draws: int, timing: str) -> float:
    """Seconds of ``draws`` regressions by pyfixest, timed on ``timed`` of the same draws."""
    import pyfixest as pf

    ids, years = np.sort(frame["city"].unique()), np.sort(frame["year"].unique())
    first = frame[frame["d"] == 1].groupby("city")["year"].min().reindex(ids)
    code = np.where(first.isna(), len(years), np.searchsorted(years, first.fillna(0)))
    chosen, times = placebo.draw_assignments(
        code.astype(np.int64), len(years), draws=timed, seed=1, timing=timing
    )
    work = frame.copy()
    row = np.searchsorted(ids, work["city"].to_numpy())
    column = np.searchsorted(years, work["year"].to_numpy())
    formula = f"y ~ d + {' + '.join(controls)} | city + year"
    best = np.inf
    for _ in range(2):  # the first round pays for pyfixest's compilation and caches
        spent = 0.0
        for entities, at in zip(chosen, times):
            adopted = np.full(len(ids), 10**6)
            adopted[entities] = at
            work["d"] = (column >= adopted[row]).astype(float)
            start = time.perf_counter()
            pf.feols(formula, work, vcov={"CRV1": "city"})
            spent += time.perf_counter() - start
        best = min(best, spent)
    return best * draws / timed


def _placebo(name: str, keep: float, timing: str) -> dict[str, Any]:
    frame = _panel(298, 18, 6, keep)
    controls = [f"x{k}" for k in range(6)]

    def ours() -> Any:
        return placebo.fit(frame, controls=controls, draws=1000, seed=1, timing=timing, **_KEYS)

    return _row(
        f"placebo, 1,000 draws, {name} (loop timed on 20 draws, scaled)",
        f"{len(frame)} rows, 298 x 18, 6 controls",
        ours,
        "pyfixest.feols loop",
        _loop(frame, controls, 20, 1000, timing),
    )


def placebo_balanced() -> dict[str, Any]:
    """Cities drawn, cohort sizes kept, balanced panel."""
    return _placebo("cities", 1.0, "keep")


def placebo_timing() -> dict[str, Any]:
    """Cities and adoption years drawn, balanced panel."""
    return _placebo("cities and years", 1.0, "draw")


def placebo_unbalanced() -> dict[str, Any]:
    """Cities drawn, 5% of the rows missing."""
    return _placebo("cities, unbalanced", 0.95, "keep")


def regression_two_way() -> dict[str, Any]:
    """One clustered two-way regression, start to end."""
    import pyfixest as pf

    frame = _panel(298, 18, 6)
    controls = [f"x{k}" for k in range(6)]
    formula = f"y ~ d + {' + '.join(controls)} | city + year"

    def peer() -> Any:
        return pf.feols(formula, frame, vcov={"CRV1": "city"})

    peer()
    return _row(
        "two-way fixed effects, clustered",
        f"{len(frame)} rows, 7 regressors",
        lambda: twfe.fit(frame, controls=controls, **_KEYS),
        "pyfixest.feols",
        _best(peer, 5),
    )


def regression_province_year() -> dict[str, Any]:
    """City and province x year effects on an unbalanced panel."""
    import pyfixest as pf

    frame = _panel(298, 18, 6, 0.95)
    frame["py"] = frame["province"] * 100 + frame["year"] - 2000
    controls = [f"x{k}" for k in range(6)]
    formula = f"y ~ d + {' + '.join(controls)} | city + py"

    def peer() -> Any:
        return pf.feols(formula, frame, vcov={"CRV1": "city"})

    peer()
    return _row(
        "city and province x year effects, clustered",
        f"{len(frame)} rows, 7 regressors",
        lambda: twfe.fit(
            frame, controls=controls, fixed_effects=["city", "province^year"], **_KEYS
        ),
        "pyfixest.feols",
        _best(peer, 5),
    )


def mediation_bootstrap() -> dict[str, Any]:
    """Cluster bootstrap of an indirect effect, 1,000 resamples."""
    import pyfixest as pf

    frame = _panel(298, 18, 6)
    controls = [f"x{k}" for k in range(6)]
    tail = f"{' + '.join(controls)} | city + year"

    def pair() -> None:
        pf.feols(f"m ~ d + {tail}", frame, vcov="iid")
        pf.feols(f"y ~ d + m + {tail}", frame, vcov="iid")

    pair()
    return _row(
        "mediation, 1,000 cluster resamples (pair of regressions timed on 10, scaled)",
        f"{len(frame)} rows, 6 controls",
        lambda: mediation.fit(frame, mediator="m", controls=controls, draws=1000, **_KEYS),
        "pyfixest.feols loop",
        1000 * _best(pair, 10),
    )


def wild_bootstrap() -> dict[str, Any]:
    """Wild cluster bootstrap with its inverted interval against diff-diff's with dummies."""
    from diff_diff import wild_bootstrap_se

    frame = _panel(298, 18, 2).sort_values(["city", "year"])
    result = twfe.fit(frame, controls=["x0", "x1"], **_KEYS)
    columns = [frame[c].to_numpy(float) for c in ("d", "x0", "x1")]
    columns += [(frame["year"] == y).to_numpy(float) for y in sorted(frame["year"].unique())[1:]]
    columns += [(frame["city"] == c).to_numpy(float) for c in sorted(frame["city"].unique())]
    x = np.column_stack(columns)
    start = time.perf_counter()
    wild_bootstrap_se(
        x, frame["y"].to_numpy(), result.residuals, frame["city"].to_numpy(), 0,
        n_bootstrap=20, seed=1,
    )  # fmt: skip
    peer_s = (time.perf_counter() - start) * 999 / 20
    return _row(
        "wild cluster bootstrap, 999 draws and interval (peer timed on 20 draws, scaled)",
        f"{len(frame)} rows, 298 clusters",
        lambda: wild.fit(frame, controls=["x0", "x1"], draws=999, seed=1, **_KEYS),
        "diff_diff.wild_bootstrap_se",
        peer_s,
    )


BENCHMARKS = [
    placebo_balanced,
    placebo_timing,
    placebo_unbalanced,
    regression_two_way,
    regression_province_year,
    mediation_bootstrap,
    wild_bootstrap,
]
