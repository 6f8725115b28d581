"""Spatial panels against the installed spreg on a synthetic panel, where it has the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from estimation.spatial import build
from estimation.spatial.arrays import spatial_arrays
from estimation.spatial.ml import spatial_panel
from estimation.spatial.random_effects import random_effects

pytestmark = pytest.mark.reference

N, T = 49, 6
SHAPE = {"outcome": "y", "controls": ["x1", "x2"], "entity": "unit", "time": "year"}


@pytest.fixture(scope="module")
def made():
    generator = np.random.default_rng(12)
    row, column = np.divmod(np.arange(N), 7)
    near = (np.abs(row[:, None] - row) + np.abs(column[:, None] - column)) == 1
    weights = build.from_matrix(near.astype(float), range(N), kind="grid").normalise()
    x = generator.normal(size=(T, N, 2))
    signal = 1 + x @ [0.8, -0.5] + 0.7 * generator.normal(size=N) + generator.normal(size=(T, N))
    y = signal @ np.linalg.inv(np.eye(N) - 0.4 * weights.matrix.toarray()).T
    frame = pd.DataFrame(
        {
            "unit": np.tile(np.arange(N), T),
            "year": np.repeat(np.arange(2000, 2000 + T), N),
            "y": y.ravel(),
            "x1": x[..., 0].ravel(),
            "x2": x[..., 1].ravel(),
        }
    )
    parts = (frame[["y"]].to_numpy(), frame[["x1", "x2"]].to_numpy(), weights.to_libpysal())
    return frame, weights, parts


def test_fixed_effects_lag(made):
    from spreg import Panel_FE_Lag

    frame, weights, parts = made
    theirs = Panel_FE_Lag(*parts)
    ours = spatial_panel(frame, model="sar", effects="individual", weights=weights, **SHAPE)
    np.testing.assert_allclose(
        [*ours.beta, ours.spatial], np.ravel(theirs.betas), atol=1e-6, rtol=0
    )
    # spreg's search stops at 1e-7 and its information uses that rho.
    np.testing.assert_allclose(
        np.sqrt(np.diag(ours.covariance()))[:2], np.sqrt(np.diag(theirs.vm))[:2], rtol=2e-2
    )


def test_fixed_effects_error(made):
    from spreg import Panel_FE_Error

    frame, weights, parts = made
    theirs = Panel_FE_Error(*parts)
    ours = spatial_panel(frame, model="sem", effects="individual", weights=weights, **SHAPE)
    np.testing.assert_allclose(
        [*ours.beta, ours.spatial], np.ravel(theirs.betas), atol=1e-5, rtol=0
    )


def test_random_effects_lag(made):
    from spreg import Panel_RE_Lag

    frame, weights, parts = made
    theirs = np.ravel(Panel_RE_Lag(*parts).betas)  # intercept, slopes, rho, phi
    arrays = spatial_arrays(
        frame,
        outcome="y",
        regressors=["x1", "x2"],
        durbin=[],
        entity="unit",
        time="year",
        weights=weights,
    )
    ours = random_effects(arrays, model="sar", effects="individual")
    np.testing.assert_allclose([*ours.beta, ours.spatial], theirs[:4], atol=2e-4)
    assert np.sqrt(ours.phi2) == pytest.approx(theirs[4], abs=2e-4)
