"""Efficiency scores of a panel: the public entry point of this room.

Belongs here: the loop over frontiers, workers and progress, and the tables that come back. Does not
belong here: models (``programs``), one technology's scores (``evaluate``), checks (``data``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from estimation.efficiency import programs
from estimation.efficiency.data import Observations, read_observations
from estimation.efficiency.evaluate import Evaluation, Model, ModelChoice, Solver, evaluate
from estimation.efficiency.frontiers import Frontier, Task, tasks
from estimation.efficiency.programs import Orientation, Returns, UndesirableTerm
from estimation.efficiency.result import EfficiencyResult
from estimation.efficiency.technology import EFFICIENT_TOLERANCE, STATUS_OPTIMAL

Progress = Callable[[str], None]


def efficiency_panel(
    data: pd.DataFrame,
    *,
    unit: str,
    time: str | None = None,
    inputs: Sequence[str],
    good_outputs: Sequence[str],
    bad_outputs: Sequence[str] = (),
    model: Model = "sbm",
    returns: Returns = "crs",
    orientation: Orientation = "non",
    frontier: Frontier = "global",
    window: int = 3,
    undesirable_term: UndesirableTerm = "subtracted",
    solver: Solver = "auto",
    workers: int = 1,
    progress: Progress | None = None,
) -> EfficiencyResult:
    """Score every unit of a panel.

    Parameters
    ----------
    data : DataFrame
        One row per unit (and period); any order. Positive data only.
    unit, time : str
        Label columns; ``time`` may be None for a cross-section (global frontier).
    inputs, good_outputs, bad_outputs : sequence of str
        Columns, in any unit of measurement: scores do not depend on it.
    model : {"radial", "sbm", "super_sbm"}
        CCR/BCC, slacks-based measure, or slacks-based super-efficiency.
    returns : {"crs", "vrs"}
    orientation : {"non", "input", "output"}
        The radial model needs one of the last two.
    frontier : {"global", "contemporaneous", "sequential", "window"}
        See ``frontiers.tasks``. Under ``window`` the score is the mean over the windows that hold
        the observation, missing if any of them has no solution; slacks, targets and peers are
        those of the last window.
    window : int
        Periods per window.
    undesirable_term : {"subtracted", "added"}
        Convention of super-SBM for the bad outputs, see ``programs.super_sbm``.
    solver : {"auto", "highs"}
        ``auto`` lets the vectorised simplex solve what it can certify; ``highs`` solves every
        programme on HiGHS. Scores agree to 1e-9, or to 1e-8 when the data span five orders of
        magnitude, where the tolerances of HiGHS become visible.
    workers : int
        Processes for the periods of a contemporaneous, sequential or window frontier; the result
        does not depend on it.
    progress : callable, optional
        Called with one line of text per finished technology.

    Returns
    -------
    EfficiencyResult

    Raises
    ------
    EfficiencyDataError
        For missing, zero or negative data, listing the units.
    ValueError
        For an unknown option.
    """
    choice = ModelChoice(model, returns, orientation, undesirable_term, solver)
    obs = read_observations(
        data,
        unit=unit,
        time=time,
        inputs=inputs,
        good_outputs=good_outputs,
        bad_outputs=bad_outputs,
    )
    times = None if time is None else obs.labels[time]
    work = tasks(times, len(obs.labels), frontier, window)
    collected = _Collector(obs, choice, unit, time)
    jobs = (delayed(_run)(obs, task, choice) for task in work)
    done: Iterator[Evaluation]
    if workers > 1 and len(work) > 1:
        done = Parallel(n_jobs=workers, return_as="generator")(jobs)
    else:
        done = (_run(obs, task, choice) for task in work)
    for k, (task, evaluation) in enumerate(zip(work, done, strict=True), start=1):
        collected.take(task, evaluation)
        if progress is not None:
            progress(
                f"efficiency {k}/{len(work)} ({task.label}): {len(task.evaluated)} units against "
                f"{evaluation.n_reference}, {evaluation.n_frontier} efficient"
            )
    record: dict[str, str | int | float] = {
        "model": model,
        "returns": returns,
        "orientation": orientation,
        "frontier": f"window of {window}" if frontier == "window" else frontier,
        "inputs": ", ".join(inputs),
        "good_outputs": ", ".join(good_outputs),
        "bad_outputs": ", ".join(bad_outputs),
        "n_technologies": len(work),
    }
    if model == "super_sbm" and bad_outputs:
        record["undesirable_term"] = undesirable_term
    return collected.result([*inputs, *good_outputs, *bad_outputs], record)


def super_sbm_panel(
    data: pd.DataFrame,
    *,
    unit: str,
    time: str,
    inputs: Sequence[str],
    good_outputs: Sequence[str],
    bad_outputs: Sequence[str] = (),
    returns: Returns = "crs",
    frontier: Frontier = "global",
    orientation: Orientation = "non",
    super_efficiency: bool = True,
    undesirable_term: UndesirableTerm = "subtracted",
    window: int = 3,
    workers: int = 1,
    progress: Progress | None = None,
) -> EfficiencyResult:
    """Super-SBM with undesirable outputs of a panel; the usual call of the applied literature.

    ``efficiency_panel`` with ``model="super_sbm"`` (or ``"sbm"`` without ``super_efficiency``); see
    there for parameters, result and errors.

    Notes
    -----
    A city's pollution-reduction efficiency is this model with labour, capital and energy as inputs,
    real GDP as good output and PM2.5 as bad output; its carbon-reduction efficiency has CO2
    instead. ``estimation.indices.coupled_efficiency`` joins the two.
    """
    return efficiency_panel(
        data,
        unit=unit,
        time=time,
        inputs=inputs,
        good_outputs=good_outputs,
        bad_outputs=bad_outputs,
        model="super_sbm" if super_efficiency else "sbm",
        returns=returns,
        orientation=orientation,
        frontier=frontier,
        window=window,
        undesirable_term=undesirable_term,
        workers=workers,
        progress=progress,
    )


def _run(obs: Observations, task: Task, choice: ModelChoice) -> Evaluation:
    """One technology. One BLAS thread, so that digits do not depend on workers or machine load."""
    reference = task.reference
    position = np.full(len(obs.labels), -1, dtype=np.int64)
    position[reference] = np.arange(len(reference))
    with threadpool_limits(limits=1, user_api="blas"):
        return evaluate(
            obs.inputs[reference],
            obs.good[reference],
            obs.bad[reference],
            position[task.evaluated],
            choice,
        )


class _Collector:
    """Puts the solutions of several technologies back into the order of the panel."""

    def __init__(self, obs: Observations, choice: ModelChoice, unit: str, time: str | None) -> None:
        n, d = obs.data.shape
        m, s, b = obs.inputs.shape[1], obs.good.shape[1], obs.bad.shape[1]
        if choice.model == "super_sbm":
            program = programs.super_sbm(
                m, s, b, choice.returns, choice.orientation, choice.undesirable_term
            )
            self._super_sign = program.slack_sign
        self._obs, self._choice, self._unit, self._time = obs, choice, unit, time
        self._sum, self._base, self._count = np.zeros(n), np.zeros(n), np.zeros(n)
        self._status = np.full(n, "", dtype=object)
        self._share = np.zeros((n, d))
        self._peers: list[pd.DataFrame] = []
        self._last = np.full(n, -1)
        self._own_sign = np.r_[-np.ones(m), np.ones(s), -np.ones(b)]

    def take(self, task: Task, evaluation: Evaluation) -> None:
        """Add one technology; a later one of the same observation replaces slacks and peers."""
        rows, solution = task.evaluated, evaluation.solution
        self._sum[rows] += solution.value
        self._base[rows] += evaluation.base
        self._count[rows] += 1
        failed = solution.status != STATUS_OPTIMAL
        fresh = (self._status[rows] == "") | (self._status[rows] == STATUS_OPTIMAL)
        self._status[rows] = np.where(fresh | failed, solution.status, self._status[rows])
        sign = np.broadcast_to(self._own_sign, solution.slack.shape)
        if self._choice.model == "super_sbm":
            above = evaluation.base >= 1.0 - EFFICIENT_TOLERANCE
            sign = np.where(above[:, None], self._super_sign, sign)
        shift = sign * solution.slack
        shift[failed] = np.nan
        self._share[rows] = shift
        self._last[rows] = len(self._peers)
        self._peers.append(
            pd.DataFrame(
                {
                    "technology": len(self._peers),
                    "row": rows[solution.peer_unit],
                    "peer": task.reference[solution.peer],
                    "weight": solution.peer_lambda,
                }
            )
        )

    def result(
        self, variables: list[str], record: dict[str, str | int | float]
    ) -> EfficiencyResult:
        """Assemble the tables."""
        labels, data = self._obs.labels, self._obs.data
        score, base = self._sum / self._count, self._base / self._count
        efficient = pd.array(base >= 1.0 - EFFICIENT_TOLERANCE, dtype="boolean")
        efficient[np.isnan(base)] = pd.NA
        scores = labels.assign(
            score=score, status=self._status.astype(str), efficient=efficient, base_score=base
        )
        moved = data * self._share
        targets = labels.join(pd.DataFrame(data + moved, columns=variables))
        # A slack is what is wasted: excess of inputs and bad outputs, shortfall of good outputs.
        slacks = labels.join(pd.DataFrame(moved * self._own_sign + 0.0, columns=variables))
        peers = pd.concat(self._peers, ignore_index=True)
        last = self._last[peers["row"].to_numpy()] == peers["technology"].to_numpy()
        peers = peers[last].sort_values(["row", "weight", "peer"], ascending=[True, False, True])
        own = labels.iloc[peers["row"].to_numpy()].reset_index(drop=True)
        other = labels.iloc[peers["peer"].to_numpy()].reset_index(drop=True)
        table = own.assign(peer_unit=other[self._unit].to_numpy())
        if self._time is not None:
            table = table.assign(peer_time=other[self._time].to_numpy())
        table = table.assign(weight=peers["weight"].to_numpy())
        return EfficiencyResult(scores, slacks, targets, table, record)
