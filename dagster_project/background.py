"""Looking at the landing folder for longer than one tick of the sensor may last.

Belongs here: the scan in a thread of its own, and asking for its result. Does not belong here: the
scan itself (``ingest``) or what a result means (``arrival``). The first look at a folder reads
every file for its hash; Dagster ends a tick after 60 s, and grids of many years take longer than
that. Sensors run in the code server, which lives on between ticks.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from dagster_project import ingest
from dagster_project.extract.discover import LandingFile
from dagster_project.settings import Settings

Stand = dict[str, list[int]]  # size and modification time of every file, by path


class _Look:
    """One scan of one folder as it stood."""

    def __init__(self, settings: Settings, stand: Stand) -> None:
        self.stand = stand
        self.started = time.monotonic()
        self.files: list[LandingFile] | None = None
        self.error: Exception | None = None
        # A daemon thread does not keep a code server from ending.
        self.thread = threading.Thread(target=self._scan, args=(settings,), daemon=True)
        self.thread.start()

    def _scan(self, settings: Settings) -> None:
        try:
            self.files = ingest.scan(settings)
        except Exception as error:  # noqa: BLE001  # whatever it is, the tick that asks raises it
            self.error = error


_LOOKS: dict[tuple[Path, Path], _Look] = {}
_LOCK = threading.Lock()


def scan(settings: Settings, stand: Stand, wait_seconds: float) -> list[LandingFile] | None:
    """Files of the landing folder as it stands, or None if it takes longer than ``wait_seconds``.

    Ask again later: the scan goes on. What it has hashed is kept on disk, so that a scan of files
    that are known is quick.

    Raises
    ------
    EmptyLandingError, ExtractError
        As :func:`dagster_project.ingest.scan`.
    """
    place = (settings.landing_dir, settings.cache)
    until = time.monotonic() + wait_seconds
    with _LOCK:
        look = _LOOKS.get(place)
        if look is None or (look.stand != stand and not look.thread.is_alive()):
            look = _LOOKS[place] = _Look(settings, stand)
    look.thread.join(max(until - time.monotonic(), 0.0))
    if look.thread.is_alive() or look.stand != stand:
        return None
    if look.error is not None:
        with _LOCK:
            _LOOKS.pop(place, None)
        raise look.error
    return look.files


def seconds_so_far(settings: Settings) -> float:
    """How long the scan under way has taken, 0 if there is none."""
    look = _LOOKS.get((settings.landing_dir, settings.cache))
    return time.monotonic() - look.started if look and look.thread.is_alive() else 0.0
