"""Stage 3: outcomes that need a solver or an index formula, computed between two dbt layers.

Belongs here: calling the efficiency and index rooms on the warehouse's input table and writing the
result where dbt picks it up. Does not belong here: any formula.
"""

import hashlib
from typing import Literal

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from dagster_project.assets.sources import OWNERS, preview
from dagster_project.dbt_project import DERIVED
from dagster_project.extract.schema import to_table
from dagster_project.lake import code_version, replacing
from dagster_project.resources import PilotPanel, connect
from estimation import indices
from estimation.efficiency import super_sbm_panel

INPUTS = dg.AssetKey(["intermediate", "int_outcome_inputs"])
FRONTIER: Literal["global"] = "global"
RETURNS: Literal["crs"] = "crs"
COUPLING_FORM: Literal["geometric_mean", "product"] = "product"
SYEFF_YEARS = (2004, 2020)
SRPCE_YEARS = (2011, 2022)


def reduction_synergy(inputs: pd.DataFrame) -> pd.DataFrame:
    """Study A's outcome: coupling coordination of PM2.5 and ln CO2 (less is better) and ln GDP.

    Parameters
    ----------
    inputs : DataFrame
        ``city_code``, ``year``, ``pm25`` (ug/m3), ``ln_co2`` (t), ``ln_rgdp_pc`` (yuan).

    Returns
    -------
    DataFrame
        ``city_code``, ``year``, ``srpce`` and ``srpce_entropy``; city-years without all three
        subsystems, and years outside the study's span, are absent.
    """
    systems = ["pm25", "ln_co2", "ln_rgdp_pc"]
    sample = inputs[inputs["year"].between(*SRPCE_YEARS)].dropna(subset=systems)
    if sample.empty:
        return pd.DataFrame(columns=["city_code", "year", "srpce", "srpce_entropy"])
    less_is_better = ["pm25", "ln_co2"]
    coupled = indices.coupling_coordination(
        sample, systems, negative=less_is_better, form=COUPLING_FORM
    )
    weights = indices.entropy_weights(sample, systems, negative=less_is_better)
    result = sample[["city_code", "year"]].copy()
    result["srpce"] = coupled["coordination"]
    result["srpce_entropy"] = indices.weighted_index(sample, weights, negative=less_is_better)
    return result


def efficiency_synergy(inputs: pd.DataFrame, workers: int) -> pd.DataFrame:
    """Study B's outcome: two super-efficiency scores with undesirable outputs, coupled.

    Inputs labour, capital, energy; good output real GDP; bad output PM2.5 (``preff``) or CO2
    (``creff``); one global frontier over all city-years of the study's span.
    """
    needed = ["labour", "capital", "energy", "grp_real_2004"]
    span = inputs[inputs["year"].between(*SYEFF_YEARS)]
    keep = span.dropna(subset=[*needed, "pm25", "co2_t"])
    keep = keep[(keep[[*needed, "pm25", "co2_t"]] > 0).all(axis=1)]
    if keep.empty:
        return pd.DataFrame(
            columns=[
                "city_code",
                "year",
                "preff",
                "preff_status",
                "creff",
                "creff_status",
                "syeff",
            ]
        )
    scores = keep[["city_code", "year"]].reset_index(drop=True)
    for name, bad in (("preff", "pm25"), ("creff", "co2_t")):
        found = super_sbm_panel(
            keep,
            unit="city_code",
            time="year",
            inputs=needed[:3],
            good_outputs=needed[3:],
            bad_outputs=[bad],
            returns=RETURNS,
            frontier=FRONTIER,
            workers=workers,
        ).scores[["city_code", "year", "score", "status"]]
        found = found.rename(columns={"score": name, "status": f"{name}_status"})
        scores = scores.merge(found, on=["city_code", "year"], how="left", validate="1:1")
    solved = scores["preff"].notna() & scores["creff"].notna()
    scores["syeff"] = np.nan
    scores.loc[solved, "syeff"] = indices.syeff(
        scores.loc[solved, "preff"], scores.loc[solved, "creff"]
    ).to_numpy()
    return scores


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
    stamp_path = target.with_suffix(".stamp")
    version = code_version("estimation.efficiency", "estimation.indices", __name__)
    rows = pd.util.hash_pandas_object(inputs, index=False).to_numpy().tobytes()
    stamp = hashlib.sha256(rows + version.encode()).hexdigest()
    if target.exists() and stamp_path.exists() and stamp_path.read_text() == stamp:
        context.log.info("inputs and code unchanged: scores kept")
        frame = pd.read_parquet(target)
    else:
        frame = efficiency_synergy(inputs, settings.workers).merge(
            reduction_synergy(inputs), on=["city_code", "year"], how="outer"
        )
        frame["frontier"] = FRONTIER
        frame["returns"] = RETURNS
        frame = frame.sort_values(["city_code", "year"]).reindex(columns=schema.names)
        frame = to_table(frame, schema).to_pandas()
        with replacing(target) as temporary:
            pq.write_table(to_table(frame, schema), temporary)
        stamp_path.write_text(stamp)
    summary = frame[["preff", "creff", "syeff", "srpce", "srpce_entropy"]].describe().T
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(frame),
            "frontier": FRONTIER,
            "returns to scale": RETURNS,
            "summary": dg.MetadataValue.md(summary.to_markdown()),
            "synthetic": pilot_panel.is_synthetic(),
            "preview": preview(frame),
        }
    )
