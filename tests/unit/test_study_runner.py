"""The study runner: inheritance in the YAML, what happens without data, what reaches the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from estimation.studies import spec
from estimation.studies.registry import RunContext
from estimation.studies.runner import ESTIMATE_COLUMNS, required_columns, run_study

STUDY = {
    "study": "t",
    "title": "T",
    "citation": "none",
    "sample": "sample_t",
    "baseline": {
        "estimator": "twfe",
        "outcome": "y",
        "treatment": "d",
        "controls": ["x"],
        "fixed_effects": ["city_code", "year"],
        "cluster": "city_code",
        "entity": "city_code",
        "time": "year",
    },
    "exhibits": [
        {
            "id": "table_1",
            "title": "Baseline",
            "columns": [
                {"id": "1", "published": {"terms": {"d": {"estimate": 1.0, "statistic": 9.0}}}},
                {"id": "2", "model": {"controls+": ["z"]}},
                {"id": "3", "model": {"controls-": ["x"]}},
                {"id": "4", "model": {"outcome": "never_brought"}},
                {"id": "5", "model": {"treatment": "constant"}},
            ],
        }
    ],
}


@pytest.fixture
def study() -> spec.Study:
    return spec.Study(**STUDY)


@pytest.fixture
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        [(f"{c:06d}", y) for c in range(40) for y in range(2010, 2020)],
        columns=["city_code", "year"],
    )
    frame["d"] = ((frame["city_code"] < "000015") & (frame["year"] >= 2015)).astype(int)
    frame["x"] = rng.normal(size=len(frame))
    frame["z"] = rng.normal(size=len(frame))
    frame["constant"] = 1
    frame["never_brought"] = np.nan
    frame["y"] = frame["d"] + 0.5 * frame["x"] + rng.normal(0, 0.1, len(frame))
    frame.loc[3, "z"] = np.nan
    return frame


def test_columns_inherit_and_change_lists(study: spec.Study) -> None:
    exhibit = study.exhibits[0]
    models = {c.id: study.model(exhibit, c) for c in exhibit.columns}
    assert models["2"].controls == ("x", "z")
    assert models["3"].controls == ()
    assert models["1"].content_hash() != models["2"].content_hash()
    assert required_columns(models["2"]) == ["city_code", "year", "y", "d", "x", "z"]


def test_every_column_gives_rows_and_says_why_not(study: spec.Study, data: pd.DataFrame) -> None:
    run = run_study(study, data, RunContext())
    table = run.estimates
    assert list(table.columns) == ESTIMATE_COLUMNS
    first = table[(table["column_id"] == "1") & (table["term"] == "d")].iloc[0]
    assert first["status"] == "ok"
    assert abs(first["estimate"] - 1.0) < 0.1
    assert first["published_estimate"] == 1.0
    missing = table[table["column_id"] == "4"].iloc[0]
    assert missing["status"] == "data_missing"
    assert "never_brought" in missing["message"]
    failed = table[table["column_id"] == "5"].iloc[0]
    assert failed["status"] == "failed"
    assert "constant" in failed["message"]
    dropped = run.diagnostics.query(
        "column_id == '2' and name == 'rows_dropped_for_missing_values'"
    )
    assert dropped["value"].tolist() == [1]


def test_a_study_file_with_an_unknown_key_is_refused_by_name(tmp_path) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text("study: w\ntitle: w\ncitation: w\nsample: w\nbaseline: {}\nexhibitz: []\n")
    with pytest.raises(ValueError, match=r"(?s)wrong\.yml.*exhibitz"):
        spec.load(path)


def test_shipped_studies_are_valid_and_have_a_spine() -> None:
    studies = spec.shipped()
    assert {"study_b", "study_c", "study_d", "real_carbon"} <= set(studies)
    for study in studies.values():
        assert study.spine_columns(), study.study
