"""Simulation: 100 synthetic SDM panels of the size of study B (284 units, 17 years), rho 0.3.

Bias of rho under 0.01 with either Lee-Yu form, and 93 to 97% coverage of the 95% intervals of
direct and indirect effects, pooled over four regressors (400 intervals each), for both kinds of
standard errors and both ways of computing them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from estimation.spatial import build
from estimation.spatial.impacts import impacts
from estimation.spatial.ml import spatial_panel

N, T, RHO, RUNS = 284, 17, 0.3, 100
BETA = np.array([0.5, -0.4, 0.3, 0.2])
THETA = np.array([-0.3, 0.2, 0.0, 0.4])
SEED = 20240101


def _panel(generator: np.random.Generator, w: np.ndarray, multiplier: np.ndarray) -> pd.DataFrame:
    start = generator.choice([2008, 2010, 2013, 9999], size=N, p=[0.1, 0.1, 0.1, 0.7])
    years = np.arange(2004, 2004 + T)
    d = (years[:, None] >= start[None, :]).astype(float)
    effect = generator.normal(size=N)
    other = generator.normal(size=(T, N, 3)) + 0.5 * effect[None, :, None]
    x = np.concatenate([d[..., None], other], axis=2)
    signal = x @ BETA + np.einsum("nm,tmk->tnk", w, x) @ THETA
    signal += effect + generator.normal(size=(T, 1)) + generator.normal(size=(T, N))
    y = signal @ multiplier.T
    columns = {"unit": np.tile(np.arange(N), T), "year": np.repeat(years, N), "y": y.ravel()}
    columns |= {f"x{j}": x[..., j].ravel() for j in range(4)}
    return pd.DataFrame(columns)


def simulate(runs: int = RUNS) -> pd.DataFrame:
    """One row per run, correction and effect: rho, estimate, truth and whether intervals cover."""
    generator = np.random.default_rng(SEED)
    lon, lat = generator.uniform(100, 122, N), generator.uniform(22, 42, N)
    weights = build.nearest(tuple(range(N)), lon, lat, k=6).normalise("row")
    w = weights.matrix.toarray()
    multiplier = np.linalg.inv(np.eye(N) - RHO * w)
    truth = {}
    for j in range(4):
        response = multiplier @ (BETA[j] * np.eye(N) + THETA[j] * w)
        direct, total = np.trace(response) / N, response.sum() / N
        truth |= {
            f"direct:x{j}": direct,
            f"indirect:x{j}": total - direct,
            f"total:x{j}": total,
        }
    rows = []
    for run in range(runs):
        frame = _panel(generator, w, multiplier)
        for correction in ("none", "elhorst", "transformation"):
            fit = spatial_panel(
                frame,
                outcome="y",
                controls=["x0", "x1", "x2", "x3"],
                entity="unit",
                time="year",
                weights=weights,
                lee_yu=None if correction == "none" else correction,
                allow_disconnected=True,
            )
            for kind in ("analytic", "cluster"):
                found = impacts(fit, draws=500, seed=run, covariance=kind)
                for errors in ("delta", "simulated"):
                    table = found.tidy(errors).assign(
                        run=run, correction=correction, kind=kind, errors=errors, rho=fit.spatial
                    )
                    rows.append(table)
    out = pd.concat(rows, ignore_index=True)
    out["truth"] = out["term"].map(truth)
    out["covered"] = (out["ci_low"] <= out["truth"]) & (out["truth"] <= out["ci_high"])
    out["effect"] = out["term"].str.split(":").str[0]
    return out


@pytest.mark.slow
def test_bias_and_coverage_of_the_durbin_panel():
    found = simulate()
    rho = found.drop_duplicates(["run", "correction"]).groupby("correction")["rho"].mean()
    coverage = found.groupby(["correction", "kind", "errors", "effect"])["covered"].mean()
    report = f"bias of rho:\n{rho - RHO}\ncoverage:\n{coverage.unstack('effect')}"
    print(report)
    corrected = coverage.drop("none", level="correction")
    assert (np.abs(rho[["elhorst", "transformation"]] - RHO) < 0.01).all(), report
    for effect in ("direct", "indirect"):
        values = corrected.xs(effect, level="effect")
        assert values.between(0.93, 0.97).all(), report
