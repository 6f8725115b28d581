"""Logit by maximum likelihood, for propensity scores.

Belongs here: coefficients, fitted probabilities, clear refusals. Does not belong here: matching.
Ours because statsmodels only warns about separation and drifts to infinite coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from estimation.panel import NoVariation
from estimation.tidy import tidy_frame


@dataclass(frozen=True)
class Logit:
    """A fitted logit: coefficients (intercept first), covariance and fitted probabilities."""

    params: pd.Series
    vcov: pd.DataFrame
    scores: np.ndarray
    log_likelihood: float
    iterations: int

    def tidy(self) -> pd.DataFrame:
        """Coefficients with z statistics."""
        errors = np.sqrt(np.diag(self.vcov.to_numpy()))
        return tidy_frame(list(self.params.index), self.params.to_numpy(), errors)


def logit(
    treated: np.ndarray, x: np.ndarray, names: Sequence[str], *, where: str = "the sample"
) -> Logit:
    """Maximum likelihood logit by Newton steps on standardised columns.

    Raises
    ------
    NoVariation
        If everybody or nobody is treated, or a covariate separates the groups perfectly.
    ValueError
        If the covariates are collinear.
    """
    y = np.asarray(treated, dtype=float)
    n = len(y)
    if not 0 < y.sum() < n:
        raise NoVariation(f"logit in {where}: {int(y.sum())} of {n} are treated, need both groups")
    mean, sd = x.mean(axis=0), x.std(axis=0)
    flat = [
        str(names[j]) for j in map(int, np.flatnonzero(sd <= 1e-12 * np.maximum(1, np.abs(mean))))
    ]
    if flat:
        raise NoVariation(f"logit in {where}: {flat} do not vary; leave them out of the score")
    z = np.column_stack([np.ones(n), (x - mean) / sd])
    if np.linalg.matrix_rank(z) < z.shape[1]:
        raise ValueError(f"logit in {where}: the covariates {list(names)} are collinear")
    b = np.zeros(z.shape[1])
    b[0] = np.log(y.mean() / (1 - y.mean()))
    value = _log_likelihood(z @ b, y)
    for iteration in range(1, 101):  # noqa: B007 (reported)
        p = _probability(z @ b)
        hessian = (z * (p * (1 - p))[:, None]).T @ z
        try:
            step = np.linalg.solve(hessian, z.T @ (y - p))
        except np.linalg.LinAlgError as error:
            raise NoVariation(f"logit in {where}: treatment is perfectly predicted") from error
        size = 1.0
        while size > 1e-8:  # halve the step when the likelihood would fall
            new = _log_likelihood(z @ (b + size * step), y)
            if new >= value - 1e-12 * abs(value):
                break
            size /= 2
        b, value = b + size * step, new
        if np.abs(step).max() < 1e-10:
            break
        if np.abs(z @ b).max() > 500:
            raise NoVariation(f"logit in {where}: treatment is perfectly predicted")
    else:
        raise NoVariation(f"logit in {where} does not converge; the groups barely overlap")
    p = _probability(z @ b)
    back = np.zeros((len(b), len(b)))
    back[0, 0] = 1.0
    back[0, 1:] = -mean / sd
    back[1:, 1:] = np.diag(1 / sd)
    labels = ["(intercept)", *names]
    covariance = back @ np.linalg.inv((z * (p * (1 - p))[:, None]).T @ z) @ back.T
    return Logit(
        pd.Series(back @ b, index=labels),
        pd.DataFrame(covariance, index=labels, columns=labels),
        p,
        value,
        iteration,
    )


def _probability(index: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(index, -700, 700)))


def _log_likelihood(index: np.ndarray, y: np.ndarray) -> float:
    return float(np.sum(y * index - np.logaddexp(0, index)))
