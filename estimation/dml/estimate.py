"""Double machine learning of a treatment effect in a panel: PLR, PLIV and IRM on doubleml.

Belongs here: the three public estimators. Does not belong here: features (``design``), fits
(``crossfit``), solving the score (``score``), standard errors (``inference``). Nuisance predictions
are made by ``crossfit`` and handed to doubleml, which solves the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from estimation.dml import diagnostics as diag
from estimation.dml.crossfit import Nuisance, Runtime, crossfit
from estimation.dml.design import Design, make_design
from estimation.dml.folds import Folds, check_treated, draw
from estimation.dml.learners import learner
from estimation.dml.result import PUBLISHED, Configuration, DMLResult
from estimation.dml.score import fit_score, middle_split, solve, summarise
from estimation.panel import NoVariation


def plr(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    controls: Sequence[str],
    entity: str,
    time: str,
    cluster: str | None = None,
    fixed_effects: Sequence[str] | None = None,
    config: Configuration = PUBLISHED,
    seed: int = 20240101,
    runtime: Runtime | None = None,
) -> DMLResult:
    """Partially linear regression: Y = theta D + g(X) + e, D = m(X) + v.

    Partialling-out score of Chernozhukov et al. (2018), solved by ``doubleml.DoubleMLPLR`` on
    cross-fitted predictions of E[Y|X] and E[D|X].

    Parameters
    ----------
    data : DataFrame
        One row per entity and time, in any order; rows with a missing cell are left out and
        counted in ``diagnostics['rows_left_out']``.
    cluster : str, optional
        Column of the clusters; default the entity.
    fixed_effects : sequence of str, optional
        Default entity and time; ``"province^year"`` for combinations.

    Returns
    -------
    DMLResult

    Raises
    ------
    NoVariation
        Constant outcome, treatment explained perfectly by the effects or by the learner, or too few
        treated rows in a fold.
    MissingData, ValueError
        Absent columns, text columns, duplicate rows, unknown option.
    """
    design = make_design(
        data,
        outcome=outcome,
        treatment=treatment,
        controls=controls,
        entity=entity,
        time=time,
        cluster=cluster,
        fixed_effects=fixed_effects,
        **_design_options(config),
    )
    return _partial_linear(design, outcome, treatment, None, config, seed, runtime or Runtime())


def pliv(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    instrument: str,
    controls: Sequence[str],
    entity: str,
    time: str,
    cluster: str | None = None,
    fixed_effects: Sequence[str] | None = None,
    config: Configuration = PUBLISHED,
    seed: int = 20240101,
    runtime: Runtime | None = None,
) -> DMLResult:
    """Partially linear IV regression with one instrument (``doubleml.DoubleMLPLIV``).

    theta = sum (Z - m(X))(Y - l(X)) / sum (Z - m(X))(D - r(X)). The diagnostics carry the effective
    F and the Anderson-Rubin set, which stays valid when the instrument is weak.

    Parameters, result and errors are those of ``plr``, with ``instrument`` added.
    """
    design = make_design(
        data,
        outcome=outcome,
        treatment=treatment,
        controls=controls,
        entity=entity,
        time=time,
        cluster=cluster,
        instrument=instrument,
        fixed_effects=fixed_effects,
        **_design_options(config),
    )
    return _partial_linear(
        design, outcome, treatment, instrument, config, seed, runtime or Runtime()
    )


def irm(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    controls: Sequence[str],
    entity: str,
    time: str,
    cluster: str | None = None,
    fixed_effects: Sequence[str] | None = None,
    score: str = "ATE",
    clip: float = 0.01,
    config: Configuration = PUBLISHED,
    seed: int = 20240101,
    runtime: Runtime | None = None,
) -> DMLResult:
    """Interactive regression: the effect of a 0/1 treatment may differ with X (``DoubleMLIRM``).

    Parameters
    ----------
    score : {"ATE", "ATTE"}
    clip : float
        Propensities are clipped to [clip, 1 - clip].

    Other parameters, result and errors are those of ``plr``. Effects cannot be ``within``: a
    demeaned treatment is no longer 0/1. Under ``cre`` the entity means stand among the features.
    """
    if config.effects == "within":
        raise ValueError("irm needs a 0/1 treatment, which the within transformation destroys; "
                         "use effects 'cre', 'dummies' or 'none', or plr")  # fmt: skip
    design = make_design(
        data,
        outcome=outcome,
        treatment=treatment,
        controls=controls,
        entity=entity,
        time=time,
        cluster=cluster,
        fixed_effects=fixed_effects,
        **_design_options(config),
    )
    if not np.isin(design.d, (0.0, 1.0)).all():
        raise ValueError(f"irm needs a 0/1 treatment; {treatment} has other values, use plr")
    runtime = runtime or Runtime()
    folds = _draw(design, config, seed)
    empty = check_treated(folds, design.d, name=treatment, minimum=config.min_treated)
    one = config.learner
    by_treatment = config.treatment_learner or one
    x, n_codes = design.x, design.n_codes
    treated = design.d == 1.0
    nuisances = [
        Nuisance(outcome, design.y, x, n_codes, one, train_on=~treated),
        Nuisance(outcome, design.y, x, n_codes, one, train_on=treated),
        Nuisance(treatment, design.d, x, n_codes, by_treatment, classifier=True),
    ]
    g0, g1, m = crossfit(nuisances, folds, seed=seed, runtime=runtime)
    # doubleml takes seconds to import; nothing above needs it.
    import doubleml
    from doubleml.utils import DMLDummyClassifier, DMLDummyRegressor, PSProcessorConfig

    data_object = doubleml.DoubleMLData.from_arrays(x=design.x, y=design.y, d=design.d)
    model = doubleml.DoubleMLIRM(
        data_object,
        ml_g=DMLDummyRegressor(),
        ml_m=DMLDummyClassifier(),
        n_folds=config.folds,
        score=score,
        ps_processor_config=PSProcessorConfig(clipping_threshold=clip),
        draw_sample_splitting=False,
    )
    external = {"ml_g0": g0.values, "ml_g1": g1.values, "ml_m": m.values}
    fitted = solve(model, folds, external)
    outside = float(np.mean((m.values < clip) | (m.values > 1 - clip)))
    rows = {
        f"E[{outcome}|X,{treatment}=0]": (g0, design.y, ~treated),
        f"E[{outcome}|X,{treatment}=1]": (g1, design.y, treated),
        f"P[{treatment}=1|X]": (m, design.d, None),
    }
    found = {
        "share_of_propensities_clipped": outside,
        "test_folds_without_treated": empty,
        **diag.overlap(design, design.d[:, None] - m.values, treatment),
    }
    if config.sensitivity:
        found |= diag.sensitivity(fitted)
    return summarise("irm", fitted, design, treatment, config, rows, found, None)


def _partial_linear(
    design: Design,
    outcome: str,
    treatment: str,
    instrument: str | None,
    config: Configuration,
    seed: int,
    runtime: Runtime,
) -> DMLResult:
    folds = _draw(design, config, seed)
    flag = design.frame[treatment].to_numpy(dtype=float)
    empty = check_treated(folds, flag, name=treatment, minimum=config.min_treated)
    names = {"l": outcome, "m": treatment} | ({"z": instrument} if instrument else {})
    values = {"l": design.y, "m": design.d, "z": design.z}
    nuisances = []
    for role, name in names.items():
        one = config.learner if role == "l" else (config.treatment_learner or config.learner)
        target = values[role]
        assert target is not None
        assert name is not None
        nuisances.append(Nuisance(name, target, design.x, design.n_codes, one))
    found = crossfit(nuisances, folds, seed=seed, runtime=runtime)
    predictions = dict(zip(names, found))
    residuals = {role: _residual(design, values[role], p.values) for role, p in predictions.items()}
    spread = residuals["m"].var(axis=0).min() / np.var(flag)
    if spread < 1e-10:
        raise NoVariation(
            f"{config.learner.name} and the effects explain {treatment} perfectly: nothing is left "
            "of it to compare outcomes by; use fewer controls or effects"
        )
    fitted = fit_score(design, folds, residuals, config)
    rows = {f"E[{name}|X]": (predictions[role], values[role], None) for role, name in names.items()}
    extra = {
        "test_folds_without_treated": empty,
        **diag.overlap(design, residuals["m"], treatment),
    }
    clusters = design.cluster if config.se == "cluster" else None
    if instrument:
        middle = middle_split(fitted)
        extra |= diag.instrument_strength(
            *(residuals[role][:, middle] for role in ("l", "m", "z")), cluster=clusters
        )
    elif config.sensitivity:
        extra |= diag.sensitivity(fitted)
    result = summarise("pliv" if instrument else "plr", fitted, design, treatment, config, rows,
                     extra, residuals)  # fmt: skip
    if not config.linear_beside or config.learner.name == "linear":
        return result
    plain = replace(config, learner=learner("linear"), treatment_learner=None, linear_beside=False,
                    sensitivity=False)  # fmt: skip
    linear: dict[str, float | str]
    try:
        beside = _partial_linear(design, outcome, treatment, instrument, plain, seed, runtime)
        linear = {"linear_estimate": beside.estimate, "linear_std_error": beside.std_error}
    except NoVariation as error:
        linear = {"linear_beside": str(error)}
    return replace(result, diagnostics={**result.diagnostics, **linear})


def _design_options(config: Configuration) -> dict[str, Any]:
    return {
        "effects": config.effects,
        "squares": config.squares,
        "winsor": config.winsor,
        "allow_unidentified": config.allow_unidentified,
    }


def _draw(design: Design, config: Configuration, seed: int) -> list[Folds]:
    return [
        draw(design.entity, k=config.folds, unit=config.fold_unit, seed=seed, repetition=r)
        for r in range(config.n_rep)
    ]


def _residual(design: Design, target: np.ndarray | None, predicted: np.ndarray) -> np.ndarray:
    assert target is not None
    return design.demean(target[:, None] - predicted)
