"""Printed text made comparable: names, indicator headers, units and numbers of Chinese tables.

Belongs here: pure functions from one printed cell to a normal form, shared by every table reader.
Does not belong here: where a cell stands in a sheet (its reader), which indicator a header means
(the registry seed) or which city a name means (the crosswalk seed). No library does this for
bilingual yearbook headers, hence our own.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from dagster_project.extract.units import unit_key

__all__ = [
    "Header",
    "Parsed",
    "Scope",
    "cell_name",
    "column_letter",
    "fold",
    "indicator_key",
    "join_keys",
    "normalise_name",
    "parse_header",
    "parse_number",
    "printed",
    "split_marks",
    "unit_key",
]

Scope = Literal["city", "districts", "unspecified"]

# Footnote marks must go before width folding: NFKC would turn a circled one into the digit 1.
_CIRCLED = "①-⑳⑴-⒇❶-❿⓪"
_MARKS = re.compile(rf"[{_CIRCLED}*＊†‡§]+|[¹²³⁰-⁹]+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2028-\u202e\u2060\ufeff\u00ad]")
_SPACE = re.compile(r"\s+")
_CJK = re.compile(r"[\u3400-\u9fff〇]")

_MISSING = frozenset(
    {
        *("", ".", "..", "...", "....", "......", "·", "··", "···"),
        *("-", "--", "---", "―", "――", "_", "__", "~", "〇", "#", "##", "/", "//", "\\"),
        *("n/a", "na", "n.a.", "nan", "null", "none", "缺失", "暂无", "缺", "空"),
    }
)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－─━", "-"))

_PLAIN = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d+)?|[+-]?\.\d+")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_THIN_GROUPED = re.compile("[+-]?[1-9]\\d{0,2}(?:[\u00a0\u2007\u2009\u202f]\\d{3})+(?:\\.\\d+)?")
_SCIENTIFIC = re.compile(r"[+-]?\d(?:\.\d+)?[eE][+-]?\d{1,3}")
_NUMBERED_NOTE = re.compile(r"(?P<body>\S.*?)\s+(?:\(?[a-e\d]\)|\[[a-e\d]\])$")
_SHEET_ERROR = re.compile(r"#(?:N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!)", re.IGNORECASE)

# What a scanner makes of a digit. Only for a suggestion to a person, never for a value.
_LOOKALIKE = str.maketrans(
    {
        **dict.fromkeys("OoQDＯ", "0"),
        **dict.fromkeys("lI|!i", "1"),
        **dict.fromkeys("Zz", "2"),
        **dict.fromkeys("Ss", "5"),
        **dict.fromkeys("Gb", "6"),
        **dict.fromkeys("T", "7"),
        **dict.fromkeys("B", "8"),
        **dict.fromkeys("gq", "9"),
    }
)


def fold(text: object) -> str:
    """Width and compatibility forms folded (NFKC), invisible characters removed, ends stripped."""
    raw = _INVISIBLE.sub("", "" if text is None else str(text))
    return unicodedata.normalize("NFKC", raw).strip()


def split_marks(text: object) -> tuple[str, str]:
    """Text without footnote marks, and the marks that were removed (in order).

    Superscripts and circled numbers count as marks, and so do stars and daggers; a superscript
    that belongs to a unit (km², m³) does not.
    """
    raw = _INVISIBLE.sub("", "" if text is None else str(text))
    raw = re.sub(r"(?<=[mM米])([²³])", lambda m: "2" if m.group(1) == "²" else "3", raw)
    return _MARKS.sub("", raw), "".join(_MARKS.findall(raw))


@lru_cache(maxsize=1 << 16)  # the same few hundred names stand in every table
def normalise_name(text: object) -> str:
    """An entity's name as the crosswalk spells its key: no whitespace, no marks, half width.

    ``"  北 京 市① "`` gives ``"北京市"``. Nothing else is changed: suffixes such as 市 stay,
    because dropping them is a decision that the crosswalk records.
    """
    body, _ = split_marks(text)
    return _SPACE.sub("", fold(body)).strip(":;,.、。·")


@lru_cache(maxsize=1 << 14)
def column_letter(column: int) -> str:
    """Spreadsheet letters of a 1-based column number: 1 is A, 27 is AA."""
    if column < 1:
        raise ValueError(f"column numbers start at 1, got {column}")
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def cell_name(row: int, column: int) -> str:
    """A1 notation of a 1-based row and column."""
    return f"{column_letter(column)}{row}"


def printed(cell: object) -> str:
    """A cell as text, whole floats without the decimal that only the file format adds."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one cell holds.

    Attributes
    ----------
    kind : "number", "missing" or "noise"
        ``noise`` is text that should be a number and is not; it is never guessed into one.
    value : float or None
        Only for numbers.
    note : str
        What was taken off a number (a footnote mark, a percent sign).
    suggestion : str
        Only for noise: what the cell may have been, for a person to check on the printed page.
    """

    kind: Literal["number", "missing", "noise"]
    value: float | None = None
    note: str = ""
    suggestion: str = ""


_MISSING_CELL = Parsed("missing")


def parse_number(cell: object) -> Parsed:
    """Read one cell as number, missing mark or noise.

    Accepted as numbers: numeric cells; text with ASCII or full-width digits, a sign (any dash), a
    decimal point, thousands groups of exactly three digits divided by a comma or a thin space,
    scientific notation, a trailing percent or per-mille sign, footnote marks. Missing: blanks,
    dashes, dots, ``…``, ``#`` alone. Everything else is noise.
    """
    if type(cell) is float and math.isfinite(cell):  # nearly every cell
        return Parsed("number", cell)
    if cell is None or cell == "":
        return _MISSING_CELL
    if isinstance(cell, bool | dt.date | dt.time | dt.timedelta):
        return Parsed(
            "noise",
            suggestion=f"the cell is stored as {type(cell).__name__}, not as a number: "
            "change the cell's type in the workbook, or look the number up",
        )
    if isinstance(cell, int | float):
        return Parsed("number", float(cell)) if math.isfinite(cell) else _MISSING_CELL
    raw = str(cell)
    if _PLAIN.fullmatch(raw):  # nearly every cell of a clean file
        return Parsed("number", float(raw))
    if not raw or raw.isspace():
        return _MISSING_CELL
    if _SHEET_ERROR.fullmatch(raw.strip()):
        return Parsed(
            "noise",
            suggestion=f"spreadsheet error {raw.strip()}: repair the formula in the workbook",
        )
    body, marks = split_marks(raw)
    if _THIN_GROUPED.fullmatch(body.strip(" \t\r\n")):
        body = re.sub("[\u00a0\u2007\u2009\u202f]", "", body)
    text = fold(body).translate(_DASHES).strip(" '`\t")
    notes = [f"footnote mark {marks} removed"] if marks else []
    if text.casefold() in _MISSING or (text and not set(text) - set("-.·…_#")):
        return Parsed("missing", note="; ".join(notes))
    numbered = _NUMBERED_NOTE.fullmatch(text)
    if numbered and _is_number(numbered["body"]):
        notes.append(f"footnote mark {text[len(numbered['body']) :].strip()} removed")
        text = numbered["body"]
    if text[-1:] in "%‰" and _is_number(text[:-1].rstrip()):
        notes.append(f"{text[-1]} sign removed")
        text = text[:-1].rstrip()
    if _is_number(text):
        return Parsed("number", float(text.replace(",", "")), note="; ".join(notes))
    return Parsed("noise", suggestion=_suggest(text))


def _is_number(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text) or _GROUPED.fullmatch(text) or _SCIENTIFIC.fullmatch(text))


def _suggest(text: str) -> str:
    check = "compare with the printed page and correct the cell"
    if "£" in text or "\ufffd" in text:
        return f"one character could not be read by the scanner; {check}"
    if not re.search(r"\d", text):
        return f"no number can be made out; {check}"
    plain = text.translate(_LOOKALIKE)
    guesses = []
    if _is_number(plain):
        guesses.append(plain)
    if ")" in plain or "(" in plain:
        guesses.append(re.sub(r"[()]", "1", plain))
    guesses.append(re.sub(r"[^\d.-]", "", plain).lstrip("0") if "." not in plain else "")
    guesses.append(re.sub(r"[^\d.-]", "", plain))
    guesses.append(re.sub(r"[^\d]", "", plain))
    seen: list[str] = []
    for guess in guesses:
        if _PLAIN.fullmatch(guess) and guess not in seen:
            seen.append(guess)
    if seen:
        return f"perhaps {' or '.join(seen[:2])}; {check}"
    return f"no number can be made out; {check}"


@dataclass(frozen=True, slots=True)
class Header:
    """One header cell taken apart.

    Attributes
    ----------
    key : str
        Chinese part without whitespace, units, scope and English; English when there is no Chinese
        and the cell is not a translation-only row (see ``chinese``).
    unit : str
        Unit as printed (empty when none), ``unit_key`` its normal form.
    scope : str or None
        ``city`` or ``districts`` when the cell says so.
    chinese : bool
        Whether the cell has any Chinese character.
    """

    key: str
    unit: str
    unit_key: str
    scope: Scope | None
    chinese: bool


_SCOPES: dict[str, Scope] = {
    **dict.fromkeys(["全市", "全地区", "全市域", "全区域", "totalcity", "wholecity"], "city"),
    **dict.fromkeys(
        ["市辖区", "市区", "其中:市辖区", "districtsundercity", "cityproper", "urbandistricts"],
        "districts",
    ),
}
# In editions of the early 2000s a column pair reads 地区 | 市区. Alone, 地区 is an ordinary word.
_SCOPE_LEAVES: dict[str, Scope] = {"地区": "city", "city": "city"}

_BRACKET = re.compile(r"\(([^()]*)\)")
_ENGLISH = re.compile(r"[A-Za-z][A-Za-z0-9 \t.,;:'’`&/%+\-]*")
_ENUMERATION = re.compile(
    r"^(?:[一二三四五六七八九十]+、|\([一二三四五六七八九十\d]+\)|\d+[.、](?!\d))"
)
_OF_WHICH = re.compile(r"^(?:#|其中[:：]?)")


def parse_header(text: object) -> Header:
    """Take a header cell apart into key, unit and scope.

    ``"地区生产总值（当年价格）\\n（亿元） Gross Regional Product (100 million yuan)"`` gives key
    ``地区生产总值(当年价格)`` and unit 亿元.
    """
    body, _ = split_marks(text)
    folded = _SPACE.sub(" ", fold(body))
    chinese = bool(_CJK.search(folded))
    unit = unit_normal = ""
    scope: Scope | None = None

    def bracket(match: re.Match[str]) -> str:
        nonlocal unit, unit_normal, scope
        inner = match.group(1).strip()
        compact = _SPACE.sub("", inner).casefold()
        if compact in _SCOPES:
            scope = scope or _SCOPES[compact]
            return " "
        known = unit_key(inner)
        if known:
            # the Chinese unit wins over its translation, whichever comes first
            if not unit or (_CJK.search(inner) and not _CJK.search(unit)):
                unit, unit_normal = inner, known
            return " "
        if chinese and not _CJK.search(inner) and re.search(r"[a-z]{3}", inner):
            return " "
        parts = re.split(r"[,;、]", inner)  # (当年价格,万元): the unit beside another remark
        units = [part for part in parts if unit_key(part)]
        if len(units) == 1 and len(parts) > 1 and not unit:
            unit, unit_normal = units[0].strip(), unit_key(units[0])
            return "(" + ",".join(part for part in parts if not unit_key(part)) + ")"
        return match.group(0)

    stripped = _BRACKET.sub(bracket, folded)
    stated = re.search(r"(?:计量)?单位\s*[::]\s*(\S+(?:\s+\d+\s+\S+)?)", stripped)
    if stated:
        inner = stated.group(1)
        if unit_key(inner):
            unit, unit_normal = inner, unit_key(inner)
        stripped = stripped.replace(stated.group(0), " ")  # several units are the unit of none
    if chinese:
        stripped = _ENGLISH.sub(_drop_translation, stripped)
    compact = _SPACE.sub("", stripped)
    compact = _OF_WHICH.sub("", _ENUMERATION.sub("", compact))
    compact = re.sub(r"^\d{4}年(?=.)", "", compact).strip(":;,.、。·/-")
    if compact.casefold() in _SCOPES:
        scope, compact = _SCOPES[compact.casefold()], ""
    elif chinese:
        for word in ("全市", "市辖区"):
            if compact.startswith(word + "/"):
                scope, compact = _SCOPES[word], compact[len(word) + 1 :]
    if compact and unit_key(compact) and not unit:  # a unit row without brackets: 万元 | 10000 yuan
        unit, unit_normal, compact = compact, unit_key(compact), ""
    return Header(compact, unit, unit_normal, scope, chinese)


_ACRONYM = r"[A-Z][A-Z0-9&.]*"


def _drop_translation(match: re.Match[str]) -> str:
    """Remove a run of English words; keep an acronym that touches the Chinese (R&D, 人均GDP)."""
    run = match.group(0)
    before, after = match.string[: match.start()], match.string[match.end() :]
    glued_before = bool(before) and bool(_CJK.match(before[-1]) or before[-1] == "(")
    glued_after = bool(after) and bool(_CJK.match(after) or after[0] == ")")
    if not re.search(r"[a-z]{2,}", run):
        return run if glued_before or (glued_after and not run.endswith(" ")) else " "
    first = re.match(rf"{_ACRONYM}(?=\s|$)", run) if glued_before else None
    last = re.search(rf"(?:^|(?<=\s)){_ACRONYM}$", run) if glued_after else None
    return f"{first[0] if first else ''} {last[0] if last else ''}"


def leaf_scope(text: object) -> Scope | None:
    """Scope of a lowest header cell, where 地区 beside 市区 means the whole city."""
    header = parse_header(text)
    return header.scope or _SCOPE_LEAVES.get(header.key.casefold())


def join_keys(keys: Iterable[str]) -> str:
    """Levels of a header path as one key: empty and repeated levels dropped, joined by ``/``."""
    path: list[str] = []
    for key in keys:
        if key and (not path or path[-1] != key):
            path.append(key)
    return "/".join(path)


def indicator_key(path: str | Sequence[object]) -> str:
    """Normal spelling of a header path, the key of the indicator registry.

    Parameters
    ----------
    path : str or sequence of str
        One header cell, or the cells from the top level down. A level that only translates the one
        above it (no Chinese at all) is dropped when any level has Chinese.
    """
    cells: list[object] = [path] if isinstance(path, str) else list(path)
    headers = [parse_header(cell) for cell in cells]
    if any(h.chinese and h.key for h in headers):
        headers = [h for h in headers if h.chinese]
    return join_keys(h.key for h in headers)
