"""Writes a whole landing folder of synthetic files and the manifest that says what was built in.

Belongs here: the one entry point, the marker and the manifest. Does not belong here: any format
(the writers) or number (``world``).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dagster_project.sample.defects import inject
from dagster_project.sample.effects import NO_EFFECTS, Effects
from dagster_project.sample.grids_writer import write_grids
from dagster_project.sample.inputs import SEEDS_DIR, Geography
from dagster_project.sample.tables_writer import write_tables
from dagster_project.sample.world import DEFAULT_SEED, FIRST_YEAR, LAST_YEAR, World, generate_world
from dagster_project.sample.yearbook_writer import write_yearbooks

MANIFEST = "manifest.json"
MARKER = "SYNTHETIC.md"
_OWN = ("yearbook", "edgar", "pm25", "nightlights", "elevation", "patents", "tables")
_SEEDS = ("cities", "roster_big_data", "roster_innovative", "roster_smart_city",
          "roster_low_carbon", "roster_resource")  # fmt: skip


class SampleWriteError(Exception):
    """The landing folder cannot take the sample; the message says why and what to do."""


def write_sample(
    landing: Path,
    *,
    seed: int = DEFAULT_SEED,
    years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR),
    effects: Effects | bool = True,
    seeds_dir: Path = SEEDS_DIR,
    geography: Geography | None = None,
    cache_dir: Path | None = None,
    grids: bool = True,
    defects: tuple[tuple[str, int], ...] = (),
    progress: Callable[[str], None] = lambda _message: None,
) -> dict[str, Any]:
    """Write the sample, or leave it when the same one lies there already.

    Parameters
    ----------
    landing
        Folder to write to; its sub-folders of sources are replaced.
    effects
        ``True`` for the declared effects, ``False`` for the twin without any, or a set of effects.
    grids
        ``False`` leaves out the grids (tests of tables).
    defects
        Kinds of defect and seeds, put in one after the other (see ``defects.KINDS``); none in the
        clean sample.

    Returns
    -------
    dict
        The manifest: seed, hash of the generator's code, years, effects, true effect per declared
        effect, adoption years, the defects that were put in, and the SHA-256 of every file.

    Raises
    ------
    SampleWriteError
        If the folder holds files that this module did not write.
    ValueError
        If the years or a kind of defect are unknown.
    """
    chosen = effects if isinstance(effects, Effects) else (Effects() if effects else NO_EFFECTS)
    head = {
        "synthetic": True,
        "code": _code_hash(),
        "seed": seed,
        "years": list(years),
        "grids": grids,
        "effects": chosen.as_records(),
        "defects_asked": [list(d) for d in defects],
        "inputs": _seed_hashes(seeds_dir),
    }
    known = read_manifest(landing)
    same = known is not None and all(known.get(k) == v for k, v in head.items())
    if known is not None and same and all((landing / f).exists() for f in known["files"]):
        progress("sample: already there, nothing to write")
        return known
    _clear(landing, owned=known is not None)
    started = time.perf_counter()
    world = generate_world(
        seed, chosen, years=years, seeds_dir=seeds_dir, geography=geography, cache_dir=cache_dir
    )
    found = []
    for kind, place in defects:
        world, defect = inject(world, kind, seed=place)
        found.append(defect.as_record())
    progress(f"sample: world generated ({time.perf_counter() - started:.1f} s)")
    landing.mkdir(parents=True, exist_ok=True)
    # The marker first: a killed run leaves a folder that the next run knows as its own.
    (landing / MARKER).write_text(_marker(seed, chosen), encoding="utf-8")
    files = write_yearbooks(world, landing / "yearbook")
    progress(f"sample: {len(files)} workbooks ({time.perf_counter() - started:.1f} s)")
    files += write_tables(world, landing)
    if grids:
        files += write_grids(world, landing)
    progress(f"sample: {len(files)} files ({time.perf_counter() - started:.1f} s)")
    manifest = {
        **head,
        "true_effects": true_effects(world, chosen),
        "adoption_years": _adoption(world),
        "defects": found,
        "files": {f.relative_to(landing).as_posix(): _sha256(f) for f in sorted(files)},
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
    partial = landing / (MANIFEST + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(landing / MANIFEST)
    result: dict[str, Any] = json.loads(text)
    return result


def read_manifest(landing: Path) -> dict[str, Any] | None:
    """The manifest of a landing folder, or ``None`` where there is no readable one."""
    path = landing / MANIFEST
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return None  # half-written by another program: write the sample anew
    return found if isinstance(found, dict) and found.get("synthetic") else None


def true_effects(world: World, effects: Effects) -> list[dict[str, Any]]:
    """Mean over treated city-years of each declared effect, on the scale it is declared on."""
    rows = []
    for effect in effects.declared:
        treated = world.treatment(effect.policy) == 1
        one = Effects((effect,))
        shift = one.shift(effect.variable, effect.kind, world.adoption, world.years)
        rows.append(
            {
                "policy": effect.policy,
                "variable": effect.variable,
                "kind": effect.kind,
                "full_effect": effect.size,
                "mean_over_treated": float(np.mean(shift[treated])) if treated.any() else None,
                "treated_city_years": int(treated.sum()),
            }
        )
    return rows


def _adoption(world: World) -> dict[str, dict[str, int]]:
    return {
        policy: {str(code): int(year) for code, year in world.adoption[policy].dropna().items()}
        for policy in world.adoption.columns
    }


def _clear(landing: Path, *, owned: bool) -> None:
    if not landing.exists():
        return
    present = [p for p in landing.iterdir() if not p.name.startswith(".")]
    if present and not owned and not (landing / MARKER).exists():
        raise SampleWriteError(
            f"{landing} holds files that are not a sample (for example {present[0].name}); "
            "the sample is never mixed with other data: choose an empty folder"
        )
    for name in _OWN:
        if (landing / name).is_dir():
            shutil.rmtree(landing / name)
    (landing / MANIFEST).unlink(missing_ok=True)


def _seed_hashes(seeds_dir: Path) -> dict[str, str]:
    paths = {name: seeds_dir / f"{name}.csv" for name in _SEEDS}
    return {name: _sha256(path) for name, path in paths.items() if path.exists()}


def _code_hash() -> str:
    """Hash of this package's source: a changed generator never counts as already written."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _marker(seed: int, effects: Effects) -> str:
    kind = "with the effects listed below" if effects.declared else "without any policy effect"
    lines = [
        "# SYNTHETIC DATA",
        "",
        "Every file in this folder is invented by `dagster_project.sample` (seed "
        f"{seed}, {kind}). City names and adoption years are real, no number is. Do not cite, do",
        "not mix with real files. `manifest.json` holds hashes and the effects that were built in.",
        "",
    ]
    for e in effects.declared:
        lines.append(f"- {e.policy} on {e.variable}: {e.size:+g} ({e.kind}), phase {e.ramp}")
    return "\n".join(lines) + "\n"
