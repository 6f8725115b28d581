"""Stage 5: the studies, estimated on the published panel and published beside it.

Belongs here: handing each study its sample and keeping what comes back. Does not belong here: what
a study contains (``estimation/studies``) or how anything is estimated.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from dagster_project import release
from dagster_project.assets.publication import PANEL, published_release
from dagster_project.assets.sources import OWNERS
from dagster_project.lake import replacing, write_frame
from dagster_project.resources import PilotPanel, connect, exclusive
from dagster_project.settings import Settings
from estimation.studies import runner, spec
from estimation.studies.registry import RunContext

GROUP = "studies"
# Rows of the table in the UI; all of them stand in the report and in `published.estimates`.
_ROWS_SHOWN = 150
_SHOWN = [
    "exhibit",
    "column_id",
    "term",
    "estimate",
    "std_error",
    "published_estimate",
    "published_statistic",
    "n_obs",
    "published_n_obs",
    "status",
]


class Progress:
    """Passes a message on if the last one is some seconds old: progress, not a flood."""

    def __init__(self, log: Callable[[str], None], seconds: float = 5.0) -> None:
        self._log, self._seconds, self._last = log, seconds, time.monotonic()

    def __call__(self, message: str) -> None:
        if time.monotonic() - self._last >= self._seconds:
            self._last = time.monotonic()
            self._log(message)


def study_folder(settings: Settings, study: str) -> Path:
    """Where a study's results lie."""
    return settings.results / "estimates" / study


def load_sample(settings: Settings, table: str) -> pd.DataFrame:
    """A study's sample from the published panel, read-only.

    Raises
    ------
    ReleaseError
        If the release has no such table.
    """
    with connect(settings.published / "panel.duckdb", read_only=True) as connection:
        try:
            # Where a city lies is the same in every sample, so it is kept once, with the cities.
            return connection.execute(
                f"""
                select sample.*, cities.lon, cities.lat
                from "{table}" as sample
                left join cities using (city_code)
                order by sample.city_code, sample.year
                """
            ).df()
        except duckdb.CatalogException as error:
            raise release.ReleaseError(f"the release has no table {table}: {error}") from error


def _neighbours(settings: Settings) -> pd.DataFrame | None:
    path = settings.lake / "derived" / "city_neighbours.parquet"
    return pd.read_parquet(path) if path.exists() else None


def _keep(
    settings: Settings, run: runner.StudyRun, estimates: pd.DataFrame, *, synthetic: bool
) -> list[Path]:
    """Write a study's results; the folder is replaced as a whole."""
    folder = study_folder(settings, run.study)
    staging = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "figures").mkdir(parents=True)
    (staging / "tables").mkdir()
    write_frame(staging / "estimates.parquet", estimates)
    write_frame(staging / "diagnostics.parquet", run.diagnostics)
    for (exhibit, column, name), table in run.tables.items():
        write_frame(staging / "tables" / f"{exhibit}-{column}-{name}.parquet", table)
    figures = []
    for (exhibit, column, name), figure in run.figures.items():
        target = staging / "figures" / f"{exhibit}-{column}-{name}.png"
        if synthetic:
            # Figures travel alone, so each says it for itself.
            figure.text(
                *(0.995, 0.005), "SYNTHETIC DATA", ha="right", va="bottom", color="#b00020", size=7
            )
        with replacing(target) as temporary:
            figure.savefig(temporary, dpi=130, bbox_inches="tight", format="png")
        figures.append(folder / "figures" / target.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging.rename(folder)
    return figures


def build_study_asset(study: spec.Study) -> dg.AssetsDefinition:
    """The asset that runs one study."""

    @dg.asset(
        key=["estimates", study.study],
        deps=[PANEL],
        group_name=GROUP,
        kinds={"python", "parquet"},
        owners=OWNERS,
        description=f"{study.title}. {study.citation} Sample: {study.sample}.",
    )
    def study_estimates(
        context: dg.AssetExecutionContext, pilot_panel: PilotPanel
    ) -> dg.MaterializeResult:
        settings = pilot_panel.settings()
        current = published_release(pilot_panel)
        data = load_sample(settings, study.sample)
        neighbours = _neighbours(settings)
        run = runner.run_study(
            study,
            data,
            RunContext(
                seed=settings.seed,
                workers=settings.workers,
                full=settings.full,
                cache={"contiguity": neighbours} if neighbours is not None else {},
                progress=Progress(context.log.info),
            ),
        )
        estimates = run.estimates.assign(
            panel_release=current["release"], synthetic=current["synthetic"]
        )
        figures = _keep(settings, run, estimates, synthetic=bool(current["synthetic"]))
        status = estimates.drop_duplicates(["exhibit", "column_id"])["status"].value_counts()
        for row in estimates[estimates["status"] == "failed"].itertuples():
            context.log.warning(f"{row.exhibit} ({row.column_id}): {row.message}")
        shown = estimates[_SHOWN]
        metadata: dict[str, Any] = {
            "dagster/row_count": len(estimates),
            "columns estimated": int(status.get("ok", 0)),
            "columns without data": int(status.get("data_missing", 0)),
            "columns failed": int(status.get("failed", 0)),
            "panel release": current["release"],
            "synthetic": current["synthetic"],
            "estimates": dg.MetadataValue.md(shown.head(_ROWS_SHOWN).to_markdown(index=False)),
        }
        if len(shown) > _ROWS_SHOWN:
            metadata["estimates not shown here"] = len(shown) - _ROWS_SHOWN
        sizes = run.diagnostics.loc[run.diagnostics["name"] == "size", "text"].unique()
        if len(sizes):
            metadata["size"] = "; ".join(sizes)
        if figures:
            metadata["figure"] = dg.MetadataValue.path(str(figures[0]))
            metadata["figures"] = len(figures)
        return dg.MaterializeResult(metadata=metadata)

    return study_estimates


def estimate_assets() -> list[dg.AssetsDefinition]:
    """One asset per study, and the release that carries their estimates."""
    studies = spec.shipped()

    @dg.asset(
        key=["published", "estimates"],
        deps=[dg.AssetKey(["estimates", name]) for name in studies],
        # With the report, because the panel is published before the studies run on it.
        group_name="report",
        kinds={"duckdb", "parquet", "csv"},
        owners=OWNERS,
        description="The release with the estimates of all studies in it.",
    )
    def published_estimates(
        context: dg.AssetExecutionContext, pilot_panel: PilotPanel
    ) -> dg.MaterializeResult:
        settings = pilot_panel.settings()
        current = published_release(pilot_panel)
        estimates, diagnostics, stale = [], [], []
        for name in studies:
            folder = study_folder(settings, name)
            if not (folder / "estimates.parquet").exists():
                stale.append(name)
                continue
            frame = pd.read_parquet(folder / "estimates.parquet")
            if set(frame["panel_release"]) != {current["release"]}:
                stale.append(name)
                continue
            estimates.append(frame)
            diagnostics.append(
                pd.read_parquet(folder / "diagnostics.parquet").assign(
                    panel_release=current["release"], synthetic=current["synthetic"]
                )
            )
        if stale:
            context.log.warning(
                f"studies {', '.join(stale)} were not estimated on release {current['release']} "
                "and are left out: run the job `estimates`"
            )
        if not estimates:
            raise release.ReleaseError(
                f"no study was estimated on release {current['release']}: run the job `estimates`"
            )
        with exclusive(settings.data_home / "publication.lock", 120, "the publication"):
            result = release.add_estimates(
                settings,
                pd.concat(estimates, ignore_index=True),
                pd.concat(diagnostics, ignore_index=True),
            )
        return dg.MaterializeResult(
            metadata={
                "release": result["release"],
                "dagster/row_count": result["rows"]["estimates"],
                "studies left out": ", ".join(stale) or "none",
                "synthetic": result["synthetic"],
            }
        )

    return [*(build_study_asset(s) for s in studies.values()), published_estimates]
