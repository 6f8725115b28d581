"""Expected information, city-clustered scores and the Lee-Yu correction of spatial likelihoods.

Belongs here: second moments of estimates. Does not belong here: estimates. The sandwich is ours:
the score for rho is a quadratic form in the innovations of several cities, so squares of sums by
city (as do-files use) misstate its variance; the variance used here does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from estimation.spatial.logdet import LogDeterminant, Traces
from estimation.spatial.weights import Weights
from estimation.tidy import tidy_frame


@dataclass(frozen=True)
class Pieces:
    """Dimensions and matrices of a likelihood. ``kind``: lag, error or none."""

    kind: str
    weights: Weights
    logdet: LogDeterminant
    shape: tuple[int, int]
    periods: int
    n_obs: int
    transformed: bool  # the cross-section is transformed to N - 1 (Lee and Yu)


@dataclass(frozen=True)
class ScoreVariance:
    """Scores by unit (N, p), and the variance of the part of the spatial score across units."""

    by_unit: np.ndarray
    across: float
    spatial_index: int | None


def invert(information: np.ndarray) -> np.ndarray:
    """Symmetric inverse, scaled first: sigma2 and coefficients differ by many orders."""
    scale = 1 / np.sqrt(np.diag(information))
    inner = np.linalg.inv(information * scale[:, None] * scale[None, :])
    out = inner * scale[:, None] * scale[None, :]
    return (out + out.T) / 2


def sandwich(
    inverse: np.ndarray, scores: ScoreVariance, n_obs: int, n_units: int, n_parameters: int
) -> np.ndarray:
    """H^-1 B H^-1 with B from scores by unit, times G/(G-1) (n-1)/(n-K)."""
    meat = scores.by_unit.T @ scores.by_unit
    if scores.spatial_index is not None:
        meat[scores.spatial_index, scores.spatial_index] += scores.across
    factor = n_units / (n_units - 1) * (n_obs - 1) / (n_obs - n_parameters)
    out = factor * inverse @ meat @ inverse
    return (out + out.T) / 2


def spatial_matrix(pieces: Pieces, spatial: float) -> np.ndarray:
    """A = W (I - rho W)^-1, dense."""
    multiplier = Traces(pieces.weights, pieces.logdet).multiplier(spatial)
    if abs(spatial) < 0.01:
        return pieces.weights.lag(multiplier)
    out = multiplier / spatial  # S = I + rho A, cheaper than a product
    np.fill_diagonal(out, out.diagonal() - 1 / spatial)
    return out


def information_and_scores(
    pieces: Pieces,
    beta: np.ndarray,
    spatial: float,
    sigma2: float,
    x: np.ndarray,
    residual: np.ndarray,
) -> tuple[np.ndarray, ScoreVariance]:
    """Expected information of (beta, spatial, sigma2) and the scores by unit (N x N memory).

    Parameters
    ----------
    x : ndarray (T N, k)
        Demeaned (lag) or filtered and demeaned (error) regressors.
    residual : ndarray (T N,)
        Innovations.

    Notes
    -----
    Information: Elhorst (2014), eq. 3.10 and 3.22. Sandwich: with A = W (I - rho W)^-1 the score
    of rho is sum_t (A x b)'e + e'A e - sigma2 tr A. Own terms go to the score of the unit; pairs
    i != j enter with variance 2 sum a_ij^2 (e_i'e_j)^2, a_ij = (A_ij + A_ji)/2, which is what
    independence between units and any dependence within them implies.
    """
    t, n = pieces.shape
    k = x.shape[1]
    e = residual.reshape(t, n)
    x3 = x.reshape(t, n, k)
    own = np.einsum("tn,tn->n", e, e)
    score_beta = np.einsum("tnk,tn->nk", x3, e) / sigma2
    score_sigma = (own / sigma2 - pieces.n_obs / n) / (2 * sigma2)
    if pieces.kind == "none":
        information = np.zeros((k + 1, k + 1))
        information[:k, :k] = x.T @ x / sigma2
        information[k, k] = pieces.n_obs / (2 * sigma2**2)
        return information, ScoreVariance(np.column_stack([score_beta, score_sigma]), 0.0, None)
    a = spatial_matrix(pieces, spatial)
    mean = np.zeros((t, n))
    if pieces.kind == "lag":
        mean = (x3 @ beta) @ a.T
        if pieces.transformed:
            mean = mean - mean.mean(axis=1, keepdims=True)
    diagonal = np.diag(a).copy()
    trace, square, norm = three_traces(pieces, a, spatial)
    p = k + 2
    information = np.zeros((p, p))
    information[:k, :k] = x.T @ x / sigma2
    cross = x.T @ mean.ravel() / sigma2
    information[:k, k] = information[k, :k] = cross
    information[k, k] = pieces.periods * (square + norm) + float((mean**2).sum()) / sigma2
    information[k, k + 1] = information[k + 1, k] = pieces.periods * trace / sigma2
    information[k + 1, k + 1] = pieces.n_obs / (2 * sigma2**2)
    if pieces.transformed:
        diagonal -= (1 / (1 - spatial)) / n
    score_spatial = np.einsum("tn,tn->n", mean, e) / sigma2
    score_spatial += diagonal * (own / sigma2 - pieces.n_obs / n)
    pair = ((a + a.T) / 2 * (e.T @ e)) ** 2
    np.fill_diagonal(pair, 0.0)
    across = 2 * float(pair.sum()) / sigma2**2
    by_unit = np.column_stack([score_beta, score_spatial, score_sigma])
    return information, ScoreVariance(by_unit, across, k)


def three_traces(pieces: Pieces, a: np.ndarray, spatial: float) -> tuple[float, float, float]:
    """tr A, tr A A, tr A'A; of the N - 1 transformed matrices where that is the likelihood."""
    trace = float(np.trace(a))
    square = float(np.einsum("ij,ji->", a, a))
    norm = float(np.einsum("ij,ij->", a, a))
    if pieces.transformed:
        # W 1 = 1 gives A 1 = 1/(1-rho), and the transformed matrix has the trace of J A J.
        root = 1 / (1 - spatial)
        column = a.sum(axis=0)
        trace -= root
        square -= root**2
        norm -= float(column @ column) / a.shape[0]
    return trace, square, norm


def elhorst_correction(
    pieces: Pieces,
    effects: str,
    beta: np.ndarray,
    spatial: float,
    sigma2: float,
    x: np.ndarray,
) -> tuple[np.ndarray, float, float]:
    """Lee and Yu's (2010) bias correction of direct estimates, as in Elhorst (2014), eq. 3.27-3.29.

    Individual effects: sigma2 T/(T-1). Time effects: sigma2 N/(N-1). Both:
    theta + (1/N) (information/(N T))^-1 (0, 1/(1-rho), 1/(2 sigma2)), then sigma2 T/(T-1).

    Parameters
    ----------
    x : ndarray (T N, k)
        Regressors of the likelihood (filtered for error models).

    Raises
    ------
    ValueError
        If the corrected spatial parameter leaves the interval of invertibility.
    """
    t, n = pieces.shape
    if effects == "individual":
        return beta, spatial, sigma2 * t / (t - 1)
    if effects == "time":
        return beta, spatial, sigma2 * n / (n - 1)
    if pieces.kind == "none":
        return beta, spatial, sigma2 * t / (t - 1) * n / (n - 1)
    zero = np.zeros(t * n)
    information, _ = information_and_scores(pieces, beta, spatial, sigma2, x, zero)
    shift = np.concatenate([np.zeros(len(beta)), [1 / (1 - spatial), 1 / (2 * sigma2)]])
    theta = np.concatenate([beta, [spatial, sigma2]]) + t * invert(information) @ shift
    if not pieces.logdet.lower < theta[-2] < pieces.logdet.upper:
        raise ValueError(
            f"the Lee-Yu correction moves the spatial parameter from {spatial:.4f} to "
            f"{theta[-2]:.4f}, outside the interval; use lee_yu='transformation'"
        )
    return theta[:-2], float(theta[-2]), float(theta[-1]) * t / (t - 1)


def tidy(estimates: pd.Series, errors: np.ndarray, level: float = 0.95) -> pd.DataFrame:
    """Tidy table with normal p-values and intervals."""
    return tidy_frame(list(estimates.index), estimates.to_numpy(float), errors, alpha=1 - level)
