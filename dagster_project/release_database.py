"""A release as one DuckDB file, with what is known of every table and column as comments.

Belongs here: writing ``panel.duckdb``. Does not belong here: which tables are released
(``release``), or what is said of them (``release_docs``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from dagster_project.release_docs import TableDoc

# Written so that clients of older DuckDB versions can open it.
STORAGE_VERSION = "v1.2.0"


def write_database(
    path: Path, tables: dict[str, Any], docs: list[TableDoc], *, synthetic: bool
) -> None:
    """Write the tables with their comments into a new file.

    Parameters
    ----------
    tables
        Arrow tables or DataFrames by name, one for every one of ``docs``.
    synthetic
        Whether the comments say that the data is invented.
    """
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        connection.execute(
            f"attach '{path}' as panel (storage_version '{STORAGE_VERSION}'); use panel"
        )
        for doc in docs:
            create_table(connection, tables[doc.name], doc, synthetic=synthetic)
        connection.execute("use memory; detach panel")


def create_table(
    connection: duckdb.DuckDBPyConnection,
    frame: Any,
    doc: TableDoc,
    *,
    synthetic: bool | None = None,
) -> None:
    """Create one table, or put it in the place of an older one; a table may say itself that it
    is synthetic.
    """
    connection.register("incoming", frame)
    connection.execute(f'create or replace table "{doc.name}" as select * from incoming')
    connection.unregister("incoming")
    prefix = "SYNTHETIC. " if synthetic or (synthetic is None and _says_synthetic(frame)) else ""
    connection.execute(f'comment on table "{doc.name}" is {_quoted(prefix + doc.description)}')
    known = {row[0] for row in connection.execute(f'describe "{doc.name}"').fetchall()}
    for column, text in doc.columns.items():
        if column in known and text:
            connection.execute(f'comment on column "{doc.name}"."{column}" is {_quoted(text)}')


def _says_synthetic(frame: Any) -> bool:
    return (
        isinstance(frame, pd.DataFrame)
        and "synthetic" in frame.columns
        and bool(frame["synthetic"].eq(True).any())
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
