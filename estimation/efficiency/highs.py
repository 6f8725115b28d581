"""Linear programmes of one technology on HiGHS: one model, changed in place and warm-started.

Belongs here: everything that talks to highspy. Does not belong here: the algebra of the models
(``programs``) and the vectorised simplex that spares most calls to this module (``batch``).

The model holds few reference columns at first. After each solve all other units are priced with the
duals and the violating ones are added (column generation), so the result is that of the full model.
"""

from __future__ import annotations

import highspy
import numpy as np

from estimation.efficiency.programs import Program
from estimation.efficiency.technology import (
    STATUS_FAILED,
    STATUS_INFEASIBLE,
    STATUS_OPTIMAL,
    STATUS_UNBOUNDED,
    Solution,
    Technology,
)

_OPTIONS: dict[str, bool | int | float | str] = {
    "output_flag": False,
    "presolve": "off",
    "solver": "simplex",
    "threads": 1,
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
    # The technology is scaled already, unit by unit; scaling again would only cost time.
    "simplex_scale_strategy": 0,
}
_PRICE_TOLERANCE = 1e-11
_COLUMNS_PER_ROUND = 4
_FAILED_STATUS = {
    highspy.HighsModelStatus.kInfeasible: STATUS_INFEASIBLE,
    highspy.HighsModelStatus.kUnbounded: STATUS_UNBOUNDED,
    highspy.HighsModelStatus.kUnboundedOrInfeasible: STATUS_INFEASIBLE,
}


class HighsTechnology:
    """One programme over one technology.

    Parameters
    ----------
    technology : Technology
    program : Program
    working : array of int, optional
        Reference units to start with; default the technology's first guess.
    """

    def __init__(
        self, technology: Technology, program: Program, working: np.ndarray | None = None
    ) -> None:
        self._tech = technology
        self._prog = program
        d = program.n_data
        self._entries = [
            (i, c, float(program.special[i, c]))
            for i in range(d)
            for c in range(program.special.shape[1])
            if program.special[i, c] != 0.0
        ]
        self._moving_rhs = [i for i in range(d) if program.rhs[i] != 0.0]
        self._column_of = np.full(technology.n_units, -1, dtype=np.int64)
        self._units: list[int] = []
        self._model = self._empty_model()
        self._add(technology.first_guess() if working is None else np.asarray(working))

    @property
    def working(self) -> np.ndarray:
        """Reference units in the model so far."""
        return np.array(self._units, dtype=np.int64)

    def _empty_model(self) -> highspy.Highs:
        prog = self._prog
        rows, columns = prog.special.shape
        model = highspy.Highs()
        for option, value in _OPTIONS.items():
            model.setOptionValue(option, value)
        for i in range(rows):
            model.addRow(prog.rhs[i], prog.rhs[i], 0, np.empty(0, np.int32), np.empty(0))
        for c in range(columns):
            index = np.flatnonzero(prog.special[:, c]).astype(np.int32)
            model.addCol(
                prog.cost[c],
                prog.lower[c],
                highspy.kHighsInf,
                len(index),
                index,
                prog.special[index, c],
            )
        return model

    def _add(self, units: np.ndarray) -> None:
        units = np.asarray([u for u in units if self._column_of[u] < 0], dtype=np.int64)
        if not len(units):
            return
        d = self._prog.n_data
        count = len(units)
        first = self._prog.special.shape[1] + len(self._units)
        self._model.addCols(
            count,
            np.zeros(count),
            np.zeros(count),
            np.full(count, highspy.kHighsInf),
            count * d,
            np.arange(0, count * d, d, dtype=np.int32),
            np.tile(np.arange(d, dtype=np.int32), count),
            np.ascontiguousarray(self._tech.rows[units]).ravel(),
        )
        self._column_of[units] = first + np.arange(count)
        self._units.extend(int(u) for u in units)

    def _change_to(self, unit: int) -> None:
        own = self._tech.rows[unit]
        for i, c, value in self._entries:
            self._model.changeCoeff(i, c, value * own[i])
        for i in self._moving_rhs:
            bound = self._prog.rhs[i] * own[i]
            self._model.changeRowBounds(i, bound, bound)

    def _run(self) -> highspy.HighsModelStatus:
        self._model.run()
        status = self._model.getModelStatus()
        if status not in _FAILED_STATUS and status != highspy.HighsModelStatus.kOptimal:
            # A basis left by the previous unit can be singular for this one: start afresh once.
            self._model.clearSolver()
            self._model.run()
            status = self._model.getModelStatus()
        return status

    def _solve(self, unit: int) -> str:
        prog, rows = self._prog, self._tech.rows
        self._change_to(unit)
        while True:
            if prog.excludes_self and self._column_of[unit] >= 0:
                self._model.changeColBounds(int(self._column_of[unit]), 0.0, 0.0)
            status = self._run()
            if status == highspy.HighsModelStatus.kOptimal:
                dual = np.asarray(self._model.getSolution().row_dual)[: prog.n_data]
                value = rows @ dual
                limit = _PRICE_TOLERANCE * (1.0 + rows @ np.abs(dual))
                excess = np.where(self._column_of < 0, value - limit, -1.0)
                if prog.excludes_self:
                    excess[unit] = -1.0
                wrong = np.flatnonzero(excess > 0.0)
                if not len(wrong):
                    return STATUS_OPTIMAL
                self._add(wrong[np.argsort(-excess[wrong])[:_COLUMNS_PER_ROUND]])
            elif len(self._units) < self._tech.n_units:
                # Infeasible on the working set says nothing about the full model. The own column
                # makes a unit feasible in its own technology; otherwise bring the rest in.
                if not prog.excludes_self and self._column_of[unit] < 0:
                    self._add(np.array([unit]))
                else:
                    self._add(np.arange(self._tech.n_units))
            else:
                return _FAILED_STATUS.get(status, STATUS_FAILED)

    def solve(self, units: np.ndarray, hold: tuple[int, np.ndarray] | None = None) -> Solution:
        """Solve the programme for some units of the technology, in the order given.

        ``hold`` names a special column and the value it is held at for each unit.
        """
        prog, tech = self._prog, self._tech
        n, q = len(units), prog.special.shape[1]
        value = np.full(n, np.nan)
        status = np.full(n, STATUS_FAILED, dtype=object)
        slack = np.zeros((n, len(prog.slack)))
        peer_unit: list[np.ndarray] = []
        peer: list[np.ndarray] = []
        peer_lambda: list[np.ndarray] = []
        has = prog.slack >= 0
        for k, unit in enumerate(units):
            if hold is not None:
                held = float(hold[1][k])
                self._model.changeColBounds(hold[0], held, held)
            status[k] = self._solve(int(unit))
            if status[k] == STATUS_OPTIMAL:
                x = np.asarray(self._model.getSolution().col_value)
                t = 1.0 if prog.scale is None else x[prog.scale]
                if t <= 1e-12:
                    status[k] = STATUS_UNBOUNDED  # the infimum is approached, never attained
                else:
                    optimum = float(prog.cost @ x[:q])
                    value[k] = -1.0 / optimum if prog.reciprocal else optimum
                    slack[k, has] = x[prog.slack[has]] / t
                    used = np.flatnonzero(x[q:] > 1e-12)
                    who = np.asarray(self._units)[used]
                    peer_unit.append(np.full(len(used), k))
                    peer.append(who)
                    peer_lambda.append(x[q:][used] / t * tech.size[unit] / tech.size[who])
            if prog.excludes_self and self._column_of[unit] >= 0:
                column = int(self._column_of[unit])
                self._model.changeColBounds(column, 0.0, highspy.kHighsInf)
        return Solution(
            value=value,
            status=status,
            slack=slack,
            peer_unit=_join(peer_unit, np.int64),
            peer=_join(peer, np.int64),
            peer_lambda=_join(peer_lambda, np.float64),
        )


def _join(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)
