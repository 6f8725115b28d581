"""Runs a study: every exhibit, column by column, into one tidy table beside the published numbers.

Belongs here: walking a study, deciding whether a column can be estimated on the data there is, and
collecting what comes back. Does not belong here: estimating (adapters), preparing variables
(``transforms``, the warehouse), or files and databases (the caller).
"""

from __future__ import annotations

import re
import time as clock
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from estimation.panel import MissingData
from estimation.studies import registry, transforms
from estimation.studies.registry import TIDY_COLUMNS, Estimation, RunContext
from estimation.studies.spec import Column, Exhibit, ModelSpec, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ESTIMATE_COLUMNS = [
    "study",
    "exhibit",
    "column_id",
    "label",
    "exhibit_title",
    "estimator",
    "outcome",
    *TIDY_COLUMNS,
    "n_obs",
    "n_cities",
    "adj_r2",
    "se_rule",
    "published_estimate",
    "published_statistic",
    "published_statistic_kind",
    "published_std_error",
    "published_stars",
    "published_n_obs",
    "published_r2",
    "status",
    "message",
    "seed",
    "spec_hash",
    "seconds",
]
DIAGNOSTIC_COLUMNS = ["study", "exhibit", "column_id", "name", "value", "text", "published"]

_NOT_RUN = "takes long, so it is estimated in full runs only (make run FULL=1)"
# Options that name columns of the sample: they have to be there before a column is estimated.
_COLUMN_OPTIONS = ("mediator", "moderator", "instrument", "instruments", "split_by", "covariates")


@dataclass(frozen=True)
class StudyRun:
    """What a study gave: estimates and diagnostics (tidy), companion tables and figures.

    ``tables`` and ``figures`` are keyed by ``(exhibit, column, name)``.
    """

    study: str
    estimates: pd.DataFrame
    diagnostics: pd.DataFrame
    tables: dict[tuple[str, str, str], pd.DataFrame] = field(default_factory=dict)
    figures: dict[tuple[str, str, str], Figure] = field(default_factory=dict)


def run_study(
    study: Study,
    data: pd.DataFrame,
    context: RunContext,
    *,
    choose: Callable[[Exhibit, Column], bool] = lambda exhibit, column: True,  # noqa: ARG005
) -> StudyRun:
    """Estimate the chosen columns of a study on its sample.

    Parameters
    ----------
    study : Study
        The study; ``study.sample`` names the table that ``data`` was read from.
    data : DataFrame
        The estimation sample, one row per entity and time.
    context : RunContext
        Seed, workers, size and progress.
    choose : callable
        Which columns to run; by default all.

    Returns
    -------
    StudyRun
        A column that cannot be estimated is a row with ``status`` ``data_missing`` (the sample
        lacks a variable), ``failed`` (the estimator refused) or ``not_run`` (left to a full run),
        and ``message`` says why.
    """
    estimates: list[pd.DataFrame] = []
    diagnostics: list[dict[str, Any]] = []
    tables: dict[tuple[str, str, str], pd.DataFrame] = {}
    figures: dict[tuple[str, str, str], Figure] = {}
    chosen = [(e, c) for e in study.exhibits for c in e.columns if choose(e, c)]
    left_out: set[tuple[str, str]] = set()
    if not context.full:
        left_out = {(e.id, c.id) for e, c in chosen if e.full_only or c.full_only}
    for done, (exhibit, column) in enumerate(chosen, start=1):
        model = study.model(exhibit, column)
        started = clock.perf_counter()
        message: str | None
        if (exhibit.id, column.id) in left_out:
            result, status, message, dropped = None, "not_run", _NOT_RUN, 0
        else:
            context.progress(
                f"study {study.study}: {exhibit.id} ({column.id}), {done} of {len(chosen)}"
            )
            result, status, message, dropped = _estimate(study, data, model, context)
        seconds = clock.perf_counter() - started
        frame = _rows(study, exhibit, column, model, result, status, message)
        frame["seed"] = context.seed
        frame["seconds"] = round(seconds, 3)
        estimates.append(frame)
        if result is None:
            continue
        found = {"rows_dropped_for_missing_values": dropped, **result.diagnostics}
        published = column.published.diagnostics
        for name in dict.fromkeys([*found, *published]):
            value = found.get(name)
            diagnostics.append(
                {
                    "study": study.study,
                    "exhibit": exhibit.id,
                    "column_id": column.id,
                    "name": name,
                    "value": value if _is_number(value) else None,
                    "text": None if _is_number(value) or value is None else str(value),
                    "published": published.get(name),
                }
            )
        for name, table in result.tables.items():
            tables[(exhibit.id, column.id, name)] = table
        for name, figure in result.figures.items():
            figures[(exhibit.id, column.id, name)] = figure
    return StudyRun(
        study=study.study,
        estimates=pd.DataFrame(
            pd.concat(estimates, ignore_index=True) if estimates else [], columns=ESTIMATE_COLUMNS
        ),
        diagnostics=pd.DataFrame(diagnostics, columns=DIAGNOSTIC_COLUMNS),
        tables=tables,
        figures=figures,
    )


def required_columns(model: ModelSpec) -> list[str]:
    """Columns of the sample that a model names, in order, without repetition."""
    names: list[str] = [model.entity, model.time, model.outcome, *model.treatment, *model.controls]
    for effect in model.fixed_effects:
        names += re.split(r"\s*[\^x*]\s*", effect) if "^" in effect else [effect]
    names += [n for n in (model.cluster, model.weights) if n]
    for key in _COLUMN_OPTIONS:
        value = model.options.get(key)
        if isinstance(value, str):
            names.append(value)
        elif isinstance(value, list | tuple):
            names += [v for v in value if isinstance(v, str)]
    return list(dict.fromkeys(names))


def _estimate(
    study: Study, data: pd.DataFrame, model: ModelSpec, context: RunContext
) -> tuple[Estimation | None, str, str | None, int]:
    prepared = data
    # Only the refusals that estimators and transforms are documented to raise become a row; a
    # programming error still stops the run.
    try:
        if model.transforms:
            base = [c for c in transforms.source_columns(model) if c not in prepared.columns]
            empty = _unusable(prepared, list(transforms.source_columns(model)))
            if base or empty:
                return None, "data_missing", _missing_message(study, base, empty), 0
            prepared = transforms.apply(prepared, model.transforms, model)
        needed = required_columns(model)
        absent = [c for c in needed if c not in prepared.columns]
        empty = _unusable(prepared, needed)
        if absent or empty:
            return None, "data_missing", _missing_message(study, absent, empty), 0
        complete = prepared.dropna(subset=needed)
        complete = complete.sort_values([model.entity, model.time]).reset_index(drop=True)
        if complete.empty:
            return None, "data_missing", "no row has a value in every variable", len(prepared)
        result = registry.get(model.estimator)(complete, model, context)
    except MissingData as error:
        return None, "data_missing", str(error), 0
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        return None, "failed", f"{type(error).__name__}: {error}", 0
    return result, "ok", None, len(prepared) - len(complete)


def _unusable(data: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    return [c for c in columns if c in data.columns and data[c].isna().all()]


def _missing_message(study: Study, absent: list[str], empty: list[str]) -> str:
    parts = []
    if absent:
        parts.append(f"{study.sample} has no column {', '.join(absent)}")
    if empty:
        parts.append(
            f"no value of {', '.join(empty)} in {study.sample}: its source was not brought"
        )
    return "; ".join(parts)


def _rows(
    study: Study,
    exhibit: Exhibit,
    column: Column,
    model: ModelSpec,
    result: Estimation | None,
    status: str,
    message: str | None,
) -> pd.DataFrame:
    """One row per estimated term, and one per published term that was not estimated."""
    published = column.published
    if result is None:
        terms = list(published.terms) or list(model.treatment)
        frame = pd.DataFrame({"term": terms})
        for name in TIDY_COLUMNS[1:]:
            frame[name] = np.nan
    else:
        frame = result.tidy[TIDY_COLUMNS].reset_index(drop=True)
        extra = [t for t in published.terms if t not in set(frame["term"])]
        if extra:
            frame = pd.concat([frame, pd.DataFrame({"term": extra})], ignore_index=True)
    terms_published = [published.terms.get(t) for t in frame["term"]]
    frame["study"] = study.study
    frame["exhibit"] = exhibit.id
    frame["exhibit_title"] = exhibit.title
    frame["column_id"] = column.id
    frame["label"] = column.label
    frame["estimator"] = model.estimator
    frame["outcome"] = model.outcome
    frame["n_obs"] = result.n_obs if result else None
    frame["n_cities"] = result.n_entities if result else None
    frame["adj_r2"] = result.adj_r2 if result else None
    frame["se_rule"] = result.se_rule if result else None
    frame["published_estimate"] = [t.estimate if t else None for t in terms_published]
    frame["published_statistic"] = [t.statistic if t else None for t in terms_published]
    frame["published_statistic_kind"] = published.statistic_kind
    frame["published_std_error"] = [t.std_error if t else None for t in terms_published]
    frame["published_stars"] = [t.stars if t else None for t in terms_published]
    frame["published_n_obs"] = published.n_obs
    frame["published_r2"] = published.r2
    frame["status"] = status
    frame["message"] = message
    frame["spec_hash"] = model.content_hash()
    numbers = [
        *TIDY_COLUMNS[1:],
        "adj_r2",
        "published_estimate",
        "published_statistic",
        "published_std_error",
        "published_r2",
    ]
    frame[numbers] = frame[numbers].astype("float64")
    for name in ("n_obs", "n_cities", "published_stars", "published_n_obs"):
        frame[name] = frame[name].astype("Int64")
    texts = ("label", "se_rule", "published_statistic_kind", "message")
    for name in texts:
        frame[name] = frame[name].astype("string")
    return frame


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
