"""Estimates, shared predictions, refusals and configurations of double machine learning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from estimation.dml import (
    PUBLISHED,
    RECOMMENDED,
    Configuration,
    MemoryStore,
    Runtime,
    irm,
    learner,
    pliv,
    plr,
)
from estimation.dml.difference import difference, median_groups
from estimation.panel import MissingData, NoVariation
from tests.unit.dml_panels import CONTROLS, ROLES, small_panel

LINEAR = Configuration(
    learner=learner("linear"), effects="within", fold_unit="entity", se="cluster", squares=False
)
FOREST = Configuration(learner=learner("forest", trees=8), min_treated=3)


def test_linear_within_is_close_to_fixed_effects_regression() -> None:
    data = small_panel(cities=80)
    found = plr(data, **ROLES, config=LINEAR)
    from estimation.did.absorb import Absorber

    frame = data.sort_values(["city", "year"])
    absorb = Absorber([(frame["city"] - 100).to_numpy(), (frame["year"] - 2011).to_numpy()])
    x = absorb.demean(frame[["d", *CONTROLS]].to_numpy(dtype=float))
    beta = np.linalg.lstsq(x, absorb.demean(frame["y"].to_numpy()), rcond=None)[0]
    assert found.estimate == pytest.approx(beta[0], abs=0.01)
    assert found.df == 79
    assert "G=80" in found.se_rule


def test_tidy_has_the_treatment_first_then_the_constant() -> None:
    found = plr(small_panel(), **ROLES, config=FOREST)
    assert found.tidy()["term"].tolist() == ["d", "_cons"]
    within = plr(small_panel(), **ROLES, config=LINEAR)
    assert within.tidy()["term"].tolist() == ["d"]
    row = within.tidy().iloc[0]
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_row_order_leaves_no_trace() -> None:
    data = small_panel()
    shuffled = data.sample(frac=1.0, random_state=5)
    first, second = (plr(d, **ROLES, config=FOREST) for d in (data, shuffled))
    assert first.estimate == second.estimate
    assert first.std_error == second.std_error


def test_predictions_are_computed_once_and_shared() -> None:
    data = small_panel().assign(y2=lambda f: f["y"] ** 2)
    store = MemoryStore()
    runtime = Runtime(store=store)
    first = plr(data, **ROLES, config=FOREST, runtime=runtime)
    assert not first.nuisances["reused"].any()
    kept = len(store)
    second = plr(data, **{**ROLES, "outcome": "y2"}, config=FOREST, runtime=runtime)
    assert second.nuisances["reused"].tolist() == [False, True]
    assert len(store) == kept + 2  # the forest's and the linear learner's E[y2|X]
    iv = pliv(data, instrument="z", **ROLES, config=FOREST, runtime=runtime)
    assert iv.nuisances["reused"].tolist() == [True, True, False]
    alone = plr(data, **{**ROLES, "outcome": "y2"}, config=FOREST)
    assert alone.estimate == second.estimate


def test_a_changed_cell_or_seed_is_not_mistaken_for_the_kept_one() -> None:
    data = small_panel()
    runtime = Runtime()
    plr(data, **ROLES, config=FOREST, runtime=runtime)
    data.loc[3, "x1"] += 1e-9
    assert not plr(data, **ROLES, config=FOREST, runtime=runtime).nuisances["reused"].any()
    other = plr(data, **ROLES, config=FOREST, seed=2, runtime=runtime)
    assert not other.nuisances["reused"].any()


def test_store_forgets_the_oldest() -> None:
    store = MemoryStore(max_entries=2)
    for key in "abc":
        store[key] = key
    assert list(store) == ["b", "c"]


def test_repeated_splits_print_their_spread() -> None:
    found = plr(small_panel(), **ROLES, config=replace(LINEAR, n_rep=3))
    assert len(found.splits) == 3
    assert found.estimate == pytest.approx(found.splits["estimate"].median())
    assert found.diagnostics["splits_min"] == found.splits["estimate"].min()
    assert found.diagnostics["splits_sd"] > 0


def test_diagnostics_of_the_published_configuration() -> None:
    found = plr(small_panel(), **ROLES, config=FOREST).diagnostics
    names = ["r2_out_of_fold E[y|X]", "r2_out_of_fold E[d|X]", "sensitivity_lower"]
    names += ["robustness_value", "linear_estimate", "std_error_plain", "std_error_cluster"]
    for name in names:
        assert np.isfinite(found[name]), name
    assert found["sensitivity_lower"] < found["sensitivity_upper"]
    assert "city and year effects alone leave" in found["overlap"]
    assert 0 < found["treatment_variance_left_by_effects"] < 1


def test_pliv_reports_strength_and_a_robust_interval() -> None:
    found = pliv(small_panel(cities=80), instrument="z", **ROLES, config=LINEAR)
    assert found.diagnostics["effective_f"] > 23.1
    assert found.diagnostics["ar_low"] < 0.5 < found.diagnostics["ar_high"]
    assert found.diagnostics["instrument"] == "strong"


def test_irm_finds_the_effect_without_city_effects() -> None:
    rng = np.random.default_rng(0)
    data = small_panel(cities=100)
    data["d"] = (rng.random(len(data)) < 0.3 + 0.2 * (data["x1"] > 0)).astype(float)
    data["y"] = 0.5 * data["d"] + data["x1"] + rng.normal(scale=0.3, size=len(data))
    config = Configuration(learner=learner("boosting", rounds=60), effects="none")
    found = irm(data, **ROLES, config=config)
    assert abs(found.estimate - 0.5) < 4 * found.std_error
    assert found.tidy()["term"].tolist() == ["d"]
    assert found.diagnostics["share_of_propensities_clipped"] < 0.05
    with pytest.raises(ValueError, match="within transformation destroys"):
        irm(data, **ROLES, config=replace(config, effects="within"))
    with pytest.raises(ValueError, match="0/1 treatment"):
        irm(data.assign(d=data["x2"]), **ROLES, config=config)


@pytest.mark.parametrize("effects", ["dummies", "within", "cre"])
def test_treatment_explained_by_the_effects_is_refused(effects: str) -> None:
    data = small_panel().assign(d=lambda f: (f["city"] % 2).astype(float))
    with pytest.raises(NoVariation, match="d does not vary once the effects city and year"):
        plr(data, **ROLES, config=replace(FOREST, effects=effects))


def test_unidentified_treatment_can_be_printed_on_request() -> None:
    data = small_panel().assign(
        d=lambda f: ((f["city"] % 2 == 1) & (f["city"] > 120)).astype(float)
    )
    found = plr(data, **ROLES, config=replace(FOREST, allow_unidentified=True))
    assert found.diagnostics["treatment_variance_left_by_effects"] < 1e-9
    assert "perfectly" in found.diagnostics["linear_beside"]
    with pytest.raises(NoVariation, match="explain d perfectly"):
        plr(data, **ROLES, config=replace(FOREST, effects="within", allow_unidentified=True))


def test_constant_outcome_is_refused() -> None:
    with pytest.raises(NoVariation, match=r"outcome y is constant \(2\)"):
        plr(small_panel().assign(y=2.0), **ROLES, config=FOREST)
    by_city = small_panel().assign(y=lambda f: f["city"] * 1.5)
    with pytest.raises(NoVariation, match=r"outcome \(within the effects\) y is constant"):
        plr(by_city, **ROLES, config=LINEAR)


def test_too_few_treated_in_a_fold_is_refused() -> None:
    data = small_panel().assign(d=lambda f: ((f["city"] == 103) & (f["year"] > 2013)).astype(float))
    with pytest.raises(NoVariation, match="training part has 0 treated"):
        plr(data, **ROLES, config=replace(LINEAR, min_treated=1))


def test_missing_values_are_counted_and_empty_columns_named() -> None:
    data = small_panel()
    data.loc[[2, 7], "x2"] = np.nan
    found = plr(data, **ROLES, config=LINEAR)
    assert found.diagnostics["rows_left_out"] == 2
    assert found.n_obs == len(data) - 2
    with pytest.raises(MissingData, match="x2"):
        plr(data.assign(x2=np.nan), **ROLES, config=LINEAR)
    with pytest.raises(ValueError, match="infinite"):
        plr(data.assign(x1=np.inf), **ROLES, config=LINEAR)


def test_a_learner_that_does_not_converge_is_named() -> None:
    config = replace(LINEAR, learner=learner("neural_net", max_iter=2), linear_beside=False)
    with pytest.warns(UserWarning, match=r"neural_net\(.*stopped at its iteration limit"):
        found = plr(small_panel(), **ROLES, config=config)
    assert found.diagnostics["fits_not_converged"] == 10
    assert "max_iter" in found.diagnostics["convergence"]


@pytest.mark.parametrize(
    "change", [{"effects": "fixed"}, {"fold_unit": "year"}, {"winsor": 0.7}, {"folds": 1}]
)
def test_unknown_choices_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"expected|needs at least"):
        plr(small_panel(), **ROLES, config=replace(LINEAR, **change))


def test_defaults_are_the_published_and_the_recommended_configuration() -> None:
    assert (PUBLISHED.effects, PUBLISHED.fold_unit, PUBLISHED.se) == ("dummies", "row", "plain")
    assert (PUBLISHED.folds, PUBLISHED.learner.name) == (5, "forest")
    assert (RECOMMENDED.effects, RECOMMENDED.fold_unit, RECOMMENDED.se) == (
        "within",
        "entity",
        "cluster",
    )


def test_difference_of_disjoint_groups_is_the_usual_z() -> None:
    data = small_panel(cities=80)
    high = median_groups(data.assign(g=data["city"] % 2), "g")
    first, second = (plr(data[m], **ROLES, config=LINEAR) for m in (high, ~high))
    row = difference(first, second, term="gap", keys=("city", "year", "city")).iloc[0]
    assert row["estimate"] == pytest.approx(first.estimate - second.estimate)
    pooled = np.hypot(first.std_error, second.std_error)
    assert row["std_error"] == pytest.approx(pooled, rel=0.02)
    same = difference(first, first, term="gap", keys=("city", "year", "city")).iloc[0]
    assert same["estimate"] == 0
    assert np.isnan(same["std_error"]) or same["std_error"] < 1e-12


def test_median_groups_by_year_and_refusals() -> None:
    data = small_panel().assign(a=lambda f: f["x1"] + 10 * f["year"])
    high = median_groups(data, "a", time="year")
    assert (pd.Series(high).groupby(data["year"]).mean() == 0.5).all()
    with pytest.raises(ValueError, match="in one group"):
        median_groups(data.assign(a=1.0), "a")
    data.loc[0, "a"] = np.nan
    with pytest.raises(ValueError, match="missing in 1 rows"):
        median_groups(data, "a")
