"""Second, independent pass over the papers: numbers cut out by pattern must equal the YAML.

The first pass was transcription by reading. Here every table is found by its heading, its cells are
cut out by regular expressions and compared in order. Skips where the papers are not at hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from estimation.studies import spec

pytestmark = pytest.mark.reference

_NUMBER = r"[-−]?\d+(?:\.\d+)?"
_FILES = {"study_b": "001_", "study_c": "002_", "study_d": "003_"}


@pytest.fixture(scope="module")
def papers(shared_dir) -> dict[str, str]:
    folder = Path(shared_dir) / "papers"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: the papers are not there")
    texts = {}
    for study, prefix in _FILES.items():
        found = sorted(folder.glob(f"{prefix}*.txt"))
        if not found:
            pytest.skip(f"no paper {prefix}*.txt in {folder}")
        text = found[0].read_text(encoding="utf-8").replace("−", "-")
        text = re.sub(r"<[^>]+>", "", text).replace("$", "").replace("\\", "")
        texts[study] = re.sub(r"(?<!\d)(\d)\s(?=\d{3}(?!\d))", r"\1", text)  # 5 364 -> 5364
    return texts


def section(text: str, start: str, stop: str) -> str:
    """Text between the heading ``start`` and the next ``stop``."""
    at = re.search(start, text)
    assert at, f"heading {start!r} not found"
    end = re.search(stop, text[at.end() :])
    assert end, f"no {stop!r} after {start!r}"
    return text[at.end() : at.end() + end.start()]


def cells(text: str) -> list[tuple[float, int, float]]:
    """``0.076***(5.24)`` and the like: coefficient, stars, statistic, in reading order."""
    pattern = rf"({_NUMBER})\s*(\**)\s*\(\s*({_NUMBER})\s*\)"
    return [(float(a), len(s), float(t)) for a, s, t in re.findall(pattern, text)]


def rows_b(text: str) -> dict[str, list[tuple[float, int, float]]]:
    """Study B prints a row of coefficients with the statistics in the row below."""
    found: dict[str, list[tuple[float, int, float]]] = {}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    name, pending = "", []
    for line in lines:
        word = re.match(r"^([A-Za-z_]+[0-9]*)(?=\s|$)", line)
        rest = line
        if word and not re.match(r"^[Yy]es", line):
            name = word.group(1)
            rest = line[word.end() :]
        if re.match(r"^常数项", line):
            name, rest = "constant", line[3:]
        values = re.findall(rf"\(({_NUMBER})\)", rest)
        if values and pending:
            assert len(values) == len(pending), (name, pending, values)
            found.setdefault(name, []).extend(
                (b, s, float(t)) for (b, s), t in zip(pending, values)
            )
            pending = []
            continue
        numbers = re.findall(rf"(?<![\d.(])({_NUMBER})(\**)(?![\d.)])", rest)
        if numbers and name:
            pending = [(float(b), len(s)) for b, s in numbers]
    return found


def published(study: str, exhibit: str, paper_only: bool = True) -> list[spec.Column]:
    found = next(e for e in spec.shipped()[study].exhibits if e.id == exhibit)
    return [c for c in found.columns if c.published.terms or not paper_only]


def triple(term: spec.PublishedTerm) -> tuple[float, int | None, float | None]:
    return (term.estimate, term.stars, term.statistic)


def integers(text: str, label: str) -> list[int]:
    line = re.search(rf"^[ \t|]*{label}\b(.*)$", text, re.M)
    assert line, f"no row {label}"
    return [int(v) for v in re.findall(r"\d+", line.group(1))]


def decimals(text: str, label: str) -> list[float]:
    line = re.search(rf"^[ \t]*{label}(.*)$", text, re.M)
    assert line, f"no row {label}"
    return [float(v) for v in re.findall(r"-?\d+\.\d+", line.group(1))]


B_TABLES = {
    "table_3": ("表 3 基准", "注："),
    "table_4": ("表 4 倾向", "4.创新型"),
    "table_5": ("表 5 非随机", "5.工具"),
    "table_7": ("表 7 其他", "（三）影响"),
    "table_8": ("表 8 技术", "4.3.2"),
    "table_9": ("表 9 产业", "4.3.3"),
    "table_10": ("表 10 产业", "（四）异质"),
    "table_11": ("表 11 异质", "五、拓展"),
}
B_NAMES = {"innovative": "treat", "is_upgrade": "is"}


@pytest.mark.parametrize("table", sorted(B_TABLES))
def test_study_b(papers, table):
    text = section(papers["study_b"], *B_TABLES[table])
    rows = rows_b(text)
    columns = published("study_b", table)
    ours: dict[str, list[tuple]] = {}
    for column in columns:
        for name, term in column.published.terms.items():
            ours.setdefault(B_NAMES.get(name, name), []).append(triple(term))
        constant = column.published.diagnostics.get("constant")
        if constant is not None:
            pair = (constant, column.published.diagnostics["constant_t"])
            ours.setdefault("constant", []).append(pair)
    assert set(ours) == set(rows)
    for name, values in rows.items():
        if name == "constant":
            values = [(b, t) for b, _, t in values]
        assert ours[name] == values, name
    assert [c.published.n_obs for c in columns] == integers(text, "N")
    assert [c.published.r2 for c in columns] == decimals(text, "Adj. R2")


C_TABLES = {
    "table_2": ("表2 基准", r"\n注:"),
    "table_3": ("表 3 稳健", r"\n注:"),
    "table_4": ("表 4 机制", "4. 进一步"),
    "table_5": ("表 5 试点", r"\(2\)经济"),
    "table_6": ("表 6 经济", "## 五"),
}


@pytest.mark.parametrize("table", sorted(C_TABLES))
def test_study_c(papers, table):
    text = section(papers["study_c"], *C_TABLES[table])
    columns = published("study_c", table)
    got = cells(text)
    expected = []
    for column in columns:
        expected += [triple(t) for t in column.published.terms.values()]
        d = column.published.diagnostics
        if "constant" in d:
            expected.append((d["constant"], None, d["constant_t"]))
    # The table is printed by rows and the study file by columns: compare as multisets, then order
    # within every row of the treatment.
    key = [(b, t) for b, _, t in got]
    assert sorted(key) == sorted((b, t) for b, _, t in expected)
    stars = {(b, t): s for b, s, t in got}
    for b, s, t in expected:
        if s is not None:
            assert stars[(b, t)] == s, (b, t)
    order = [triple(next(iter(c.published.terms.values())))[0] for c in columns]
    place = [next(i for i, v in enumerate(got) if v[0] == b) for b in order]
    if table not in ("table_3",):
        assert place == sorted(place)
    assert [c.published.n_obs for c in columns] == integers(text, "观测值")
    assert [c.published.r2 for c in columns] == decimals(text, "R ?\\^?2")


D_TABLES = {
    "table_1": (r"表\s*1\s+平行", r"注："),
    "table_3": (r"表\s*3\s+基准", "为规避多期"),
    "table_4": (r"表\s*4\s+稳健性检验结果（一）", "5.样本数据"),
    "table_5": (r"表\s*5\s+稳健性检验结果（二）", "6.反事实"),
    "table_6": (r"表\s*6\s+机制", r"五、\s+产业"),
    "table_7": (r"表\s*7\s+城市", "（二）城市地理"),
    "table_8": (r"表\s*8\s+城市", "依据地理"),
    "table_9": (r"表\s*9\s+城市", r"六、\s+研究"),
}


@pytest.mark.parametrize("table", sorted(D_TABLES))
def test_study_d(papers, table):
    text = section(papers["study_d"], *D_TABLES[table])
    text = re.sub(r"(Admico_?\d)", r"\1 ", text)
    columns = published("study_d", table)
    got = cells(text)
    expected = []
    for column in columns:
        expected += [triple(t) for t in column.published.terms.values()]
        d = column.published.diagnostics
        if "constant" in d:
            expected.append((d["constant"], None, d["constant_t"]))
    assert sorted((b, t) for b, _, t in got) == sorted((b, t) for b, _, t in expected)
    stars = {(b, t): s for b, s, t in got}
    for b, s, t in expected:
        if s is not None:
            assert stars[(b, t)] == s, (b, t)
    for name in ("Smart_Policy", "Constant"):
        row = re.search(rf"^{name}\s+(.*(?:\n\s*\(.*)?)", text, re.M)
        if row is None or table in ("table_1",):
            continue
        values = [b for b, _, _ in cells(row.group(1))]
        if name == "Constant" and len(values) == len(columns):
            assert values == [c.published.diagnostics["constant"] for c in columns]
        if name == "Smart_Policy" and len(values) == len(columns):
            assert values == [c.published.terms["smart_policy"].estimate for c in columns]
    if table != "table_1":
        assert [c.published.n_obs for c in columns] == integers(text, "Obs")
        assert [c.published.r2 for c in columns] == decimals(text, "Adj.R2")
    else:
        assert set(integers(text, "Obs")) >= {columns[0].published.n_obs}
        for k in range(-7, 9):
            name = f"Admico_{-k}" if k < 0 else f"Admico{k}"
            cell = re.search(rf"{name}\s+({_NUMBER})\**\(({_NUMBER})\)", text)
            assert cell, name
            term = columns[0].published.terms[f"t{k:+d}"]
            assert (term.estimate, term.statistic) == (float(cell[1]), float(cell[2]))


def test_study_d_balance(papers):
    text = section(papers["study_d"], r"表\s*2\s+倾向", "（三）多期")
    column = published("study_d", "table_2")[0]
    # The layout prints every column of the table as a pair: before, after.
    found = [float(v) for v in re.findall(r"-?\d+\.\d+", text)]
    assert len(found) == 70
    names = ["wage", "pinf", "fiscal", "infra", "fdi", "sic", "green"]
    d = column.published.diagnostics
    for i, name in enumerate(names):
        block = found[10 * i : 10 * i + 10]
        for k, stage in enumerate(("before", "after")):
            key = f"{name} ({stage})"
            m1, m0, bias, t, p = block[k::2]
            assert (d[f"mean_treated: {key}"], d[f"mean_control: {key}"]) == (m1, m0)
            assert (d[f"bias_percent: {key}"], d[f"p_value: {key}"]) == (bias, p)
            term = column.published.terms[key]
            assert term.statistic == t
            assert term.estimate == pytest.approx(m1 - m0, abs=1e-9)


def test_placebo_coefficients_are_those_of_the_baseline(papers):
    for study, exhibit, term, words in (
        ("study_b", "figure_2", "innovative", "真实估计值 0.040"),
        ("study_c", "figure_2", "dual", "基准回归的系数(0.297)"),
        ("study_d", "figure_1", "smart_policy", "实际政策估计系数-0.2283"),
    ):
        value = published(study, exhibit)[0].published.terms[term].estimate
        assert str(abs(value)).rstrip("0") in words
        assert words in papers[study].replace("\n", "").replace("  ", " ")
