"""The published numbers of study B's tables 6 and 12, read twice: here and from the paper."""

from __future__ import annotations

import re

import pytest

from estimation.studies import spec

pytestmark = pytest.mark.reference

PAPER = "001_92a20e882abca60c.txt"
TESTS = {
    "LM_error": "LM_error",
    "LM_error_robust": "LM_error_robust",
    "LM_lag": "LM_lag",
    "LM_lag_robust": "LM_lag_robust",
    "Husman": "Hausman",
    "LR_both/ind": "LR_both_ind",
    "LR_both/time": "LR_both_time",
    "LR_SDM/SEM": "LR_SDM_SEM",
    "LR_SDM/SAR": "LR_SDM_SAR",
}
# A second transcription, made apart from the study file.
TABLE_12 = {
    "innovative": ([0.043, 0.039, 0.044, 0.043], [5.372, 5.313, 5.651, 5.453], [3, 3, 3, 3]),
    "W*innovative": (
        [-0.023, -0.056, -0.054, -0.035], [-1.307, -2.211, -1.992, -1.724], [0, 2, 2, 1],
    ),
    "rho": ([0.196, 0.254, 0.306, 0.269], [7.321, 6.268, 7.614, 5.832], [3, 3, 3, 3]),
}  # fmt: skip
TABLE_6 = {
    "1": {"iv_port": (0.043, 5.372)},
    "2": {"iv_rail1933": (0.021, 4.196)},
    "3": {"iv_port": (0.037, 4.537), "iv_rail1933": (0.017, 3.383)},
    "4": {"innovative": (0.259, 3.412)},
    "5": {"innovative": (0.216, 3.064)},
    "6": {"innovative": (0.240, 3.984)},
}


@pytest.fixture(scope="module")
def exhibits():
    return {e.id: e for e in spec.shipped()["study_b"].exhibits}


@pytest.fixture(scope="module")
def tables(shared_dir):
    path = shared_dir / "papers" / PAPER
    if not path.is_file():
        pytest.skip(f"no {path}: the text of study B is not there")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line]
    six = lines[lines.index("表 6 工具变量回归") : lines.index("6.其他稳健性检验")]
    start = max(i for i, line in enumerate(lines) if line.startswith("表 12 空间 DID"))
    twelve = lines[
        start : next(i for i in range(start, len(lines)) if lines[i] == "六、研究结论与政策建议")
    ]
    return six, twelve


def numbers(text: str) -> list[float]:
    return [float(v) for v in re.findall(r"-?\d+\.?\d*", re.sub(r"\*+", " ", text))]


def test_table_12_second_transcription(exhibits):
    columns = exhibits["table_12"].columns
    assert [c.id for c in columns] == ["1", "2", "3", "4"]
    for term, (estimates, statistics, stars) in TABLE_12.items():
        found = [c.published.terms[term] for c in columns]
        assert [t.estimate for t in found] == estimates
        assert [t.statistic for t in found] == statistics
        assert [t.stars for t in found] == stars
    assert [c.published.r2 for c in columns] == [0.219, 0.233, 0.111, 0.135]
    assert {c.published.n_obs for c in columns} == {4828}


def test_table_6_second_transcription(exhibits):
    columns = exhibits["table_6"].columns
    found = {
        c.id: {k: (t.estimate, t.statistic) for k, t in c.published.terms.items()} for c in columns
    }
    assert found == TABLE_6
    f = [c.published.diagnostics["first_stage_f"] for c in columns]
    assert f == [28.867, 17.611, 24.309] * 2
    assert columns[5].published.diagnostics["hansen_j_p"] == 0.624
    # Within the paper: with one instrument F is the square of t, up to rounding.
    for column, t in ((columns[0], 5.372), (columns[1], 4.196)):
        assert column.published.diagnostics["first_stage_f"] == pytest.approx(t**2, rel=2e-3)


def test_table_12_against_the_text(exhibits, tables):
    _, lines = tables
    columns = exhibits["table_12"].columns
    rows = {line.split()[0]: numbers(" ".join(line.split()[1:])) for line in lines if " " in line}
    for printed, name in TESTS.items():
        line = next(v for v in lines if v.startswith(printed + " "))
        values = numbers(line.removeprefix(printed).replace("检验", ""))
        assert values == [c.published.diagnostics[name] for c in columns], name
    assert rows["N"] == [c.published.n_obs for c in columns]
    assert numbers(next(v for v in lines if v.startswith("Adj. R2")).removeprefix("Adj. R2")) == [
        c.published.r2 for c in columns
    ]
    cells = " ".join(lines[lines.index("treat") : lines.index("控制变量 Yes Yes Yes Yes")])
    printed = re.findall(r"(-?\d\.\d+)(\**)(?= |$)", cells)
    estimates = [float(v) for v, _ in printed]
    stars = [len(s) for _, s in printed]
    statistics = [float(v) for v in re.findall(r"\((-?\d+\.\d+)\)", cells)]
    terms = ["innovative", "W*innovative", "rho"]
    assert estimates == [c.published.terms[t].estimate for t in terms for c in columns]
    assert stars == [c.published.terms[t].stars for t in terms for c in columns]
    assert statistics == [c.published.terms[t].statistic for t in terms for c in columns]


def test_table_6_against_the_text(exhibits, tables):
    lines, _ = tables
    columns = {c.id: c for c in exhibits["table_6"].columns}
    text = " ".join(lines[: next(i for i, v in enumerate(lines) if v.startswith("控制变量"))])
    body = text[text.index("syeff syeff syeff") :]
    estimates = [float(v) for v in re.findall(r"(\d\.\d+)\*\*\*", body)]
    statistics = [float(v) for v in re.findall(r"\((\d+\.\d+)\)", body)]
    order = [
        ("4", "innovative"), ("5", "innovative"), ("6", "innovative"),
        ("1", "iv_port"), ("3", "iv_port"), ("2", "iv_rail1933"), ("3", "iv_rail1933"),
    ]  # fmt: skip
    found = [columns[c].published.terms[t] for c, t in order]
    assert estimates == [t.estimate for t in found]
    assert statistics == [t.statistic for t in found]
    f = numbers(
        next(v for v in lines if v.startswith("工具变量 F 值")).removeprefix("工具变量 F 值")
    )
    assert f == [columns[c].published.diagnostics["first_stage_f"] for c in "123"]
    j = next(v for v in lines if v.startswith("Hansen J"))
    assert numbers(j) == [columns["6"].published.diagnostics["hansen_j_p"]]
    r2 = numbers(next(v for v in lines if v.startswith("Adj. R2")).removeprefix("Adj. R2"))
    assert r2 == [columns[c].published.r2 for c in "123456"]
