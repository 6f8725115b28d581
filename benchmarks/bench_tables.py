"""A compiled workbook through its mapping against pandas with openpyxl and a melt.

Belongs here: rows of the benchmark for compiled tables. Does not belong here: correctness, which
the tests own. The workbook is SYNTHETIC.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd

from dagster_project.extract.table_mapping import load_mappings
from dagster_project.extract.tables import read_table


def compiled_workbook() -> dict:
    """8,000 city-years with three value columns, as the compiled panels have."""
    rng = np.random.default_rng(3)
    n = 8000
    frame = pd.DataFrame(
        {
            "年份": 2000 + np.arange(n) % 24,
            "省份": "河北省",
            "城市": "石家庄市",
            "城市代码": 130100,
            "地区生产总值(万元)": rng.gamma(2, 1e6, n),
            "年末金融机构各项贷款余额(万元)": rng.gamma(2, 1e6, n),
            "年末金融机构存款余额(万元)": rng.gamma(2, 1e6, n),
        }
    )
    with tempfile.TemporaryDirectory() as name:
        landing = Path(name)
        path = landing / "compiled" / "SYNTHETIC_金融发展水平.xlsx"
        path.parent.mkdir()
        frame.to_excel(path, index=False, sheet_name="Sheet1")
        mapping = load_mappings()["compiled_finance"]

        def ours() -> int:
            return len(read_table(path, mapping, relative_to=landing).observations)

        def theirs() -> int:
            read = pd.read_excel(path, engine="openpyxl")
            return len(read.melt(id_vars=["年份", "省份", "城市", "城市代码"]).dropna())

        seconds = {}
        for label, call in (("ours", ours), ("peer", theirs)):
            start = time.perf_counter()
            assert call() == 3 * n
            seconds[label] = time.perf_counter() - start
        tracemalloc.start()
        ours()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    return {
        "name": "compiled workbook to observations with cell addresses and rejects",
        "size": f"{n} rows, {3 * n} cells",
        "ours_s": seconds["ours"],
        "peer": "pandas + openpyxl + melt",
        "peer_s": seconds["peer"],
        "ratio": seconds["peer"] / seconds["ours"],
        "peak_mb": peak,
    }


BENCHMARKS = [compiled_workbook]
