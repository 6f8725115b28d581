"""Runs every benchmark and writes one table and one JSON file.

Each module ``bench_<room>`` holds a list ``BENCHMARKS`` of functions, each returning
``{name, size, ours_s, peer, peer_s, ratio, peak_mb}`` (or a list of such rows); the ratio is the
peer's time over ours.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys

import pandas as pd

import benchmarks
from dagster_project.lake import write_text
from dagster_project.settings import load_settings

COLUMNS = ["name", "size", "ours_s", "peer", "peer_s", "ratio", "peak_mb"]


def main(chosen: list[str]) -> int:
    """Run the benchmarks whose module name contains one of ``chosen`` (all, if empty)."""
    rows: list[dict] = []
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("bench_"):
            continue
        if chosen and not any(word in module.name for word in chosen):
            continue
        for function in importlib.import_module(f"benchmarks.{module.name}").BENCHMARKS:
            print(f"{module.name}: {function.__name__} ...", flush=True)
            found = function()
            rows += found if isinstance(found, list) else [found]
    if not rows:
        print(f"no benchmark matches {chosen}", file=sys.stderr)
        return 2
    table = pd.DataFrame(rows)[COLUMNS]
    print(table.to_string(index=False, float_format=lambda v: f"{v:.4g}"))
    settings = load_settings()
    settings.prepare()
    path = settings.data_home / "bench.json"
    # What has no peer has no number: null, because NaN is no JSON.
    records = [
        {key: None if pd.isna(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
    write_text(path, json.dumps(records, indent=1, default=float))
    print(f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
