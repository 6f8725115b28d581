"""Where everything meets: ``build_definitions(overrides)`` makes this code location.

Belongs here: putting assets, checks, jobs, schedules, sensors and resources together. Does not
belong here: any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_project import checks, jobs, schedules, sensors
from dagster_project.assets.estimates import estimate_assets
from dagster_project.assets.outcomes import outcomes
from dagster_project.assets.report import report_assets
from dagster_project.assets.sources import source_assets
from dagster_project.assets.warehouse import dbt_resource, warehouse_assets
from dagster_project.resources import PilotPanel


def build_definitions(overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """All definitions; ``overrides`` replaces resources by name, for tests."""
    from dagster_project.assets.publication import publication_assets

    resources: dict[str, Any] = {"pilot_panel": PilotPanel(), "dbt": dbt_resource()}
    resources.update(overrides or {})
    # The dbt assets come first: they bring the manifest up to date that publication reads.
    warehouse = warehouse_assets()
    return dg.Definitions(
        assets=[
            *source_assets(),
            *warehouse,
            outcomes,
            *publication_assets(),
            *estimate_assets(),
            *report_assets(),
        ],
        asset_checks=[checks.release_checks()],
        jobs=jobs.ALL,
        schedules=schedules.ALL,
        sensors=sensors.ALL,
        resources=resources,
        executor=dg.in_process_executor,
    )


defs = build_definitions()
