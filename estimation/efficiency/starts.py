"""Feasible bases to start the vectorised simplex from.

Belongs here: bases that are feasible by construction. Does not belong here: pivoting (``batch``).
"""

from __future__ import annotations

import numpy as np

from estimation.efficiency.programs import Program
from estimation.efficiency.technology import Technology

_LEAST_DENOMINATOR = 1e-6
_CELLS_PER_BLOCK = 2_000_000


def own_column_start(program: Program, n: int) -> np.ndarray:
    """The unit as its own peer, one row of column codes per unit.

    Raises
    ------
    ValueError
        If the programme has no such basis.
    """
    start = np.array([*program.start, program.special.shape[1]])
    if len(start) != program.n_rows:
        raise ValueError(
            f"{program.name}: the starting basis has {len(start)} of {program.n_rows} columns"
        )
    return np.tile(start, (n, 1))


def single_peer_start(
    tech: Technology, program: Program, units: np.ndarray, working: np.ndarray
) -> np.ndarray:
    """The best projection onto a single other unit, as column codes; -1 where there is none.

    Under variable returns the peer has lambda 1. Under constant returns it is scaled until every
    good output is reached; the row of the output reached last needs no column of its own. Each
    other row takes the slack or the disposal column, whichever has the right sign.
    """
    n, d, q = len(units), len(program.slack), program.special.shape[1]
    basis = np.full((n, program.n_rows), -1, dtype=np.int64)
    size = max(1, _CELLS_PER_BLOCK // max(1, len(working) * d))
    for first in range(0, n, size):
        block = slice(first, first + size)
        basis[block] = _best_peer(tech, program, units[block], working, d, q)
    return basis


def _best_peer(
    tech: Technology,
    program: Program,
    units: np.ndarray,
    working: np.ndarray,
    d: int,
    q: int,
) -> np.ndarray:
    m, s = tech.n_inputs, tech.n_good
    ratio = tech.rows[working][None, :, :] / tech.rows[units][:, None, :]
    if tech.returns == "vrs":
        level = ratio[:, :, :d] / ratio[:, :, d:]
        tight = np.full(ratio.shape[:2], -1)
    else:
        good = ratio[:, :, m : m + s]
        tight = m + np.argmin(good, axis=2)
        level = ratio[:, :, :d] / good.min(axis=2)[:, :, None]
    excess = program.slack_sign * (level - 1.0)
    takes_slack = excess > 0.0
    column = np.where(takes_slack, program.slack, program.disposal)
    is_tight = np.arange(d) == tight[:, :, None]
    possible = ((column >= 0) | is_tight).all(axis=2)
    possible &= working[None, :] != units[:, None]
    has = np.flatnonzero(program.slack >= 0)
    norm = np.zeros(d)
    norm[has] = program.special[program.n_data, program.slack[has]]
    price = np.zeros(d)
    price[has] = program.cost[program.slack[has]]
    concession = np.where(takes_slack, excess, 0.0)
    denominator = 1.0 + concession @ norm
    possible &= denominator > _LEAST_DENOMINATOR
    with np.errstate(divide="ignore", invalid="ignore"):
        objective = np.where(possible, (1.0 + concession @ price) / denominator, np.inf)
    peer = np.argmin(objective, axis=1)
    row = np.arange(len(units))
    result = np.full((len(units), program.n_rows), -1, dtype=np.int64)
    chosen = column[row, peer]
    if tech.returns == "crs":
        # Drop the tight row: shift the columns behind it one place forward.
        keep = np.arange(d) != tight[row, peer][:, None]
        chosen = chosen[keep].reshape(len(units), d - 1)
    codes = np.column_stack([np.full(len(units), program.scale), q + 1 + peer, chosen])
    found = np.isfinite(objective[row, peer])
    result[found] = codes[found]
    return result
