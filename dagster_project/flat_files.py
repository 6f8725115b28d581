"""Tables of a release as Parquet for machines and CSV for people.

Belongs here: the two file formats, and taking over files that would be the same. Does not belong
here: which tables are released (``release``), or Stata's format (``exports``). DuckDB writes the
CSV, in a third of the time of pandas and with whole numbers whole where a column has gaps.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.extract.safety import escape_formula
from dagster_project.fingerprints import file_hash

# Any text that might be a formula to a spreadsheet; escape_formula decides on each of them.
_SUSPECT = r"^[^0-9A-Za-z\p{Han}]*[=+@＝＋－＠\-]|^[\t\r\n]"
# Lets spreadsheet programs recognise UTF-8.
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Earlier:
    """Folder of an earlier release, and the SHA-256 of its files as they were written."""

    folder: Path
    files: Mapping[str, str]

    def holds(self, file: str | Path) -> bool:
        """Whether a file lies there as it was written; no other hand has changed it since."""
        path, name = self.folder / file, Path(file).as_posix()
        return path.is_file() and name in self.files and file_hash(path) == self.files[name]


def export(folder: Path, name: str, frame: Any, before: Earlier | None = None) -> None:
    """Write ``parquet/<name>.parquet`` and ``csv/<name>.csv`` below ``folder``.

    Parameters
    ----------
    frame
        An Arrow table or a DataFrame.
    before
        An earlier release that the same code wrote: its CSV is taken over if its Parquet file had
        the same bytes and the CSV is as it was written.
    """
    for kind in ("parquet", "csv"):
        (folder / kind).mkdir(exist_ok=True)
    table = _arrow(frame) if isinstance(frame, pd.DataFrame) else frame
    parquet, csv = Path("parquet", f"{name}.parquet"), Path("csv", f"{name}.csv")
    pq.write_table(table, folder / parquet, compression="zstd")
    if (
        before is not None
        and before.files.get(parquet.as_posix()) == file_hash(folder / parquet)
        and before.holds(csv)
    ):
        shutil.copyfile(before.folder / csv, folder / csv)
    else:
        write_csv(folder / csv, table)


def write_csv(path: Path, table: pa.Table) -> None:
    """UTF-8 with a byte-order mark; nothing stands for a missing value, as for an empty text.

    Text that a spreadsheet program would run as a formula is defused.
    """
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        connection.register("flat", table)
        columns = []
        for number, field in enumerate(table.schema):
            column = _quoted(field.name)
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                value = _text(connection, column)
            elif pa.types.is_boolean(field.type):
                value = f"if({column}, 'True', 'False')"
                value = f"case when {column} is not null then {value} end"
            else:
                value = column
            mark = _BYTE_ORDER_MARK if number == 0 else ""
            columns.append(f"{value} as {_quoted(mark + field.name)}")
        connection.execute(
            f"copy (select {', '.join(columns)} from flat) to {_text_literal(str(path))} "
            "(format csv, header true, nullstr '')"
        )


def _text(connection: duckdb.DuckDBPyConnection, column: str) -> str:
    """Expression of a text column without formulas; each distinct suspect is looked at once."""
    suspects = connection.execute(
        f"select distinct {column} from flat where regexp_matches({column}, ?) order by 1",
        [_SUSPECT],
    ).fetchall()
    defused = [(text, escape_formula(text)) for (text,) in suspects]
    cases = [
        f"when {_text_literal(old)} then {_text_literal(str(new))}"
        for old, new in defused
        if old != new
    ]
    value = f"nullif({column}, '')"
    return f"case {column} {' '.join(cases)} else {value} end" if cases else value


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
