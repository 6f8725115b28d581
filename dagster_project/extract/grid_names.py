"""What the name of a gridded file says: its year, its release, and whether it is the right product.

Belongs here: rules on file names of EDGAR, van Donkelaar PM2.5, night lights and elevation, light
enough to be used while a folder is walked. Does not belong here: opening a file (grid_read.py).
"""

from __future__ import annotations

import re

from dagster_project.extract.schema import ExtractError

GRID_KINDS = ("edgar_co2", "pm25", "nightlights", "elevation")
GRID_SUFFIXES = {
    "edgar_co2": (".nc", ".nc4"),
    "pm25": (".nc", ".nc4", ".tif", ".tiff"),
    "nightlights": (".tif", ".tiff"),
    "elevation": (".tif", ".tiff", ".nc", ".nc4"),
}

# 201501-201512, 2015-01_2015-12: a range of months
_MONTHS = re.compile(
    r"(?<!\d)((?:19|20)\d{2})(0[1-9]|1[0-2])[-_]((?:19|20)\d{2})(0[1-9]|1[0-2])(?!\d)"
)
# A year of its own: not part of FT2022 (the release of EDGAR), not of c20220530 (a creation date).
_YEAR = re.compile(r"(?<![0-9A-Za-z])((?:19[5-9]|20[0-9])\d)(?![0-9])")
_DMSP = re.compile(r"(?<![0-9A-Za-z])F1\d((?:19|20)\d{2})(?!\d)")  # satellite and year: F182013
_EDGAR_YEAR_IN_RELEASE = re.compile(r"EDGAR_(?:19|20)\d{2}_GHG", re.IGNORECASE)
_EDGAR_SECTOR = re.compile(r"_(?:19|20)\d{2}_([A-Z]{3}(?:_[A-Z]{3})*)(?=[_.])")
_OTHER_SUBSTANCE = re.compile(
    r"(?<![0-9A-Za-z])(CH4|N2O|SF6|NF3|CO2bio|GWP|BC|OC|CO|NH3|NMVOC|NOx|PM10|PM2\.5|SO2|Hg|HFC|PFC)"
    r"(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_RELEASES = {
    "edgar_co2": re.compile(
        r"(EDGAR_(?:19|20)\d{2}_GHG|v\d+(?:\.\d+)?_FT(?:19|20)\d{2}|v\d+(?:\.\d+)?)(?![0-9])",
        re.IGNORECASE,
    ),
    "pm25": re.compile(r"(V\d+[A-Z]{2}\d+(?:\.\d+)*|V\d+\.GL\.\d+)", re.IGNORECASE),
    "nightlights": re.compile(r"(VNL_v\d+|v4[a-z](?=_web)|F1\d(?=\d{4}))", re.IGNORECASE),
    "elevation": re.compile(r"(SRTM|GMTED\w*|ASTER|GEBCO|ETOPO\w*|COP-?DEM)", re.IGNORECASE),
}


def grid_year(name: str, kind: str) -> int | None:
    """The year that a file name states; ``None`` where it states none.

    Raises
    ------
    ExtractError
        If the name states several years, or a span of months that is not within one year.
    """
    stem = _EDGAR_YEAR_IN_RELEASE.sub("", name)
    months = _MONTHS.search(stem)
    if months:
        first, _, last, last_month = months.groups()
        if first != last or last_month != "12":
            raise ExtractError(
                f"{name}: {kind} expects one calendar year per file, but the name says "
                f"{months.group(0)}; drop the annual file instead"
            )
        return int(first)
    years = {int(y) for y in _DMSP.findall(stem)} or {int(y) for y in _YEAR.findall(stem)}
    if len(years) > 1:
        raise ExtractError(
            f"{name}: the file name holds several years ({', '.join(map(str, sorted(years)))}); "
            "rename it so that it holds one"
        )
    return years.pop() if years else None


def grid_release(name: str, kind: str) -> str:
    """The release that a file name states, e.g. ``v8.0_FT2022`` or ``V6GL02.02``; else empty."""
    found = _RELEASES[kind].search(name)
    return found.group(1) if found else ""


def check_product(name: str, kind: str) -> None:
    """Refuse files of the same family that hold something else.

    Raises
    ------
    ExtractError
        For EDGAR files of another substance, of one sector only, or of biogenic CO2.
    """
    if kind != "edgar_co2":
        return
    if re.search(r"org_short[-_ ]?cycle|(?<!excl)_short[-_ ]?cycle", name) and "excl" not in name:
        raise ExtractError(f"{name}: short-cycle (biogenic) CO2; expected fossil CO2")
    other = _OTHER_SUBSTANCE.search(name)
    if other and not re.search(r"(?<![0-9A-Za-z])CO2(?![0-9A-Za-z])", name):
        raise ExtractError(
            f"{name}: the name says {other.group(1)}, but this folder is for CO2; "
            "move the file out of the folder"
        )
    sector = _EDGAR_SECTOR.search(name)
    if sector and "TOTALS" not in name:
        raise ExtractError(
            f"{name}: holds the sector {sector.group(1)} only; expected the TOTALS file"
        )
