"""Double machine learning against doubleml itself, its documented results, and linearmodels."""

from __future__ import annotations

from typing import Any

import doubleml
import numpy as np
import pandas as pd
import pytest
from doubleml.irm.datasets import make_irm_data
from doubleml.plm.datasets import make_pliv_CHS2015, make_plr_CCDDHNR2018
from linearmodels.datasets import card
from linearmodels.iv import IV2SLS
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from estimation.dml import Configuration, irm, learner, pliv, plr
from estimation.dml.folds import draw
from tests.unit.dml_panels import CONTROLS, ROLES, small_panel

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore")]

LINEAR = Configuration(
    learner=learner("linear"), effects="none", squares=False, n_rep=2, min_treated=1
)


def _documented(kind: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The data of the examples in doubleml's documentation: seed 3141, 500 rows, 20 controls."""
    np.random.seed(3141)  # noqa: NPY002  (doubleml draws from the global state)
    make = {
        "plr": lambda: make_plr_CCDDHNR2018(
            alpha=0.5, n_obs=500, dim_x=20, return_type="DataFrame"
        ),
        "pliv": lambda: make_pliv_CHS2015(
            alpha=0.5, n_obs=500, dim_x=20, dim_z=1, return_type="DataFrame"
        ),
        "irm": lambda: make_irm_data(theta=0.5, n_obs=500, dim_x=20, return_type="DataFrame"),
    }
    data = make[kind]().assign(i=np.arange(500), t=1)
    controls = [c for c in data.columns if c.startswith("X")]
    roles = {"outcome": "y", "treatment": "d", "controls": controls, "entity": "i", "time": "t"}
    if kind == "pliv":
        roles["instrument"] = "Z1"
    return data, {**roles, "fixed_effects": []}


def _same_splits(model: Any, data: pd.DataFrame) -> Any:
    folds = [
        draw(np.arange(len(data)), k=5, unit="row", seed=20240101, repetition=r) for r in (0, 1)
    ]
    model.set_sample_splitting([one.pairs() for one in folds])
    return model.fit()


def test_plr_pliv_and_irm_equal_doubleml_on_the_same_splits() -> None:
    linear = LinearRegression()
    for kind, ours in (("plr", plr), ("pliv", pliv), ("irm", irm)):
        data, roles = _documented(kind)
        z = {"z_cols": "Z1"} if kind == "pliv" else {}
        backend = doubleml.DoubleMLData(data, "y", "d", x_cols=roles["controls"], **z)
        if kind == "plr":
            theirs = doubleml.DoubleMLPLR(backend, linear, linear, draw_sample_splitting=False)
        elif kind == "pliv":
            theirs = doubleml.DoubleMLPLIV(
                backend, linear, linear, linear, draw_sample_splitting=False
            )
        else:
            logit = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
            theirs = doubleml.DoubleMLIRM(backend, linear, logit, draw_sample_splitting=False)
        theirs = _same_splits(theirs, data)
        found = ours(data, **roles, config=LINEAR)  # type: ignore[operator]
        assert found.estimate == pytest.approx(theirs.coef[0], rel=1e-8), kind
        assert found.std_error == pytest.approx(theirs.se[0], rel=1e-8), kind
        if kind == "plr":
            theirs.sensitivity_analysis()
            for side in ("lower", "upper"):
                expected = theirs.sensitivity_params["theta"][side][0]
                assert found.diagnostics[f"sensitivity_{side}"] == pytest.approx(expected)


def test_clustered_error_equals_doublemls_up_to_its_missing_small_sample_factor() -> None:
    data = small_panel(cities=40)
    config = Configuration(
        learner=learner("linear"),
        effects="none",
        fold_unit="entity",
        se="cluster",
        squares=False,
        min_treated=1,
    )
    found = plr(data, **ROLES, config=config)
    frame = found.frame
    folds = draw(frame["city"].to_numpy() - 100, k=5, unit="entity", seed=20240101, repetition=0)
    clusters = np.unique(frame["city"])
    pairs = folds.pairs()
    by_cluster = [
        ([np.setdiff1d(clusters, frame["city"][test])], [np.unique(frame["city"][test])])
        for _, test in pairs
    ]
    backend = doubleml.DoubleMLData(frame, "y", "d", x_cols=CONTROLS, cluster_cols="city")
    theirs = doubleml.DoubleMLPLR(
        backend, LinearRegression(), LinearRegression(), draw_sample_splitting=False
    )
    theirs.set_sample_splitting([pairs], [by_cluster])
    theirs.fit()
    # Equal folds of whole cities of equal length, so the two weightings coincide.
    assert found.estimate == pytest.approx(theirs.coef[0], rel=1e-8)
    assert found.std_error == pytest.approx(theirs.se[0] * np.sqrt(40 / 39), rel=1e-8)


@pytest.mark.parametrize(
    ("kind", "documented", "error"),
    [("plr", 0.480691, 0.040533), ("pliv", 0.511722, 0.087184)],
)
def test_documented_estimates_lie_within_the_spread_over_splits(
    kind: str, documented: float, error: float
) -> None:
    # Printed in the docstrings of DoubleMLPLR and DoubleMLPLIV, for one unstated split of a
    # forest of 100 trees with at least two rows in a leaf.
    data, roles = _documented(kind)
    config = Configuration(
        learner=learner("forest", trees=50, min_samples_leaf=2),
        effects="none",
        squares=False,
        n_rep=3,
        linear_beside=False,
        sensitivity=False,
    )
    found = (plr if kind == "plr" else pliv)(data, **roles, config=config)  # type: ignore[operator]
    spread = found.splits["estimate"].std(ddof=1)
    assert abs(found.estimate - documented) < 3 * spread
    assert abs(found.estimate - documented) < error
    assert found.std_error == pytest.approx(error, rel=0.25)


def test_pliv_with_linear_learners_is_two_stage_least_squares() -> None:
    data = card.load()
    controls = ["exper", "expersq", "black", "smsa", "south"]
    data = data[["lwage", "educ", "nearc4", *controls]].dropna().astype(float)
    data = data.assign(i=np.arange(len(data)), t=1)
    config = Configuration(
        learner=learner("linear"), effects="none", squares=False, n_rep=11, min_treated=1
    )
    found = pliv(
        data,
        outcome="lwage",
        treatment="educ",
        instrument="nearc4",
        controls=controls,
        entity="i",
        time="t",
        fixed_effects=[],
        config=config,
    )
    exogenous = data[controls].assign(const=1.0)
    iv = IV2SLS(data["lwage"], exogenous, data["educ"], data["nearc4"]).fit(cov_type="robust")
    # Cross-fitting leaves a difference of the order 1/n per regression; it is small beside the
    # standard error, and so is the difference of the errors.
    assert abs(found.estimate - iv.params["educ"]) < 0.1 * iv.std_errors["educ"]
    assert found.std_error == pytest.approx(iv.std_errors["educ"], rel=0.05)
    first = iv.first_stage.diagnostics.loc["educ", "f.stat"]
    assert found.diagnostics["effective_f"] == pytest.approx(first, rel=0.05)


def test_pliv_with_two_way_effects_is_within_two_stage_least_squares() -> None:
    data = small_panel(cities=120)
    config = Configuration(
        learner=learner("linear"), effects="within", squares=False, n_rep=11, min_treated=1
    )
    found = pliv(data, **ROLES, instrument="z", config=config)
    columns = ["y", "d", "z", *CONTROLS]
    frame = data.sort_values(["city", "year"])
    demeaned = frame[columns].sub(frame.groupby("city")[columns].transform("mean"))
    demeaned -= frame[columns].groupby(frame["year"]).transform("mean") - frame[columns].mean()
    iv = IV2SLS(demeaned["y"], demeaned[CONTROLS], demeaned["d"], demeaned["z"]).fit()
    assert abs(found.estimate - iv.params["d"]) < 0.1 * iv.std_errors["d"]
