"""A dataset that is built already against building everything anew: a new edition, and no news.

Belongs here: what the memory of earlier runs saves, in the reading alone and over the whole chain
from landing folder to published panel. Does not belong here: the speed of a reader
(``bench_extract``). The peer is this project itself without memory, because that is what a script
that starts from the files does. Each time is that of a whole process with its imports, so the
ratio of a chain is bounded: a new edition changes nearly every table, and those are built, checked
and written in either case. Data are synthetic. The load of the machine stands beside the size.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dagster_project import ingest
from dagster_project.lake import Lake
from dagster_project.sample.write import write_sample
from dagster_project.settings import PROJECT_ROOT, Settings

YEARS = (2010, 2020)
EDITION = str(YEARS[1] + 1)


def _read_all(landing: Path, data_home: Path) -> tuple[float, int]:
    """Seconds to bring every source of a dataset up to date, and the partitions read for it."""
    settings = Settings(data_home=data_home, landing=landing)
    settings.prepare()
    Lake(settings.lake).prepare()
    started = time.perf_counter()
    files = ingest.scan(settings)
    said: list[str] = []
    read = 0
    for source in ingest.all_sources():
        read += len(ingest.ingest(source, settings, files, said.append).read)
    return time.perf_counter() - started, read


def _publish(landing: Path, data_home: Path) -> float:
    """Seconds of one run from landing folder to published panel, in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"}
    environment |= {
        "PILOT_PANEL_LANDING": str(landing),
        "PILOT_PANEL_DATA_HOME": str(data_home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "dagster_project", "run", "--job", "refresh"],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"the run failed:\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}")
    return seconds


def _row(name: str, size: str, ours: float, peer: float) -> dict[str, Any]:
    kilobytes = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "name": name,
        "size": size,
        "ours_s": ours,
        "peer": "full rebuild",
        "peer_s": peer,
        "ratio": peer / ours,
        "peak_mb": kilobytes / 1024,
    }


def refresh_against_rebuild() -> list[dict[str, Any]]:
    """Drop one edition beside those that are read, then nothing; the peer starts from nothing."""
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        landing, aside = base / "landing", base / "aside"
        write_sample(landing, years=YEARS)
        editions = len(list((landing / "yearbook").iterdir()))
        shutil.move(landing / "yearbook" / EDITION, aside)
        _read_all(landing, base / "read")
        _publish(landing, base / "kept")
        shutil.copytree(aside, landing / "yearbook" / EDITION)
        load = os.getloadavg()[0]
        read_ours, partitions = _read_all(landing, base / "read")
        if partitions != 1:
            raise RuntimeError(f"{partitions} partitions were read; expected the new edition only")
        read_peer, partitions = _read_all(landing, base / "read_anew")
        run_ours = _publish(landing, base / "kept")
        run_peer = _publish(landing, base / "anew")
        same = _release(base / "kept") == _release(base / "anew")
        if not same:
            raise RuntimeError("the refreshed release differs from the rebuilt one")
        idle_ours = _publish(landing, base / "kept")
        load = max(load, os.getloadavg()[0])
    files = (
        f"{editions} editions, {partitions} partitions in all; load {load:.1f} on "
        f"{os.cpu_count()} cores"
    )
    return [
        _row("refresh of one edition: reading", files, read_ours, read_peer),
        _row("refresh of one edition: landing to published panel", files, run_ours, run_peer),
        _row("refresh without news: landing to published panel", files, idle_ours, run_peer),
    ]


def _release(data_home: Path) -> str:
    """Identity of the published panel: the hash of its tables."""
    text = (data_home / "published" / "release.json").read_text(encoding="utf-8")
    return str(json.loads(text)["release"])


BENCHMARKS = [refresh_against_rebuild]
