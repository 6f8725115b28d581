"""A small SQL prompt on the published panel, for people without the DuckDB command line.

Belongs here: reading lines, showing tables. It opens the release read-only, so it can stay open
while a run publishes the next one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from dagster_project.settings import PROJECT_ROOT, Settings

QUERIES = PROJECT_ROOT / "queries"
_BOX_COLUMNS = 10
_UPRIGHT_ROWS = 4
_HELP = """\
End a query with ;
.tables           what there is        .queries      worked queries, with their questions
.describe TABLE   columns, with unit   .run NUMBER   run a worked query, or .run FILE
.find WORD        columns by name, Chinese term or definition
.quit             leave"""


def worked_queries() -> dict[str, Path]:
    """The worked queries by their number."""
    return {path.name.split("_")[0]: path for path in sorted(QUERIES.glob("*.sql"))}


def question(path: Path) -> str:
    """The question in the header of a worked query."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
        if "?" in line:
            break
    text = " ".join(lines).removeprefix("Question:").strip()
    return text[: text.index("?") + 1] if "?" in text else text


def _show(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: list[str] | None = None
) -> bool:
    try:
        result = connection.sql(query, params=parameters)
        if result is not None and not _shown_upright(result):
            result.show(max_rows=60, max_width=160)
    except duckdb.Error as error:
        print(error, file=sys.stderr)
        return False
    return True


def _shown_upright(result: duckdb.DuckDBPyRelation) -> bool:
    """Show a few rows with many columns one value per line; a box would hide the middle columns."""
    names = result.columns
    if len(names) <= _BOX_COLUMNS:
        return False
    rows = result.limit(_UPRIGHT_ROWS + 1).fetchall()
    if len(rows) > _UPRIGHT_ROWS:
        return False
    width = max(len(name) for name in names)
    for number, row in enumerate(rows, start=1):
        print(f"-- row {number}")
        for name, value in zip(names, row, strict=True):
            print(f"{name:<{width}}  {'NULL' if value is None else value}")
    if not rows:
        print("no rows")
    return True


def _describe(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """All columns of a table as plain lines; a boxed table would leave the middle out."""
    rows = connection.execute(
        "select column_name, lower(data_type), coalesce(comment, '') from duckdb_columns() "
        "where table_name = $1 order by column_index",
        [table],
    ).fetchall()
    if not rows:
        print(f"no table {table}: .tables lists them", file=sys.stderr)
    for name, kind, comment in rows:
        print(f"{name:<32} {kind:<8} {comment}")


def _run(connection: duckdb.DuckDBPyConnection, which: str) -> None:
    """Show and run a worked query by number, or any file with one."""
    path = worked_queries().get(which.zfill(2), Path(which).expanduser())
    if not path.is_file():
        print(f"no query {which}: .queries lists them, or give a file", file=sys.stderr)
        return
    text = path.read_text(encoding="utf-8")
    print(text)
    _show(connection, text)


def _command(connection: duckdb.DuckDBPyConnection, line: str) -> bool:
    word, _, rest = line.partition(" ")
    if word in (".quit", ".exit"):
        return False
    if word == ".tables":
        for name, rows, comment in connection.execute(
            "select table_name, estimated_size, coalesce(comment, '') from duckdb_tables() "
            "order by table_name"
        ).fetchall():
            print(f"{name:<22}{rows:>9,}  {comment}")
    elif word == ".describe" and rest.strip():
        _describe(connection, rest.strip().rstrip(";"))
    elif word == ".find" and rest.strip():
        _show(
            connection,
            "select table_name, column_name, comment from duckdb_columns() "
            "where contains(lower(column_name || ' ' || coalesce(comment, '')), lower($1)) "
            "order by all",
            [rest.strip().rstrip(";")],
        )
    elif word == ".queries":
        for number, path in worked_queries().items():
            print(f"{number}  {question(path)}")
    elif word == ".run" and rest.strip():
        _run(connection, rest.strip().rstrip(";"))
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
        if (settings.published / "SYNTHETIC.txt").exists():
            print("*** SYNTHETIC DATA ***")
        if query:
            return 0 if _show(connection, query) else 1
        print(f"{path} (read-only)\n{_HELP}")
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
