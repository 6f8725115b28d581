"""Columns of the result, filled cell by cell without a dict per row.

Belongs here: accumulating observations, rejects and report rows in the shared schemas. Does not
belong here: deciding what a cell is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import pyarrow as pa

from dagster_project.extract.schema import (
    FILE_SCHEMA,
    OBSERVATION_SCHEMA,
    REJECT_SCHEMA,
    ExtractResult,
)
from dagster_project.extract.text import cell_name
from dagster_project.extract.yearbook.headers import Column


@dataclass
class TableMeta:
    """What is the same for all cells of a table."""

    file: str
    sha256: str | None
    bytes: int | None
    sheet: str | None = None
    number: str | None = None
    title: str | None = None
    section: str | None = None
    edition: int | None = None
    data_year: int | None = None

    def named(self, number: str | None, title: str, section: str | None) -> TableMeta:
        """The same place with number, title and section."""
        return replace(self, number=number, title=title or None, section=section)


class Collector:
    """Gathers the three frames of an ``ExtractResult``."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.observations: dict[str, list] = {n: [] for n in OBSERVATION_SCHEMA.names}
        self.rejects: list[dict] = []
        self.files: list[dict] = []

    def open(self, meta: TableMeta) -> Batch:
        """Begin the cells of one table."""
        return Batch(self, meta)

    def table(self, meta: TableMeta, status: str, reason: str, **counts: int | None) -> None:
        """One report row."""
        self.files.append(
            {
                "source": self.source,
                "file": meta.file,
                "file_sha256": meta.sha256,
                "bytes": meta.bytes,
                "sheet": meta.sheet,
                "table_no": meta.number,
                "table_title": meta.title,
                "section": meta.section,
                "release": str(meta.edition) if meta.edition else None,
                "data_year": meta.data_year,
                "data_year_last": meta.data_year,
                "status": status,
                "reason": reason or None,
                **{
                    f"n_{name}": counts.get(name, 0)
                    for name in ("entities", "indicators", "observations", "missing", "rejects")
                },
                **({"data_year_last": counts["last"]} if counts.get("last") else {}),
            }
        )

    def drop_tables(self, file: str) -> None:
        """Forget the report rows of a file that is going to be rejected as a whole."""
        self.files = [row for row in self.files if row["file"] != file]

    def reject_table(self, meta: TableMeta, message: str, reason: str) -> None:
        """A table that cannot be read: a report row and a reject, both with the message."""
        self.table(meta, "rejected", message, rejects=1)
        self.rejects.append(
            {
                "source": self.source,
                "release": str(meta.edition) if meta.edition else None,
                "data_year": meta.data_year,
                "file": meta.file,
                "file_sha256": meta.sha256,
                "sheet": meta.sheet,
                "reason": reason,
                "detail": message,
                "suggestion": "see the message; the file's other tables are read all the same",
            }
        )

    def reject_file(
        self,
        file: str,
        sha256: str | None,
        size: int | None,
        release: str | None,
        message: str,
        reason: str,
    ) -> None:
        """A file that cannot be read at all."""
        edition = int(release) if release else None
        year = edition - 1 if edition else None
        meta = TableMeta(file, sha256, size, edition=edition, data_year=year)
        self.reject_table(meta, message, reason)
        self.rejects[-1]["suggestion"] = "repair the file and drop it into the folder again"

    def set_file_aside(self, file: str, sha256: str | None, reason: str) -> None:
        """A file that is not read on purpose."""
        self.table(TableMeta(file, sha256, None), "set_aside", reason)

    def result(self) -> ExtractResult:
        """The three frames, in the shared schemas."""
        table = pa.table(
            [pa.array(self.observations[f.name], type=f.type) for f in OBSERVATION_SCHEMA],
            schema=OBSERVATION_SCHEMA,
        )
        return ExtractResult(
            table.to_pandas(),
            pa.Table.from_pylist(self.rejects, schema=REJECT_SCHEMA).to_pandas(),
            pa.Table.from_pylist(self.files, schema=FILE_SCHEMA).to_pandas(),
        )


class Batch:
    """Cells of one table; its constant columns are written once, at the end."""

    def __init__(self, collector: Collector, meta: TableMeta) -> None:
        self.collector, self.meta = collector, meta
        self.rows: list[tuple] = []
        self.n_rejects = 0

    def observe(
        self,
        row: int,
        column: Column,
        section: str,
        entity: str,
        code: str | None,
        province: str | None,
        printed: str,
        value: float | None,
        note: str,
    ) -> None:
        """One number, at a 0-based row."""
        self.rows.append((row, column, section, entity, code, province, printed, value, note))

    def reject(
        self,
        row: int,
        col: int,
        *,
        entity: str,
        printed: str,
        reason: str,
        detail: str,
        suggestion: str,
        indicator: str | None = None,
    ) -> None:
        """One cell that is no observation, at a 0-based row and column."""
        meta = self.meta
        self.n_rejects += 1
        self.collector.rejects.append(
            {
                "source": self.collector.source,
                "release": str(meta.edition),
                "data_year": meta.data_year,
                "file": meta.file,
                "file_sha256": meta.sha256,
                "sheet": meta.sheet,
                "row": row + 1,
                "col": col + 1,
                "cell": cell_name(row + 1, col + 1),
                "entity_printed": entity or None,
                "indicator_printed": indicator,
                "value_printed": printed,
                "reason": reason,
                "detail": detail,
                "suggestion": suggestion,
            }
        )

    def close(self, columns: list[Column], counts: Counter[str], remark: str) -> None:
        """Write the table's observations and its report row."""
        meta, out, rows = self.meta, self.collector.observations, self.rows
        n = len(rows)
        constants = {
            "source": self.collector.source,
            "release": str(meta.edition),
            "table_no": meta.number,
            "table_title": meta.title,
            "file": meta.file,
            "file_sha256": meta.sha256,
            "sheet": meta.sheet,
        }
        for name, value in constants.items():
            out[name] += [value] * n
        if rows:
            at, column, *texts, note = zip(*rows, strict=True)
            names = ("section", "entity_printed", "entity_code_printed", "province_printed")
            for name, values in zip((*names, "value_printed", "value"), texts, strict=True):
                out[name] += values
            out["note"] += [text or None for text in note]
            out["data_year"] += [c.year or meta.data_year for c in column]
            out["indicator_printed"] += [c.printed for c in column]
            out["indicator_key"] += [c.key for c in column]
            out["scope"] += [c.scope for c in column]
            out["unit_printed"] += [c.unit or None for c in column]
            out["unit_key"] += [c.unit_key or None for c in column]
            out["row"] += [r + 1 for r in at]
            out["col"] += [c.index + 1 for c in column]
            out["cell"] += [cell_name(r + 1, c.index + 1) for r, c in zip(at, column, strict=True)]
        years = {c.year for c in columns if c.year} | {row[1].year for row in rows if row[1].year}
        report = replace(meta, data_year=min(years)) if years else meta
        self.collector.table(
            report,
            "read" if n else "rejected",
            remark if n else f"no number in it could be read; {remark}".strip("; "),
            entities=counts["entities"],
            indicators=len({c.key for c in columns if c.key}),
            observations=n,
            missing=counts["missing"],
            rejects=self.n_rejects,
            last=max(years) if years else None,
        )
