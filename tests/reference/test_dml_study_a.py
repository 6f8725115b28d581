"""The published numbers of study A, checked against the text of the paper twice, independently."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from estimation.studies import spec

pytestmark = pytest.mark.reference

# Read off the paper by hand a second time, in the order of its columns: coefficient, z, stars,
# constant, its z, N. The YAML file was written first and from the paper, not from this list.
SECOND_READING = {
    "table_2": [
        ("0.013", "3.83", 3, "0.000", "0.19", 3564),
        ("0.504", "83.13", 3, "0.000", "0.00", 3564),
        ("0.096", "14.47", 3, "0.001", "3.36", 3564),
        ("0.018", "5.40", 3, "0.000", "0.95", 3564),
        ("0.004", "2.09", 2, "-0.000", "-0.59", 3564),
    ],
    "table_3": [
        ("0.013", "3.83", 3, "0.000", "0.19", 3564),
        ("0.006", "3.23", 3, "0.000", "0.36", 3564),
        ("0.013", "4.83", 3, "0.000", "0.84", 3564),
        ("0.010", "4.01", 3, "0.000", "0.02", 3564),
        ("0.013", "3.97", 3, "0.000", "0.08", 3564),
        ("0.495", "3.67", 3, "0.001", "0.91", 3564),
    ],
    "table_4": [
        ("0.031", "4.04", 3, "-0.000", "-0.11", 3564),
        ("0.027", "2.66", 3, "-0.000", "-0.11", 3564),
        ("0.028", "2.53", 2, "0.000", "0.11", 3564),
    ],
    "table_5": [
        ("0.016", "2.91", 3, "-0.000", "-0.68", 1777),
        ("0.000", "0.20", 0, "0.000", "0.12", 1787),
        ("-0.004", "-0.33", 0, "0.000", "0.10", 1380),
        ("0.009", "3.76", 3, "0.000", "1.22", 2184),
        ("0.012", "3.19", 3, "-0.000", "-0.62", 1260),
        ("0.006", "2.32", 2, "0.000", "0.50", 2304),
    ],
    "table_6": [
        ("0.028", "3.83", 3, "0.000", "0.19", 3564),
        ("0.039", "5.06", 3, "0.000", "0.44", 3564),
        ("0.031", "3.97", 3, "0.000", "1.19", 3564),
        ("0.030", "4.04", 3, "-0.000", "-0.38", 3564),
        ("0.028", "3.72", 3, "0.000", "0.37", 3564),
    ],
}


@pytest.fixture(scope="module")
def study() -> spec.Study:
    return spec.shipped()["study_a"]


@pytest.fixture(scope="module")
def paper(shared_dir: Path) -> str:
    file = shared_dir / "papers" / "000_eeca97cd2231c57c.txt"
    if not file.is_file():
        pytest.skip(f"no {file.name} in the papers folder: the text of study A is not there")
    return file.read_text(encoding="utf-8")


def _columns(study: spec.Study, exhibit: str) -> list[spec.Column]:
    return list(next(e for e in study.exhibits if e.id == exhibit).columns)


@pytest.mark.parametrize("exhibit", list(SECOND_READING))
def test_yaml_agrees_with_a_second_reading(study: spec.Study, exhibit: str) -> None:
    columns = _columns(study, exhibit)
    assert len(columns) == len(SECOND_READING[exhibit])
    for column, expected in zip(columns, SECOND_READING[exhibit], strict=True):
        effect, constant = (column.published.terms[t] for t in ("bigdata", "_cons"))
        found = (effect.estimate, effect.statistic, effect.stars, constant.estimate)
        assert found == (float(expected[0]), float(expected[1]), expected[2], float(expected[3]))
        assert (constant.statistic, column.published.n_obs) == (float(expected[4]), expected[5])


@pytest.mark.parametrize("exhibit", list(SECOND_READING))
def test_yaml_agrees_with_the_text(study: spec.Study, paper: str, exhibit: str) -> None:
    number = exhibit.removeprefix("table_")
    # The tables are printed one after another; the fifth and sixth close with the next heading.
    start = re.search(rf"^(变量\n（1）|变量\n\n（1）)?.*表 {number} ", paper, re.MULTILINE)
    assert start is not None, f"heading of Table {number} not found"
    block = paper[start.start() : start.start() + 1500]
    assert "Bigdata" in block
    pairs = re.findall(r"^(-?\d\.\d{3})(\**)\n（(-?\d+\.\d{2})）$", block, re.MULTILINE)
    columns = _columns(study, exhibit)
    n = len(columns)
    effects, constants = pairs[:n], pairs[n : 2 * n]
    for column, (value, stars, z) in zip(columns, effects, strict=True):
        term = column.published.terms["bigdata"]
        assert (term.estimate, term.stars, term.statistic) == (float(value), len(stars), float(z))
    for column, (value, stars, z) in zip(columns, constants, strict=True):
        term = column.published.terms["_cons"]
        assert (term.estimate, term.stars, term.statistic) == (float(value), len(stars), float(z))
    rows = re.search(r"样本量((?: \d ?\d{3})+)", block)
    assert rows is not None
    sizes = [int(a + b) for a, b in re.findall(r"(\d) (\d{3})", rows.group(1))]
    assert sizes == [c.published.n_obs for c in columns]


def test_every_published_column_is_estimated_as_the_paper_says(study: spec.Study) -> None:
    by_id = {(e.id, c.id): study.model(e, c) for e in study.exhibits for c in e.columns}
    assert len([k for k in by_id if k[0] in SECOND_READING]) == 25
    baseline = by_id["table_2", "1"]
    assert baseline.options["split_ratio"] == "1:4"
    assert len(baseline.controls) == 9
    assert by_id["table_2", "5"].fixed_effects[-1] == "province_code^year"
    assert by_id["table_3", "6"].options["instrument"] == "relief_trend"
    assert by_id["table_3", "5"].controls[-2:] == ("smart_city", "broadband")
