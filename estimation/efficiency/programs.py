"""The linear programmes of the efficiency models, written once in a form every solver here can use.

Belongs here: which rows and columns a model has, and what its solution means. Does not belong here:
solving (``highs``, ``batch``), choosing reference sets (``frontiers``) or reading a panel
(``panel``).

All models are written for a unit ``o`` whose data have been divided by themselves, so that only the
columns of the reference units depend on ``o``:

    sum_j Lambda_j z_ij / z_io  +  sum_c M_ic u_c  =  rhs_i        for data rows i
                                   sum_c M_ic u_c  =  rhs_i        for the normalisation row

with ``u`` the few *special* columns (scaling variable, slacks, radial factor). Fractional models
are made linear with the Charnes-Cooper scaling variable ``t``; Lambda = t lambda. The convexity row
of variable returns is one more data row on which every unit has the value one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Returns = Literal["crs", "vrs"]
Orientation = Literal["non", "input", "output"]
UndesirableTerm = Literal["subtracted", "added"]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Program:
    """One model in the scaled form of the module docstring.

    Attributes
    ----------
    name : str
        For messages and for the record of the technology.
    n_data : int
        Data rows: inputs, good outputs, bad outputs, and the convexity row under variable returns.
    special : array (rows, columns)
        Coefficients of the special columns.
    cost, lower : array (columns,)
        Objective (minimised) and lower bounds of the special columns; reference columns cost
        nothing.
    rhs : array (rows,)
    scale : int or None
        Column of the Charnes-Cooper variable t; None when the programme is linear as it stands.
    slack : array of int (variables,)
        Special column that holds the slack of each variable, -1 where the model has none.
    disposal : array of int (variables,)
        Special column that takes up what may be disposed of without cost, -1 where there is none.
    slack_sign : array (variables,)
        Sign with which the slack moves the target: target = z_o (1 + sign * slack / t).
    start : tuple of int
        Special columns that, with the unit's own reference column, form a feasible basis; empty
        when the unit is not part of its own reference set.
    excludes_self : bool
        True for super-efficiency.
    reciprocal : bool
        The score is one over the optimal value (output-oriented radial model).
    """

    name: str
    n_data: int
    special: Array
    cost: Array
    lower: Array
    rhs: Array
    scale: int | None
    slack: NDArray[np.intp]
    disposal: NDArray[np.intp]
    slack_sign: Array
    start: tuple[int, ...]
    excludes_self: bool
    reciprocal: bool = False

    @property
    def n_rows(self) -> int:
        """Data rows plus the normalisation row, if there is one."""
        return int(self.special.shape[0])


class _Builder:
    """Collects special columns; only used while a programme is written down."""

    def __init__(self, m: int, s: int, b: int, returns: Returns, *, normalised: bool) -> None:
        self.m, self.s, self.b = m, s, b
        self.d = m + s + b
        self.vrs = returns == "vrs"
        self.n_data = self.d + int(self.vrs)
        self.n_rows = self.n_data + int(normalised)
        self.columns: list[Array] = []
        self.cost: list[float] = []
        self.lower: list[float] = []

    def add(self, entries: dict[int, float], cost: float = 0.0, lower: float = 0.0) -> int:
        column = np.zeros(self.n_rows)
        for row, value in entries.items():
            column[row] = value
        self.columns.append(column)
        self.cost.append(cost)
        self.lower.append(lower)
        return len(self.columns) - 1

    def finish(
        self,
        name: str,
        rhs: Array,
        *,
        scale: int | None,
        slack: list[int],
        sign: Array,
        start: tuple[int, ...],
        excludes_self: bool,
        disposal: list[int] | None = None,
        reciprocal: bool = False,
    ) -> Program:
        return Program(
            name=name,
            n_data=self.n_data,
            special=np.column_stack(self.columns),
            cost=np.array(self.cost),
            lower=np.array(self.lower),
            rhs=rhs,
            scale=scale,
            slack=np.array(slack, dtype=np.intp),
            disposal=np.array([-1] * self.d if disposal is None else disposal, dtype=np.intp),
            slack_sign=sign,
            start=start,
            excludes_self=excludes_self,
            reciprocal=reciprocal,
        )


def _weights(m: int, s: int, b: int, orientation: Orientation) -> Array:
    """Weight of each scaled slack: 1/m for inputs, 1/(s+b) for outputs, 0 on the idle side."""
    weights = np.r_[np.full(m, 1.0 / m), np.full(s + b, 1.0 / (s + b))]
    if orientation == "input":
        weights[m:] = 0.0
    elif orientation == "output":
        weights[:m] = 0.0
    return weights


def sbm(m: int, s: int, b: int, returns: Returns, orientation: Orientation = "non") -> Program:
    """Slacks-based measure, with undesirable outputs when ``b`` > 0.

        rho = min [1 - (1/m) sum_i s_i^- / x_io]
                / [1 + (1/(s+b)) (sum_r s_r^g / y_ro + sum_k s_k^b / b_ko)]
        x_o = X lambda + s^-,  y_o = Y lambda - s^g,  b_o = B lambda + s^b,  lambda, s >= 0

    Sources: Tone (2001), European Journal of Operational Research 130, eq. (5)-(8); Tone (2003),
    GRIPS Research Report I-2003-0005 for the bad outputs. The oriented models keep the numerator
    (``input``) or the denominator (``output``) alone; the slacks of the other side are free.
    """
    build = _Builder(m, s, b, returns, normalised=True)
    norm = build.n_data
    weights = _weights(m, s, b, orientation)
    direction = np.r_[np.ones(m), -np.ones(s), np.ones(b)]
    t = build.add({**dict.fromkeys(range(build.n_data), -1.0), norm: 1.0}, cost=1.0)
    slack = [
        build.add(
            {i: direction[i], norm: weights[i] if i >= m else 0.0},
            cost=-weights[i] if i < m else 0.0,
        )
        for i in range(build.d)
    ]
    rhs = np.zeros(build.n_rows)
    rhs[norm] = 1.0
    # With the own column basic, t and Lambda_o are parallel on the data rows; under constant
    # returns one slack has to leave, under variable returns the convexity row takes its place.
    start = (t, *slack) if build.vrs else (t, *slack[1:])
    return build.finish(
        f"SBM {orientation}-oriented {returns}",
        rhs,
        scale=t,
        slack=slack,
        sign=-direction,
        start=start,
        excludes_self=False,
    )


def super_sbm(
    m: int,
    s: int,
    b: int,
    returns: Returns,
    orientation: Orientation = "non",
    undesirable_term: UndesirableTerm = "subtracted",
) -> Program:
    """Super-efficiency SBM, with undesirable outputs when ``b`` > 0; a unit leaves its frontier.

        delta = min [1 + (1/m) sum_i s_i^- / x_io]
                  / [1 - (1/(s+b)) (sum_r s_r^g / y_ro + sum_k s_k^b / b_ko)]
        X lambda <= x_o + s^-,  Y lambda >= y_o - s^g,  B lambda <= b_o + s^b,  lambda, s >= 0

    without bad outputs this is Tone (2002), European Journal of Operational Research 143, eq. (17)
    in slack form. Oriented models fix the other side at its observed value and may be infeasible.

    Notes
    -----
    Two conventions for the bad-output term live in the literature.

    ``subtracted`` (default)
        As above: having to concede more emissions *raises* the score of the unit that is left out,
        just as having to concede more inputs or fewer good outputs does. A unit that emits more
        becomes easier to replace and its score cannot rise.
    ``added``
        The denominator is the mean of ybar_g / y_o and ybar_b / b_o with ybar_b >= b_o, that is
        1 + (1/(s+b)) (- sum s^g/y_o + sum s^b/b_o), as many applied papers print it. Taken by the
        letter, with B lambda <= ybar_b, the programme has the infimum zero for every unit, because
        ybar_b can be raised without cost. It has a meaning only when the projected emission is
        that of the peers, so ``B lambda = ybar_b`` is imposed here. Even so conceding more
        emissions *lowers* the score: it falls when the peers emit more, and may lie below one.

    The default is the one that cannot be improved by emitting more.

    Under constant returns the default has a ceiling of (s + b) / b, which is 2 with one good and
    one bad output: producing nothing is a point of the technology, and giving up all good output
    without conceding inputs or emissions is the dearest projection there is. Units at the ceiling
    have no peers.
    """
    build = _Builder(m, s, b, returns, normalised=True)
    norm = build.n_data
    weights = _weights(m, s, b, orientation)
    direction = np.r_[np.ones(m), -np.ones(s), np.ones(b)]
    added = undesirable_term == "added"
    t = build.add({**dict.fromkeys(range(build.n_data), -1.0), norm: 1.0}, cost=1.0)
    slack: list[int] = []
    disposal: list[int] = []
    for i in range(build.d):
        is_input, is_bad = i < m, i >= m + s
        if weights[i] == 0.0:
            slack.append(-1)
        else:
            in_norm = 0.0 if is_input else (weights[i] if is_bad and added else -weights[i])
            slack.append(
                build.add({i: -direction[i], norm: in_norm}, cost=weights[i] if is_input else 0.0)
            )
        equality = is_bad and added and weights[i] > 0.0
        disposal.append(-1 if equality else build.add({i: direction[i]}))
    rhs = np.zeros(build.n_rows)
    rhs[norm] = 1.0
    label = f", bad outputs {undesirable_term}" if b else ""
    return build.finish(
        f"super-SBM {orientation}-oriented {returns}{label}",
        rhs,
        scale=t,
        slack=slack,
        disposal=disposal,
        sign=direction,
        start=(),
        excludes_self=True,
    )


def radial(m: int, s: int, returns: Returns, orientation: Orientation = "input") -> Program:
    """Radial model: CCR under constant and BCC under variable returns.

    Input-oriented: min theta with X lambda <= theta x_o, Y lambda >= y_o. Output-oriented: the
    score is 1/phi, phi = max with Y lambda >= phi y_o, X lambda <= x_o, so that both lie in (0, 1].

    Sources: Charnes, Cooper and Rhodes (1978); Banker, Charnes and Cooper (1984).
    """
    if orientation == "non":
        raise ValueError("a radial model is input- or output-oriented, not non-oriented")
    build = _Builder(m, s, 0, returns, normalised=False)
    rhs = np.zeros(build.n_rows)
    shrinking = orientation == "input"
    moved = range(m) if shrinking else range(m, m + s)
    fixed = range(m, m + s) if shrinking else range(m)
    factor = build.add(dict.fromkeys(moved, -1.0), cost=1.0 if shrinking else -1.0)
    rhs[list(fixed)] = 1.0
    direction = np.r_[np.ones(m), -np.ones(s)]
    slack = [build.add({i: direction[i]}) for i in range(build.d)]
    if build.vrs:
        rhs[build.n_data - 1] = 1.0
    # theta and Lambda_o take the rows of one moved variable and, without a convexity row, of one
    # fixed variable; the other slacks complete the basis.
    idle = {slack[moved[0]]} if build.vrs else {slack[moved[0]], slack[fixed[0]]}
    return build.finish(
        f"radial {orientation}-oriented {returns}",
        rhs,
        scale=None,
        slack=slack,
        sign=-direction,
        start=(factor, *(c for c in slack if c not in idle)),
        excludes_self=False,
        reciprocal=not shrinking,
    )


def directional(m: int, s: int, b: int, returns: Returns) -> Program:
    """Directional distance function with weakly disposable bad outputs, direction (y_o, -b_o).

        D = max beta:  Y lambda >= (1 + beta) y_o,  B lambda = (1 - beta) b_o,  X lambda <= x_o

    Source: Chung, Fare and Grosskopf (1997), Journal of Environmental Management 51, eq. (9). The
    optimal value of the programme is -D.
    """
    if b < 1:
        raise ValueError("the directional distance function here needs at least one bad output")
    build = _Builder(m, s, b, returns, normalised=False)
    rhs = np.ones(build.n_rows)
    good, bad = range(m, m + s), range(m + s, m + s + b)
    build.add({**dict.fromkeys(good, -1.0), **dict.fromkeys(bad, 1.0)}, cost=-1.0)
    for i in range(m + s):
        build.add({i: 1.0 if i < m else -1.0})
    slack = [*range(1, 1 + m + s), *([-1] * b)]
    return build.finish(
        f"directional distance {returns}",
        rhs,
        scale=None,
        slack=slack,
        sign=np.r_[-np.ones(m), np.ones(s), np.zeros(b)],
        start=(),
        excludes_self=False,
    )
