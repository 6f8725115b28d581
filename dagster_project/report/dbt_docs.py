"""The dbt documentation as one page that needs no server: tables, columns, SQL and their graph.

Belongs here: calling dbt for the page and putting it in its place. Does not belong here: what the
page says, which stands beside the models (``dbt/models``), or how dbt builds (``dbt_project``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from dagster_project.dbt_project import (
    DbtParseError,
    dbt_environment,
    dbt_executable,
    ensure_manifest,
)
from dagster_project.lake import write_text
from dagster_project.settings import DBT_PROJECT_DIR, Settings


def docs_page(settings: Settings) -> Path:
    """Where the page of this dataset lies."""
    return settings.results / "docs" / "index.html"


def build_dbt_docs(settings: Settings) -> tuple[Path, bool]:
    """Write ``results/docs/index.html`` unless it is as new as the dbt project.

    The page is built from the project alone (an empty catalog): it needs no warehouse, so it waits
    for none. Types of the columns stand in the table ``data_dictionary``.

    Returns
    -------
    tuple
        The page, and whether it was written anew.

    Raises
    ------
    DbtParseError
        If dbt cannot build the page; the message carries what dbt said.
    """
    page = docs_page(settings)
    manifest = ensure_manifest(settings)
    if page.exists() and page.stat().st_mtime >= manifest.stat().st_mtime:
        return page, False
    target = settings.cache / "dbt_target" / "docs"
    target.mkdir(parents=True, exist_ok=True)
    # Without compiling, dbt shows the manifest that it finds; partial parsing spares it the rest.
    for name in (manifest.name, "partial_parse.msgpack"):
        if manifest.with_name(name).exists():
            shutil.copyfile(manifest.with_name(name), target / name)
    command = [dbt_executable(), "--quiet", "docs", "generate", "--static"]
    command += ["--no-compile", "--empty-catalog", "--profiles-dir", "."]
    command += ["--target-path", str(target), "--log-path", str(target / "logs")]
    result = subprocess.run(
        command,
        cwd=DBT_PROJECT_DIR,
        env={**os.environ, **dbt_environment(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    written = target / "static_index.html"
    if result.returncode != 0 or not written.exists():
        raise DbtParseError(f"dbt docs failed:\n{result.stdout}\n{result.stderr}")
    write_text(page, written.read_text(encoding="utf-8"))
    return page, True
