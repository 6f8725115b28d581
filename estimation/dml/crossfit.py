"""Cross-fitted nuisance predictions: computed once, kept by content, the same on any backend.

Belongs here: the list of fits, their seeds, running them, and the store of results. Does not belong
here: scores and standard errors (``estimate``, on doubleml). Written by us because doubleml fits
again for every model object, although a treatment's nuisance function is the same in every table
that shares controls, sample and folds.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from estimation.dml.folds import Folds
from estimation.dml.learners import Learner, build, converged, predict
from estimation.dml.progress import Progress

BACKENDS = ("threads", "processes", "dask")
# Part of every key: raise it when a change here or in ``learners`` changes predictions.
_FORMAT = 3
_LIBRARIES = ("numpy", "numba", "scikit-learn", "lightgbm")


class MemoryStore(MutableMapping[str, Any]):
    """A bounded in-memory store; the oldest entry leaves first.

    Any mutable mapping from text to picklable values can take its place (``shelve`` for a file).
    """

    def __init__(self, max_entries: int = 512) -> None:
        self._entries: OrderedDict[str, Any] = OrderedDict()
        self._max = max_entries

    def __getitem__(self, key: str) -> Any:
        return self._entries[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._entries[key] = value
        while len(self._entries) > self._max:
            self._entries.popitem(last=False)

    def __delitem__(self, key: str) -> None:
        del self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True)
class Runtime:
    """How fits are run; nothing here changes a digit of the result.

    Attributes
    ----------
    workers : int
        Fits at a time.
    backend : {"threads", "processes", "dask"}
        ``dask`` uses the active ``distributed.Client``.
    store : mutable mapping, optional
        Where predictions are kept by content hash.
    progress : callable, optional
        Receives a line of text with fits done and time left, at most once a second.
    """

    workers: int = 1
    backend: str = "threads"
    store: MutableMapping[str, Any] = field(default_factory=MemoryStore)
    progress: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Nuisance:
    """One conditional expectation to be cross-fitted.

    Attributes
    ----------
    name : str
        The variable predicted, e.g. ``bigdata``. Part of the seed, so that the same variable gets
        the same predictions whatever its role.
    target : ndarray (n,)
    x : ndarray (n, p), n_codes : int
        Features, the last ``n_codes`` of them codes of effects.
    learner : Learner
    classifier : bool
        Predict the probability of a 0/1 target.
    train_on : bool ndarray (n,), optional
        Rows that may train (one treatment arm); predictions are made for all rows.
    """

    name: str
    target: np.ndarray
    x: np.ndarray
    n_codes: int
    learner: Learner
    classifier: bool = False
    train_on: np.ndarray | None = None


@dataclass(frozen=True)
class Predictions:
    """Out-of-fold predictions (n, repetitions), fits that stopped at their limit, fits reused."""

    values: np.ndarray
    not_converged: int
    reused: bool


def crossfit(
    nuisances: Sequence[Nuisance], folds: Sequence[Folds], *, seed: int, runtime: Runtime
) -> list[Predictions]:
    """Out-of-fold predictions of every nuisance function in every repetition.

    Every fit has its own seed, a hash of the base seed, the learner, the variable's name, the
    repetition and the fold; linear algebra runs on one thread. The order in which fits finish, the
    number of workers and the backend therefore leave no trace in the digits.

    Raises
    ------
    ValueError
        For an unknown backend, no active dask client, or predictions that are not finite.
    """
    if runtime.backend not in BACKENDS:
        raise ValueError(f"backend {runtime.backend!r}; expected one of {', '.join(BACKENDS)}")
    keys = [[_key(nuisance, one, r, seed) for r, one in enumerate(folds)] for nuisance in nuisances]
    known: dict[str, tuple[np.ndarray, int]] = {}
    todo: list[tuple[str, Nuisance, int, int]] = []
    for row, nuisance in zip(keys, nuisances):
        for r, key in enumerate(row):
            if key in known:
                continue
            if key in runtime.store:
                known[key] = runtime.store[key]
            elif not any(t[0] == key for t in todo):
                todo += [(key, nuisance, r, k) for k in range(folds[r].k)]
    computed = {t[0] for t in todo}
    results = _run(todo, folds, seed, runtime)
    for key in dict.fromkeys(t[0] for t in todo):
        parts = [(t, result) for t, result in zip(todo, results) if t[0] == key]
        values = np.empty(len(parts[0][0][1].target))
        for (_, _, r, k), (prediction, _) in parts:
            values[folds[r].fold == k] = prediction
        known[key] = (values, sum(not ok for _, (_, ok) in parts))
        runtime.store[key] = known[key]
    out = []
    for row in keys:
        values = np.column_stack([known[key][0] for key in row])
        fresh = any(key in computed for key in row)
        out.append(Predictions(values, sum(known[key][1] for key in row), not fresh))
    return out


def _run(
    todo: Sequence[tuple[str, Nuisance, int, int]],
    folds: Sequence[Folds],
    seed: int,
    runtime: Runtime,
) -> list[tuple[np.ndarray, bool]]:
    if not todo:
        return []
    progress = Progress(len(todo), runtime.progress)
    jobs = (
        joblib.delayed(_fit_one)(n, folds[r].fold, k, fit_seed(seed, n, r, k))
        for _, n, r, k in todo
    )
    workers = max(1, min(runtime.workers, len(todo)))
    # The limit is set here for threads (it is global to the process) and in the fit for others.
    with one_thread():
        if runtime.backend == "dask":
            _require_dask_client()
            # joblib's dask backend returns everything at the end.
            with joblib.parallel_config(backend="dask"):
                results = joblib.Parallel()(jobs)
            progress.finish()
            return list(results)
        kind = "threading" if runtime.backend == "threads" else "loky"
        parallel = joblib.Parallel(n_jobs=workers, backend=kind, return_as="generator")
        results = []
        for result in parallel(jobs):
            results.append(result)
            progress.step()
    return results


def _require_dask_client() -> None:
    from distributed import default_client

    try:
        default_client()
    except ValueError as error:
        raise ValueError(
            "backend 'dask' needs an active distributed.Client; start one, or use 'threads'"
        ) from error


def _fit_one(nuisance: Nuisance, fold: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, bool]:
    test = fold == k
    train = ~test if nuisance.train_on is None else ~test & nuisance.train_on
    target = nuisance.target[train]
    if nuisance.classifier:
        target = target.astype(int)
    model = build(
        nuisance.learner, n_codes=nuisance.n_codes, seed=seed, classifier=nuisance.classifier
    )
    with one_thread():
        model.fit(nuisance.x[train], target)
        prediction = predict(model, nuisance.x[test], classifier=nuisance.classifier)
    if not np.isfinite(prediction).all():
        raise ValueError(
            f"{nuisance.learner.describe()} predicted values of {nuisance.name} in fold {k + 1} "
            "that are not finite; scale the controls or choose another learner"
        )
    return prediction, converged(model)


def fit_seed(seed: int, nuisance: Nuisance, repetition: int, fold: int) -> int:
    """Seed of one fit, in [0, 2**31)."""
    text = f"{seed}|{nuisance.learner.describe()}|{nuisance.name}|{repetition}|{fold}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def _key(nuisance: Nuisance, folds: Folds, repetition: int, seed: int) -> str:
    digest = hashlib.sha256()
    libraries = ",".join(f"{name}={version(name)}" for name in _LIBRARIES)
    head = (
        f"{_FORMAT}|{libraries}|{seed}|{repetition}|{nuisance.name}|{nuisance.learner.describe()}"
        f"|{nuisance.classifier}|{nuisance.n_codes}|{nuisance.x.shape}"
    )
    digest.update(head.encode())
    for array in (nuisance.x, nuisance.target, folds.fold.astype(np.int64)):
        digest.update(np.ascontiguousarray(array).tobytes())
    if nuisance.train_on is not None:
        digest.update(nuisance.train_on.tobytes())
    return f"dml-{digest.hexdigest()}"


_limit_lock = threading.Lock()
_limit_depth = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread while any caller is inside (counted, so threads may overlap)."""
    global _limit_depth, _limit
    with _limit_lock:
        if _limit_depth == 0:
            _limit = threadpool_limits(limits=1)
        _limit_depth += 1
    try:
        yield
    finally:
        with _limit_lock:
            _limit_depth -= 1
            if _limit_depth == 0:
                _limit.restore_original_limits()
                _limit = None
