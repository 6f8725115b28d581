"""Paths and switches, typed, read from the environment in this one place.

Belongs here: where a dataset lies, what its parts are called, and the switches of a run. Does not
belong here: reading or writing any of it.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

import joblib
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parents[1]
DBT_PROJECT_DIR = PROJECT_ROOT / "dbt"
SEEDS_DIR = DBT_PROJECT_DIR / "seeds"


class SettingsError(Exception):
    """A setting that cannot be used; the message says which and what to do."""


class Settings(BaseSettings):
    """One dataset and the switches of a run; every field can be set as ``PILOT_PANEL_<FIELD>``.

    ``landing`` left empty means the synthetic sample, which is written into the dataset itself.
    """

    model_config = SettingsConfigDict(env_prefix="PILOT_PANEL_", frozen=True, extra="ignore")

    data_home: Path = Field(default=PROJECT_ROOT / "data" / "sample")
    landing: Path | None = None
    boundaries: Path | None = None
    population: Path | None = None  # grid of persons per cell, for weighted PM2.5
    seed: int = 20240101
    # Fits at a time; the digits do not depend on it.
    workers: int = Field(default_factory=joblib.cpu_count, ge=1)
    full: bool = False
    rebuild: bool = False  # forget what the warehouse, its checks and its outcomes rest on
    keep_releases: int = Field(default=3, ge=1)
    look_every_seconds: int = Field(default=30, ge=1)  # how often the sensor looks at landing/
    schedule: str = "0 3 1 * *"  # cron, Asia/Shanghai: the run that needs no event
    # Roster rows less certain than this count as not listed.
    min_confidence: Literal["verified", "from-memory", "uncertain"] = "uncertain"

    @field_validator("data_home", "landing", "boundaries", "population", mode="before")
    @classmethod
    def _absolute(cls, value: object) -> object:
        if value is None or str(value).strip() == "":
            return None
        return Path(str(value)).expanduser().absolute()

    @field_validator("min_confidence", mode="before")
    @classmethod
    def _blank_is_all(cls, value: object) -> object:
        return "uncertain" if value in (None, "") else value

    @field_validator("full", "rebuild", mode="before")
    @classmethod
    def _blank_is_no(cls, value: object) -> object:
        return False if value in (None, "") else value

    @property
    def uses_sample(self) -> bool:
        """Whether this dataset is fed by the synthetic sample."""
        return self.landing is None

    @property
    def landing_dir(self) -> Path:
        """Where source files are read from."""
        return self.landing if self.landing is not None else self.data_home / "landing"

    @cached_property
    def lake(self) -> Path:
        """Parquet as read: ``raw``, ``rejects``, ``files``, ``derived``."""
        return self.data_home / "lake"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that dbt builds; one writer, rebuilt at will."""
        return self.data_home / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """What people read: a link to the current release folder."""
        return self.data_home / "published"

    @property
    def releases(self) -> Path:
        """Release folders; ``published`` points at one of them."""
        return self.data_home / "releases"

    @property
    def results(self) -> Path:
        """Estimates, figures and the report."""
        return self.data_home / "results"

    @property
    def cache(self) -> Path:
        """Things that can be computed again: coverage matrices, file hashes, nuisance fits."""
        return self.data_home / "cache"

    @property
    def dagster_home(self) -> Path:
        """Run history, schedules and sensors of this dataset."""
        return Path(os.environ.get("DAGSTER_HOME") or self.data_home / "dagster_home")

    def prepare(self) -> None:
        """Create the dataset's folder and see that it can be written.

        Raises
        ------
        SettingsError
            If the place cannot be created or written, or the landing folder or a file named by a
            setting does not exist.
        """
        if self.landing is not None and not self.landing.is_dir():
            raise SettingsError(
                f"LANDING={self.landing} is not a folder. Give the folder that holds yearbook/, "
                "edgar/, pm25/, patents/, tables/ or compiled/."
            )
        for name in ("boundaries", "population"):
            path = getattr(self, name)
            if path is not None and not path.exists():
                raise SettingsError(
                    f"PILOT_PANEL_{name.upper()}={path} does not exist. Give the file's place, or "
                    "leave the setting empty."
                )
        try:
            self.data_home.mkdir(parents=True, exist_ok=True)
            probe = self.data_home / f".write-probe-{os.getpid()}"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise SettingsError(
                f"DATA_HOME={self.data_home} cannot be written ({error.strerror}). "
                "Choose another folder with DATA_HOME=..., or correct its permissions."
            ) from error


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with overrides for tests.

    Raises
    ------
    SettingsError
        If a value does not fit; the message names the variable.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValueError as error:
        raise SettingsError(f"settings (environment variables PILOT_PANEL_*): {error}") from error
