"""What a study file may ask of double machine learning, and what comes back."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from estimation.studies import registry
from estimation.studies.registry import RunContext
from estimation.studies.spec import ModelSpec
from tests.unit.dml_panels import CONTROLS, small_panel

QUIET = {"linear_beside": False, "sensitivity": False}


def _model(estimator: str = "dml_plr", **options: Any) -> ModelSpec:
    return ModelSpec(
        estimator=estimator,
        outcome="y",
        treatment="d",
        controls=CONTROLS,
        fixed_effects=["city", "year"],
        cluster="city",
        entity="city",
        time="year",
        options={"min_treated": 2, **options},
    )


def _run(data: pd.DataFrame, model: ModelSpec, **context: Any) -> registry.Estimation:
    return registry.get(model.estimator)(data, model, RunContext(seed=3, **context))


def test_published_and_recommended_rows_stand_together() -> None:
    found = _run(small_panel(), _model(trees=5, split_ratio="1:2", also_defensible=True))
    assert found.tidy["term"].tolist() == ["d", "d [recommended]", "_cons"]
    assert "3 folds over rows" in found.diagnostics["configuration"]
    assert (
        "effects as within; 3 folds over entities" in found.diagnostics["recommended configuration"]
    )
    assert found.tidy["std_error"].gt(0).all()
    assert {"nuisances", "splits", "nuisances_recommended"} <= set(found.tables)


def test_a_quick_run_says_that_it_grows_fewer_trees() -> None:
    data = small_panel(cities=24, years=5)
    quick = _run(data, _model(trees=60, **QUIET))
    assert quick.diagnostics["trees"] == 50
    assert "50 trees instead of 60" in quick.diagnostics["size"]
    full = _run(data, _model(trees=60, **QUIET), full=True)
    assert full.diagnostics["trees"] == 60
    assert "size" not in full.diagnostics


def test_an_unidentified_recommended_row_says_so() -> None:
    data = small_panel().assign(d=lambda f: (f["city"] % 2).astype(float))
    model = _model(trees=5, allow_unidentified=True, also_defensible=True, **QUIET)
    found = _run(data, model)
    assert found.tidy["term"].tolist() == ["d", "_cons"]
    assert found.diagnostics["recommended"].startswith("not identified: d does not vary")


def test_instrument_and_interactive_adapters() -> None:
    data = small_panel(cities=60)
    iv = _run(data, _model("dml_pliv", instrument="z", learner="linear", effects="within"))
    assert iv.diagnostics["effective_f"] > 10
    with pytest.raises(ValueError, match="option instrument"):
        _run(data, _model("dml_pliv"))
    inter = _run(data, _model("dml_irm", learner="boosting", learner_params={"rounds": 20},
                              effects="cre", clip=0.05))  # fmt: skip
    assert inter.tidy["term"].tolist() == ["d"]


def test_groups_and_their_difference() -> None:
    data = small_panel(cities=80).assign(group=lambda f: f["city"] % 2, level=lambda f: f["x1"])
    settings = {"learner": "linear", "effects": "within", "se": "cluster", "fold_unit": "entity"}
    high = _run(data, _model(split_by="group", keep="high", **settings))
    low = _run(data, _model(split_by="group", keep="low", **settings))
    assert (high.n_obs, low.n_obs) == (240, 240)
    gap = _run(data, _model("dml_plr_difference", split_by="group", also_defensible=True,
                            **settings))  # fmt: skip
    expected = high.tidy["estimate"][0] - low.tidy["estimate"][0]
    assert gap.tidy["estimate"][0] == pytest.approx(expected)
    assert gap.tidy["term"].tolist() == ["high - low", "high - low [recommended]"]
    by_year = _run(data, _model(split_by="level", by_time=True, keep="low", **settings))
    assert by_year.n_obs == 240


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leaner": "forest"}, "unknown options"),
        ({"folds": 5, "split_ratio": "1:4"}, "not both"),
        ({"keep": "high"}, "expected a column"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _run(small_panel(), _model(**options))


def test_a_run_shares_its_store_between_columns() -> None:
    cache: dict[str, Any] = {"contiguity": None}
    data = small_panel().assign(y2=lambda f: f["y"] ** 2)
    _run(data, _model(trees=5, **QUIET), cache=cache)
    model = _model(trees=5, **QUIET).model_copy(update={"outcome": "y2"})
    second = _run(data, model, cache=cache)
    assert second.tables["nuisances"]["reused"].tolist() == [False, True]
    assert sum(key.startswith("dml-") for key in cache) == 3
