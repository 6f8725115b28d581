"""The same seed gives the same digits, whatever runs the fits and whatever PYTHONHASHSEED is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from estimation.dml import Configuration, Learner, Runtime, learner, plr
from tests.unit.dml_panels import ROLES, small_panel

ROOT = Path(__file__).resolve().parents[2]
LEARNERS = [
    learner("forest", trees=5),
    learner("lasso", n_alphas=10),
    learner("neural_net", max_iter=30),
    learner("boosting", rounds=20),
]


def _digits(one: Learner, runtime: Runtime) -> tuple[str, str]:
    config = Configuration(learner=one, min_treated=3, n_rep=2, linear_beside=False)
    found = plr(small_panel(), **ROLES, config=config, seed=7, runtime=runtime)
    return found.estimate.hex(), found.std_error.hex()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("one", LEARNERS, ids=lambda one: f"{one.name}-{len(one.describe())}")
def test_two_threads_give_the_digits_of_one(one: Learner) -> None:
    assert _digits(one, Runtime(workers=1)) == _digits(one, Runtime(workers=2))


@pytest.fixture
def dask_client() -> Iterator[object]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("one", [LEARNERS[0], LEARNERS[2]], ids=lambda one: one.name)
def test_dask_gives_the_digits_of_threads(one: Learner, dask_client: object) -> None:
    assert _digits(one, Runtime(backend="dask")) == _digits(one, Runtime())


@pytest.mark.slow
def test_processes_give_the_digits_of_threads() -> None:
    one = LEARNERS[0]
    assert _digits(one, Runtime(workers=2, backend="processes")) == _digits(one, Runtime())


def test_dask_without_a_client_and_unknown_backends_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one of threads, processes, dask"):
        _digits(LEARNERS[0], Runtime(backend="mpi"))
    with pytest.raises(ValueError, match="needs an active"):
        _digits(LEARNERS[0], Runtime(backend="dask"))


_SCRIPT = """
from estimation.dml import Configuration, learner, plr
from tests.unit.dml_panels import ROLES, small_panel
for name, change in (("forest", {"trees": 5}), ("boosting", {"rounds": 20})):
    config = Configuration(learner=learner(name, **change), min_treated=3, linear_beside=False)
    found = plr(small_panel(), **ROLES, config=config, seed=7)
    print(found.estimate.hex(), found.std_error.hex())
"""


def test_hash_seed_leaves_no_trace() -> None:
    printed = set()
    for seed in ("0", "4321"):
        run = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        printed.add(run.stdout)
    assert len(printed) == 1
    assert len(printed.pop().splitlines()) == 2
