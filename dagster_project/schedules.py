"""Schedules: a monthly run behind the sensor, in case a file arrived that no event announced."""

from __future__ import annotations

import dagster as dg

from dagster_project.jobs import everything

monthly = dg.ScheduleDefinition(
    name="monthly",
    job=everything,
    cron_schedule="0 3 1 * *",
    execution_timezone="Asia/Shanghai",
    description="At 03:00 on the first of the month. Yearbooks appear once a year, revised grids "
    "and indices at any time; unchanged files cost no second reading.",
)

ALL = [monthly]
