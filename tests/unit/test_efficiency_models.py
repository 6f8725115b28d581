"""Two formulations, two solvers, and the invariances a slacks-based measure must have."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from estimation.efficiency.crosscheck import projection_score
from estimation.efficiency.evaluate import Evaluation, ModelChoice, evaluate
from estimation.efficiency.technology import EFFICIENT_TOLERANCE

ONE = 1 - EFFICIENT_TOLERANCE

RELAXED = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def random_technology(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positive data of random shape; every second one is integer-valued, so ties abound."""
    rng = np.random.default_rng(seed)
    m, s, b = int(rng.integers(1, 4)), int(rng.integers(1, 3)), int(rng.integers(0, 3))
    n = int(rng.integers(5, 30))
    arrays = [rng.lognormal(sigma=0.6, size=(n, q)) for q in (m, s, b)]
    if seed % 2:
        arrays = [np.ceil(4 * a) for a in arrays]
    return arrays[0], arrays[1], arrays[2]


def run(x: np.ndarray, y: np.ndarray, b: np.ndarray, **choice) -> Evaluation:
    return evaluate(x, y, b, np.arange(len(x)), ModelChoice(**choice))


@pytest.mark.parametrize("block", range(10))
def test_slack_form_equals_projection_form_on_200_technologies(block: int) -> None:
    compared = 0
    for seed in range(20 * block, 20 * block + 20):
        x, y, b = random_technology(seed)
        returns = ("crs", "vrs")[seed // 2 % 2]
        term = ("subtracted", "added")[seed // 4 % 2]
        orientation = ("non", "non", "non", "input", "output")[seed % 5]
        options = {"returns": returns, "orientation": orientation, "undesirable_term": term}
        ours = run(x, y, b, **options)
        picked = np.random.default_rng(seed).choice(len(x), 4, replace=False)
        for unit in picked:
            efficient = bool(ours.base[unit] >= ONE)
            other = projection_score(x, y, b, unit, super_efficiency=efficient, **options)
            assert np.isnan(other) == (ours.solution.status[unit] != "optimal")
            np.testing.assert_allclose(
                ours.solution.value[unit], other, rtol=0, atol=1e-8, equal_nan=True
            )
            compared += 1
    assert compared == 80


@pytest.mark.parametrize("returns", ["crs", "vrs"])
@pytest.mark.parametrize("orientation", ["non", "input", "output"])
def test_both_solvers_agree_on_scores_and_status(returns: str, orientation: str) -> None:
    for seed in range(8):
        x, y, b = random_technology(seed)
        for term in ("subtracted", "added"):
            options = {"returns": returns, "orientation": orientation, "undesirable_term": term}
            first, second = (run(x, y, b, solver=s, **options) for s in ("auto", "highs"))
            np.testing.assert_allclose(
                first.solution.value, second.solution.value, atol=1e-9, rtol=0, equal_nan=True
            )
            assert (first.solution.status == second.solution.status).all()


def test_without_bad_outputs_the_model_is_the_plain_super_sbm() -> None:
    for seed in range(20):
        x, y, _ = random_technology(seed)
        none = np.empty((len(x), 0))
        ours = run(x, y, none)
        # Tone (2002) has outputs only in the denominator; the slack form of the crosscheck is its.
        for unit in np.flatnonzero(ours.base >= ONE)[:5]:
            plain = projection_score(x, y, none, unit, super_efficiency=True)
            assert ours.solution.value[unit] == pytest.approx(plain, abs=1e-8)


def test_added_convention_rewards_emissions_and_the_default_does_not() -> None:
    x = np.ones((3, 1))
    y = np.array([[1.0], [1.0], [2.0]])
    peers_clean, peers_dirty = np.array([[1.0], [1.5], [2.0]]), np.array([[1.0], [1.5], [6.0]])
    scores = {
        (term, name): run(x, y, b, undesirable_term=term, returns="vrs").solution.value[0]
        for term in ("subtracted", "added")
        for name, b in (("clean", peers_clean), ("dirty", peers_dirty))
    }
    # Unit 0 is left out; unit 1 replaces it at the price of 0.5 more emissions.
    assert scores["subtracted", "clean"] == pytest.approx(1 / (1 - 0.5 * 0.5))
    assert scores["subtracted", "dirty"] == pytest.approx(scores["subtracted", "clean"])
    assert scores["added", "dirty"] < scores["added", "clean"] < 1.0


def test_under_constant_returns_doing_nothing_caps_the_score() -> None:
    x, y = np.ones((3, 1)), np.array([[1.0], [0.01], [0.01]])
    result = run(x, y, np.ones((3, 1)))
    assert result.solution.value[0] == pytest.approx(1 / (1 - 0.5 * 0.99))
    hopeless = run(x, y, np.array([[1.0], [50.0], [50.0]])).solution
    assert 1.9 < hopeless.value[0] <= 2.0
    alone = run(x[:1], y[:1], x[:1]).solution
    assert alone.value[0] == pytest.approx(2.0)
    assert len(alone.peer) == 0


def test_super_sbm_under_vrs_without_a_replacement_is_missing_with_a_status() -> None:
    x, y = np.ones((3, 1)), np.ones((3, 1))
    b = np.array([[1.0], [10.0], [12.0]])  # replacing unit 0 costs nine times its emissions
    result = run(x, y, b, returns="vrs")
    assert np.isnan(result.solution.value[0])
    assert result.solution.status[0] == "infeasible"
    assert result.base[0] == pytest.approx(1.0)


@pytest.mark.parametrize("returns", ["crs", "vrs"])
def test_slacks_explain_the_score_and_peers_reach_the_target(returns: str) -> None:
    for seed in range(6):
        x, y, b = random_technology(seed)
        m, s, k = x.shape[1], y.shape[1], b.shape[1]
        result = run(x, y, b, model="sbm", returns=returns)
        solution = result.solution
        waste = 1 - solution.slack[:, :m].sum(axis=1) / m
        gain = 1 + solution.slack[:, m:].sum(axis=1) / (s + k)
        np.testing.assert_allclose(waste / gain, solution.value, atol=1e-9)
        weights = np.zeros((len(x), len(x)))
        np.add.at(weights, (solution.peer_unit, solution.peer), solution.peer_lambda)
        data = np.hstack([x, y, b])
        sign = np.r_[-np.ones(m), np.ones(s), -np.ones(k)]
        np.testing.assert_allclose(weights @ data, data * (1 + sign * solution.slack), rtol=1e-8)
        if returns == "vrs":
            np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-9)


def technologies(draw_bad: bool = True):
    number = st.floats(0.25, 50.0, width=32)

    def build(shape: tuple[int, int, int, int]):
        n, m, s, b = shape
        return st.tuples(*(hnp.arrays(np.float64, (n, q), elements=number) for q in (m, s, b)))

    top = 2 if draw_bad else 0
    return st.tuples(
        st.integers(3, 10), st.integers(1, 3), st.integers(1, 2), st.integers(0, top)
    ).flatmap(build)


OPTIONS = st.fixed_dictionaries(
    {"returns": st.sampled_from(["crs", "vrs"]), "orientation": st.sampled_from(["non", "input"])}
)


@RELAXED
@given(technologies(), OPTIONS, st.integers(0, 2**32 - 1))
def test_scores_do_not_depend_on_units_of_measurement(tech, options, seed) -> None:
    rng = np.random.default_rng(seed)
    scaled = [a * np.exp(rng.normal(scale=3, size=a.shape[1])) for a in tech]
    before, after = run(*tech, **options), run(*scaled, **options)
    np.testing.assert_allclose(
        before.solution.value, after.solution.value, rtol=1e-7, equal_nan=True
    )


@RELAXED
@given(technologies(), OPTIONS)
def test_efficient_units_score_one_and_at_least_one(tech, options) -> None:
    result = run(*tech, **options)
    plain = run(*tech, model="sbm", **options)
    np.testing.assert_allclose(result.base, plain.solution.value, atol=1e-9)
    assert (result.base <= 1 + 1e-9).all()
    assert (result.base > 0).all()
    efficient = (result.base >= ONE) & (result.solution.status == "optimal")
    assert (result.solution.value[efficient] >= 1 - 1e-8).all()
    inefficient = result.base < ONE
    np.testing.assert_array_equal(result.solution.value[inefficient], result.base[inefficient])
    assert (result.base >= ONE).any()


@RELAXED
@given(technologies(), OPTIONS, st.integers(0, 10), st.floats(1.0, 2.0))
def test_a_dominated_copy_scores_no_higher(tech, options, which, factor) -> None:
    x, y, b = tech
    unit = which % len(x)
    x = np.vstack([x, x[unit] * factor])
    y, b = np.vstack([y, y[unit] / factor]), np.vstack([b, b[unit] * factor])
    score = run(x, y, b, **options).base
    assert score[-1] <= score[unit] + 1e-9


@RELAXED
@given(technologies(), OPTIONS, st.integers(0, 2**32 - 1))
def test_adding_a_unit_never_raises_another_score(tech, options, seed) -> None:
    rng = np.random.default_rng(seed)
    more = [np.vstack([a, a[rng.integers(len(a))] * np.exp(rng.normal(size=a.shape[1]))])
            for a in tech]  # fmt: skip
    before, after = run(*tech, **options).base, run(*more, **options).base[:-1]
    assert (after <= before + 1e-8).all()


@RELAXED
@given(technologies(), st.sampled_from(["crs", "vrs"]), st.integers(0, 10), st.floats(1.01, 3.0))
def test_emitting_more_never_raises_the_score(tech, returns, which, factor) -> None:
    x, y, b = tech
    if b.shape[1] == 0:
        b = x[:, :1].copy()
    unit = which % len(x)
    dirtier = b.copy()
    dirtier[unit] *= factor
    before = run(x, y, b, returns=returns).solution
    after = run(x, y, dirtier, returns=returns).solution
    if before.status[unit] == "optimal":
        assert after.status[unit] == "optimal"
        assert after.value[unit] <= before.value[unit] + 1e-8


@pytest.mark.parametrize(
    ("model", "orientation"),
    [("sbm", "non"), ("super_sbm", "non"), ("radial", "input"), ("radial", "output")],
)
def test_order_of_rows_does_not_matter(model: str, orientation: str) -> None:
    x, y, b = random_technology(4)
    if model == "radial":
        b = np.empty((len(x), 0))
    turned = np.random.default_rng(0).permutation(len(x))
    first = run(x, y, b, model=model, orientation=orientation)
    second = run(x[turned], y[turned], b[turned], model=model, orientation=orientation)
    np.testing.assert_allclose(first.solution.value[turned], second.solution.value, atol=1e-10)


@pytest.mark.parametrize("returns", ["crs", "vrs"])
def test_radial_scores_equal_a_plain_linear_programme(returns: str) -> None:
    from scipy.optimize import linprog

    for seed, orientation in itertools.product(range(0, 12, 3), ("input", "output")):
        x, y, _ = random_technology(seed)
        ours = run(x, y, np.empty((len(x), 0)), model="radial", returns=returns,
                   orientation=orientation)  # fmt: skip
        n, m, s = len(x), x.shape[1], y.shape[1]
        for unit in range(0, n, 3):
            inward = orientation == "input"
            rows_in = np.c_[-x[unit] if inward else np.zeros(m), x.T]
            rows_out = np.c_[np.zeros(s) if inward else y[unit], -y.T]
            rhs = np.r_[np.zeros(m) if inward else x[unit], -y[unit] if inward else np.zeros(s)]
            result = linprog(
                np.r_[1.0 if inward else -1.0, np.zeros(n)],
                A_ub=np.vstack([rows_in, rows_out]),
                b_ub=rhs,
                A_eq=np.r_[0.0, np.ones(n)][None, :] if returns == "vrs" else None,
                b_eq=[1.0] if returns == "vrs" else None,
            )
            expected = result.x[0] if inward else 1 / result.x[0]
            assert ours.solution.value[unit] == pytest.approx(expected, abs=1e-8)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValueError, match="returns is 'irs'"):
        ModelChoice(returns="irs")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="orientation 'input' or 'output'"):
        ModelChoice(model="radial")
    x, y, b = np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1))
    with pytest.raises(ValueError, match="no bad outputs"):
        run(x, y, b, model="radial", orientation="input")
