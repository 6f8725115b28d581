"""Instrumental variables against textbook data: Mroz, Card, and Acemoglu, Johnson and Robinson.

Sources: Wooldridge, examples 15.4 and 15.5 (data from linearmodels); the copy of the settler
mortality data in R package hdm. Tolerance 1e-6.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from estimation.iv import iv_regression

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def folder(cases_dir):
    return cases_dir / "iv_mroz_card_ajr"


@pytest.fixture(scope="module")
def mroz(folder):
    return pd.read_csv(folder / "mroz.csv").dropna(subset=["lwage"])


MROZ = {
    "outcome": "lwage",
    "treatment": "educ",
    "instruments": ["motheduc", "fatheduc"],
    "controls": ["exper", "expersq"],
}


def test_mroz_two_stage_least_squares(mroz):
    fit = iv_regression(mroz, covariance="unadjusted", **MROZ)
    table = fit.tidy().set_index("term")
    assert fit.n_obs == 428
    expected = {
        "educ": (0.0613966, 0.0314367),
        "(intercept)": (0.0481003, 0.4003281),
        "exper": (0.0441704, 0.0134325),
        "expersq": (-0.0008990, 0.0004017),
    }
    for term, (estimate, error) in expected.items():
        assert table.loc[term, "estimate"] == pytest.approx(estimate, abs=1e-6)
        assert table.loc[term, "std_error"] == pytest.approx(error, abs=1e-6)
    assert fit.first_stages["educ"].f == pytest.approx(55.4003, abs=1e-4)
    assert fit.overidentification.name == "Sargan"
    assert fit.overidentification.statistic == pytest.approx(0.3780715, abs=1e-6)
    assert fit.overidentification.p_value == pytest.approx(0.5386372, abs=1e-6)


def test_mroz_gmm(mroz):
    fit = iv_regression(mroz, method="gmm", covariance="robust", **MROZ)
    row = fit.tidy().iloc[0]
    assert row["estimate"] == pytest.approx(0.0610526, abs=1e-6)
    assert row["std_error"] == pytest.approx(0.0331700, abs=1e-6)
    assert fit.overidentification.statistic == pytest.approx(0.4434613, abs=1e-6)
    assert fit.overidentification.p_value == pytest.approx(0.5054567, abs=1e-6)


def test_card_college_proximity(folder):
    controls = ["exper", "expersq", "black", "smsa", "south", "smsa66"]
    fit = iv_regression(
        pd.read_csv(folder / "card.csv"),
        outcome="lwage",
        treatment="educ",
        instruments=["nearc4"],
        controls=[*controls, *(f"reg66{i}" for i in range(2, 10))],
        covariance="unadjusted",
    )
    row = fit.tidy().iloc[0]
    assert fit.n_obs == 3010
    assert row["estimate"] == pytest.approx(0.1315038, abs=1e-6)
    assert row["std_error"] == pytest.approx(0.0549637, abs=1e-6)
    assert fit.first_stages["educ"].f == pytest.approx(13.2558, abs=1e-4)
    assert fit.overidentification is None
    # One instrument: the effective F is the F; 10% bias is excluded only above 23.1.
    assert fit.effective_f.value == pytest.approx(fit.first_stages["educ"].f, rel=1e-9)
    assert fit.effective_f.critical[0.1] == pytest.approx(23.1085, abs=1e-3)


@pytest.mark.parametrize(
    ("controls", "estimate", "error", "f"),
    [([], 0.923519, 0.152346, 23.341), (["Latitude"], 0.969238, 0.196127, 15.930)],
)
def test_settler_mortality(folder, controls, estimate, error, f):
    fit = iv_regression(
        pd.read_csv(folder / "ajr.csv"),
        outcome="GDP",
        treatment="Exprop",
        instruments=["logMort"],
        controls=controls,
        covariance="unadjusted",
    )
    row = fit.tidy().iloc[0]
    assert fit.n_obs == 64
    assert row["estimate"] == pytest.approx(estimate, abs=1e-6)
    assert row["std_error"] == pytest.approx(error, abs=1e-6)
    assert fit.first_stages["Exprop"].f == pytest.approx(f, abs=1e-3)
    ar = fit.anderson_rubin
    assert ar.kind == "bounded"
    assert ar.low < row["estimate"] < ar.high
    # The set is skewed upwards, as always when the first stage is not strong.
    assert ar.high - row["estimate"] > row["estimate"] - ar.low


def test_critical_values_of_the_effective_f_with_one_instrument(mroz):
    """Montiel Olea and Pflueger (2013), section 3: 37.4, 23.1, 15.1 and 12.05 (5% level)."""
    from estimation.iv_diagnostics import Moments, effective_f

    generator = np.random.default_rng(0)
    z = generator.normal(size=(200, 1))
    found = effective_f(z, z[:, 0] + generator.normal(size=200), Moments(None, 1.0))
    np.testing.assert_allclose(
        [found.critical[t] for t in (0.05, 0.1, 0.2, 0.3)], [37.42, 23.11, 15.06, 12.05], atol=0.01
    )
