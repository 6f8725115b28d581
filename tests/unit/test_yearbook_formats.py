"""Formats of workbooks: percent cells, binary records, csv, files named for what they are not."""

from __future__ import annotations

import re
import zipfile

import pytest

from dagster_project.extract.yearbook import read_file
from tests.unit.yearbook_books import PLAIN, write_book


def test_percent_formatted_cells_give_what_is_shown(tmp_path):
    import openpyxl

    rows = [["2-8 构成", "", ""], ["城市", "第一产业比重(%)", "年末总人口(万人)"],
            ["北京市", 0.123, 5], ["天津市", 0.07, 6], ["上海市", "8.5%", 7]]  # fmt: skip
    path = write_book(tmp_path / "yearbook" / "2010" / "2-8.xlsx", rows)
    book = openpyxl.load_workbook(path)
    book.active["B3"].number_format = "0.0%"
    book.active["B4"].number_format = '0"%"'  # a literal sign: 0.07 is 0.07 %
    book.save(path)
    frame = read_file(path, relative_to=tmp_path).observations
    shares = frame[frame["unit_key"] == "%"]
    assert shares["value"].tolist() == [12.3, 0.07, 8.5]
    assert shares["value_printed"].tolist() == ["12.3%", "0.07", "8.5%"]
    assert "stored as 0.123" in shares.iloc[0]["note"]
    assert frame.loc[frame["unit_key"] == "万人", "value"].tolist() == [5, 6, 7]


@pytest.mark.parametrize("stripped", [r'(<c) r="[A-Z]+\d+"', r'(<(?:c|row)) r="[A-Z]*\d+"'])
def test_percent_formats_of_cells_that_do_not_state_their_place(tmp_path, stripped):
    import openpyxl

    rows = [["2-8 构成", None, None], ["城市", "第一产业比重(%)", "年末总人口(万人)"],
            ["北京市", 0.123, 5], ["天津市", 0.07, 6], ["上海市", 0.085, 7]]  # fmt: skip
    plain = write_book(tmp_path / "plain.xlsx", [["" if c is None else c for c in r] for r in rows])
    book = openpyxl.load_workbook(plain)
    for row in (3, 4, 5):
        book.active[f"B{row}"].number_format = "0.0%"
    book.save(plain)
    path = tmp_path / "yearbook" / "2010" / "2-8.xlsx"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.startswith("xl/worksheets/"):
                content = re.sub(stripped, r"\1", content.decode()).encode()
            new.writestr(name, content)
    frame = read_file(path, relative_to=tmp_path).observations
    assert frame.loc[frame["unit_key"] == "%", "value"].tolist() == [12.3, 7.0, 8.5]
    assert frame.loc[frame["unit_key"] == "万人", "value"].tolist() == [5, 6, 7]


def test_percent_formats_of_the_binary_workbook(tmp_path):
    import xlwt

    book = xlwt.Workbook()
    sheets = [book.add_sheet("封面"), book.add_sheet("2-8")]
    sheets[0].write(0, 0, "中国城市统计年鉴")
    for row, cells in enumerate([["2-8 构成"], ["城市", "第一产业比重(%)", "第二产业比重(%)"]]):
        for column, text in enumerate(cells):
            sheets[1].write(row, column, text)
    styles = [xlwt.easyxf(num_format_str=f) for f in ("0.00%", "0.000%", '0"%"', "0.00")]
    for row, (city, style) in enumerate(zip(("北京市", "天津市", "上海市", "重庆市"), styles), 2):
        sheets[1].write(row, 0, city)
        sheets[1].write(row, 1, 0.123, style)
        sheets[1].write(row, 2, 1, style)  # neighbours in one style may share a record
    path = tmp_path / "yearbook" / "2010" / "2-8.xls"
    path.parent.mkdir(parents=True)
    book.save(str(path))
    frame = read_file(path, relative_to=tmp_path).observations
    first, second = (frame[frame["col"] == c]["value"].tolist() for c in (2, 3))
    assert first == [12.3, 12.3, 0.123, 0.123]
    assert second == [100.0, 100.0, 1.0, 1.0]


def test_binary_workbooks_cut_off_anywhere_end_in_a_report(tmp_path):
    cities = ["北京市", "天津市", "上海市", "重庆市"]
    rows = [["城市", *(f"甲{n}(人)" for n in range(6))], *([c, 1, 2, 3, 4, 5, 6] for c in cities)]
    path = write_book(tmp_path / "yearbook" / "2010" / "2-1.xls", rows)
    whole = path.read_bytes()
    for end in range(512, len(whole), 97):
        path.write_bytes(whole[:end])
        result = read_file(path, relative_to=tmp_path)
        assert set(result.files["status"]) <= {"rejected", "read"}


def test_sizes_that_a_wrong_record_length_hides_are_checked_all_the_same(tmp_path):
    """The parser jumps to the sheet: it would reserve 172 GB for the rectangle found there."""
    path = write_book(tmp_path / "yearbook" / "2010" / "2-1.xls", PLAIN)
    data = bytearray(path.read_bytes())
    sheet = data.index(b"\x00\x02\x0e\x00")  # DIMENSIONS, 14 bytes
    data[sheet + 5] = 0xA3  # first row after the last one
    texts = data.index(b"\xfc\x00")  # SST, in the part before the sheets
    stretched = data.copy()
    stretched[texts + 2 : texts + 4] = b"\xff\x7f"
    path.write_bytes(stretched)
    assert "declares rows" in read_file(path, relative_to=tmp_path).files.loc[0, "reason"]
    data = bytearray(write_book(path, PLAIN).read_bytes())
    data[texts + 8 : texts + 12] = b"\xff\xff\xff\x7f"  # number of texts
    path.write_bytes(data)
    assert "2,147,483,647 texts" in read_file(path, relative_to=tmp_path).files.loc[0, "reason"]


def test_numbers_formatted_as_dates_are_rejected_not_read(tmp_path):
    import openpyxl

    path = write_book(tmp_path / "yearbook" / "2010" / "2-1.xlsx", PLAIN)
    book = openpyxl.load_workbook(path)
    book.active.cell(4, 2).number_format = "yyyy-mm-dd"
    book.save(path)
    result = read_file(path, relative_to=tmp_path)
    assert len(result.observations) == 3
    assert result.rejects["cell"].tolist() == ["B4"]
    assert "stored as" in result.rejects.loc[0, "suggestion"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_table_saved_as_csv(tmp_path, encoding):
    path = tmp_path / "yearbook" / "2010" / "2-1 人口.csv"
    path.parent.mkdir(parents=True)
    text = "2-1 人口,,\n单位：万人\n城市,年末总人口,\n,全市,市辖区\n"
    text += '北京市,"1,180.7",12.5\n天津市,9,…\n'
    path.write_bytes(text.encode(encoding))
    result = read_file(path, relative_to=tmp_path)
    assert result.observations["value"].tolist() == [1180.7, 12.5, 9.0]
    assert result.observations["scope"].tolist() == ["city", "districts", "city"]
    assert set(result.observations["unit_key"]) == {"万人"}


@pytest.mark.parametrize(("written", "named"), [("xlsx", "xls"), ("xls", "xlsx"), ("xls", "et")])
def test_workbooks_are_read_by_their_content(tmp_path, written, named):
    path = write_book(tmp_path / "yearbook" / "2010" / f"2-1.{written}", PLAIN)
    path = path.rename(path.with_suffix(f".{named}"))
    assert len(read_file(path, relative_to=tmp_path).observations) == 4
