"""Worlds shared by the tests of the sample; polygons are cut once and kept in pytest's cache."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from dagster_project.sample.effects import Effects
from dagster_project.sample.inputs import Geography, load_cities, load_geography
from dagster_project.sample.world import World, generate_world


def polygon_cache(config: pytest.Config) -> Path:
    """Kept between runs; one folder per xdist worker, because workers would write the same file."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return Path(config.cache.mkdir(f"sample-{worker}"))  # type: ignore[union-attr]


@cache
def shared_geography(cache_dir: Path) -> Geography:
    return load_geography(load_cities()["city_code"].tolist(), cache_dir=cache_dir)


@cache
def shared_world(cache_dir: Path, *, effects: bool) -> World:
    chosen = Effects() if effects else None
    return generate_world(effects=chosen, geography=shared_geography(cache_dir))
