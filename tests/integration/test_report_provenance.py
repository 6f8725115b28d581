"""The report leads from a value to its printed cell: scripts agree with the published tables."""

from __future__ import annotations

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pytest

from tests.integration.conftest import Dataset

CITY = "320100"


def _content(path: Path) -> Any:
    """What a script hands to the page."""
    text = path.read_text(encoding="utf-8")
    call, _, rest = text.partition("(")
    assert call in ("pilotPanelUnit", "pilotPanelCommon")
    assert rest.endswith(");\n")
    return json.loads(rest[:-3])


@pytest.fixture(scope="module")
def report(built_dataset: Dataset) -> Path:
    return built_dataset.data_home / "results" / "report"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [v for k, v in attrs if k in ("href", "src") and v]


def test_every_city_with_cells_can_be_picked(built_dataset: Dataset, report: Path) -> None:
    common = _content(report / "provenance" / "common.js")
    with duckdb.connect(str(built_dataset.published / "panel.duckdb"), read_only=True) as panel:
        expected = panel.execute(
            "select distinct city_code from provenance "
            "where city_code in (select city_code from city_year) order by 1"
        ).fetchall()
    assert [c[0] for c in common["cities"]] == [code for (code,) in expected]
    files = {p.stem for p in (report / "provenance" / "units").iterdir()}
    assert files == {c[0] for c in common["cities"]} | set(common["provinces"])


def test_a_city_shows_the_cells_that_sql_gives(built_dataset: Dataset, report: Path) -> None:
    common = _content(report / "provenance" / "common.js")
    unit = _content(report / "provenance" / "units" / f"{CITY}.js")
    shown = set()
    for column, entries in unit["series"].items():
        for entry in entries:
            for cell in entry["p"]:
                year, value, printed, unit_printed, factor, place, address, header, name = cell[:9]
                source, release, file, sheet = common["places"][place]
                where = (source, release, file, sheet, address)
                how = (common["headers"][header], unit["names"][name])
                text = (common["units"][unit_printed], None if printed == 0 else printed)
                key = (column, entry["s"], entry["i"], year, value, factor)
                shown.add((*key, *where, *how, *text))
    with duckdb.connect(str(built_dataset.published / "panel.duckdb"), read_only=True) as panel:
        rows = panel.execute(
            """
            select distinct
                column_name, scope, item, data_year, value, conversion_factor, source, release,
                file, sheet, coalesce(cell, ''), indicator_printed, entity_printed,
                coalesce(unit_printed, ''), value_printed
            from provenance where city_code = ?
            """,
            [CITY],
        ).fetchall()
    assert {s[:-1] for s in shown} == {(r[0], r[1], r[2] or "", *r[3:-1]) for r in rows}
    texts = {(r[0], r[1], r[2] or "", r[3]): r[-1] or "" for r in rows}
    for cell in shown:
        printed = texts[cell[:4]]
        if cell[-1] is None:
            assert float(printed) == cell[4]
        else:
            assert cell[-1] == printed


def test_interpolated_values_are_those_of_the_panel(built_dataset: Dataset, report: Path) -> None:
    compared = 0
    with duckdb.connect(str(built_dataset.published / "panel.duckdb"), read_only=True) as panel:
        columns = {row[0] for row in panel.execute("describe city_year").fetchall()}
        filled = panel.execute(
            "select distinct city_code, column_name from provenance where is_filled = 1 "
            "and scope = 'city' and city_code in (select city_code from city_year) "
            "order by all limit 200"
        ).fetchall()
        for city, column in filled:
            if column not in columns:
                continue
            path = report / "provenance" / "units" / f"{city}.js"
            entry = next(e for e in _content(path)["series"][column] if e["s"] == "city")
            values = dict(
                panel.execute(
                    f'select year, "{column}" from city_year where city_code = ?', [city]
                ).fetchall()
            )
            for year, start, end, value in entry["f"]:
                assert start < year < end
                if year in values:
                    assert value == pytest.approx(values[year], rel=1e-9), (city, column, year)
                    compared += 1
    assert compared > 0


def test_computed_columns_name_their_inputs_and_values(
    built_dataset: Dataset, report: Path
) -> None:
    common = _content(report / "provenance" / "common.js")
    inputs = {(c[0], c[1]): c[5] for c in common["columns"]}
    assert inputs["sample_a", "el"] == ["expenditure_education", "grp"]
    unit = _content(report / "provenance" / "units" / f"{CITY}.js")
    with duckdb.connect(str(built_dataset.published / "panel.duckdb"), read_only=True) as panel:
        rows = panel.execute(
            "select year, education_share from city_year where city_code = ? "
            "and education_share is not null order by year",
            [CITY],
        ).fetchall()
    assert unit["derived"]["education_share"] == [list(r) for r in rows]
    assert {"low_carbon", "innovative"} <= {row[0] for row in unit["roster"]}


def test_pages_link_to_pages_and_columns_that_exist(report: Path) -> None:
    common = _content(report / "provenance" / "common.js")
    known = {
        column if table == "city_year" else f"{table}.{column}"
        for table, column, *_ in common["columns"]
    }
    for page in [*report.glob("*.html"), report / "provenance" / "index.html"]:
        links = _Links()
        links.feed(page.read_text(encoding="utf-8"))
        for link in links.found:
            target, _, fragment = link.partition("#")
            if target and not target.startswith("data:"):
                assert (page.parent / unquote(target)).exists(), f"{page.name}: {link}"
            if fragment and "provenance" in target:
                assert fragment.split("/")[1] in known, f"{page.name}: {link}"
        if page.name == "index.html":
            assert any("provenance" in link or "../index.html" in link for link in links.found)
    assert "SYNTHETIC" in (report / "provenance" / "index.html").read_text(encoding="utf-8")


def test_a_browser_shows_the_cell(report: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium or google-chrome to open the page with")
    unit = _content(report / "provenance" / "units" / f"{CITY}.js")
    cell = unit["series"]["grp"][0]["p"][-1]
    page = (report / "provenance" / "index.html").as_uri()
    result = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            f"{page}#{CITY}/grp",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert f"<td>{cell[6]}</td>" in result.stdout
    assert "could not be loaded</p>" not in result.stdout
