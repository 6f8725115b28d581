"""A small SQL prompt on the published panel, for people without the DuckDB command line.

Belongs here: reading lines, showing tables. It opens the release read-only, so it can stay open
while a run publishes the next one.
"""

from __future__ import annotations

import sys

import duckdb

from dagster_project.settings import Settings

_HELP = """\
End a query with ;   .tables lists tables   .describe TABLE its columns   .quit leaves"""


def _show(connection: duckdb.DuckDBPyConnection, query: str) -> bool:
    try:
        result = connection.sql(query)
        if result is not None:
            result.show(max_rows=60, max_width=160)
    except duckdb.Error as error:
        print(error, file=sys.stderr)
        return False
    return True


def _command(connection: duckdb.DuckDBPyConnection, line: str) -> bool:
    word, _, rest = line.partition(" ")
    if word in (".quit", ".exit"):
        return False
    if word == ".tables":
        _show(
            connection,
            "select table_name, estimated_size as rows, comment from duckdb_tables() order by 1",
        )
    elif word == ".describe" and rest.strip():
        table = rest.strip().replace("'", "''")
        _show(
            connection,
            "select column_name, data_type, comment from duckdb_columns() "
            f"where table_name = '{table}' order by column_index",
        )
    else:
        print(_HELP)
    return True


def prompt(settings: Settings, query: str | None = None) -> int:
    """Answer one query, or read queries until end of input. Returns the exit code."""
    path = settings.published / "panel.duckdb"
    if not path.exists():
        print(
            f"error: no published panel in {settings.published}: run `make run` first",
            file=sys.stderr,
        )
        return 2
    with duckdb.connect(str(path), read_only=True) as connection:
        if query:
            return 0 if _show(connection, query) else 1
        if (settings.published / "SYNTHETIC.txt").exists():
            print("*** SYNTHETIC DATA ***")
        print(f"{path} (read-only). {_HELP}")
        buffer = ""
        while True:
            try:
                line = input("...> " if buffer else "sql> ")
            except (EOFError, KeyboardInterrupt):
                print()
                return 0
            if not buffer and line.strip().startswith("."):
                if not _command(connection, line.strip()):
                    return 0
                continue
            buffer += line + "\n"
            if line.rstrip().endswith(";"):
                _show(connection, buffer)
                buffer = ""
