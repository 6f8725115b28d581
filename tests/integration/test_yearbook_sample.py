"""The synthetic yearbook in its six layouts, read back to the world it was printed from."""

from __future__ import annotations

import numpy as np
import pytest

from dagster_project.extract import crosswalk, registry
from dagster_project.extract.yearbook import read_edition
from dagster_project.sample.world import generate_world
from dagster_project.sample.yearbook_writer import write_yearbooks

# one of each layout, and each whole book in one workbook
EDITIONS = (2004, 2005, 2009, 2015, 2019, 2022, 2024)


@pytest.mark.slow
def test_every_printed_number_comes_back(tmp_path):
    world = generate_world()
    folder = tmp_path / "yearbook"
    write_yearbooks(world, folder)
    known, names = registry.load(), crosswalk.load()
    code_row = {code: n for n, code in enumerate(world.cities["city_code"])}
    cells = 0
    for position, year in enumerate(world.years):
        if int(year) + 1 not in EDITIONS:
            continue
        result = read_edition(folder / str(int(year) + 1), relative_to=tmp_path)
        assert result.rejects.empty
        frame = result.observations
        assert set(frame["data_year"]) == {int(year)}
        assert known.headers(frame)["status"].eq("mapped").all()
        assert not registry.twice(known.headers(frame)).any()
        for row in frame.itertuples(index=False):
            unit = row.unit_key if isinstance(row.unit_key, str) else ""
            hit = known.lookup("yearbook", row.indicator_key, unit, row.scope, row.data_year)
            code = names.resolve(row.entity_printed, year=row.data_year).city_code
            side = world.districts if row.scope == "districts" else world.city
            true = float(side[hit.indicator][code_row[code], position])
            # printed with at most two decimals of the printed unit
            printed_step = hit.factor * 0.51
            assert abs(row.value * hit.factor - true) <= printed_step + 1e-9 * abs(true), (
                row.file,
                row.cell,
            )
        cells += len(frame)
        # as many numbers as the world lists, none lost on the way
        assert np.isfinite(frame["value"]).all()
    assert cells > 150_000
