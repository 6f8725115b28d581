"""What the published tables and their columns mean.

Belongs here: the comments of tables that are no dbt models, and reading those of the models from
the manifest. Does not belong here: writing a release (``release``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TableDoc:
    """Name, meaning and columns of one published table; ``node`` is the dbt model's own name."""

    name: str
    description: str
    columns: dict[str, str]
    node: str = ""


def mart_docs(manifest_path: Path) -> list[TableDoc]:
    """Published tables with their comments, from the dbt manifest (models in ``marts``)."""
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    docs = []
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and "marts" in node["fqn"]:
            docs.append(
                TableDoc(
                    node["alias"],
                    node.get("description", ""),
                    {c["name"]: c.get("description", "") for c in node["columns"].values()},
                    node["name"],
                )
            )
    return sorted(docs, key=lambda d: d.name)


ESTIMATE_DOCS = (
    TableDoc(
        "estimates",
        "Every estimated coefficient of every study, beside the published number.",
        {
            "study": "Study: study_a to study_d as published (A to D in descriptives and in the "
            "dictionary), or one of our own",
            "exhibit": "Table or figure of the paper",
            "column_id": "Column of the table, or panel of the figure",
            "label": "What the column is called",
            "exhibit_title": "Title of the exhibit",
            "estimator": "Estimator as named in the study file",
            "outcome": "Dependent variable (column of the study's sample table)",
            "term": "Coefficient",
            "estimate": "Point estimate, unit of the outcome",
            "std_error": "Standard error, by the rule in se_rule",
            "statistic": "t or z statistic",
            "p_value": "Two-sided p value",
            "ci_low": "Lower end of the 95% interval",
            "ci_high": "Upper end of the 95% interval",
            "n_obs": "Observations used",
            "n_cities": "Cities used",
            "adj_r2": "Adjusted R2",
            "se_rule": "How the standard error is computed",
            "published_estimate": "Published coefficient",
            "published_statistic": "Published t or z value (number in brackets)",
            "published_statistic_kind": "t or z",
            "published_std_error": "Published standard error, where the paper prints one",
            "published_stars": "Published significance stars (3 = 1%, 2 = 5%, 1 = 10%)",
            "published_n_obs": "Published number of observations",
            "published_r2": "Published R2",
            "status": "ok, data_missing (a variable was not brought), failed or not_run",
            "message": "Why there is no estimate",
            "seed": "Seed of everything random",
            "spec_hash": "Hash of the specification",
            "seconds": "Seconds that the column took",
            "panel_release": "Release of the panel that it was estimated on",
            "synthetic": "Whether the panel is synthetic",
        },
    ),
    TableDoc(
        "estimate_diagnostics",
        "Everything else that an estimator reports, one row per column of an exhibit and name.",
        {
            "study": "Study, as in estimates",
            "exhibit": "Table or figure",
            "column_id": "Column",
            "name": "Diagnostic",
            "value": "Value, where it is a number",
            "text": "Value, where it is a text",
            "published": "Published value, where the paper prints one",
            "panel_release": "Release of the panel",
            "synthetic": "Whether the panel is synthetic",
        },
    ),
)

FINDINGS_DOC = TableDoc(
    "findings",
    "What the release rules found in this panel and its sources, one row per rule and value. "
    "Nothing here stopped the release: severity warning, or allowed with a stated reason.",
    {
        "rule": "Name of the rule, also of the check in the UI",
        "severity": "critical (would have stopped the release), warning, or allowed (known true)",
        "city_code": "城市代码。 GB/T 2260 code of the city",
        "city_name": "城市名称。 Name of the city",
        "year": "年份。 Year the data refer to",
        "indicator": "Column of city_year or canonical indicator; any = the whole city",
        "scope": "city (全市) or districts (市辖区)",
        "value": "Value in the canonical unit of the indicator",
        "expected_low": "Lowest value expected here, same unit; null where the rule gives no range",
        "expected_high": "Highest value expected here, same unit",
        "checked": "Number that the rule checked (ratio, sum, robust z, power of ten, share)",
        "expected": "What the rule expected, in words",
        "likely_cause": "What is usually behind such a finding",
        "source": "Source of the value",
        "source_cell": "File, sheet and cell of the value",
    },
)
