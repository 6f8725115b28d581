"""Resources handed to assets: the dataset in use and a DuckDB file opened for as short as possible.

Belongs here: opening, locking and closing. Does not belong here: queries or file formats.
"""

import fcntl
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
from dagster._core.storage.event_log import SqliteEventLogStorage

from dagster_project import arrival, ingest
from dagster_project.extract.discover import LandingFile
from dagster_project.lake import write_text
from dagster_project.sample.write import MARKER as SYNTHETIC_MARKER
from dagster_project.settings import Settings, load_settings

_SCANS: dict[tuple[Path, Path], tuple[dict[str, list[int]], list[LandingFile]]] = {}


class MixedDatasetError(Exception):
    """A dataset folder was given files of another kind (synthetic and real would mix)."""


class WarehouseBusyError(Exception):
    """The warehouse file is held by another process for longer than we wait."""


@contextmanager
def exclusive(path: Path, wait_seconds: float, what: str) -> Iterator[None]:
    """Hold a lock file while the block runs; wait a bounded time for another holder.

    Raises
    ------
    WarehouseBusyError
        If another process keeps the lock for longer than ``wait_seconds``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with path.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise WarehouseBusyError(
                        f"{what} is in use by another run since over {wait_seconds:.0f} s. Wait "
                        "until that run has ended, or use another DATA_HOME."
                    ) from None
                time.sleep(0.5)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


@contextmanager
def connect(
    path: Path, *, read_only: bool, wait_seconds: float = 30
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB file, trying again for a bounded time while another process holds it.

    Raises
    ------
    WarehouseBusyError
        If the file stays locked.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            connection = duckdb.connect(
                str(path),
                read_only=read_only,
                config={"autoinstall_known_extensions": "false"},
            )
            break
        except duckdb.IOException as error:
            if "lock" not in str(error).lower() or time.monotonic() >= deadline:
                if "lock" in str(error).lower():
                    raise WarehouseBusyError(
                        f"{path} is open for writing in another process: close it there"
                    ) from error
                raise
            time.sleep(0.5)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def event_log_open(instance: dg.DagsterInstance | None, run_id: str | None) -> Iterator[None]:
    """Keep a connection to the event log's SQLite files while the block runs, idle.

    Dagster opens and closes the files for every event, and SQLite moves its write-ahead log into
    the file whenever the last connection closes: with a thousand events per run, seconds on an
    idle disk and half a minute on a busy one. Any other storage is left alone.
    """
    storage = getattr(instance, "event_log_storage", None)
    connections = []
    if isinstance(storage, SqliteEventLogStorage):
        for shard in filter(None, ("index", run_id)):
            path = Path(storage.path_for_shard(shard))
            if not path.exists():
                with storage.run_connection(shard):
                    pass  # the storage creates its tables
            connection = sqlite3.connect(path, check_same_thread=False)
            # SQLite opens the file with the first question.
            connection.execute("select count(*) from sqlite_master").fetchone()
            connections.append(connection)
    try:
        yield
    finally:
        for connection in connections:
            connection.close()


class PilotPanel(dg.ConfigurableResource):
    """The dataset of this code location. Empty fields come from the environment."""

    data_home: str = ""
    landing: str = ""
    seed: int = 0
    full: bool = False

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["PilotPanel"]:
        """The dataset while a run lasts, with the run's event log held open."""
        with event_log_open(context.instance, context.run_id):
            yield self

    def settings(self) -> Settings:
        """Paths and switches in force."""
        overrides: dict[str, object] = {}
        if self.data_home:
            overrides["data_home"] = self.data_home
        if self.landing:
            overrides["landing"] = self.landing
        if self.seed:
            overrides["seed"] = self.seed
        if self.full:
            overrides["full"] = True
        return load_settings(**overrides)

    def landing_files(self) -> list[LandingFile]:
        """Recognised and unrecognised files of the landing folder; hashes are cached on disk."""
        settings = self.settings()
        place = (settings.landing_dir, settings.cache)
        stand = arrival.look(settings.landing_dir)
        # Every source asks; as long as no file moves, the first answer holds for all of them.
        if place not in _SCANS or _SCANS[place][0] != stand:
            _SCANS[place] = (stand, ingest.scan(settings))
        return list(_SCANS[place][1])

    def is_synthetic(self) -> bool:
        """Whether the landing folder carries the sample's marker."""
        return (self.settings().landing_dir / SYNTHETIC_MARKER).exists()

    def mark_dataset(self, log: Callable[[str], None]) -> None:
        """Note what feeds this dataset, and refuse to mix synthetic and real files in one.

        Raises
        ------
        MixedDatasetError
            If the dataset folder was built from the other kind before.
        """
        settings = self.settings()
        path = settings.data_home / "dataset.json"
        synthetic = self.is_synthetic()
        kind = {"synthetic": synthetic, "landing": str(settings.landing_dir)}
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            if before["synthetic"] != synthetic:
                words = {True: "the synthetic sample", False: "real files"}
                raise MixedDatasetError(
                    f"{settings.data_home} was built from {words[before['synthetic']]}, and "
                    f"{settings.landing_dir} holds {words[synthetic]}. They never mix: "
                    "use another DATA_HOME."
                )
        write_text(path, json.dumps(kind, indent=1))
        if synthetic:
            log("this dataset is SYNTHETIC: its numbers say nothing about China")
