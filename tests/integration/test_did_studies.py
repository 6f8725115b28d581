"""Every column of studies B, C, D and real_carbon of this room runs on a synthetic sample."""

from __future__ import annotations

import numpy as np
import pytest

from estimation.studies import registry, runner, spec
from tests.unit.did_samples import sample

NEEDS_OTHER_ROOMS = {"spatial_panel", "spatial_did", "spatial_tests", "moran", "iv"}
QUICK = {
    "study_b": {("table_3", "7"), ("table_7", "4"), ("table_5", "5"), ("table_11", "1-2")},
    "study_c": {("table_2", "2"), ("table_5", "joint"), ("table_3", "2"), ("table_6", "3")},
    "study_d": {("table_1", "1"), ("table_2", "1"), ("table_3", "4"), ("table_5", "4"),
                ("table_6", "3"), ("table_8", "1-4")},
    "real_carbon": {("programmes", "all"), ("bacon", "low_carbon")},
}  # fmt: skip


def run(name: str, choose, *, full: bool = False):
    study = spec.shipped()[name]
    context = registry.RunContext(seed=3, full=full)
    return runner.run_study(study, sample(study.sample), context, choose=choose)


def check(result) -> None:
    bad = result.estimates[result.estimates["status"] != "ok"]
    messages = bad[["exhibit", "column_id", "message"]].drop_duplicates().to_string()
    assert bad.empty, messages
    published = result.estimates["published_estimate"].notna()
    missing = result.estimates[published & result.estimates["estimate"].isna()]
    assert missing.empty, missing[["exhibit", "column_id", "term"]].to_string()


@pytest.mark.parametrize("name", sorted(QUICK))
def test_selected_columns_run(name):
    result = run(name, lambda e, c: (e.id, c.id) in QUICK[name])
    assert set(zip(result.estimates["exhibit"], result.estimates["column_id"])) == QUICK[name]
    check(result)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(QUICK))
def test_every_column_runs(name):
    study = spec.shipped()[name]

    def own(exhibit, column):
        return study.model(exhibit, column).estimator not in NEEDS_OTHER_ROOMS

    result = run(name, own, full=True)
    check(result)
    figures = {exhibit for exhibit, _, _ in result.figures}
    wanted = {e.id for e in study.exhibits if e.kind == "figure" and own(e, e.columns[0])}
    assert wanted <= figures


def test_true_effect_is_recovered():
    result = run("study_d", lambda e, c: (e.id, c.id) == ("table_3", "2"))
    row = result.estimates[result.estimates["term"] == "smart_policy"].iloc[0]
    assert row["ci_low"] < 0.4 < row["ci_high"]
    assert row["std_error"] < 0.1


def test_missing_source_is_said_and_the_rest_runs():
    study = spec.shipped()["study_b"]
    data = sample("sample_b").drop(columns=["civilized_city"])
    data["er"] = np.nan
    result = runner.run_study(
        study, data, registry.RunContext(), choose=lambda e, c: e.id in ("table_3", "table_7")
    )
    status = result.estimates.groupby(["exhibit", "column_id"])["status"].first()
    assert status["table_3", "5"] == "ok"
    assert status["table_3", "7"] == "data_missing"
    message = result.estimates.loc[result.estimates["exhibit"] == "table_7", "message"].iloc[0]
    assert "civilized_city" in message
