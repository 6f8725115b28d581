"""Speed of study A against a plain loop over doubleml with scikit-learn forests of the same size.

Belongs here: the rows of ``make bench`` for double machine learning. Does not belong here: bias and
coverage (``simulate_dml``). The data are SYNTHETIC, of study A's shape: 297 cities, 12 years, nine
controls, city effects that dominate the outcomes.
"""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd

from estimation.dml import MemoryStore, Runtime, folds_from_ratio, learner
from estimation.dml.crossfit import Nuisance, crossfit
from estimation.dml.design import Design, make_design
from estimation.dml.folds import Folds, draw
from estimation.dml.forest import CodedForest
from estimation.studies import registry, runner, spec
from estimation.studies.spec import ModelSpec

TREES = 50
_TIMED = (("table_2", "1"), ("table_2", "4"), ("table_4", "1"))
_SEEDS = 8
_OUTCOMES = ["srpce", "srpce_entropy", "is_upgrade", "gti", "df"]
_GAPS = ["gap_city", "gap_ns", "gap_hu", "gap_coast", "gap_core"]


def synthetic_sample_a(seed: int = 7, *, cities: int = 297) -> pd.DataFrame:
    """A SYNTHETIC panel with the columns of sample A; ``bigdata`` moves every outcome by 0.01."""
    rng = np.random.default_rng(seed)
    years = 12
    city, year = np.repeat(np.arange(cities), years), np.tile(np.arange(years), cities)
    effect = rng.normal(size=cities)
    n = len(city)
    frame = pd.DataFrame({"city_code": city + 100000, "year": year + 2011})
    controls = np.exp(0.3 * rng.normal(size=(n, 9)) + 0.3 * effect[city][:, None])
    for j, name in enumerate(spec.shipped()["study_a"].baseline["controls"]):
        frame[name] = controls[:, j]
    start = np.where(effect + rng.normal(size=cities) > 1.2, 4 + rng.integers(0, 2, cities), 99)
    frame["bigdata"] = (year >= start[city]).astype(float)
    for name in [*_OUTCOMES, *_GAPS]:
        own = 0.03 * (effect[city] + rng.normal(size=cities)[city])
        smooth = 0.01 * np.sin(controls[:, 0]) + 0.002 * year
        frame[name] = 0.4 + 0.01 * frame["bigdata"] + own + smooth + 0.005 * rng.normal(size=n)
    frame["province_code"] = city // 10
    frame["smart_city"] = ((city % 3 == 0) & (year > 2)).astype(float)
    frame["broadband"] = ((city % 4 == 0) & (year > 3)).astype(float)
    frame["relief_trend"] = rng.random(cities)[city] * year - frame["bigdata"]
    frame["nqp_attention"] = rng.random(n)
    frame["resource_based"] = (city % 5 < 2).astype(int)
    frame["large_city"] = (city % 3 == 0).astype(int)
    return frame


def _forest_columns() -> list[tuple[str, str]]:
    """Study A's published columns that are forests, (exhibit, column)."""
    study = spec.shipped()["study_a"]
    return [
        (exhibit.id, column.id)
        for exhibit in study.exhibits
        for column in exhibit.columns
        if not exhibit.beyond
        and study.model(exhibit, column).options.get("learner", "forest") == "forest"
    ]


def _published_only() -> spec.Study:
    """Study A without the recommended rows and linear learners, which the plain loop lacks."""
    study = spec.shipped()["study_a"]
    options = {
        **study.baseline["options"],
        "also_defensible": False,
        "linear_beside": False,
        "sensitivity": False,
        "trees": TREES,
    }
    return study.model_copy(update={"baseline": {**study.baseline, "options": options}})


def _compile() -> None:
    """Compiled code is kept on disk; the first run of an installation is not what is timed."""
    CodedForest(1, n_codes=1).fit(np.eye(3), np.arange(3.0)).predict(np.eye(3))


def _run_ours(data: pd.DataFrame, workers: int) -> float:
    study = _published_only()
    wanted = set(_forest_columns())
    context = registry.RunContext(workers=workers, full=True, cache=MemoryStore())
    started = time.perf_counter()
    run = runner.run_study(study, data, context, choose=lambda e, c: (e.id, c.id) in wanted)
    seconds = time.perf_counter() - started
    failed = run.estimates[run.estimates["status"] != "ok"]
    if len(failed):
        raise RuntimeError(f"columns failed: {failed[['exhibit', 'column_id', 'message']]}")
    return seconds


def _design(data: pd.DataFrame, model: ModelSpec) -> Design:
    roles = {
        "outcome": model.outcome,
        "treatment": model.treatment[0],
        "controls": model.controls,
        "entity": model.entity,
        "time": model.time,
    }
    return make_design(data, **roles)  # type: ignore[arg-type]


def _folds(design: Design, model: ModelSpec) -> Folds:
    k = folds_from_ratio(model.options["split_ratio"])
    return draw(design.entity, k=k, unit="row", seed=registry.RunContext().seed, repetition=0)


def _plain(data: pd.DataFrame, model: ModelSpec) -> tuple[float, float]:
    """One column as a script would do it: seconds and the estimate."""
    import doubleml
    from sklearn.ensemble import RandomForestRegressor

    design = _design(data, model)
    codes = design.x[:, -design.n_codes :].astype(int)
    dummies = [np.eye(c.max() + 1)[c] for c in codes.T]
    x = np.hstack([design.x[:, : -design.n_codes], *dummies])
    forest = RandomForestRegressor(TREES, n_jobs=1, random_state=1)
    started = time.perf_counter()
    backend = doubleml.DoubleMLData.from_arrays(x=x, y=design.y, d=design.d)
    fit = doubleml.DoubleMLPLR(backend, forest, forest, draw_sample_splitting=False)
    fit.set_sample_splitting([_folds(design, model).pairs()])
    fit.fit()
    return time.perf_counter() - started, float(fit.coef[0])


def _over_seeds(data: pd.DataFrame, model: ModelSpec) -> np.ndarray:
    """Our estimates of a column on the same splits with other forests, (_SEEDS,)."""
    design = _design(data, model)
    folds = _folds(design, model)
    one = learner("forest", trees=TREES)
    nuisances = [
        Nuisance("outcome", design.y, design.x, design.n_codes, one),
        Nuisance("treatment", design.d, design.x, design.n_codes, one),
    ]
    estimates = []
    for seed in range(_SEEDS):
        both = crossfit(nuisances, [folds], seed=seed, runtime=Runtime(workers=2))
        y, d = (t - p.values[:, 0] for t, p in zip((design.y, design.d), both))
        estimates.append(d @ y / (d @ d))
    return np.array(estimates)


def study_a_whole() -> dict[str, Any]:
    """All forest columns of tables 2 to 6 on two workers; the plain loop timed on three of them."""
    data = synthetic_sample_a()
    study = _published_only()
    columns = _forest_columns()
    models = {(e.id, c.id): study.model(e, c) for e in study.exhibits for c in e.columns}
    _compile()
    ours = _run_ours(data, workers=2)
    seconds, gaps = [], []
    for key in _TIMED:
        spent, estimate = _plain(data, models[key])
        seconds.append(spent)
        own = _over_seeds(data, models[key])
        # One draw of the peer against the mean of ours, in units of the forests' own noise.
        noise = own.std(ddof=1) * np.sqrt(1 + 1 / _SEEDS)
        gaps.append(abs(estimate - own.mean()) / noise)
    # Subsamples of Table 5 are smaller and the IV fits three functions; scaled by rows fitted.
    weight = sum(_relative_work(models[key], data) for key in columns)
    peer = float(np.mean(seconds)) * weight
    return {
        "name": (
            f"study A, {len(columns)} forest columns, {TREES} trees, 2 workers (peer: plain loop, "
            f"3 columns timed and scaled; estimates {', '.join(f'{g:.1f}' for g in gaps)} "
            "Monte-Carlo errors apart)"
        ),
        "size": f"{len(data)} rows x {297 + 12} dummies",
        "ours_s": ours,
        "peer": "doubleml with RandomForestRegressor",
        "peer_s": peer,
        "ratio": peer / ours,
        "peak_mb": _peak_mb(data),
    }


def _relative_work(model: ModelSpec, data: pd.DataFrame) -> float:
    """Fitting work of a column relative to the baseline: rows, folds and functions."""
    folds = folds_from_ratio(model.options["split_ratio"])
    rows = 1.0
    if "keep" in model.options:
        rows = 0.5
    for step in model.transforms:
        if "where" in step:
            rows = len(data.query(step["where"])) / len(data)
    functions = 3 if model.estimator == "dml_pliv" else 2
    return rows * (folds - 1) / 4 * functions / 2


def _peak_mb(data: pd.DataFrame) -> float:
    """Peak of Python's allocations in one column with few trees."""
    study = _published_only()
    options = {**study.baseline["options"], "trees": 2}
    small = study.model_copy(update={"baseline": {**study.baseline, "options": options}})
    tracemalloc.start()
    runner.run_study(
        small,
        data,
        registry.RunContext(full=True, cache=MemoryStore()),
        choose=lambda e, c: (e.id, c.id) == ("table_2", "1"),
    )
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def one_forest() -> dict[str, Any]:
    """The treatment's cross-fitted function on one core, forest against forest."""
    from sklearn.ensemble import RandomForestRegressor

    # The treatment's function is where scikit-learn suffers most: 309 dummies, few leaves.
    data = synthetic_sample_a()
    model = _published_only().model(*_first_column())
    design = _design(data, model)
    codes = design.x[:, -design.n_codes :].astype(int)
    full = np.hstack([design.x[:, : -design.n_codes], *(np.eye(c.max() + 1)[c] for c in codes.T)])
    train, test = _folds(design, model).pairs()[0]
    _compile()
    spent = []
    for forest, x in (
        (CodedForest(TREES, n_codes=design.n_codes, random_state=1), design.x),
        (RandomForestRegressor(TREES, random_state=1, n_jobs=1), full),
    ):
        started = time.perf_counter()
        forest.fit(x[train], design.d[train]).predict(x[test])
        spent.append(time.perf_counter() - started)
    return {
        "name": f"one forest: treatment on controls and 309 dummies, {TREES} trees, one core",
        "size": f"{len(train)} rows",
        "ours_s": spent[0],
        "peer": "RandomForestRegressor",
        "peer_s": spent[1],
        "ratio": spent[1] / spent[0],
        "peak_mb": float("nan"),
    }


def _first_column() -> tuple[spec.Exhibit, spec.Column]:
    exhibit = spec.shipped()["study_a"].exhibits[0]
    return exhibit, exhibit.columns[0]


BENCHMARKS = [study_a_whole, one_forest]
