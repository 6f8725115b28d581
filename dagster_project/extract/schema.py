"""The shape every reader returns: one row per printed cell, plus what could not be read.

Belongs here: column lists, types and the small result object that readers share. Does not belong
here: knowledge of any file format (its reader), cities or indicators (dbt seeds), or the database.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

# One row per printed cell (or per city and year of a reduced grid). Names and indicators are kept
# as printed; resolving them is the warehouse's work, so that a better crosswalk never needs a
# second reading.
OBSERVATION_SCHEMA = pa.schema(
    [
        ("source", pa.string()),  # yearbook, edgar, pm25, patents, or the id of a table mapping
        ("release", pa.string()),  # yearbook edition, or the release a source names for itself
        ("data_year", pa.int32()),
        ("section", pa.string()),  # prefecture | county | province | national
        ("table_no", pa.string()),  # as printed, e.g. 2-7
        ("table_title", pa.string()),
        ("entity_printed", pa.string()),
        ("entity_code_printed", pa.string()),  # six-digit code where the file prints one
        ("province_printed", pa.string()),
        ("indicator_printed", pa.string()),  # header path as printed, levels joined by " / "
        ("indicator_key", pa.string()),  # normalised spelling the registry is joined on
        ("scope", pa.string()),  # city | districts | unspecified
        ("unit_printed", pa.string()),
        ("unit_key", pa.string()),  # normalised unit: 万人, 亿元, 万元, 元, %, t, ug/m3, ...
        ("value_printed", pa.string()),
        ("value", pa.float64()),
        ("note", pa.string()),  # footnote mark removed, recorded name correction, ...
        ("file", pa.string()),  # path relative to the landing folder
        ("file_sha256", pa.string()),
        ("sheet", pa.string()),
        ("row", pa.int32()),  # 1-based
        ("col", pa.int32()),  # 1-based
        ("cell", pa.string()),  # A1 notation
    ]
)

# What could not become an observation. `reason` is a short stable code; `detail` is the message
# for a person; `suggestion` says what to do about it.
REJECT_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("release", pa.string()),
        ("data_year", pa.int32()),
        ("file", pa.string()),
        ("file_sha256", pa.string()),
        ("sheet", pa.string()),
        ("row", pa.int32()),
        ("col", pa.int32()),
        ("cell", pa.string()),
        ("entity_printed", pa.string()),
        ("indicator_printed", pa.string()),
        ("value_printed", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("suggestion", pa.string()),
    ]
)

# One row per table found in a file (or per file, where nothing could be read).
FILE_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("file", pa.string()),
        ("file_sha256", pa.string()),
        ("bytes", pa.int64()),
        ("sheet", pa.string()),
        ("table_no", pa.string()),
        ("table_title", pa.string()),
        ("section", pa.string()),
        ("release", pa.string()),
        ("data_year", pa.int32()),  # the year, or the first of several
        ("data_year_last", pa.int32()),
        ("status", pa.string()),  # read | set_aside | rejected
        ("reason", pa.string()),
        ("n_entities", pa.int32()),
        ("n_indicators", pa.int32()),
        ("n_observations", pa.int32()),
        ("n_missing", pa.int32()),  # cells printed as missing (blank, dash, dots)
        ("n_rejects", pa.int32()),
        # JSON list of columns of numbers that no mapping names: title, first cell, cells
        ("columns_not_read", pa.string()),
    ]
)


def as_frame(rows: list[dict] | pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """Rows (dicts or a frame) as a DataFrame with exactly the columns and types of ``schema``.

    Raises
    ------
    ValueError
        If a row carries a column that the schema does not know.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    unknown = set(frame.columns) - set(schema.names)
    if unknown:
        raise ValueError(f"columns not in the contract: {sorted(unknown)}")
    return to_table(frame, schema).to_pandas()


def to_table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """A DataFrame as an Arrow table of exactly ``schema``; absent columns become nulls."""
    columns = []
    for field in schema:
        if field.name in frame.columns:
            columns.append(pa.Array.from_pandas(frame[field.name], type=field.type))
        else:
            columns.append(pa.nulls(len(frame), field.type))
    return pa.table(columns, schema=schema)


@dataclass(frozen=True)
class ExtractResult:
    """What a reader gives back: observations, rejects and one report row per table or file."""

    observations: pd.DataFrame
    rejects: pd.DataFrame
    files: pd.DataFrame

    @classmethod
    def from_rows(
        cls, observations: list[dict] | pd.DataFrame, rejects: list[dict], files: list[dict]
    ) -> ExtractResult:
        """Build a result from plain rows; shapes are checked against the contract."""
        return cls(
            as_frame(observations, OBSERVATION_SCHEMA),
            as_frame(rejects, REJECT_SCHEMA),
            as_frame(files, FILE_SCHEMA),
        )

    @classmethod
    def concat(cls, results: list[ExtractResult]) -> ExtractResult:
        """Several results as one; an empty list gives an empty result."""
        if not results:
            return cls.from_rows([], [], [])
        return cls.from_rows(
            pd.concat([r.observations for r in results], ignore_index=True),
            pd.concat([r.rejects for r in results], ignore_index=True),  # type: ignore[arg-type]
            pd.concat([r.files for r in results], ignore_index=True),  # type: ignore[arg-type]
        )


class ExtractError(Exception):
    """A file that cannot be read at all. The message names the file and says what to do."""
