"""The lake: one Parquet per source partition, written to a temporary name and moved into place.

Belongs here: writing, listing and forgetting partitions, and knowing which are up to date. Does
not belong here: reading source files (``extract``) or SQL (``dbt``).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from dagster_project.extract.schema import (
    FILE_SCHEMA,
    OBSERVATION_SCHEMA,
    REJECT_SCHEMA,
    ExtractResult,
    to_table,
)

KINDS = {"raw": OBSERVATION_SCHEMA, "rejects": REJECT_SCHEMA, "files": FILE_SCHEMA}
_FINGERPRINT_KEY = b"pilot_panel_fingerprint"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path``; move it into place only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file in one step, so that a killed run leaves the old one."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a DataFrame as Parquet in one step."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False)


@dataclass(frozen=True)
class Lake:
    """The lake of one dataset, below ``root``."""

    root: Path

    def path(self, kind: str, source: str, partition: str) -> Path:
        """Where a partition of ``kind`` (raw, rejects, files) lies."""
        return self.root / kind / source / f"{partition}.parquet"

    def prepare(self) -> None:
        """Create the folders, empty tables of each kind, and drop what a killed run left."""
        for leftover in self.root.glob("**/.*.tmp"):
            leftover.unlink(missing_ok=True)
        for kind, schema in KINDS.items():
            path = self.path(kind, "_empty", "_empty")
            # also when the kind has got a column since: one shape for all files of a kind
            if not path.exists() or pq.read_schema(path).names != schema.names:
                with replacing(path) as temporary:
                    pq.write_table(schema.empty_table(), temporary)

    def write(self, source: str, partition: str, result: ExtractResult, fingerprint: str) -> None:
        """Store one partition; the observations come last and carry the fingerprint.

        A run killed between the files leaves the old observations with the old fingerprint, so
        the next run reads the partition again.
        """
        frames = {
            "rejects": result.rejects,
            "files": result.files,
            "raw": result.observations,
        }
        for kind, frame in frames.items():
            table = to_table(frame, KINDS[kind])
            table = table.replace_schema_metadata({_FINGERPRINT_KEY: fingerprint.encode()})
            with replacing(self.path(kind, source, partition)) as temporary:
                pq.write_table(table, temporary, compression="zstd")

    def fingerprint(self, source: str, partition: str) -> str | None:
        """What the stored partition was made of, or None if it is not complete."""
        found = set()
        for kind in KINDS:
            path = self.path(kind, source, partition)
            if not path.exists():
                return None
            metadata = pq.read_schema(path).metadata or {}
            found.add(metadata.get(_FINGERPRINT_KEY, b"").decode())
        return found.pop() if len(found) == 1 else None

    def partitions(self, source: str) -> list[str]:
        """Stored partitions of a source, sorted."""
        return sorted(p.stem for p in (self.root / "raw" / source).glob("*.parquet"))

    def forget(self, source: str, partition: str) -> None:
        """Remove a partition whose source file is no longer in the landing folder."""
        for kind in KINDS:
            self.path(kind, source, partition).unlink(missing_ok=True)

    def counts(self) -> pd.DataFrame:
        """Rows per kind, source and partition, from the Parquet footers."""
        rows = []
        for kind in KINDS:
            for path in sorted((self.root / kind).glob("*/*.parquet")):
                if path.parent.name == "_empty":
                    continue
                rows.append(
                    {
                        "kind": kind,
                        "source": path.parent.name,
                        "partition": path.stem,
                        "rows": pq.read_metadata(path).num_rows,
                    }
                )
        return pd.DataFrame(rows, columns=["kind", "source", "partition", "rows"])


def partition_fingerprint(parts: list[tuple[str, str]], reader_version: str) -> str:
    """Fingerprint of a partition: names and hashes of its files and the version of its reader.

    A path is part of it because provenance prints the path: a moved file is read again.
    """
    text = json.dumps([sorted(parts), reader_version], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
