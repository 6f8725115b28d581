"""The walk of the landing folder: sources, partitions, refusals, and the hash cache."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from dagster_project.extract import discover as discover_module
from dagster_project.extract.discover import discover
from dagster_project.extract.schema import ExtractError

FILES = {
    "yearbook/2023/2-7 地区生产总值.xlsx": ("yearbook", "2023"),
    "yearbook/2001/book.xls": ("yearbook", "2001"),
    "edgar/v8.0_FT2022_GHG_CO2_2015_TOTALS_emi.nc": ("edgar_co2", "2015"),
    "pm25/V6GL02.02.CNNPM25.0p10.AS.201501-201512.nc": ("pm25", "2015"),
    "pm25/V5GL04.HybridPM25.Asia.201001-201012.tif": ("pm25", "2010"),
    "nightlights/F182013.v4c_web.stable_lights.avg_vis.tif": ("nightlights", "2013"),
    "elevation/SYNTHETIC_dem.tif": ("elevation", "static"),
    "patents/SYNTHETIC_patents.csv": ("patents", "SYNTHETIC_patents"),
    "tables/digital_finance/index 2011-2023.xlsx": ("digital_finance", "index_2011_2023"),
    "tables/ceads/a.xlsx": ("ceads", "a"),
    "compiled/地级市碳排放强度.xlsx": ("compiled_edgar", "地级市碳排放强度"),
}


def _drop(landing: Path, name: str, content: bytes = b"x") -> Path:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_each_folder_has_its_reader_and_partition(tmp_path):
    for name in FILES:
        _drop(tmp_path, name, name.encode())
    found = {f.path.relative_to(tmp_path).as_posix(): f for f in discover(tmp_path)}
    assert {n: (f.source, f.partition) for n, f in found.items()} == FILES
    for name, file in found.items():
        assert file.sha256 == hashlib.sha256(name.encode()).hexdigest()
        assert file.size == len(name.encode())
        assert file.reason == ""


def test_empty_and_missing_landing(tmp_path):
    assert discover(tmp_path) == []
    with pytest.raises(ExtractError, match="does not exist; create it"):
        discover(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("loose.xlsx", "top of the landing folder"),
        ("yearbook/loose.xlsx", "folder of its edition"),
        ("yearbook/2023/scan.pdf", "expected an Excel workbook"),
        ("edgar/readme.pdf", "expected .nc or .nc4 in edgar/"),
        ("edgar/co2_2014_2015.nc", "several years"),
        ("edgar/v8.0_FT2022_GHG_CO2_2015_ENE_emi.nc", "sector ENE only"),
        ("edgar/v8.0_FT2022_GHG_CO2_2015_TOTALS_emi_nc.zip", "packed archive: unpack it"),
        ("nightlights/VNL_v21_npp_2019_global.average_masked.dat.tif.gz", "packed archive"),
        ("pm25/GlobalGWR_PM25_GL_201001_201012.asc", "Download the source's other form"),
        ("yearbook/2023/2-1.ods", "not .ods. Save it as .xlsx"),
        ("yearbook/2023/2-1.caj", "It is a document: save its tables as a workbook"),
        ("compiled/unknown.xlsx", "no mapping takes this file from compiled/"),
        ("tables/weather/a.csv", "add a mapping file"),
        ("patents/a.pdf", "the ending .pdf is not read"),
        ("patents/a\u202ecsv.csv", "invisible character"),
    ],
)
def test_what_no_reader_knows_is_listed_with_its_reason(tmp_path, name, reason):
    _drop(tmp_path, name)
    (file,) = discover(tmp_path)
    assert file.source == "unrecognised"
    assert reason in file.reason
    assert "\n" not in file.reason


def test_notes_rosters_and_leftovers_are_not_listed(tmp_path):
    for name in ("README.md", "SYNTHETIC.json", "rosters/a.csv", "patents/.a.csv.swp",
                 "patents/~$a.xlsx", "edgar/a_2015.nc.part", ".git/config"):  # fmt: skip
        _drop(tmp_path, name)
    assert discover(tmp_path) == []


def test_links_that_leave_the_folder_are_refused(tmp_path):
    outside = _drop(tmp_path / "outside", "secret.csv")
    landing = tmp_path / "landing"
    inside = _drop(landing, "patents/real.csv")
    (landing / "patents" / "link.csv").symlink_to(outside)
    (landing / "patents" / "within.csv").symlink_to(inside)
    (landing / "compiled").symlink_to(outside.parent, target_is_directory=True)
    found = {f.path.name: f for f in discover(landing)}
    assert found["link.csv"].source == "unrecognised"
    assert "outside the landing folder" in found["link.csv"].reason
    assert found["compiled"].source == "unrecognised"
    assert found["within.csv"].source == found["real.csv"].source == "patents"
    assert "secret.csv" not in found


def test_hashes_are_kept_by_path_size_and_time(tmp_path, monkeypatch):
    landing, cache = tmp_path / "landing", tmp_path / "cache" / "hashes.json"
    path = _drop(landing, "patents/a.csv", b"one")
    first = discover(landing, hash_cache=cache)
    real = hashlib.file_digest
    calls = []

    def counting(*args):
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(discover_module.hashlib, "file_digest", counting)
    assert discover(landing, hash_cache=cache) == first
    assert calls == []
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    (changed,) = discover(landing, hash_cache=cache)
    assert changed.sha256 == hashlib.sha256(b"two").hexdigest()
    assert len(calls) == 1
    cache.write_text("{ damaged", encoding="utf-8")
    assert discover(landing, hash_cache=cache) == [changed]
    assert list(json.loads(cache.read_text(encoding="utf-8"))) == [str(path.resolve())]
