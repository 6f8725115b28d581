"""The commands behind the Makefile: ``run``, ``ui``, ``sql``.

Belongs here: starting a job in this process, the UI, or a prompt, and saying in plain words what
came of it. Does not belong here: any step of the work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.settings import PROJECT_ROOT, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd

_INSTANCE_YAML = """\
telemetry:
  enabled: false
run_monitoring:
  enabled: true
run_queue:
  max_concurrent_runs: 1
"""


def prepare_instance(settings: Settings) -> None:
    """Create the dataset's Dagster home; its settings: no telemetry, one run at a time."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(_INSTANCE_YAML, encoding="utf-8")


def _say(text: str = "") -> None:
    print(text, flush=True)


def run(job_name: str) -> int:
    """Run a job in this process. Returns the exit code."""
    settings = load_settings()
    settings.prepare()
    if settings.rebuild and job_name != "estimates":
        _forget(settings)
    if job_name != "estimates":
        kind = "the SYNTHETIC sample" if settings.uses_sample else str(settings.landing_dir)
        _say(f"Pilot Panel: job {job_name} on {kind}; results go to {settings.data_home}")
    prepare_instance(settings)
    import dagster as dg

    from dagster_project.definitions import defs
    from dagster_project.resources import event_log_open

    started = time.monotonic()
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.get() as instance, event_log_open(instance, run_id):
        result = defs.resolve_job_def(job_name).execute_in_process(
            instance=instance,
            run_id=run_id,
            raise_on_error=False,
            # Our own lines only; every event is in the UI.
            run_config={"loggers": {"console": {"config": {"log_level": "INFO"}}}},
        )
        seconds = time.monotonic() - started
        if not result.success:
            _failed(result)
            return 1
        _slowest(instance, result.run_id, seconds)
    _summary(settings)
    return 0


def _forget(settings: Settings) -> None:
    """Take away what vouches for warehouse, outcomes, checks and release, so that all are made
    anew from the lake.
    """
    from dagster_project import gates
    from dagster_project.warehouse_state import WarehouseState

    WarehouseState.load(settings).forget()
    gates.record_path(settings).unlink(missing_ok=True)
    (settings.lake / "derived" / "outcomes.json").unlink(missing_ok=True)
    _say("REBUILD: warehouse, computed outcomes, checks and release are made anew")


def _failed(result: dg.ExecuteInProcessResult) -> None:
    """What failed, in plain words; the full story is in the UI."""
    _say("\nThe run did not finish. The last published release, if any, is unchanged.")
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            _say(f"\n{event.step_key}:\n{error.message.strip() if error else event.message}")
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if check.blocking and not check.passed:
                _say(f"\nrule {check.check_name}: {check.description}")


def _slowest(instance: dg.DagsterInstance, run_id: str, seconds: float) -> None:
    spent = [
        (step.end_time - step.start_time, step.step_key)
        for step in instance.get_run_step_stats(run_id)
        if step.start_time and step.end_time
    ]
    _say(f"\nDone in {seconds:.0f} s. The slowest steps:")
    for value, key in sorted(spent, reverse=True)[:5]:
        _say(f"  {value:6.1f} s  {key}")


def _summary(settings: Settings) -> None:
    import pandas as pd

    from dagster_project.release import read_release

    release = read_release(settings)
    if release is None:
        return
    _say()
    if release["synthetic"]:
        _say("*** THE DATA IS SYNTHETIC: the numbers below were invented to show the software. ***")
    _say(f"Release {release['release']}: {release['rows']['city_year']:,} city-years")
    failed = [r for r in release["gates"]["rules"] if r["status"] == "failed"]
    for rule in failed:
        _say(f"  warning: {rule['rule']}: {rule['message'][:200]}")
    estimates = pd.read_parquet(settings.published / "parquet" / "estimates.parquet")
    if len(estimates):
        shown = _headline(estimates)
        _say("\nBaseline estimates (the published value beside each):")
        _say(shown.to_string(index=False, na_rep="", float_format=lambda v: f"{v:.4f}"))
        status = estimates.drop_duplicates(["study", "exhibit", "column_id"])["status"]
        counts = status.value_counts()
        _say(
            f"\n{counts.get('ok', 0)} columns estimated, {counts.get('data_missing', 0)} without "
            f"data, {counts.get('failed', 0)} refused, {counts.get('not_run', 0)} left to FULL=1"
        )
    _say(f"\nPanel:   {settings.published}/panel.duckdb  (also parquet/ and csv/)")
    _say(f"Report:  {settings.results}/report/index.html")
    _say(f"Gates:   {settings.results}/gates/data_docs/index.html")
    _say(f"SQL:     make sql DATA_HOME={settings.data_home}")
    _say(f"UI:      make ui DATA_HOME={settings.data_home}")


def _headline(estimates: pd.DataFrame) -> pd.DataFrame:
    """The treatment rows of the columns that each study is known for."""
    from estimation.studies import spec

    wanted = {
        (study.study, exhibit.id, column.id): study.model(exhibit, column).treatment
        for study in spec.shipped().values()
        for exhibit, column in study.spine_columns()
    }
    keep = [
        row.term in wanted.get((str(row.study), str(row.exhibit), str(row.column_id)), ())
        for row in estimates.itertuples()
    ]
    columns = [
        "study",
        "exhibit",
        "column_id",
        "term",
        "estimate",
        "std_error",
        "ci_low",
        "ci_high",
        "n_obs",
        "published_estimate",
        "published_n_obs",
        "status",
    ]
    return estimates.loc[keep, columns]


def ui(port: int) -> int:
    """Start the Dagster UI and daemon on 127.0.0.1 and wait for them."""
    settings = load_settings()
    settings.prepare()
    prepare_instance(settings)
    _say(f"Dagster UI of {settings.data_home}: http://127.0.0.1:{port}  (Ctrl-C ends it)")
    command = [
        str(Path(sys.executable).with_name("dagster")),
        "dev",
        "-w",
        str(PROJECT_ROOT / "workspace.yaml"),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    return subprocess.call(command, cwd=PROJECT_ROOT)


def sql(query: str | None) -> int:
    """A SQL prompt on the published panel, read-only; or one query."""
    from dagster_project.prompt import prompt

    return prompt(load_settings(), query)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; settings errors end in one line."""
    parser = argparse.ArgumentParser(prog="python -m dagster_project", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="run a job in this process")
    runner.add_argument(
        "--job", default="everything", choices=["everything", "refresh", "estimates"]
    )
    server = commands.add_parser("ui", help="Dagster UI on 127.0.0.1")
    server.add_argument("--port", type=int, default=3000)
    shell = commands.add_parser("sql", help="SQL on the published panel")
    shell.add_argument("query", nargs="?")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "run":
            return run(chosen.job)
        if chosen.command == "ui":
            return ui(chosen.port)
        return sql(chosen.query)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
