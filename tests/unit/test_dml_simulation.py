"""The simulation's panel and its table; the simulation itself is behind the slow mark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.simulate_dml import (
    THETA,
    as_markdown,
    configurations,
    draw_panel,
    replicate,
    summary,
)


def test_panel_is_what_the_table_says() -> None:
    data = draw_panel(3)
    assert data.shape == (297 * 12, 10)
    treated = data.groupby("year")["d"].mean()
    assert treated.is_monotonic_increasing
    assert 0.08 < data["d"].mean() < 0.16
    assert (data.groupby("city")["d"].diff().dropna() >= 0).all()
    # City effects drive adoption: ever-treated cities start from a higher outcome.
    first = data[data["year"] == 2011].set_index("city")["y"]
    ever = data.groupby("city")["d"].max() == 1
    assert first[ever].mean() > first[~ever].mean() + 0.5
    pd.testing.assert_frame_equal(data, draw_panel(3))


def test_summary_counts_coverage_by_hand() -> None:
    draws = pd.DataFrame(
        {
            "setting": "a",
            "estimate": [THETA - 0.3, THETA, THETA + 0.1, THETA + 0.2],
            "se_plain": 0.06,
            "se_cluster": 0.12,
            "clusters": 1000,
        }
    )
    row = summary(draws).iloc[0]
    assert row["bias"] == pytest.approx(0.0)
    assert row["coverage"] == 0.75
    assert row["coverage_plain"] == 0.5
    assert row["coverage_mc_error"] == pytest.approx(np.sqrt(0.75 * 0.25 / 4))
    assert as_markdown(summary(draws)).count("\n") == 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_recommended_configuration_is_nearly_unbiased_and_the_published_is_not() -> None:
    chosen = {
        name: config
        for name, config in configurations(trees=25).items()
        if "recommended" in name or "published" in name
    }
    rows = [row for seed in range(1001, 1013) for row in replicate(seed, chosen)]
    table = summary(pd.DataFrame(rows)).set_index("setting")
    good = table.loc[[n for n in table.index if "recommended" in n]].iloc[0]
    bad = table.loc[[n for n in table.index if "published" in n]].iloc[0]
    assert abs(good["bias"]) < 3.5 * good["bias_mc_error"]
    assert good["coverage"] >= 0.75
    assert bad["bias"] > 0.15
    assert bad["coverage"] < 0.5
