"""A random forest that reads fixed effects as codes and grows scikit-learn's trees on them.

Belongs here: the forest of the published specification (bagged, fully grown regression trees) on
numeric columns followed by integer-coded effects. Does not belong here: growing one tree
(``tree``), other learners (``learners``) or cross-fitting.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from estimation.dml import tree


class CodedForest(RegressorMixin, BaseEstimator):
    """Random forest regression whose last ``n_codes`` columns are categories, split one from rest.

    Parameters
    ----------
    n_estimators : int
        Trees.
    min_samples_leaf : int
        Smallest number of (distinct) rows in a leaf.
    n_codes : int
        How many trailing columns are integer codes of effects, 0 or more.
    random_state : int

    Notes
    -----
    Breiman (2001) with all columns tried at each split, as scikit-learn's ``RandomForestRegressor``
    does by default, on the numeric columns and one dummy per code: bootstrap of all rows, splits by
    squared error in the middle of a gap, a draw among equally good splits. The same tree as
    scikit-learn's where no two splits tie, the same distribution of trees otherwise
    (``tests/reference/test_dml_forest.py``). Two differences, both finer than scikit-learn: columns
    keep double precision, and values less than 1e-7 apart are told apart. On a 0/1 target the
    prediction is a mean of leaf shares, a probability.
    """

    def __init__(
        self,
        n_estimators: int = 100,
        min_samples_leaf: int = 1,
        n_codes: int = 0,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.n_codes = n_codes
        self.random_state = random_state

    def fit(self, x: np.ndarray, y: np.ndarray) -> CodedForest:
        """Grow the forest on ``x`` (n, p + n_codes) and ``y`` (n,).

        Raises
        ------
        ValueError
            If a code is negative or not a whole number, a value is not finite, ``x`` and ``y``
            differ in length or are empty, or no tree is asked for.
        """
        if self.n_estimators < 1 or self.min_samples_leaf < 1:
            raise ValueError(
                f"{self.n_estimators} trees with {self.min_samples_leaf} rows in a leaf: expected "
                "at least one of each"
            )
        self.n_features_in_ = np.shape(x)[1]
        numeric, codes = self._parts(x)
        y = np.asarray(y, dtype=float)
        if y.shape != (len(numeric),) or not len(y):
            raise ValueError(f"{len(numeric)} rows of features with a target of shape {y.shape}")
        if not np.isfinite(y).all():
            raise ValueError(f"{int((~np.isfinite(y)).sum())} values of the target are not finite")
        # Sums of a centred target lose no digits to its level; those of whole numbers are exact as
        # they are, so that splits which are equally good are seen to be so.
        self._centre = 0.0 if (y == np.round(y)).all() else float(y.mean())
        sorted_once = tree.prepare(numeric)
        n_levels = int(codes.max()) + 1 if codes.size else 0
        rng = np.random.default_rng(self.random_state)
        n = len(y)
        self._trees = []
        for _ in range(self.n_estimators):
            drawn = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)
            seed = int(rng.integers(1, 2**63 - 1))
            self._trees.append(
                tree.grow(
                    **sorted_once,
                    codes=codes,
                    n_levels=n_levels,
                    y=y - self._centre,
                    w=drawn,
                    least=self.min_samples_leaf,
                    seed=seed,
                )
            )
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Mean over trees, shape (n,). A code unseen in ``fit`` has all its dummies at zero.

        Raises
        ------
        ValueError
            If ``x`` has other columns than in ``fit``, a value that is not finite, or a bad code.
        """
        numeric, codes = self._parts(x)
        columns = np.ascontiguousarray(numeric.T)
        total = np.zeros(len(numeric))
        for one in self._trees:
            tree.add_predictions(total, columns, codes, *one)
        return self._centre + total / len(self._trees)

    def _parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = np.asarray(x, dtype=float)
        if x.shape[1] != self.n_features_in_ or x.shape[1] < self.n_codes:
            raise ValueError(
                f"{x.shape[1]} columns; expected {self.n_features_in_}, the last {self.n_codes} of "
                "them codes"
            )
        if not np.isfinite(x).all():
            raise ValueError(f"{int((~np.isfinite(x)).sum())} feature values are not finite")
        split = x.shape[1] - self.n_codes
        codes = x[:, split:]
        if codes.size and (codes.min() < 0 or (codes != np.round(codes)).any()):
            raise ValueError(
                f"the last {self.n_codes} columns must be codes 0, 1, 2, ... of effects; found "
                f"values from {codes.min():g} to {codes.max():g}"
            )
        return x[:, :split], np.ascontiguousarray(codes.T, dtype=np.int32)
