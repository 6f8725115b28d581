"""City and province names as printed, resolved to GB/T 2260 codes through the recorded crosswalk.

Belongs here: lookups in the seeds ``city_names`` and ``cities``, and the message for a name that
is not there. Does not belong here: guessing. A misprint counts only once it is recorded in the
seed; the nearest names are offered to a person, never used.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from dagster_project.extract.text import normalise_name

SEEDS = Path(__file__).resolve().parents[2] / "dbt" / "seeds"

MUNICIPALITIES = {"北京": "110000", "天津": "120000", "上海": "310000", "重庆": "500000"}
_PROVINCE_SUFFIX = re.compile(r"(壮族自治区|回族自治区|维吾尔自治区|自治区|省|市)$")


@dataclass(frozen=True, slots=True)
class CityName:
    """One row of the crosswalk: a name, the unit it means, and the years in which it means it."""

    name_key: str
    province_code: str
    city_code: str
    valid_from: int | None
    valid_to: int | None
    kind: str
    note: str

    def valid_in(self, year: int | None) -> bool:
        """Whether the name denotes the unit in a data year (always, when no year is given)."""
        if year is None:
            return True
        return (self.valid_from or 0) <= year <= (self.valid_to or 9999)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a printed name stands for: a city code, or the reason why there is none."""

    city_code: str | None
    kind: str | None = None
    reason: str | None = None
    detail: str = ""
    suggestion: str = ""


class Crosswalk:
    """Lookup of printed names.

    Parameters
    ----------
    names : list of CityName
        Rows of the seed ``city_names``.
    provinces : dict
        Province names (full and short) to six-digit province codes.
    official : dict
        City code to official name, for messages.
    """

    def __init__(
        self, names: list[CityName], provinces: dict[str, str], official: dict[str, str]
    ) -> None:
        self._names: dict[str, list[CityName]] = defaultdict(list)
        for name in names:
            self._names[name.name_key].append(name)
        self.provinces = provinces
        self.official = official
        self._answers: dict[tuple[str, str, int | None], Resolution] = {}

    def __contains__(self, name: object) -> bool:
        return normalise_name(name) in self._names

    def province_code(self, name: object) -> str | None:
        """Code of a province name, full or short; None when it is no province."""
        return self.provinces.get(normalise_name(name))

    def resolve(
        self, name: object, *, province: object = None, year: int | None = None
    ) -> Resolution:
        """Resolve one printed name.

        Parameters
        ----------
        name : str
            City name as printed; whitespace, width and footnote marks do not matter.
        province : str, optional
            Province as printed beside it; a contradiction makes the name unresolved.
        year : int, optional
            Data year, checked against the validity of the name.
        """
        key = normalise_name(name)
        question = (key, normalise_name(province), year)
        if question not in self._answers:
            self._answers[question] = self._resolve(key, province, year)
        return self._answers[question]

    def _resolve(self, key: str, province: object, year: int | None) -> Resolution:
        candidates = self._names.get(key, [])
        if not candidates:
            return Resolution(
                None,
                reason="unknown_name",
                detail=f"no city named {key!r} in the crosswalk",
                suggestion=self._suggest(key, province),
            )
        code = self.province_code(province) if province else None
        here = [c for c in candidates if code is None or c.province_code == code]
        if not here:
            found = ", ".join(sorted(self.official[c.city_code] for c in candidates))
            return Resolution(
                None,
                reason="province_mismatch",
                detail=f"{key!r} is {found}, which does not lie in {normalise_name(province)}",
                suggestion="check the province row above it in the sheet",
            )
        valid = [c for c in here if c.valid_in(year)]
        if not valid:
            c = here[0]
            span = f"{c.valid_from or 'before 2000'} to {c.valid_to or 'now'}"
            return Resolution(
                None,
                reason="name_not_valid",
                detail=f"{key!r} denotes {c.city_code} only in the years {span}, not in {year}",
                suggestion="a county-level unit of the same name, or a wrong year",
            )
        codes = {c.city_code for c in valid}
        if len(codes) > 1:
            return Resolution(
                None,
                reason="ambiguous_name",
                detail=f"{key!r} may be any of {', '.join(sorted(codes))}",
                suggestion="print the province beside the name",
            )
        return Resolution(valid[0].city_code, kind=valid[0].kind)

    def _suggest(self, key: str, province: object) -> str:
        code = self.province_code(province) if province else None
        pool = [
            n.name_key
            for rows in self._names.values()
            for n in rows
            if n.kind in ("current", "short") and (code is None or n.province_code == code)
        ]
        near = difflib.get_close_matches(key, pool, n=3, cutoff=0.5)
        record = "record the spelling in dbt/seeds/city_names.csv (kind misprint or former)"
        return (
            f"nearest names: {', '.join(near)}; if it is one of them, {record}"
            if near
            else (f"no near name; if it is a city at prefecture level, {record}")
        )


def _year(text: str) -> int | None:
    return int(text) if text else None


@cache
def load(seeds: Path = SEEDS) -> Crosswalk:
    """The shipped crosswalk (or that of another folder of seeds)."""
    with (seeds / "city_names.csv").open(encoding="utf-8", newline="") as handle:
        names = [
            CityName(
                row["name_key"],
                row["province_code"],
                row["city_code"],
                _year(row["valid_from"]),
                _year(row["valid_to"]),
                row["kind"],
                row["note"],
            )
            for row in csv.DictReader(handle)
        ]
    provinces: dict[str, str] = {}
    official: dict[str, str] = {}
    with (seeds / "cities.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            official[row["city_code"]] = row["name_zh"]
            full = row["province_zh"]
            for name in (full, short_province(full)):
                provinces[name] = row["province_code"]
    for extra, code in (
        ("内蒙", "150000"),
        ("广西自治区", "450000"),
        ("宁夏自治区", "640000"),
        ("新疆自治区", "650000"),
        ("新疆维吾尔族自治区", "650000"),
        ("台湾省", "710000"),
        ("香港特别行政区", "810000"),
        ("澳门特别行政区", "820000"),
    ):
        provinces[extra] = code
    return Crosswalk(names, provinces, official)


def short_province(name: str) -> str:
    """Province name without its suffix: 内蒙古自治区 gives 内蒙古."""
    return _PROVINCE_SUFFIX.sub("", name)


def resolve_frame(observations: pd.DataFrame, crosswalk: Crosswalk | None = None) -> pd.DataFrame:
    """Distinct printed city names of a frame of observations with what each resolves to.

    Parameters
    ----------
    observations : DataFrame
        In ``OBSERVATION_SCHEMA``; only rows of section ``prefecture`` are looked at.

    Returns
    -------
    DataFrame
        Columns ``entity_printed, province_printed, data_year, city_code, kind, reason, detail,
        suggestion``, one row per distinct name, province and year.
    """
    crosswalk = crosswalk or load()
    keys = ["entity_printed", "province_printed", "data_year"]
    distinct = observations.loc[observations["section"] == "prefecture", keys].drop_duplicates()
    rows = []
    for name, province, year in distinct.itertuples(index=False, name=None):
        known = None if pd.isna(province) else province
        found = crosswalk.resolve(name, province=known, year=None if pd.isna(year) else int(year))
        answer = (found.city_code, found.kind, found.reason, found.detail, found.suggestion)
        rows.append((name, known, year, *answer))
    columns = [*keys, "city_code", "kind", "reason", "detail", "suggestion"]
    return pd.DataFrame(rows, columns=columns)
