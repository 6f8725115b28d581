"""The synthetic files: readable by the project's readers, complete, deterministic."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import python_calamine
import xarray as xr

from dagster_project.extract.boundaries import load_boundaries
from dagster_project.extract.discover import discover
from dagster_project.extract.grids import read_grid
from dagster_project.extract.tables import load_mappings, match, read_table
from dagster_project.extract.yearbook import read_edition
from dagster_project.sample.__main__ import main
from dagster_project.sample.defects import KINDS, inject
from dagster_project.sample.grids_writer import FLUX_YEARS
from dagster_project.sample.holes import FIRST_HOLE_YEAR, LAST_HOLE_YEAR, SHARE, missing
from dagster_project.sample.inputs import SEEDS_DIR, Geography
from dagster_project.sample.world import World
from dagster_project.sample.write import MANIFEST, MARKER, SampleWriteError, write_sample
from dagster_project.sample.yearbook_layouts import LAYOUTS, layout_of
from dagster_project.sample.yearbook_tables import tables
from tests.unit.sample_worlds import polygon_cache, shared_geography, shared_world


@pytest.fixture(scope="module")
def cache_dir(pytestconfig: pytest.Config) -> Path:
    return polygon_cache(pytestconfig)


@pytest.fixture(scope="module")
def geography(cache_dir: Path) -> Geography:
    return shared_geography(cache_dir)


@pytest.fixture(scope="module")
def world(cache_dir: Path) -> World:
    return shared_world(cache_dir, effects=True)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory, geography: Geography) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "landing"
    write_sample(folder, geography=geography)
    return folder


@pytest.fixture(scope="module")
def registry() -> pd.DataFrame:
    """Spelling and unit of the yearbook -> indicator and factor to its canonical unit."""
    read = {"dtype": str, "keep_default_na": False}
    spellings = pd.read_csv(SEEDS_DIR / "indicator_spellings.csv", **read)
    spellings = spellings[(spellings["source"] == "yearbook") & (spellings["scope"] == "")]
    spellings = spellings.drop_duplicates(["indicator_key", "unit_key"])
    units = pd.read_csv(SEEDS_DIR / "indicators.csv", **read)[["indicator", "unit"]]
    factors = pd.read_csv(SEEDS_DIR / "unit_conversions.csv", **read)
    factors["factor"] = factors["factor"].astype(float)
    joined = spellings[["indicator_key", "unit_key", "indicator"]].merge(units, on="indicator")
    return joined.merge(
        factors[["unit_from", "unit_to", "factor"]],
        left_on=["unit_key", "unit"],
        right_on=["unit_from", "unit_to"],
    )


@pytest.fixture(scope="module")
def codes_by_name() -> pd.Series:
    names = pd.read_csv(SEEDS_DIR / "city_names.csv", dtype=str, keep_default_na=False)
    return names.drop_duplicates("name_key").set_index("name_key")["city_code"]


# One edition of every layout family, and the three whole books.
EDITIONS = (2004, 2005, 2008, 2009, 2013, 2015, 2018, 2021, 2022, 2024)


@pytest.mark.parametrize("edition", EDITIONS)
def test_editions_give_the_world_back(
    landing: Path, world: World, registry: pd.DataFrame, codes_by_name: pd.Series, edition: int
) -> None:
    """Reader, registry and crosswalk together return every printed number of the world."""
    result = read_edition(landing / "yearbook" / str(edition), relative_to=landing)
    assert result.rejects.empty, result.rejects["detail"].head().tolist()
    seen = result.observations
    assert set(seen["data_year"]) == {edition - 1}
    t = list(world.years).index(edition - 1)
    merged = seen.merge(registry, on=["indicator_key", "unit_key"], how="left")
    unknown = merged.loc[merged["indicator"].isna(), ["indicator_key", "unit_key"]]
    assert unknown.empty, unknown.drop_duplicates().to_numpy().tolist()
    name = merged["entity_printed"].str.replace(r"\s", "", regex=True)
    merged["city_code"] = name.map(codes_by_name)
    assert merged["city_code"].notna().all()
    merged["number"] = merged["value"] * merged["factor"]
    rows = pd.Series(np.arange(297), index=world.cities["city_code"])
    n_listed = int(world.listed()[:, t].sum())
    for table in tables(edition):
        for column in table.columns:
            for scope in ("city", "districts"):
                if column.scope not in ("both", scope):
                    continue
                source = world.city if scope == "city" else world.districts
                part = merged[
                    (merged["indicator"] == column.indicator) & (merged["scope"] == scope)
                ]
                hole = missing(world, column.indicator)[:, t] & world.listed()[:, t]
                assert len(part) == n_listed - hole.sum(), (column.indicator, scope)
                true = source[column.indicator][rows[part["city_code"]].to_numpy(), t]
                step = 0.5 * 10.0**-column.decimals / column.factor
                gap = np.abs(part["number"].to_numpy() - true)
                assert gap.max() <= step * (1 + 1e-6), (column.indicator, scope)


def test_layout_families_differ_as_real_editions_do(landing: Path) -> None:
    folder = landing / "yearbook"
    assert all(p.suffix == ".xls" for p in (folder / "2004").iterdir())
    books = list((folder / "2015").iterdir())
    assert len(books) == 1
    sheets = python_calamine.CalamineWorkbook.from_path(str(books[0])).sheet_names
    assert len(sheets) == 1 + len(tables(2015))
    spaced = next((folder / "2024").glob("*地区生产总值.xlsx"))
    cells = (
        python_calamine.CalamineWorkbook.from_path(str(spaced)).get_sheet_by_index(0).to_python()
    )
    beijing = next(r for r in cells if r and r[0] == "北京市")
    assert isinstance(beijing[2], str)  # numbers as text
    assert any(str(r[0]).startswith("2-") for r in cells if r)
    numbers = {
        e: next(i for i, t in enumerate(tables(e), 1) if t.key == "product") for e in EDITIONS
    }
    assert len(set(numbers.values())) > 1  # table numbers drift


def test_every_edition_has_one_family() -> None:
    for edition in range(2004, 2025):
        assert sum(f.first <= edition <= f.last for f in LAYOUTS) == 1
    with pytest.raises(ValueError, match="no layout"):
        layout_of(1999)


@pytest.mark.parametrize("year", [2003, 2008, 2015])
def test_grids_give_city_values_back(
    landing: Path, world: World, cache_dir: Path, year: int
) -> None:
    boundaries = load_boundaries(cache_dir=cache_dir)
    boundaries = boundaries[boundaries["city_code"].isin(world.cities["city_code"])]
    t = list(world.years).index(year)
    for kind, pattern, name in (
        ("edgar_co2", f"edgar/*_{year}_*.nc", "co2_edgar"),
        ("pm25", f"pm25/*{year}01-*.nc", "pm25"),
    ):
        path = next(landing.glob(pattern))
        result = read_grid(path, kind, boundaries, cache_dir, relative_to=landing)
        assert result.rejects.empty
        found = result.observations.query("indicator_key == @name")
        found = found.set_index("entity_code_printed")["value"].reindex(world.cities["city_code"])
        np.testing.assert_allclose(found, world.city[name][:, t], rtol=1e-5)
    assert ("flx" in next(landing.glob(f"edgar/*_{year}_*")).name) == (year in FLUX_YEARS)


def test_night_lights_add_up(landing: Path, world: World, geography: Geography) -> None:
    """Without the reader: coverage times the raster, summed by city."""
    import rasterio

    with rasterio.open(next(landing.glob("nightlights/*2012*.tif"))) as file:
        values = file.read(1).astype(float).ravel()
    t = list(world.years).index(2012)
    np.testing.assert_allclose(geography.fine @ values, world.city["night_light"][:, t], rtol=1e-5)


def test_grids_open_with_xarray_and_look_like_the_products(landing: Path) -> None:
    with xr.open_dataset(next(landing.glob("edgar/*2015*")), engine="h5netcdf") as data:
        assert dict(data.sizes) == {"lat": 1800, "lon": 3600}
        assert float(data["emissions"].sum()) > 1e9
        assert float(data["emissions"].min()) >= 0
    with xr.open_dataset(next(landing.glob("pm25/*201501*")), engine="h5netcdf") as data:
        window = data["PM25"].sel(lat=slice(20, 45), lon=slice(100, 120))
        assert 5 < float(window.mean()) < 90
        assert "SYNTHETIC" in data["PM25"].attrs["long_name"]


def test_tables_are_read_without_rejects(landing: Path, world: World) -> None:
    mappings = load_mappings()
    for path in sorted([*landing.glob("patents/*"), *landing.glob("tables/*/*")]):
        mapping = match(path.relative_to(landing), mappings)
        assert mapping is not None, path.name
        result = read_table(path, mapping, relative_to=landing)
        assert result.rejects.empty, (path.name, result.rejects["detail"].head().tolist())
        national = set(result.observations["section"]) == {"national"}
        assert len(result.observations) >= (len(world.years) if national else 300)
    path = next(landing.glob("patents/*"))
    mapping = match(path.relative_to(landing), mappings)
    assert mapping is not None
    seen = read_table(path, mapping, relative_to=landing).observations
    green = seen[(seen["indicator_key"] == "patents_green") & (seen["data_year"] == 2020)]
    green = green.set_index("entity_code_printed")["value"].reindex(world.cities["city_code"])
    t = list(world.years).index(2020)
    np.testing.assert_array_equal(green, world.city["patents_green"][:, t])


def test_every_file_is_recognised_and_marked(landing: Path) -> None:
    assert "SYNTHETIC" in (landing / MARKER).read_text(encoding="utf-8")
    manifest = json.loads((landing / MANIFEST).read_text(encoding="utf-8"))
    assert all("SYNTHETIC" in Path(name).name for name in manifest["files"])
    known = {f.source for f in discover(landing) if f.source}
    assert known >= {
        "yearbook", "edgar_co2", "pm25", "nightlights", "elevation", "patents", "digital_finance",
        "marketisation", "government_work_reports", "province_energy", "province_prices",
        "province_industry_employment", "key_monitored_enterprises", "digital_china_index", "ceads",
        "national_accounts", "exchange_rate",
    }  # fmt: skip


def test_sample_stays_small(landing: Path) -> None:
    total = sum(p.stat().st_size for p in landing.rglob("*") if p.is_file())
    assert total < 150e6


def _hashes(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_two_writings_give_the_same_bytes(tmp_path: Path, geography: Geography) -> None:
    for name in ("one", "two"):
        write_sample(tmp_path / name, years=(2004, 2005), geography=geography)
    assert _hashes(tmp_path / "one") == _hashes(tmp_path / "two")


def test_twin_files_differ_only_where_effects_are(tmp_path: Path, geography: Geography) -> None:
    kinds = {"years": (2012, 2013), "geography": geography, "grids": False}
    write_sample(tmp_path / "with", **kinds)
    write_sample(tmp_path / "twin", effects=False, **kinds)
    one, other = _hashes(tmp_path / "with"), _hashes(tmp_path / "twin")
    assert one.keys() == other.keys()
    differing = {name for name in one if one[name] != other[name]} - {MANIFEST, MARKER}
    assert any("用电量" in name for name in differing)
    for unmoved in ("人口", "土地", "市场化", "政府工作报告", "价格指数", "工业二氧化硫"):
        assert not any(unmoved in name for name in differing), unmoved


def test_the_same_sample_is_not_written_again(tmp_path: Path, geography: Geography) -> None:
    arguments = {"years": (2022, 2023), "geography": geography, "grids": False}
    first = write_sample(tmp_path / "landing", **arguments)
    some = tmp_path / "landing" / next(iter(first["files"]))
    before = some.stat().st_mtime_ns
    assert write_sample(tmp_path / "landing", **arguments) == first
    assert some.stat().st_mtime_ns == before
    some.unlink()  # a file is gone: write anew
    assert write_sample(tmp_path / "landing", **arguments) == first
    assert some.exists()
    other = write_sample(tmp_path / "landing", seed=3, **arguments)
    assert other["files"] != first["files"]


def test_a_folder_of_other_files_is_refused(tmp_path: Path, geography: Geography) -> None:
    landing = tmp_path / "landing"
    (landing / "yearbook").mkdir(parents=True)
    (landing / "yearbook" / "mine.xlsx").write_bytes(b"real")
    with pytest.raises(SampleWriteError, match="not a sample"):
        write_sample(landing, years=(2022, 2023), geography=geography, grids=False)
    assert (landing / "yearbook" / "mine.xlsx").read_bytes() == b"real"


def test_holes_are_rare_inside_the_span_and_never_neighbours(world: World) -> None:
    for name in ("fdi_actual", "loans", "employees_ict"):
        hole = missing(world, name)
        years = world.years[np.flatnonzero(hole.any(axis=0))]
        assert 0 < hole.mean() <= SHARE
        assert years.min() >= FIRST_HOLE_YEAR
        assert years.max() <= LAST_HOLE_YEAR
        assert not (hole[:, 1:] & hole[:, :-1]).any()
    assert not missing(world, "grp_growth").any()


def test_units_founded_later_are_not_printed_before(world: World) -> None:
    listed = pd.DataFrame(world.listed(), index=world.cities["city_name"], columns=world.years)
    assert not listed.loc["三沙市", 2011]
    assert listed.loc["三沙市", 2012]
    assert listed.loc["儋州市"].sum() == 2023 - 2015 + 1
    assert "襄樊市" in world.printed_names(2009)
    assert "襄阳市" in world.printed_names(2010)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_defect_changes_what_it_says_and_nothing_else(world: World, kind: str, seed: int) -> None:
    damaged, defect = inject(world, kind, seed=seed)
    again, same = inject(world, kind, seed=seed)
    assert same == defect
    changed = {k for k in world.city if not np.array_equal(world.city[k], damaged.city[k])}
    assert changed == set(defect.indicators)
    if kind == "city_set_change":
        lost = world.listed() & ~damaged.listed()
        hit = world.cities.loc[lost.any(axis=1), "city_code"]
        assert set(hit) == set(defect.city_codes)
        assert not lost[:, world.years < defect.year].any()
        return
    for name in defect.indicators:
        wrong = world.city[name] != damaged.city[name]
        years = world.years[wrong.any(axis=0)]
        assert years.min() == defect.year
        assert (len(years) > 1) == (kind == "jump")
        if defect.city_codes:
            assert set(world.cities.loc[wrong.any(axis=1), "city_code"]) == set(defect.city_codes)
        np.testing.assert_array_equal(damaged.city[name], again.city[name])


def test_defects_reach_the_files_and_the_manifest(
    tmp_path: Path, landing: Path, geography: Geography
) -> None:
    arguments = {"years": (2008, 2015), "geography": geography, "grids": False}
    clean = json.loads((landing / MANIFEST).read_text(encoding="utf-8"))
    dirty = write_sample(tmp_path / "dirty", defects=(("columns_exchanged", 5),), **arguments)
    assert clean["defects"] == []
    assert dirty["defects"][0]["kind"] == "columns_exchanged"
    books = [f for f in dirty["files"] if f.startswith("yearbook/")]
    assert len(books) > 100
    differing = [f for f in books if clean["files"][f] != dirty["files"][f]]
    assert len(differing) == 1
    assert f"/{dirty['defects'][0]['year'] + 1}/" in differing[0]
    with pytest.raises(ValueError, match="unknown kind"):
        write_sample(tmp_path / "bad", defects=(("flood", 1),), **arguments)


def test_command_line_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("x")
    assert main(["--landing", str(tmp_path), "--first", "2022", "--last", "2023"]) == 1
    assert "not a sample" in capsys.readouterr().err
