"""Study B's tables 6 and 12 and the spatial exhibits of the real files, run end to end.

The frames are synthetic (60 cities), with the columns that the warehouse supplies.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from estimation.studies import runner, spec
from estimation.studies.registry import RunContext

CITIES = 60


def sample(years: range, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """SYNTHETIC city-years on a 6 x 10 map, and the links of the map."""
    generator = np.random.default_rng(seed)
    row, column = np.divmod(np.arange(CITIES), 10)
    code = 110000 + 100 * np.arange(CITIES)
    t = len(years)
    near = (np.abs(row[:, None] - row) + np.abs(column[:, None] - column)) == 1
    near[7, :] = near[:, 7] = False  # one city without a land neighbour
    port = generator.binomial(1, 0.3, CITIES)
    rail = generator.binomial(1, 0.5, CITIES)
    start = np.where(generator.random(CITIES) < 0.15 + 0.3 * port + 0.3 * rail, 2010, 9999)
    start = start + 3 * generator.integers(0, 2, CITIES)
    when = np.array(years)
    effort = np.log1p(when - when[0] + 1)

    def noise() -> np.ndarray:
        return generator.normal(size=(t, CITIES))

    innovative = (when[:, None] >= start).astype(float)
    bigdata = (when[:, None] >= np.where(generator.random(CITIES) < 0.3, 2016, 9999)).astype(float)
    values: dict[str, np.ndarray] = {"innovative": innovative, "bigdata": bigdata}
    for name in ("pop", "lnpgdp", "gov", "hc", "er", "fdi"):
        values[name] = noise()
    for name in ("ln_grp_pc", "share_secondary", "ln_density", "loans_grp"):
        values[name] = noise()
    values["syeff"] = 0.05 * innovative + 0.02 * values["lnpgdp"] + 0.05 * noise()
    values["ln_co2"] = 0.1 * innovative + 0.3 * values["ln_grp_pc"] + 0.1 * noise() + 0.1 * row
    values["grp_pc"] = np.exp(noise() / 5 + 0.2 * generator.normal(size=CITIES))
    values["iv_port"] = effort[:, None] * port
    values["iv_rail1933"] = effort[:, None] * rail
    frame = pd.DataFrame({k: v.ravel() for k, v in values.items()})
    frame["city_code"], frame["year"] = np.tile(code, t), np.repeat(when, CITIES)
    frame["province_code"] = np.tile(np.where(np.arange(CITIES) == 59, 99, 11 + row), t)
    frame["lon"] = np.tile(100.0 + column + 0.01 * row, t)
    frame["lat"] = np.tile(25.0 + row + 0.013 * column, t)
    pairs = np.argwhere(near)
    links = pd.DataFrame({"city_code": code[pairs[:, 0]], "neighbour_code": code[pairs[:, 1]]})
    return frame, links


def run(study: str, exhibits: set[str], years: range) -> runner.StudyRun:
    frame, links = sample(years)
    return runner.run_study(
        spec.shipped()[study],
        frame,
        RunContext(cache={"contiguity": links}),
        choose=lambda exhibit, column: exhibit.id in exhibits,
    )


@pytest.fixture(scope="module")
def study_b():
    return run(
        "study_b",
        {"table_6", "table_6_gmm", "moran", "table_12", "table_12_robust"},
        range(2004, 2021),
    )


def test_every_column_is_estimated(study_b):
    rows = study_b.estimates
    assert set(rows["status"]) == {"ok"}, rows.loc[rows["status"] != "ok", "message"].to_list()
    assert set(rows["exhibit"]) == {
        "table_6", "table_6_gmm", "moran", "table_12", "table_12_robust",
    }  # fmt: skip
    published = rows[rows["published_estimate"].notna()]
    assert published["estimate"].notna().all()
    assert len(published) == 7 + 12


def test_tests_and_first_stages_stand_beside_the_published_ones(study_b):
    found = study_b.diagnostics.dropna(subset=["published"])
    assert found["value"].notna().all()
    assert len(found) == 6 + 1 + 4 * 9


def test_effects_stand_beside_coefficients(study_b):
    rows = study_b.estimates[study_b.estimates["exhibit"] == "table_12"]
    for _, column in rows.groupby("column_id"):
        terms = list(column["term"])
        assert terms[:6] == [
            "innovative", "W*innovative", "rho",
            "direct:innovative", "indirect:innovative", "total:innovative",
        ]  # fmt: skip
        values = column.set_index("term")["estimate"]
        assert values["total:innovative"] == pytest.approx(
            values["direct:innovative"] + values["indirect:innovative"]
        )


def test_islands_are_reported(study_b):
    found = study_b.diagnostics.set_index(["exhibit", "column_id", "name"])["value"]
    assert found["table_12", "1", "weights_islands"] == 0  # attached to the nearest city
    assert found["table_12", "2", "weights_islands"] == 1  # kept, as in a same-province matrix


def test_figures_come_with_the_estimates(study_b):
    names = {(e, n) for e, _, n in study_b.figures}
    assert names == {
        ("moran", "moran"), ("moran", "local_moran"),
        ("table_12", "effects"), ("table_12_robust", "effects"),
    }  # fmt: skip


def test_real_carbon_exhibits_run_and_balance_the_panel():
    frame, links = sample(range(2000, 2024))
    frame.loc[(frame["city_code"] == 110100) & (frame["year"] < 2005), "loans_grp"] = np.nan
    found = runner.run_study(
        spec.shipped()["real_carbon"],
        frame,
        RunContext(cache={"contiguity": links}),
        choose=lambda exhibit, column: exhibit.id in {"moran", "spatial_did"},
    )
    assert set(found.estimates["status"]) == {"ok"}, found.estimates["message"].dropna().to_list()
    moran = found.estimates[found.estimates["exhibit"] == "moran"]
    assert set(moran["term"]) == {f"moran:{y}" for y in range(2000, 2024)}
    left = found.diagnostics.set_index(["exhibit", "column_id", "name"])
    assert left.loc[("spatial_did", "controls", "units_left_out"), "text"] == "110100"
    assert left.loc[("spatial_did", "contiguity", "units_left_out_for_gaps"), "value"] == 0
