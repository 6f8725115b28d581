"""Specification tests of spatial panels: LM, robust LM, LR, Wald and Hausman, and the whole block.

Belongs here: test statistics and the block that stands under a table of spatial estimates. Does not
belong here: fitting. Ours because spreg's panel tests know individual effects only, and its
log-likelihoods of panels cannot be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from estimation.spatial.arrays import SpatialArrays, check_rank, demean, lag_panel, spatial_arrays
from estimation.spatial.logdet import LogDeterminant, log_determinant
from estimation.spatial.ml import fit_arrays
from estimation.spatial.random_effects import RandomEffectsFit, random_effects, with_unit_means
from estimation.spatial.result import SpatialFit
from estimation.spatial.weights import Weights


@dataclass(frozen=True)
class SpecificationTest:
    """One test: statistic, degrees of freedom, p-value of the chi-squared, what is tested."""

    name: str
    statistic: float
    df: int
    null: str
    note: str = ""

    @property
    def p_value(self) -> float:
        """Upper tail of the chi-squared."""
        return float(stats.chi2.sf(self.statistic, self.df))


@dataclass(frozen=True)
class SpecificationTests:
    """All tests of one specification, and the fits they rest on (by model and effects)."""

    results: tuple[SpecificationTest, ...]
    fits: dict[tuple[str, str], SpatialFit]
    random: RandomEffectsFit

    def tidy(self) -> pd.DataFrame:
        """One row per test: test, statistic, df, p_value, null, note."""
        rows = [
            {
                "test": r.name,
                "statistic": r.statistic,
                "df": r.df,
                "p_value": r.p_value,
                "null": r.null,
                "note": r.note,
            }
            for r in self.results
        ]
        return pd.DataFrame(rows)

    def __getitem__(self, name: str) -> SpecificationTest:
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(f"no test {name!r}; there are {[r.name for r in self.results]}")


def lm_tests(arrays: SpatialArrays, effects: str) -> tuple[SpecificationTest, ...]:
    """LM and robust LM tests for a spatial lag and a spatial error, on demeaned data.

    Anselin, Le Gallo and Jayet (2008); Elhorst (2014), eq. 3.10-3.12; Debarsy and Ertur (2010) for
    the demeaned versions. ``arrays`` must hold no Durbin terms unless they belong to the null.

    Returns
    -------
    tuple of SpecificationTest
        LM_lag, LM_error, LM_lag_robust, LM_error_robust, each with one degree of freedom.
    """
    t, n = arrays.shape
    weights = arrays.weights
    y = demean(arrays.y, effects)
    x = arrays.x
    if effects == "none":
        x = np.concatenate([np.ones((t, n, 1)), x], axis=2)
    x = demean(x, effects).reshape(t * n, -1)
    check_rank(x, arrays.names if effects != "none" else ("intercept", *arrays.names), effects)
    q, _ = np.linalg.qr(x)
    fitted = q @ (q.T @ y.ravel())
    e = y.ravel() - fitted
    sigma2 = float(e @ e) / (t * n)
    wy = lag_panel(weights, y).ravel()
    we = lag_panel(weights, e.reshape(t, n)).ravel()
    wf = lag_panel(weights, fitted.reshape(t, n)).ravel()
    projected = wf - q @ (q.T @ wf)
    w = weights.matrix
    tw = t * float(w.multiply(w).sum() + w.multiply(w.T).sum())
    j = tw + float(projected @ projected) / sigma2
    lag, error = float(e @ wy) / sigma2, float(e @ we) / sigma2
    if j - tw <= 1e-10 * j:
        raise ValueError(
            "the robust LM tests do not exist: W x b is explained by the regressors, so a lag and "
            "an error cannot be told apart; drop the Durbin terms from the null"
        )
    values = {
        "LM_lag": (lag**2 / j, "no spatial lag"),
        "LM_error": (error**2 / tw, "no spatial error"),
        "LM_lag_robust": ((lag - error) ** 2 / (j - tw), "no spatial lag, error allowed for"),
        "LM_error_robust": (
            (error - tw / j * lag) ** 2 / (tw * (1 - tw / j)),
            "no spatial error, lag allowed for",
        ),
    }
    return tuple(
        SpecificationTest(k, v, 1, f"{null} ({effects} effects)") for k, (v, null) in values.items()
    )


def likelihood_ratio(
    name: str, restricted: SpatialFit, full: SpatialFit, df: int, null: str
) -> SpecificationTest:
    """2 (ln L full - ln L restricted) of fits to the same data without transformation.

    Raises
    ------
    ValueError
        If the fits differ in data, or one is of transformed data (its likelihood is another one).
    """
    if "transformation" in (restricted.lee_yu, full.lee_yu):
        raise ValueError(
            "likelihoods of transformed data cannot be compared; refit with lee_yu=None"
        )
    if restricted.n_obs != full.n_obs:
        raise ValueError(
            f"the fits have {restricted.n_obs} and {full.n_obs} observations; expected the same"
        )
    return SpecificationTest(name, 2 * (full.loglik - restricted.loglik), df, null)


def wald(fit: SpatialFit, against: str, kind: str = "analytic") -> SpecificationTest:
    """Wald test of an SDM (or SDEM) against a simpler model.

    Parameters
    ----------
    against : {"sar", "sem"}
        ``sar``: theta = 0. ``sem``: theta + rho b = 0 (common factors; delta method).
    kind : {"analytic", "cluster"}
    """
    pairs = [(fit.names.index(n[2:]), i) for i, n in enumerate(fit.names) if n.startswith("W*")]
    if not pairs:
        raise ValueError(f"{fit.model} has no Durbin terms to test")
    k = len(fit.beta)
    size = k + (1 if fit.spatial_name else 0)
    matrix = fit.covariance_matrix(kind)[:size, :size]
    jacobian = np.zeros((len(pairs), size))
    value = np.empty(len(pairs))
    for row, (own, lagged) in enumerate(pairs):
        jacobian[row, lagged] = 1.0
        value[row] = fit.beta[lagged]
        if against == "sem":
            if not fit.has_lag:
                raise ValueError("common factors are a restriction on an SDM")
            jacobian[row, own] = fit.spatial
            jacobian[row, k] = fit.beta[own]
            value[row] += fit.spatial * fit.beta[own]
    if against not in ("sar", "sem"):
        raise ValueError(f"Wald test against {against!r} is unknown; use 'sar' or 'sem'")
    statistic = float(value @ np.linalg.solve(jacobian @ matrix @ jacobian.T, value))
    null = "theta = 0" if against == "sar" else "theta + rho b = 0"
    suffix = "" if kind == "analytic" else "_cluster"
    return SpecificationTest(f"Wald_SDM_{against.upper()}{suffix}", statistic, len(pairs), null)


def hausman(fixed: SpatialFit, random: RandomEffectsFit) -> SpecificationTest:
    """Hausman's test of random against fixed individual effects on slopes and spatial parameter.

    (b_FE - b_RE)'(V_FE - V_RE)^-1 (b_FE - b_RE), Elhorst (2014), sec. 3.3.3; the variance of the
    fixed-effects estimates is taken with sigma2 T/(T-1) unless corrected already. Where the
    difference of variances has negative eigenvalues, only the positive part is used, the degrees
    of freedom are its rank, and the note says so: prefer the Mundlak form then.
    """
    shared = [n for n in fixed.parameter_names if n != "sigma2"]
    ours = np.array([fixed.parameter_names.index(n) for n in shared])
    theirs = np.array([(*random.names, random.spatial_name).index(n) for n in shared])
    d = fixed.parameters.to_numpy()[ours] - random.parameters.to_numpy()[theirs]
    scale = 1.0 if fixed.lee_yu else fixed.n_periods / (fixed.n_periods - 1)
    v_fixed = scale * fixed.covariance_matrix()[np.ix_(ours, ours)]
    difference = v_fixed - random.covariance_matrix()[np.ix_(theirs, theirs)]
    unit = 1 / np.sqrt(np.diag(v_fixed))
    values, vectors = np.linalg.eigh(difference * np.outer(unit, unit))
    positive = values > 1e-8
    part = vectors[:, positive].T @ (d * unit)
    statistic = float((part**2 / values[positive]).sum())
    note = ""
    if not positive.all():
        note = f"V_FE - V_RE has {int((~positive).sum())} non-positive eigenvalue(s), left out"
    return SpecificationTest("Hausman", statistic, int(positive.sum()), "random effects", note)


def mundlak(
    arrays: SpatialArrays,
    *,
    model: str,
    effects: str,
    logdet: LogDeterminant,
    near: float | None = None,
) -> SpecificationTest:
    """Hausman's question as a Wald test that unit means add nothing to the random-effects model."""
    within = demean(arrays.x, effects)
    varying = [
        n
        for j, n in enumerate(arrays.names)
        if np.linalg.norm(within[..., j]) > 1e-10 * np.linalg.norm(arrays.x[..., j])
        and np.linalg.norm(arrays.x[..., j].mean(axis=0) - arrays.x[..., j].mean()) > 1e-10
    ]
    fit = random_effects(
        with_unit_means(arrays, varying), model=model, effects=effects, logdet=logdet, near=near
    )
    at = np.array([fit.names.index(f"mean:{n}") for n in varying])
    value = fit.beta[at]
    matrix = fit.covariance_matrix()[np.ix_(at, at)]
    statistic = float(value @ np.linalg.solve(matrix, value))
    return SpecificationTest("Hausman_Mundlak", statistic, len(varying), "unit means add nothing")


def specification_tests(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str | Sequence[str] = (),
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    weights: Weights,
    effects: str = "twoway",
    logdet: str = "auto",
    allow_islands: bool = False,
    allow_disconnected: bool = False,
) -> SpecificationTests:
    """The block under a table of spatial estimates: which model, which effects.

    LM and robust LM; LR and Wald of SDM against SAR and SEM; LR of two-way effects against
    individual (df T - 1) and time effects (df N - 1) in the SDM; Hausman and its Mundlak form with
    the same effects as the SDM (individual when ``effects`` is ``time``).

    Raises
    ------
    WeightsError, UnbalancedPanel, ValueError
        As ``spatial_panel``.
    """
    listed = [treatment] if isinstance(treatment, str) else list(treatment)
    regressors = [*listed, *controls]
    weights.check(allow_islands=allow_islands, allow_disconnected=allow_disconnected)
    shape = {
        "outcome": outcome,
        "regressors": regressors,
        "entity": entity,
        "time": time,
        "purpose": f"spatial tests of {outcome}",
    }
    durbin = spatial_arrays(data, durbin=regressors, weights=weights, **shape)  # type: ignore[arg-type]
    k = len(regressors)
    plain = replace(durbin, x=durbin.x[..., :k], names=durbin.names[:k])
    determinant = log_determinant(plain.weights, logdet)
    fits = {
        ("sar", effects): fit_arrays(plain, model="sar", effects=effects, logdet=determinant),
        ("sem", effects): fit_arrays(plain, model="sem", effects=effects, logdet=determinant),
    }
    for other in dict.fromkeys([effects, "twoway", "individual", "time"]):
        fits["sdm", other] = fit_arrays(durbin, model="sdm", effects=other, logdet=determinant)
    sdm = fits["sdm", effects]
    t, n = plain.shape
    kind = "individual" if effects in ("none", "time") else effects
    random = random_effects(durbin, model="sdm", effects=kind, logdet=determinant)
    results = [
        *lm_tests(plain, effects),
        likelihood_ratio("LR_SDM_SAR", fits["sar", effects], sdm, k, "theta = 0"),
        likelihood_ratio("LR_SDM_SEM", fits["sem", effects], sdm, k, "theta + rho b = 0"),
        wald(sdm, "sar"),
        wald(sdm, "sem"),
        wald(sdm, "sar", "cluster"),
        wald(sdm, "sem", "cluster"),
        likelihood_ratio(
            "LR_both_ind",
            fits["sdm", "individual"],
            fits["sdm", "twoway"],
            t - 1,
            "no time effects",
        ),
        likelihood_ratio(
            "LR_both_time",
            fits["sdm", "time"],
            fits["sdm", "twoway"],
            n - 1,
            "no individual effects",
        ),
        hausman(fits["sdm", kind], random),
        mundlak(durbin, model="sdm", effects=kind, logdet=determinant, near=random.phi2),
    ]
    return SpecificationTests(tuple(results), fits, random)
