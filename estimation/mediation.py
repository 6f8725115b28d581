"""Two-equation mediation: what share of an effect runs through a measured channel.

Belongs here: the two regressions, Sobel's test and the cluster bootstrap of the indirect effect.
Does not belong here: claims. Product-of-coefficients mediation identifies a channel only if, given
treatment, controls and effects, the mediator is as good as randomly assigned and does not interact
with treatment; ``ASSUMPTION`` says so beside every result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from estimation.did import covariance as cov
from estimation.did import twfe
from estimation.did.gram import entity_moments
from estimation.tidy import COLUMNS, tidy_frame

ASSUMPTION = (
    "a*b is a mediated effect only if nothing unobserved moves both mediator and outcome given "
    "treatment, controls and fixed effects, and if the mediator's effect is the same with and "
    "without treatment; the mediator is itself an outcome of the policy, so the direct effect is "
    "biased whenever that fails"
)


@dataclass(frozen=True)
class MediationResult:
    """Paths of a mediation.

    Attributes
    ----------
    total, first, second : TwfeResult
        Outcome on treatment; mediator on treatment; outcome on treatment and mediator.
    indirect, sobel_se : float
        a*b and its delta-method standard error sqrt(a^2 s_b^2 + b^2 s_a^2) (Sobel 1982).
    bootstrap : ndarray (R, 3)
        Indirect, direct and total effect per cluster resample.
    n_failed : int
        Resamples without variation, left out.
    """

    total: twfe.TwfeResult
    first: twfe.TwfeResult
    second: twfe.TwfeResult
    treatment: str
    mediator: str
    indirect: float
    sobel_se: float
    bootstrap: np.ndarray
    n_failed: int

    @property
    def share(self) -> float:
        """Indirect over total effect; meaningless when the total is near zero."""
        total = self.total.coefficient(self.treatment)
        return self.indirect / total if total != 0 else float("nan")

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Total, first path, second path, direct, indirect by Sobel and by bootstrap."""
        d, m = self.treatment, self.mediator
        rows = [
            _pick(self.total, d, "total effect", alpha),
            _pick(self.first, d, f"{d} -> {m}", alpha),
            _pick(self.second, m, f"{m} -> outcome", alpha),
            _pick(self.second, d, "direct effect", alpha),
            tidy_frame(
                ["indirect effect (Sobel)"],
                np.array([self.indirect]),
                np.array([self.sobel_se]),
                alpha=alpha,
            ),
        ]
        draws = self.bootstrap[:, 0] if len(self.bootstrap) else np.array([])
        if len(draws) > 1:
            low, high = np.quantile(draws, [alpha / 2, 1 - alpha / 2])
            below = (1 + np.sum(draws <= 0)) / (len(draws) + 1)
            above = (1 + np.sum(draws >= 0)) / (len(draws) + 1)
            error = float(draws.std(ddof=1))
            row = {
                "term": "indirect effect (bootstrap)",
                "estimate": self.indirect,
                "std_error": error,
                "statistic": self.indirect / error if error > 0 else np.nan,
                "p_value": min(1.0, 2 * min(below, above)),
                "ci_low": low,
                "ci_high": high,
            }
            rows.append(pd.DataFrame([row]))
        return pd.concat(rows, ignore_index=True)[COLUMNS]


def _pick(result: twfe.TwfeResult, term: str, name: str, alpha: float) -> pd.DataFrame:
    table = result.tidy(alpha)
    return table[table["term"] == term].assign(term=name)


def fit(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    mediator: str,
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | None = None,
    draws: int = 500,
    seed: int = 0,
) -> MediationResult:
    """Estimate m = a d + g'x + effects and y = c' d + b m + g'x + effects on the same rows.

    The bootstrap resamples clusters (Davidson and MacKinnon's pairs), percentile intervals. With
    an absorbed mediator or treatment the regressions raise ``NoVariation``.

    Raises
    ------
    MissingData, NoVariation, ValueError
    """
    effects = tuple(fixed_effects) if fixed_effects is not None else (entity, time)
    way = cluster or entity
    used = [treatment, mediator, *controls]
    d = twfe.design(
        data, outcome=outcome, regressors=used, entity=entity, time=time, fixed_effects=effects,
        cluster=way, purpose="mediation",
    )  # fmt: skip
    frame = d.frame
    keys: dict[str, Any] = {
        "entity": entity, "time": time, "fixed_effects": effects, "cluster": way,
    }  # fmt: skip
    total = twfe.fit(frame, outcome=outcome, treatment=treatment, controls=controls, **keys)
    first = twfe.fit(frame, outcome=mediator, treatment=treatment, controls=controls, **keys)
    second = twfe.fit(
        frame, outcome=outcome, treatment=[treatment, mediator], controls=controls, **keys
    )
    a, b = first.coefficient(treatment), second.coefficient(mediator)
    var_a, var_b = first.covariance(treatment), second.covariance(mediator)
    sample = np.empty((0, 3))
    failed = 0
    if draws > 0:
        sample = _bootstrap(frame, outcome, treatment, mediator, total, keys, draws, seed)
        good = np.isfinite(sample).all(axis=1)
        failed = int((~good).sum())
        sample = sample[good]
    return MediationResult(
        total, first, second, treatment, mediator, a * b,
        float(np.sqrt(a**2 * var_b + b**2 * var_a)), sample, failed,
    )  # fmt: skip


def _bootstrap(
    frame: pd.DataFrame,
    outcome: str,
    treatment: str,
    mediator: str,
    total: twfe.TwfeResult,
    keys: dict,
    draws: int,
    seed: int,
) -> np.ndarray:
    controls = [c for c in total.params.index if c != treatment]
    moments = entity_moments(
        frame, [outcome, mediator, treatment, *controls], entity=keys["entity"],
        fixed_effects=keys["fixed_effects"],
    )  # fmt: skip
    way = frame.drop_duplicates(keys["entity"]).sort_values(keys["entity"])[keys["cluster"]]
    if frame.groupby(keys["entity"])[keys["cluster"]].nunique().max() > 1:
        raise ValueError("the bootstrap resamples clusters, so entities must lie within clusters")
    code, size = cov.codes(way.to_numpy())
    gram = np.zeros((size, *moments.gram.shape[1:]))
    np.add.at(gram, code, moments.gram)
    rng = np.random.Generator(np.random.PCG64(seed))
    weights = rng.multinomial(size, np.full(size, 1 / size), size=draws).astype(float)
    out = []
    for start in range(0, draws, 250):
        g = np.tensordot(weights[start : start + 250], gram, axes=1)
        a = moments.solve(g, mediator, [treatment, *controls])[:, 0]
        second = moments.solve(g, outcome, [treatment, mediator, *controls])
        c = moments.solve(g, outcome, [treatment, *controls])[:, 0]
        out.append(np.column_stack([a * second[:, 1], second[:, 0], c]))
    return np.concatenate(out)
