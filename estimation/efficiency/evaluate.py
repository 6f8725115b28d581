"""Scores of one technology: from the model's name to a solution for every evaluated unit.

Belongs here: how a model is composed of programmes (super-efficiency for efficient units only,
second phase of the radial model). Does not belong here: tables (``panel``), solvers (``highs``,
``batch``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from estimation.efficiency import programs
from estimation.efficiency.batch import BatchSimplex
from estimation.efficiency.highs import HighsTechnology
from estimation.efficiency.programs import Array, Orientation, Program, Returns, UndesirableTerm
from estimation.efficiency.technology import (
    EFFICIENT_TOLERANCE,
    STATUS_OPTIMAL,
    Solution,
    Technology,
)

Model = Literal["radial", "sbm", "super_sbm"]
Solver = Literal["auto", "highs"]


@dataclass(frozen=True)
class ModelChoice:
    """Everything that decides a score, apart from the data and the frontier."""

    model: Model = "super_sbm"
    returns: Returns = "crs"
    orientation: Orientation = "non"
    undesirable_term: UndesirableTerm = "subtracted"
    solver: Solver = "auto"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("model", self.model, ("radial", "sbm", "super_sbm")),
            ("returns", self.returns, ("crs", "vrs")),
            ("orientation", self.orientation, ("non", "input", "output")),
            ("undesirable_term", self.undesirable_term, ("subtracted", "added")),
            ("solver", self.solver, ("auto", "highs")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")
        if self.model == "radial" and self.orientation == "non":
            raise ValueError("the radial model needs orientation 'input' or 'output'")


@dataclass(frozen=True)
class Evaluation:
    """Solution of a model for the evaluated units of one technology, in their order."""

    solution: Solution
    base: Array
    n_reference: int
    n_frontier: int


def evaluate(
    inputs: Array, good: Array, bad: Array, evaluated: np.ndarray, choice: ModelChoice
) -> Evaluation:
    """Measure some observations against the technology spanned by all of them.

    Parameters
    ----------
    inputs, good, bad : array (N, m), (N, s), (N, b)
        Positive data of the reference observations.
    evaluated : array of int
        Rows to be scored.
    choice : ModelChoice

    Returns
    -------
    Evaluation
        ``base`` is the score without super-efficiency; under ``super_sbm`` inefficient units keep
        it, efficient ones get their super-efficiency score (Tone 2002, section 3).
    """
    tech = Technology.from_data(inputs, good, bad, choice.returns)
    m, s, b = tech.n_inputs, tech.n_good, tech.n_bad
    if choice.model == "radial":
        if b:
            raise ValueError("the radial model has no bad outputs; use sbm or super_sbm")
        base = _radial(tech, evaluated, choice)
        frontier = int((base.value >= 1.0 - EFFICIENT_TOLERANCE).sum())
        return Evaluation(base, base.value, tech.n_units, frontier)
    program = programs.sbm(m, s, b, choice.returns, choice.orientation)
    base, working = _solve(tech, program, evaluated, choice)
    efficient = base.value >= 1.0 - EFFICIENT_TOLERANCE
    result = base
    if choice.model == "super_sbm" and efficient.any():
        left_out = programs.super_sbm(
            m, s, b, choice.returns, choice.orientation, choice.undesirable_term
        )
        who = np.flatnonzero(efficient)
        above, _ = _solve(tech, left_out, evaluated[who], choice, working)
        result = _overlay(base, above, who)
    return Evaluation(result, base.value, tech.n_units, int(efficient.sum()))


def _solve(
    tech: Technology,
    program: Program,
    evaluated: np.ndarray,
    choice: ModelChoice,
    working: np.ndarray | None = None,
) -> tuple[Solution, np.ndarray]:
    """Solution and the reference units it needed, starting from ``working``."""
    if choice.solver == "highs":
        model = HighsTechnology(tech, program, working)
        return model.solve(evaluated), model.working
    outcome = BatchSimplex(tech, program).solve(evaluated, working)
    left = np.flatnonzero(~outcome.certified)
    if not len(left):
        return outcome.solution, outcome.working
    model = HighsTechnology(tech, program, outcome.working)
    return _overlay(outcome.solution, model.solve(evaluated[left]), left), model.working


def _radial(tech: Technology, evaluated: np.ndarray, choice: ModelChoice) -> Solution:
    """Radial factor first, then the largest sum of relative slacks with the factor held."""
    program = programs.radial(tech.n_inputs, tech.n_good, choice.returns, choice.orientation)
    first, working = _solve(tech, program, evaluated, choice)
    factor = first.value if choice.orientation == "input" else 1.0 / first.value
    cost = np.zeros_like(program.cost)
    cost[program.slack] = -1.0
    phase_two = replace(program, name=f"{program.name}, phase two", cost=cost, reciprocal=False)
    second = HighsTechnology(tech, phase_two, working).solve(evaluated, hold=(0, factor))
    solved = second.status == STATUS_OPTIMAL
    merged = _overlay(first, second, np.flatnonzero(solved), only=solved)
    return replace(merged, value=first.value, status=first.status)


def _overlay(
    base: Solution, above: Solution, who: np.ndarray, only: np.ndarray | None = None
) -> Solution:
    """Replace the solution of the units ``who`` of ``base``; ``above`` holds them in this order.

    With ``only`` (a mask over ``above``) just the units it marks are taken over.
    """
    take = np.ones(len(above.value), bool) if only is None else only
    value, status, slack = base.value.copy(), base.status.copy(), base.slack.copy()
    value[who], status[who], slack[who] = above.value[take], above.status[take], above.slack[take]
    keep = ~np.isin(base.peer_unit, who)
    position = np.full(len(above.value), -1, dtype=np.int64)
    position[take] = who
    new = take[above.peer_unit]
    return Solution(
        value=value,
        status=status,
        slack=slack,
        peer_unit=np.r_[base.peer_unit[keep], position[above.peer_unit[new]]],
        peer=np.r_[base.peer[keep], above.peer[new]],
        peer_lambda=np.r_[base.peer_lambda[keep], above.peer_lambda[new]],
    )
