"""Which edition a table belongs to, and the year that its data describe.

Belongs here: evidence from folder, file name, title and the caller, and the error when they
disagree. Does not belong here: reading cells. Edition E reports data year E - 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from dagster_project.extract.schema import ExtractError
from dagster_project.extract.text import fold

FIRST_EDITION, LAST_EDITION = 1985, 2099

_YEAR = r"(?:19[89]\d|20\d{2})"
_EDITION = re.compile(
    rf"(?<!\d)({_YEAR})年?(?:版|edition|\s*年鉴)|(?<!\d)({_YEAR})年?[^\d年]{{0,4}}城市统计年鉴"
    rf"|年鉴\s*[-_—(（]?\s*({_YEAR})(?!\d)",
    re.IGNORECASE,
)
_DATA_YEAR = re.compile(
    rf"(?<!\d)({_YEAR})\s*年(?!鉴|版|不变|固定|基期|价|可比|为|以|起|及|前|后|=)"
)
# 1985-2023: the years that a collection holds, no statement about one edition
_SPAN = re.compile(rf"(?<!\d)({_YEAR})\s*年?\s*[-‐‑–—―~至到]+\s*(?!\1)({_YEAR})(?!\d)\s*年?")
_EITHER = re.compile(rf"({_YEAR})\s*年")
_BARE = re.compile(rf"(?<!\d)({_YEAR})(?!\d)")
_DATA_BRACKET = re.compile(rf"[(（]\s*({_YEAR})\s*[)）]")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement of the edition: where it stands, what it says.

    ``other`` is the second reading of a statement that has two: a folder ``2014年`` may mean the
    yearbook of 2014 or the data of 2014.
    """

    where: str
    edition: int
    other: int | None = None


def from_path(relative: PurePath) -> list[Evidence]:
    """Editions that the folders and the name of a file state.

    A bare year in a folder or at the start of a file name is an edition; ``2020年`` in a name with
    more to it is a data year and so means edition 2021. A folder ``2020年`` may mean either, and
    the span of a collection (``1985-2023``) states none.
    """
    found: list[Evidence] = []
    for folder in relative.parts[:-1]:
        either = _EITHER.fullmatch(fold(folder))
        if either:
            found.append(Evidence(f"folder {folder!r}", int(either[1]), int(either[1]) + 1))
            continue
        found += [Evidence(f"folder {folder!r}", year) for year in _editions(folder)]
    name = relative.stem if relative.suffix else relative.name
    found += [Evidence(f"file name {relative.name!r}", year) for year in _editions(name)]
    return found


def _editions(text: str) -> set[int]:
    folded = _SPAN.sub(" ", fold(text))
    stated = {int(y) for m in _EDITION.finditer(folded) for y in m.groups() if y}
    rest = _EDITION.sub(" ", folded)
    data = {int(y) + 1 for y in _DATA_YEAR.findall(rest)}
    if stated or data:
        return stated | data
    return {int(y) for y in _BARE.findall(rest)}


def from_title(lines: Iterable[str]) -> list[Evidence]:
    """Editions that the lines above a table imply: ``中国2020年…``, ``(2009年)``, ``2021年鉴``."""
    found: list[Evidence] = []
    for line in lines:
        folded = fold(line)
        for match in _EDITION.finditer(folded):
            year = next(int(y) for y in match.groups() if y)
            found.append(Evidence(f"title {folded!r}", year))
        rest = _EDITION.sub(" ", folded)
        years = {int(y) for y in _DATA_YEAR.findall(rest)} | {
            int(y) for y in _DATA_BRACKET.findall(rest)
        }
        found += [Evidence(f"title {folded!r}", year + 1) for year in sorted(years)]
    return found


def agree(evidence: list[Evidence], subject: str) -> int:
    """The one edition that all evidence states.

    Raises
    ------
    ExtractError
        If there is none, or if statements disagree; the message lists each with its place.
    """
    editions = {e.edition for e in evidence if e.other is None}
    either = [e for e in evidence if e.other is not None]
    if either and not editions:
        raise ExtractError(
            f"{subject}: the edition is not clear: {either[0].where} may mean edition "
            f"{either[0].edition} or the data of {either[0].edition}, which edition "
            f"{either[0].other} reports. Name the folder by its edition, e.g. {either[0].edition}"
        )
    editions |= {e.edition for e in either if not editions <= {e.edition, e.other}}
    if not editions:
        raise ExtractError(
            f"{subject}: no edition in folder, file name or title. Put the file into a folder "
            "named by its edition, for example yearbook/2021/ (edition 2021 reports data year 2020)"
        )
    if len(editions) > 1:
        said = "; ".join(
            f"{e.where} says edition {e.edition} (data year {e.edition - 1})"
            for e in dict.fromkeys(evidence)
        )
        raise ExtractError(
            f"{subject}: the edition is not clear: {said}. Move the file to the right folder or "
            "correct its name; edition E reports data year E - 1"
        )
    edition = editions.pop()
    if not FIRST_EDITION <= edition <= LAST_EDITION:
        raise ExtractError(
            f"{subject}: {edition} is no edition of the yearbook (first edition {FIRST_EDITION})"
        )
    return edition
