"""The indicator registry: printed headers to canonical codes, units and ranges.

Belongs here: lookups in the seeds ``indicators``, ``indicator_spellings`` and ``unit_conversions``,
candidates for headers that map to nothing, and which headers map twice. Does not belong here:
changing observations; the warehouse joins the same seeds in SQL.
"""

from __future__ import annotations

import csv
import difflib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from dagster_project.extract.crosswalk import SEEDS

_LOOKUP = ("source", "indicator_key", "unit_key", "scope", "data_year")


class RegistryError(Exception):
    """The registry contradicts itself."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One canonical indicator; ``low`` and ``high`` bound plausible values in ``unit``."""

    indicator: str
    label_zh: str
    label_en: str
    unit: str
    low: float
    high: float
    studies: tuple[str, ...]
    definition: str
    scope: str


@dataclass(frozen=True, slots=True)
class Spelling:
    """One printed spelling in one unit. An empty scope means any; years are data years.

    An empty ``unit_key`` stands for a header that prints no unit at all: its numbers are in the
    indicator's own unit, which is recorded because it cannot be read.
    """

    source: str
    indicator_key: str
    unit_key: str
    scope: str
    indicator: str
    valid_from: int | None
    valid_to: int | None
    note: str
    line: int = 0  # of indicator_spellings.csv, the header being line 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registered spelling near an unmapped header; ``score`` is 1 for the same text.

    ``indicator_key`` is the spelling, or the indicator's Chinese name where that is nearer.
    """

    indicator: str
    indicator_key: str
    score: float
    units: tuple[str, ...]

    @property
    def distance(self) -> float:
        """0 for the same text, 1 for no character in common."""
        return round(1 - self.score, 3)

    def __str__(self) -> str:
        return f"{self.indicator} ({self.indicator_key}, {self.distance:.2f})"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Outcome of one lookup: ``mapped``, ``unmapped``, ``unit_unknown`` (the key is known, but the
    unit cannot be converted) or ``no_unit`` (no unit printed, and none recorded)."""

    status: str
    indicator: str | None = None
    factor: float | None = None


class Registry:
    """The seeds in memory.

    Raises
    ------
    RegistryError
        At construction, with every contradiction found: a spelling of two indicators, a spelling of
        an unknown indicator, a unit that cannot be converted, an empty range.
    """

    def __init__(
        self,
        indicators: list[Indicator],
        spellings: list[Spelling],
        conversions: dict[tuple[str, str], float],
    ) -> None:
        self.indicators = {i.indicator: i for i in indicators}
        self.spellings = spellings
        self.conversions = conversions
        self._index: dict[tuple[str, str], list[Spelling]] = defaultdict(list)
        for spelling in spellings:
            self._index[spelling.source, spelling.indicator_key].append(spelling)
        # The Chinese names, for sources whose spellings stand in a mapping file instead.
        self._names = [
            (i.label_zh, [Spelling("", i.label_zh, i.unit, "", i.indicator, None, None, "name")])
            for i in indicators
        ]
        problems = self._problems(indicators)
        if problems:
            raise RegistryError("the indicator registry is wrong: " + "; ".join(problems))

    def _problems(self, indicators: list[Indicator]) -> list[str]:
        problems = []
        if len(self.indicators) != len(indicators):
            problems.append("an indicator stands twice in indicators.csv")
        for i in indicators:
            if not i.low < i.high:
                problems.append(f"{i.indicator}: empty range {i.low} to {i.high}")
        for (source, key), rows in self._index.items():
            for s in rows:
                known = self.indicators.get(s.indicator)
                if known is None:
                    problems.append(f"{source} {key!r}: unknown indicator {s.indicator!r}")
                elif s.unit_key and self.factor(s.unit_key, known.unit) is None:
                    problems.append(
                        f"{source} {key!r}: no conversion from {s.unit_key} to {known.unit} "
                        f"({s.indicator})"
                    )
            for n, a in enumerate(rows):
                for b in rows[n + 1 :]:
                    overlap = (a.valid_from or 0) <= (b.valid_to or 9999) and (
                        b.valid_from or 0
                    ) <= (a.valid_to or 9999)
                    scopes = not a.scope or not b.scope or a.scope == b.scope
                    if a.unit_key == b.unit_key and overlap and scopes:
                        what = "twice" if a.indicator == b.indicator else "two indicators"
                        problems.append(
                            f"{source} {key!r} ({a.unit_key or 'no unit'}) maps to {what}: "
                            f"{a.indicator} (line {a.line}), {b.indicator} (line {b.line} of "
                            "indicator_spellings.csv); keep one, or tell them apart by scope or "
                            "years"
                        )
        return problems

    def factor(self, unit_from: str, unit_to: str) -> float | None:
        """Multiplier from one unit to another; None when the seed has none."""
        return 1.0 if unit_from == unit_to else self.conversions.get((unit_from, unit_to))

    def lookup(
        self, source: str, key: str, unit: str, scope: str = "", year: int | None = None
    ) -> Mapping:
        """Map one header. ``unit`` is the normal form, empty when none was printed.

        The code of an indicator is a spelling of it in every source: mapping files name it. A unit
        that no spelling lists is accepted if it can be converted. The warehouse follows the same
        rules in SQL (``int_indicator_resolution``).
        """
        rows = [
            s
            for s in self._index.get((source, key), [])
            if (not s.scope or s.scope == scope)
            and (year is None or (s.valid_from or 0) <= year <= (s.valid_to or 9999))
        ]
        if key in self.indicators:
            unit_of = self.indicators[key].unit
            rows.append(Spelling(source, key, unit_of, "", key, None, None, "its own code"))
        if not rows:
            return Mapping("unmapped")
        for s in rows:
            if s.unit_key == unit:
                target = self.indicators[s.indicator].unit
                return Mapping("mapped", s.indicator, self.factor(unit, target) if unit else 1.0)
        known = rows[0].indicator
        factor = self.factor(unit, self.indicators[known].unit) if unit else None
        if factor is not None:
            return Mapping("mapped", known, factor)
        return Mapping("unit_unknown" if unit else "no_unit", known)

    def nearest(self, key: str, *, source: str = "yearbook", n: int = 5) -> list[Candidate]:
        """Registered spellings and names most like a header, best first.

        The score is the share of common characters in order (Ratcliff-Obershelp); the lowest level
        of a nested header is compared on its own too, because parents vary more than leaves.
        """
        leaf = key.rsplit("/", 1)[-1]
        matcher, leaf_matcher = difflib.SequenceMatcher(), difflib.SequenceMatcher()
        matcher.set_seq2(key)
        leaf_matcher.set_seq2(leaf)
        best: dict[str, Candidate] = {}
        pool = [(k, rows) for (origin, k), rows in self._index.items() if origin == source]
        pool += self._names
        for spelling, rows in pool:
            matcher.set_seq1(spelling)
            score = matcher.ratio() if matcher.quick_ratio() > 0.35 else 0.0
            if leaf != key:
                leaf_matcher.set_seq1(spelling.rsplit("/", 1)[-1])
                score = max(score, 0.9 * leaf_matcher.ratio())
            for s in rows:
                if score >= 0.4 and score > best.get(s.indicator, Candidate("", "", 0, ())).score:
                    units = tuple(dict.fromkeys(r.unit_key for r in rows))
                    best[s.indicator] = Candidate(s.indicator, spelling, round(score, 3), units)
        return sorted(best.values(), key=lambda c: (-c.score, c.indicator))[:n]

    def headers(self, observations: pd.DataFrame) -> pd.DataFrame:
        """Distinct headers of a frame of observations with what each maps to.

        Returns
        -------
        DataFrame
            Columns ``source, file, sheet, table_no, section, data_year, indicator_key, scope,
            unit_key, col, cells`` and those of :meth:`judged`.
        """
        keys = ["source", "file", "sheet", "table_no", "section", "data_year", "indicator_key"]
        keys += ["scope", "unit_key", "col"]
        frame = observations[keys].copy()
        for name in ("unit_key", "scope", "indicator_key"):
            frame[name] = frame[name].fillna("")
        counted = frame.groupby(keys, dropna=False, sort=False).size().reset_index(name="cells")
        return self.judged(counted)

    def judged(self, counted: pd.DataFrame) -> pd.DataFrame:
        """Headers, one row each, with ``status``, ``indicator`` and the candidates of the unmapped.

        Parameters
        ----------
        counted : DataFrame
            Columns ``source, indicator_key, unit_key, scope, data_year`` and any others.

        Returns
        -------
        DataFrame
            The same rows with ``status``, ``indicator``, ``nearest`` (indicator), ``distance`` of
            the nearest and ``candidates`` (all of them as text).
        """
        counted = counted.copy()
        heads = list(zip(*(counted[k].tolist() for k in _LOOKUP), strict=True))
        found = [self.lookup(s, k, u, scope, int(y)) for s, k, u, scope, y in heads]
        counted["status"] = [m.status for m in found]
        counted["indicator"] = [m.indicator if m.status == "mapped" else None for m in found]
        hints: dict[tuple[str, str], list[Candidate]] = {}
        for (source, key, *_), mapping in zip(heads, found, strict=True):
            if mapping.status != "mapped" and (source, key) not in hints:
                hints[source, key] = self.nearest(key, source=source)
        near = [
            [] if mapping.status == "mapped" else hints[source, key]
            for (source, key, *_), mapping in zip(heads, found, strict=True)
        ]
        counted["nearest"] = [found[0].indicator if found else None for found in near]
        counted["distance"] = pd.array(
            [found[0].distance if found else None for found in near], dtype="Float64"
        )
        counted["candidates"] = ["; ".join(map(str, found)) for found in near]
        return counted


def twice(heads: pd.DataFrame) -> pd.Series:
    """Whether another header of the same table means the same indicator, scope and year.

    Parameters
    ----------
    heads : DataFrame
        As :meth:`Registry.judged` gives them, with ``file``, ``sheet``, ``table_no``, ``section``.
    """
    keys = ["source", "file", "sheet", "table_no", "section", "data_year", "indicator", "scope"]
    mapped = heads[heads["status"] == "mapped"]
    headers = mapped["indicator_key"] + "|" + mapped["unit_key"]
    count = headers.groupby([mapped[k] for k in keys], dropna=False).transform("nunique")
    return (count > 1).reindex(heads.index, fill_value=False)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@cache
def load(seeds: Path = SEEDS) -> Registry:
    """The shipped registry (or that of another folder of seeds), checked."""
    indicators = [
        Indicator(
            r["indicator"],
            r["label_zh"],
            r["label_en"],
            r["unit"],
            float(r["min"]),
            float(r["max"]),
            tuple(filter(None, r["studies"].split(","))),
            r["definition"],
            r["scope"],
        )
        for r in _rows(seeds / "indicators.csv")
    ]
    spellings = [
        Spelling(
            r["source"],
            r["indicator_key"],
            r["unit_key"],
            r["scope"],
            r["indicator"],
            int(r["valid_from"]) if r["valid_from"] else None,
            int(r["valid_to"]) if r["valid_to"] else None,
            r["note"],
            line,
        )
        for line, r in enumerate(_rows(seeds / "indicator_spellings.csv"), start=2)
    ]
    conversions = {
        (r["unit_from"], r["unit_to"]): float(r["factor"])
        for r in _rows(seeds / "unit_conversions.csv")
    }
    return Registry(indicators, spellings, conversions)


def nearest(indicator_key: str, *, source: str = "yearbook", n: int = 5) -> list[Candidate]:
    """Candidates of the shipped registry for a header that maps to nothing."""
    return load().nearest(indicator_key, source=source, n=n)
