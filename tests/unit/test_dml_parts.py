"""Folds, features, the coded forest, inference formulas and progress of double machine learning."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from estimation.dml import folds_from_ratio, learner
from estimation.dml.design import make_design
from estimation.dml.folds import Folds, check_treated, draw
from estimation.dml.forest import CodedForest
from estimation.dml.inference import clustered_se, median_rule, weak_instrument
from estimation.dml.learners import build, converged
from estimation.dml.progress import Progress, duration
from estimation.dml.tree import add_predictions, grow, prepare
from estimation.panel import NoVariation
from tests.unit.dml_panels import CONTROLS, ROLES, small_panel


@pytest.mark.parametrize(
    ("ratio", "k"), [("1:4", 5), ("1:2", 3), ("1:7", 8), ("1∶4", None), ("1：4", 5), (5, 5)]
)
def test_split_ratio_means_folds(ratio: str | int, k: int | None) -> None:
    if k is None:
        with pytest.raises(ValueError, match="expected '1:k'"):
            folds_from_ratio(ratio)
    else:
        assert folds_from_ratio(ratio) == k


def test_folds_are_a_partition_and_keep_entities_whole() -> None:
    entity = np.repeat(np.arange(23), 4)
    whole = draw(entity, k=5, unit="entity", seed=3, repetition=0)
    assert all(len(set(whole.fold[entity == e])) == 1 for e in range(23))
    tested = np.concatenate([test for _, test in whole.pairs()])
    assert sorted(tested) == list(range(92))
    assert all(not set(a) & set(b) for a, b in whole.pairs())
    rows = draw(entity, k=5, unit="row", seed=3, repetition=0)
    assert np.ptp(np.bincount(rows.fold)) <= 1
    other = draw(entity, k=5, unit="row", seed=3, repetition=1)
    assert (rows.fold != other.fold).any()


def test_too_few_treated_rows_name_the_fold() -> None:
    treatment = np.zeros(20)
    treatment[:3] = 1.0
    folds = [Folds(np.arange(20) % 4, "row")]
    with pytest.raises(NoVariation, match=r"fold 1 of 4: the training part has 2 treated"):
        check_treated(folds, treatment, name="pilot", minimum=3)
    assert check_treated(folds, treatment, name="pilot", minimum=2) == 1


def test_within_features_have_no_city_or_year_mean() -> None:
    data = small_panel()
    design = make_design(data, **ROLES, effects="within")
    for column in (design.y, design.d, *design.x.T):
        for key in ("city", "year"):
            means = design.frame.assign(v=column).groupby(key)["v"].mean()
            assert np.abs(means).max() < 1e-12
    assert design.features == (*CONTROLS, "x1^2", "x2^2", "x3^2")
    assert design.n_codes == 0


def test_dummies_are_codes_and_squares_of_flags_are_left_out() -> None:
    data = small_panel().assign(flag=lambda f: (f["x2"] > 0).astype(float))
    roles = {**ROLES, "controls": ["x1", "flag"]}
    design = make_design(data, **roles, fixed_effects=["city", "year", "province^year"])
    assert design.features == ("x1", "flag", "x1^2", "city", "year", "province^year")
    assert design.n_codes == 3
    assert len(np.unique(design.x[:, -1])) == 30


def test_mundlak_means_are_constant_within_cities() -> None:
    design = make_design(small_panel(), **ROLES, effects="cre", squares=False)
    means = design.x[:, 3:6]
    spread = design.frame.assign(m=means[:, 0]).groupby("city")["m"].std()
    assert spread.max() < 1e-12
    one = design.frame["city"] == 100
    assert means[one.to_numpy(), 0][0] == pytest.approx(design.frame.loc[one, "x1"].mean())


def test_winsorising_cuts_controls_and_their_squares() -> None:
    data = small_panel()
    design = make_design(data, **ROLES, effects="none", winsor=0.05)
    x1 = data.sort_values(["city", "year"])["x1"].to_numpy()
    assert design.x[:, 0].max() == pytest.approx(np.quantile(x1, 0.95))
    assert design.x[:, 3].max() == pytest.approx(np.quantile(x1**2, 0.95))


def test_squares_of_positive_controls_are_sorted_once() -> None:
    rng = np.random.default_rng(0)
    positive, signed = rng.random(50), rng.normal(size=50)
    found = prepare(np.column_stack([positive, signed, positive**2, signed**2]))
    assert found["group"].tolist() == [0, 1, 0, 2]
    assert found["rank"].shape == (3, 50)


def test_fully_grown_bootstrap_trees_reproduce_a_step() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.random(400), rng.integers(0, 3, 400)])
    y = np.where(x[:, 0] > 0.5, 2.0, 0.0) + (x[:, 1] == 1)
    forest = CodedForest(30, n_codes=1, random_state=1).fit(x, y)
    assert np.mean((forest.predict(x) - y) ** 2) < 0.01
    unseen = forest.predict(np.array([[0.9, 7.0]]))
    assert 1.5 < unseen[0] < 3.5


def test_leaves_are_bootstrap_means() -> None:
    # One 0/1 column: every tree has two leaves, the means of its bootstrap sample.
    y = np.concatenate([np.arange(30.0), 100 + np.arange(20.0)])
    x = (y >= 100).astype(float)[:, None]
    forest = CodedForest(6, random_state=4).fit(x, y)
    rng = np.random.default_rng(4)
    drawn = []
    for _ in range(6):
        drawn.append(rng.integers(0, 50, 50))
        rng.integers(1, 2**63 - 1)  # the seed of the tree
    for side in (0.0, 1.0):
        expected = np.mean([y[i][x[i, 0] == side].mean() for i in drawn])
        assert forest.predict(np.array([[side]]))[0] == pytest.approx(expected, rel=1e-12)


def test_tied_splits_are_drawn_with_equal_chances() -> None:
    # A control, its square, a third column and the dummies of two cities all part the same rows.
    x = np.array([[1.0, 1.0, 5.0], [2.0, 4.0, 3.0]])
    codes = np.array([[0, 1]], dtype=np.int32)
    two_rows = prepare(x)
    first = []
    for seed in range(1, 5001):
        state = np.random.default_rng(seed).integers(1, 2**63 - 1)
        nodes = grow(**two_rows, codes=codes, n_levels=2, y=np.array([0.0, 1.0]), w=np.ones(2),
                     least=1, seed=int(state))  # fmt: skip
        first.append((int(nodes[0][0]), float(nodes[1][0])))
    splits = {(0, 1.5), (1, 2.5), (2, 4.0), (3, 0.0), (3, 1.0)}
    assert set(first) == splits
    for split in splits:
        assert np.mean([found == split for found in first]) == pytest.approx(0.2, abs=0.025)


def test_leaves_hold_the_rows_asked_for_and_weights_do_not_count() -> None:
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.random(80), rng.random(80)])
    codes = rng.integers(0, 6, (1, 80)).astype(np.int32)
    w = rng.integers(0, 4, 80).astype(float)
    nodes = grow(**prepare(x), codes=codes, n_levels=6, y=rng.random(80), w=w, least=5, seed=3)
    columns = np.ascontiguousarray(x.T)
    found = np.zeros(80)
    add_predictions(found, columns, codes, *nodes)
    _, sizes = np.unique(found[w > 0], return_counts=True)
    assert sizes.min() >= 5
    assert len(sizes) > 3


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[0.5, -1.0], [0.1, 2.0]], [0.0, 1.0], "must be codes 0, 1, 2"),
        ([[0.5, 0.5], [0.1, 2.0]], [0.0, 1.0], "must be codes 0, 1, 2"),
        ([[np.nan, 1.0], [0.1, 2.0]], [0.0, 1.0], "1 feature values are not finite"),
        ([[0.5, 1.0], [0.1, 2.0]], [0.0, np.inf], "1 values of the target are not finite"),
        ([[0.5, 1.0], [0.1, 2.0]], [0.0, 1.0, 2.0], "2 rows of features with a target of shape"),
        (np.empty((0, 2)), [], "0 rows of features"),
    ],
)
def test_a_forest_refuses_what_it_cannot_read(x: object, y: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CodedForest(2, n_codes=1).fit(np.asarray(x), np.asarray(y))


def test_a_forest_refuses_other_columns_than_it_was_grown_on() -> None:
    forest = CodedForest(2, n_codes=1).fit(np.array([[0.5, 0.0], [0.1, 1.0]]), np.arange(2.0))
    with pytest.raises(ValueError, match="3 columns; expected 2, the last 1 of them codes"):
        forest.predict(np.ones((1, 3)))
    with pytest.raises(ValueError, match="0 trees"):
        CodedForest(0).fit(np.ones((2, 1)), np.arange(2.0))


def test_unknown_learner_or_parameter_lists_what_exists() -> None:
    with pytest.raises(ValueError, match="known: boosting, forest, lasso"):
        learner("svm")
    with pytest.raises(ValueError, match=r"no hyper-parameter \['depth'\]"):
        learner("forest", depth=3)


def test_a_learner_that_stops_at_its_limit_is_noticed() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 5)), rng.normal(size=200)
    short = build(learner("neural_net", max_iter=1), n_codes=0, seed=1).fit(x, y)
    assert not converged(short)
    long = build(learner("neural_net", max_iter=400), n_codes=0, seed=1).fit(x, y)
    assert converged(long)
    assert converged(build(learner("boosting"), n_codes=0, seed=1).fit(x, y))


def test_clustered_error_by_hand() -> None:
    effect = np.array([0.1, 0.2, -0.1, -0.2, 0.3, -0.3])
    cluster = np.array([0, 0, 1, 1, 2, 2])
    expected = np.sqrt(3 / 2 * (0.3**2 + 0.3**2 + 0.0))
    assert clustered_se(effect, cluster) == pytest.approx(expected)
    with pytest.raises(ValueError, match="two clusters"):
        clustered_se(effect, np.zeros(6, dtype=int))


def test_median_rule() -> None:
    assert median_rule(np.array([0.4]), np.array([0.1])) == (0.4, pytest.approx(0.1))
    centre, error = median_rule(np.array([0.1, 0.5, 0.3]), np.array([0.1, 0.1, 0.1]))
    assert centre == 0.3
    assert error == pytest.approx(0.1)


def _moments(strength: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    v, e = rng.normal(size=500), rng.normal(size=500)
    w = strength * v + e
    return 0.7 * w + e + rng.normal(size=500), w, v


def test_anderson_rubin_set_is_where_the_test_does_not_reject() -> None:
    u, w, v = _moments(0.5, 1)
    found = weak_instrument(u, w, v, cluster=None)
    assert found.ar_kind == "interval"
    for end in (found.ar_low, found.ar_high):
        moment = v * (u - end * w)
        statistic = moment.sum() ** 2 / np.sum(moment**2)
        assert statistic == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-6)
    first = v * (w - found.first_stage * v)
    robust = found.first_stage**2 * np.sum(v * v) ** 2 / np.sum(first**2)
    assert found.effective_f == pytest.approx(robust)


def test_anderson_rubin_set_of_an_irrelevant_instrument_has_no_end() -> None:
    kinds = {weak_instrument(*_moments(0.0, s), cluster=None).ar_kind for s in range(20)}
    assert kinds <= {"all", "outside", "interval", "empty"}
    assert "all" in kinds or "outside" in kinds


def test_progress_says_how_much_is_left() -> None:
    said: list[str] = []
    progress = Progress(4, said.append, every=0.0)
    for _ in range(4):
        progress.step()
    assert said[0].startswith("double machine learning: 1 of 4 fits, about")
    assert "left" not in said[-1]
    assert [duration(s) for s in (12.2, 200, 3900)] == ["12 s", "3 min 20 s", "1 h 5 min"]
