"""Jobs: everything, a refresh when files arrived, the estimates alone.

Belongs here: which assets run together. All jobs run in one process, because one process at a time
may write a DuckDB file.
"""

from __future__ import annotations

import dagster as dg

EVERYTHING = "everything"
REFRESH = "refresh"
ESTIMATES = "estimates"

_estimation = dg.AssetSelection.groups("studies", "report")

everything = dg.define_asset_job(
    EVERYTHING,
    selection=dg.AssetSelection.all(),
    description="Landing files to published panel, estimates and report.",
    executor_def=dg.in_process_executor,
)
refresh = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.all() - _estimation,
    description="Landing files to published panel; unchanged files are not read again.",
    executor_def=dg.in_process_executor,
)
estimates = dg.define_asset_job(
    ESTIMATES,
    selection=_estimation,
    description="The studies on the panel that is published, and the report.",
    executor_def=dg.in_process_executor,
)

ALL = [everything, refresh, estimates]
