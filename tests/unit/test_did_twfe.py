"""Fixed-effects regression against pyfixest, a hand-written sandwich, and its edge cases."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from estimation.did import covariance, twfe
from estimation.did.absorb import Absorber, keep_non_singletons
from estimation.panel import MissingData, NoVariation, adoption_year
from tests.unit.did_panels import panel

KEYS = {"outcome": "y", "treatment": "d", "entity": "city", "time": "year"}


def dummies_fit(frame: pd.DataFrame, effects: list[str], regressors: list[str]):
    """Least squares with every dummy spelled out: X'X solved on independent columns."""
    columns = [frame[r].to_numpy(float) for r in regressors]
    names = list(regressors)
    for position, effect in enumerate(effects):
        key = frame[effect.split("^")].astype(str).agg("-".join, axis=1)
        for level in sorted(key.unique())[0 if position == 0 else 1 :]:
            columns.append((key == level).to_numpy(float))
            names.append(f"{effect}={level}")
    x = np.column_stack(columns)
    y = frame["y"].to_numpy(float)
    bread = np.linalg.pinv(x.T @ x, rcond=1e-13)
    beta = bread @ x.T @ y
    return x, y - x @ beta, bread, beta


def sandwich(x, residual, bread, groups, n_parameters):
    """CR1 written out with a loop over clusters."""
    meat = np.zeros((x.shape[1], x.shape[1]))
    levels = np.unique(groups)
    for g in levels:
        score = x[groups == g].T @ residual[groups == g]
        meat += np.outer(score, score)
    n, big_g = len(residual), len(levels)
    return big_g / (big_g - 1) * (n - 1) / (n - n_parameters) * bread @ meat @ bread


@pytest.mark.parametrize("keep", [1.0, 0.75])
@pytest.mark.parametrize(
    ("effects", "cluster", "extra"),
    [
        (["city"], "city", 1),  # nested: one parameter for all cities
        (["city", "year"], "city", 12),
        (["city", "year"], "province", 12),
        (["year"], "city", 12),  # crossed: every year counts
        (["city", "year"], "year", None),  # cities crossed with the cluster, years nested
        (["city", "province^year"], "city", None),
    ],
)
def test_equals_dummy_regression_with_hand_written_sandwich(keep, effects, cluster, extra):
    frame = panel(40, 12, treated=14, keep=keep, seed=3)
    codes = [pd.factorize(frame[e.split("^")].apply(tuple, axis=1))[0] for e in effects]
    frame = frame[keep_non_singletons(codes)].sort_values(["city", "year"]).reset_index(drop=True)
    result = twfe.fit(frame, controls=["x0", "x1"], fixed_effects=effects, cluster=cluster, **KEYS)
    x, residual, bread, beta = dummies_fit(frame, effects, ["d", "x0", "x1"])
    if extra is None:
        levels = {e: frame[e.split("^")].drop_duplicates().shape[0] for e in effects}
        extra = sum(1 if e == cluster else v for e, v in levels.items()) - 1
        if effects == ["city", "province^year"]:
            extra = 1 + levels["province^year"] - 1  # cities nested, interacted effects counted
    expected = sandwich(x, residual, bread, frame[cluster].to_numpy(), 3 + extra)
    np.testing.assert_allclose(result.params.to_numpy(), beta[:3], atol=1e-10, rtol=0)
    np.testing.assert_allclose(result.vcov.to_numpy(), expected[:3, :3], atol=1e-10, rtol=1e-8)
    np.testing.assert_allclose(result.residuals, residual, atol=1e-9)


@pytest.mark.reference
@pytest.mark.parametrize("keep", [1.0, 0.7])
@pytest.mark.parametrize(
    ("effects", "cluster"),
    [
        (["city"], "city"),
        (["city", "year"], "city"),
        (["city", "year"], "province"),
        (["year"], "city"),
        (["city", "year"], ["city", "year"]),
    ],
)
def test_equals_pyfixest(keep, effects, cluster):
    pf = pytest.importorskip("pyfixest")
    frame = panel(seed=1, keep=keep)
    ways = [cluster] if isinstance(cluster, str) else cluster
    result = twfe.fit(frame, controls=["x0", "x1"], fixed_effects=effects, cluster=cluster, **KEYS)
    peer = pf.feols(
        "y ~ d + x0 + x1 | " + " + ".join(effects), frame, vcov={"CRV1": " + ".join(ways)},
        fixef_tol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(result.params.to_numpy(), peer.coef().to_numpy(), atol=1e-10)
    np.testing.assert_allclose(
        np.sqrt(np.diag(result.vcov)), peer.se().to_numpy(), rtol=1e-8, atol=1e-10
    )
    tidy = result.tidy()
    np.testing.assert_allclose(tidy["p_value"], peer.pvalue().to_numpy(), atol=1e-8)
    assert result.n_obs == peer._N
    assert result.r2["r2"] == pytest.approx(peer._r2, abs=1e-10)
    assert result.r2["adj_r2"] == pytest.approx(peer._adj_r2, abs=1e-10)
    assert result.r2["r2_within"] == pytest.approx(peer._r2_within, abs=1e-10)
    assert result.r2["adj_r2_within"] == pytest.approx(peer._adj_r2_within, abs=1e-10)


@pytest.mark.reference
def test_weights_equal_pyfixest():
    pf = pytest.importorskip("pyfixest")
    frame = panel(seed=2)
    result = twfe.fit(frame, controls=["x0"], weights="w", **KEYS)
    peer = pf.feols(
        "y ~ d + x0 | city + year", frame, vcov={"CRV1": "city"}, weights="w", fixef_tol=1e-12
    )
    np.testing.assert_allclose(result.params.to_numpy(), peer.coef().to_numpy(), atol=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(result.vcov)), peer.se().to_numpy(), rtol=1e-8)


@pytest.mark.reference
def test_singletons_are_dropped_and_counted_as_pyfixest_does():
    pf = pytest.importorskip("pyfixest")
    frame = pd.concat([panel(seed=4), panel(seed=4).head(1).assign(city=999)], ignore_index=True)
    result = twfe.fit(frame, controls=["x0"], **KEYS)
    peer = pf.feols("y ~ d + x0 | city + year", frame, vcov={"CRV1": "city"}, fixef_rm="singleton")
    assert result.n_singletons == 1
    assert result.n_obs == peer._N == len(frame) - 1
    assert result.params["d"] == pytest.approx(peer.coef()["d"], abs=1e-8)


def test_direct_and_iterative_demeaning_agree(monkeypatch):
    frame = panel(50, 10, keep=0.6, seed=5)
    codes = [covariance.codes(frame[c].to_numpy())[0] for c in ("city", "year")]
    x = frame[["y", "x0", "d"]].to_numpy()
    direct = Absorber(codes, frame["w"].to_numpy()).demean(x)
    monkeypatch.setattr("estimation.did.absorb._DIRECT_LIMIT", 0)
    iterative = Absorber(codes, frame["w"].to_numpy()).demean(x)
    np.testing.assert_allclose(direct, iterative, atol=1e-10)
    for code in codes:  # weighted means within every level are zero: the definition itself
        sums = np.bincount(code, weights=direct[:, 0] * frame["w"])
        np.testing.assert_allclose(sums, 0, atol=1e-10)


def test_row_order_does_not_matter():
    frame = panel(seed=6)
    one = twfe.fit(frame, controls=["x0"], **KEYS)
    two = twfe.fit(frame.sample(frac=1, random_state=0), controls=["x0"], **KEYS)
    assert one.params.tolist() == two.params.tolist()
    assert one.vcov.to_numpy().tolist() == two.vcov.to_numpy().tolist()


_HASH_PROGRAM = """
from tests.unit.did_panels import panel
from estimation.did import twfe, placebo
f = panel(seed=7, keep=.9)
f["city"] = "c" + f["city"].astype(str); f["province"] = "p" + f["province"].astype(str)
keys = dict(outcome="y", treatment="d", controls=["x0", "x1"], entity="city", time="year")
for effects, cluster in ((("city", "year"), "city"), (("city", "province^year"), "province")):
    r = twfe.fit(f, fixed_effects=effects, cluster=cluster, **keys)
    print(r.params.tolist(), r.vcov.to_numpy().tolist())
p = placebo.fit(f, draws=20, seed=1, **keys)
print(p.draws.to_numpy().tolist(), p.p_value)
"""


def test_same_digits_whatever_the_hash_seed():
    def run(seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", _HASH_PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    first = run("0")
    assert len(first) > 500
    assert first == run("4711")


def test_collinear_controls_are_reported_and_leave_the_estimate_alone():
    frame = panel(seed=8)
    frame["twice"] = 2 * frame["x0"] - 3
    frame["fixed"] = frame["city"] * 1.0
    plain = twfe.fit(frame, controls=["x0"], **KEYS)
    result = twfe.fit(frame, controls=["x0", "twice", "fixed"], **KEYS)
    assert result.dropped == ("twice", "fixed")
    assert result.params["d"] == pytest.approx(plain.params["d"], abs=1e-12)
    assert result.vcov.loc["d", "d"] == pytest.approx(plain.vcov.loc["d", "d"], rel=1e-10)


@pytest.mark.parametrize("value", ["never", "always", "city", "year"])
def test_treatment_without_variation_is_a_clear_error(value):
    frame = panel(seed=9)
    frame["d"] = {
        "never": 0.0,
        "always": 1.0,
        "city": (frame["city"] < 10).astype(float),
        "year": (frame["year"] > 2005).astype(float),
    }[value]
    with pytest.raises(NoVariation, match="d does not vary within"):
        twfe.fit(frame, **KEYS)


def test_one_treated_city_is_estimated_but_its_standard_error_is_known_to_be_too_small():
    frame = panel(treated=1, seed=10)
    result = twfe.fit(frame, **KEYS)
    _x, _residual, _bread, beta = dummies_fit(
        frame.sort_values(["city", "year"]).reset_index(drop=True), ["city", "year"], ["d"]
    )
    assert result.params["d"] == pytest.approx(beta[0], abs=1e-10)
    assert np.isfinite(result.tidy()["std_error"]).all()


def test_missing_and_empty_columns_are_named():
    frame = panel(seed=11)
    with pytest.raises(MissingData, match="x9") as caught:
        twfe.fit(frame, controls=["x9"], **KEYS)
    assert caught.value.columns == ("x9",)
    frame["x1"] = np.nan
    with pytest.raises(MissingData, match="x1"):
        twfe.fit(frame, controls=["x1"], **KEYS)


def test_text_column_and_infinite_values_are_named():
    frame = panel(seed=12)
    with pytest.raises(ValueError, match="column word is not numeric"):
        twfe.fit(frame.assign(word="a"), controls=["word"], **KEYS)
    with pytest.raises(ValueError, match=r"x0.*infinite"):
        twfe.fit(frame.assign(x0=np.inf), controls=["x0"], **KEYS)


def test_no_fixed_effects_is_plain_least_squares():
    frame = panel(seed=13)
    result = twfe.fit(frame, controls=["x0"], fixed_effects=(), covariance="iid", **KEYS)
    x = np.column_stack([frame["d"], frame["x0"], np.ones(len(frame))])
    beta, rss, *_ = np.linalg.lstsq(x, frame["y"].to_numpy(), rcond=None)
    np.testing.assert_allclose(result.params.to_numpy(), beta, atol=1e-10)
    expected = rss[0] / (len(frame) - 3) * np.linalg.inv(x.T @ x)
    np.testing.assert_allclose(result.vcov.to_numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("weights", [None, "w"])
def test_constant_is_that_of_the_regression_with_means_put_back(weights):
    frame = panel(seed=15).sort_values(["city", "year"]).reset_index(drop=True)
    result = twfe.fit(frame, controls=["x0"], weights=weights, **KEYS)
    w = frame[weights].to_numpy() if weights else np.ones(len(frame))
    codes = [covariance.codes(frame[c].to_numpy())[0] for c in ("city", "year")]
    columns = frame[["y", "d", "x0"]].to_numpy()
    within = Absorber(codes, w).demean(columns) + np.average(columns, axis=0, weights=w)
    z = np.column_stack([within[:, 1:], np.ones(len(frame))]) * np.sqrt(w)[:, None]
    y = within[:, 0] * np.sqrt(w)
    beta = np.linalg.solve(z.T @ z, z.T @ y)
    assert result.constant == pytest.approx(beta[2], abs=1e-10)
    bread = np.linalg.inv(z.T @ z)
    expected = sandwich(z, y - z @ beta, bread, frame["city"].to_numpy(), 2 + 12)
    assert result.constant_se == pytest.approx(np.sqrt(expected[2, 2]), rel=1e-9)


def test_adoption_year_refuses_what_is_not_absorbing():
    frame = panel(seed=14)
    city = int(frame.loc[frame["d"] == 1, "city"].iloc[0])
    frame.loc[(frame["city"] == city) & (frame["year"] == 2011), "d"] = 0.0
    with pytest.raises(ValueError, match=f"{city} falls back to 0 in 2011"):
        adoption_year(frame, "d", entity="city", time="year")


@pytest.mark.slow
def test_intervals_cover_the_true_effect():
    """500 panels, 10% treated, clustered errors: 95% intervals cover 93 to 97%."""
    hits = 0
    for seed in range(500):
        frame = panel(200, 12, treated=20, effect=0.3, seed=1000 + seed)
        row = twfe.fit(frame, controls=["x0", "x1"], **KEYS).tidy().iloc[0]
        hits += row["ci_low"] <= 0.3 <= row["ci_high"]
    assert 0.93 <= hits / 500 <= 0.97
