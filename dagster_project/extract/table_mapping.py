"""Declarative mappings of compiled tables: which column of which file means which indicator.

Belongs here: the form of a mapping file, its checks, and the choice of a mapping for a file. Does
not belong here: opening files (table_open.py) or turning cells into observations (tables.py).
A table is added by adding one file to ``mappings/``; no code changes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dagster_project.extract.schema import ExtractError
from dagster_project.extract.units import unit_key

MAPPINGS_DIR = Path(__file__).parent / "mappings"

Names = Annotated[
    tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str | int) else v)
]


def column_key(text: object) -> str:
    """A column title as columns are compared: half width, no whitespace, lower case."""
    raw = unicodedata.normalize("NFKC", "" if text is None else str(text))
    return re.sub(r"[\s\u200b\ufeff]+", "", raw).casefold()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ValueColumn(_Strict):
    """One column of numbers (or, in the wide layout, the years of one indicator).

    ``within`` guards a unit that the mapping assumes: where the title states none, a number outside
    the two bounds shows that the unit is another one, and the column is not read.
    """

    column: Names = ()
    indicator: str
    unit: str = ""
    note: str = ""
    optional: bool = False
    within: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _unit_is_known(self) -> ValueColumn:
        if self.unit not in ("", "1") and not unit_key(self.unit):
            raise ValueError(f"unit {self.unit!r} of {self.indicator} is not in extract/units.py")
        return self

    @property
    def unit_normal(self) -> str:
        return unit_key(self.unit) or self.unit


class Keys(_Strict):
    """Key columns; each may list the spellings that releases have used."""

    year: Names = ()
    entity: Names = ()
    entity_code: Names = ()
    province: Names = ()
    unit: Names = ()  # a column that prints the unit of each row
    # a column whose text names the series, e.g. an industry; it becomes indicator_printed
    item: Names = ()
    # a column whose text picks the indicator, see SheetMapping.labels
    indicator: Names = ()


class OnlyRows(_Strict):
    """Rows that are read: those whose column holds one of the values. The others are counted."""

    column: Names
    values: Names = Field(min_length=1)


class SheetMapping(_Strict):
    """How one sheet (or a csv, dta or parquet file) is read.

    ``layout`` is ``long`` (a year column, one column per indicator) or ``wide`` (one column per
    year). ``section`` says what the rows are; ``by_code`` decides row by row from the code. In the
    wide layout ``labels`` tell what a row (``keys.indicator``) or, where a line above the header
    begins with ``label_above``, the whole sheet means; ``other_labels`` says whether numbers under
    another label are rejects or stay in the lake as an unmapped indicator. ``about`` names columns
    that a table need not have; where it has one, rows that say something else there are rejects.
    """

    name: Names = ("*",)
    layout: Literal["long", "wide"] = "long"
    section: Literal["prefecture", "province", "national", "by_code"] = "prefecture"
    header_row: int | None = Field(default=None, ge=1)
    title: str = ""
    keys: Keys
    values: tuple[ValueColumn, ...] = ()
    labels: dict[str, ValueColumn] = Field(default_factory=dict)
    label_above: Names = ()
    other_labels: Literal["reject", "keep"] = "reject"
    only: OnlyRows | None = None
    about: tuple[OnlyRows, ...] = ()
    optional: bool = False

    @model_validator(mode="after")
    def _complete(self) -> SheetMapping:
        if not self.keys.entity and self.section != "national":
            raise ValueError("keys.entity is missing")
        if self.layout == "long":
            if not self.keys.year:
                raise ValueError("the long layout needs keys.year")
            if any(not v.column for v in self.values):
                raise ValueError("the long layout needs a column for each value")
        if bool(self.labels) != bool(self.keys.indicator or self.label_above):
            raise ValueError("labels belong together with keys.indicator or label_above")
        if self.labels and self.layout == "long":
            raise ValueError("labels are read in the wide layout only")
        if self.layout == "wide" and any(v.within for v in (*self.values, *self.labels.values())):
            raise ValueError("within is checked in the long layout only")
        if self.layout == "wide" and not self.labels and len(self.values) != 1:
            raise ValueError("the wide layout needs one entry under values, or labels")
        if not self.values and not self.labels:
            raise ValueError("no values")
        return self


class SetAside(_Strict):
    """Sheets that are known and deliberately not read."""

    name: Names
    reason: str


class TableMapping(_Strict):
    """One source: its files, its sheets, and what is left aside."""

    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    description: str = ""
    obtain: str = ""
    files: tuple[str, ...] = Field(min_length=1)
    release: str = ""
    sheets: tuple[SheetMapping, ...] = Field(min_length=1)
    set_aside: tuple[SetAside, ...] = ()
    digest: str = ""

    def content_hash(self) -> str:
        """Hash of the mapping file, so that a changed mapping reads its files again."""
        return self.digest

    def takes(self, path: PurePath) -> bool:
        """Whether the file's place and name fit one of the globs (compared from the right)."""
        given = PurePath(unicodedata.normalize("NFC", str(path)))
        return any(given.match(unicodedata.normalize("NFC", glob)) for glob in self.files)

    def indicators(self) -> tuple[str, ...]:
        """Canonical indicators that the mapping yields, in order of appearance."""
        found = [v.indicator for s in self.sheets for v in (*s.values, *s.labels.values())]
        return tuple(dict.fromkeys(found))


def load_mapping(path: Path) -> TableMapping:
    """Read one mapping file.

    Raises
    ------
    ExtractError
        If it is not valid YAML or not a valid mapping; the message names file and field.
    """
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
        if not isinstance(content, dict):
            raise ExtractError(f"mapping {path.name}: expected a mapping of fields")
        digest = hashlib.sha256(text.encode()).hexdigest()
        return TableMapping.model_validate({**content, "digest": digest})
    except yaml.YAMLError as error:
        raise ExtractError(f"mapping {path.name} is not valid YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'mapping'}: {e['msg']}" for e in error.errors()
        )
        raise ExtractError(f"mapping {path.name} is not usable: {problems}") from error


@lru_cache(maxsize=8)
def load_mappings(folder: Path = MAPPINGS_DIR) -> dict[str, TableMapping]:
    """All mappings of a folder by source id.

    Raises
    ------
    ExtractError
        If two files name the same source, or one is not usable.
    """
    found: dict[str, TableMapping] = {}
    for path in sorted(folder.glob("*.yml")):
        mapping = load_mapping(path)
        if mapping.source in found:
            raise ExtractError(
                f"mapping {path.name}: the source {mapping.source} is already mapped"
            )
        found[mapping.source] = mapping
    return found


def match(path: PurePath, mappings: dict[str, TableMapping] | None = None) -> TableMapping | None:
    """The mapping whose globs a file fits, or ``None``.

    Raises
    ------
    ExtractError
        If several fit: their globs overlap.
    """
    fitting = [m for m in (mappings or load_mappings()).values() if m.takes(path)]
    if len(fitting) > 1:
        raise ExtractError(
            f"{path.name} fits several mappings ({', '.join(m.source for m in fitting)}); "
            "make their file globs narrower"
        )
    return fitting[0] if fitting else None


def sheet_fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a sheet name fits one of the globs, spaces and width ignored."""
    return any(fnmatchcase(column_key(name), column_key(pattern)) for pattern in patterns)
