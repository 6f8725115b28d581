"""Learners by name, with every hyper-parameter stated in one table.

Belongs here: names, defaults, building an estimator for one fit, and telling whether it converged.
Does not belong here: cross-fitting (``crossfit``) or growing the forest (``forest``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import LassoCV, LinearRegression, LogisticRegression
from sklearn.linear_model import LogisticRegressionCV as _LogisticCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from estimation.dml.forest import CodedForest

#: Every learner and its defaults. The papers name learners, not hyper-parameters; the forest is
#: scikit-learn's default forest, which Stata's ddml reaches through pystacked, with more trees.
HYPERPARAMETERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "forest": {"trees": 500, "min_samples_leaf": 1},
        "lasso": {"n_alphas": 50, "cv": 5, "eps": 1e-3, "tol": 1e-4, "max_iter": 5000},
        "neural_net": {
            "hidden": (100,),
            "alpha": 1e-3,
            "learning_rate": 1e-3,
            "max_iter": 400,
            "validation_fraction": 0.1,
            "patience": 15,
        },
        "boosting": {
            "rounds": 300,
            "learning_rate": 0.05,
            "leaves": 15,
            "min_samples_leaf": 20,
            "subsample": 0.8,
            "colsample": 0.8,
            "l2": 1.0,
        },
        "stacking": {"trees": 100, "min_samples_leaf": 5, "rounds": 200, "cv": 5},
        "linear": {"l2": 0.0},
    }
)


@dataclass(frozen=True)
class Learner:
    """A learner's name and its complete hyper-parameters, sorted by name (so it can be hashed)."""

    name: str
    params: tuple[tuple[str, Any], ...]

    def describe(self) -> str:
        """The learner in words, e.g. ``forest(min_samples_leaf=1, trees=500)``."""
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in self.params)})"

    def __getitem__(self, key: str) -> Any:
        return dict(self.params)[key]


def learner(name: str | Learner, **overrides: Any) -> Learner:
    """A learner by name with some hyper-parameters replaced.

    Raises
    ------
    ValueError
        For a name or a hyper-parameter that does not exist; the message lists those that do.
    """
    if isinstance(name, Learner):
        return name
    if name not in HYPERPARAMETERS:
        raise ValueError(f"no learner named {name!r}; known: {', '.join(sorted(HYPERPARAMETERS))}")
    defaults = dict(HYPERPARAMETERS[name])
    unknown = sorted(set(overrides) - set(defaults))
    if unknown:
        raise ValueError(f"{name} has no hyper-parameter {unknown}; known: {sorted(defaults)}")
    defaults.update(overrides)
    return Learner(name, tuple(sorted((k, _plain(v)) for k, v in defaults.items())))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def build(spec: Learner, *, n_codes: int, seed: int, classifier: bool = False) -> Any:
    """An unfitted scikit-learn estimator for one fit.

    Parameters
    ----------
    spec : Learner
    n_codes : int
        Trailing columns of the features that hold integer codes of effects; the forest splits on
        them, all other learners see them as dummies.
    seed : int
        Below 2**31.
    classifier : bool
        Estimate a probability. The forest and the stack predict shares, which are probabilities.
    """
    if spec.name == "forest":
        return CodedForest(spec["trees"], spec["min_samples_leaf"], n_codes, random_state=seed)
    if spec.name == "stacking":
        return _stacking(spec, n_codes, seed)
    maker = {"lasso": _lasso, "neural_net": _neural_net, "boosting": _boosting, "linear": _linear}
    return Pipeline(
        [
            ("dummies", _Dummies(n_codes).make()),
            ("scale", StandardScaler()),
            ("model", maker[spec.name](spec, seed, classifier)),
        ]
    )


@dataclass(frozen=True)
class _Dummies:
    n_codes: int

    def make(self) -> Any:
        if not self.n_codes:
            return "passthrough"
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        trailing = slice(-self.n_codes, None)
        return ColumnTransformer([("codes", encoder, trailing)], remainder="passthrough")


def _lasso(spec: Learner, seed: int, classifier: bool) -> Any:
    if classifier:
        return _LogisticCV(
            Cs=10,
            cv=StratifiedKFold(spec["cv"], shuffle=True, random_state=seed),
            l1_ratios=(1.0,),
            solver="liblinear",
            scoring="neg_log_loss",
            tol=spec["tol"],
            max_iter=spec["max_iter"],
            random_state=seed,
            use_legacy_attributes=False,
        )
    return LassoCV(
        alphas=spec["n_alphas"],
        cv=KFold(spec["cv"], shuffle=True, random_state=seed),
        eps=spec["eps"],
        tol=spec["tol"],
        max_iter=spec["max_iter"],
        n_jobs=1,
    )


def _neural_net(spec: Learner, seed: int, classifier: bool) -> Any:
    options = {
        "hidden_layer_sizes": tuple(spec["hidden"]),
        "alpha": spec["alpha"],
        "learning_rate_init": spec["learning_rate"],
        "max_iter": spec["max_iter"],
        "early_stopping": True,
        "validation_fraction": spec["validation_fraction"],
        "n_iter_no_change": spec["patience"],
        "random_state": seed,
    }
    if classifier:
        return MLPClassifier(**options)
    return TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())


def _boosting(spec: Learner, seed: int, classifier: bool) -> Any:
    import lightgbm as lgb

    kind = lgb.LGBMClassifier if classifier else lgb.LGBMRegressor
    return kind(
        n_estimators=spec["rounds"],
        learning_rate=spec["learning_rate"],
        num_leaves=spec["leaves"],
        min_child_samples=spec["min_samples_leaf"],
        subsample=spec["subsample"],
        subsample_freq=1,
        colsample_bytree=spec["colsample"],
        reg_lambda=spec["l2"],
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )


def _linear(spec: Learner, seed: int, classifier: bool) -> Any:
    if classifier:
        return LogisticRegression(C=1.0, max_iter=2000, random_state=seed)
    if spec["l2"]:
        from sklearn.linear_model import Ridge

        return Ridge(alpha=spec["l2"])
    return LinearRegression()


def _stacking(spec: Learner, n_codes: int, seed: int) -> Any:
    leaf = spec["min_samples_leaf"]
    members = [
        ("forest", learner("forest", trees=spec["trees"], min_samples_leaf=leaf)),
        ("boosting", learner("boosting", rounds=spec["rounds"])),
        ("lasso", learner("lasso")),
    ]
    return StackingRegressor(
        [(name, build(member, n_codes=n_codes, seed=seed)) for name, member in members],
        # Non-negative least squares, as ddml and pystacked weight their members.
        final_estimator=LinearRegression(positive=True, fit_intercept=False),
        cv=KFold(spec["cv"], shuffle=True, random_state=seed),
        n_jobs=1,
    )


def predict(model: Any, x: np.ndarray, *, classifier: bool) -> np.ndarray:
    """Predictions (n,); probabilities of class 1 where the model is a classifier."""
    if classifier and hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(x))[:, 1]
    return np.asarray(model.predict(x), dtype=float)


def converged(model: Any) -> bool:
    """Whether an iterative learner stopped by itself rather than at its iteration limit.

    Read from the fitted attributes, not from warnings: catching warnings is not safe in threads.
    """
    if isinstance(model, Pipeline):
        return converged(model.steps[-1][1])
    if isinstance(model, TransformedTargetRegressor):
        return converged(model.regressor_)
    if isinstance(model, StackingRegressor):
        return all(converged(m) for m in model.estimators_)
    steps, limit = getattr(model, "n_iter_", None), getattr(model, "max_iter", None)
    if steps is None or limit is None:
        return True
    return bool(np.max(steps) < limit)
