"""Sample splits: over rows or over whole entities, drawn from a seed and nothing else.

Belongs here: how many folds a split ratio means, drawing them, and refusing folds in which a
treatment cannot be learned. Does not belong here: fitting. doubleml draws splits when its objects
are built, from the global random state; here they are drawn first and handed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimation.panel import NoVariation


@dataclass(frozen=True)
class Folds:
    """One repetition's partition.

    Attributes
    ----------
    fold : int ndarray (n,)
        Fold of each row, 0..K-1.
    unit : {"row", "entity"}
    """

    fold: np.ndarray
    unit: str

    @property
    def k(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    def pairs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(train, test) row positions of each fold, as doubleml takes them."""
        rows = np.arange(len(self.fold))
        return [(rows[self.fold != k], rows[self.fold == k]) for k in range(self.k)]


def folds_from_ratio(ratio: str | int | Sequence[int]) -> int:
    """Number of folds K that a split ratio of estimation to training rows means.

    ``"1:4"`` estimates on one part and trains on four, so K = 5; a plain integer is K itself.

    Raises
    ------
    ValueError
        If the text is not ``1:k`` with k >= 1.
    """
    if isinstance(ratio, int):
        return ratio
    text = ratio if isinstance(ratio, str) else ":".join(str(part) for part in ratio)
    parts = text.replace("：", ":").split(":")
    try:
        numbers = [int(p) for p in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 2 or numbers[0] != 1 or numbers[1] < 1:
        raise ValueError(f"split ratio {ratio!r}: expected '1:k', e.g. '1:4' for five folds")
    return numbers[1] + 1


def draw(entity: np.ndarray, *, k: int, unit: str, seed: int, repetition: int) -> Folds:
    """A random partition into k folds of (almost) equal size.

    Parameters
    ----------
    entity : int ndarray (n,)
        Entity codes of the sorted sample.
    unit : {"row", "entity"}
        What is dealt out: single rows, or entities with all their rows.
    repetition : int
        Different repetitions are independent draws of the same seed.

    Raises
    ------
    ValueError
        If there are fewer units than folds.
    """
    if unit not in ("row", "entity"):
        raise ValueError(f"fold_unit {unit!r}; expected 'row' or 'entity'")
    if k < 2:
        raise ValueError(f"{k} folds; cross-fitting needs at least 2")
    n_units = len(entity) if unit == "row" else int(entity.max()) + 1
    if n_units < k:
        raise ValueError(f"{n_units} {unit} units cannot be dealt to {k} folds; use fewer folds")
    rng = np.random.default_rng([seed, repetition, k, 0 if unit == "row" else 1])
    dealt = np.arange(n_units) % k
    rng.shuffle(dealt)
    return Folds(dealt if unit == "row" else dealt[entity], unit)


def check_treated(
    folds: Sequence[Folds],
    treatment: np.ndarray,
    *,
    name: str,
    minimum: int = 5,
    each_test: bool = False,
) -> int:
    """Refuse splits whose training part has too few treated or untreated rows.

    Parameters
    ----------
    treatment : ndarray (n,)
        Returns 0 at once unless it is 0/1.
    minimum : int
        Rows of each group that every training part must hold.
    each_test : bool
        Also ask for one treated row in every test part.

    Returns
    -------
    int
        Test folds without a treated row, over all repetitions.

    Raises
    ------
    NoVariation
        Names the repetition, the fold, what was found, and what to do.
    """
    if not np.isin(treatment, (0.0, 1.0)).all():
        return 0
    empty = 0
    for r, one in enumerate(folds):
        for k, (train, test) in enumerate(one.pairs()):
            treated = int(treatment[train].sum())
            few = min(treated, len(train) - treated)
            if few < minimum:
                raise NoVariation(
                    f"repetition {r + 1}, fold {k + 1} of {one.k}: the training part has {treated} "
                    f"treated and {len(train) - treated} untreated rows of {name}, fewer than "
                    f"{minimum}; use fewer folds, fold over rows, or another seed"
                )
            absent = not treatment[test].any()
            empty += int(absent)
            if absent and each_test:
                raise NoVariation(
                    f"repetition {r + 1}, fold {k + 1} of {one.k} has no treated row of {name} "
                    "to estimate on; use fewer folds or another seed"
                )
    return empty
