"""Units as printed, in Chinese or English, and their normal form.

Belongs here: which spellings mean the same unit. Does not belong here: conversions between units
(the dbt seed ``unit_conversions``) or which unit an indicator has (the registry seed).
"""

from __future__ import annotations

import re
import unicodedata

# normal form: other spellings, compact (no whitespace, lower case, half width)
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "人": ("person", "persons", "people", "位", "名"),
    "千人": ("1000persons",),
    "万人": ("10000persons", "10000people", "tenthousandpersons", "万名"),
    "百万人": ("millionpersons", "1000000persons"),
    "人/平方公里": (
        "人/平方千米",
        "人/km2",
        "person/sq.km",
        "persons/sq.km",
        "person/sqkm",
        "personspersq.km",
        "personpersq.km",
        "persons/km2",
    ),
    "户": ("household", "households", "subscriber", "subscribers"),
    "万户": ("10000households", "10000subscribers", "万线"),
    "元": ("yuan", "rmb", "yuan/person", "元/人"),
    "千元": ("1000yuan",),
    "万元": ("10000yuan", "tenthousandyuan", "rmb10000", "万元人民币"),
    "百万元": ("millionyuan", "1000000yuan"),
    "亿元": ("100000000yuan", "100millionyuan", "hundredmillionyuan", "亿元人民币"),
    "百万美元": ("millionusdollars", "millionusd", "usdmillion", "1000000usdollars"),
    "万美元": (
        "10000usdollars",
        "10000usd",
        "usd10000",
        "us$10000",
        "10000usdollar",
        "10000dollars",
        "10000u.s.dollars",
        "$10000",
    ),
    "亿美元": (
        "100millionusdollars",
        "100millionusd",
        "usd100million",
        "100000000usdollars",
        "100000000usd",
    ),
    "美元": ("usd", "usdollars"),
    "元/美元": ("yuan/usd", "cny/usd", "rmb/usd", "lcuperus$", "元/1美元"),
    "元/100美元": ("yuan/100usd", "rmb/100usd", "元/百美元"),
    "%": ("percent", "percentage", "pct", "百分比"),
    "‰": ("permille", "perthousand"),
    "上年=100": ("上年为100", "以上年为100", "precedingyear=100", "以上年为100计算"),
    "个": ("unit", "units", "所", "家", "项", "座", "number", "座/个", "个(所)", "处"),
    "件": ("piece", "pieces", "item", "items", "项(件)", "万件以下"),
    "万件": ("10000pieces", "10000items"),
    "册": ("volume", "volumes", "copy", "copies", "册(件)", "册、件"),
    "千册": ("1000volumes", "1000copies", "千册、件", "千册(件)"),
    "万册": ("10000volumes", "10000copies"),
    "张": ("bed", "beds"),
    "辆": ("vehicle", "vehicles", "bus", "buses"),
    "万辆": ("10000vehicles",),
    "万人次": ("10000person-times", "10000persontimes", "10000passengers", "10000person-time"),
    "平方米": (
        "sq.m",
        "sqm",
        "m2",
        "squaremeter",
        "squaremeters",
        "sq.meter",
        "sq.meters",
        "平方米/人",
        "sq.m/person",
        "sq.mperperson",
    ),
    "万平方米": ("10000sq.m", "10000sqm", "10000squaremeters", "10000m2", "10000sq.meters"),
    "平方公里": (
        "sq.km",
        "sqkm",
        "km2",
        "squarekilometer",
        "squarekilometers",
        "squarekm",
        "平方千米",
    ),
    "公顷": ("hectare", "hectares", "ha"),
    "千公顷": ("1000hectares",),
    "公里": ("km", "kilometer", "kilometers", "千米"),
    "立方米": ("cu.m", "cum", "m3", "cubicmeter", "cubicmeters"),
    "万立方米": ("10000cu.m", "10000cum", "10000m3", "10000cubicmeters", "10000cubicmeter"),
    "亿立方米": ("100millioncu.m", "100000000cubicmeters"),
    "千瓦时": ("kwh", "度"),
    "万千瓦时": (
        "10000kwh",
        "10000kw.h",
        "10000kw·h",
        "10000kwhours",
        "万千瓦小时",
        "万度",
        "10000kilowatt-hours",
    ),
    "亿千瓦时": ("100millionkwh", "100000000kwh", "亿千瓦小时"),
    "吨": ("ton", "tons", "t", "tonne", "tonnes", "metrictons"),
    "万吨": ("10000tons", "10000ton", "10000t", "tenthousandtons"),
    "百万吨": ("mt", "milliontons", "milliontonnes", "1000000tons"),
    "万吨标准煤": ("10000tce", "10000tonsofsce", "10000tonsofstandardcoalequivalent"),
    "吨/万元": ("t/10000yuan", "tonsper10000yuan"),
    "ug/m3": (
        "微克/立方米",
        "μg/m3",
        "µg/m3",
        "microgram/cubicmeter",
        "微克每立方米",
        "ugm-3",
        "μg·m-3",
    ),
    "毫克/立方米": ("mg/m3",),
    "天": ("day", "days"),
    "标台": ("standardbus", "standardbuses"),
    "米": ("m", "meter", "meters"),
    "倍": ("times",),
    "词": ("words", "word"),
    "DN": ("digitalnumber", "digitalnumbers"),
}
_NORMAL: dict[str, str] = {}
for _key, _others in _SPELLINGS.items():
    for _spelling in (_key, *_others):
        _NORMAL[unicodedata.normalize("NFKC", _spelling).casefold()] = _key

_SEPARATORS = re.compile(r"[\s,，]+")


def unit_key(text: object) -> str:
    """Normal form of a printed unit, or an empty string when the text is not a known unit.

    ``"（10 000 persons）"``, ``"万 人"`` and ``"单位：万人"`` all give 万人. Several units in one
    text (``单位：万人、元``) are no unit of a single column and give an empty string.
    """
    folded = unicodedata.normalize("NFKC", "" if text is None else str(text)).strip()
    folded = re.sub(r"^(?:计量)?(?:单\s*位|units?)\s*[::]\s*", "", folded, flags=re.IGNORECASE)
    if folded.startswith("(") and folded.endswith(")"):
        folded = folded[1:-1]
    return _NORMAL.get(_SEPARATORS.sub("", folded).casefold().strip("。;:"), "")


def known_units() -> list[str]:
    """All normal forms, in the order of the table above."""
    return list(_SPELLINGS)
