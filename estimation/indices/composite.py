"""Composite indices: min-max standardisation, entropy weights, coupling coordination degree.

Belongs here: joining several indicators into one number. Does not belong here: the indicators
themselves (SQL, or ``estimation.efficiency`` where a solver is needed). Written here because each
is a few lines whose conventions differ from paper to paper and have to be named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

CouplingForm = Literal["geometric_mean", "product"]
Direction = Literal["positive", "negative"]


def _frame(data: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    absent = [c for c in columns if c not in data.columns]
    if absent:
        raise KeyError(f"no column {absent}; the table has {list(data.columns)}")
    values = data[list(columns)].astype(float)
    infinite = np.isinf(values.to_numpy())
    if infinite.any():
        rows = values.index[infinite.any(axis=1)].tolist()
        raise ValueError(f"infinite values in {list(columns)} at rows {rows[:20]}")
    return values


def _directions(columns: Sequence[str], negative: Sequence[str]) -> dict[str, Direction]:
    unknown = [c for c in negative if c not in columns]
    if unknown:
        raise ValueError(f"negative indicators {unknown} are not among {list(columns)}")
    return {c: "negative" if c in negative else "positive" for c in columns}


def min_max(
    data: pd.DataFrame, columns: Sequence[str], *, negative: Sequence[str] = ()
) -> pd.DataFrame:
    """Standardise indicators to [0, 1] over the pooled rows (极差标准化).

    ``(x - min) / (max - min)``, or ``(max - x) / (max - min)`` for the indicators named in
    ``negative`` (less is better), so that one is always the best observation. Missing values stay
    missing and do not enter the extremes.

    Returns
    -------
    DataFrame
        Same rows, the columns in the order given.

    Raises
    ------
    ValueError
        If an indicator is constant or all missing: it has no range and cannot be standardised.
    """
    values = _frame(data, columns)
    directions = _directions(columns, negative)
    low, high = values.min(), values.max()
    flat = [c for c in columns if not high[c] > low[c]]
    if flat:
        raise ValueError(f"indicators {flat} are constant or empty: no range to standardise by")
    scaled = (values - low) / (high - low)
    for column, direction in directions.items():
        if direction == "negative":
            scaled[column] = (high[column] - values[column]) / (high[column] - low[column])
    return scaled


def entropy_weights(
    data: pd.DataFrame,
    columns: Sequence[str],
    *,
    negative: Sequence[str] = (),
    shift: float = 0.0,
) -> pd.Series:
    """Entropy weights of indicators (熵权法), direction-aware and safe at zero.

        p_ij = z_ij / sum_i z_ij
        e_j  = -(1 / ln n) sum_i p_ij ln p_ij
        w_j  = (1 - e_j) / sum_k (1 - e_k)

    with z the min-max standardised indicators. The observation at the minimum has p = 0, and
    p ln p is taken at its limit zero. Many applied papers shift z by a small constant instead
    (0.0001 or 0.01); ``shift`` reproduces them. Rows with a missing indicator are left out.

    Source: the entropy method as in Zou, Yun and Sun (2006), Journal of Environmental Sciences 18.

    Returns
    -------
    Series
        Weights that sum to one, indexed by indicator.

    Raises
    ------
    ValueError
        If fewer than two complete rows remain, ``shift`` is negative, or an indicator is constant.
    """
    if shift < 0:
        raise ValueError(f"shift is {shift}; expected zero or a small positive number")
    complete = _frame(data, columns).dropna()
    if len(complete) < 2:
        raise ValueError(f"{len(complete)} complete rows: entropy weights need at least two")
    scaled = min_max(complete, columns, negative=negative) + shift
    share = scaled / scaled.sum()
    logs = np.log(share.where(share > 0.0, 1.0))
    entropy = -(share * logs).sum() / np.log(len(complete))
    divergence = 1.0 - entropy
    return (divergence / divergence.sum()).rename("weight")


def weighted_index(
    data: pd.DataFrame,
    weights: Mapping[str, float] | pd.Series,
    *,
    negative: Sequence[str] = (),
) -> pd.Series:
    """Weighted sum of min-max standardised indicators, in [0, 1] when the weights sum to one."""
    weight = pd.Series(weights, dtype=float)
    scaled = min_max(data, [str(c) for c in weight.index], negative=negative)
    return scaled.mul(weight, axis=1).sum(axis=1, skipna=False).rename("index")


def coupling_coordination(
    data: pd.DataFrame,
    columns: Sequence[str],
    *,
    negative: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
    form: CouplingForm = "geometric_mean",
    standardised: bool = False,
) -> pd.DataFrame:
    """Coupling degree C, comprehensive level T and coupling coordination degree D (耦合协调度).

    With standardised subsystems U_1 ... U_n in [0, 1]:

        T = sum_i a_i U_i,      D = sqrt(C T)

    ``form="geometric_mean"``
        C = n (prod U_i)^(1/n) / sum U_i: the geometric over the arithmetic mean, in [0, 1]. For two
        subsystems this is 2 sqrt(U_1 U_2) / (U_1 + U_2).
    ``form="product"``
        C = [prod U_i / (sum U_i)^n]^(1/n), the same without its factor n, which is how about half
        of the applied papers print it; C is in [0, 1/n] and D in [0, 1/sqrt(n)].

    The two differ by the factor n in C and so by sqrt(n) in D: regressions in D have the same t
    statistics, but levels cannot be compared across papers.

    Parameters
    ----------
    data : DataFrame
    columns : sequence of str
        Two or more subsystems.
    negative : sequence of str
        Those of which less is better.
    weights : mapping, optional
        a_i, default equal. They must sum to one.
    standardised : bool
        The columns are in [0, 1] already.

    Returns
    -------
    DataFrame
        ``coupling`` (C), ``level`` (T), ``coordination`` (D), same index; missing where a subsystem
        is. Where all subsystems are zero C is 0/0 and D is zero, its limit, because T is zero.

    Raises
    ------
    ValueError
        For fewer than two subsystems, weights that do not sum to one, or values outside [0, 1] with
        ``standardised``.

    Notes
    -----
    Sources: the forms and their confusion are surveyed by Liu (2017, 刘春林,
    耦合度计算的常见错误分析) and Cong (2019, 丛晓男, 经济地理 39).

    Which form can give SRPCE (PM2.5, ln CO2, ln GDP per capita) a mean of 0.361, a standard
    deviation of 0.037 and a maximum of 0.492 for 297 cities in 2011-2022, as one study prints?
    Tried on city CO2 (EDGAR) and GDP per capita of 294 cities, 2011-2022, with PM2.5 *simulated*
    over 7 spreads and 8 levels of a beta distribution and three correlations with CO2:

    * ``geometric_mean`` cannot: the mean lies between 0.46 and 0.77 in every orientation, and its
      standard deviation is above 0.056.
    * ``product`` can. With PM2.5 and CO2 both reversed, the reading that makes sense, the mean is
      0.39 to 0.44, the standard deviation from 0.038, the maximum 0.51 to 0.54. The closest to all
      printed figures (0.362, 0.041, 0.481) leaves PM2.5 *unreversed* and reverses CO2 only.
    * The printed entropy weights 0.199, 0.515, 0.286, however, need both reversed: 0.205, 0.499,
      0.296 were reached, whereas an unreversed PM2.5 never got below 0.25 with CO2 reversed.

    So the ``product`` form it is; the printed level and the printed weights point to different
    orientations of PM2.5, which the paper does not state.
    """
    n = len(columns)
    if n < 2:
        raise ValueError("coupling needs at least two subsystems")
    if form not in ("geometric_mean", "product"):
        raise ValueError(f"form is {form!r}; expected 'geometric_mean' or 'product'")
    if standardised:
        u = _frame(data, columns)
        outside = ((u < 0.0) | (u > 1.0)).any(axis=1)
        if outside.any():
            rows = u.index[outside].tolist()[:20]
            raise ValueError(f"standardised subsystems outside [0, 1] at rows {rows}")
        for column, direction in _directions(columns, negative).items():
            if direction == "negative":
                u[column] = 1.0 - u[column]
    else:
        u = min_max(data, columns, negative=negative)
    share = pd.Series(1.0 / n, index=list(columns)) if weights is None else pd.Series(weights)
    if set(share.index) != set(columns) or not np.isclose(share.sum(), 1.0):
        raise ValueError(f"weights {dict(share)} must cover {list(columns)} and sum to one")
    values = u.to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.prod(values, axis=1) ** (1.0 / n) / values.sum(axis=1)
    coupling = n * ratio if form == "geometric_mean" else ratio
    level = u.mul(share.reindex(list(columns)), axis=1).sum(axis=1, skipna=False).to_numpy()
    product = np.where(level == 0.0, 0.0, coupling * level)
    return pd.DataFrame(
        {"coupling": coupling, "level": level, "coordination": np.sqrt(product)}, index=data.index
    )


def coupled_efficiency(
    preff: pd.Series, creff: pd.Series, *, form: CouplingForm = "geometric_mean"
) -> pd.Series:
    """Synergy of pollution and carbon reduction efficiency: their coupling coordination degree.

    Both scores (``preff``: PM2.5 as the bad output, ``creff``: CO2) are min-max standardised over
    the pooled sample and joined with equal weights. A unit with the lowest of either score gets
    exactly zero, and one only the unit that is best in both. A study that prints a minimum of 0.001
    has shifted the standardised scores (by 1e-6, if one unit is lowest in both).

    Raises
    ------
    ValueError
        If the two series do not have the same index.
    """
    if not preff.index.equals(creff.index):
        raise ValueError("the two efficiency scores must have the same index")
    both = pd.DataFrame({"preff": preff, "creff": creff})
    # The extremes come from the units that have both scores.
    complete = both.dropna()
    degree = coupling_coordination(complete, ["preff", "creff"], form=form)["coordination"]
    return degree.reindex(both.index).rename("syeff")
