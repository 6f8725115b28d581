"""Schedules: a monthly run behind the sensor, in case a file arrived that no event announced."""

from __future__ import annotations

import dagster as dg

from dagster_project.jobs import everything
from dagster_project.settings import load_settings

monthly = dg.ScheduleDefinition(
    name="monthly",
    job=everything,
    cron_schedule=load_settings().schedule,
    execution_timezone="Asia/Shanghai",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="At 03:00 on the first of the month, unless set otherwise. Yearbooks appear once a "
    "year, revised grids and indices at any time; unchanged files cost no second reading.",
)

ALL = [monthly]
