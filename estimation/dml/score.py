"""doubleml in between: residuals in, solved scores out, summarised over splits.

Belongs here: building doubleml's models on external predictions and reading their scores. Does not
belong here: fitting nuisance functions (``crossfit``) or choosing what to estimate (``estimate``).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from estimation.dml import diagnostics as diag
from estimation.dml.crossfit import Predictions
from estimation.dml.design import Design
from estimation.dml.folds import Folds
from estimation.dml.inference import clustered_se, influence, median_rule
from estimation.dml.result import Configuration, DMLResult


def fit_score(
    design: Design,
    folds: Sequence[Folds],
    residuals: Mapping[str, np.ndarray],
    config: Configuration,
) -> Any:
    """doubleml's model solved on target minus residual as external predictions."""
    # doubleml takes seconds to import (plotting and tuning libraries); fits do not need it.
    import doubleml
    from doubleml.utils import DMLDummyRegressor

    options = {"n_folds": config.folds, "draw_sample_splitting": False}
    dummy = DMLDummyRegressor()
    inputs = {"x": design.x, "y": design.y, "d": design.d}
    external = {"ml_l": design.y[:, None] - residuals["l"]}
    if design.z is None:
        data = doubleml.DoubleMLData.from_arrays(**inputs)
        model: Any = doubleml.DoubleMLPLR(data, ml_l=dummy, ml_m=dummy, **options)
        external["ml_m"] = design.d[:, None] - residuals["m"]
    else:
        data = doubleml.DoubleMLData.from_arrays(**inputs, z=design.z)
        model = doubleml.DoubleMLPLIV(data, ml_l=dummy, ml_m=dummy, ml_r=dummy, **options)
        external["ml_m"] = design.z[:, None] - residuals["z"]
        external["ml_r"] = design.d[:, None] - residuals["m"]
    return solve(model, folds, external)


def solve(model: Any, folds: Sequence[Folds], external: dict[str, np.ndarray]) -> Any:
    model.set_sample_splitting([one.pairs() for one in folds])
    treatment = model._dml_data.d_cols[0]
    with warnings.catch_warnings():
        # doubleml warns that a dummy learner is neither regressor nor classifier.
        warnings.filterwarnings("ignore", message=".*is \\(probably\\).*")
        return model.fit(external_predictions={treatment: external})


def middle_split(fitted: Any) -> int:
    """The split whose estimate is closest to the median (the first of equals)."""
    estimates = fitted.all_coef[0]
    return int(np.argmin(np.abs(estimates - np.median(estimates))))


def summarise(
    model: str,
    fitted: Any,
    design: Design,
    treatment: str,
    config: Configuration,
    rows: Mapping[str, tuple[Predictions, np.ndarray | None, np.ndarray | None]],
    extra: Mapping[str, Any],
    residuals: Mapping[str, np.ndarray] | None,
) -> DMLResult:
    psi, psi_a = fitted.psi[:, :, 0], fitted.psi_deriv[:, :, 0]
    effects = [influence(psi[:, r], psi_a[:, r]) for r in range(psi.shape[1])]
    clustered = np.array([clustered_se(e, design.cluster) for e in effects])
    estimates, plain = fitted.all_coef[0], fitted.all_se[0]
    estimate, error_plain = median_rule(estimates, plain)
    _, error_cluster = median_rule(estimates, clustered)
    groups = int(design.cluster.max()) + 1
    by_cluster = config.se == "cluster"
    nuisances = diag.nuisance_table(rows)
    middle = middle_split(fitted)
    constant, constant_se = np.nan, np.nan
    # Once the effects are taken out of the residuals their mean is zero by construction.
    if residuals is not None and design.post is None:
        last = residuals["l"][:, middle] - estimates[middle] * residuals["m"][:, middle]
        constant = float(last.mean())
        mean_effect = (last - constant) / len(last)
        constant_se = (
            clustered_se(mean_effect, design.cluster)
            if by_cluster
            else float(np.sqrt(np.sum(mean_effect**2)))
        )
    rule = (
        f"score of doubleml, CR1 by cluster with G/(G-1), G={groups}, t with G-1 df"
        if by_cluster
        else "score of doubleml, no small-sample factor, normal"
    )
    found: dict[str, Any] = {
        "configuration": config.describe(),
        "rows_left_out": design.n_missing,
        "std_error_plain": error_plain,
        "std_error_cluster": error_cluster,
        **{f"r2_out_of_fold {r.nuisance}": r.r2 for r in nuisances.itertuples()},
        "fits_not_converged": int(nuisances["not_converged"].sum()),
        **diag.spread_over_splits(estimates),
        **extra,
    }
    stuck = nuisances.loc[nuisances["not_converged"] > 0, "nuisance"].tolist()
    if stuck:
        message = (
            f"{config.learner.describe()} stopped at its iteration limit for {', '.join(stuck)}; "
            "raise max_iter or loosen tol before trusting the estimate"
        )
        warnings.warn(message, stacklevel=3)
        found["convergence"] = message
    return DMLResult(
        model=model,
        treatment=treatment,
        estimate=estimate,
        std_error=error_cluster if by_cluster else error_plain,
        df=float(groups - 1) if by_cluster else None,
        splits=pd.DataFrame(
            {"estimate": estimates, "se_plain": plain, "se_cluster": clustered}
        ).rename_axis("split"),
        constant=constant,
        constant_se=constant_se,
        nuisances=nuisances,
        diagnostics=found,
        influence=effects[middle],
        frame=design.frame,
        cluster=design.cluster,
        config=config,
        n_obs=len(design.frame),
        n_entities=int(design.entity.max()) + 1,
        se_rule=rule,
    )
