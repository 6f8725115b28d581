"""Says how many fits are done and how long the rest will take.

Belongs here: counting and the estimate of the time left. Does not belong here: deciding where the
text goes (the caller hands in a function; a terminal gets a tqdm bar besides).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tqdm import tqdm


class Progress:
    """Counts ``total`` steps; ``say`` gets a line each ``every`` seconds, and one at the end."""

    def __init__(
        self, total: int, say: Callable[[str], None] | None, *, every: float = 1.0
    ) -> None:
        self.total = total
        self.done = 0
        self._say = say
        self._every = every
        self._start = self._last = time.monotonic()
        # disable=None: a bar on a terminal only, never in logs.
        self._bar = tqdm(total=total, unit="fit", leave=False, disable=None)

    def step(self) -> None:
        """One more fit is done."""
        self.done += 1
        self._bar.update(1)
        now = time.monotonic()
        if self.done == self.total or now - self._last >= self._every:
            self._last = now
            self._report(now)

    def finish(self) -> None:
        """All fits came back at once."""
        self._bar.update(self.total - self.done)
        self.done = self.total
        self._report(time.monotonic())

    def _report(self, now: float) -> None:
        if self.done >= self.total:
            self._bar.close()
        if self._say is None:
            return
        spent = now - self._start
        left = spent / max(self.done, 1) * (self.total - self.done)
        tail = f"about {duration(left)} left" if self.done < self.total else duration(spent)
        self._say(f"double machine learning: {self.done} of {self.total} fits, {tail}")


def duration(seconds: float) -> str:
    """Seconds as ``12 s``, ``3 min 20 s`` or ``1 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
