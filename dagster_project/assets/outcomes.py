"""Stage 3: outcomes that need a solver or an index formula, computed between two dbt layers.

Belongs here: calling the efficiency and index rooms on the warehouse's input table and writing the
result where dbt picks it up. Does not belong here: any formula.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from dagster_project.assets.sources import OWNERS, preview
from dagster_project.dbt_project import DERIVED
from dagster_project.extract.schema import to_table
from dagster_project.fingerprints import code_version, file_hash, library_versions
from dagster_project.lake import replacing, write_text
from dagster_project.resources import PilotPanel, connect
from estimation import indices
from estimation.efficiency import super_sbm_panel

INPUTS = dg.AssetKey(["intermediate", "int_outcome_inputs"])
FRONTIER: Literal["global"] = "global"
RETURNS: Literal["crs"] = "crs"
COUPLING_FORM: Literal["geometric_mean", "product"] = "product"
_LIBRARIES = ("highspy", "numpy", "pandas", "scipy")
SYEFF_YEARS = (2004, 2020)
SRPCE_YEARS = (2011, 2022)


def reduction_synergy(inputs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Study A's outcome: coupling coordination of PM2.5 and ln CO2 (less is better) and ln GDP.

    Parameters
    ----------
    inputs : DataFrame
        ``city_code``, ``year``, ``pm25`` (ug/m3), ``ln_co2`` (t), ``ln_rgdp_pc`` (yuan).

    Returns
    -------
    tuple
        ``city_code``, ``year``, ``srpce`` and ``srpce_entropy``; city-years without all three
        subsystems, and years outside the study's span, are absent. And the entropy weights (the
        paper prints 0.199, 0.515 and 0.286).
    """
    systems = ["pm25", "ln_co2", "ln_rgdp_pc"]
    sample = inputs[inputs["year"].between(*SRPCE_YEARS)].dropna(subset=systems)
    if sample.empty:
        return pd.DataFrame(columns=["city_code", "year", "srpce", "srpce_entropy"]), {}
    less_is_better = ["pm25", "ln_co2"]
    coupled = indices.coupling_coordination(
        sample, systems, negative=less_is_better, form=COUPLING_FORM
    )
    weights = indices.entropy_weights(sample, systems, negative=less_is_better)
    result = sample[["city_code", "year"]].copy()
    result["srpce"] = coupled["coordination"]
    result["srpce_entropy"] = indices.weighted_index(sample, weights, negative=less_is_better)
    return result, {str(name): float(value) for name, value in weights.items()}


def efficiency_synergy(
    inputs: pd.DataFrame, workers: int
) -> tuple[pd.DataFrame, dict[str, dict[str, str | int | float]]]:
    """Study B's outcome: two super-efficiency scores with undesirable outputs, coupled.

    Inputs labour, capital, energy; good output real GDP; bad output PM2.5 (``preff``) or CO2
    (``creff``); one global frontier over all city-years of the study's span.

    Returns
    -------
    tuple
        The scores, a city-year without a score with the reason as its status; and the technology
        of each of the two scores.
    """
    needed = ["labour", "capital", "energy", "grp_real_2004"]
    every = [*needed, "pm25", "co2_t"]
    span = inputs[inputs["year"].between(*SYEFF_YEARS)].reset_index(drop=True)
    usable = span[every].notna() & (span[every] > 0)
    keep = span[usable.all(axis=1)]
    scores = span[["city_code", "year"]].copy()
    lacking = (~usable).apply(lambda row: ", ".join(row.index[row]), axis=1)
    technologies: dict[str, dict[str, str | int | float]] = {}
    for name, bad in (("preff", "pm25"), ("creff", "co2_t")):
        scores[name] = np.nan
        scores[f"{name}_status"] = "not scored, missing or not positive: " + lacking
        if keep.empty:
            continue
        result = super_sbm_panel(
            keep,
            unit="city_code",
            time="year",
            inputs=needed[:3],
            good_outputs=needed[3:],
            bad_outputs=[bad],
            returns=RETURNS,
            frontier=FRONTIER,
            workers=workers,
        )
        found = keep[["city_code", "year"]].merge(
            result.scores[["city_code", "year", "score", "status"]],
            on=["city_code", "year"],
            how="left",
            validate="1:1",
        )
        scores.loc[keep.index, name] = found["score"].to_numpy()
        scores.loc[keep.index, f"{name}_status"] = found["status"].to_numpy()
        technologies[name] = dict(result.technology)
    solved = scores["preff"].notna() & scores["creff"].notna()
    scores["syeff"] = np.nan
    if solved.any():
        scores.loc[solved, "syeff"] = indices.syeff(
            scores.loc[solved, "preff"], scores.loc[solved, "creff"]
        ).to_numpy()
    return scores, technologies


def outcomes_stamp(inputs: pd.DataFrame) -> str:
    """What decides the computed outcomes: the inputs, our code, and the libraries behind it."""
    rows = pd.util.hash_pandas_object(inputs, index=False).to_numpy().tobytes()
    parts = [
        code_version("estimation.efficiency", "estimation.indices", __name__),
        *library_versions(*_LIBRARIES),
        *inputs.columns,
        str(DERIVED["outcomes"]),
    ]
    return hashlib.sha256(rows + "\0".join(parts).encode()).hexdigest()


def kept_record(target: Path, stamp: str) -> dict[str, Any]:
    """The record beside the scores, if they were computed from the same and are still those.

    An empty table that stands for a deleted one, or one that another hand wrote, is not.
    """
    path = target.with_suffix(".json")
    if not path.exists() or not target.exists():
        return {}
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        same = record["stamp"] == stamp and record["file"] == file_hash(target)
    except (ValueError, KeyError, TypeError):
        return {}  # a record of another version: the scores are computed
    return record if same else {}


@dg.asset(
    key=["lake", "outcomes"],
    deps=[INPUTS],
    group_name="outcomes",
    kinds={"python", "parquet"},
    owners=OWNERS,
    description="Computed outcomes: study A's coupling coordination (SRPCE), study B's "
    "super-efficiency scores and their coupling (syeff). Recomputed only when inputs or code "
    "changed.",
)
def outcomes(context: dg.AssetExecutionContext, pilot_panel: PilotPanel) -> dg.MaterializeResult:
    """Write ``lake/derived/outcomes.parquet``."""
    settings = pilot_panel.settings()
    with connect(settings.warehouse, read_only=True) as connection:
        inputs = connection.execute(
            "select * from int_outcome_inputs order by city_code, year"
        ).df()
    schema = DERIVED["outcomes"]
    target = settings.lake / "derived" / "outcomes.parquet"
    record_path = target.with_suffix(".json")
    stamp = outcomes_stamp(inputs)
    record = kept_record(target, stamp)
    if record:
        context.log.info("inputs and code unchanged: scores kept")
        frame = pd.read_parquet(target)
    else:
        scores, technologies = efficiency_synergy(inputs, settings.workers)
        synergy, weights = reduction_synergy(inputs)
        frame = scores.merge(synergy, on=["city_code", "year"], how="outer")
        frame["frontier"] = FRONTIER
        frame["returns"] = RETURNS
        frame = frame.sort_values(["city_code", "year"]).reindex(columns=schema.names)
        frame = to_table(frame, schema).to_pandas()
        # A run killed between the two files must not find new scores under an old record.
        record_path.unlink(missing_ok=True)
        with replacing(target) as temporary:
            pq.write_table(to_table(frame, schema), temporary)
        record = {
            "stamp": stamp,
            "file": file_hash(target),
            "syeff": {"years": SYEFF_YEARS, "scores": technologies},
            "srpce": {
                "years": SRPCE_YEARS,
                "coupling_form": COUPLING_FORM,
                "entropy_weights": weights,
            },
        }
        write_text(record_path, json.dumps(record, indent=1))
    summary = frame[["preff", "creff", "syeff", "srpce", "srpce_entropy"]].describe().T
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(frame),
            "frontier": FRONTIER,
            "returns to scale": RETURNS,
            "technology": dg.MetadataValue.json(record),
            "summary": dg.MetadataValue.md(summary.to_markdown()),
            "synthetic": pilot_panel.is_synthetic(),
            "preview": preview(frame),
        }
    )
