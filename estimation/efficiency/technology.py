"""Observations that span a technology, scaled so that every linear programme is well posed.

Belongs here: scaling, the augmented data rows, and a first guess of the units on the frontier. Does
not belong here: which observations form a technology (``frontiers``), or solving.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from estimation.efficiency.programs import Array, Returns

STATUS_OPTIMAL = "optimal"
STATUS_INFEASIBLE = "infeasible"
STATUS_UNBOUNDED = "unbounded"
STATUS_FAILED = "not solved"

#: A unit whose SBM score is at least one minus this is efficient. The vectorised simplex is exact
#: to about 1e-13 and HiGHS to its tolerances, so the margin separates inefficiency from rounding.
EFFICIENT_TOLERANCE = 1e-8


@dataclass(frozen=True)
class Technology:
    """Observations of one technology.

    Attributes
    ----------
    rows : array (N, data rows)
        Inputs, good outputs, bad outputs and, under variable returns, a one; every variable divided
        by its geometric mean and every unit by its own size. Dividing a unit's whole row (the
        convexity entry included) by a number only rescales its intensity variable.
    size : array (N,)
        The number each unit was divided by; lambda of the original problem between peer j and unit
        o is Lambda times size_o / size_j.
    n_inputs, n_good, n_bad : int
    returns : str
    """

    rows: Array
    size: Array
    n_inputs: int
    n_good: int
    n_bad: int
    returns: Returns

    @property
    def n_units(self) -> int:
        """Number of observations."""
        return int(self.rows.shape[0])

    @classmethod
    def from_data(cls, inputs: Array, good: Array, bad: Array, returns: Returns) -> Technology:
        """Scale positive data of shape (N, m), (N, s), (N, b)."""
        data = np.hstack([inputs, good, bad]).astype(float)
        logs = np.log(data)
        scaled = np.exp(logs - logs.mean(axis=0))
        size = np.exp((logs - logs.mean(axis=0)).mean(axis=1))
        rows = scaled / size[:, None]
        if returns == "vrs":
            rows = np.column_stack([rows, 1.0 / size])
        return cls(
            rows=np.ascontiguousarray(rows),
            size=size,
            n_inputs=inputs.shape[1],
            n_good=good.shape[1],
            n_bad=bad.shape[1],
            returns=returns,
        )

    def first_guess(self, n_directions: int = 256) -> np.ndarray:
        """Units that are best in some direction: a cheap start for the frontier.

        Each is the maximiser of a positive weighting of the outputs minus the inputs and bad
        outputs (variable returns) or of their ratio (constant returns). The solvers add whatever is
        missing, so the guess decides the running time and never the result.
        """
        m, s, b = self.n_inputs, self.n_good, self.n_bad
        rng = np.random.default_rng(0)
        weights = np.exp(rng.normal(scale=2.0, size=(n_directions, m + s + b)))
        weights = np.vstack([weights, np.eye(m + s + b) + 1e-6])
        data = self.rows[:, : m + s + b]
        good = data[:, m : m + s] @ weights[:, m : m + s].T
        cost = data[:, :m] @ weights[:, :m].T + data[:, m + s :] @ weights[:, m + s :].T
        best = [np.argmax(good / cost, axis=0)]
        if self.returns == "vrs":
            best.append(np.argmax((good - cost) * self.size[:, None], axis=0))
        return np.unique(np.concatenate(best))


@dataclass(frozen=True)
class Solution:
    """Solutions of one programme for ``n`` units of a technology.

    Attributes
    ----------
    value : array (n,)
        Score, NaN where there is none.
    status : array of str (n,)
    slack : array (n, variables)
        Slack as a share of the unit's own value (already divided by t); 0 where the model has none.
    peer_unit, peer, peer_lambda : array
        Sparse intensities: position among the ``n`` units, index within the technology, lambda in
        the units of the original problem.
    """

    value: Array
    status: np.ndarray
    slack: Array
    peer_unit: np.ndarray
    peer: np.ndarray
    peer_lambda: Array
