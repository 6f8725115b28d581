"""Scores against deaR 1.5.3 (its own functions, all digits) on the classic small data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from estimation.efficiency import efficiency_panel

pytestmark = pytest.mark.reference
TOLERANCE = 1e-6
NA = float("nan")


@pytest.fixture(scope="module")
def folder(cases_dir: Path) -> Path:
    path = cases_dir / "dea_sbm"
    if not path.is_dir():
        pytest.skip(f"no folder {path}: the deaR reference cases are not there")
    return path


def _reference_blocks(path: Path) -> dict[str, dict[str, float]]:
    """Every block of the R output that is a named vector of scores, by its title."""
    blocks: dict[str, dict[str, float]] = {}
    title, names = "", None
    for line in path.read_text().splitlines():
        if line.startswith("## "):
            title, names = line[3:].strip(), None
            blocks[title] = {}
        elif title and line.startswith(("$", "Warning")):
            title = ""  # slack and target tables, not scores
        elif title and line.strip():
            words = line.replace("AIR CANADA", "AIR_CANADA").replace("AM. WEST", "AM._WEST").split()
            if names is None:
                names = words
            else:
                blocks[title].update(zip(names, map(_number, words), strict=True))
                names = None
    return {k: v for k, v in blocks.items() if v}


def _number(word: str) -> float:
    return NA if word == "NA" else float(word)


# title in the R output -> file, inputs, good, bad outputs (counts), options
CASES = {
    "Tone2001 SBM crs no": ("Tone2001", 2, 2, 0, {}),
    "ccr io": ("Tone2001", 2, 2, 0, {"model": "radial", "orientation": "input"}),
    "Tone2001 SBM vrs no": ("Tone2001", 2, 2, 0, {"returns": "vrs"}),
    "Tone2001 SSBM crs no": ("Tone2001", 2, 2, 0, {"model": "super_sbm"}),
    "Power_plants SBM io": ("Power_plants", 4, 2, 0, {"orientation": "input"}),
    "Power_plants SBM no": ("Power_plants", 4, 2, 0, {}),
    "Tone2003 SBM ud vrs": ("Tone2003", 1, 1, 1, {"returns": "vrs"}),
    "Tone2003 SBM ud crs": ("Tone2003", 1, 1, 1, {}),
    "Airlines SBM no crs": ("Airlines", 4, 2, 0, {}),
    "Airlines SSBM no crs": ("Airlines", 4, 2, 0, {"model": "super_sbm"}),
    "Airlines SSBM no vrs": ("Airlines", 4, 2, 0, {"model": "super_sbm", "returns": "vrs"}),
    "HuaBian SBM ud crs": ("Hua_Bian_2007", 2, 2, 1, {}),
    "HuaBian SBM ud vrs": ("Hua_Bian_2007", 2, 2, 1, {"returns": "vrs"}),
    "CollBlasco CCR io": (
        "Coll_Blasco_2006", 2, 2, 0, {"model": "radial", "orientation": "input"},
    ),
    "CollBlasco SBM": ("Coll_Blasco_2006", 2, 2, 0, {}),
    "CollBlasco SSBM": ("Coll_Blasco_2006", 2, 2, 0, {"model": "super_sbm"}),
    **{
        f"Power_plants SSBM {short} {returns}": (
            "Power_plants",
            4,
            2,
            0,
            {"model": "super_sbm", "orientation": long, "returns": returns},
        )
        for short, long in (("io", "input"), ("oo", "output"), ("no", "non"))
        for returns in ("crs", "vrs")
    },
}  # fmt: skip


def _run(folder: Path, case: str, **extra):
    file, m, s, b, options = CASES[case]
    data = pd.read_csv(folder / f"{file}.csv")
    unit, *variables = data.columns
    if file == "Airlines":
        variables = [*variables[2:], *variables[:2]]  # the file has the outputs first
    assert len(variables) == m + s + b
    return efficiency_panel(
        data,
        unit=unit,
        inputs=variables[:m],
        good_outputs=variables[m : m + s],
        bad_outputs=variables[m + s :],
        **options,
        **extra,
    )


@pytest.mark.parametrize("solver", ["auto", "highs"])
@pytest.mark.parametrize("case", list(CASES))
def test_every_score_of_the_r_output(folder: Path, case: str, solver: str) -> None:
    expected = list(_reference_blocks(folder / "deaR_output.txt")[case].values())
    result = _run(folder, case, solver=solver).scores
    assert len(expected) == len(result)
    score = result["score"]
    if "SSBM" in case:
        # deaR reports one for units that are not super-efficient; here they keep their SBM score.
        score = score.where(result["efficient"].fillna(True), 1.0)
    np.testing.assert_allclose(score, expected, atol=TOLERANCE, equal_nan=True)
    infeasible = np.isnan(expected)
    assert (result["status"][infeasible] == "infeasible").all()
    assert (result["status"][~infeasible] == "optimal").all()


def test_no_block_of_scores_is_left_out(folder: Path) -> None:
    assert set(_reference_blocks(folder / "deaR_output.txt")) == set(CASES)


def test_super_efficiency_of_the_example_in_tone_2002(folder: Path) -> None:
    scores = _run(folder, "Power_plants SSBM io crs").scores["score"]
    np.testing.assert_allclose(
        scores, [1.011616, 1.708333, 1.078125, 1.156250, 1.798810, 1.019810], atol=TOLERANCE
    )


def test_targets_of_tone_2003(folder: Path) -> None:
    targets = _run(folder, "Tone2003 SBM ud vrs").targets
    np.testing.assert_allclose(targets["x"], 1.0, atol=1e-9)
    np.testing.assert_allclose(targets["yg"], [2, 2, 6, 8, 9, 6, 6, 6, 8], atol=1e-8)
    np.testing.assert_allclose(targets["yb"], [1, 1, 2, 4, 7, 2, 2, 2, 4], atol=1e-8)


def test_slacks_of_sbm_in_tone_2001(folder: Path) -> None:
    slacks = _run(folder, "Tone2001 SBM crs no").slacks
    # $slack_input and $slack_output of the R output, in the units of the data.
    np.testing.assert_allclose(slacks["Input2"], [0.3571428571, 0.6428571429, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(slacks["Output1"], [0.7142857143, 2.2857142857, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(slacks["Output2"], [0, 0, 0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(slacks["Input1"], 0.0, atol=1e-9)
