"""The 401(k) example of doubleml's documentation, where its data can be had.

doubleml downloads the 9,915 households of the 1991 SIPP; no package carries them. The test asks
doubleml for them, or reads the file (csv or dta, doubleml's column names) that PILOT_PANEL_401K
names, and skips where there is neither.
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

from estimation.dml import Configuration, Learner, Runtime, learner, plr

pytestmark = [pytest.mark.reference, pytest.mark.slow]

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
    return data.reset_index(drop=True).assign(household=range(len(data)), wave=1)


def test_the_households_are_those_of_the_example(households: pd.DataFrame) -> None:
    means = households.groupby("e401")["net_tfa"].agg(["size", "mean"])
    assert means["size"].tolist() == [6233, 3682]
    assert means["mean"].diff().iloc[1] == pytest.approx(19559.34, abs=0.01)


@pytest.mark.parametrize(
    ("one", "estimate", "error"), PRINTED, ids=lambda v: getattr(v, "name", "")
)
def test_effect_of_eligibility_is_the_printed_one(
    households: pd.DataFrame, one: Learner, estimate: float, error: float
) -> None:
    config = Configuration(
        learner=one, folds=3, n_rep=5, effects="none", squares=one.name == "lasso"
    )
    found = plr(
        households,
        outcome="net_tfa",
        treatment="e401",
        controls=CONTROLS,
        entity="household",
        time="wave",
        fixed_effects=[],
        config=config,
        runtime=Runtime(workers=2),
    )
    # Splits move the estimate by about a fifth of a standard error; hyper-parameters by as much.
    assert abs(found.estimate - estimate) < 0.5 * error
    assert found.std_error == pytest.approx(error, rel=0.1)
