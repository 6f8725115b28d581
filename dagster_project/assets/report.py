"""Stage 6: the static report. Belongs here: the asset; the pages are built by ``report.site``."""

from typing import Any

import dagster as dg

from dagster_project.assets.sources import OWNERS
from dagster_project.report.site import build_report
from dagster_project.resources import PilotPanel


@dg.asset(
    key=["report", "site"],
    deps=[dg.AssetKey(["published", "estimates"])],
    group_name="report",
    kinds={"html", "matplotlib"},
    owners=OWNERS,
    description="Static pages: every estimate beside the published number, with figures.",
)
def report_site(context: dg.AssetExecutionContext, pilot_panel: PilotPanel) -> dg.MaterializeResult:
    """Write ``results/report/index.html``."""
    index, figures = build_report(pilot_panel.settings())
    context.log.info(f"report: {index}")
    metadata: dict[str, Any] = {
        "report": dg.MetadataValue.path(str(index)),
        "synthetic": pilot_panel.is_synthetic(),
    }
    for name, path in figures.items():
        metadata[f"figure of study {name}"] = dg.MetadataValue.path(str(path))
    return dg.MaterializeResult(metadata=metadata)


def report_assets() -> list[dg.AssetsDefinition]:
    """All assets of this stage."""
    return [report_site]
