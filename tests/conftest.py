"""Fixtures shared by all tests: where the optional real files and reference cases lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _shared() -> Path:
    return Path(os.environ.get("PILOT_PANEL_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder that holds ``cases``, ``facts`` and ``data``; tests that need it skip without it."""
    folder = _shared()
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: set PILOT_PANEL_SHARED to run the reference cases")
    return folder


@pytest.fixture(scope="session")
def cases_dir(shared_dir: Path) -> Path:
    """Reference data sets with authoritative results."""
    folder = shared_dir / "cases"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: reference cases are not there")
    return folder


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Folder of real files (``yearbook``, ``compiled``)."""
    folder = Path(os.environ.get("PILOT_PANEL_REAL_DATA", _shared() / "data"))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: set PILOT_PANEL_REAL_DATA to run on real files")
    return folder
