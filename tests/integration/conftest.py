"""A small dataset, built once per test session, shared by all workers, copied where needed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Not all years, to keep the suite quick; real GDP of study B is chained from 2004.
YEARS = (2004, 2018)


@dataclass(frozen=True)
class Dataset:
    """A landing folder and the dataset built from it."""

    landing: Path
    data_home: Path

    def environment(self) -> dict[str, str]:
        """Environment of a process that works on this dataset."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PILOT_PANEL_")}
        inherited.pop("DAGSTER_HOME", None)
        return {
            **inherited,
            "PILOT_PANEL_DATA_HOME": str(self.data_home),
            "PILOT_PANEL_LANDING": str(self.landing),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def command(self, *arguments: str) -> list[str]:
        """The command line of the project with these arguments."""
        return [sys.executable, "-m", "dagster_project", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the project on this dataset and wait for it."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def published(self) -> Path:
        return self.data_home / "published"


@pytest.fixture(scope="session")
def built_dataset(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Dataset:
    """The dataset after one full run; treat it as read-only."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "dataset"
    with (shared / "dataset.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        dataset = Dataset(folder / "landing", folder / "data")
        if not (folder / "done").exists():
            from dagster_project.sample.write import write_sample

            write_sample(dataset.landing, years=YEARS)
            result = dataset.run("run")
            (folder / "log.txt").write_text(result.stdout + result.stderr)
            assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
            (folder / "stdout.txt").write_text(result.stdout)
            (folder / "done").touch()
    return dataset


@pytest.fixture
def own_dataset(built_dataset: Dataset, tmp_path: Path) -> Dataset:
    """A copy of the built dataset that a test may change."""
    copy = Dataset(tmp_path / "landing", tmp_path / "data")
    shutil.copytree(built_dataset.landing, copy.landing)
    shutil.copytree(built_dataset.data_home, copy.data_home, symlinks=True)
    return copy
