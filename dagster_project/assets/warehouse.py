"""Stage 2: dbt builds the warehouse from the lake, before and after the computed outcomes.

Belongs here: the two dbt asset groups and what the UI shows of them. Does not belong here: SQL
(``dbt``) or how dbt is called (``dbt_project``).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from dagster_project.dbt_project import (
    BASE_TAG,
    OUTCOMES_TAG,
    PanelTranslator,
    build_arguments,
    dbt_environment,
    dbt_executable,
    ensure_manifest,
    prepare_warehouse,
)
from dagster_project.resources import PilotPanel, connect, exclusive
from dagster_project.settings import DBT_PROJECT_DIR, Settings, load_settings

_PREVIEW_ROWS = 5
_PREVIEW_COLUMNS = 12


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables while the block runs; dbt takes its paths from there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _with_table_metadata(event: Any, settings: Settings) -> Any:
    """The event with row count and preview of the table it reports; other events unchanged."""
    if not isinstance(event, dg.Output):
        return event
    metadata = dict(event.metadata or {})
    name = str(
        getattr(metadata.get("dagster/relation_identifier"), "value", None)
        or metadata.get("dagster/relation_identifier", "")
    )
    if not name:
        return event
    relation = ".".join(f'"{part}"' for part in name.split(".")[1:])
    with connect(settings.warehouse, read_only=True) as connection:
        rows = connection.execute(f"select count(*) from {relation}").fetchone()
        frame = connection.execute(f"select * from {relation} limit {_PREVIEW_ROWS}").df()
    metadata["dagster/row_count"] = dg.MetadataValue.int(int(rows[0]) if rows else 0)
    metadata["preview"] = dg.MetadataValue.md(
        frame.iloc[:, :_PREVIEW_COLUMNS].to_markdown(index=False)
    )
    return event.with_metadata(metadata)


def _build(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, pilot_panel: PilotPanel
) -> Iterator[Any]:
    settings = pilot_panel.settings()
    healed = prepare_warehouse(settings)
    if healed:
        context.log.warning(healed)
    target = settings.cache / "dbt_target" / context.op_execution_context.op.name
    lock = settings.warehouse.with_suffix(".lock")
    with (
        exclusive(lock, 600, f"the warehouse of {settings.data_home}"),
        environment(dbt_environment(settings)),
    ):
        # All events are collected before any is passed on: row counts and previews need the file,
        # which dbt holds until it has ended.
        arguments = build_arguments(variables={"min_confidence": settings.min_confidence})
        events = list(dbt.cli(arguments, context=context, target_path=target).stream())
    for event in events:
        yield _with_table_metadata(event, settings)


def warehouse_assets() -> list[dg.AssetsDefinition]:
    """The dbt assets: everything before the outcomes, and everything that rests on them."""
    manifest = ensure_manifest(load_settings())
    translator = PanelTranslator()

    @dbt_assets(
        manifest=manifest,
        select=f"tag:{BASE_TAG}",
        exclude=f"tag:{OUTCOMES_TAG}",
        name="warehouse_base",
        dagster_dbt_translator=translator,
    )
    def warehouse_base(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, pilot_panel: PilotPanel
    ):
        yield from _build(context, dbt, pilot_panel)

    @dbt_assets(
        manifest=manifest,
        select=f"tag:{OUTCOMES_TAG}",
        name="warehouse_outcomes",
        dagster_dbt_translator=translator,
    )
    def warehouse_outcomes(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, pilot_panel: PilotPanel
    ):
        yield from _build(context, dbt, pilot_panel)

    return [warehouse_base, warehouse_outcomes]


def dbt_resource() -> DbtCliResource:
    """The dbt command line of this project."""
    return DbtCliResource(
        project_dir=str(DBT_PROJECT_DIR),
        profiles_dir=str(DBT_PROJECT_DIR),
        dbt_executable=dbt_executable(),
    )
