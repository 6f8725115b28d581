"""Global Malmquist-Luenberger productivity index with bad outputs.

Belongs here: productivity change between consecutive periods and its two components. Does not
belong here: levels of efficiency (``panel``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from estimation.efficiency import programs
from estimation.efficiency.data import Observations, read_observations
from estimation.efficiency.frontiers import Task, tasks
from estimation.efficiency.highs import HighsTechnology
from estimation.efficiency.programs import Array, Returns
from estimation.efficiency.technology import STATUS_OPTIMAL, Technology


def directional_distance(
    obs: Observations, task: Task, returns: Returns = "crs"
) -> tuple[Array, np.ndarray]:
    """Directional distance of the evaluated rows to the frontier of the reference rows.

    Returns
    -------
    tuple of array
        Distances in the direction (y, -b), NaN without a solution, and statuses.
    """
    reference = task.reference
    tech = Technology.from_data(
        obs.inputs[reference], obs.good[reference], obs.bad[reference], returns
    )
    program = programs.directional(tech.n_inputs, tech.n_good, tech.n_bad, returns)
    position = np.full(len(obs.labels), -1, dtype=np.int64)
    position[reference] = np.arange(len(reference))
    units = position[task.evaluated]
    # Bad outputs are weakly disposable here, so a unit inside the strongly disposable technology
    # can still lie on this frontier: all units are priced, none is presumed redundant.
    solution = HighsTechnology(tech, program).solve(units)
    distance = np.where(solution.status == STATUS_OPTIMAL, -solution.value, np.nan)
    return distance, solution.status


def global_malmquist_luenberger(
    data: pd.DataFrame,
    *,
    unit: str,
    time: str,
    inputs: Sequence[str],
    good_outputs: Sequence[str],
    bad_outputs: Sequence[str],
    returns: Returns = "crs",
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Global Malmquist-Luenberger index (Oh 2010), between a unit's consecutive observed periods.

        GML^{t,t+1} = (1 + D^G(t)) / (1 + D^G(t+1))
        EC          = (1 + D^t(t)) / (1 + D^{t+1}(t+1))            efficiency change
        BPC         = GML / EC                                     best-practice change

    with D the directional distance function of ``programs.directional``, D^G against all periods
    and D^t against period t. Values above one are improvements. Because the frontier is global the
    index is circular: it can be chained.

    Parameters
    ----------
    data : DataFrame
        One row per unit and period, positive data. Units may enter and leave; a period in which a
        unit is not observed breaks its chain and gives no row.
    unit, time : str
    inputs, good_outputs, bad_outputs : sequence of str
        At least one bad output.
    returns : {"crs", "vrs"}
        The index is defined under constant returns.
    progress : callable, optional
        Called with one line of text per finished technology.

    Returns
    -------
    DataFrame
        One row per unit and period from its second on: unit, time, ``gml``, ``efficiency_change``,
        ``best_practice_change``, ``cumulative`` (product of gml since the unit's last gap),
        ``status`` (``optimal``, or why a value is missing).

    Raises
    ------
    EfficiencyDataError
        As ``efficiency_panel``; ValueError without bad outputs.

    Notes
    -----
    Source: Oh (2010), Journal of Productivity Analysis 34, 183-197, eq. (4)-(6).
    """
    obs = read_observations(
        data,
        unit=unit,
        time=time,
        inputs=inputs,
        good_outputs=good_outputs,
        bad_outputs=bad_outputs,
    )
    n = len(obs.labels)
    times = obs.labels[time]
    work = [*tasks(times, n, "global"), *tasks(times, n, "contemporaneous")]
    distances = np.full((2, n), np.nan)
    status = np.full(n, STATUS_OPTIMAL, dtype=object)
    for k, task in enumerate(work):
        distance, solved = directional_distance(obs, task, returns)
        distances[min(k, 1), task.evaluated] = distance
        failed = solved != STATUS_OPTIMAL
        status[task.evaluated[failed]] = solved[failed]
        if progress is not None:
            progress(f"directional distance {k + 1}/{len(work)} ({task.label})")
    table = obs.labels.assign(d_global=distances[0], d_own=distances[1], status=status)
    # Periods are counted by rank so that the step between surveys every second year is one.
    table = table.assign(period=times.rank(method="dense").astype(int)).sort_values([unit, time])
    before = table.groupby(unit, sort=False)[["d_global", "d_own", "status", "period"]].shift()
    linked = (table["period"] - before["period"]) == 1
    gml = (1.0 + before["d_global"]) / (1.0 + table["d_global"])
    change = (1.0 + before["d_own"]) / (1.0 + table["d_own"])
    result = table[[unit, time]].assign(
        gml=gml,
        efficiency_change=change,
        best_practice_change=gml / change,
        status=np.where(before["status"] == STATUS_OPTIMAL, table["status"], before["status"]),
    )
    chain = (~linked).groupby(table[unit], sort=False).cumsum()
    result = result[linked]
    cumulative = result["gml"].groupby([table[unit][linked], chain[linked]], sort=False).cumprod()
    return result.assign(cumulative=cumulative).reset_index(drop=True)[
        [
            unit,
            time,
            "gml",
            "efficiency_change",
            "best_practice_change",
            "cumulative",
            "status",
        ]
    ]
