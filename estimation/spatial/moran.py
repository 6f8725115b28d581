"""Global and local Moran's I of a variable, year by year.

Belongs here: spatial autocorrelation of one variable. Does not belong here: models and figures. The
statistic and its moments come from esda; the permutations of the global I are drawn here, because
esda 2.9 takes them from NumPy's global state, where no seed argument reaches.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from estimation.panel import complete_cases
from estimation.spatial.weights import Weights, WeightsError

QUADRANTS = {1: "high-high", 2: "low-high", 3: "low-low", 4: "high-low"}


@dataclass(frozen=True)
class MoranResult:
    """Moran's I per period.

    Attributes
    ----------
    table : DataFrame
        Columns time, moran_i, expected, std_error (randomisation), statistic, p_value (normal, two
        sided), p_permutation (one-sided in the direction of I, as esda), n_units.
    permutations, seed : int
    """

    table: pd.DataFrame
    permutations: int
    seed: int

    def tidy(self, level: float = 0.95) -> pd.DataFrame:
        """Terms ``moran:<time>``; the interval is I plus or minus z times the null's deviation."""
        t = self.table
        reach = stats.norm.ppf(0.5 + level / 2) * t["std_error"]
        return pd.DataFrame(
            {
                "term": [f"moran:{_label(v)}" for v in t["time"]],
                "estimate": t["moran_i"],
                "std_error": t["std_error"],
                "statistic": t["statistic"],
                "p_value": t["p_value"],
                "ci_low": t["moran_i"] - reach,
                "ci_high": t["moran_i"] + reach,
            }
        )


def _label(value: Hashable) -> str:
    return str(int(value)) if isinstance(value, int | float | np.number) else str(value)


def _period(
    frame: pd.DataFrame, entity: str, variable: str, weights: Weights, when: Hashable
) -> tuple[np.ndarray, Weights]:
    aligned = weights.restrict(tuple(frame[entity])) if len(frame) < weights.n else weights
    aligned = aligned.align(tuple(frame[entity]))
    values = frame[variable].to_numpy(dtype=float)
    if len(values) < 4:
        raise WeightsError(f"Moran's I of {variable} in {when}: {len(values)} units; expected 4+")
    if np.ptp(values) == 0:
        raise ValueError(f"Moran's I of {variable} in {when}: all values are {values[0]:.6g}")
    if aligned.matrix.nnz == 0:
        raise WeightsError(f"Moran's I of {variable} in {when}: the units present have no link")
    return values, aligned


def _permutation_p(
    values: np.ndarray, weights: Weights, observed: float, permutations: int, seed: list[int]
) -> float:
    generator = np.random.default_rng(seed)
    z = values - values.mean()
    order = np.argsort(generator.random((permutations, len(z))), axis=1, kind="stable")
    shuffled = z[order].T
    lagged = weights.lag(shuffled)
    scale = len(z) / float(weights.matrix.sum()) / float(z @ z)
    simulated = scale * (shuffled * lagged).sum(axis=0)
    larger = int((simulated >= observed).sum())
    return (min(larger, permutations - larger) + 1) / (permutations + 1)


def moran_by_period(
    data: pd.DataFrame,
    *,
    outcome: str,
    entity: str,
    time: str,
    weights: Weights,
    permutations: int = 999,
    seed: int = 20240101,
) -> MoranResult:
    """Moran's I of ``outcome`` in every period of ``time``.

    Units missing in a period are left out of it, and the weights restricted and normalised again.

    Raises
    ------
    MissingData, ValueError
        Absent column, repeated rows, a constant variable.
    WeightsError
        Units that the weights do not know, or without any link.
    """
    from esda import Moran

    found = complete_cases(data, [outcome], entity=entity, time=time, purpose="Moran's I")
    rows = []
    last: Weights | None = None
    pysal = None
    for position, (when, frame) in enumerate(found.frame.groupby(time, sort=True)):
        values, aligned = _period(frame, entity, outcome, weights, when)
        if last is None or aligned.ids != last.ids:
            last, pysal = aligned, aligned.to_libpysal()
        result = Moran(values, pysal, transformation="o", permutations=0)
        error = float(np.sqrt(result.VI_rand))
        rows.append(
            {
                "time": when,
                "moran_i": float(result.I),
                "expected": float(result.EI),
                "std_error": error,
                "statistic": float(result.z_rand),
                "p_value": float(2 * stats.norm.sf(abs(result.z_rand))),
                "p_permutation": _permutation_p(
                    values, aligned, float(result.I), permutations, [seed, position]
                ),
                "n_units": len(values),
            }
        )
    return MoranResult(pd.DataFrame(rows), permutations, seed)


def local_moran(
    data: pd.DataFrame,
    *,
    outcome: str,
    entity: str,
    time: str,
    period: Hashable,
    weights: Weights,
    permutations: int = 999,
    seed: int = 20240101,
    level: float = 0.05,
) -> pd.DataFrame:
    """Local Moran's I of one period, through esda (conditional permutations).

    Returns
    -------
    DataFrame
        Columns entity, value, spatial_lag, local_i, quadrant (high-high ...), p_permutation,
        cluster (the quadrant where p is at most ``level``, else ``not significant``).

    Raises
    ------
    ValueError
        No row in ``period``, or a constant variable.
    """
    from esda import Moran_Local

    found = complete_cases(data, [outcome], entity=entity, time=time, purpose="local Moran's I")
    frame = found.frame[found.frame[time] == period]
    if frame.empty:
        raise ValueError(f"local Moran's I: no row with {time} = {period}")
    values, aligned = _period(frame, entity, outcome, weights, period)
    result = Moran_Local(
        values,
        aligned.to_libpysal(),
        transformation="o",
        permutations=permutations,
        n_jobs=1,
        keep_simulations=False,
        seed=seed,
    )
    quadrant = [QUADRANTS[int(q)] for q in result.q]
    return pd.DataFrame(
        {
            entity: list(frame[entity]),
            "value": values,
            "spatial_lag": aligned.lag(values),
            "local_i": result.Is,
            "quadrant": quadrant,
            "p_permutation": result.p_sim,
            "cluster": [
                q if p <= level else "not significant" for q, p in zip(quadrant, result.p_sim)
            ],
        }
    )
