"""The same scores from an independent, plain formulation: one scipy model per unit.

Belongs here: the form with projected values instead of slacks, built from scratch for every unit.
Does not belong here: anything meant to be fast. Tests and the benchmark compare against it.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from estimation.efficiency.programs import Array, Orientation, Returns, UndesirableTerm

_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def projection_score(
    inputs: Array,
    good: Array,
    bad: Array,
    unit: int,
    *,
    super_efficiency: bool,
    returns: Returns = "crs",
    orientation: Orientation = "non",
    undesirable_term: UndesirableTerm = "subtracted",
) -> float:
    """SBM or super-SBM score of one unit in Tone's projection form.

        min [(1/m) sum xbar_i / x_io] / [(1/(s+b)) (sum ybar_r / y_ro + sum (2 - bbar_k / b_ko))]

    with (xbar, ybar, bbar) in the technology and better than the unit (SBM), or no better than the
    unit and in the technology without it (super-efficiency). Under ``added`` the last term is
    bbar_k / b_ko and bbar = B lambda.

    Parameters
    ----------
    inputs, good, bad : array (N, m), (N, s), (N, b)
    unit : int
        Row to score.

    Returns
    -------
    float
        NaN when the programme has no solution.
    """
    m, s, b = inputs.shape[1], good.shape[1], bad.shape[1]
    d = m + s + b
    data = np.hstack([inputs, good, bad]) / np.hstack([inputs, good, bad])[unit]
    if super_efficiency:
        data = np.delete(data, unit, axis=0)
    n = len(data)
    added = super_efficiency and undesirable_term == "added"
    # Variables: t, projections (d), Lambda (n); everything is a share of the unit's own value.
    cost = np.zeros(1 + d + n)
    equal = np.zeros((1, 1 + d + n))
    if orientation == "output":
        cost[0] = 1.0
    else:
        cost[1 : 1 + m] = 1.0 / m
    if orientation == "input":
        equal[0, 0] = 1.0
    else:
        weight = 1.0 / (s + b)
        equal[0, 1 + m : 1 + m + s] = weight
        equal[0, 1 + m + s : 1 + d] = weight if added else -weight
        equal[0, 0] = 0.0 if added else 2.0 * weight * b
    rows_equal, rhs_equal = [equal], [1.0]
    if returns == "vrs":
        rows_equal.append(np.r_[-1.0, np.zeros(d), np.ones(n)][None, :])
        rhs_equal.append(0.0)
    rows_upper = []
    for i in range(d):
        sign = -1.0 if m <= i < m + s else 1.0
        in_technology = np.zeros(1 + d + n)
        in_technology[1 + i] = -sign
        in_technology[1 + d :] = sign * data[:, i]
        if added and i >= m + s and orientation != "input":
            rows_equal.append(in_technology[None, :])
            rhs_equal.append(0.0)
        else:
            rows_upper.append(in_technology)
        bound = np.zeros(1 + d + n)
        bound[0], bound[1 + i] = -sign, sign
        rows_upper.append(-bound if super_efficiency else bound)
        idle = (orientation == "input" and i >= m) or (orientation == "output" and i < m)
        if idle and super_efficiency:
            # Oriented super-efficiency holds the other side at its observed value.
            rows_upper.append(bound)
    result = linprog(
        cost,
        A_ub=np.array(rows_upper),
        b_ub=np.zeros(len(rows_upper)),
        A_eq=np.vstack(rows_equal),
        b_eq=np.array(rhs_equal),
        method="highs-ds",
        options=_OPTIONS,
    )
    return float(result.fun) if result.status == 0 and result.x[0] > 1e-12 else float("nan")
