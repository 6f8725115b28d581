"""Runs release rules as Great Expectations suites and turns what they find into rows and sentences.

Belongs here: building the suite, validating a pandas batch, Data Docs, the findings table. Does not
belong here: rules, databases, or deciding what happens to a release.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from expectations.rules import Rule

FINDING_COLUMNS = [
    "rule",
    "severity",
    "city_code",
    "city_name",
    "year",
    "indicator",
    "scope",
    "value",
    "expected_low",
    "expected_high",
    "checked",
    "expected",
    "likely_cause",
    "source",
    "source_cell",
]
_NUMBERS = ("value", "expected_low", "expected_high", "checked")
_DERIVED = "rule__"


def typed_findings(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a findings table in their order, each of one type even without any row."""
    types = dict.fromkeys(FINDING_COLUMNS, "string") | dict.fromkeys(_NUMBERS, "float64")
    return frame.reindex(columns=FINDING_COLUMNS).astype(types | {"year": "Int32"})


@dataclass(frozen=True)
class RuleResult:
    """Outcome of one rule: passed, failed, or not applicable (``reason`` says why)."""

    rule: str
    severity: str
    description: str
    status: str  # passed | failed | not_applicable
    n_checked: int
    n_outside: int
    message: str


@dataclass(frozen=True)
class GateReport:
    """Results per rule and one finding per offending row and indicator."""

    results: tuple[RuleResult, ...]
    findings: pd.DataFrame

    @property
    def critical_failures(self) -> list[RuleResult]:
        """Failed rules that stop a release."""
        return [r for r in self.results if r.severity == "critical" and r.status == "failed"]

    @classmethod
    def joined(cls, reports: Sequence[GateReport]) -> GateReport:
        """The reports of several tables as one, in their order."""
        kept = [r.findings for r in reports if len(r.findings)]
        findings = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
        return cls(
            tuple(result for report in reports for result in report.results),
            typed_findings(findings),
        )


def validate(
    table: pd.DataFrame,
    rules: Sequence[Rule],
    *,
    name: str,
    docs_dir: Path | None = None,
    provenance: pd.DataFrame | None = None,
) -> GateReport:
    """Check a city-year table against its rules.

    Parameters
    ----------
    table : DataFrame
        One row per ``city_code`` and ``year``; ``city_name`` is used in messages where present.
    rules : sequence of Rule
        What to check.
    name : str
        Name of the suite, the batch and the Data Docs page.
    docs_dir : Path, optional
        Where Data Docs are written.
    provenance : DataFrame, optional
        ``city_code``, ``year``, ``indicator``, ``source_cell``: where values stood, for messages.

    Returns
    -------
    GateReport

    Raises
    ------
    ValueError
        If the table has no rows, or lacks ``city_code`` or ``year``.
    """
    for key in ("city_code", "year"):
        if key not in table.columns:
            raise ValueError(f"the table {name} has no column {key}: it cannot be gated")
    if table.empty:
        raise ValueError(f"the table {name} has no rows: nothing was read, so nothing is released")
    table = table.sort_values(["city_code", "year"], kind="stable").reset_index(drop=True)
    skipped = {rule.name: reason for rule in rules if (reason := rule.applies(table))}
    batch = table[["city_code", "year"]].copy()
    active = [rule for rule in rules if rule.name not in skipped]
    known: dict[str, tuple[pd.Series, pd.Series]] = {}
    for rule in active:
        checked_values = rule.derive(table).astype("float64")
        if rule.allowed is not None:
            why = rule.allowed(table)
            odd = _outside(rule, checked_values) & why.notna()
            known[rule.name] = (checked_values[odd], why[odd])
            checked_values = checked_values.mask(odd)
        batch[_DERIVED + rule.name] = checked_values
    outcomes = _run_suite(batch, active, name, docs_dir) if active else {}
    results, findings = [], []
    for rule in rules:
        if rule.name in skipped:
            results.append(
                RuleResult(
                    rule.name,
                    rule.severity,
                    rule.description,
                    "not_applicable",
                    0,
                    0,
                    skipped[rule.name],
                )
            )
            continue
        success, outside = outcomes[rule.name]
        found = _findings(rule, table, batch.loc[outside, _DERIVED + rule.name], provenance)
        findings.append(found)
        if rule.name in known and len(known[rule.name][0]):
            values, why = known[rule.name]
            right = _findings(rule, table, values, provenance, why)
            findings.append(right)
        checked = int(batch[_DERIVED + rule.name].notna().sum())
        results.append(
            RuleResult(
                rule.name,
                rule.severity,
                rule.description,
                "passed" if success else "failed",
                checked,
                len(outside),
                _message(rule, found, checked, len(outside)),
            )
        )
    kept = [f for f in findings if len(f)]
    frame = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
    return GateReport(tuple(results), typed_findings(frame))


def load_great_expectations() -> None:
    """Import the library, which takes seconds: callers may do so while they wait for others."""
    # It would ask for its telemetry settings on import.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations.expectations  # noqa: F401


def _run_suite(
    batch: pd.DataFrame, rules: Sequence[Rule], name: str, docs_dir: Path | None
) -> dict[str, tuple[bool, list[int]]]:
    """Per rule: did it hold, and the row numbers outside the interval."""
    load_great_expectations()
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.checkpoint import UpdateDataDocsAction

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {  # type: ignore[assignment]
        "globally": False,
        "metric_calculations": False,
    }
    asset = context.data_sources.add_pandas("panel").add_dataframe_asset(name)
    definition = asset.add_batch_definition_whole_dataframe("release")
    suite = context.suites.add(gx.ExpectationSuite(name))
    for rule in rules:
        suite.add_expectation(
            gxe.ExpectColumnValuesToBeBetween(
                column=_DERIVED + rule.name,
                min_value=rule.low,
                max_value=rule.high,
                mostly=1.0 - rule.tolerated,
                notes=f"{rule.severity}: {rule.description} Expected: {rule.expected}.",
                meta={"rule": rule.name},
            )
        )
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=definition, suite=suite)
    )
    actions: list[Any] = []
    if docs_dir is not None:
        docs_dir.mkdir(parents=True, exist_ok=True)
        context.add_data_docs_site(
            "local",
            {
                "class_name": "SiteBuilder",
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": str(docs_dir),
                },
            },
        )
        actions.append(UpdateDataDocsAction(name="docs", site_names=["local"]))
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=name,
            validation_definitions=[validation],
            actions=actions,
            result_format={
                "result_format": "COMPLETE",
                "unexpected_index_column_names": ["row"],
                "return_unexpected_index_query": False,
            },
        )
    )
    numbered = batch.assign(row=range(len(batch)))
    run = checkpoint.run(batch_parameters={"dataframe": numbered})
    outcomes: dict[str, tuple[bool, list[int]]] = {}
    for result in next(iter(run.run_results.values())).results:
        meta = result.expectation_config.meta if result.expectation_config else None
        if not meta:
            raise RuntimeError(f"a result of {name} does not say which rule it belongs to")
        if result.exception_info and result.exception_info.get("raised_exception"):
            raise RuntimeError(
                f"rule {meta['rule']} could not be evaluated: "
                f"{result.exception_info.get('exception_message')}"
            )
        rows = [int(r["row"]) for r in result.result.get("unexpected_index_list") or []]
        outcomes[meta["rule"]] = (bool(result.success), rows)
    return outcomes


def _outside(rule: Rule, values: pd.Series) -> pd.Series:
    low = -float("inf") if rule.low is None else rule.low
    high = float("inf") if rule.high is None else rule.high
    return values.notna() & ~values.between(low, high)


def _findings(
    rule: Rule,
    table: pd.DataFrame,
    checked: pd.Series,
    provenance: pd.DataFrame | None,
    allowed: pd.Series | None = None,
) -> pd.DataFrame:
    """One row per offending row and cited column; ``allowed`` gives the reasons of known ones."""
    if checked.empty:
        return pd.DataFrame(columns=FINDING_COLUMNS)
    rows = table.loc[checked.index]
    long = "indicator" in table.columns
    cited = rule.cites or tuple(c for c in rule.needs if c not in ("city_code", "year"))
    if allowed is not None:
        cause = allowed
    elif rule.explain is not None:
        cause = rule.explain(rows)
    else:
        cause = pd.Series(rule.likely_cause, index=rows.index)
    parts = []
    for column in ("value",) if long else cited or ("",):
        low, high = (None, None)
        if rule.bounds is not None and column:
            low, high = rule.bounds(rows, checked, column)
        part = pd.DataFrame(
            {
                "rule": rule.name,
                "severity": rule.severity if allowed is None else "allowed",
                "city_code": rows["city_code"],
                "city_name": rows.get("city_name"),
                "year": rows["year"],
                "indicator": rows["indicator"] if long else column or None,
                "scope": rows.get("scope", "city"),
                "value": rows[column].astype("float64") if column else float("nan"),
                "expected_low": low if low is not None else float("nan"),
                "expected_high": high if high is not None else float("nan"),
                "checked": checked,
                "expected": rows.get("expected", rule.expected),
                "likely_cause": cause,
                "source": rows.get("source"),
                "source_cell": rows.get("source_cell"),
            }
        )
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    if not long and provenance is not None and not provenance.empty:
        where = provenance.drop_duplicates(["city_code", "year", "indicator"])
        taken = [c for c in ("source", "source_cell") if c in where.columns]
        frame = frame.drop(columns=taken).merge(
            where[["city_code", "year", "indicator", *taken]],
            on=["city_code", "year", "indicator"],
            how="left",
        )
    return frame.reindex(columns=FINDING_COLUMNS)


def _message(rule: Rule, found: pd.DataFrame, checked: int, outside: int) -> str:
    if outside == 0:
        return f"{checked:,} rows checked, all as expected"
    causes = found["likely_cause"].value_counts()
    likely = causes.index[0] if len(causes) else rule.likely_cause
    head = f"{outside:,} of {checked:,} rows outside ({rule.expected}; likely: {likely})"
    lines = []
    for row in found.head(5).to_dict("records"):
        cell, value = row["source_cell"], row["value"]
        place = f" [{cell}]" if isinstance(cell, str) else ""
        shown = "" if pd.isna(value) else f" = {value:g}"
        lines.append(
            f"{row['city_name'] or row['city_code']} {row['year']}: "
            f"{row['indicator'] or rule.name}{shown}"
            f" (checked {row['checked']:.4g}{_range(row)}){place}"
        )
    return head + ". First: " + "; ".join(lines)


def _range(row: dict[Any, Any]) -> str:
    low, high = row["expected_low"], row["expected_high"]
    return "" if pd.isna(low) or pd.isna(high) else f", expected {low:.6g} to {high:.6g}"
