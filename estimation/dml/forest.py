"""A random forest that reads fixed effects as codes, with the quicker of two engines inside.

Belongs here: the forest of the published specification (bagged, fully grown regression trees) on
numeric columns followed by integer-coded effects. Does not belong here: other learners
(``learners``) or cross-fitting. Written by us because scikit-learn sorts all 300 dummies at every
node of trees that are up to 200 levels deep; LightGBM grows the same bootstrap trees up to ten
times faster there, with the effects as codes that split a city off the rest as a dummy would.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeRegressor

ENGINES = ("auto", "lightgbm", "sklearn")
# Depth from which a fully grown tree on dummies is quicker in LightGBM.
_CHAIN = 40
_BINS = 127


def distinct_in_rank(x: np.ndarray) -> np.ndarray:
    """Columns of ``x`` that are not an increasing transform of an earlier column.

    A tree splits on order alone, so the square of a positive control offers exactly the splits of
    the control itself. Dropping it changes no partition when every column is tried at every split
    (two tied columns are never both needed), and saves half of the sorting.

    Parameters
    ----------
    x : ndarray (n, p)

    Returns
    -------
    ndarray of int
        Positions to keep, in order.
    """
    seen: set[bytes] = set()
    keep: list[int] = []
    for j in range(x.shape[1]):
        _, rank = np.unique(x[:, j], return_inverse=True)
        key = rank.astype(np.int32).tobytes()
        if key not in seen:
            seen.add(key)
            keep.append(j)
    return np.asarray(keep, dtype=np.int64)


class CodedForest(RegressorMixin, BaseEstimator):
    """Random forest regression whose last ``n_codes`` columns are categories, split one from rest.

    Parameters
    ----------
    n_estimators : int
        Trees.
    min_samples_leaf : int
        Smallest number of (distinct) rows in a leaf.
    n_codes : int
        How many trailing columns are integer codes of effects.
    engine : {"auto", "lightgbm", "sklearn"}
        ``auto``: whichever is expected to be faster, judged from target, leaf size and the depth of
        one pilot tree (never from a clock, so the choice is reproducible).
    random_state : int

    Notes
    -----
    Breiman (2001) with all columns tried at each split, scikit-learn's default. LightGBM's own
    forest mode draws without replacement, and fully grown trees then predict noticeably otherwise;
    here each tree is a boosting round with the custom gradient -w_i y_i and Hessian w_i, w_i the
    bootstrap count of row i, whose leaves are the bootstrap means whatever the earlier rounds did.
    Columns have 127 bins. ``tests/reference/test_dml_forest.py`` shows agreement with scikit-learn
    within Monte-Carlo error. On a 0/1 target the prediction is the leaf share, a probability.
    """

    def __init__(
        self,
        n_estimators: int = 100,
        min_samples_leaf: int = 1,
        n_codes: int = 0,
        engine: str = "auto",
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.n_codes = n_codes
        self.engine = engine
        self.random_state = random_state

    def fit(self, x: np.ndarray, y: np.ndarray) -> CodedForest:
        """Grow the forest on ``x`` (n, p) and ``y`` (n,)."""
        if self.engine not in ENGINES:
            raise ValueError(f"forest engine {self.engine!r}; expected one of {', '.join(ENGINES)}")
        x = np.asarray(x, dtype=float)
        y = np.asarray(y, dtype=float)
        split = x.shape[1] - self.n_codes
        self.keep_ = distinct_in_rank(x[:, :split])
        self.n_features_in_ = x.shape[1]
        numeric, codes = x[:, self.keep_], x[:, split:]
        self.engine_ = self._faster(numeric, codes, y) if self.engine == "auto" else self.engine
        if self.engine_ == "lightgbm":
            self._fit_lightgbm(numeric, codes, y)
        else:
            self._encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            self._model: Any = RandomForestRegressor(
                self.n_estimators,
                min_samples_leaf=self.min_samples_leaf,
                max_features=1.0,
                random_state=self.random_state,
                n_jobs=1,
            )
            if self.n_codes:
                self._encoder.fit(codes)
            self._model.fit(self._expand(numeric, codes), y)
        return self

    def _faster(self, numeric: np.ndarray, codes: np.ndarray, y: np.ndarray) -> str:
        if self.min_samples_leaf >= 5 or len(np.unique(y)) <= 20:
            return "lightgbm"
        if not self.n_codes:
            return "sklearn"
        # Where city effects dominate, cities are split off one by one and trees become chains,
        # which cost scikit-learn depth times rows times dummies. One tree tells.
        encoder = OneHotEncoder(sparse_output=False).fit(codes)
        pilot = DecisionTreeRegressor(random_state=self.random_state)
        pilot.fit(np.hstack([numeric, encoder.transform(codes)]), y)
        return "lightgbm" if pilot.get_depth() > _CHAIN else "sklearn"

    def _fit_lightgbm(self, numeric: np.ndarray, codes: np.ndarray, y: np.ndarray) -> None:
        import lightgbm as lgb

        # LightGBM drops the rarest 1% of categories unless there is a bin for each of them.
        levels = [max(int(codes[:, j].max()) + 2, 3) for j in range(codes.shape[1])]
        first = numeric.shape[1]
        params = {
            "max_bin_by_feature": [_BINS] * first + [max(v, _BINS) for v in levels],
            "min_data_in_bin": 1,
            "feature_pre_filter": False,
            # One category against the rest, as a dummy would split.
            "max_cat_to_onehot": max([2, *levels]) + 1,
            "min_data_per_group": 1,
            "cat_smooth": 0.0,
            "cat_l2": 0.0,
            "objective": "none",
            "learning_rate": 1.0,
            # A bootstrap sample has 63.2% distinct rows and each leaf holds one of them at least.
            # LightGBM looks through all possible leaves at each split, so the limit matters.
            "num_leaves": int(np.clip(0.66 * len(y) + 32, 2, 131072)),
            "max_depth": -1,
            "min_data_in_leaf": 1,
            "min_sum_hessian_in_leaf": self._least_weight(),
            "lambda_l2": 0.0,
            "num_threads": 1,
            "deterministic": True,
            "force_col_wise": True,
            "histogram_pool_size": 2,
            "verbosity": -1,
        }
        self._centre = float(y.mean())
        centred = y - self._centre
        # Between two neighbouring rows of a bootstrap sample LightGBM always cuts at the same end
        # of the gap, scikit-learn in the middle. Every second tree sees the columns mirrored.
        self._boosters = [
            lgb.Booster(
                params,
                lgb.Dataset(
                    np.hstack([sign * numeric, codes]),
                    y,
                    categorical_feature=list(range(first, first + codes.shape[1])),
                    params=params,
                ),
            )
            for sign in (1.0, -1.0)[: self.n_estimators]
        ]
        rng = np.random.default_rng(self.random_state)
        n = len(y)
        for tree in range(self.n_estimators):
            drawn = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)

            def objective(
                scores: np.ndarray, rows: Any, weight: np.ndarray = drawn
            ) -> tuple[np.ndarray, np.ndarray]:
                del scores, rows  # independent trees: what is already fitted does not matter
                return -weight * centred, weight

            self._boosters[tree % 2].update(fobj=objective)

    def _least_weight(self) -> float:
        """Bootstrap weight of a leaf with the asked number of distinct rows (1.58 draws each)."""
        if self.min_samples_leaf == 1:
            return 0.5
        return self.min_samples_leaf / (1 - np.exp(-1)) - 0.5

    def _expand(self, numeric: np.ndarray, codes: np.ndarray) -> np.ndarray:
        if not self.n_codes:
            return numeric
        return np.hstack([numeric, self._encoder.transform(codes)])

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Mean over trees, shape (n,). A code unseen in ``fit`` has all its dummies at zero."""
        x = np.asarray(x, dtype=float)
        split = x.shape[1] - self.n_codes
        numeric, codes = x[:, self.keep_], x[:, split:]
        if self.engine_ == "lightgbm":
            total = np.zeros(len(x))
            for sign, booster in zip((1.0, -1.0), self._boosters):
                total += booster.predict(np.hstack([sign * numeric, codes]), num_threads=1)
            return self._centre + total / self.n_estimators
        return np.asarray(self._model.predict(self._expand(numeric, codes)))
