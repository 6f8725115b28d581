"""Least squares with any set of absorbed fixed effects: the regression behind most exhibits.

Belongs here: coefficients, clustered covariance, singletons, collinear columns, the R2 variants
that papers print. Does not belong here: sample changes or figures. Ours rather than pyfixest's
because its clustered standard errors depend on PYTHONHASHSEED; the tests compare with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from estimation.did import covariance as cov
from estimation.did import fit_statistics
from estimation.did.absorb import Absorber, effect_codes, keep_non_singletons
from estimation.panel import NoVariation, as_matrix, complete_cases
from estimation.tidy import tidy_frame

_ABSORBED = 1e-9  # share of a column's own variation left after the fixed effects: below is nothing
_COLLINEAR = 1e-9  # same for what is left after the earlier columns (squared norms)


@dataclass(frozen=True)
class TwfeResult:
    """A fitted regression.

    Attributes
    ----------
    params : Series
        Coefficients by term; treatments first, then controls, collinear ones left out.
    vcov : DataFrame
        Covariance of ``params``.
    df : float
        Degrees of freedom of the t distribution.
    se_rule : str
        Small-sample convention of the covariance.
    dropped : tuple of str
        Controls left out because they are collinear (with the effects or with earlier columns).
    n_obs, n_entities, n_clusters, n_singletons, n_missing : int
        Sample accounting; singletons and incomplete rows are not in ``n_obs``.
    constant, constant_se : float
        Mean outcome less the fitted part of the regressors, the constant that regressions with
        absorbed effects print, and its error under the same covariance (NaN without effects).
    r2 : dict
        ``r2``, ``adj_r2`` (all effects counted), ``r2_within``, ``adj_r2_within`` (all effects
        partialled out), ``r2_within_entity``, ``adj_r2_within_entity`` (only the entity effects
        partialled out, the other effects counted as regressors: what a "within" estimator with
        time dummies prints).
    residuals : ndarray (n_obs,)
    rows : DataFrame
        Entity and time of the rows used, in the order of ``residuals``.
    """

    params: pd.Series
    vcov: pd.DataFrame
    df: float
    se_rule: str
    dropped: tuple[str, ...]
    n_obs: int
    n_entities: int
    n_clusters: int
    n_singletons: int
    n_missing: int
    constant: float
    constant_se: float
    r2: Mapping[str, float]
    residuals: np.ndarray = field(repr=False)
    rows: pd.DataFrame = field(repr=False)

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Coefficients with t statistics and 1 - alpha intervals."""
        return tidy_frame(
            list(self.params.index),
            self.params.to_numpy(),
            np.sqrt(np.diag(self.vcov.to_numpy())),
            df=self.df,
            alpha=alpha,
        )

    def coefficient(self, term: str) -> float:
        """Coefficient of a term."""
        return float(self.params.to_numpy()[self._at(term)])

    def covariance(self, one: str, other: str | None = None) -> float:
        """Covariance of two coefficients, or the variance of one."""
        matrix = self.vcov.to_numpy()
        return float(matrix[self._at(one), self._at(one if other is None else other)])

    def _at(self, term: str) -> int:
        names = list(self.params.index)
        if term not in names:
            raise ValueError(f"{term} is no coefficient of this regression; there are {names}")
        return names.index(term)

    def wald(self, terms: Sequence[str]) -> dict[str, float]:
        """Joint F test that the named coefficients are zero (q and ``df`` degrees of freedom)."""
        return wald_test(self.params, self.vcov, terms, self.df)


@dataclass(frozen=True)
class Design:
    """Rows, columns and effects of a regression after incomplete rows and singletons are gone."""

    frame: pd.DataFrame
    y: np.ndarray
    x: np.ndarray
    names: tuple[str, ...]
    absorber: Absorber
    effect_names: tuple[str, ...]
    clusters: tuple[np.ndarray, ...]
    cluster_names: tuple[str, ...]
    weights: np.ndarray | None
    n_missing: int
    n_singletons: int


def wald_test(
    params: pd.Series, vcov: pd.DataFrame, terms: Sequence[str], df: float
) -> dict[str, float]:
    """F = b'V^-1 b / q with F(q, df) p value; q falls to the rank of V when V is singular."""
    from scipy import stats

    kept = [t for t in terms if t in params.index]
    if not kept:
        raise ValueError(f"none of {list(terms)} is a coefficient of this regression")
    b, v = params[kept].to_numpy(), vcov.loc[kept, kept].to_numpy()
    rank = int(np.linalg.matrix_rank(v))
    f = float(b @ np.linalg.pinv(v, hermitian=True) @ b) / rank
    return {"f": f, "p_value": float(stats.f.sf(f, rank, df)), "df1": float(rank), "df2": float(df)}


def design(
    data: pd.DataFrame,
    *,
    outcome: str,
    regressors: Sequence[str],
    entity: str,
    time: str,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | Sequence[str] | None = None,
    weights: str | None = None,
    purpose: str = "the regression",
) -> Design:
    """Prepare a regression: complete rows, positive weights, no singletons, integer codes."""
    effects = tuple(fixed_effects) if fixed_effects is not None else (entity, time)
    ways = () if cluster is None else (cluster,) if isinstance(cluster, str) else tuple(cluster)
    names = tuple(dict.fromkeys(regressors))
    if outcome in names:
        raise ValueError(f"{purpose}: the outcome {outcome} is also a regressor")
    parts = [p for e in effects for p in e.split("^")]
    used = [outcome, *names, *parts, *ways, *([weights] if weights else [])]
    cases = complete_cases(data, used, entity=entity, time=time, purpose=purpose, unique=False)
    frame = cases.frame
    if weights:
        values = frame[weights].to_numpy(dtype=float)
        if (values < 0).any():
            raise ValueError(f"{purpose}: the weights {weights} hold negative values")
        frame = frame.loc[values > 0].reset_index(drop=True)
    n_singletons = 0
    if effects:
        keep = keep_non_singletons([effect_codes(frame, e) for e in effects])
        n_singletons = int((~keep).sum())
        frame = frame.loc[keep].reset_index(drop=True)
    if frame.empty:
        raise ValueError(f"{purpose}: every row is alone in a level of {list(effects)}")
    w = frame[weights].to_numpy(dtype=float) if weights else None
    return Design(
        frame=frame,
        y=as_matrix(frame, [outcome])[:, 0],
        x=as_matrix(frame, names),
        names=names,
        absorber=Absorber([effect_codes(frame, e) for e in effects], w),
        effect_names=effects,
        clusters=tuple(cov.codes(frame[c].to_numpy())[0] for c in ways),
        cluster_names=ways,
        weights=w,
        n_missing=cases.n_missing,
        n_singletons=n_singletons,
    )


def independent_columns(raw: np.ndarray, within: np.ndarray) -> list[int]:
    """Columns of ``within`` (n, k) that add to the earlier ones, by modified Gram-Schmidt.

    A column counts as absorbed when less than 1e-9 of its own variation is left.
    """
    kept: list[int] = []
    basis: list[np.ndarray] = []
    for j in range(within.shape[1]):
        spread = float(np.sum((raw[:, j] - raw[:, j].mean()) ** 2))
        left = within[:, j]
        norm = float(left @ left)
        if (
            norm <= max(_ABSORBED**2 * float(raw[:, j] @ raw[:, j]), _ABSORBED * spread)
            or norm == 0
        ):
            continue
        rest = left.copy()
        for _ in range(2):
            for q in basis:
                rest -= (q @ rest) * q
        remaining = float(rest @ rest)
        if remaining <= _COLLINEAR * norm:
            continue
        basis.append(rest / np.sqrt(remaining))
        kept.append(j)
    return kept


def fit(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str | Sequence[str],
    controls: Sequence[str] = (),
    entity: str,
    time: str,
    fixed_effects: Sequence[str] | None = None,
    cluster: str | Sequence[str] | None = None,
    weights: str | None = None,
    covariance: str = "cluster",
) -> TwfeResult:
    """Regress the outcome on treatment and controls with absorbed fixed effects.

    y_it = b'd_it + g'x_it + fixed effects + e_it by (weighted) least squares; see
    ``absorb.Absorber`` for the effects and ``covariance`` for the standard errors.

    Parameters
    ----------
    data : DataFrame
        Long panel. Rows with a missing cell in a used column are left out and counted.
    outcome : str
    treatment : str or sequence of str
        Terms of interest; one that does not vary within the effects raises.
    controls : sequence of str
        Collinear controls are left out and reported in ``dropped``.
    entity, time : str
    fixed_effects : sequence of str, optional
        Default (entity, time); ``"province^year"`` for interacted effects; () for none, in which
        case a constant is added as the term ``(intercept)``.
    cluster : str or sequence of str, optional
        Default entity. Several names give multi-way clustering.
    weights : str, optional
        Column of non-negative weights; rows of weight zero are left out.
    covariance : {"cluster", "HC1", "iid"}

    Raises
    ------
    MissingData, NoVariation, ValueError
    """
    terms = (treatment,) if isinstance(treatment, str) else tuple(treatment)
    ways: str | Sequence[str] | None = None
    if covariance == "cluster":
        ways = entity if cluster is None else cluster
    d = design(
        data,
        outcome=outcome,
        regressors=[*terms, *controls],
        entity=entity,
        time=time,
        fixed_effects=fixed_effects,
        cluster=ways,
        weights=weights,
        purpose=f"the regression of {outcome}",
    )
    return fit_design(d, terms, entity=entity, time=time, covariance=covariance)


def fit_design(
    d: Design, terms: Sequence[str], *, entity: str, time: str, covariance: str = "cluster"
) -> TwfeResult:
    """Estimate a prepared design; ``terms`` are the names that must survive."""
    names, raw = d.names, d.x
    if not d.effect_names:
        names, raw = (*names, "(intercept)"), np.column_stack([raw, np.ones(len(d.y))])
    within = d.absorber.demean(np.column_stack([d.y, raw])) if d.effect_names else None
    y = within[:, 0] if within is not None else d.y
    x = within[:, 1:] if within is not None else raw
    if d.weights is not None:
        root = np.sqrt(d.weights)
        y, x = y * root, x * root[:, None]
    kept = independent_columns(_guard_constant(raw, d), x)
    lost = [n for j, n in enumerate(names) if j not in kept]
    gone = [t for t in terms if t in lost]
    if gone:
        raise NoVariation(
            f"{', '.join(gone)} does not vary within {list(d.effect_names) or 'the sample'} "
            f"({len(d.y)} rows): it is constant, absorbed by the effects, or repeats another term"
        )
    if not kept:
        raise NoVariation("no regressor varies within the fixed effects")
    x = x[:, kept]
    labels = [names[j] for j in kept]
    # Scaling columns to unit length first keeps the inverse accurate for badly scaled controls.
    scale = np.sqrt(np.einsum("ij,ij->j", x, x))
    q, r = np.linalg.qr(x / scale)
    beta = np.linalg.solve(r, q.T @ y) / scale
    r_inv = np.linalg.inv(r)
    bread = (r_inv @ r_inv.T) / np.outer(scale, scale)
    residual = y - x @ beta
    k = cov.counted_parameters(len(kept), d.absorber.effects, d.clusters)
    if covariance == "cluster":
        v = cov.clustered(x, residual, bread, d.clusters, n_parameters=k, names=d.cluster_names)
    elif covariance == "HC1":
        v = cov.heteroskedastic(x, residual, bread, n_parameters=k)
    elif covariance == "iid":
        v = cov.classical(residual, bread, n_parameters=k)
    else:
        raise ValueError(f"unknown covariance {covariance!r}; choose cluster, HC1 or iid")
    constant, constant_se = fit_statistics.constant(
        d, x, raw[:, kept], beta, residual, k, covariance
    )
    clean = residual if d.weights is None else residual / np.sqrt(d.weights)
    return TwfeResult(
        params=pd.Series(beta, index=labels),
        vcov=pd.DataFrame(v.matrix, index=labels, columns=labels),
        df=v.df,
        se_rule=v.rule,
        dropped=tuple(lost),
        n_obs=len(y),
        n_entities=int(d.frame[entity].nunique()),
        n_clusters=min(v.n_clusters) if v.n_clusters else 0,
        n_singletons=d.n_singletons,
        n_missing=d.n_missing,
        constant=constant,
        constant_se=constant_se,
        r2=fit_statistics.r_squared(d, clean, y, len(kept), entity),
        residuals=clean,
        rows=d.frame[[entity, time]],
    )


def _guard_constant(raw: np.ndarray, d: Design) -> np.ndarray:
    # An intercept has no spread of its own; give it one so that it is not taken for absorbed.
    if d.effect_names:
        return raw
    guarded = raw.copy()
    guarded[:, -1] = np.linspace(-1, 1, len(raw))
    return guarded
