"""The schema of a study: YAML in, typed and checked objects out.

Belongs here: what a study file may say and how a column inherits from its baseline. Does not belong
here: estimating (``runner``), preparing the sample (``transforms``), or drawing.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSpec(_Strict):
    """One estimation: the baseline of a study merged with what a column changes.

    ``options`` go to the estimator as they are; ``transforms`` are applied to the sample first, in
    order, each a mapping with one key (see ``estimation.studies.transforms``).
    """

    estimator: str
    outcome: str
    treatment: tuple[str, ...]
    controls: tuple[str, ...] = ()
    fixed_effects: tuple[str, ...] = ()
    cluster: str | None = None
    entity: str
    time: str
    weights: str | None = None
    transforms: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("treatment", "controls", "fixed_effects", mode="before")
    @classmethod
    def _listify(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value or ())

    @field_validator("transforms", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value or ())

    def content_hash(self) -> str:
        """Hash of everything that decides the result, for the ``spec_hash`` column."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class PublishedTerm(_Strict):
    """A published coefficient: estimate, the number in brackets, and the stars beside it."""

    estimate: float
    statistic: float | None = None
    std_error: float | None = None
    stars: int | None = Field(default=None, ge=0, le=3)


class Published(_Strict):
    """What the paper prints for a column. ``note`` keeps misprints and doubts."""

    terms: dict[str, PublishedTerm] = Field(default_factory=dict)
    n_obs: int | None = None
    r2: float | None = None
    r2_kind: str | None = None
    statistic_kind: Literal["t", "z"] | None = None
    diagnostics: dict[str, float] = Field(default_factory=dict)
    note: str | None = None


class Column(_Strict):
    """One column of a table, or one panel of a figure."""

    id: str
    label: str | None = None
    # The baseline that a study is known for; a study's first run covers at least these.
    spine: bool = False
    # Left to full runs, because it takes long.
    full_only: bool = False
    model: dict[str, Any] = Field(default_factory=dict)
    published: Published = Published()
    note: str | None = None


class Exhibit(_Strict):
    """A table or figure of the paper, or one of our own (``beyond: true``)."""

    id: str
    title: str
    kind: Literal["table", "figure"] = "table"
    beyond: bool = False
    spine: bool = False
    full_only: bool = False
    model: dict[str, Any] = Field(default_factory=dict)
    columns: tuple[Column, ...]


class Study(_Strict):
    """One study file."""

    study: str
    title: str
    citation: str
    sample: str
    note: str | None = None
    baseline: dict[str, Any]
    exhibits: tuple[Exhibit, ...]

    def spine_columns(self) -> list[tuple[Exhibit, Column]]:
        """The marked columns; where an exhibit is marked and none of its columns, all of these."""
        found = []
        for exhibit in self.exhibits:
            marked = [c for c in exhibit.columns if c.spine]
            if not marked and exhibit.spine:
                marked = list(exhibit.columns)
            found += [(exhibit, c) for c in marked]
        return found

    def model(self, exhibit: Exhibit, column: Column) -> ModelSpec:
        """Baseline, then exhibit, then column; mappings under ``options`` are merged by key.

        A key ending in ``+`` extends the inherited list (``controls+: [broadband]``,
        ``transforms+: [...]``); a key ending in ``-`` removes from it.
        """
        merged = dict(self.baseline)
        for layer in (exhibit.model, column.model):
            for key, value in layer.items():
                if key == "options":
                    merged["options"] = {**merged.get("options", {}), **value}
                elif key.endswith("+"):
                    merged[key[:-1]] = [*_aslist(merged.get(key[:-1])), *_aslist(value)]
                elif key.endswith("-"):
                    gone = _aslist(value)
                    merged[key[:-1]] = [v for v in _aslist(merged.get(key[:-1])) if v not in gone]
                else:
                    merged[key] = value
        return ModelSpec(**merged)


def _aslist(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str | dict) else list(value)


def load(path: Path | str) -> Study:
    """Read one study file.

    Raises
    ------
    ValueError
        If the file does not fit the schema, or an exhibit or column id occurs twice; the message
        names the file.
    """
    path = Path(path)
    try:
        # The same loader as ``safe_load``, in C where libyaml is there: ten times as quick.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        study = Study(**yaml.load(path.read_text(encoding="utf-8"), Loader=loader))
        for exhibit in study.exhibits:
            for column in exhibit.columns:
                study.model(exhibit, column)
    except (ValueError, TypeError) as error:
        raise ValueError(f"study file {path.name}: {error}") from error
    seen: set[tuple[str, str]] = set()
    for exhibit in study.exhibits:
        for column in exhibit.columns:
            key = (exhibit.id, column.id)
            if key in seen:
                raise ValueError(f"study file {path.name}: {exhibit.id} ({column.id}) stands twice")
            seen.add(key)
    return study


def shipped() -> dict[str, Study]:
    """All studies that come with the project, by study name, sorted by name."""
    folder = resources.files("estimation.studies")
    files = sorted(
        (Path(str(p)) for p in folder.iterdir() if p.name.endswith(".yml")), key=lambda p: p.name
    )
    studies = [load(p) for p in files]
    return {s.study: s for s in sorted(studies, key=lambda s: s.study)}
