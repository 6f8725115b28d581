"""Stage 2: dbt builds the warehouse from the lake, before and after the computed outcomes.

Belongs here: the two dbt asset groups and what the UI shows of them. Does not belong here: SQL
(``dbt``) or how dbt is called (``dbt_project``).
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DbtCliResource, dbt_assets

from dagster_project.dbt_project import (
    BASE_TAG,
    OUTCOMES_TAG,
    LocalDbt,
    PanelTranslator,
    build_arguments,
    dbt_environment,
    dbt_executable,
    ensure_manifest,
    heal_warehouse,
    prepare_lake,
)
from dagster_project.dbt_stage import Stage
from dagster_project.resources import PilotPanel, connect, exclusive
from dagster_project.settings import DBT_PROJECT_DIR, load_settings
from dagster_project.warehouse_state import (
    Built,
    WarehouseState,
    lake_fingerprints,
    node_fingerprints,
    project_fingerprint,
)
from expectations.runner import load_great_expectations

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


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))


def _with_table_metadata(
    event: Any, manifest: Mapping[str, Any], connection: duckdb.DuckDBPyConnection
) -> Any:
    """The event with row count and preview of the table it reports.

    Other events are unchanged, and so are those of views: counting would run their query again.
    """
    if not isinstance(event, dg.Output):
        return event
    metadata = dict(event.metadata or {})
    node = manifest["nodes"][_text(metadata["unique_id"])]
    if node["config"]["materialized"] not in ("table", "seed"):
        return event
    relation = ".".join('"' + node[part].replace('"', '""') + '"' for part in ("schema", "alias"))
    rows = connection.execute(f"select count(*) from {relation}").fetchone()
    frame = connection.execute(f"select * from {relation} limit {_PREVIEW_ROWS}").df()
    metadata["dagster/row_count"] = dg.MetadataValue.int(int(rows[0]) if rows else 0)
    metadata["preview"] = dg.MetadataValue.md(
        frame.iloc[:, :_PREVIEW_COLUMNS].to_markdown(index=False)
    )
    return event.with_metadata(metadata)


def _remember(state: WarehouseState, event: Any, fingerprints: Mapping[str, str], run: str) -> None:
    """Note what an event says of a node, so that a later run can say it of a node it keeps."""
    metadata = dict(event.metadata or {})
    unique_id = _text(metadata.get("unique_id", ""))
    if unique_id not in fingerprints:
        return
    built = Built(fingerprints[unique_id], run)
    if isinstance(event, dg.Output):
        rows = metadata.get("dagster/row_count")
        built = Built(
            built.fingerprint,
            run,
            rows=None if rows is None else int(_text(rows)),
            preview=_text(metadata.get("preview", "")),
        )
    elif isinstance(event, dg.AssetCheckResult) and event.asset_key and event.check_name:
        built = Built(
            built.fingerprint,
            run,
            passed=bool(event.passed),
            severity=event.severity.value,
            check=[*event.asset_key.path, event.check_name],
        )
    state.nodes[unique_id] = built


def _kept(
    context: dg.AssetExecutionContext, stage: Stage, state: WarehouseState, nodes: set[str]
) -> Iterator[Any]:
    """The events of nodes that are as they would be built now; each says since when."""
    for unique_id, key in stage.keys.items():
        if unique_id not in nodes:
            continue
        built = state.nodes[unique_id]
        metadata: dict[str, Any] = {"status": f"unchanged since run {built.since}, not built again"}
        if built.rows is not None:
            metadata["dagster/row_count"] = dg.MetadataValue.int(built.rows)
            metadata["preview"] = dg.MetadataValue.md(built.preview)
        yield dg.Output(None, output_name=key.to_python_identifier(), metadata=metadata)
    selected = context.selected_asset_check_keys
    for unique_id in sorted(stage.tests & nodes):
        built = state.nodes[unique_id]
        if not built.check:
            continue
        check = dg.AssetCheckKey(dg.AssetKey(built.check[:-1]), built.check[-1])
        if check in selected:
            yield dg.AssetCheckResult(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=bool(built.passed),
                severity=dg.AssetCheckSeverity(built.severity),
                metadata={"status": f"table unchanged since run {built.since}, not tested again"},
            )


def _build(
    context: dg.AssetExecutionContext,
    dbt: DbtCliResource,
    pilot_panel: PilotPanel,
    stage: Stage,
) -> Iterator[Any]:
    settings = pilot_panel.settings()
    prepare_lake(settings)
    variables = {"min_confidence": settings.min_confidence}
    # dbt keeps what it has parsed in its target, with the place of the project in it; both steps
    # use it.
    place = hashlib.sha256(str(DBT_PROJECT_DIR).encode()).hexdigest()[:8]
    target = settings.cache / "dbt_target" / place
    lock = settings.warehouse.with_suffix(".lock")
    with exclusive(lock, 600, f"the warehouse of {settings.data_home}"):
        # Taken before dbt reads: what changes meanwhile is news to the next run.
        fingerprints = node_fingerprints(
            stage.manifest,
            project_fingerprint(settings, variables),
            lake_fingerprints(settings.lake, stage.manifest),
        )
        own = {name: fingerprints[name] for name in stage.nodes}
        state = WarehouseState.load(settings)
        # Whoever materialises a table by hand wants it built.
        kept = set() if context.is_subset else state.unchanged(own)
        due = stage.nodes - kept
        if kept:
            runs = ", ".join(sorted({state.nodes[name].since for name in kept}))
            context.log.info(
                f"{len(kept)} of {len(own)} tables and tests rest on nothing new: kept as built "
                f"by run {runs}"
            )
            yield from _kept(context, stage, state, kept)
        if not due:
            return
        state.forget()
        healed = heal_warehouse(settings)
        if healed:
            context.log.warning(healed)
        arguments = build_arguments(variables=variables)
        if not context.is_subset:
            arguments += stage.selection(due)
        # Heavy and needed next; dbt works in a process of its own meanwhile.
        threading.Thread(target=load_great_expectations, daemon=True).start()
        with environment(dbt_environment(settings)):
            # All events are collected before any is passed on: row counts and previews need the
            # file, which dbt holds until it has ended.
            if context.is_subset:
                call = dbt.cli(arguments, context=context, target_path=target)
            else:
                call = dbt.cli(
                    arguments,
                    manifest=stage.manifest,
                    dagster_dbt_translator=PanelTranslator(),
                    target_path=target,
                )
            events = [
                event
                for message in call.stream_raw_events()
                for event in message.to_default_asset_events(
                    manifest=call.manifest,
                    dagster_dbt_translator=call.dagster_dbt_translator,
                    context=context,
                    target_path=call.target_path,
                )
            ]
        with connect(settings.warehouse, read_only=True) as connection:
            events = [_with_table_metadata(e, stage.manifest, connection) for e in events]
        if not context.is_subset:
            state.nodes = {n: b for n, b in state.nodes.items() if n in fingerprints}
            for event in events:
                _remember(state, event, own, context.run.run_id)
            state.save(settings)
    yield from events


def warehouse_assets() -> list[dg.AssetsDefinition]:
    """The dbt assets: everything before the outcomes, and everything that rests on them."""
    path = ensure_manifest(load_settings())
    manifest = json.loads(path.read_text(encoding="utf-8"))
    translator = PanelTranslator()
    early, late = f"tag:{BASE_TAG}", f"tag:{OUTCOMES_TAG}"

    @dbt_assets(
        manifest=manifest,
        select=early,
        exclude=late,
        name="warehouse_base",
        dagster_dbt_translator=translator,
    )
    def warehouse_base(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, pilot_panel: PilotPanel
    ):
        yield from _build(context, dbt, pilot_panel, base)

    @dbt_assets(
        manifest=manifest,
        select=late,
        name="warehouse_outcomes",
        dagster_dbt_translator=translator,
    )
    def warehouse_outcomes(
        context: dg.AssetExecutionContext, dbt: DbtCliResource, pilot_panel: PilotPanel
    ):
        yield from _build(context, dbt, pilot_panel, rest)

    base = Stage.of(manifest, translator, warehouse_base.keys, set(), select=early, exclude=late)
    rest = Stage.of(manifest, translator, warehouse_outcomes.keys, set(base.keys), select=late)
    return [warehouse_base, warehouse_outcomes]


def dbt_resource() -> DbtCliResource:
    """The dbt command line of this project."""
    return LocalDbt(
        project_dir=str(DBT_PROJECT_DIR),
        profiles_dir=str(DBT_PROJECT_DIR),
        dbt_executable=dbt_executable(),
    )
