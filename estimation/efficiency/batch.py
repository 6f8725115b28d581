"""A primal simplex that pivots all units of a technology at once, in numpy.

Belongs here: programmes with a known feasible basis, solved for thousands of units together. Does
not belong here: finding those bases (``starts``), units without one, and the models themselves.

Why not a library: a DEA programme has five to ten rows, and one call of a general solver spends far
more time on entering and leaving than on pivoting. Here one matrix product prices every unit
against every reference column and one batched rank-one update pivots every unit. Nothing is
approximated: a unit's result counts only with a certificate (fresh factorisation, primal and dual
feasibility to 1e-10), and a unit without one goes to HiGHS.

Only a working set of reference columns is held, and the reduction is exact:

* Without super-efficiency, a unit outside the working set whose score is one *with its own column
  available* joins the set. When none is left, every other unit is dominated by a combination of the
  working set, which therefore spans the same technology as all units do.
* With super-efficiency a unit leaves its own frontier and units behind it come forward, so the
final
  duals price *all* units and violating columns join the set until none is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimation.efficiency.programs import Array, Program
from estimation.efficiency.starts import own_column_start, single_peer_start
from estimation.efficiency.technology import (
    EFFICIENT_TOLERANCE,
    STATUS_FAILED,
    STATUS_OPTIMAL,
    STATUS_UNBOUNDED,
    Solution,
    Technology,
)

_REDUCED_COST = 1e-11
_PIVOT = 1e-9
_CERTIFICATE = 1e-10
_REFACTOR_EVERY = 20
_PATIENCE = 40
_PERTURBATION = 1e-7
_MAX_PIVOTS = 300
_PRICE_BLOCK = 4096


@dataclass(frozen=True)
class BatchOutcome:
    """Solution, which units are certified, and the reference units that span the technology."""

    solution: Solution
    certified: np.ndarray
    working: np.ndarray


class BatchSimplex:
    """One programme over one technology, for many units at once.

    Column codes: 0 .. q-1 special columns, q the unit's own column, q+1 .. the working set.
    """

    def __init__(self, technology: Technology, program: Program) -> None:
        self.technology, self.program = technology, program
        self.q = program.special.shape[1]
        own = np.r_[np.ones(program.n_data), np.zeros(program.n_rows - program.n_data)]
        self.fixed = np.column_stack([program.special, own])
        self.fixed_cost = np.r_[program.cost, 0.0]

    def solve(self, units: np.ndarray, working: np.ndarray | None = None) -> BatchOutcome:
        """Solve for ``units``; without super-efficiency all others are solved along with them.

        ``working`` are the reference units to start with.
        """
        if working is None:
            working = self.technology.first_guess()
        if self.program.excludes_self:
            return self._solve_leaving_out(units, working)
        everyone = np.arange(self.technology.n_units)
        basis = own_column_start(self.program, len(everyone))
        state = _State(self, everyone, working, basis)
        while True:
            state.pivot_to_optimum()
            # A unit that got stuck may be on the frontier: as long as that is open, it joins.
            candidate = ~(state.value() < 1.0 - EFFICIENT_TOLERANCE)
            fresh = np.setdiff1d(everyone[candidate], working)
            if not len(fresh):
                break
            working = np.r_[working, fresh]
            state.extend(working)
        certified = state.certify(working)
        return BatchOutcome(state.solution(units, certified), certified[units], working)

    def _solve_leaving_out(self, units: np.ndarray, working: np.ndarray) -> BatchOutcome:
        basis = single_peer_start(self.technology, self.program, units, working)
        state = _State(self, units, working, basis)
        everyone = np.arange(self.technology.n_units)
        while True:
            state.pivot_to_optimum()
            fresh = np.setdiff1d(state.violated(everyone), working)
            if not len(fresh):
                break
            working = np.r_[working, fresh]
            state.extend(working)
        certified = state.certify(everyone)
        return BatchOutcome(state.solution(np.arange(len(units)), certified), certified, working)


class _State:
    """Bases, basic values and inverses of some units."""

    def __init__(
        self, parent: BatchSimplex, units: np.ndarray, working: np.ndarray, basis: np.ndarray
    ) -> None:
        self._p, self._prog, self._q = parent, parent.program, parent.q
        self._rows = parent.technology.rows
        self._units = units
        self._inverse_own = 1.0 / self._rows[units]
        self._working = working
        n, r = basis.shape
        self.basis = basis.copy()
        self.inverse = np.tile(np.eye(r), (n, 1, 1))
        self.x = np.zeros((n, r))
        self._rhs = np.tile(parent.program.rhs, (n, 1))
        self._stuck: NDArray[np.bool_] = np.asarray((basis < 0).any(axis=1))
        self._refactor(np.flatnonzero(~self._stuck))

    def extend(self, working: np.ndarray) -> None:
        """Append reference columns; codes of the earlier ones stay."""
        self._working = working

    def value(self) -> Array:
        """Objective in score form, NaN for units that got stuck."""
        objective = (self._basic_cost(self.basis) * self.x).sum(axis=1)
        score = -1.0 / objective if self._prog.reciprocal else objective
        return np.where(self._stuck, np.nan, score)

    def _basic_cost(self, basis: np.ndarray) -> Array:
        q = self._q
        cost: Array = self._p.fixed_cost[np.minimum(basis, q)]
        return cost

    def _columns(self, rows: np.ndarray, codes: np.ndarray) -> Array:
        """Columns (len(rows), R) of the given codes in the scaled form of each unit."""
        q, prog = self._q, self._prog
        result = self._p.fixed.T[np.minimum(codes, q)]
        reference = np.flatnonzero(codes > q)
        if len(reference):
            data = self._rows[self._working[codes[reference] - q - 1]]
            result[reference, : prog.n_data] = data * self._inverse_own[rows[reference]]
            result[reference, prog.n_data :] = 0.0
        return result

    def _price(
        self, rows: np.ndarray, dual: Array, reference: np.ndarray
    ) -> tuple[np.ndarray, Array]:
        """Most negative reduced cost of each unit, and its column.

        The column is a code when ``reference`` is the working set.
        """
        d, q, alone = self._prog.n_data, self._q, self._prog.excludes_self
        fixed = self._p.fixed_cost - dual @ self._p.fixed
        if alone:
            fixed[:, q] = np.inf
        best = np.argmin(fixed, axis=1)
        cost = np.take_along_axis(fixed, best[:, None], axis=1)[:, 0]
        table = np.ascontiguousarray(self._rows[reference].T)
        place = np.full(len(self._rows), -1)
        place[reference] = np.arange(len(reference))
        for first in range(0, len(rows), _PRICE_BLOCK):
            block = slice(first, first + _PRICE_BLOCK)
            gain = (dual[block, :d] * self._inverse_own[rows[block]]) @ table
            if alone:
                own = place[self._units[rows[block]]]
                held = np.flatnonzero(own >= 0)
                gain[held, own[held]] = -np.inf
            at = np.argmax(gain, axis=1)
            most = -np.take_along_axis(gain, at[:, None], axis=1)[:, 0]
            better = most < cost[block]
            best[block] = np.where(better, q + 1 + at, best[block])
            cost[block] = np.where(better, most, cost[block])
        return best, cost

    def _dual(self, rows: np.ndarray) -> Array:
        cost = self._basic_cost(self.basis[rows])
        dual: Array = np.matmul(cost[:, None, :], self.inverse[rows])[:, 0, :]
        return dual

    def violated(self, reference: np.ndarray) -> np.ndarray:
        """Reference units that would improve some unit's optimum, the worst one per unit."""
        rows = np.flatnonzero(~self._stuck)
        dual = self._dual(rows)
        code, cost = self._price(rows, dual, reference)
        wrong = (cost < -_REDUCED_COST * (1.0 + np.abs(dual).sum(axis=1))) & (code > self._q)
        return np.unique(reference[code[wrong] - self._q - 1])

    def _matrix(self, rows: np.ndarray) -> Array:
        """Basis matrices (len(rows), R, R) of some units."""
        n, r = len(rows), self._prog.n_rows
        codes = self.basis[rows].ravel()
        columns = self._columns(np.repeat(rows, r), codes).reshape(n, r, r)
        return columns.transpose(0, 2, 1)

    def _refactor(self, rows: np.ndarray) -> None:
        matrix = self._matrix(rows)
        try:
            inverse = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            # One singular basis spoils the batch: find it with the determinant and set it aside.
            sound = np.abs(np.linalg.det(matrix)) > 0.0
            self._stuck[rows[~sound]] = True
            inverse = np.tile(np.eye(self._prog.n_rows), (len(rows), 1, 1))
            inverse[sound] = np.linalg.inv(matrix[sound])
        self.inverse[rows] = inverse
        self.x[rows] = np.matmul(inverse, self._rhs[rows][:, :, None])[:, :, 0]

    def _perturb(self, rows: np.ndarray) -> None:
        """Move the right-hand side so that no basic value of these units is zero."""
        self._refactor(rows)
        lot = np.random.default_rng(len(rows)).uniform(0.5, 1.0, size=self.x[rows].shape)
        self.x[rows] = np.maximum(self.x[rows], 0.0) + _PERTURBATION * lot
        self._rhs[rows] = np.matmul(self._matrix(rows), self.x[rows][:, :, None])[:, :, 0]

    def pivot_to_optimum(self) -> None:
        """Primal simplex for every unit until none improves.

        An efficient unit is a vertex where many bases meet, and pivoting can wander among them
        without end. Units that take long get a slightly moved right-hand side, which tells the
        bases apart; the optimal basis is then evaluated at the true one. What is still not done
        after that is set aside as stuck.
        """
        perturbed = self._pivot(np.flatnonzero(~self._stuck))
        if len(perturbed):
            self._rhs[perturbed] = self._prog.rhs
            self._refactor(perturbed)

    def _pivot(self, rows: np.ndarray) -> np.ndarray:
        """Pivot these units; returns those that were perturbed and not set aside."""
        moved = np.empty(0, dtype=np.int64)
        basis, inverse, x = self.basis[rows], self.inverse[rows], self.x[rows]
        for count in range(1, _MAX_PIVOTS + 1):
            dual = np.matmul(self._basic_cost(basis)[:, None, :], inverse)[:, 0, :]
            entering, cost = self._price(rows, dual, self._working)
            open_ = cost < -_REDUCED_COST * (1.0 + np.abs(dual).sum(axis=1))
            if not open_.all():
                done = ~open_
                self.basis[rows[done]] = basis[done]
                self.inverse[rows[done]] = inverse[done]
                self.x[rows[done]] = x[done]
                rows, basis, inverse, x = rows[open_], basis[open_], inverse[open_], x[open_]
                entering = entering[open_]
            if not len(rows):
                break
            column = self._columns(rows, entering)
            step = np.matmul(inverse, column[:, :, None])[:, :, 0]
            movable = step > _PIVOT
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(movable, np.maximum(x, 0.0) / step, np.inf)
            least = ratio.min(axis=1)
            # Among tied rows the largest pivot keeps the factorisation sound.
            tied = ratio <= (least + 1e-12)[:, None]
            leaving = np.argmax(np.where(tied & movable, step, 0.0), axis=1)
            unbounded = ~movable.any(axis=1)
            self._stuck[rows[unbounded]] = True
            pick = np.arange(len(rows))
            pivot = step[pick, leaving]
            pivot[unbounded], least[unbounded] = 1.0, 0.0
            x -= least[:, None] * step
            x[pick, leaving] = least
            pivot_row = inverse[pick, leaving] / pivot[:, None]
            inverse -= step[:, :, None] * pivot_row[:, None, :]
            inverse[pick, leaving] = pivot_row
            basis[pick, leaving] = entering
            if unbounded.any():
                keep = ~unbounded
                rows, basis, inverse, x = rows[keep], basis[keep], inverse[keep], x[keep]
            if count % _REFACTOR_EVERY == 0 and len(rows):
                self.basis[rows] = basis
                if count == _PATIENCE:
                    self._perturb(rows)
                    moved = rows
                else:
                    self._refactor(rows)
                sound = ~self._stuck[rows]
                rows, basis = rows[sound], basis[sound]
                inverse, x = self.inverse[rows], self.x[rows]
        self._stuck[rows] = True
        return moved[~self._stuck[moved]]

    def certify(self, reference: np.ndarray) -> np.ndarray:
        """Which units hold an optimal basis over ``reference``, judged on a fresh factorisation.

        Basic values and duals have to solve their equations, not only have the right signs: the
        residuals catch a basis too ill-conditioned for its inverse to be trusted.
        """
        rows = np.flatnonzero(~self._stuck)
        self._refactor(rows)
        dual, x, matrix = self._dual(rows), self.x[rows], self._matrix(rows)
        _, cost = self._price(rows, dual, reference)
        size = 1.0 + np.abs(dual).sum(axis=1)
        primal_gap = np.abs(np.matmul(matrix, x[:, :, None])[:, :, 0] - self._prog.rhs).max(axis=1)
        priced = np.matmul(dual[:, None, :], matrix)[:, 0, :]
        dual_gap = np.abs(priced - self._basic_cost(self.basis[rows])).max(axis=1)
        good = np.zeros(len(self._stuck), dtype=bool)
        good[rows] = (
            (cost >= -_CERTIFICATE * size)
            & (dual_gap <= _CERTIFICATE * size)
            & (x >= -_CERTIFICATE).all(axis=1)
            & (primal_gap <= _CERTIFICATE)
        )
        return good & ~self._stuck

    def solution(self, rows: np.ndarray, certified: np.ndarray) -> Solution:
        """Collect the solution of some units; values without a certificate are left missing."""
        prog, q, units = self._prog, self._q, self._units[rows]
        basis, x, good = self.basis[rows], np.maximum(self.x[rows], 0.0), certified[rows]
        special = np.zeros((len(rows), q))
        at, slot = np.nonzero((basis < q) & (basis >= 0))
        special[at, basis[at, slot]] = x[at, slot]
        t = np.ones(len(rows)) if prog.scale is None else special[:, prog.scale]
        # t = 0 means that the infimum is approached and never attained.
        unattained = good & (t <= 1e-12)
        good = good & ~unattained
        t = np.where(good, t, np.nan)
        has = prog.slack >= 0
        slack = np.zeros((len(rows), len(prog.slack)))
        slack[:, has] = special[:, prog.slack[has]] / t[:, None]
        at, slot = np.nonzero((basis >= q) & (x > 1e-12) & good[:, None])
        code = basis[at, slot]
        peer = np.where(code == q, units[at], self._working[np.maximum(code - q - 1, 0)])
        size = self._p.technology.size
        status = np.where(good, STATUS_OPTIMAL, STATUS_FAILED).astype(object)
        status[unattained] = STATUS_UNBOUNDED
        return Solution(
            value=np.where(good, self.value()[rows], np.nan),
            status=status,
            slack=slack,
            peer_unit=at,
            peer=peer,
            peer_lambda=x[at, slot] / t[at] * size[units[at]] / size[peer],
        )
