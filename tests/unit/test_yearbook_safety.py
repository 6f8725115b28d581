"""Hostile landing files: each is refused before a parser sees it, with the limit it broke."""

from __future__ import annotations

import os
import random
import time
import zipfile

import openpyxl
import pytest
import xlwt

from dagster_project.extract.cfb import xls_extents
from dagster_project.extract.safety import (
    Limits,
    UnsafeFileError,
    check_archive,
    check_name,
    check_path,
    check_workbook,
    escape_formula,
)
from dagster_project.extract.schema import ExtractError
from dagster_project.extract.table_open import open_table
from dagster_project.extract.yearbook import read_file
from tests.unit.yearbook_books import write_book

ROWS = [["2-1 人口（万人）", ""], ["城市", "年末总人口"], ["北京市", 1], ["天津市", 2]]


@pytest.fixture
def good(tmp_path):
    return write_book(tmp_path / "yearbook" / "2010" / "2-1.xlsx", ROWS)


def rewrite(path, target, part, change):
    """Copy a workbook with one of its parts changed."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name == part else data)
    return target


SHEET = "xl/worksheets/sheet1.xml"


def test_a_good_workbook_passes(good, tmp_path):
    check_path(good, tmp_path)
    assert check_workbook(good) == "xlsx"
    xls = write_book(tmp_path / "a.xls", ROWS)
    assert check_workbook(xls) == "xls"
    # the ending does not matter, the content does
    assert check_workbook(xls.rename(tmp_path / "b.xlsx")) == "xls"


def test_zip_bomb_by_ratio_and_by_size(tmp_path):
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SHEET, b"0" * (20 * 1024 * 1024))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(UnsafeFileError, match="zip bomb"):
        check_workbook(bomb)
    with pytest.raises(UnsafeFileError, match="unpacks to 20 MiB, the limit is 10 MiB"):
        check_archive(bomb, Limits(ratio=10**9, unpacked_bytes=10 * 1024 * 1024))


def test_too_many_members_and_double_members(tmp_path):
    path = tmp_path / "many.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(30):
            archive.writestr(f"xl/{n}.xml", b"<a/>")
    with pytest.raises(UnsafeFileError, match="30 members"):
        check_archive(path, Limits(entries=20))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/a.xml", b"<a/>")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("xl/a.xml", b"<b/>")
    with pytest.raises(UnsafeFileError, match="twice"):
        check_archive(path)


@pytest.mark.parametrize("name", ["../evil.xml", "xl/../../evil.xml", "/etc/evil.xml"])
def test_members_that_point_out_of_the_archive(tmp_path, name):
    path = tmp_path / "slip.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"<a/>")
    with pytest.raises(UnsafeFileError, match="points out of the archive"):
        check_archive(path)


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/styles.xml"])
def test_entity_expansion(good, tmp_path, part):
    laughs = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    evil = rewrite(good, tmp_path / "laughs.xlsx", part, lambda d: laughs + d.split(b"?>", 1)[-1])
    with pytest.raises(UnsafeFileError, match="document type or entities"):
        check_workbook(evil)
    result = read_file(evil, relative_to=tmp_path)
    assert result.observations.empty
    assert "document type or entities" in result.rejects.iloc[0]["detail"]


def test_a_stray_cell_in_the_last_corner(tmp_path):
    book = openpyxl.Workbook()
    book.active["A1"] = 1
    book.active["XFD1048576"] = 1
    path = tmp_path / "corner.xlsx"
    book.save(path)
    with pytest.raises(UnsafeFileError, match="row 1,048,576 and column 16,384"):
        check_workbook(path)


def test_formats_far_from_the_table_do_no_harm(tmp_path):
    """Only cells with content take memory; real files carry formatted rows to the very end."""
    book = openpyxl.Workbook()
    book.active["A1"] = 1
    book.active.row_dimensions[1048576].height = 20
    book.active["XFD1048576"].number_format = "0.00"
    path = tmp_path / "formats.xlsx"
    book.save(path)
    assert check_workbook(path) == "xlsx"


def test_cells_without_references_are_counted(good, tmp_path):
    far = b'<row r="1048576">' + b"<c><v>1</v></c>" * 300 + b"</row></sheetData>"
    evil = rewrite(good, tmp_path / "x.xlsx", SHEET, lambda d: d.replace(b"</sheetData>", far))
    with pytest.raises(UnsafeFileError, match="column 300"):
        check_workbook(evil)


@pytest.mark.parametrize("junk", [b"<c " * 400_000, b"<c " + b'r="A1" ' * 200_000, b"<" * 10**6])
def test_the_check_itself_cannot_be_made_endless(good, tmp_path, junk):
    evil = rewrite(good, tmp_path / "x.xlsx", SHEET, lambda d: d + junk)
    started = time.perf_counter()
    check_workbook(evil, Limits(ratio=10**6))
    assert time.perf_counter() - started < 3


def test_a_quoted_bracket_cannot_hide_a_far_cell(good, tmp_path):
    hidden = b'<row r="9"><c x=">" r="XFD1048576"><v>1</v></c></row></sheetData>'
    evil = rewrite(good, tmp_path / "x.xlsx", SHEET, lambda d: d.replace(b"</sheetData>", hidden))
    with pytest.raises(UnsafeFileError, match="malformed cell"):
        check_workbook(evil)


def test_sheets_together(tmp_path):
    sheets = {f"s{n}": [[1] * 10 for _ in range(10)] for n in range(5)}
    path = write_book(tmp_path / "a.xlsx", sheets)
    check_workbook(path, Limits(cells=500))
    with pytest.raises(UnsafeFileError, match="together span 500 cells"):
        check_workbook(path, Limits(cells=499))


def test_extents_of_binary_workbooks(tmp_path):
    book = xlwt.Workbook()
    book.add_sheet("empty")
    sheet = book.add_sheet("a")
    sheet.write(2, 6, "北京")
    other = book.add_sheet("b")
    other.write(65535, 255, 3)
    path = tmp_path / "a.xls"
    book.save(str(path))
    assert xls_extents(path) == [(0, 0), (0, 0), (3, 7), (65536, 256)]
    with pytest.raises(UnsafeFileError, match="row 65,536 and column 256"):
        check_workbook(path)


def test_damaged_binary_workbooks(tmp_path):
    path = write_book(tmp_path / "a.xls", [[n, "x" * 50] for n in range(400)])
    data = bytearray(path.read_bytes())
    loop = bytes(data)
    # the allocation table stands in the sector that the header names: make every chain a loop
    fat = (int.from_bytes(loop[76:80], "little") + 1) * 512
    data[fat : fat + 512] = b"\x01\x00\x00\x00" * 128
    path.write_bytes(bytes(data))
    with pytest.raises(ExtractError, match="damaged"):
        check_workbook(path)
    path.write_bytes(loop[:3000])
    with pytest.raises(ExtractError, match=r"a\.xls"):
        read_file(path, relative_to=tmp_path, edition_hint="2010", strict=True)


def test_protected_workbook(good, tmp_path):
    flagged = bytearray(good.read_bytes())
    at = flagged.find(b"PK\x01\x02")
    flagged[at + 8] |= 1
    path = tmp_path / "locked.xlsx"
    path.write_bytes(bytes(flagged))
    with pytest.raises(ExtractError, match="password"):
        check_workbook(path)


def test_links_out_of_the_folder(tmp_path):
    outside = tmp_path / "outside" / "secret.xlsx"
    write_book(outside, ROWS)
    root = tmp_path / "landing"
    (root / "yearbook" / "2010").mkdir(parents=True)
    link = root / "yearbook" / "2010" / "2-1.xlsx"
    link.symlink_to(outside)
    with pytest.raises(UnsafeFileError, match="outside the landing folder"):
        check_path(link, root)
    result = read_file(link, relative_to=root)
    assert result.observations.empty
    assert result.rejects.iloc[0]["reason"] == "unsafe"
    dangling = root / "gone.xlsx"
    dangling.symlink_to(root / "nothing")
    with pytest.raises(UnsafeFileError, match="cannot be opened"):
        check_path(dangling, root)
    circle = root / "circle.xlsx"
    circle.symlink_to(circle)
    with pytest.raises(UnsafeFileError, match="cannot be opened"):
        check_path(circle, root)
    with pytest.raises(UnsafeFileError, match="does not lie in"):
        check_path(root / ".." / "outside" / "secret.xlsx", root)


def test_pipes_and_large_files(tmp_path):
    pipe = tmp_path / "pipe.xlsx"
    os.mkfifo(pipe)
    with pytest.raises(UnsafeFileError, match="not a regular file"):
        check_path(pipe, tmp_path)
    large = tmp_path / "large.xlsx"
    large.write_bytes(b"0" * 2048)
    with pytest.raises(UnsafeFileError, match="on disk"):
        check_path(large, tmp_path, Limits(file_bytes=1024))


@pytest.mark.parametrize("name", ["a\nb.xlsx", "a\x00.xlsx", "..", "a/b.xlsx", "a\\b.xlsx",
                                  "inv\u202excod.xlsx", "\u200bа.xlsx", "", "x" * 300])  # fmt: skip
def test_odd_names(name):
    with pytest.raises(UnsafeFileError):
        check_name(name)


def test_ordinary_names_pass():
    for name in ("2-1 人口数（全市）.xlsx", "2024年 中国城市统计年鉴.xls", "a b.csv"):
        check_name(name)


@pytest.mark.parametrize("text", ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1",
                                  "\r=1", " =1", "＝1", "=HYPERLINK(\"x\")", "-abc"])  # fmt: skip
def test_formulas_become_text(text):
    assert escape_formula(text) == "'" + text


@pytest.mark.parametrize("value", ["北京市", "-1.5", "+3", "-", "-12%", "1e-3", "", None, 5, -2.5,
                                   "a=b"])  # fmt: skip
def test_plain_values_stay_as_they_are(value):
    assert escape_formula(value) == value


def test_cached_value_of_a_formula_is_read_and_nothing_runs(tmp_path):
    """A formula without a cached value is a blank cell, not a computed number."""
    rows = [*ROWS, ["唐山市", "=1+1"]]
    path = write_book(tmp_path / "yearbook" / "2010" / "2-1.xlsx", rows)
    result = read_file(path, relative_to=tmp_path)
    assert result.observations["entity_printed"].tolist() == ["北京市", "天津市"]


@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_damaged_bytes_end_in_a_report_and_never_in_a_crash(tmp_path, suffix):
    path = write_book(tmp_path / "yearbook" / "2010" / f"2-1{suffix}", ROWS)
    whole = path.read_bytes()
    rng = random.Random(11)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 5, 50])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data))]
        path.write_bytes(bytes(data))
        result = read_file(path, relative_to=tmp_path)
        assert len(result.files) >= 1
        if result.files.iloc[0]["status"] == "rejected":
            refused += 1
            assert not result.rejects.empty
            assert "2-1" in result.rejects.iloc[0]["detail"]
    assert refused > 10


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_corrupt_member_is_a_clear_refusal_however_it_is_packed(good, tmp_path, method):
    """Each packing fails by an error of its own; none may leave the check as such."""
    packed = good.with_name("packed.xlsx")
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(packed, "w", method) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        sheet = target.getinfo("xl/worksheets/sheet1.xml")
    start = sheet.header_offset + 30 + len(sheet.filename)
    whole = packed.read_bytes()
    # from the fifth byte on: the first ones of LZMA name a version that nobody reads
    for place in range(4, sheet.compress_size, max(sheet.compress_size // 12, 1)):
        data = bytearray(whole)
        data[start + place] ^= 0xFF
        packed.write_bytes(data)
        with pytest.raises(ExtractError, match=r"packed\.xlsx: .*sheet1\.xml.* (damaged|unpacks)"):
            check_workbook(packed)
        with pytest.raises(ExtractError, match="packed"):
            open_table(packed, tmp_path)
        report = read_file(packed, relative_to=tmp_path)
        assert report.observations.empty
        assert report.files["status"].tolist() == ["rejected"]
        assert "sheet1.xml" in report.files["reason"].iloc[0]


def test_a_binary_sheet_that_declares_a_huge_rectangle(tmp_path):
    """The parser reserves the declared rectangle at once: 343 GB for this one changed byte."""
    path = write_book(tmp_path / "yearbook" / "2010" / "2-1.xls", ROWS)
    data = bytearray(path.read_bytes())
    record = data.index(b"\x00\x02\x0e\x00")  # DIMENSIONS, 14 bytes
    data[record + 4] = 0xCE  # first row after the last one
    path.write_bytes(bytes(data))
    with pytest.raises(ExtractError, match="declares rows 206 to"):
        check_workbook(path)
