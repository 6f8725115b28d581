"""The vocabulary of yearbook pages: what labels a name column, a note, a total, a code column.

Belongs here: recognising the role of one printed text. Does not belong here: positions in a sheet.
"""

from __future__ import annotations

import re
from functools import lru_cache

from dagster_project.extract.text import fold, normalise_name, parse_header, unit_key

_CJK = re.compile(r"[\u3400-\u9fff]")
_LABEL = re.compile(
    r"(?:城市|城市名称|地区|地区名称|省市|各省市|省份|省、市|省\(市\)|省、自治区、直辖市|省|市|县市|县\(市\)|"
    r"县级市|市县|市名|城市\(地区\)|城市名|地级市|所属省份|省份名称|省区市|省\(自治区、直辖市\))?"
    r"\(?(?:city|cities|region|regions|area|province|provinces|nameofcities|nameofcity|cityname)?\)?"
)
_PROVINCE_LABEL = re.compile(
    r"(?:省份|省|所属省份|省份名称|省市|省\(市\)|省\(自治区、直辖市\))(?:province|provinces)?|provinces?"
)
_CODE_LABEL = re.compile(
    r"(?:城市|行政区划|区划|地区|行政|省份|省)?(?:代码|编码)(?:code)?|(?:city|area)?code|adcode"
)
_NUMBER_LABEL = re.compile(r"(?:序号|编号|行号|no\.?|id)", re.IGNORECASE)
_YEAR_LABEL = re.compile(r"(?:数据|统计|会计)?(?:年份|年度)(?:year)?|year", re.IGNORECASE)
_ITEM_LABEL = re.compile(
    r"(?:统计)?(?:指标|指标名称|项目|项目名称)(?:indicators?|items?)?|indicators?"
)
# marks that pages set beside names, of which a width-folded one may look like a digit: 唐山市1)
_NAME_MARKS = re.compile(r"^[#※△▲]+|[#※△▲]+$|(?<=[市区州盟县])\(?[1-9a-e]\)$")
_NOTE = re.compile(
    r"^(?:[*#①-⑳]|(?:附)?注(?!册)|说明|资料来源|数据来源|来源|本表|备注|note|source|data\s|[a-d]\)|\d\)|更多数据)",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    r"(?:全国|全国总计|全国合计|总计|合计|城市合计|全部城市|地级及以上城市|地级及以上城市合计|地级以上城市合计|"
    r"县级市合计|全国城市|全国地级及以上城市)(?:total|nationaltotal|nationwide)?|(?:national)?total",
    re.IGNORECASE,
)
_GROUP = re.compile(
    r"(?:直辖市|副省级城市|地级市|县级市|省会城市|计划单列市|东部|中部|西部|东北|东部地区|中部地区|西部地区|东北地区|"
    r"省直辖县级行政区划|自治区直辖县级行政区划|沿海开放城市|经济特区)(?:合计)?"
)
# 2-7, 2—1, 2--1: the dash is whatever the typist had
_TABLE_NO = re.compile(r"(?<![\d.\-])(\d{1,2})\s*[-‐‑–—―－−]{1,2}\s*(\d{1,3})(?![\d.])")
_CONTINUED = re.compile(r"续\s*表|\(\s*续|continued|cont'd", re.IGNORECASE)


@lru_cache(maxsize=1 << 14)
def compact(text: object) -> str:
    """Half-width, lower case, without whitespace."""
    return re.sub(r"\s+", "", fold(text)).casefold()


def has_chinese(text: object) -> bool:
    """Whether any Chinese character is in the text."""
    return isinstance(text, str) and bool(_CJK.search(text))


@lru_cache(maxsize=1 << 14)
def is_label(text: object) -> bool:
    """Whether a header cell says that the column below holds names of cities or provinces."""
    word = compact(text)
    return bool(word) and bool(_LABEL.fullmatch(word))


def is_province_label(text: object) -> bool:
    """Whether a label means provinces rather than cities."""
    word = compact(text)
    return bool(word) and bool(_PROVINCE_LABEL.fullmatch(word))


def is_code_label(text: object) -> bool:
    """Whether a header cell says that the column below holds administrative codes."""
    word = compact(text)
    return bool(word) and bool(_CODE_LABEL.fullmatch(word))


def is_number_label(text: object) -> bool:
    """Whether a header cell says that the column below merely counts rows."""
    return bool(_NUMBER_LABEL.fullmatch(compact(text)))


def is_year_label(text: object) -> bool:
    """Whether a header cell says that the column below holds the year of each row."""
    return bool(_YEAR_LABEL.fullmatch(compact(text)))


def is_item_label(text: object) -> bool:
    """Whether a header cell says that the column below names the indicator of each row."""
    return bool(_ITEM_LABEL.fullmatch(compact(text)))


@lru_cache(maxsize=1 << 14)
def is_note(text: object) -> bool:
    """Whether a text is a footnote or a statement of source."""
    return bool(_NOTE.match(fold(text)))


def is_total(text: object) -> bool:
    """Whether a row name means the whole country or all cities."""
    return bool(_TOTAL.fullmatch(compact(text)))


def is_group(text: object) -> bool:
    """Whether a row name is a heading over a group of cities."""
    return bool(_GROUP.fullmatch(normalise_name(text)))


def is_continued(text: object) -> bool:
    """Whether a title says that the table goes on from the page before."""
    return bool(_CONTINUED.search(fold(text)))


@lru_cache(maxsize=1 << 14)
def is_unit_statement(text: object) -> bool:
    """Whether a text only states a unit (``单位：万元``, ``(10 000 yuan)``)."""
    folded = fold(text)
    if not folded:
        return False
    if unit_key(folded):
        return True
    if re.match(r"(?:计量)?单\s*位\s*:", folded):
        return True
    header = parse_header(folded)
    return bool(header.unit) and not header.key


@lru_cache(maxsize=1 << 14)
def place_name(text: object) -> str:
    """Normal form of a row's name; English in the same cell (``石家庄市 Shijiazhuang``) dropped."""
    name = _NAME_MARKS.sub("", normalise_name(text))
    both = re.match(r"([^A-Za-z]*[\u3400-\u9fff][^A-Za-z]*?)[A-Za-z][A-Za-z'’.\-()]*$", name)
    return both[1].rstrip("(") if both else name


@lru_cache(maxsize=1 << 14)
def looks_like_entity(text: object) -> bool:
    """Whether a name-column cell can name a place: Chinese, short, no label, unit or note."""
    if not has_chinese(text) or is_label(text) or is_unit_statement(text) or is_note(text):
        return False
    return 2 <= len(place_name(text)) <= 20 and not is_continued(text)


def table_number(text: object) -> str | None:
    """Table number in a text such as ``2-7 地区生产总值``, or None; years do not count."""
    match = _TABLE_NO.search(fold(text))
    return f"{int(match[1])}-{int(match[2])}" if match else None


def without_table_number(text: object) -> str:
    """The text with its table number and the word 表 before it removed."""
    return re.sub(r"^表\s*", "", _TABLE_NO.sub(" ", fold(text), count=1).strip()).strip()
