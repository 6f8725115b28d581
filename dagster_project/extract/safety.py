"""Landing files are hostile until read: limits that are checked before any parser sees a file.

Belongs here: paths that leave the landing folder, archives that explode, sheets that claim to be
enormous, XML that declares entities, and the escaping of text in exported tables. Does not belong
here: whether the content makes sense (the readers). The parsers used do not run formulas or macros.
"""

from __future__ import annotations

import lzma
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dagster_project.extract.cfb import xls_extents
from dagster_project.extract.schema import ExtractError

_MIB = 1024 * 1024
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True)
class Limits:
    """What a landing file may cost. The defaults are some twenty times a whole yearbook.

    Attributes
    ----------
    file_bytes : int
        Size on disk.
    unpacked_bytes, ratio, entries : int
        Archive contents: total size, size over packed size (looked at above 8 MiB), members.
    cells : int
        Rows times columns of the rectangle that a sheet spans, and of all sheets together.
    columns : int
        Columns of a sheet.
    """

    file_bytes: int = 256 * _MIB
    unpacked_bytes: int = 1024 * _MIB
    ratio: int = 250
    entries: int = 4000
    cells: int = 8_000_000
    columns: int = 4096


DEFAULT_LIMITS = Limits()
# what the zip library raises on broken archives, depending on which bytes are wrong
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


class UnsafeFileError(ExtractError):
    """A landing file that is refused before it is parsed. The message says which limit it broke."""


def check_name(name: str) -> None:
    """Refuse file names with path parts, control or invisible direction characters.

    Raises
    ------
    UnsafeFileError
        With the offending character's Unicode name.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise UnsafeFileError(f"{name!r}: a file name may not have path parts; rename the file")
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            label = unicodedata.name(character, f"U+{ord(character):04X}")
            raise UnsafeFileError(
                f"{name!r}: the file name holds the invisible character {label}; rename the file"
            )
    if len(name.encode("utf-8", "surrogatepass")) > 255:
        raise UnsafeFileError(f"{name[:40]!r}…: the file name is longer than 255 bytes; shorten it")


def check_path(path: Path, root: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse anything but a regular file of bearable size that really lies below ``root``.

    Raises
    ------
    UnsafeFileError
        For links that leave the folder, devices and pipes, odd names, and files that are too large.
    """
    try:
        relative = path.relative_to(root)
    except ValueError:
        relative = None
    if relative is None or ".." in relative.parts:
        raise UnsafeFileError(f"{path.name!r}: does not lie in the landing folder {root}")
    for part in relative.parts:
        check_name(part)
    try:
        real, top = path.resolve(strict=True), root.resolve(strict=True)
        info = real.stat()
    except (OSError, RuntimeError) as error:
        raise UnsafeFileError(f"{relative}: cannot be opened ({error}); check the link") from error
    if not real.is_relative_to(top):
        raise UnsafeFileError(
            f"{relative}: is a link to {real}, outside the landing folder; copy the file instead"
        )
    if not stat.S_ISREG(info.st_mode):
        raise UnsafeFileError(f"{relative}: is not a regular file (device, pipe or folder)")
    if info.st_size > limits.file_bytes:
        raise UnsafeFileError(
            f"{relative}: {info.st_size / _MIB:.0f} MiB on disk, the limit for a table file is "
            f"{limits.file_bytes / _MIB:.0f} MiB; split the file"
        )
    if info.st_size == 0:
        raise UnsafeFileError(f"{relative}: the file is empty (0 bytes); download it again")


def check_workbook(path: Path, limits: Limits = DEFAULT_LIMITS) -> str:
    """Check an Excel workbook before it is parsed, by content and not by file ending.

    Returns
    -------
    str
        ``"xlsx"`` for zip workbooks, ``"xls"`` for the older binary format.

    Raises
    ------
    UnsafeFileError
        If the archive or a sheet breaks a limit, or XML declares entities or a document type.
    ExtractError
        If the file is no Excel workbook; the message says what it looks like.
    """
    with path.open("rb") as handle:
        head = handle.read(512)
    if head.startswith(_OLE):
        check_xls(path, limits)
        return "xls"
    if not head.startswith(_ZIP):
        raise ExtractError(f"{path.name}: not an Excel workbook; {_looks_like(head)}")
    check_archive(path, limits)
    total = 0
    with zipfile.ZipFile(path) as archive:  # opened before, in check_archive
        names = archive.namelist()
        if not any(n.startswith("xl/") for n in names):
            raise ExtractError(
                f"{path.name}: a zip archive, but no xlsx workbook in it; unpack it first, or save "
                "the table as .xlsx"
            )
        for name in names:
            parsed = name.startswith(("xl/", "_rels/", "[Content_Types]"))
            if parsed and name.endswith((".xml", ".rels", ".vml")):
                rows, columns = _scan_xml(archive, name, path.name, limits)
                total += rows * columns
    if total > limits.cells:
        raise UnsafeFileError(
            f"{path.name}: its sheets together span {total:,} cells, the limit is "
            f"{limits.cells:,}; split the workbook"
        )
    return "xlsx"


def check_archive(path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse zip bombs: declared sizes, packing ratio, number and names of members.

    Raises
    ------
    UnsafeFileError, ExtractError
        With the figure and the limit, or when the archive is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _DAMAGE as error:
        raise ExtractError(
            f"{path.name}: damaged or incomplete file ({error}); download it again"
        ) from error
    if len(members) > limits.entries:
        raise UnsafeFileError(
            f"{path.name}: {len(members):,} members in the archive, the limit is {limits.entries:,}"
        )
    seen: set[str] = set()
    total = 0
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if ".." in parts or member.filename.startswith(("/", "\\")):
            raise UnsafeFileError(
                f"{path.name}: the archive member {member.filename!r} points out of the archive"
            )
        if member.filename in seen:
            raise UnsafeFileError(f"{path.name}: the archive holds {member.filename!r} twice")
        seen.add(member.filename)
        if member.flag_bits & 0x1:
            raise ExtractError(
                f"{path.name}: protected by a password; save it without one and drop it again"
            )
        total += member.file_size
        packed = max(member.compress_size, 1)
        if member.file_size > 8 * _MIB and member.file_size / packed > limits.ratio:
            raise UnsafeFileError(
                f"{path.name}: {member.filename} unpacks to {member.file_size / packed:.0f} times "
                f"its size (limit {limits.ratio}): a zip bomb, or a sheet of endless blank rows"
            )
    if total > limits.unpacked_bytes:
        raise UnsafeFileError(
            f"{path.name}: unpacks to {total / _MIB:.0f} MiB, the limit is "
            f"{limits.unpacked_bytes / _MIB:.0f} MiB; split the workbook"
        )


# Attributes of cells with content (an empty cell, only a format, takes no place in memory). No
# pattern here can backtrack, so that a file cannot make the check itself endless.
_FILLED = re.compile(rb"<(?:\w+:)?c((?:\s[^<>]*)?)>(?!\s*</)")
_REFERENCE = re.compile(rb"""\sr=["']([A-Z]{1,3})(\d{1,7})["']""")
_ROW_OR_CELL = re.compile(rb"<(?:\w+:)?(row|c)((?:\s[^<>]*)?)>")
_ROW_NUMBER = re.compile(rb"""\sr=["'](\d{1,7})["']""")
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def _number(letters: bytes) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column


def _chunks(archive: zipfile.ZipFile, name: str, size: int) -> Iterator[bytes]:
    with archive.open(name) as member:
        while block := member.read(size):
            yield block


def _scan_xml(archive: zipfile.ZipFile, name: str, file: str, limits: Limits) -> tuple[int, int]:
    """Scan one XML part in blocks; returns the rectangle that its cells span (0, 0 if none)."""
    is_sheet = name.startswith("xl/worksheets/") and name.endswith(".xml")
    tail = b""
    read = rows = columns = row = place = 0
    counted = False
    declared = archive.getinfo(name).file_size
    try:
        for block in _chunks(archive, name, _MIB):
            read += len(block)
            if read > max(declared, 1) or read > limits.unpacked_bytes:
                raise UnsafeFileError(f"{file}: {name} unpacks to more than it declares")
            text = tail + block
            if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise UnsafeFileError(f"{file}: {name} is not UTF-8; save the workbook again")
            if _DECLARATION.search(text):
                raise UnsafeFileError(
                    f"{file}: {name} declares a document type or entities, which no spreadsheet "
                    "program writes; the file is refused"
                )
            if is_sheet:
                filled = [a for a in _FILLED.findall(text) if not a.endswith(b"/")]
                references = _REFERENCE.findall(b"\n".join(filled))
                if references:
                    rows = max(rows, max(int(digits) for _, digits in references))
                    columns = max(columns, *(_number(a) for a in {a for a, _ in references}))
                if len(references) < len(filled):
                    counted = True
                    if any(a.count(b'"') % 2 or a.count(b"'") % 2 for a in filled):
                        raise UnsafeFileError(f"{file}: {name} has a malformed cell; save it again")
                # cells without a reference take the next place, so rows and cells are counted
                for tag in _ROW_OR_CELL.finditer(text) if counted else ():
                    if tag.group(1) == b"row":
                        number = _ROW_NUMBER.search(tag.group(2))
                        row, place = int(number.group(1)) if number else row + 1, 0
                    else:
                        place += 1
                        rows, columns = max(rows, row), max(columns, place)
                if rows * columns > limits.cells or columns > limits.columns:
                    raise UnsafeFileError(
                        f"{file}: sheet part {name} reaches to row {rows:,} and column "
                        f"{columns:,}; the limits are {limits.cells:,} cells and "
                        f"{limits.columns:,} columns. Delete the stray cells far from the table"
                    )
            tail = text[max(text.rfind(b"<"), len(text) - 4096) :]
    except _DAMAGE as error:
        raise ExtractError(f"{file}: {name} is damaged ({error}); download it again") from error
    return rows, columns


def check_xls(path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Check a binary workbook: the rectangle that the cells of each sheet span.

    Raises
    ------
    UnsafeFileError
        If a sheet, or all of them together, span more cells than the limit.
    ExtractError
        If the file is damaged, encrypted, or another kind of Office document.
    """
    total = 0
    for rows, columns in xls_extents(path):
        total += rows * columns
        if total > limits.cells or columns > limits.columns:
            raise UnsafeFileError(
                f"{path.name}: a sheet reaches to row {rows:,} and column {columns:,}, all sheets "
                f"together span {total:,} cells; the limit is {limits.cells:,}. Delete the stray "
                "cells far from the table"
            )


def _looks_like(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"%pdf"):
        return "it is a PDF document: export its tables to .xlsx"
    if start.startswith((b"<!doctype html", b"<html", b"<table", b"<meta")):
        return "it is a web page saved under a workbook's name: open it in Excel, save as .xlsx"
    if start.startswith(b"<?xml"):
        return "it is an XML file (perhaps Excel 2003 XML): open it in Excel, save as .xlsx"
    if start.startswith(b"rar!"):
        return "it is a RAR archive: unpack it first"
    if start.startswith((b"7z\xbc\xaf", b"\x1f\x8b")):
        return "it is a packed archive: unpack it first"
    if not start:
        return "the file is empty or blank: download it again"
    if b"\x00" not in head:
        return "it looks like plain text: save it as .xlsx, or put it under tables/ as .csv"
    return "its first bytes are neither xlsx nor xls: open it in Excel and save as .xlsx"


_FORMULA_START = re.compile(r"^[\s\u200b\ufeff]*[=+\-@＝＋－＠]")
_PLAIN_NUMBER = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?%?$")


def escape_formula(value: object) -> object:
    """Text that a spreadsheet program would run as a formula, made into plain text.

    A leading apostrophe goes before text that begins (after blanks) with ``= + - @``, their
    full-width forms, a tab or a carriage return. Numbers, also as text (``-1.5``), a dash alone and
    everything that is no text are returned as they are. Rule: OWASP, CSV Injection.
    """
    if not isinstance(value, str) or not value:
        return value
    if value[0] in "\t\r\n" or (
        _FORMULA_START.match(value)
        and not _PLAIN_NUMBER.match(value.strip())
        and value.strip() not in ("-", "--", "---")
    ):
        return "'" + value
    return value
