"""Stage 1: landing files to the lake. One asset per source; unchanged files are not read again.

Belongs here: the raw assets and the catalogue that the warehouse starts from. Does not belong
here: reading (``ingest`` and ``extract``) or anything SQL.
"""

import json

import dagster as dg
import pandas as pd

from dagster_project import arrival, ingest, readers
from dagster_project.assets.arrivals import MONTHLY_LOOK, arrival_specs, report_arrivals
from dagster_project.dbt_project import OVERRIDES
from dagster_project.extract import registry
from dagster_project.extract.boundaries import city_geography
from dagster_project.fingerprints import tree_hash
from dagster_project.headers import HEADERS, write_headers
from dagster_project.lake import KINDS, Lake, write_frame, write_text
from dagster_project.resources import PilotPanel
from dagster_project.rosters import ingest_rosters
from dagster_project.sample.write import write_sample

GROUP = "sources"
OWNERS = ["team:data"]

DESCRIPTIONS = {
    "yearbook": "China City Statistical Yearbook (中国城市统计年鉴): one row per printed cell, "
    "one lake partition per edition.",
    "edgar_co2": "EDGAR CO2 grids reduced to city polygons: tonnes per city and year, cells split "
    "by polygon coverage.",
    "pm25": "PM2.5 grids (van Donkelaar group) reduced to city polygons: area-weighted mean, "
    "ug/m3.",
    "nightlights": "Night-light composites (DMSP, VIIRS): sum and mean of digital numbers per "
    "city.",
    "elevation": "Elevation grid: mean height and terrain relief per city.",
    "patents": "Patent extract by city and type (CNRDS layout).",
}


def preview(frame: pd.DataFrame, rows: int = 8) -> dg.MarkdownMetadataValue:
    """The first rows of a table as Markdown, for the UI."""
    return dg.MetadataValue.md(frame.head(rows).to_markdown(index=False))


@dg.asset(
    key=["landing"],
    group_name=GROUP,
    kinds={"file"},
    owners=OWNERS,
    description="The landing folder. With no folder of the user's own, the synthetic sample is "
    "written there first, in the real files' formats.",
)
def landing(context: dg.AssetExecutionContext, pilot_panel: PilotPanel) -> dg.MaterializeResult:
    """List the landing folder (writing the sample first, where the dataset is the sample)."""
    settings = pilot_panel.settings()
    registry.load()  # a registry that contradicts itself stops the run before anything is read
    settings.prepare()
    Lake(settings.lake).prepare()
    if settings.uses_sample:
        write_sample(settings.landing_dir, seed=settings.seed, cache_dir=settings.cache)
    pilot_panel.mark_dataset(context.log.info)
    files = ingest.scan(settings)
    strangers = ingest.record_unrecognised(settings, files)
    counts = pd.Series([f.source for f in files]).value_counts().rename_axis("source")
    table = counts.reset_index(name="files")
    return dg.MaterializeResult(
        metadata={
            "folder": dg.MetadataValue.path(str(settings.landing_dir)),
            "files": len(files),
            "unrecognised files": strangers,
            "synthetic": pilot_panel.is_synthetic(),
            # The sensor compares: a run started by hand has taken these files, too.
            "content": arrival.digest(arrival.content(settings.landing_dir, files)),
            "preview": preview(table, rows=50),
        }
    )


def build_raw_asset(source: str) -> dg.AssetsDefinition:
    """The raw asset of one source."""
    description = DESCRIPTIONS.get(source, f"Table extract `{source}`, read by its mapping file.")

    @dg.asset(
        key=["raw", source],
        deps=[dg.AssetKey(["landing"])],
        group_name=GROUP,
        kinds={"parquet", "python"},
        owners=OWNERS,
        description=description,
        freshness_policy=MONTHLY_LOOK,
    )
    def raw(context: dg.AssetExecutionContext, pilot_panel: PilotPanel) -> dg.MaterializeResult:
        settings = pilot_panel.settings()
        files = pilot_panel.landing_files()
        report = ingest.ingest(source, settings, files, context.log.info)
        counts = Lake(settings.lake).counts()
        report_arrivals(context, source, report, counts)
        own = counts[counts["source"] == source]
        read = own[own["kind"] == "raw"]
        totals = own.groupby("kind")["rows"].sum()
        if own.empty:
            context.log.info(f"{source}: no files; variables that need it stay empty")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": int(totals.get("raw", 0)),
                "rejects": int(totals.get("rejects", 0)),
                "partitions read now": ", ".join(report.read) or "none",
                "partitions unchanged": len(report.unchanged),
                "partitions removed": ", ".join(report.removed) or "none",
                "files refused": dg.MetadataValue.json(report.refused),
                "synthetic": pilot_panel.is_synthetic(),
                "preview": preview(pd.DataFrame(read, columns=["partition", "rows"]), rows=30),
            }
        )

    return raw


@dg.asset(
    key=["lake", "city_geography"],
    deps=[dg.AssetKey(["landing"])],
    group_name=GROUP,
    kinds={"parquet", "python"},
    owners=OWNERS,
    description="Centroid, area, side of the Hu line per city, computed from the boundaries in "
    "use; and which cities border on each other.",
)
def city_geography_asset(
    context: dg.AssetExecutionContext, pilot_panel: PilotPanel
) -> dg.MaterializeResult:
    """Write ``lake/derived/city_geography.parquet`` and ``city_neighbours.parquet``."""
    from dagster_project.extract.boundaries import city_neighbours

    settings = pilot_panel.settings()
    folder = settings.lake / "derived"
    marker = folder / "city_geography.json"
    target = folder / "city_geography.parquet"
    files = (target, folder / "city_neighbours.parquet")

    def stamp() -> str:
        content = [tree_hash(folder, (f for f in files if f.exists()))]
        return json.dumps([readers.boundaries_stamp(settings.boundaries), *content])

    if not (marker.exists() and marker.read_text(encoding="utf-8") == stamp()):
        # A run killed between the files must not find new ones under an old marker.
        marker.unlink(missing_ok=True)
        polygons = readers.boundaries_for(settings)
        write_frame(files[1], city_neighbours(polygons))
        write_frame(target, city_geography(polygons))
        write_text(marker, stamp())
    else:
        context.log.info("boundaries unchanged")
    frame = pd.read_parquet(target)
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(frame), "preview": preview(frame)}
    )


@dg.asset(
    key=["lake", "roster_overrides"],
    deps=[dg.AssetKey(["landing"])],
    group_name=GROUP,
    kinds={"parquet", "python"},
    owners=OWNERS,
    description="What the csv files in landing/rosters change in the shipped rosters, row by row; "
    "a file with a row that cannot be meant is refused and changes nothing.",
)
def roster_overrides(
    context: dg.AssetExecutionContext, pilot_panel: PilotPanel
) -> dg.MaterializeResult:
    """Write ``lake/derived/roster_overrides.parquet`` and report every file."""
    files = ingest_rosters(pilot_panel.settings(), context.log.info)
    changes = [change.summary() for file in files for change in file.changes]
    refused = {file.file: [r.message for r in file.refusals] for file in files if file.refusals}
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(changes),
            "changes": dg.MetadataValue.json(changes),
            "files refused": dg.MetadataValue.json(refused),
        }
    )


def build_catalogue(sources: tuple[str, ...]) -> dg.AssetsDefinition:
    """The lake's three tables as assets, once every source has been brought up to date."""
    deps = [*(dg.AssetKey(["raw", s]) for s in sources), dg.AssetKey(["lake", OVERRIDES])]

    @dg.multi_asset(
        name="lake_catalogue",
        specs=[
            dg.AssetSpec(
                key=["lake", kind],
                deps=deps,
                group_name=GROUP,
                kinds={"parquet"},
                owners=OWNERS,
                description=text,
            )
            for kind, text in (
                ("raw", "Every printed cell of every source, as read."),
                ("rejects", "Every cell and file that could not be read, with the reason."),
                ("files", "One row per table found in a file: what was read, set aside, refused."),
            )
        ],
    )
    def lake_catalogue(pilot_panel: PilotPanel):
        settings = pilot_panel.settings()
        counts = Lake(settings.lake).counts()
        for kind in KINDS:
            own = counts[counts["kind"] == kind]
            table = own.groupby("source")[["rows"]].sum().reset_index()
            yield dg.MaterializeResult(
                asset_key=["lake", kind],
                metadata={
                    "dagster/row_count": int(own["rows"].sum()),
                    "preview": preview(table, rows=40),
                },
            )

    return lake_catalogue


def build_headers(sources: tuple[str, ...]) -> dg.AssetsDefinition:
    """The headers of every table read that the registry does not know, or knows twice."""

    @dg.asset(
        key=["lake", HEADERS],
        deps=[dg.AssetKey(["raw", s]) for s in sources],
        group_name=GROUP,
        kinds={"parquet", "python"},
        owners=OWNERS,
        description="Headers that map to no indicator, or to one that another column of the same "
        "table has, with the nearest registered spellings.",
    )
    def headers(context: dg.AssetExecutionContext, pilot_panel: PilotPanel) -> dg.MaterializeResult:
        found = write_headers(pilot_panel.settings().lake)
        counts = found.groupby("status")["cells"].agg(["size", "sum"])
        for status, row in counts.iterrows():
            context.log.info(f"headers {status}: {row['size']}, {row['sum']:,} cells")
        columns = ["file", "indicator_key", "unit_key", "status", "candidates"]
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(found),
                "preview": preview(found[columns].drop_duplicates(columns[1:]), rows=40),
            }
        )

    return headers


def source_assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """All assets of this stage."""
    sources = ingest.all_sources()
    return [
        landing,
        *(build_raw_asset(s) for s in sources),
        city_geography_asset,
        roster_overrides,
        build_catalogue(sources),
        build_headers(sources),
        *arrival_specs(),
    ]
