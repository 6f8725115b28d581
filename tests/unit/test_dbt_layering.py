"""The arrows inside the dbt project, read from its files: no database and no dbt needed.

Belongs here: what may refer to what, that texts exist, and that seeds say what their sources say.
Does not belong here: numbers of a formula (dbt unit tests) or data (dbt data tests).
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import yaml

DBT = Path(__file__).resolve().parents[2] / "dbt"
LAYERS = ("staging", "intermediate", "marts")
REF = re.compile(r"ref\(\s*['\"](\w+)['\"]\s*\)")
SOURCE = re.compile(r"source\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]\s*\)")
COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)

MODELS = {path.stem: path for layer in LAYERS for path in (DBT / "models" / layer).glob("*.sql")}
SEEDS = {path.stem: path for path in (DBT / "seeds").glob("*.csv")}
# Macros that refer to models on behalf of the model that calls them.
MACROS = {path.stem: path.read_text(encoding="utf-8") for path in (DBT / "macros").glob("*.sql")}


def _layer(model: str) -> str:
    return MODELS[model].parent.name


def _sql(model: str) -> str:
    """A model without comments, with the body of ``sample_from`` where it is called."""
    text = COMMENT.sub("", MODELS[model].read_text(encoding="utf-8"))
    if "sample_from()" in text:
        text += MACROS["samples"]
    return text


def _refs(model: str) -> set[str]:
    text = _sql(model)
    names = set(REF.findall(text))
    # {% for roster, ... in rosters %} ref(roster): the names stand in the list above it
    if re.search(r"ref\(\s*\w+\s*\)", text):
        names |= {n for n in re.findall(r"'(\w+)'", text) if n in MODELS or n in SEEDS}
    return names


def _columns(model: str) -> dict[str, dict]:
    path = MODELS[model].with_suffix(".yml")
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))["models"][0]
    return {column["name"]: column for column in declared["columns"]}


def _violations(refs: dict[str, set[str]], layers: dict[str, str], seeds: set[str]) -> list[str]:
    """Every reference against the arrows staging <- intermediate <- marts."""
    allowed = {
        "staging": {"seed"},
        "intermediate": {"seed", "staging", "intermediate"},
        "marts": {"seed", "intermediate", "marts"},
    }
    found = []
    for model, names in sorted(refs.items()):
        for name in sorted(names):
            # a mart may carry the name of a seed it publishes: the model wins
            kind = layers.get(name) or ("seed" if name in seeds else "unknown")
            if kind not in allowed[layers[model]]:
                found.append(f"{layers[model]}/{model} refers to {kind} {name}")
    return found


def test_every_model_lies_in_a_layer_and_refers_downwards_only():
    refs = {model: _refs(model) for model in MODELS}
    layers = {model: _layer(model) for model in MODELS}
    assert len(MODELS) > 50
    assert not _violations(refs, layers, set(SEEDS))


def test_the_check_itself_catches_a_mart_that_reads_staging():
    refs = {"panel": {"stg_cells"}, "stg_cells": {"panel"}, "int_x": {"nowhere"}}
    layers = {"panel": "marts", "stg_cells": "staging", "int_x": "intermediate"}
    assert _violations(refs, layers, set()) == [
        "intermediate/int_x refers to unknown nowhere",
        "marts/panel refers to staging stg_cells",
        "staging/stg_cells refers to marts panel",
    ]


def test_only_staging_reads_the_lake():
    readers = {model for model in MODELS if SOURCE.search(_sql(model))}
    assert readers
    assert {model for model in readers if _layer(model) != "staging"} == set()
    parquet = {m for m in MODELS if "read_parquet" in _sql(m) or "read_csv" in _sql(m)}
    assert parquet == set()


def test_every_model_and_seed_has_a_description():
    described = {}
    for path in DBT.rglob("*.yml"):
        if "target" in path.parts:
            continue
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for kind in ("models", "seeds"):
            entries = loaded.get(kind) or []
            if isinstance(entries, list):
                for entry in entries:
                    described[entry["name"]] = entry.get("description", "")
    missing = [name for name in [*MODELS, *SEEDS] if not described.get(name, "").strip()]
    assert missing == []


def test_every_published_column_says_what_it_is():
    for model in MODELS:
        if _layer(model) != "marts":
            continue
        for name, column in _columns(model).items():
            assert column.get("description", "").strip(), f"{model}.{name} has no description"
            assert column.get("data_type"), f"{model}.{name} has no type: the contract needs one"


def test_inputs_named_by_a_column_are_canonical_indicators():
    registry = {row["indicator"] for row in _rows("indicators")}
    for model in MODELS:
        if _layer(model) != "marts":
            continue
        for name, column in _columns(model).items():
            meta = (column.get("config") or {}).get("meta") or {}
            unknown = set(meta.get("inputs", [])) - registry
            assert not unknown, (
                f"{model}.{name}: inputs {sorted(unknown)} are not in indicators.csv"
            )


def test_every_registered_indicator_is_a_column_of_the_panel():
    registry = {
        row["indicator"]: row["scope"] for row in _rows("indicators") if row["scope"] != "national"
    }
    per_industry = "employment_industry_province"  # items of one indicator, not a column
    columns = set(_columns("city_year"))
    assert set(registry) - columns == {per_industry}, "extend macros/panel_columns.sql and its yml"
    text = MACROS["panel_columns"]
    for macro, scope in (("city", "city"), ("urban", "districts"), ("province", "province")):
        body = text.split(f"macro {macro}_indicators()")[1].split("endmacro")[0]
        listed = set(re.findall(r"'(\w+)'", body))
        assert listed == {n for n, s in registry.items() if s == scope} - {per_industry}


def test_units_of_canonical_columns_agree_with_the_registry():
    unit = {row["indicator"]: row["unit"] for row in _rows("indicators")}
    columns = _columns("city_year")
    shared = set(columns) & set(unit)
    assert len(shared) > 100
    for name in shared:
        assert columns[name]["config"]["meta"]["unit"] == unit[name], name


def test_both_readings_of_the_boundaries_say_the_same_of_their_columns():
    reported, consistent = _columns("city_year"), _columns("city_year_consistent")
    assert set(consistent) - set(reported) == {
        "member_codes",
        "boundary_break",
        "boundary_segment",
    }
    for name, column in reported.items():
        assert consistent[name] == column, f"copy the entry of {name} from city_year.yml"


def test_every_indicator_says_how_merged_units_combine():
    rows = _rows("indicators")
    additive = {row["indicator"] for row in rows if row["combine"] == "sum"}
    assert {"grp", "pop_resident", "land_area", "co2_edgar", "patents_applied"} <= additive
    for row in rows:
        rule = row["combine"]
        if row["scope"] in ("province", "national"):
            assert rule == row["scope"], row["indicator"]
        elif rule.startswith("mean "):
            # the weight must itself be a quantity: a rate is weighted by its denominator
            assert rule.removeprefix("mean ").removesuffix(":last") in additive, row["indicator"]
        else:
            assert rule in {"sum", "survivor", "none"}, row["indicator"]


@pytest.mark.parametrize(
    ("programme", "year", "row"),
    [
        ("roster_smart_city", "2015", {"batch": "2014", "year_effective": "2015"}),
        ("roster_big_data", "2015", {"batch": "1", "year_effective": "2015"}),
        ("roster_low_carbon", "2012", {"batch": "2", "year_effective": "2012"}),
    ],
)
def test_rosters_keep_confidence_and_source(programme, year, row):
    rows = _rows(programme)
    assert rows
    for entry in rows:
        assert entry["confidence"] in {"verified", "from-memory", "uncertain"}, entry
        assert "announced" in entry
    hits = [r for r in rows if all(r[k] == v for k, v in row.items())]
    assert hits
    assert all(r["year_effective"] == year for r in hits)


def test_licensed_coordinates_are_not_shipped():
    columns = set(_rows("cities")[0])
    assert not [c for c in columns if c in {"lon", "lat"} or c.startswith(("hu_", "seat_"))]


@pytest.mark.reference
def test_roster_seeds_hold_every_row_of_the_facts(shared_dir):
    facts = shared_dir / "facts"
    pairs = {
        "roster_smart_city": "smart_city_pilots",
        "roster_low_carbon": "low_carbon_pilots",
        "roster_innovative": "innovative_cities",
        "roster_big_data": "big_data_zones",
        "roster_broadband": "broadband_china",
        "roster_carbon_ets": "carbon_ets_pilots",
        "roster_civilized": "civilized_cities",
        "roster_key_env": "key_env_cities",
        "roster_two_control": "two_control_zones",
        "roster_resource": "resource_cities",
        "roster_treaty_ports": "treaty_ports",
        "roster_rail1933": "rail1933",
        "roster_city_tier": "new_first_tier_2019",
    }
    for seed, fact in pairs.items():
        with (facts / f"{fact}.csv").open(encoding="utf-8-sig") as handle:
            expected = [(r["adcode"], r["confidence"]) for r in csv.DictReader(handle)]
        assert [(r["city_code"], r["confidence"]) for r in _rows(seed)] == expected, seed


@pytest.mark.reference
def test_printed_descriptives_stand_in_the_papers(shared_dir):
    """Each transcribed mean, deviation and extreme stands in the paper's table, in its order."""
    files = {"A": "000_*.txt", "B": "001_*.txt", "C": "002_*.txt"}
    for study, pattern in files.items():
        text = next((shared_dir / "papers").glob(pattern)).read_text(encoding="utf-8")
        text = text.replace("$", "").replace("*", "").replace(" ", " ")
        for row in _rows("published_descriptives"):
            if row["study"] != study:
                continue
            n = row["n"]
            count = rf"(?:{n}|{n[0]} {n[1:]})"
            numbers = r"\s+".join(re.escape(row[k]) for k in ("mean", "sd", "min", "max"))
            found = re.search(
                rf"{re.escape(row['symbol'])}\s+[^\n]*?{count}\s+{numbers}(?:\s|$)", text
            )
            assert found, f"study {study}, {row['symbol']}: row not found as transcribed"


def _rows(seed: str) -> list[dict[str, str]]:
    with SEEDS[seed].open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))
