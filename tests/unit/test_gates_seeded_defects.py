"""Defects put into a clean world at random places: found, and called by their right name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from dagster_project.sample.defects import KINDS, Defect, inject
from dagster_project.sample.world import World
from expectations import series, series_table, sources, suites
from expectations.runner import GateReport, validate
from tests.unit.gate_worlds import panel, printed
from tests.unit.sample_worlds import polygon_cache, shared_world

# Rules that may report a kind of defect, and how the likely cause begins.
NAMED = {
    "columns_exchanged": ({"columns_exchanged"}, ("columns exchanged",)),
    "factor_shift": ({"digits_shifted", "digits_shifted_in_block", "zeros"},
                     ("digits shifted", "a zero that stands for")),
    "mixed_units": ({"units_mixed", "units_mixed_in_block"}, ("units mixed",)),
    "jump": ({"jumps"}, ("jump: the level shifts and stays",)),
    "city_set_change": ({"source_loses_a_city", "source_loses_a_block_of_cities"},
                        ("city set changed",)),
}  # fmt: skip
QUICK, MANY = 3, 60


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> World:
    return shared_world(polygon_cache(request.config), effects=True)


@dataclass(frozen=True)
class Place:
    """One cell, or one city of a source, that is wrong."""

    city_code: str
    year: int
    indicator: str


def _indicators(defect: Defect) -> set[str]:
    """The defect's indicators and those that stand beside them; a city set needs only one."""
    beside = {
        i
        for group in series_table.SIDE_BY_SIDE
        for i in group
        if set(group) & set(defect.indicators)
    }
    return beside | set(defect.indicators) or {"grp"}


def _check(world: World, defect: Defect) -> GateReport:
    """Only what can bear on the defect: rules look at one indicator, or one group, at a time."""
    values = printed(world, _indicators(defect))
    if defect.kind != "city_set_change":
        return validate(series_table.prepare(values), series.RULES, name="series")
    cities = panel(world, values)[["city_code", "city_name", "province_code", "year"]]
    table = sources.prepare_city_sets(values, cities)
    return validate(table, sources.CITY_SET_RULES, name="cities")


def _places(world: World, defect: Defect) -> Iterator[Place]:
    """Cells that the defect really changed in print."""
    if defect.kind == "city_set_change":
        yield from (Place(code, defect.year, "any") for code in defect.city_codes)
        return
    values = printed(world, set(defect.indicators))
    values = values[(values["scope"] == "city") & (values["year"] == defect.year)]
    if defect.city_codes:
        values = values[values["city_code"].isin(defect.city_codes)]
    for row in values.itertuples():
        yield Place(str(row.city_code), defect.year, str(row.indicator))


def _is_printed(world: World, defect: Defect) -> bool:
    """Whether the defect shows in print at all.

    Editions print some columns in some years only, and cells are left empty: a level that shifts
    before the first printed value, or a wrong value that is not printed, changes no file.
    """
    if defect.kind != "jump":
        return bool(next(_places(world, defect), None))
    values = printed(world, set(defect.indicators))
    years = values[(values["scope"] == "city") & values["city_code"].isin(defect.city_codes)][
        "year"
    ]
    return bool((years < defect.year).any() and (years == defect.year).any())


def _defects(
    clean: World, kind: str, first_seed: int, count: int
) -> Iterator[tuple[World, Defect]]:
    """The first ``count`` defects of a kind, from a seed on, that show in print."""
    seed = first_seed
    while count:
        damaged, defect = inject(clean, kind, seed=seed)
        seed += 1
        if _is_printed(damaged, defect):
            count -= 1
            yield damaged, defect


def _found(report: GateReport, kind: str) -> set[Place]:
    rules, causes = NAMED[kind]
    found = report.findings
    named = found["rule"].isin(rules) & found["likely_cause"].astype(str).str.startswith(causes)
    return {
        Place(str(r.city_code), int(r.year), str(r.indicator))
        for r in found[named & (found["severity"] != "allowed")].itertuples()
    }


def _score(damaged: World, defect: Defect) -> tuple[float, int]:
    """Share of the defect's places found under the right name, and findings anywhere else."""
    report = _check(damaged, defect)
    wrong = set(_places(damaged, defect))
    found = _found(report, defect.kind)
    elsewhere = {
        (r.city_code, r.year)
        for r in report.findings.itertuples()
        if not (
            r.year == defect.year and (not defect.city_codes or r.city_code in defect.city_codes)
        )
    }
    return len(wrong & found) / len(wrong), len(elsewhere)


def test_every_kind_of_defect_has_a_name_that_the_gates_use() -> None:
    assert set(NAMED) == set(KINDS)
    known = {rule.name for rule in suites.ALL_RULES}
    assert set().union(*(rules for rules, _ in NAMED.values())) <= known


def test_a_clean_world_raises_no_critical_finding(world: World) -> None:
    values = printed(world)
    report = suites.check_panel(panel(world, values), values=values, observations=values)
    assert report.critical_failures == []
    assert (report.findings["severity"] != "critical").all()
    # Warnings too are rare: fewer than one in 100,000 printed values.
    assert len(report.findings) < 1e-5 * len(values) + 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_defects_are_found_and_named(world: World, kind: str) -> None:
    for damaged, defect in _defects(world, kind, 0, QUICK):
        share, elsewhere = _score(damaged, defect)
        assert share >= 0.95, defect
        assert elsewhere == 0, defect


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_detection_over_many_places(world: World, kind: str) -> None:
    scores = [(d, *_score(damaged, d)) for damaged, d in _defects(world, kind, 100, MANY)]
    missed = [defect.detail for defect, share, _ in scores if share < 1.0]
    shares = np.array([share for _, share, _ in scores])
    elsewhere = sum(n for _, _, n in scores)
    print(
        f"\n{kind}: {len(scores)} injected, {np.mean(shares == 1.0):.1%} found in every place, "
        f"{shares.mean():.2%} of places, {elsewhere} findings elsewhere; missed: {missed}"
    )
    assert np.mean(shares >= 0.95) >= 0.95, missed
    assert elsewhere <= len(scores) / 10


@pytest.mark.parametrize(
    ("first", "second"),
    [("expenditure_science", "expenditure_education"), ("loans", "savings_household")],
)
def test_columns_known_from_circulated_panels_are_told_apart(
    world: World, first: str, second: str
) -> None:
    values = printed(world, {"deposits", "loans", "savings_household", first, second})
    year = int(values.loc[values["indicator"] == second, "year"].max()) - 4
    here = values["year"] == year
    names = values["indicator"].where(
        ~here, values["indicator"].replace({first: "?", second: first})
    )
    exchanged = values.assign(indicator=names.replace({"?": second}))
    report = validate(series_table.prepare(exchanged), series.RULES, name="series")
    assert [r.rule for r in report.critical_failures] == ["columns_exchanged"]
    found = report.findings
    assert set(found["indicator"]) == {first, second}
    assert set(found["year"]) == {year}
    said = found[found["indicator"] == first]["likely_cause"]
    assert said.str.endswith(second).all()


def test_a_whole_year_in_another_unit_stops_a_release(world: World) -> None:
    values = printed(world, {"grp"})
    values.loc[values["year"] == 2012, "value"] *= 1e4
    report = validate(series_table.prepare(values), series.RULES, name="series")
    assert [r.rule for r in report.critical_failures] == ["year_in_another_unit"]
    assert set(report.findings["year"]) == {2012}
    finding = report.findings.iloc[0]
    assert finding["expected_low"] < finding["value"] / 1e4 < finding["expected_high"]


def test_a_province_in_another_unit_stops_and_a_single_city_warns(world: World) -> None:
    values = printed(world, {"loans"})
    city = (
        (values["city_code"] == "320500") & (values["year"] == 2012) & (values["scope"] == "city")
    )
    one = values.assign(value=values["value"].where(~city, values["value"] / 1e4))
    report = validate(series_table.prepare(one), series.RULES, name="series")
    assert report.critical_failures == []
    assert set(report.findings["rule"]) == {"units_mixed"}
    province = (values["province_code"] == "320000") & (values["year"] == 2012)
    many = values.assign(value=values["value"].where(~province, values["value"] / 1e4))
    report = validate(series_table.prepare(many), series.RULES, name="series")
    assert [r.rule for r in report.critical_failures] == ["units_mixed_in_block"]
    assert set(report.findings["city_code"].str[:2]) == {"32"}


def test_allow_listed_jumps_are_kept_with_their_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations import allowed

    damaged, defect = inject(world, "jump", seed=1)
    listed = pd.DataFrame(
        {"city_code": defect.city_codes, "city": "x", "year": defect.year, "indicator": "",
         "scope": "", "reason": "a county was moved", "confidence": "verified"}
    )  # fmt: skip
    monkeypatch.setattr(allowed, "load", lambda: listed)
    report = _check(damaged, defect)
    jumps = next(r for r in report.results if r.rule == "jumps")
    assert jumps.status == "passed"
    found = report.findings
    assert set(found["severity"]) == {"allowed"}
    assert set(found["likely_cause"]) == {"a county was moved (verified)"}
