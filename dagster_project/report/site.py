"""Builds the static report from results and release: one page per study, and an index.

Belongs here: what the pages hold. Does not belong here: estimating, publishing, or looks (the
template).
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from jinja2 import Environment, PackageLoader, select_autoescape

from dagster_project.report.dbt_docs import docs_page
from dagster_project.report.figures import comparison_figure
from dagster_project.report.provenance import build_provenance
from dagster_project.settings import Settings
from estimation.studies import spec


class ReportError(Exception):
    """The report cannot be built; the message says what is missing."""


def _number(value: Any, digits: int = 4) -> str:
    if value is None or pd.isna(value):
        return ""
    return f"{float(value):.{digits}f}"


def _integer(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{int(value):,}"


def _stars(p_value: Any) -> str:
    if p_value is None or pd.isna(p_value):
        return ""
    return "*" * ((p_value < 0.1) + (p_value < 0.05) + (p_value < 0.01))


def _exhibits(study: spec.Study, estimates: pd.DataFrame, folder: Path) -> list[dict[str, Any]]:
    diagnostics = pd.read_parquet(folder / "diagnostics.parquet").astype({"text": object})
    diagnostics["text"] = diagnostics["text"].where(diagnostics["text"].notna(), None)
    exhibits = []
    for exhibit in study.exhibits:
        own = estimates[estimates["exhibit"] == exhibit.id]
        if own.empty:
            continue
        rows = []
        for row in own.to_dict("records"):
            rows.append(
                {
                    "column": row["column_id"],
                    "label": "" if pd.isna(row["label"]) else row["label"],
                    "term": row["term"],
                    "estimate": _number(row["estimate"]) + _stars(row["p_value"]),
                    "std_error": _number(row["std_error"]),
                    "interval": ""
                    if pd.isna(row["ci_low"])
                    else f"[{_number(row['ci_low'])}, {_number(row['ci_high'])}]",
                    "n": _integer(row["n_obs"]),
                    "adj_r2": _number(row["adj_r2"], 3),
                    "published": _number(row["published_estimate"], 3)
                    + (
                        "" if pd.isna(row["published_stars"]) else "*" * int(row["published_stars"])
                    ),
                    "published_statistic": _number(row["published_statistic"], 3),
                    "published_n": _integer(row["published_n_obs"]),
                    "status": row["status"],
                    "message": "" if pd.isna(row["message"]) else row["message"],
                }
            )
        behind = diagnostics[diagnostics["exhibit"] == exhibit.id]
        pictures = sorted((folder / "figures").glob(f"{exhibit.id}-*.png"))
        exhibits.append(
            {
                "id": exhibit.id,
                "title": exhibit.title,
                "beyond": exhibit.beyond,
                "rows": rows,
                "se_rules": _se_rules(own),
                "diagnostics": [
                    {
                        "column": row["column_id"],
                        "name": row["name"],
                        "value": _significant(row["value"]) or row["text"] or "",
                        "published": _significant(row["published"]),
                    }
                    for row in behind.to_dict("records")
                ],
                "figures": [{"name": p.stem, "data": _inline(p)} for p in pictures],
            }
        )
    return exhibits


def _significant(value: Any) -> str:
    """A diagnostic with the digits that matter, whatever its size; empty where there is none."""
    return "" if value is None or pd.isna(value) else f"{float(value):,.5g}"


def _se_rules(rows: pd.DataFrame) -> list[dict[str, str]]:
    """The rules of the standard errors, each with the columns that follow it."""
    stated = rows.dropna(subset=["se_rule"]).drop_duplicates(["column_id", "se_rule"])
    return [
        {"rule": str(rule), "columns": ", ".join(map(str, group["column_id"]))}
        for rule, group in stated.groupby("se_rule", sort=False)
    ]


def _inline(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def build_report(settings: Settings) -> tuple[Path, dict[str, Path]]:
    """Write ``results/report`` and the comparison figures.

    Returns
    -------
    tuple
        The index page, and the comparison figure of each study that has estimates.

    Raises
    ------
    ReportError
        If nothing is published.
    """
    release_path = settings.published / "release.json"
    if not release_path.exists():
        raise ReportError(f"nothing is published in {settings.published}")
    release = json.loads(release_path.read_text(encoding="utf-8"))
    environment = Environment(
        loader=PackageLoader("dagster_project.report"), autoescape=select_autoescape()
    )
    target = settings.results / "report"
    staging = target.with_name(".report.tmp")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    figures: dict[str, Path] = {}
    studies = []
    for name, study in spec.shipped().items():
        folder = settings.results / "estimates" / name
        path = folder / "estimates.parquet"
        if not path.exists():
            continue
        estimates = pd.read_parquet(path)
        suffix = "  SYNTHETIC DATA" if release["synthetic"] else ""
        figure = comparison_figure(
            estimates[~estimates["exhibit"].isin(_curves(study))],
            str(study.baseline["outcome"]),
            _treatments(study),
            f"{name}: {study.title}{suffix}",
        )
        picture = ""
        if figure is not None:
            file = folder / "figures" / "comparison.png"
            figure.savefig(file, dpi=130, bbox_inches="tight")
            figures[name] = file
            picture = _inline(file)
        status = estimates.drop_duplicates(["exhibit", "column_id"])["status"].value_counts()
        page: dict[str, Any] = {
            "name": name,
            "title": study.title,
            "citation": study.citation,
            "note": study.note or "",
            "sizes": _sizes(folder),
            "page": f"{name}.html",
            "sample": study.sample,
            "variables": _variables(study, settings),
            "figure": picture,
            "estimated": int(status.get("ok", 0)),
            "missing": int(status.get("data_missing", 0)),
            "failed": int(status.get("failed", 0)),
            "stale": set(estimates["panel_release"]) != {release["release"]},
        }
        studies.append(page)
        html = environment.get_template("study.html").render(
            release=release, study=page, exhibits=_exhibits(study, estimates, folder)
        )
        (staging / page["page"]).write_text(html, encoding="utf-8")
    build_provenance(settings, staging / "provenance", environment, release)
    gates = release["gates"]["rules"]
    html = environment.get_template("index.html").render(
        release=release,
        studies=studies,
        gates=gates,
        has_docs=docs_page(settings).exists(),
    )
    (staging / "index.html").write_text(html, encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    staging.rename(target)
    return target / "index.html", figures


def _sizes(folder: Path) -> list[str]:
    """What a run that was not full made smaller, and in how many columns."""
    diagnostics = pd.read_parquet(folder / "diagnostics.parquet")
    counts = diagnostics.loc[diagnostics["name"] == "size", "text"].value_counts()
    return [f"{text} ({n} column{'s' * (n > 1)})" for text, n in counts.items()]


def _variables(study: spec.Study, settings: Settings) -> list[str]:
    """Columns of the sample that enter the study's models, in the order of their first use.

    Lags and interactions that a model makes by itself stand in no table and are left out.
    """
    known = set(pq.read_schema(settings.published / "parquet" / f"{study.sample}.parquet").names)
    found: dict[str, None] = {}
    for exhibit in study.exhibits:
        for column in exhibit.columns:
            model = study.model(exhibit, column)
            found.update(dict.fromkeys((model.outcome, *model.treatment, *model.controls)))
    return [name for name in found if name in known]


def _treatments(study: spec.Study) -> tuple[str, ...]:
    """The treatments of the columns that the study is known for."""
    named = [t for e, c in study.spine_columns() for t in study.model(e, c).treatment]
    return tuple(dict.fromkeys(named))


def _curves(study: spec.Study) -> set[str]:
    """Exhibits that are curves over time; their many terms belong in their own figure."""
    return {e.id for e in study.exhibits if e.kind == "figure"}
