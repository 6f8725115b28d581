"""The true effect: hand-made panels whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dagster_project.sample.truth import true_effect


def _panels(seed: int = 0, effect: float = 0.5) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    rows = []
    for city in range(30):
        start = 2004 + city % 5 if city < 15 else 9999
        for year in range(2000, 2012):
            rows.append((city, year, float(year >= start)))
    twin = pd.DataFrame(rows, columns=["city", "year", "d"])
    twin["x"] = rng.normal(size=len(twin))
    twin["y"] = rng.normal(size=len(twin)) + twin["city"]
    panel = twin.assign(y=twin["y"] + effect * twin["d"])
    return panel, twin


def test_constant_effect_is_found_exactly() -> None:
    panel, twin = _panels()
    found = true_effect(panel, twin, "y", "d", "city", "year")
    assert found["att_on_treated"] == pytest.approx(0.5, abs=1e-12)
    assert found["twfe_of_difference"] == pytest.approx(0.5, abs=1e-10)
    assert found["mean_on_untreated"] == pytest.approx(0.0, abs=1e-12)
    assert found["n"] == 360
    assert found["n_treated"] == int(twin["d"].sum())


def test_estimate_is_twin_estimate_plus_difference() -> None:
    """The identity that makes the difference the right target, with a growing effect."""
    panel, twin = _panels(seed=3)
    first = twin[twin["d"] == 1].groupby("city")["year"].min()
    since = (twin["year"] - twin["city"].map(first)).clip(lower=0).fillna(0)
    panel["y"] = twin["y"] + 0.2 * since * twin["d"]

    def twfe(frame: pd.DataFrame) -> float:
        dummies = pd.get_dummies(frame[["city", "year"]].astype(str), drop_first=True, dtype=float)
        design = np.column_stack([frame["d"], frame["x"], np.ones(len(frame)), dummies])
        return float(np.linalg.lstsq(design, frame["y"], rcond=None)[0][0])

    found = true_effect(panel, twin, "y", "d", "city", "year", controls=("x",))
    assert twfe(panel) == pytest.approx(twfe(twin) + found["twfe_of_difference"], abs=1e-9)
    # Staggered adoption with growing effects: TWFE is not the mean effect on the treated.
    assert abs(found["twfe_of_difference"] - found["att_on_treated"]) > 0.01


def test_rows_missing_in_one_panel_are_left_out() -> None:
    panel, twin = _panels()
    twin.loc[5, "y"] = np.nan
    assert true_effect(panel, twin.drop(index=[0, 1]), "y", "d", "city", "year")["n"] == 357


def test_panels_that_are_no_twins_are_refused() -> None:
    panel, twin = _panels()
    with pytest.raises(ValueError, match="not twins"):
        true_effect(panel, twin.assign(d=0.0), "y", "d", "city", "year")
    with pytest.raises(ValueError, match="lacks the columns"):
        true_effect(panel, twin.drop(columns="y"), "y", "d", "city", "year")
    with pytest.raises(ValueError, match="several rows"):
        true_effect(pd.concat([panel, panel]), twin, "y", "d", "city", "year")
    with pytest.raises(ValueError, match="no common row"):
        true_effect(panel, twin.assign(city=twin["city"] + 100), "y", "d", "city", "year")
    zero = [f.assign(d=0.0) for f in (panel, twin)]
    with pytest.raises(ValueError, match="no row is treated"):
        true_effect(*zero, "y", "d", "city", "year")
