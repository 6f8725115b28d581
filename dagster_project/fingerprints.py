"""Fingerprints of files, code and libraries, for everything that is kept while nothing changed.

Belongs here: hashing what stamps and records are made of. Does not belong here: what a stamp
covers, which each keeper says for itself.
"""

from __future__ import annotations

import hashlib
import importlib
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def file_hashes(root: Path, paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 by place below ``root``, sorted."""
    return {path.relative_to(root).as_posix(): file_hash(path) for path in sorted(paths)}


def tree_hash(root: Path, paths: Iterable[Path]) -> str:
    """One hash for files below ``root``: their places and their content."""
    lines = [f"{place}\0{content}\n" for place, content in file_hashes(root, paths).items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def code_version(*modules: str) -> str:
    """Hash of the source text of modules or packages, so that a changed reader reads again."""
    digest = hashlib.sha256()
    for name in modules:
        module = importlib.import_module(name)
        file = Path(str(module.__file__))
        files = sorted(file.parent.rglob("*")) if file.name == "__init__.py" else [file]
        for path in files:
            if path.suffix in {".py", ".yml", ".csv"}:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def library_versions(*names: str) -> list[str]:
    """Installed versions, for fingerprints of what these libraries compute."""
    return [platform.python_version(), *(f"{name}=={version(name)}" for name in names)]
