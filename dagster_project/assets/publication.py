"""Stage 4: the gated panel becomes a release that people read.

Belongs here: asking the gate, building the release, saying in the UI what it holds. Does not belong
here: rules (``expectations``) or the file work (``release``).
"""

import json

import dagster as dg
import pandas as pd

from dagster_project import gates, release, release_docs
from dagster_project.assets.sources import OWNERS, preview
from dagster_project.dbt_project import MANIFEST
from dagster_project.resources import PilotPanel, connect, exclusive
from expectations import city_year

PANEL = dg.AssetKey(["published", "panel"])


def publication_assets() -> list[dg.AssetsDefinition]:
    """The published panel; it waits for every mart."""
    marts = [doc.node for doc in release_docs.mart_docs(MANIFEST)]

    @dg.asset(
        key=PANEL,
        deps=[dg.AssetKey(["marts", name]) for name in marts],
        group_name="publication",
        kinds={"duckdb", "parquet", "csv"},
        owners=OWNERS,
        description="The release: panel.duckdb, Parquet, CSV and release.json, swapped in whole. "
        "Refuses if the panel was not checked in its present state or failed a critical rule, "
        "also when started in a run of its own.",
    )
    def published_panel(
        context: dg.AssetExecutionContext, pilot_panel: PilotPanel
    ) -> dg.MaterializeResult:
        settings = pilot_panel.settings()
        if not settings.warehouse.exists():
            raise gates.GateRefusal(
                f"there is no warehouse in {settings.data_home}: run the job `everything`"
            )
        with exclusive(settings.data_home / "publication.lock", 120, "the publication"):
            with connect(settings.warehouse, read_only=True) as connection:
                fingerprint = gates.panel_fingerprint(connection, city_year.TABLE)
            record = gates.require_passed(settings, city_year.TABLE, fingerprint)
            docs, synthetic = release_docs.mart_docs(MANIFEST), pilot_panel.is_synthetic()
            result = release.standing_release(settings, docs, record, synthetic=synthetic)
            stands = result is not None
            if result is None:
                result = release.build_panel_release(settings, docs, record, synthetic=synthetic)
        if stands:
            context.log.info(
                f"release {result['release']} of {result['created']} stands: its warehouse, its "
                "gates and the code that writes it are unchanged"
            )
        else:
            context.log.info(f"release {result['release']} published: {result['notice']}")
        panel = pd.read_parquet(settings.published / "parquet" / "city_year.parquet")
        rows = pd.DataFrame(result["rows"].items(), columns=["table", "rows"])
        return dg.MaterializeResult(
            metadata={
                "release": result["release"],
                "written": "not again: unchanged" if stands else "now",
                "notice": result["notice"],
                "synthetic": result["synthetic"],
                "dagster/row_count": len(panel),
                "folder": dg.MetadataValue.path(str(settings.published)),
                "tables": dg.MetadataValue.md(rows.to_markdown(index=False)),
                "release.json": dg.MetadataValue.json(
                    {k: v for k, v in result.items() if k not in ("sources", "gates")}
                ),
                "preview": preview(panel.iloc[:, :10]),
            }
        )

    return [published_panel]


def published_release(pilot_panel: PilotPanel) -> dict:
    """The current ``release.json``.

    Raises
    ------
    ReleaseError
        If nothing is published yet.
    """
    path = pilot_panel.settings().published / "release.json"
    if not path.exists():
        raise release.ReleaseError(
            f"nothing is published in {path.parent}: run the job `everything` first"
        )
    return json.loads(path.read_text(encoding="utf-8"))
