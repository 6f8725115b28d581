"""Editions as partitions: which editions, years and releases have arrived, and when.

Belongs here: the observed assets ``arrived/<source>`` with their partitions and the yearly rhythm
expected of them. Does not belong here: reading (``sources``).

The raw assets themselves carry no partitions. One in-process run brings every source up to date,
because one process may write the warehouse and because the panel needs all editions at once; with
partitions, Dagster would want one run per edition, and a job that mixes partitioned and
unpartitioned assets could not be started without naming one. So each source has an observed asset
beside it, which no job can run. A run reports a partition there when it has really read it, so its
materialisations are the arrival dates, while those of ``raw/<source>`` only say that the landing
folder was looked at. That is also why the yearly freshness policy stands here.
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pandas as pd

from dagster_project import ingest
from dagster_project.ingest import IngestReport

GROUP = "arrivals"
# Yearbooks, grids and extracts appear once a year, in some years months later than in others.
YEARLY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(days=400), fail_window=timedelta(days=550)
)
# The schedule looks every month; one look missed is a warning, two are a failure.
MONTHLY_LOOK = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(days=33), fail_window=timedelta(days=64)
)


def arrival_key(source: str) -> dg.AssetKey:
    """Key of the observed asset of a source."""
    return dg.AssetKey(["arrived", source])


def editions(source: str) -> dg.DynamicPartitionsDefinition:
    """Editions (yearbook), years (grids) or files (tables) of a source, as they arrived."""
    return dg.DynamicPartitionsDefinition(name=f"{source}_editions")


def arrival_specs() -> list[dg.AssetSpec]:
    """The observed assets; second-hand tables keep no rhythm, so no policy either."""
    return [
        dg.AssetSpec(
            key=arrival_key(source),
            group_name=GROUP,
            kinds={"file"},
            owners=["team:data"],
            description=f"Editions of `{source}` that were read, one partition each, with the time "
            "of arrival. Reported by the run that reads them; nothing to run here.",
            partitions_def=editions(source),
            freshness_policy=None if source.startswith("compiled_") else YEARLY,
        )
        for source in ingest.all_sources()
    ]


def report_arrivals(
    context: dg.AssetExecutionContext, source: str, report: IngestReport, counts: pd.DataFrame
) -> None:
    """Bring the partitions of one source in line with the lake, and report what was read now.

    Parameters
    ----------
    counts
        ``Lake.counts()``. An edition without a single observation (every file refused) has not
        arrived.
    """
    definition, key = editions(source), arrival_key(source)
    name = str(definition.name)
    own = counts[counts["source"] == source]
    rows: dict[str, dict[str, int]] = {"raw": {}, "rejects": {}}
    for record in own.to_dict("records"):
        rows.setdefault(str(record["kind"]), {})[str(record["partition"])] = int(record["rows"])
    arrived = sorted(partition for partition, count in rows["raw"].items() if count)
    instance = context.instance
    for gone in set(instance.get_dynamic_partitions(name)) - set(arrived):
        instance.delete_dynamic_partition(name, gone)
    if arrived:
        instance.add_dynamic_partitions(name, arrived)
    reported = instance.get_materialized_partitions(key)
    for partition in arrived:
        if partition in report.read or partition not in reported:
            context.log_event(
                dg.AssetMaterialization(
                    asset_key=key,
                    partition=partition,
                    metadata={
                        "dagster/partition_row_count": rows["raw"][partition],
                        "rejects": rows["rejects"].get(partition, 0),
                    },
                )
            )
