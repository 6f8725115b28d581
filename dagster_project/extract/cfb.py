"""How far the sheets of a binary workbook (.xls) reach, read without building them.

Belongs here: just enough of the compound file format (MS-CFB) and of BIFF records (MS-XLS) to know
the rectangle of each sheet before a parser allocates it. Does not belong here: cell values (the
reader uses calamine). No installed library looks at the extents without loading the sheets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from dagster_project.extract.schema import ExtractError

_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FREE, _END = 0xFFFFFFFF, 0xFFFFFFFE

# record types: MS-XLS 2.3
_BOF, _EOF, _FILEPASS = {0x0809, 0x0409, 0x0209, 0x0009}, 0x000A, 0x002F
_DIMENSIONS, _BOUND_SHEET, _SHARED_STRINGS = 0x0200, 0x0085, 0x00FC
_MOST_SHEETS = 1000
_SINGLE_CELL = {0x0006, 0x0201, 0x0203, 0x0204, 0x0205, 0x00D6, 0x00FD, 0x027E, 0x0002, 0x0003}
_SINGLE_CELL |= {0x0004, 0x0005, 0x0001, 0x0206, 0x0406}
_MULTI_CELL = {0x00BD, 0x00BE}  # MULRK, MULBLANK: first and last column


class _Compound:
    """Streams of a compound file, by following sector chains that may not loop."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name
        if len(data) < 512 or data[:8] != _MAGIC:
            raise self._damaged("no compound file header")
        self.sector = 1 << struct.unpack_from("<H", data, 30)[0]
        self.mini = 1 << struct.unpack_from("<H", data, 32)[0]
        if self.sector not in (512, 4096) or self.mini != 64:
            raise self._damaged("impossible sector size")
        first_directory, cutoff, first_mini, _, first_difat, _ = struct.unpack_from(
            "<I4xIIIII", data, 48
        )
        fat_sectors = [s for s in struct.unpack_from("<109I", data, 76) if s < _END - 1]
        budget = len(data) // self.sector + 1
        while first_difat < _END - 1 and budget:
            entries = struct.unpack(f"<{self.sector // 4}I", self._sector(first_difat))
            fat_sectors += [s for s in entries[:-1] if s < _END - 1]
            first_difat, budget = entries[-1], budget - 1
        self.fat: list[int] = []
        for number in fat_sectors[: len(data) // self.sector + 1]:
            self.fat += struct.unpack(f"<{self.sector // 4}I", self._sector(number))
        self.cutoff = cutoff
        self.entries: dict[str, tuple[int, int]] = {}
        directory = self._chain(first_directory)
        root_start = _END
        for at in range(0, len(directory) - 127, 128):
            length = struct.unpack_from("<H", directory, at + 64)[0]
            kind = directory[at + 66]
            title = directory[at : at + max(length - 2, 0)].decode("utf-16-le", "replace")
            start, size = struct.unpack_from("<IQ", directory, at + 116)
            if kind == 5:
                root_start = start
            elif kind == 2:
                self.entries.setdefault(title.casefold(), (start, size & 0xFFFFFFFF))
        self.mini_fat: list[int] = []
        self.mini_stream = b""
        if first_mini < _END - 1:
            raw = self._chain(first_mini)
            self.mini_fat = list(struct.unpack(f"<{len(raw) // 4}I", raw))
            self.mini_stream = self._chain(root_start)

    def _damaged(self, what: str) -> ExtractError:
        return ExtractError(f"{self.name}: damaged .xls file ({what}); save it again as .xlsx")

    def _sector(self, number: int) -> bytes:
        at = (number + 1) * self.sector
        block = self.data[at : at + self.sector]
        if len(block) < self.sector:
            block = block.ljust(self.sector, b"\x00") if block else b""
        if not block:
            raise self._damaged(f"sector {number} lies behind the end")
        return block

    def _chain(self, start: int) -> bytes:
        blocks: list[bytes] = []
        number = start
        while number < _END - 1:
            if len(blocks) > len(self.fat) or number >= len(self.fat):
                raise self._damaged("a sector chain loops")
            blocks.append(self._sector(number))
            number = self.fat[number]
        return b"".join(blocks)

    def stream(self, title: str) -> bytes | None:
        if title not in self.entries:
            return None
        start, size = self.entries[title]
        if size >= self.cutoff:
            return self._chain(start)[:size]
        blocks: list[bytes] = []
        number = start
        while number < _END - 1:
            if number >= len(self.mini_fat) or len(blocks) > len(self.mini_fat):
                raise self._damaged("a short stream's chain loops")
            blocks.append(self.mini_stream[number * 64 : number * 64 + 64])
            number = self.mini_fat[number]
        return b"".join(blocks)[:size]


def xls_extents(path: Path) -> list[tuple[int, int]]:
    """Rows and columns that the cells of each sheet span, in file order (0, 0 for empty sheets).

    Raises
    ------
    ExtractError
        If the file is damaged, protected by a password, or another kind of Office document.
    """
    return _extents(workbook_stream(path), path.name)


def workbook_stream(path: Path) -> bytes:
    """The BIFF records of a binary workbook.

    Raises
    ------
    ExtractError
        As :func:`xls_extents`.
    """
    compound = _Compound(path.read_bytes(), path.name)
    if "encryptedpackage" in compound.entries:
        raise ExtractError(
            f"{path.name}: protected by a password; save it without one and drop it again"
        )
    book = compound.stream("workbook") or compound.stream("book")
    if book is None:
        raise ExtractError(
            f"{path.name}: an Office document without a workbook in it (perhaps Word or "
            "PowerPoint); save the table as .xlsx"
        )
    return book


def records(book: bytes, at: int = 0) -> Iterator[tuple[int, int, int]]:
    """Type, place and length of each record; the place is that of its first byte of content.

    The last record of a file that was cut off is as long as what is left of it.
    """
    while at + 4 <= len(book):
        kind, length = struct.unpack_from("<HH", book, at)
        yield kind, at + 4, min(length, len(book) - at - 4)
        at += 4 + length


def _extents(book: bytes, name: str) -> list[tuple[int, int]]:
    """Extents of the parts that follow one another, and of sheets that lie elsewhere.

    The parser jumps to where the list of sheets says that each begins; a wrong length before that
    place would hide a sheet from a walk that only goes on from record to record.
    """
    begun: set[int] = set()
    sheets: set[int] = set()
    extents = _walk(book, name, 0, begun, sheets)
    if len(sheets) > _MOST_SHEETS:
        raise ExtractError(f"{name}: {len(sheets):,} sheets, the limit is {_MOST_SHEETS:,}")
    for start in sorted(sheets - begun):
        extents += _walk(book, name, start, begun, set(), one=True)
    return extents


def _walk(
    book: bytes, name: str, start: int, begun: set[int], sheets: set[int], *, one: bool = False
) -> list[tuple[int, int]]:
    extents: list[tuple[int, int]] = []
    rows = columns = depth = 0
    for kind, at, length in records(book, start):
        if kind in _BOF:
            begun.add(at - 4)
            depth += 1
            if depth == 1:
                rows = columns = 0
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                extents.append((rows, columns))
                depth = 0
                if one:
                    return extents
        elif kind == _BOUND_SHEET and length >= 4:
            sheets.add(struct.unpack_from("<I", book, at)[0])
        elif kind == _SHARED_STRINGS and length >= 8:
            # the parser reserves room for so many texts; none is shorter than three bytes
            texts = struct.unpack_from("<I", book, at + 4)[0]
            if 3 * texts > len(book):
                raise ExtractError(
                    f"{name}: damaged .xls file (it declares {texts:,} texts); save it again as "
                    ".xlsx"
                )
        elif kind == _FILEPASS:
            raise ExtractError(
                f"{name}: protected by a password; save it without one and drop it again"
            )
        elif kind == _DIMENSIONS and length >= 10 and depth:
            # the parser reserves this rectangle before it sees a cell
            if length >= 14:
                first, last, left, right = struct.unpack_from("<IIHH", book, at)
            else:
                first, last, left, right = struct.unpack_from("<HHHH", book, at)
            if last > 65536 or right > 256 or first > last or left > right:
                raise ExtractError(
                    f"{name}: damaged .xls file (a sheet declares rows {first} to {last}, columns "
                    f"{left} to {right}); save it again as .xlsx"
                )
            rows, columns = max(rows, last), max(columns, right)
        elif length >= 4 and kind in _SINGLE_CELL and depth:
            row, column = struct.unpack_from("<HH", book, at)
            rows, columns = max(rows, row + 1), max(columns, column + 1)
        elif length >= 6 and kind in _MULTI_CELL and depth:
            row = struct.unpack_from("<H", book, at)[0]
            last = struct.unpack_from("<H", book, at + length - 2)[0]
            rows, columns = max(rows, row + 1), max(columns, last + 1)
    return extents
