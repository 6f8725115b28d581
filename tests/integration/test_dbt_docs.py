"""The dbt documentation: one page with every table's and column's text, quiet and not rebuilt."""

from __future__ import annotations

import json
import re

import duckdb

from dagster_project.dbt_project import MANIFEST
from dagster_project.report.dbt_docs import build_dbt_docs, docs_page
from dagster_project.settings import Settings
from tests.integration.conftest import Dataset


def _settings(dataset: Dataset) -> Settings:
    return Settings(data_home=dataset.data_home, landing=dataset.landing)


def test_the_page_documents_every_published_column(built_dataset: Dataset) -> None:
    page = docs_page(_settings(built_dataset)).read_text(encoding="utf-8")
    # The page holds the manifest as JSON with escapes, so texts are looked up as JSON writes them.
    with duckdb.connect(str(built_dataset.published / "panel.duckdb"), read_only=True) as panel:
        comments = panel.execute(
            "select column_name, comment from duckdb_columns() where table_name = 'city_year'"
        ).fetchall()
    assert len(comments) > 100
    for column, text in comments:
        forms = (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        assert any(form in page for form in forms), column
    assert "MANIFEST.JSON INLINE DATA" not in page


def test_the_page_reports_to_nobody(built_dataset: Dataset) -> None:
    page = docs_page(_settings(built_dataset)).read_text(encoding="utf-8")
    switches = re.findall(r'"send_anonymous_usage_stats": ?(\w+)', page)
    assert switches
    assert set(switches) == {"false"}


def test_an_unchanged_project_is_not_documented_again(own_dataset: Dataset) -> None:
    settings = _settings(own_dataset)
    page = docs_page(settings)
    page.write_text("as it was", encoding="utf-8")
    assert page.stat().st_mtime >= MANIFEST.stat().st_mtime
    assert build_dbt_docs(settings) == (page, False)
    assert page.read_text(encoding="utf-8") == "as it was"
    page.unlink()
    assert build_dbt_docs(settings) == (page, True)
    assert "city_year" in page.read_text(encoding="utf-8")


def test_the_report_links_to_the_page(built_dataset: Dataset) -> None:
    index = built_dataset.data_home / "results" / "report" / "index.html"
    assert 'href="../docs/index.html"' in index.read_text(encoding="utf-8")
