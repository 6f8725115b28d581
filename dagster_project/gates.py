"""The gate between warehouse and release: what was checked, on which panel, with what result.

Belongs here: the record of the last check and the refusal. Does not belong here: rules
(``expectations``) or the release itself (``release``). The record names the panel by the
fingerprint of its content, so it holds across runs and cannot vouch for another panel.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from dagster_project.fingerprints import code_version, library_versions
from dagster_project.lake import write_frame, write_text
from dagster_project.settings import Settings
from expectations.runner import GateReport, RuleResult, typed_findings


class GateRefusal(Exception):
    """Publication was refused; the message names rules, cities, years, values and cells."""


def panel_fingerprint(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Fingerprint of a table's content, independent of the order of its rows."""
    row = connection.execute(
        f"select count(*), coalesce(bit_xor(hash(t)), 0), coalesce(sum(hash(t)::hugeint), 0) "
        f'from "{table}" as t'
    ).fetchone()
    assert row is not None
    return f"{row[0]}-{row[1]:x}-{row[2]:x}"


# The tables that the rules read; see the queries below.
_READ = ("city_year", "provenance", "int_candidates")
_LIBRARIES = ("great-expectations", "pandas", "numpy", "duckdb")


def inputs_fingerprint(connection: duckdb.DuckDBPyConnection) -> str:
    """What decides a report: the rules, the code that feeds them, and the tables they read."""
    parts = [f"{table} {panel_fingerprint(connection, table)}" for table in _READ]
    parts += [code_version("expectations", __name__), *library_versions(*_LIBRARIES)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def record_path(settings: Settings) -> Path:
    """Where the record of the last check lies."""
    return settings.results / "gates" / "gates.json"


def findings_path(settings: Settings) -> Path:
    """Where the findings of the last check lie."""
    return record_path(settings).with_name("findings.parquet")


def read_findings(settings: Settings) -> pd.DataFrame:
    """Findings of the last check; no rows if nothing was found or checked yet."""
    path = findings_path(settings)
    return typed_findings(pd.read_parquet(path) if path.exists() else pd.DataFrame())


def docs_path(settings: Settings) -> Path:
    """Where the Data Docs of the panel lie; those of the other tables lie beside them."""
    return record_path(settings).with_name("data_docs")


def record(
    settings: Settings, table: str, fingerprint: str, report: GateReport, inputs: str = ""
) -> None:
    """Keep the result of a check, and its findings as Parquet.

    ``inputs`` is the fingerprint of what was checked by which rules; without it the report is not
    taken again for another run.
    """
    # A run killed between the two files must not find new findings under an old record.
    record_path(settings).unlink(missing_ok=True)
    write_frame(findings_path(settings), report.findings)
    content = {
        "table": table,
        "fingerprint": fingerprint,
        "inputs": inputs,
        "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        "rules": [asdict(r) for r in report.results],
    }
    write_text(record_path(settings), json.dumps(content, indent=1, ensure_ascii=False))


def recorded(settings: Settings, inputs: str) -> tuple[GateReport, str] | None:
    """The last report and its date, if the same rules have seen the same tables; else None."""
    path = record_path(settings)
    kept = (path, findings_path(settings), docs_path(settings) / "index.html")
    if not all(p.exists() for p in kept):
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not inputs or content.get("inputs") != inputs:
            return None
        results = tuple(RuleResult(**rule) for rule in content["rules"])
        return GateReport(results, read_findings(settings)), content["checked"]
    except (ValueError, KeyError, TypeError):
        return None  # a record of another version: the rules are run


def require_passed(settings: Settings, table: str, fingerprint: str) -> dict[str, Any]:
    """The record of the last check, if it allows this very panel to be published.

    Raises
    ------
    GateRefusal
        If the panel was not checked, was checked in another state, or failed a critical rule.
    """
    path = record_path(settings)
    if not path.exists():
        raise GateRefusal(
            f"{table} was never checked: materialise it together with its checks, or run the job "
            "`everything`"
        )
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if content["fingerprint"] != fingerprint:
        raise GateRefusal(
            f"{table} has changed since it was last checked ({content['checked']}): run its checks "
            "again, then publish"
        )
    failed = [
        r for r in content["rules"] if r["severity"] == "critical" and r["status"] == "failed"
    ]
    if failed:
        lines = "\n".join(f"- {r['rule']}: {r['message']}" for r in failed)
        raise GateRefusal(
            f"publication refused, {len(failed)} critical rule(s) failed on {table}. The last "
            f"release stays as it is.\n{lines}\nEvery finding: {findings_path(settings)}"
        )
    return content


def source_cells(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Where each published value stood, one line of text per city, year and indicator."""
    return connection.execute(
        """
        select city_code, year, source,
               column_name || if(scope = 'districts', '_districts', '') as indicator,
               concat_ws(' ', file, sheet, cell) as source_cell
        from provenance
        order by city_code, year, indicator, source_cell
        """
    ).df()


def panel_series(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Printed values that the panel takes, without interpolated ones, with their cells."""
    return connection.execute(
        """
        select provenance.city_code, cities.city_name, cities.province_code, provenance.year,
               column_name as indicator, scope, value, source,
               concat_ws(' ', file, sheet, cell) as source_cell
        from provenance
        inner join (select distinct city_code, city_name, province_code from city_year) as cities
            on provenance.city_code = cities.city_code
        where provenance.is_filled = 0 and provenance.item = '' and value is not null
        order by provenance.city_code, provenance.year, indicator, scope
        """
    ).df()


def source_values(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Every resolved value of every source, taken or not, with rank, rounding and cell."""
    return connection.execute(
        r"""
        select candidates.unit_code as city_code, cities.city_name, cities.province_code,
               candidates.data_year as year, indicator, scope, value,
               -- half a unit of the last printed digit
               0.5 * power(10, -length(regexp_extract(value_printed, '\.(\d+)', 1)))
                   * conversion_factor as half_unit,
               source, "release", preference_rank as rank, candidate_no,
               concat_ws(' ', file, sheet, cell) as source_cell
        from int_candidates as candidates
        inner join (
            select city_code, any_value(city_name) as city_name,
                   any_value(province_code) as province_code
            from city_year group by city_code
        ) as cities
            on candidates.unit_code = cities.city_code
        where candidates.level = 'city' and item = '' and value is not null
        order by city_code, year, indicator, scope, candidate_no
        """
    ).df()
