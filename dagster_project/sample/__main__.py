"""Command line of the sample: ``python -m dagster_project.sample --landing DIR [--twin]``.

Belongs here: arguments only. Does not belong here: what is written (``write``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dagster_project.sample.inputs import SampleInputError
from dagster_project.sample.world import DEFAULT_SEED, FIRST_YEAR, LAST_YEAR
from dagster_project.sample.write import SampleWriteError, write_sample


def main(arguments: list[str] | None = None) -> int:
    """Write a sample; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dagster_project.sample", description=__doc__)
    parser.add_argument("--landing", type=Path, required=True, help="folder to write to")
    parser.add_argument("--twin", action="store_true", help="without any policy effect")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--first", type=int, default=FIRST_YEAR, help="first data year")
    parser.add_argument("--last", type=int, default=LAST_YEAR, help="last data year")
    parser.add_argument("--cache", type=Path, default=None, help="folder for polygon coverage")
    given = parser.parse_args(arguments)
    try:
        manifest = write_sample(
            given.landing,
            seed=given.seed,
            years=(given.first, given.last),
            effects=not given.twin,
            cache_dir=given.cache,
            progress=lambda message: print(message, file=sys.stderr),
        )
    except (SampleInputError, SampleWriteError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(manifest['files'])} SYNTHETIC files in {given.landing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
