"""Stage 6: the static report and the documentation of the warehouse, as pages without a server.

Belongs here: the assets. Does not belong here: what the pages hold (``report.site``,
``report.provenance``, ``report.dbt_docs``).
"""

from typing import Any

import dagster as dg

from dagster_project.assets.sources import OWNERS
from dagster_project.report.dbt_docs import build_dbt_docs
from dagster_project.report.site import build_report
from dagster_project.resources import PilotPanel


@dg.asset(
    key=["report", "dbt_docs"],
    deps=[dg.AssetKey(["published", "panel"])],
    group_name="report",
    kinds={"html", "dbt"},
    owners=OWNERS,
    description="The dbt documentation as one page: every table and column, its SQL and its place "
    "in the graph. Written anew only when the dbt project has changed.",
)
def dbt_docs(context: dg.AssetExecutionContext, pilot_panel: PilotPanel) -> dg.MaterializeResult:
    """Write ``results/docs/index.html``."""
    page, anew = build_dbt_docs(pilot_panel.settings())
    context.log.info(f"dbt documentation: {page}{'' if anew else ' (unchanged)'}")
    return dg.MaterializeResult(
        metadata={"page": dg.MetadataValue.path(str(page)), "written anew": anew}
    )


@dg.asset(
    key=["report", "site"],
    deps=[dg.AssetKey(["published", "estimates"]), dg.AssetKey(["report", "dbt_docs"])],
    group_name="report",
    kinds={"html", "matplotlib"},
    owners=OWNERS,
    description="Static pages: every estimate beside the published number, with figures, and the "
    "printed cell behind every value.",
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
    return [dbt_docs, report_site]
