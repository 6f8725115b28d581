"""Sensors: new or changed landing files start one run of everything.

Belongs here: telling that the landing folder holds another set of files, all of them complete. Does
not belong here: reading them.
"""

import hashlib
import json

import dagster as dg

from dagster_project import ingest
from dagster_project.jobs import everything
from dagster_project.resources import PilotPanel


def _sizes(files: list) -> dict[str, int]:
    return {str(f.path): f.size for f in files}


@dg.sensor(
    job=everything,
    minimum_interval_seconds=30,
    description="Watches the landing folder. Waits until no file grows any more, then starts one "
    "run for the set of files, known by content.",
)
def landing_files(context: dg.SensorEvaluationContext, pilot_panel: PilotPanel):
    """One run per set of contents; a file dropped twice is one set."""
    settings = pilot_panel.settings()
    if not settings.landing_dir.is_dir():
        return dg.SkipReason(f"no landing folder {settings.landing_dir}")
    before = json.loads(context.cursor) if context.cursor else {"sizes": {}, "done": None}
    try:
        files = ingest.scan(settings)
    except ingest.EmptyLandingError as error:
        return dg.SkipReason(str(error))
    sizes = _sizes(files)
    content = sorted((f.source, f.partition, f.sha256) for f in files)
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    cursor = {"sizes": sizes, "done": before["done"]}
    if digest == before["done"]:
        context.update_cursor(json.dumps(cursor))
        return dg.SkipReason(f"{len(files)} files, all of them seen before")
    growing = [path for path, size in sizes.items() if before["sizes"].get(path) != size]
    if growing:
        context.update_cursor(json.dumps(cursor))
        return dg.SkipReason(
            f"{len(growing)} new or growing files; they are taken once their size stands still: "
            + ", ".join(growing[:5])
        )
    cursor["done"] = digest
    context.update_cursor(json.dumps(cursor))
    return dg.RunRequest(run_key=digest)


ALL = [landing_files]
