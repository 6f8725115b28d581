"""Asset checks: the release rules of the panel, run by Great Expectations, shown in the UI.

Belongs here: turning a gate report into check results. Does not belong here: rules or their
running (``expectations``), the refusal to publish (``gates``). dbt tests appear by themselves.
"""

import dagster as dg

from dagster_project import gates
from dagster_project.resources import PilotPanel, connect
from expectations import city_year, suites

PANEL = dg.AssetKey(["marts", city_year.TABLE])
_MAX_PREVIEW = 20


def release_checks() -> dg.AssetChecksDefinition:
    """One check per release rule; a failed critical one stops what comes after in the same run."""
    specs = [
        dg.AssetCheckSpec(
            rule.name,
            asset=PANEL,
            description=f"{rule.description} Expected: {rule.expected}.",
            blocking=rule.severity == "critical",
            # The series and their printed cells come from the provenance table; what it is
            # built from (all sources' values) is there by then.
            additional_deps=[dg.AssetKey(["marts", "provenance"])],
            metadata={"severity": rule.severity},
        )
        for rule in suites.ALL_RULES
    ]

    @dg.multi_asset_check(
        name="release_rules",
        specs=specs,
        description="Great Expectations on the panel; the findings are kept as a table.",
    )
    def release_rules(context: dg.AssetCheckExecutionContext, pilot_panel: PilotPanel):
        settings = pilot_panel.settings()
        docs = gates.docs_path(settings)
        with connect(settings.warehouse, read_only=True) as connection:
            inputs = gates.inputs_fingerprint(connection)
            before = gates.recorded(settings, inputs)
            if before is None:
                fingerprint = gates.panel_fingerprint(connection, city_year.TABLE)
                tables = {
                    "panel": connection.execute(f"select * from {city_year.TABLE}").df(),
                    "provenance": gates.source_cells(connection),
                    "values": gates.panel_series(connection),
                    "observations": gates.source_values(connection),
                }
        if before is None:
            report = suites.check_panel(**tables, docs_dir=docs)
            gates.record(settings, city_year.TABLE, fingerprint, report, inputs)
            checked = "now"
        else:
            report, date = before
            checked = f"{date}; tables and rules are unchanged since"
            context.log.info(f"tables and rules unchanged since {date}: the findings stand")
        severities = {
            "critical": dg.AssetCheckSeverity.ERROR,
            "warning": dg.AssetCheckSeverity.WARN,
        }
        for result in report.results:
            found = report.findings[report.findings["rule"] == result.rule]
            metadata: dict[str, dg.MetadataValue] = {
                "message": dg.MetadataValue.text(result.message),
                "status": dg.MetadataValue.text(result.status),
                "checked": dg.MetadataValue.text(checked),
                "rows checked": dg.MetadataValue.int(result.n_checked),
                "rows outside": dg.MetadataValue.int(result.n_outside),
                "Data Docs": dg.MetadataValue.path(str(docs / "index.html")),
            }
            if len(found):
                metadata["findings"] = dg.MetadataValue.md(
                    found.head(_MAX_PREVIEW).to_markdown(index=False)
                )
            if result.status == "failed":
                context.log.warning(f"{result.rule}: {result.message}")
            yield dg.AssetCheckResult(
                asset_key=PANEL,
                check_name=result.rule,
                passed=result.status != "failed",
                severity=severities[result.severity],
                description=result.message,
                metadata=metadata,
            )

    return release_rules
