"""Where the edition comes from, and files that are refused or read in part."""

from __future__ import annotations

import pytest

from dagster_project.extract.schema import ExtractError
from dagster_project.extract.yearbook import read_edition, read_file
from tests.unit.yearbook_books import PLAIN, read, write_book


def test_edition_from_each_place(tmp_path):
    rows = [["中国2009年地级以上城市数据", "", ""], *PLAIN]
    for folder, name in (("yearbook", "2-1.xlsx"), ("yearbook/2010", "2-1.xlsx"),
                         ("yearbook", "2010_2-1.xlsx"), ("yearbook", "中国城市统计年鉴2010.xlsx"),
                         ("yearbook", "2009年 人口.xlsx")):  # fmt: skip
        path = write_book(tmp_path / folder / name, rows)
        frame = read_file(path, relative_to=tmp_path).observations
        assert set(frame["release"]) == {"2010"}, name
        assert set(frame["data_year"]) == {2009}


@pytest.mark.parametrize(
    ("folder", "name", "rows", "said"),
    [
        ("2011", "2010_2-1.xlsx", PLAIN, ["folder '2011' says edition 2011", "edition 2010"]),
        ("2010", "2-1.xlsx", [["2-1 人口(2010年)"], *PLAIN], ["title", "edition 2011"]),
        ("2010", "2-1 2012年鉴.xlsx", PLAIN, ["edition 2012"]),
        ("2014年/2012", "2-1.xlsx", PLAIN, ["edition 2014", "edition 2012"]),
    ],
)
def test_disagreeing_editions_are_an_error_that_says_so(tmp_path, folder, name, rows, said):
    path = write_book(tmp_path / "yearbook" / folder / name, rows)
    result = read_file(path, relative_to=tmp_path)
    assert result.observations.empty
    assert result.files.iloc[0]["status"] == "rejected"
    for words in ["edition is not clear", "edition E reports data year E - 1", *said]:
        assert words in result.rejects.iloc[0]["detail"]


def test_a_folder_that_may_mean_edition_or_data_year(tmp_path):
    path = write_book(tmp_path / "yearbook" / "2014年" / "2-1.xlsx", PLAIN)
    detail = read_file(path, relative_to=tmp_path).rejects.iloc[0]["detail"]
    assert "may mean edition 2014 or the data of 2014, which edition 2015 reports" in detail
    for title, year in (("2-1 人口(2013年)", 2013), ("2-1 人口(2014年)", 2014)):
        rows = [[title, "", ""], *PLAIN]
        path = write_book(tmp_path / "yearbook" / "2014年" / f"{year} 年.xlsx", rows)
        path = path.rename(path.with_name("2-1.xlsx"))
        assert set(read_file(path, relative_to=tmp_path).observations["data_year"]) == {year}


@pytest.mark.parametrize(
    "folder", ["中国城市统计年鉴1985-2023", "2001至2023年", "1999—2022年鉴合集"]
)
def test_the_span_of_a_collection_is_no_edition(tmp_path, folder):
    path = write_book(tmp_path / "yearbook" / folder / "2010" / "2-1.xlsx", PLAIN)
    assert set(read_file(path, relative_to=tmp_path).observations["release"]) == {"2010"}
    path = write_book(tmp_path / "yearbook" / folder / "2-1.xlsx", PLAIN)
    assert "no edition in folder" in read_file(path, relative_to=tmp_path).files.loc[0, "reason"]


def test_a_price_base_in_the_title_is_no_edition(tmp_path):
    for price in ("2005年不变价格", "2000年固定价格", "2005年=100"):
        rows = [[f"2-1 地区生产总值（按{price}）", ""], ["城市", f"{price}地区生产总值(亿元)"],
                ["北京市", 1], ["天津市", 2]]  # fmt: skip
        frame = read(tmp_path, rows).observations
        assert set(frame["release"]) == {"2010"}
        assert set(frame["data_year"]) == {2009}


def test_no_edition_and_hint(tmp_path):
    path = write_book(tmp_path / "yearbook" / "2-1.xlsx", PLAIN)
    result = read_file(path, relative_to=tmp_path)
    assert "no edition in folder, file name or title" in result.rejects.iloc[0]["detail"]
    hinted = read_file(path, relative_to=tmp_path, edition_hint="2010")
    assert len(hinted.observations) == 4
    contradicted = read_file(
        write_book(tmp_path / "yearbook" / "2011" / "2-1.xlsx", PLAIN),
        relative_to=tmp_path,
        edition_hint="2010",
    )
    assert "the caller says edition 2010" in contradicted.rejects.iloc[0]["detail"]


# --- files that are no yearbook -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xlsx", b"", "empty"),
        ("a.xlsx", b"PK\x03\x04 and nothing more", "damaged"),
        ("a.xls", b"<html><table><tr><td>1</td></tr></table>", "web page"),
        ("a.xlsx", b"%PDF-1.7 ...", "PDF"),
        ("a.xls", "城市,人口\n北京市,1\n".encode(), "plain text"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "damaged"),
    ],
)
def test_unreadable_files_end_in_one_clear_message(tmp_path, name, content, said):
    path = tmp_path / "yearbook" / "2010" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    result = read_file(path, relative_to=tmp_path)
    assert result.observations.empty
    assert len(result.rejects) == len(result.files) == 1
    assert said in result.rejects.iloc[0]["detail"]
    assert name in result.rejects.iloc[0]["detail"]
    with pytest.raises(ExtractError, match=said):
        read_file(path, relative_to=tmp_path, strict=True)


def test_workbook_of_another_kind(tmp_path):
    rows = [["Invoice", "", ""], ["Item", "Price", "Count"], ["Screws", 1.5, 20]]
    result = read(tmp_path, rows)
    assert result.files.iloc[0]["status"] == "rejected"
    assert "no table of cities found" in result.rejects.iloc[0]["detail"]
    assert "Invoice" in result.rejects.iloc[0]["detail"]


def test_label_but_no_place_of_china(tmp_path):
    rows = [["World", ""], ["City", "Population"], ["伦敦城", 9], ["巴黎城", 2]]
    result = read(tmp_path, rows)
    assert "伦敦城" in result.rejects.iloc[0]["detail"]
    assert result.rejects.iloc[0]["reason"] == "not_a_yearbook_table"


def test_one_bad_sheet_keeps_the_good_one(tmp_path):
    result = read(tmp_path, {"目录": [["目录"], ["2-1 人口"]], "good": PLAIN, "empty": [[""]]})
    assert result.files["status"].tolist() == ["set_aside", "read", "set_aside"]
    assert len(result.observations) == 4


def test_a_folder_reads_what_it_can(tmp_path):
    folder = tmp_path / "yearbook" / "2010"
    write_book(folder / "2-1.xlsx", PLAIN)
    (folder / "copy of 2-1.xlsx").write_bytes((folder / "2-1.xlsx").read_bytes())
    (folder / "~$2-1.xlsx").write_bytes(b"lock")
    (folder / "readme.txt").write_text("x")
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04")
    result = read_edition(folder, relative_to=tmp_path)
    status = result.files.set_index("file")["status"].to_dict()
    assert status == {
        "yearbook/2010/2-1.xlsx": "read",
        "yearbook/2010/copy of 2-1.xlsx": "set_aside",
        "yearbook/2010/~$2-1.xlsx": "set_aside",
        "yearbook/2010/readme.txt": "set_aside",
        "yearbook/2010/broken.xlsx": "rejected",
    }
    assert len(result.observations) == 4


def test_reading_twice_gives_the_same_bytes(tmp_path):
    first, second = read(tmp_path, PLAIN), read(tmp_path, PLAIN)
    for name in ("observations", "rejects", "files"):
        a, b = getattr(first, name), getattr(second, name)
        drop = ["file_sha256", "bytes"]  # openpyxl stamps the time into the file
        a, b = a.drop(columns=drop, errors="ignore"), b.drop(columns=drop, errors="ignore")
        assert a.equals(b)
