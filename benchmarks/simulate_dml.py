"""Bias and coverage of double machine learning when city effects drive the treatment.

Belongs here: the data-generating process, the configurations compared and the table. Does not
belong here: speed (``bench_dml``). The result is printed in docs/dml.md; run it again with
``python -m benchmarks.simulate_dml --replications 100``.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from estimation.dml import RECOMMENDED, Configuration, Learner, Runtime, learner, plr

THETA = 0.3
CONTROLS = ("x1", "x2", "x3", "x4", "x5", "x6")
_TREES = 50


def draw_panel(seed: int, *, cities: int = 297, years: int = 12) -> pd.DataFrame:
    """A SYNTHETIC panel with a known effect ``THETA`` of an absorbing treatment.

    City effects a_i drive the level of the controls, the hazard of adoption and the outcome; the
    controls follow an AR(1) within cities and enter hazard and outcome nonlinearly; errors follow
    an AR(1). About a tenth of the city-years are treated.

    Returns
    -------
    DataFrame
        Columns ``city``, ``year``, ``x1`` .. ``x6``, ``d``, ``y``; ``cities * years`` rows.
    """
    rng = np.random.default_rng([seed, 20111])
    a = rng.normal(size=cities)
    loading = np.array([0.6, 0.4, 0.2, 0.0, 0.0, 0.0])
    level = a[:, None] * loading + rng.normal(scale=0.7, size=(cities, 6))
    own = np.empty((years, cities, 6))
    own[0] = rng.normal(size=(cities, 6))
    for t in range(1, years):
        own[t] = 0.6 * own[t - 1] + math.sqrt(1 - 0.6**2) * rng.normal(size=(cities, 6))
    x = level + own
    noise = np.empty((years, cities))
    noise[0] = rng.normal(size=cities)
    for t in range(1, years):
        noise[t] = 0.5 * noise[t - 1] + math.sqrt(1 - 0.5**2) * rng.normal(size=cities)
    d = np.zeros((years, cities))
    for t in range(years):
        index = -4.2 + 1.0 * a + 0.6 * x[t, :, 0] + 0.6 * np.tanh(2 * x[t, :, 1])
        adopts = rng.random(cities) < 1 / (1 + np.exp(-index))
        start = adopts & (t >= 3)
        d[t] = np.maximum(d[t - 1] if t else 0.0, start)
    shape = 0.4 * x[:, :, 0] + 0.4 * np.tanh(2 * x[:, :, 1]) + 0.15 * x[:, :, 2] ** 2
    trend = 0.05 * np.arange(years)[:, None]
    y = THETA * d + a + trend + shape + 0.5 * noise
    frame = pd.DataFrame(x.transpose(1, 0, 2).reshape(-1, 6), columns=list(CONTROLS))
    frame["city"] = np.repeat(np.arange(cities), years)
    frame["year"] = np.tile(np.arange(2011, 2011 + years), cities)
    frame["d"], frame["y"] = d.T.ravel(), y.T.ravel()
    return frame


def configurations(trees: int = _TREES) -> dict[str, Configuration]:
    """The settings compared, by the name they have in the table."""
    quiet = {"linear_beside": False, "sensitivity": False}
    published = Configuration(learner=learner("forest", trees=trees), **quiet)  # type: ignore[arg-type]
    smooth = replace(RECOMMENDED, learner=_resized(RECOMMENDED.learner, trees), **quiet)  # type: ignore[arg-type]
    city = replace(published, fold_unit="entity", se="cluster")
    boosting = learner("boosting", rounds=150, learning_rate=0.05, leaves=8)
    return {
        "forest, dummies, row folds (published)": published,
        "forest, dummies, city folds": city,
        "forest, within, city folds (recommended)": smooth,
        "forest, CRE, city folds": replace(smooth, effects="cre"),
        "lasso, dummies, row folds": replace(published, learner=learner("lasso"), se="cluster"),
        "boosting, within, city folds": replace(city, learner=boosting, effects="within"),
    }


def _resized(one: Learner, trees: int) -> Learner:
    return learner(one.name, **{**dict(one.params), "trees": trees})


def replicate(
    seed: int, settings: Mapping[str, Configuration], *, workers: int = 1
) -> list[dict[str, float | str]]:
    """One replication: a row per setting with the estimate and both standard errors."""
    data = draw_panel(seed)
    rows: list[dict[str, float | str]] = []
    runtime = Runtime(workers=workers)
    for name, config in settings.items():
        found = plr(
            data,
            outcome="y",
            treatment="d",
            controls=CONTROLS,
            entity="city",
            time="year",
            config=config,
            seed=seed,
            runtime=runtime,
        )
        rows.append(
            {
                "replication": seed,
                "setting": name,
                "estimate": found.estimate,
                "se_plain": float(found.diagnostics["std_error_plain"] or math.nan),
                "se_cluster": float(found.diagnostics["std_error_cluster"] or math.nan),
                "clusters": found.n_entities,
            }
        )
    return rows


def summary(draws: pd.DataFrame, *, theta: float = THETA) -> pd.DataFrame:
    """Bias, spread and coverage of 95% intervals by setting, with Monte-Carlo errors.

    ``coverage`` uses errors clustered by city and t with G - 1 degrees of freedom,
    ``coverage_plain`` the plain ones and the normal.
    """
    rows = []
    for name, one in draws.groupby("setting", sort=False):
        estimate, n = one["estimate"].to_numpy(), len(one)
        critical = stats.t(one["clusters"].iloc[0] - 1).ppf(0.975)
        inside = np.abs(estimate - theta) <= critical * one["se_cluster"].to_numpy()
        plain = np.abs(estimate - theta) <= 1.96 * one["se_plain"].to_numpy()
        cover = inside.mean()
        rows.append(
            {
                "setting": name,
                "replications": n,
                "bias": estimate.mean() - theta,
                "bias_mc_error": estimate.std(ddof=1) / math.sqrt(n),
                "sd": estimate.std(ddof=1),
                "mean_se_cluster": one["se_cluster"].mean(),
                "coverage": cover,
                "coverage_mc_error": math.sqrt(max(cover * (1 - cover), 1 / n**2) / n),
                "coverage_plain": plain.mean(),
            }
        )
    return pd.DataFrame(rows)


def as_markdown(table: pd.DataFrame) -> str:
    """The summary as a Markdown table with three decimals."""
    head = "| " + " | ".join(table.columns) + " |"
    rule = "|" + "---|" * table.shape[1]
    lines = []
    for values in table.itertuples(index=False):
        cells = [f"{v:.3f}" if isinstance(v, float) else str(v) for v in values]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([head, rule, *lines])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation and print the table; progress goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="seed of the first replication")
    parser.add_argument("--trees", type=int, default=_TREES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="settings whose name contains one of these")
    parser.add_argument("--draws", help="CSV file that also receives every replication")
    given = parser.parse_args(arguments)
    settings = {
        name: config
        for name, config in configurations(given.trees).items()
        if not given.only or any(part in name for part in given.only)
    }
    rows: list[dict[str, float | str]] = []
    for i in range(given.replications):
        rows += replicate(given.first + i, settings, workers=given.workers)
        if given.draws:
            pd.DataFrame(rows).to_csv(given.draws, index=False)
        print(f"replication {i + 1} of {given.replications}", file=sys.stderr, flush=True)
    print(as_markdown(summary(pd.DataFrame(rows))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
