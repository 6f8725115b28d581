"""Our forest against scikit-learn's: the same trees, the same forests, the same estimates."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from benchmarks.simulate_dml import CONTROLS, draw_panel
from estimation.dml import Configuration, learner, plr
from estimation.dml.forest import CodedForest
from estimation.dml.tree import add_predictions, grow, prepare

pytestmark = pytest.mark.reference


def _sample(cities: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Coded features, the same features with dummies and squares spelt out, and the panel."""
    data = draw_panel(5, cities=cities)
    # scikit-learn rounds columns to single precision.
    x = data[list(CONTROLS)].to_numpy().astype(np.float32).astype(float)
    codes = np.column_stack([data["city"], data["year"] - 2011]).astype(float)
    dummies = np.hstack([np.eye(cities)[data["city"]], np.eye(12)[data["year"] - 2011]])
    return np.hstack([x, x**2, codes]), np.hstack([x, x**2, dummies]), data


@pytest.mark.parametrize("leaf", [15, 40])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_tree_is_scikit_learns_tree(leaf: int, weighted: bool) -> None:
    """Leaves so large that no two splits part the same rows: nothing is left to chance."""
    coded, full, data = _sample(100)
    y = data["y"].to_numpy()
    w = np.ones(len(y))
    if weighted:
        w = np.bincount(np.random.default_rng(3).integers(0, len(y), len(y)), minlength=len(y))
    used = w > 0
    columns = coded[:, :6]
    codes = np.ascontiguousarray(coded[:, -2:].T, dtype=np.int32)
    nodes = grow(**prepare(columns), codes=codes, n_levels=100, y=y, w=w.astype(float), least=leaf,
                 seed=1)  # fmt: skip
    found = np.zeros(len(y))
    add_predictions(found, np.ascontiguousarray(columns.T), codes, *nodes)
    peer = DecisionTreeRegressor(min_samples_leaf=leaf, random_state=0)
    without_squares = np.hstack([columns, full[:, 12:]])
    peer.fit(without_squares[used], y[used], sample_weight=w[used])
    assert peer.get_n_leaves() > 10
    assert (nodes[0] < 0).sum() == peer.get_n_leaves()
    np.testing.assert_allclose(found, peer.predict(without_squares), atol=1e-10)


@pytest.mark.parametrize("leaf", [1, 5])
@pytest.mark.parametrize("target", ["y", "d"])
def test_forests_have_the_distribution_of_scikit_learns(target: str, leaf: int) -> None:
    coded, full, data = _sample(60)
    y = data[target].to_numpy(dtype=float)
    train = np.random.default_rng(1).random(len(y)) < 0.8
    trees, forests = 60, range(8)

    def peer(seed: int) -> np.ndarray:
        forest = RandomForestRegressor(trees, min_samples_leaf=leaf, random_state=seed, n_jobs=1)
        return forest.fit(full[train], y[train]).predict(full[~train])

    def ours(seed: int) -> np.ndarray:
        forest = CodedForest(trees, leaf, n_codes=2, random_state=seed)
        return forest.fit(coded[train], y[train]).predict(coded[~train])

    def apart(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
        return float(np.mean([np.sqrt(np.mean((one - other) ** 2)) for one, other in pairs]))

    peers, own = np.array([peer(s) for s in forests]), np.array([ours(s) for s in forests])
    # Row by row, mean predictions differ by no more than the scatter of forests: t statistics
    # with 14 degrees of freedom have a root mean square of 1.08.
    error = np.sqrt((peers.var(axis=0, ddof=1) + own.var(axis=0, ddof=1)) / len(forests))
    moves = error > 1e-12
    t = (peers.mean(axis=0) - own.mean(axis=0))[moves] / error[moves]
    assert np.sqrt(np.mean(t**2)) == pytest.approx(1.08, abs=0.3)
    np.testing.assert_allclose(peers.mean(axis=0)[~moves], own.mean(axis=0)[~moves], atol=1e-12)
    # The scatter itself is the same within, and between, the two kinds.
    between = apart(product(peers, own))
    assert apart(combinations(peers, 2)) == pytest.approx(between, rel=0.12)
    assert apart(combinations(own, 2)) == pytest.approx(between, rel=0.12)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_estimates_agree_with_scikit_learn_within_monte_carlo_error() -> None:
    """Twelve forests of each kind on one panel and the same splits: equal means and spreads."""
    import doubleml

    coded, full, data = _sample(100)
    y, d = data["y"].to_numpy(), data["d"].to_numpy(dtype=float)
    trees, roles = 50, {"outcome": "y", "treatment": "d", "entity": "city", "time": "year"}
    rng = np.random.default_rng(8)
    fold = rng.permutation(len(y)) % 5
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    found: dict[str, list[float]] = {"ours": [], "peer": []}
    for seed in range(12):
        residual = {}
        for name, target in (("y", y), ("d", d)):
            predicted = np.empty(len(y))
            for k, (train, test) in enumerate(splits):
                forest = CodedForest(trees, n_codes=2, random_state=1000 * seed + k)
                predicted[test] = forest.fit(coded[train], target[train]).predict(coded[test])
            residual[name] = target - predicted
        found["ours"].append(residual["d"] @ residual["y"] / (residual["d"] @ residual["d"]))
        forest = RandomForestRegressor(trees, random_state=seed)
        peer = doubleml.DoubleMLPLR(
            doubleml.DoubleMLData.from_arrays(x=full, y=y, d=d), forest, forest,
            draw_sample_splitting=False,
        )  # fmt: skip
        peer.set_sample_splitting([splits])
        found["peer"].append(float(peer.fit().coef[0]))
    test = stats.ttest_ind(found["ours"], found["peer"], equal_var=False)
    assert test.pvalue > 0.01, found
    config = Configuration(learner=learner("forest", trees=trees), linear_beside=False)
    one = plr(data, **roles, controls=CONTROLS, config=config, seed=8)  # type: ignore[arg-type]
    # The engine's noise is small beside sampling error, so the bound means something.
    assert np.std(found["ours"], ddof=1) < 0.3 * one.std_error
