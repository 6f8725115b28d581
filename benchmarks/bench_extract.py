"""Speed of the yearbook reader: a whole edition against pandas with openpyxl.

Belongs here: timing on generated workbooks of real size. Does not belong here: correctness (tests).
The peer only loads the sheets; the reader also checks the files, takes headers and units apart and
accounts for every cell, so the ratio understates what a user gains.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd

from dagster_project.extract import crosswalk
from dagster_project.extract.yearbook import read_edition

TABLES, INDICATORS, SEED, ROUNDS = 24, 4, 7, 3


def write_edition(folder: Path) -> list[Path]:
    """A generated edition (numbers without meaning): 24 workbooks of 297 cities and 8 columns."""
    rng = np.random.default_rng(SEED)
    official = crosswalk.load().official
    cities = [n for c, n in sorted(official.items()) if n.endswith("市") and c != "371200"][:297]
    folder.mkdir(parents=True)
    written = []
    for table in range(1, TABLES + 1):
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.append([f"2-{table} SYNTHETIC 综合资料"])
        sheet.append(["单位：万元"])
        names = [f"指标{'甲乙丙丁'[k]} Indicator" for k in range(INDICATORS)]
        sheet.append(["城 市", "City", *(text for name in names for text in (name, None))])
        sheet.append(
            [None, None, *(["全市 Total City", "市辖区 Districts under City"] * INDICATORS)]
        )
        for k in range(INDICATORS):
            sheet.merge_cells(start_row=3, end_row=3, start_column=3 + 2 * k, end_column=4 + 2 * k)
        for city in cities:
            numbers = np.round(rng.lognormal(8, 1, 2 * INDICATORS), 2).tolist()
            sheet.append([f"  {city}", "  Name", *numbers])
        path = folder / f"2-{table}.xlsx"
        book.save(path)
        written.append(path)
    return written


def yearbook_edition() -> dict[str, Any]:
    """Read one edition; the peer is ``pandas.read_excel`` with openpyxl over the same files."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        folder = root / "yearbook" / "2020"
        paths = write_edition(folder)
        read_edition(folder, relative_to=root)  # load the seeds once, as a run does
        seconds: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(ROUNDS):  # in turns, so that a busy machine slows both
            started = time.perf_counter()
            result = read_edition(folder, relative_to=root)
            seconds["ours"].append(time.perf_counter() - started)
            started = time.perf_counter()
            frames = [
                frame
                for path in paths
                for frame in pd.read_excel(
                    path, sheet_name=None, header=None, engine="openpyxl"
                ).values()
            ]
            seconds["peer"].append(time.perf_counter() - started)
        ours, peer = min(seconds["ours"]), min(seconds["peer"])
        tracemalloc.start()
        read_edition(folder, relative_to=root)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    cells = sum(frame.iloc[4:, 2:].notna().to_numpy().sum() for frame in frames)
    if len(result.observations) != cells:
        raise RuntimeError(f"read {len(result.observations)} of {cells} cells: not comparable")
    return {
        "name": "yearbook: read one edition to observations",
        "size": f"{TABLES} workbooks, {cells:,} cells",
        "ours_s": ours,
        "peer": "pandas.read_excel with openpyxl (sheets only, nothing interpreted)",
        "peer_s": peer,
        "ratio": peer / ours,
        "peak_mb": peak,
    }


BENCHMARKS = [yearbook_edition]
