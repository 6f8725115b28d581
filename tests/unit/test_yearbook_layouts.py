"""Layouts of editions and scans that the shipped real files do not show, and every refusal."""

from __future__ import annotations

import pytest

from dagster_project.extract.yearbook import read_file
from tests.unit.yearbook_books import PLAIN, read, values, write_book


@pytest.mark.parametrize("name", ["2-1 人口.xlsx", "2-1 人口.xls"])
def test_plain_table_in_both_formats(tmp_path, name):
    result = read(tmp_path, PLAIN, name=name)
    assert values(result) == {
        ("北京市", "年末总人口", "unspecified"): 1245.83,
        ("北京市", "年平均人口", "unspecified"): 1237.5,
        ("石家庄市", "年末总人口", "unspecified"): 977.41,
        ("唐山市", "年末总人口", "unspecified"): 733,
    }
    row = result.observations.iloc[2]
    assert (row["release"], row["data_year"], row["table_no"]) == ("2010", 2009, "2-1")
    assert (row["province_printed"], row["unit_key"], row["cell"]) == ("河北省", "万人", "B6")
    assert "①" in result.observations.iloc[3]["note"]
    report = result.files.iloc[0]
    assert (report["n_entities"], report["n_missing"], report["n_observations"]) == (3, 2, 4)


def test_province_rows_with_values_are_kept_as_provinces(tmp_path):
    rows = [
        ["2-1 人口状况（万人）", ""],
        ["城市", "年末总人口"],
        ["全国总计", 9000],
        ["河 北", 1710],
        ["石家庄", 977],
        ["唐 山", 733],
        ["吉 林", 1000],
        ["长 春", 740],
        ["吉 林", 430],
    ]
    frame = read(tmp_path, rows).observations
    sections = frame.groupby("section")["entity_printed"].apply(list).to_dict()
    assert sections["national"] == ["全国总计"]
    assert sections["province"] == ["河北", "吉林"]
    assert sections["prefecture"] == ["石家庄", "唐山", "长春", "吉林"]
    assert frame[frame["value"] == 430]["province_printed"].tolist() == ["吉林"]


def test_table_of_provinces_only(tmp_path):
    rows = [["2-40 各省城市建设", ""], ["地区", "道路面积(万平方米)"],
            ["北京", 10], ["河北", 20], ["山西", 30]]  # fmt: skip
    result = read(tmp_path, rows)
    assert set(result.observations["section"]) == {"province"}
    assert result.files.iloc[0]["section"] == "province"


def test_continued_table_below_and_on_the_next_sheet(tmp_path):
    first = [
        ["2-5 按行业分组的单位从业人员(全市)", "", ""],
        ["单位：万人", "", ""],
        ["城市", "采矿业", "制造业"],
        ["北京市", 1.5, 90],
        ["天津市", 2.5, 80],
        ["", "", ""],
        ["2-5 续表1", "", ""],
        ["城市", "建筑业", "金融业"],
        ["北京市", 40, 30],
        ["天津市", 20, 10],
    ]
    second = [["2-5 续表2", ""], ["城市", "教育"], ["北京市", 45], ["天津市", 17]]
    result = read(tmp_path, {"a": first, "b": second})
    assert result.files["table_title"].tolist() == ["按行业分组的单位从业人员(全市)"] * 3
    assert set(result.observations["table_no"]) == {"2-5"}
    assert set(result.observations["unit_key"]) == {"万人"}
    found = values(result)
    assert found["天津市", "金融业", "city"] == 10
    assert found["北京市", "教育", "city"] == 45
    assert len(found) == 10


def test_tables_beside_each_other(tmp_path):
    rows = [
        ["2-1 年末总人口（万人）", "", "", "", ""],
        ["城市", "全市", "市辖区", "城市", "全市"],
        ["北京市", 1, 2, "上海市", 5],
        ["天津市", 3, 4, "重庆市", 6],
    ]
    found = values(read(tmp_path, rows))
    assert found["天津市", "年末总人口", "districts"] == 4
    assert found["重庆市", "年末总人口", "city"] == 6
    assert len(found) == 6


def test_header_group_without_merging(tmp_path):
    rows = [
        ["2-8 财政（万元）", "", "", "", "", ""],
        ["城市", "支出", "", "", "收入", ""],
        ["", "", "科学支出", "教育支出", "", "税收"],
        ["北京市", 1, 2, 3, 4, 5],
        ["天津市", 6, 7, 8, 9, 10],
    ]
    keys = read(tmp_path, rows).observations["indicator_key"].drop_duplicates().tolist()
    assert keys == ["支出", "支出/科学支出", "支出/教育支出", "收入", "收入/税收"]


def test_header_above_a_label_in_the_middle_and_units_in_a_row(tmp_path):
    rows = [
        ["2-7 生产总值", "", "", ""],
        ["", "地区生产总值", "", "人均地区生产总值"],
        ["城市", "全市", "市区", "全市"],
        ["", "(万元)", "(亿元)", "(yuan)"],
        ["北京市", 1, 2, 3],
        ["天津市", 4, 5, 6],
    ]
    frame = read(tmp_path, rows).observations
    assert frame["indicator_key"].tolist()[:3] == [
        "地区生产总值",
        "地区生产总值",
        "人均地区生产总值",
    ]
    assert frame["scope"].tolist()[:3] == ["city", "districts", "city"]
    assert frame["unit_key"].tolist()[:3] == ["万元", "亿元", "元"]


def test_province_code_and_serial_columns(tmp_path):
    rows = [
        ["2-1 人口（人）", "", "", "", "", ""],
        ["省份", "城市", "行政区划代码", "序号", "年末总人口", "备注"],
        ["河北省", "石家庄市", "130100", 1, 977, "快报数"],
        ["山东省", "菏泽市", 371700, 2, 900, ""],
    ]
    frame = read(tmp_path, rows).observations
    assert frame["value"].tolist() == [977, 900]
    assert frame["province_printed"].tolist() == ["河北省", "山东省"]
    assert frame["entity_code_printed"].tolist() == ["130100", "371700"]


def test_years_as_columns(tmp_path):
    rows = [["2-1 年末总人口（万人）", "", ""], ["城市", "2008年", "2009年"],
            ["北京市", 1, 2], ["天津市", 3, 4]]  # fmt: skip
    result = read(tmp_path, rows)
    assert result.observations["data_year"].tolist() == [2008, 2009, 2008, 2009]
    assert set(result.observations["indicator_key"]) == {"年末总人口"}
    report = result.files.iloc[0]
    assert (report["data_year"], report["data_year_last"]) == (2008, 2009)


def test_no_label_at_all(tmp_path):
    rows = [["2-1 人口", ""], ["", "年末总人口(万人)"], ["北京市", 1], ["天津市", 2]]
    assert values(read(tmp_path, rows))["天津市", "年末总人口", "unspecified"] == 2


def test_footnotes_are_kept_in_the_report(tmp_path):
    rows = [*PLAIN, ["注：本表数据为快报数。", "", ""], ["资料来源：各市统计局", "", ""]]
    result = read(tmp_path, rows)
    assert result.files.iloc[0]["n_entities"] == 3
    assert "本表数据为快报数" in result.files.iloc[0]["reason"]
    assert result.rejects.empty


def test_noise_names_numbers_without_a_place_and_headerless_columns(tmp_path):
    rows = [
        ["2-1 人口（万人）", "", "", ""],
        ["城市", "年末总人口", "户籍人口", ""],
        ["北京市", "12O5", 7, 1],
        ["", 3, "", ""],
        ["天津市", "-", 8, ""],
        ["天津市", "5", 9, ""],
        ["不存在市", 4, 10, ""],
    ]
    result = read(tmp_path, rows)
    reasons = result.rejects.groupby("reason")["cell"].apply(list).to_dict()
    assert reasons["not_a_number"] == ["B3"]
    assert reasons["no_header"] == ["D3"]
    assert reasons["no_entity"] == ["B4"]
    assert sorted(reasons["duplicate_row"]) == ["B6", "C5", "C6"]
    assert reasons["unknown_name"] == ["A7"]
    # the unknown city's numbers stay in the lake under the printed name
    assert values(result)["不存在市", "户籍人口", "unspecified"] == 10
    noise = result.rejects.set_index("reason").loc["not_a_number"]
    assert noise["value_printed"] == "12O5"
    assert "1205" in noise["suggestion"]
    assert "B3" in noise["detail"]


def test_two_columns_with_one_header_trust_neither(tmp_path):
    rows = [["2-1 人口（万人）", "", "", ""], ["城市", "年末总人口", "年末总人口", "户籍人口"],
            ["北京市", 1, 2, 3], ["天津市", 3, 4, 5]]  # fmt: skip
    result = read(tmp_path, rows)
    assert set(result.observations["indicator_key"]) == {"户籍人口"}
    ambiguous = result.rejects[result.rejects["reason"] == "ambiguous_header"]
    assert sorted(ambiguous["cell"]) == ["B3", "B4", "C3", "C4"]
    assert "columns 2 and 3" in ambiguous.iloc[0]["detail"]


def test_misprint_only_through_the_recorded_correction(tmp_path):
    rows = [["2-1 人口（万人）", ""], ["城市", "年末总人口"], ["山东省", ""],
            ["荷泽市", 1], ["济楠市", 2]]  # fmt: skip
    result = read(tmp_path, rows)
    assert result.observations["entity_printed"].tolist() == ["荷泽市", "济楠市"]
    assert "菏泽市" in result.observations.iloc[0]["note"]
    assert result.rejects["entity_printed"].tolist() == ["济楠市"]
    assert "济南" in result.rejects.iloc[0]["suggestion"]


def test_english_in_the_name_cell_and_sums_of_provinces(tmp_path):
    rows = [["2-1 人口（万人）", ""], ["城市\nCity", "年末总人口"], ["河北省合计 Hebei", 99],
            ["石家庄市\n  Shijiazhuang", 1], ["西安市 Xi'an", 2],
            ["合计 Total", 3]]  # fmt: skip
    frame = read(tmp_path, rows).observations
    assert frame["entity_printed"].tolist() == ["河北省", "石家庄市", "西安市", "合计"]
    assert frame["section"].tolist() == ["province", "prefecture", "prefecture", "national"]


def test_page_breaks_repeat_the_header_over_further_cities(tmp_path):
    rows = [
        ["2-1 人口状况（万人）", ""],
        ["城市", "年末总人口"],
        ["北京市", 1],
        ["天津市", 2],
        ["城市", "年末总人口"],
        ["上海市", 3],
        ["2-1 续表 continued", ""],
        ["城市", "年末总人口"],
        ["重庆市", 4],
    ]
    result = read(tmp_path, rows)
    assert result.observations["value"].tolist() == [1, 2, 3, 4]
    assert set(result.observations["unit_key"]) == {"万人"}
    assert set(result.observations["table_no"]) == {"2-1"}
    assert result.rejects.empty


@pytest.mark.parametrize("merged", [False, True])
def test_a_row_for_the_city_and_one_for_its_districts(tmp_path, merged):
    rows = [["2-3 人口", "", ""], ["城市", "范围", "年末总人口(万人)"],
            ["河北省", "", ""],
            ["石家庄市", "全市", 11], ["", "市辖区", 12],
            ["唐山市", "全市", 21], ["", "市辖区", 22]]  # fmt: skip
    path = tmp_path / "yearbook" / "2010" / "2-3.xlsx"
    write_book(path, rows, [(3, 0, 4, 0), (5, 0, 6, 0)] if merged else [])
    result = read_file(path, relative_to=tmp_path)
    got = result.observations[["entity_printed", "scope", "value"]].values.tolist()
    assert got == [["石家庄市", "city", 11], ["石家庄市", "districts", 12],
                   ["唐山市", "city", 21], ["唐山市", "districts", 22]]  # fmt: skip
    assert result.rejects.empty


def test_rows_named_districts_belong_to_the_city_above(tmp_path):
    rows = [["2-3 人口", ""], ["城市", "年末总人口(万人)"],
            ["石家庄市", 11], ["  其中：市辖区", 12], ["河北省", 99], ["市辖区", 13]]  # fmt: skip
    result = read(tmp_path, rows)
    places = result.observations[result.observations["section"] == "prefecture"]
    got = places[["entity_printed", "scope", "value"]].values.tolist()
    assert got[:2] == [["石家庄市", "unspecified", 11], ["石家庄市", "districts", 12]]
    assert "市辖区" in set(result.rejects["entity_printed"])  # of no city


def test_a_column_of_years_dates_its_rows(tmp_path):
    rows = [["年份", "城市", "年末总人口(万人)"], [2008, "石家庄市", 1], ["2009年", "石家庄市", 2],
            [2009, "唐山市", 3], ["", "唐山市", 4]]  # fmt: skip
    path = write_book(tmp_path / "yearbook" / "2010" / "面板.xlsx", rows)
    result = read_file(path, relative_to=tmp_path)
    got = result.observations[["entity_printed", "data_year", "value"]].values.tolist()
    assert got == [["石家庄市", 2008, 1], ["石家庄市", 2009, 2], ["唐山市", 2009, 3]]
    assert result.rejects["reason"].tolist() == ["row_without_year"]
    assert result.files.loc[0, ["data_year", "data_year_last"]].tolist() == [2008, 2009]
    rows[1][0] = 2011
    result = read_file(write_book(path, rows), relative_to=tmp_path)
    assert (
        "states the year 2011, but edition 2010 reports data year 2009"
        in (result.files.loc[0, "reason"])
    )


def test_exports_of_platforms_and_turned_tables_are_refused_with_the_way_out(tmp_path):
    rows = [["中国城市数据库", "", "", ""], ["指标", "地区", "2008", "2009"],
            ["户籍人口(万人)", "石家庄市", 1, 2], ["户籍人口(万人)", "唐山市", 3, 4]]  # fmt: skip
    reason = read(tmp_path, rows).files.loc[0, "reason"]
    assert "column 1 names an indicator for each row" in reason
    rows = [["2-5 人口", "", "", "", ""], ["指标", "单位", "石家庄市", "唐山市", "邯郸市"],
            ["年末总人口", "万人", 1, 2, 3]]  # fmt: skip
    assert "side by side in row 2: turn the table" in read(tmp_path, rows).files.loc[0, "reason"]


@pytest.mark.parametrize("dash", ["-", "—", "--", "－", "―"])
def test_dashes_of_table_numbers(tmp_path, dash):
    rows = [[f"2{dash}1续表1 continued 1", "", ""], *PLAIN[-4:]]
    assert read(tmp_path, rows).files.loc[0, "table_no"] == "2-1"


def test_footnote_letters_behind_numbers(tmp_path):
    rows = [
        ["城市", "年末总人口(万人)"],
        ["北京市", "399.24 a)"],
        ["天津市", "12 [b]"],
        ["上海市", "7a"],
    ]
    result = read(tmp_path, rows)
    assert result.observations["value"].tolist() == [399.24, 12]
    assert "footnote mark a) removed" in result.observations.loc[0, "note"]
    assert result.rejects["cell"].tolist() == ["B4"]


def test_marks_beside_names_and_the_year_in_a_title_that_names_the_indicator(tmp_path):
    rows = [
        ["2-8 地区生产总值(2009年)  单位：亿元", "", ""],
        ["城市", "全市", "市辖区"],
        ["天津市#", 1, 2],
        ["※石家庄市", 3, 4],
        ["张家口 市1)", 5, 6],
        ["唐山市(含曹妃甸)", 7, 8],
    ]
    result = read(tmp_path, rows)
    names = ["天津市", "石家庄市", "张家口市", "唐山市(含曹妃甸)"]
    assert list(dict.fromkeys(result.observations["entity_printed"])) == names
    assert result.rejects["entity_printed"].tolist() == ["唐山市(含曹妃甸)"]
    assert set(result.observations["indicator_key"]) == {"地区生产总值"}


@pytest.mark.parametrize("level", ["年", "年末", "年底", ""])
def test_levels_of_years(tmp_path, level):
    rows = [["城市", "年末总人口(万人)", ""], ["", f"2008{level}", f"2009{level}"],
            ["北京市", 1, 2], ["天津市", 3, 4]]  # fmt: skip
    frame = read(tmp_path, rows).observations
    assert frame["data_year"].tolist() == [2008, 2009] * 2
    assert set(frame["indicator_key"]) == {"年末总人口"}


def test_merged_cells_over_a_blank_margin_do_no_harm(tmp_path):
    path = tmp_path / "yearbook" / "2010" / "2-1.xlsx"
    write_book(path, PLAIN, [(2, 5, 2, 8), (30, 0, 40, 2), (2, 2, 2, 9)])
    assert len(read_file(path, relative_to=tmp_path).observations) == 4


def test_names_printed_again_at_the_right_edge_are_no_table(tmp_path):
    rows = [["2-1 人口", "", "", ""], ["城市", "年末总人口(万人)", "年平均人口(万人)", "城市"],
            ["北京市", 1, 2, "北京市"], ["天津市", 3, 4, "天津市"]]  # fmt: skip
    result = read(tmp_path, rows)
    assert result.observations["value"].tolist() == [1, 2, 3, 4]
    assert result.files["status"].tolist() == ["read"]


def test_jilin_is_a_city_where_no_provinces_are_named(tmp_path):
    rows = [["城市", "年末总人口(万人)"], ["长 春", 1], ["吉 林", 2], ["武 汉", 3]]
    frame = read(tmp_path, rows).observations
    assert frame["section"].tolist() == ["prefecture"] * 3
    assert frame["province_printed"].isna().all()
    rows[1:1] = [["湖 北", 9], ["宜 昌", 4], ["吉 林", 8]]
    frame = read(tmp_path, rows).observations
    got = frame[["entity_printed", "section", "value"]].values.tolist()
    assert got[2:4] == [["吉林", "province", 8], ["长春", "prefecture", 1]]
    assert got[4] == ["吉林", "prefecture", 2]


def test_a_unit_printed_once_goes_for_the_columns_under_one_head(tmp_path):
    rows = [["2-9 国内生产总值(2009年)", "", "", "", ""],
            ["城市", "国内生产总值", "", "人均国内生产总值", ""],
            ["", "(万元)", "", "(元)", ""],
            ["", "地区", "市区", "地区", "市区"],
            ["北 京", 1, 2, 3, 4], ["天 津", 5, 6, 7, 8]]  # fmt: skip
    frame = read(tmp_path, rows).observations
    assert frame["unit_key"].tolist() == ["万元", "万元", "元", "元"] * 2
    assert frame["scope"].tolist() == ["city", "districts"] * 4


def test_a_year_before_the_indicator_is_the_year_of_its_column(tmp_path):
    heads = ("2009年年末总人口(万人)", "2008年年末总人口(万人)", "1990年不变价工业总产值(万元)")
    rows = [["城市", *heads], ["北京市", 1, 2, 3], ["天津市", 4, 5, 6]]
    frame = read(tmp_path, rows).observations
    assert frame["data_year"].tolist() == [2009, 2008, 2009] * 2
    assert set(frame["indicator_key"]) == {"年末总人口", "不变价工业总产值"}


@pytest.mark.parametrize(
    "head",
    [
        "2005年基准地区生产总值(亿元)", "2005年基期地区生产总值(亿元)", "2005年至2009年平均增速(%)",
        "2005年-2009年平均增速(%)", "2005年到2009年增速(%)", "2008年比2007年增长(%)",
        "2008年为2007年%", "2008年和2009年合计(亿元)",
    ],
)  # fmt: skip
def test_a_base_a_span_or_a_comparison_is_no_year_of_data(tmp_path, head):
    rows = [["城市", head, "年末总人口(万人)"], ["北京市", 1, 2], ["天津市", 3, 4]]
    result = read(tmp_path, rows)
    assert set(result.observations["data_year"]) == {2009}
    assert result.files.loc[0, ["data_year", "data_year_last"]].tolist() == [2009, 2009]


@pytest.mark.parametrize(
    "head",
    [
        "固定资产投资(万元)", "基本养老保险参保人数(人)", "基础设施投资(万元)", "到位资金(万元)",
        "比重(%)", "比上年增长(%)", "价格指数(上年=100)",
    ],
)  # fmt: skip
def test_words_that_only_begin_like_a_base_keep_the_year(tmp_path, head):
    rows = [["城市", f"2009年{head}", f"2008年{head}"], ["北京市", 1, 2], ["天津市", 3, 4]]
    assert read(tmp_path, rows).observations["data_year"].tolist() == [2009, 2008] * 2


def test_a_count_of_county_level_cities_is_no_column_of_names(tmp_path):
    rows = [["城市", "City", "县级区划数(个)", "", ""], ["", "", "", "县级市", "县"],
            ["北京市", "Beijing", 3, 1, 2], ["天津市", "Tianjin", 6, 4, 5]]  # fmt: skip
    result = read(tmp_path, rows)
    assert sorted(result.observations["value"]) == [1, 2, 3, 4, 5, 6]


def test_hidden_sheets_are_set_aside(tmp_path):
    import openpyxl

    path = write_book(tmp_path / "yearbook" / "2010" / "2-1.xlsx", {"a": PLAIN, "b": PLAIN})
    book = openpyxl.load_workbook(path)
    book["b"].sheet_state = "hidden"
    book.save(path)
    result = read_file(path, relative_to=tmp_path)
    assert result.files["status"].tolist() == ["read", "set_aside"]
    assert "hidden sheet" in result.files.iloc[1]["reason"]


def test_county_section(tmp_path):
    rows = [["中国2009年县级市数据", ""], ["3-1 人口状况（人）", ""], ["城市", "年末总人口"],
            ["河北省", ""], ["辛集市", 10], ["晋州市", 20], ["河间市", ""]]  # fmt: skip
    result = read(tmp_path, rows, name="a.xlsx")
    assert set(result.observations["section"]) == {"county"}
    assert result.files.iloc[0]["n_missing"] == 1
    assert result.rejects.empty


# --- editions -------------------------------------------------------------------------------
