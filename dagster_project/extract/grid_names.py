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

_DAY = r"((?:19|20)\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])?"
# 201501-201512, 20150101-20151231: a range of months or days
_MONTHS = re.compile(rf"(?<!\d){_DAY}[-_]{_DAY}(?!\d)")
# 201612, 20161231 on its own: one month or day (after a letter it is a creation date)
_ONE_MONTH = re.compile(rf"(?<![0-9A-Za-z]){_DAY}(?!\d)")
# 2016-12, 2016_12, 2016.12.31; not 2016-2017, 2016_0.1deg or 2016_10km (a resolution)
_YEAR_AND_MONTH = re.compile(
    r"(?<!\d)(?:19[5-9]|20\d)\d[-_.](?:0[1-9]|1[0-2])(?!\d|k?m(?![a-z])|x\d)", re.IGNORECASE
)
# A year of its own: not part of FT2022 (the release of EDGAR), not of c20220530 (a creation date).
_YEAR = re.compile(r"(?<![0-9A-Za-z])((?:19[5-9]|20[0-9])\d)(?![0-9])")
_DMSP = re.compile(r"(?<![0-9A-Za-z])F1\d((?:19|20)\d{2})(?!\d)")  # satellite and year: F182013
_EDGAR_YEAR_IN_RELEASE = re.compile(r"EDGAR_(?:19|20)\d{2}_GHG", re.IGNORECASE)
# What follows the year in a name: TOTALS, a sector (ENE, TNR_Aviation_CDS, IPCC_1A1a), or nothing.
_EDGAR_AFTER_YEAR = re.compile(r"_(?:19|20)\d{2}(?=[_. (]|$)(.*)")
_EDGAR_PLAIN = frozenset(("", "emi", "flx", "nc", "nc4", "annual", "1x0", "total", "totals"))
_EDGAR_MONTH = re.compile(r"_(?:19|20)\d{2}_(0?[1-9]|1[0-2])(?=_)")
_IPCC_CODE = re.compile(r"(?<![0-9A-Za-z])\d[A-Z](?:\d[a-z]*)?(?![0-9A-Za-z])")
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
    "pm25": re.compile(
        r"(V\d+[A-Z]{2}\d+(?:\.\d+)*|V\d+\.GL\.\d+|E?CHAP(?=_)|GlobalGWR\w*?(?=_))", re.IGNORECASE
    ),
    "nightlights": re.compile(
        r"(VNL_v\d+|VNL(?=_npp)|v4[a-z](?=_web)|F1\d(?=\d{4})|Harmonized)", re.IGNORECASE
    ),
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
        first, month, day, last, last_month, last_day = months.groups()
        # the first VIIRS composite begins in April 2012, with the satellite
        begins = (month, day or "01") == ("01", "01") or (kind, first) == ("nightlights", "2012")
        if first != last or not begins or (last_month, last_day or "31") != ("12", "31"):
            raise ExtractError(
                f"{name}: {kind} expects one calendar year per file, but the name says "
                f"{months.group(0)}; drop the annual file instead"
            )
        return int(first)
    # EDGAR writes months in other forms too, see _check_edgar
    month = _YEAR_AND_MONTH.search(stem) if kind in ("pm25", "nightlights") else None
    if month:
        raise _not_annual(name, kind, month.group(0))
    years = {int(y) for y in _DMSP.findall(stem)} or {int(y) for y in _YEAR.findall(stem)}
    if len(years) > 1:
        raise ExtractError(
            f"{name}: the file name holds several years ({', '.join(map(str, sorted(years)))}); "
            "rename it so that it holds one"
        )
    month = _ONE_MONTH.search(stem)
    if not years and month and kind != "elevation":
        raise _not_annual(name, kind, month.group(0))
    return years.pop() if years else None


def _not_annual(name: str, kind: str, said: str) -> ExtractError:
    return ExtractError(
        f"{name}: {kind} expects one calendar year per file, but the name says {said}, a month or "
        "day; drop the annual file instead"
    )


def grid_release(name: str, kind: str) -> str:
    """The release that a file name states, e.g. ``v8.0_FT2022`` or ``V6GL02.02``; else empty."""
    found = _RELEASES[kind].search(name)
    return found.group(1) if found else ""


def check_product(name: str, kind: str) -> None:
    """Refuse files of the same family that hold something else.

    Raises
    ------
    ExtractError
        For EDGAR files of another substance, of one sector only, or of biogenic CO2; PM2.5 without
        dust or sea salt; layers of night lights that are no mean brightness (numbers of
        observations, masks, extremes), and those that still hold fires and background noise.
    """
    if kind == "edgar_co2":
        _check_edgar(name)
    without = re.search(r"No(?:Dust|Salt)", name) if kind == "pm25" else None
    if without:
        raise ExtractError(
            f"{name}: PM2.5 without dust or sea salt ({without[0]}); expected the file of all PM2.5"
        )
    if kind == "nightlights":
        _check_lights(name)


_NOT_BRIGHTNESS = re.compile(
    r"(?<![A-Za-z])(cf_cvg|cvg|lit_mask|pct_lights|maximum|minimum|median(?:_masked)?)(?![A-Za-z])"
)
# F182013.v4c_web.avg_vis.tif: satellite, year and version 4 of DMSP-OLS
_DMSP_PRODUCT = re.compile(r"(?<![0-9A-Za-z])F1\d(?:19|20)\d{2}[._]v4", re.IGNORECASE)
_VNL_RAW = re.compile(r"(?<![A-Za-z])average(?!_masked)", re.IGNORECASE)


def _check_lights(name: str) -> None:
    layer = _NOT_BRIGHTNESS.search(name)
    if layer:
        raise ExtractError(
            f"{name}: the layer {layer[1]} is no mean brightness; expected average_masked (VIIRS) "
            "or stable_lights.avg_vis (DMSP)"
        )
    if _DMSP_PRODUCT.search(name) and "stable_lights" not in name.lower():
        raise ExtractError(
            f"{name}: a DMSP layer with fires and background noise, or of shares; expected the "
            "stable lights: bring the file F..stable_lights.avg_vis.tif of the same year"
        )
    if re.search(r"(?<![A-Za-z])VNL(?![A-Za-z])", name) and _VNL_RAW.search(name):
        raise ExtractError(
            f"{name}: the VIIRS average with fires and background noise; expected the masked one: "
            "bring the file VNL_..average_masked.dat.tif of the same year"
        )


def _check_edgar(name: str) -> None:
    if re.search(r"org_short[-_ ]?cycle|(?<!excl)_short[-_ ]?cycle", name) and "excl" not in name:
        raise ExtractError(f"{name}: short-cycle (biogenic) CO2; expected fossil CO2")
    other = _OTHER_SUBSTANCE.search(name)
    if other and not re.search(r"(?<![0-9A-Za-z])CO2(?![0-9A-Za-z])", name):
        raise ExtractError(
            f"{name}: the name says {other.group(1)}, but this folder is for CO2; "
            "move the file out of the folder"
        )
    stem = _EDGAR_YEAR_IN_RELEASE.sub("", name)
    month = _EDGAR_MONTH.search(stem)
    if month:
        raise ExtractError(f"{name}: the name says month {month[1]}; expected the annual file")
    if "TOTALS" in name:
        return
    rest = _EDGAR_AFTER_YEAR.search(stem)
    words = re.split(r"[_. ()-]+", rest.group(1)) if rest else []
    parts = [w for w in words if w.lower() not in _EDGAR_PLAIN and not w.isdigit()]
    code = _IPCC_CODE.search(name)
    if parts or code:
        what = "_".join(parts) if parts else str(code and code[0])
        raise ExtractError(
            f"{name}: holds the sector {what} only; expected the TOTALS file (if it is the total "
            "of all sectors, write TOTALS into its name)"
        )
