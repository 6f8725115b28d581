"""Sensors: new, re-issued or withdrawn landing files start one run of everything.

Belongs here: asking ``arrival`` what lies in the landing folder, and telling Dagster. Does not
belong here: that judgement itself, or reading the files.
"""

from __future__ import annotations

import dagster as dg

from dagster_project import arrival, background, ingest
from dagster_project.assets.arrivals import editions
from dagster_project.extract.discover import UNRECOGNISED, LandingFile
from dagster_project.extract.schema import ExtractError
from dagster_project.jobs import everything
from dagster_project.resources import PilotPanel
from dagster_project.settings import load_settings

# How long a tick waits for the content of files; Dagster ends it after 60 s.
WAIT_SECONDS = 20.0
_RUN_KEY = "dagster/run_key"
_TAKES = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUCCESS,
)


def _taken_by_hand(instance: dg.DagsterInstance, digest: str) -> str | None:
    """Run that has taken, or is taking, this very set of files; ``make run`` is such a run."""
    event = instance.get_latest_materialization_event(dg.AssetKey(["landing"]))
    if event is None or event.asset_materialization is None:
        return None
    value = event.asset_materialization.metadata.get("content")
    run = instance.get_run_by_id(event.run_id)
    if value is None or value.value != digest or run is None or run.status not in _TAKES:
        return None
    return event.run_id


def _died(instance: dg.DagsterInstance, run_key: str) -> str | None:
    """The run of this key if its process died: it failed, and no step of it did.

    A run that failed by itself would fail again, so it is left to people.
    """
    runs = instance.get_runs(dg.RunsFilter(tags={_RUN_KEY: run_key}), limit=1)
    if not runs or runs[0].status != dg.DagsterRunStatus.FAILURE:
        return None
    return runs[0].run_id if instance.get_run_stats(runs[0].run_id).steps_failed == 0 else None


def _new_editions(instance: dg.DagsterInstance, files: list[LandingFile]) -> list:
    """Requests that add the partitions of files that no partition stands for yet."""
    found: dict[str, set[str]] = {}
    for file in files:
        if file.source != UNRECOGNISED:
            found.setdefault(file.source, set()).add(file.partition)
    requests = []
    for source, names in sorted(found.items()):
        definition = editions(source)
        new = sorted(names - set(instance.get_dynamic_partitions(str(definition.name))))
        if new:
            requests.append(definition.build_add_request(new))
    return requests


@dg.sensor(
    job=everything,
    minimum_interval_seconds=load_settings().look_every_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches the landing folder. Waits until no file changes any more, then starts one "
    "run for the set of new, re-issued and withdrawn files, known by content. Says what it leaves "
    "aside, and why.",
)
def landing_files(
    context: dg.SensorEvaluationContext, pilot_panel: PilotPanel
) -> dg.SensorResult | dg.SkipReason:
    """One run per set of contents; a copy of a file that is there already starts none."""
    settings = pilot_panel.settings()
    landing = settings.landing_dir
    if not landing.is_dir():
        return dg.SkipReason(f"no landing folder {landing}: create it, and drop files there")
    memory = arrival.Memory.from_cursor(context.cursor)
    now = arrival.look(landing)
    moving = arrival.moving(memory.stand, now)
    memory.stand = now
    # Nothing is opened before the folder has stood still from one look to the next.
    if moving:
        return dg.SensorResult(
            cursor=memory.to_cursor(),
            skip_reason=f"{len(moving)} files changed since the last look; they are taken once "
            f"they stand still: {arrival.shown(moving)}",
        )
    try:
        files = background.scan(settings, now, WAIT_SECONDS)
    except (ingest.EmptyLandingError, ExtractError) as error:
        return dg.SkipReason(str(error))
    if files is None:
        size = sum(size for size, _ in now.values())
        largest = sorted(now, key=lambda path: (-now[path][0], path))
        return dg.SkipReason(
            f"still reading {len(now)} files ({size / 1e9:.1f} GB) for their content, for "
            f"{background.seconds_so_far(settings):.0f} s now; the run starts when all are known. "
            f"The largest: {arrival.shown(largest)}"
        )
    found = arrival.content(landing, files)
    aside = arrival.skipped(landing, files)
    note = f"; left aside: {arrival.shown(aside, '; ')}" if aside else ""
    digest = arrival.digest(found)
    changed = arrival.changes(memory.taken, found)
    died = None
    if found == memory.taken:
        died = _died(context.instance, f"{digest}-{memory.runs}")
        if died is None:
            return dg.SkipReason(f"{len(found)} files, all of them taken before{note}")
        context.log.warning(f"run {died} was killed; the same files are taken again")
    for line in aside:
        context.log.info(f"left aside: {line}")
    memory.taken = found
    by_hand = None if died else _taken_by_hand(context.instance, digest)
    if by_hand is not None:
        return dg.SensorResult(
            cursor=memory.to_cursor(),
            skip_reason=f"{len(found)} files, all of them taken by run {by_hand}{note}",
        )
    memory.runs += 1
    tags = {f"pilot_panel/{kind}": arrival.shown(paths) for kind, paths in changed.items()}
    for kind, paths in changed.items():
        context.log.info(f"{len(paths)} {kind}: {arrival.shown(paths)}")
    return dg.SensorResult(
        cursor=memory.to_cursor(),
        run_requests=[dg.RunRequest(run_key=f"{digest}-{memory.runs}", tags=tags)],
        dynamic_partitions_requests=_new_editions(context.instance, files),
    )


ALL = [landing_files]
