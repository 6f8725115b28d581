"""Compiled tables: layouts, formats, encodings, rejects, and what a wrong mapping says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from dagster_project.extract.schema import OBSERVATION_SCHEMA, ExtractError
from dagster_project.extract.table_mapping import load_mapping, load_mappings, match
from dagster_project.extract.tables import partition_name, read_table

PATENTS = pd.DataFrame(
    {
        "年份": [2015, 2016, 2015],
        "省份": ["河北省", "河北省", "山西省"],
        "城市": ["石家庄市", "石家庄市", "太原市"],
        "城市代码": [130100, 130100, 140100],
        "专利申请总量": [100, 120, 80],
        "发明专利申请量": [30, 40, 25],
        "发明专利授权量": [10, 12, 9],
        "绿色专利申请量": [5, 6, 4],
        "绿色发明专利申请量": [2, 3, 1],
        "数字技术专利申请量": [7, 9, 3],
    }
)


def _mapping(tmp_path: Path, **fields):
    content = {
        "source": "trial",
        "title": "trial",
        "files": ["tables/trial/*"],
        "sheets": [
            {
                "keys": {"year": "年份", "entity": "城市"},
                "values": [{"column": "产值", "indicator": "grp", "unit": "亿元"}],
            }
        ],
        **fields,
    }
    path = tmp_path / "trial.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return load_mapping(path)


def _csv(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "kind", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "xlsx", "dta", "parquet"]
)
def test_every_format_and_encoding_gives_the_same_observations(tmp_path, kind):
    folder = tmp_path / "patents"
    folder.mkdir()
    if kind == "xlsx":
        path = folder / "专利.xlsx"
        PATENTS.to_excel(path, index=False)
    elif kind == "dta":
        path = folder / "专利.dta"
        PATENTS.to_stata(path, write_index=False, version=118)
    elif kind == "parquet":
        path = folder / "专利.parquet"
        PATENTS.to_parquet(path)
    else:
        path = folder / "专利.csv"
        PATENTS.to_csv(path, index=False, encoding=kind)
    mapping = match(path)
    assert mapping.source == "patents"
    result = read_table(path, mapping, relative_to=tmp_path)
    assert list(result.observations.columns) == OBSERVATION_SCHEMA.names
    assert len(result.observations) == 18
    assert len(result.rejects) == 0
    wide = result.observations.pivot_table(
        index=["entity_code_printed", "data_year"], columns="indicator_key", values="value"
    )
    assert wide.loc[("130100", 2016), "patents_green"] == 6
    assert wide.loc[("140100", 2015), "patents_digital"] == 3
    row = result.observations.query("indicator_key == 'patents_applied'").iloc[1]
    assert (row["cell"], row["row"], row["col"]) == ("E3", 3, 5)
    assert (row["value_printed"], row["unit_key"], row["entity_printed"]) == (
        "120",
        "件",
        "石家庄市",
    )
    assert (row["file"], row["release"]) == (f"patents/{path.name}", "专利")


def test_stata_13_files_hold_chinese_without_saying_so(tmp_path):
    folder = tmp_path / "patents"
    folder.mkdir()

    def shown(text: str) -> str:
        return text.encode("gb18030").decode("latin-1")

    frame = PATENTS[["年份", "城市", "专利申请总量"]].rename(columns={"年份": "year"})
    frame = frame.assign(城市=frame["城市"].map(shown)).rename(columns={"专利申请总量": "patents"})
    path = folder / "old.dta"
    frame.rename(columns={"城市": "city"}).to_stata(path, write_index=False, version=114)
    mapping = _mapping(
        tmp_path,
        sheets=[
            {
                "keys": {"year": "year", "entity": "city"},
                "values": [{"column": "patents", "indicator": "patents_applied", "unit": "件"}],
            }
        ],
    )
    result = read_table(path, mapping, relative_to=tmp_path)
    assert result.observations["entity_printed"].tolist() == ["石家庄市", "石家庄市", "太原市"]


def test_wide_province_table_with_title_rows(tmp_path):
    folder = tmp_path / "tables" / "marketisation"
    folder.mkdir(parents=True)
    path = folder / "SYNTHETIC_index.xlsx"
    rows = [
        ["市场化指数", None, None],
        [None, None, None],
        ["省 份", "2008年", 2009.0],
        ["北京", 7.5, "7.9"],
        ["河北", "-", 6.1],
        ["注：1997年为基期", None, None],
    ]
    pd.DataFrame(rows).to_excel(path, index=False, header=False)
    result = read_table(path, match(path), relative_to=tmp_path)
    got = result.observations.set_index(["entity_printed", "data_year"])["value"].to_dict()
    assert got == {("北京", 2008): 7.5, ("北京", 2009): 7.9, ("河北", 2009): 6.1}
    assert result.observations["section"].eq("province").all()
    assert set(result.observations["cell"]) == {"B4", "C4", "C5"}
    assert result.files.loc[0, "data_year"] == 2008
    assert result.files.loc[0, "data_year_last"] == 2009


def test_noise_missing_marks_and_numbers_without_keys(tmp_path):
    mapping = _mapping(tmp_path)
    text = '年份,城市,产值\n2015,甲市,"1,234.5"\n2016,甲市,13O5\n2017,甲市,…\n'
    text += ",甲市,99\n2018,,88\n,,77\n"
    text += ",更多数据,关注淘宝店\n,,\n2019,甲市,5①\n"
    result = read_table(_csv(tmp_path, text), mapping, relative_to=tmp_path)
    assert result.observations["value"].tolist() == [1234.5, 5.0]
    assert "footnote" in result.observations["note"].iloc[1]
    rejects = result.rejects.set_index("cell")
    assert rejects["reason"].to_dict() == {
        "C3": "not_a_number",
        "C5": "row_without_year",
        "C6": "row_without_entity",
        "C7": "row_without_year",
    }
    assert "1305" in rejects.loc["C3", "suggestion"]
    report = result.files.iloc[0]
    assert (report["n_missing"], report["n_rejects"], report["n_observations"]) == (1, 4, 2)
    assert "rows of notes or adverts" in report["reason"]


def test_unit_of_the_row_and_item_of_the_row(tmp_path):
    sheet = {
        "section": "province",
        "keys": {"year": "年份", "entity": "省份", "item": "行业", "unit": "单位"},
        "values": [{"column": "人数", "indicator": "employment_industry_province", "unit": "万人"}],
    }
    mapping = _mapping(tmp_path, sheets=[sheet])
    text = "年份,省份,行业,单位,人数\n2015,河北,纺织业,人,2000\n2015,河北,医药制造业,,3\n"
    result = read_table(_csv(tmp_path, text), mapping, relative_to=tmp_path)
    assert result.observations["unit_key"].tolist() == ["人", "万人"]
    assert result.observations["indicator_printed"].tolist() == ["纺织业", "医药制造业"]


def test_wide_sheet_with_several_indicators_by_label(tmp_path):
    sheet = {
        "layout": "wide",
        "keys": {"entity": "地区", "indicator": "指标"},
        "labels": {
            "地区生产总值(亿元)": {"indicator": "grp", "unit": "亿元"},
            "年末人口": {"indicator": "pop_registered", "unit": "万人"},
        },
    }
    mapping = _mapping(tmp_path, sheets=[sheet])
    text = "地区,指标,2015,2016\n石家庄,地区生产总值（亿元）,10,11\n"
    text += "石家庄,年末人口,1,2\n石家庄,面积,7,8\n"
    result = read_table(_csv(tmp_path, text), mapping, relative_to=tmp_path)
    got = result.observations.set_index(["indicator_key", "data_year"])["value"].to_dict()
    assert got == {("grp", 2015): 10, ("grp", 2016): 11, ("pop_registered", 2015): 1,
                   ("pop_registered", 2016): 2}  # fmt: skip
    assert result.observations["indicator_printed"].iloc[0] == "地区生产总值（亿元）"
    assert result.rejects["reason"].tolist() == ["indicator_not_mapped"] * 2


def test_rows_of_labels_under_the_header_as_platforms_export_them(tmp_path):
    mapping = _mapping(tmp_path)
    text = "年份,城市,产值\n统计年度,城市名称,地区生产总值\n没有单位,没有单位,亿元\n"
    text += "2015-12-31,甲市,5\n"
    result = read_table(_csv(tmp_path, text), mapping, relative_to=tmp_path)
    assert result.observations[["data_year", "value"]].values.tolist() == [[2015, 5.0]]
    assert len(result.rejects) == 0


def test_counties_beside_cities_in_an_index_release_are_not_taken_for_cities(tmp_path):
    city = pd.DataFrame({"prov_name": ["河北省"], "city_name": ["石家庄市"], "city_code": [1301],
                         "year": [2018], "index_aggregate": [230.5]})  # fmt: skip
    county = city.assign(county_name="正定县", index_aggregate=101.0)
    path = tmp_path / "tables/digital_finance/index.xlsx"
    path.parent.mkdir(parents=True)
    with pd.ExcelWriter(path) as book:
        city.to_excel(book, sheet_name="地级市", index=False)
        county.to_excel(book, sheet_name="县域", index=False)
    mapping = load_mappings()["digital_finance"]
    result = read_table(path, mapping, relative_to=tmp_path)
    assert result.observations["value"].tolist() == [230.5]
    aside = result.files.set_index("sheet").loc["县域"]
    assert aside["status"] == "set_aside"
    assert "counties (column county_name)" in aside["reason"]
    county.to_excel(path, index=False)
    with pytest.raises(ExtractError, match=r"rows are of counties.*one row per city and year"):
        read_table(path, mapping, relative_to=tmp_path)
    county.assign(county_name="").to_excel(path, index=False)
    assert len(read_table(path, mapping, relative_to=tmp_path).observations) == 1


def test_firms_and_cities_of_a_province_are_refused(tmp_path):
    path = _csv(tmp_path, "年份,证券代码,城市,产值\n2015,000001,深圳市,7\n")
    with pytest.raises(ExtractError, match="rows are of firms"):
        read_table(path, _mapping(tmp_path), relative_to=tmp_path)
    sheet = {"section": "province", "keys": {"year": "年份", "entity": "省份"},
             "values": [{"column": "产值", "indicator": "grp", "unit": "亿元"}]}  # fmt: skip
    path = _csv(tmp_path, "年份,省份,城市,产值\n2015,广东,深圳市,7\n")
    with pytest.raises(ExtractError, match=r"rows are of cities.*one row per province"):
        read_table(path, _mapping(tmp_path, sheets=[sheet]), relative_to=tmp_path)


def test_numbers_headed_by_a_kind_of_unit_are_no_names(tmp_path):
    sheet = {"section": "province", "keys": {"year": "年份", "entity": "省份"},
             "values": [{"column": "产值", "indicator": "grp", "unit": "亿元"}]}  # fmt: skip
    path = _csv(tmp_path, "年份,省份,城市,县,产值\n2015,广东,101.2,60,7\n2016,广东,…,61,8\n")
    result = read_table(path, _mapping(tmp_path, sheets=[sheet]), relative_to=tmp_path)
    assert result.observations["value"].tolist() == [7, 8]
    path = _csv(tmp_path, "年份,省份,county_code,产值\n2015,广东,440103,7\n")
    with pytest.raises(ExtractError, match="rows are of counties"):
        read_table(path, _mapping(tmp_path, sheets=[sheet]), relative_to=tmp_path)


def test_one_city_and_year_with_different_numbers_is_never_a_choice(tmp_path):
    text = "年份,城市,产值\n2015,大连市,7\n2015,大连市,8\n2015,沈阳市,3\n2015,沈阳市,3\n"
    result = read_table(_csv(tmp_path, text), _mapping(tmp_path), relative_to=tmp_path)
    assert set(result.observations["entity_printed"]) == {"沈阳市"}
    assert result.rejects["cell"].tolist() == ["C2", "C3"]
    assert set(result.rejects["reason"]) == {"duplicate_row"}
    assert "stands in rows 2, 3 with different numbers" in result.rejects.loc[0, "detail"]
    assert result.files.loc[0, "n_rejects"] == 2


@pytest.mark.parametrize(
    ("title", "unit"), [("产值（万元）", "万元"), ("产值_亿元", "亿元"), ("产值:亿 元", "亿元")]
)
def test_a_unit_in_the_title_goes_before_the_mapping(tmp_path, title, unit):
    text = f"年份,城市,{title}\n2015,大连市,7\n"
    result = read_table(_csv(tmp_path, text), _mapping(tmp_path), relative_to=tmp_path)
    assert result.observations.loc[0, "unit_key"] == unit
    path = _csv(tmp_path, "年份,城市,产值(增速)\n2015,大连市,7\n")
    with pytest.raises(ExtractError, match="expects the column 产值"):
        read_table(path, _mapping(tmp_path), relative_to=tmp_path)


def test_one_mapping_for_both_layouts_of_a_table(tmp_path):
    mapping = load_mappings()["marketisation"]
    for text in (
        "省份,2015,2016\n河北,6.1,6.2\n",
        "省份,年份,市场化指数\n河北,2015,6.1\n河北,2016,6.2\n",
    ):
        result = read_table(_csv(tmp_path, text), mapping, relative_to=tmp_path)
        assert result.observations["value"].tolist() == [6.1, 6.2]
        assert result.observations["data_year"].tolist() == [2015, 2016]


@pytest.mark.parametrize("title", ["指标：电力消费量(亿千瓦时)", "单位：亿千瓦时"])
def test_a_wide_table_whose_title_states_another_unit_is_refused(tmp_path, title):
    text = f"数据库：分省年度数据\n{title}\n地区,2020年\n河北省,3\n"
    mapping = load_mappings()["province_energy"]
    with pytest.raises(ExtractError, match=r"states the unit 亿千瓦时.*万吨标准煤"):
        read_table(_csv(tmp_path, text), mapping, relative_to=tmp_path)
    right = text.replace("亿千瓦时", "万吨标准煤")
    result = read_table(_csv(tmp_path, right), mapping, relative_to=tmp_path)
    assert result.observations["value"].tolist() == [3.0]


def test_hidden_sheets_are_set_aside(tmp_path):
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path, engine="xlsxwriter") as book:
        PATENTS.to_excel(book, sheet_name="数据", index=False)
        PATENTS.assign(专利申请总量=1).to_excel(book, sheet_name="旧", index=False)
        book.sheets["旧"].hide()
    result = read_table(path, load_mappings()["patents"], relative_to=tmp_path)
    assert len(result.observations) == 18
    aside = result.files.set_index("sheet").loc["旧"]
    assert aside["status"] == "set_aside"
    assert "hidden sheet" in aside["reason"]


def test_percentages_are_in_percent_however_they_are_written(tmp_path):
    sheet = {"keys": {"year": "年份", "entity": "城市"},
             "values": [{"column": "甲", "indicator": "share_primary", "unit": "%"},
                        {"column": "乙", "indicator": "share_secondary", "unit": "1"},
                        {"column": "丙", "indicator": "share_tertiary", "unit": "1"}]}  # fmt: skip
    frame = pd.DataFrame(
        {"年份": [2015], "城市": ["大连市"], "甲": [0.125], "乙": [0.5], "丙": ["37.5%"]}
    )
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path, engine="xlsxwriter") as book:
        frame.to_excel(book, index=False, sheet_name="a")
        style = book.book.add_format({"num_format": "0.0%"})
        book.sheets["a"].write_number(1, 2, 0.125, style)
        book.sheets["a"].write_number(1, 3, 0.5, style)
    result = read_table(path, _mapping(tmp_path, sheets=[sheet]), relative_to=tmp_path)
    got = result.observations.set_index("indicator_key")
    assert got["value"].to_dict() == {
        "share_primary": 12.5, "share_secondary": 0.5, "share_tertiary": 37.5
    }  # fmt: skip
    assert got["unit_key"].tolist() == ["%", "1", "%"]
    assert "stored as 0.125" in got.loc["share_primary", "note"]


def test_a_workbook_under_the_other_ending_is_read_by_its_content(tmp_path):
    PATENTS.to_excel(tmp_path / "a.xlsx", index=False)
    path = (tmp_path / "a.xlsx").rename(tmp_path / "a.xls")
    result = read_table(path, load_mappings()["patents"], relative_to=tmp_path)
    assert len(result.observations) == 18


def test_a_header_without_rows_is_an_empty_table(tmp_path):
    mapping = _mapping(tmp_path)
    result = read_table(_csv(tmp_path, "年份,城市,产值\n"), mapping, relative_to=tmp_path)
    assert len(result.observations) == len(result.rejects) == 0
    assert result.files.loc[0, ["status", "n_observations"]].tolist() == ["read", 0]


def test_wrong_mapping_names_the_columns_found(tmp_path):
    mapping = _mapping(tmp_path)
    path = _csv(tmp_path, "年份,地区名,人口\n2015,甲市,5\n")
    with pytest.raises(ExtractError) as error:
        read_table(path, mapping, relative_to=tmp_path)
    text = str(error.value)
    assert "data.csv" in text
    assert "城市" in text
    assert "产值" in text
    assert "row 1 has 年份, 地区名, 人口" in text
    assert "mappings/trial.yml" in text


def test_missing_sheet_names_the_sheets_found(tmp_path):
    folder = tmp_path / "compiled"
    folder.mkdir()
    path = folder / "x人均道路面积.xlsx"
    with pd.ExcelWriter(path) as book:
        PATENTS.to_excel(book, sheet_name="甲")
        PATENTS.to_excel(book, sheet_name="乙")
    with pytest.raises(ExtractError, match="expects the sheet 地级市\\+县级市; found 甲, 乙"):
        read_table(path, match(path), relative_to=tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"\x81\x20\xff\xff\x00", "neither UTF-8 nor GB 18030"),
        ("a.xlsx", b"plain text", "not an Excel workbook"),
        ("a.dta", b"not stata", "cannot be read as dta"),
        ("a.parquet", b"PAR1 cut", "cannot be read as parquet"),
        ("a.pdf", b"%PDF", r"the ending \.pdf is not read"),
    ],
)
def test_unreadable_files_are_refused(tmp_path, name, content, message):
    mapping = _mapping(tmp_path)
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ExtractError, match=message):
        read_table(path, mapping, relative_to=tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sheets": []}, "sheets"),
        ({"colour": "red"}, "colour"),
        ({"sheets": [{"keys": {"entity": "x"}, "values": [
            {"column": "y", "indicator": "z"}]}]}, "keys.year"),
        ({"sheets": [{"keys": {"year": "n", "entity": "x"}, "values": [
            {"column": "y", "indicator": "z", "unit": "弗隆"}]}]}, "弗隆"),
    ],
)  # fmt: skip
def test_unusable_mappings_name_the_field(tmp_path, fields, message):
    with pytest.raises(ExtractError, match=r"trial\.yml is not usable") as error:
        _mapping(tmp_path, **fields)
    assert message in str(error.value)


def test_a_new_table_is_one_new_file(tmp_path):
    _mapping(tmp_path)
    mappings = load_mappings(tmp_path)
    assert list(mappings) == ["trial"]
    folder = tmp_path / "tables" / "trial"
    folder.mkdir(parents=True)
    path = folder / "anything.csv"
    path.write_text("年份,城市,产值\n2015,甲市,5\n", encoding="utf-8")
    mapping = match(path, mappings)
    assert read_table(path, mapping, relative_to=tmp_path).observations["value"].tolist() == [5.0]
    before = mapping.content_hash()
    (tmp_path / "trial.yml").write_text(
        (tmp_path / "trial.yml").read_text(encoding="utf-8") + "description: other\n",
        encoding="utf-8",
    )
    assert load_mapping(tmp_path / "trial.yml").content_hash() != before


def test_shipped_mappings_agree_with_the_indicator_registry():
    seeds = Path(__file__).resolve().parents[2] / "dbt" / "seeds"
    spellings = pd.read_csv(seeds / "indicator_spellings.csv", dtype=str, keep_default_na=False)
    units = pd.read_csv(seeds / "unit_conversions.csv", dtype=str)
    known = pd.read_csv(seeds / "indicators.csv", dtype=str).set_index("indicator")["unit"]
    convertible = set(zip(units["unit_from"], units["unit_to"]))
    for source, mapping in load_mappings().items():
        registered = set(spellings.loc[spellings["source"].isin([source, ""]), "indicator_key"])
        registered |= set(known.index)  # the code of an indicator is a spelling in every source
        for sheet in mapping.sheets:
            for value in (*sheet.values, *sheet.labels.values()):
                assert value.indicator in registered, f"{source}: {value.indicator}"
                assert (value.unit_normal, known[value.indicator]) in convertible | {
                    (known[value.indicator],) * 2
                }, f"{source}: {value.unit} of {value.indicator}"


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("1997-2019年290个中国城市碳排放清单 (1)", "1997_2019年290个中国城市碳排放清单_1"),
        ("../../etc/passwd", "etc_passwd"),
        ("（）", "file"),
    ],
)
def test_partition_names_hold_no_path_parts(stem, expected):
    assert partition_name(stem) == expected
    assert len(partition_name("长" * 200).encode()) <= 140
