"""From a panel to what the learners see: squares, winsorising, and city and year effects.

Belongs here: the four ways of treating effects and the checks that a parameter is identified at
all. Does not belong here: learners, splits or scores. The way effects enter decides more than the
learner does: a forest cannot absorb 297 city dummies, a within transformation can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from estimation.did.absorb import Absorber, effect_codes
from estimation.did.covariance import codes
from estimation.panel import CompleteCases, NoVariation, as_matrix, complete_cases

EFFECTS = ("dummies", "within", "cre", "none")
# Share of a variable's variance below which the effects are said to explain it perfectly.
_NOTHING_LEFT = 1e-9


@dataclass(frozen=True)
class Design:
    """Arrays of one estimation, rows sorted by entity and time.

    Attributes
    ----------
    y, d : ndarray (n,)
        Outcome and treatment as the score uses them (demeaned under ``within``).
    z : ndarray (n,) or None
        Instrument, treated like ``d``.
    x : ndarray (n, p + n_codes)
        Features; the last ``n_codes`` columns are integer codes of effects.
    entity, cluster : int ndarray (n,)
    post : Absorber or None
        Applied to the residuals: under ``within`` and ``cre`` the final stage is a fixed-effects
        regression of residual on residual.
    left_after_effects : float
        Share of the treatment's variance that city and year effects leave.
    n_missing : int
        Rows left out for missing values.
    """

    y: np.ndarray
    d: np.ndarray
    z: np.ndarray | None
    x: np.ndarray
    n_codes: int
    features: tuple[str, ...]
    entity: np.ndarray
    cluster: np.ndarray
    frame: pd.DataFrame
    post: Absorber | None
    left_after_effects: float
    n_missing: int

    def demean(self, residual: np.ndarray) -> np.ndarray:
        """The residual with effects taken out where the way of treating effects asks for it."""
        return residual if self.post is None else self.post.demean(residual)


def make_design(
    data: pd.DataFrame,
    *,
    outcome: str,
    treatment: str,
    controls: Sequence[str],
    entity: str,
    time: str,
    cluster: str | None = None,
    instrument: str | None = None,
    fixed_effects: Sequence[str] | None = None,
    effects: str = "dummies",
    squares: bool = True,
    winsor: float | None = None,
    allow_unidentified: bool = False,
) -> Design:
    """Build the arrays of one estimation.

    Parameters
    ----------
    fixed_effects : sequence of str, optional
        Default entity and time; ``"province^year"`` means every combination.
    effects : {"dummies", "within", "cre", "none"}
        ``dummies``: codes of every effect among the features, outcome and treatment in levels.
        ``within``: outcome, treatment, instrument, controls and squares are demeaned by all
        effects (Clarke and Polselli 2025, within-group approximation).
        ``cre``: levels; the features are controls, their entity means (Mundlak 1978) and time; the
        effects are taken out of the residuals, which generalises the treatment correction of
        Clarke and Polselli's CRE to two-way effects. ``none``: controls only.
    winsor : float, optional
        Share cut at both ends of the outcome, the controls and their squares (0.01 for 1%-99%);
        columns with two values are left alone.
    allow_unidentified : bool
        Go on when the effects explain the treatment perfectly. A learner that cannot absorb the
        effects then still prints a number, which is the learner's failure and not an effect.

    Raises
    ------
    NoVariation
        If the outcome is constant, or the effects explain the treatment perfectly.
    MissingData, ValueError
        As ``estimation.panel`` describes.
    """
    if effects not in EFFECTS:
        raise ValueError(f"effects {effects!r}; expected one of {', '.join(EFFECTS)}")
    if winsor is not None and not 0 < winsor < 0.5:
        raise ValueError(f"winsor {winsor}: expected a share between 0 and 0.5, e.g. 0.01")
    fixed = tuple(fixed_effects) if fixed_effects is not None else (entity, time)
    used = [outcome, treatment, *controls, *([instrument] if instrument else [])]
    used += [part for effect in fixed for part in effect.split("^")]
    used += [cluster] if cluster else []
    purpose = f"double machine learning of {outcome} on {treatment}"
    sample = complete_cases(data, used, entity=entity, time=time, purpose=purpose)
    frame = sample.frame
    y = _winsorise(as_matrix(frame, [outcome]), winsor)[:, 0]
    d = as_matrix(frame, [treatment])[:, 0]
    z = as_matrix(frame, [instrument])[:, 0] if instrument else None
    numeric, names = _features(frame, controls, squares=squares, winsor=winsor)
    effect = [effect_codes(frame, e) for e in fixed]
    absorber = Absorber(effect) if effect else None
    _require_variation(y, outcome, sample, "outcome")
    _require_variation(d, treatment, sample, "treatment")
    left = _share_left(d, absorber)
    if effects != "none" and left < _NOTHING_LEFT and not allow_unidentified:
        raise NoVariation(
            f"{treatment} does not vary once the effects {' and '.join(fixed)} are taken out "
            f"({len(frame)} rows), so its coefficient is not identified; drop an effect, or set "
            "allow_unidentified to see what the learner makes of it"
        )
    if z is not None:
        _require_variation(z, str(instrument), sample, "instrument")
        if effects != "none" and _share_left(z, absorber) < _NOTHING_LEFT:
            raise NoVariation(
                f"the instrument {instrument} does not vary once the effects "
                f"{' and '.join(fixed)} are taken out; it cannot identify anything"
            )
    post: Absorber | None = None
    n_codes = 0
    if effects == "dummies":
        numeric = np.hstack([numeric, np.column_stack(effect).astype(float)]) if effect else numeric
        names, n_codes = [*names, *fixed], len(effect)
    elif effects == "within" and absorber is not None:
        post = absorber
        y, d = absorber.demean(y), absorber.demean(d)
        z = None if z is None else absorber.demean(z)
        numeric = absorber.demean(numeric)
        _require_variation(y, outcome, sample, "outcome (within the effects)")
    elif effects == "cre" and absorber is not None:
        post = absorber
        numeric, names = _mundlak(frame, numeric, names, entity=entity, time=time)
    if numeric.shape[1] == 0:
        raise ValueError(f"{purpose}: no features; give controls, or effects as dummies")
    return Design(
        y=np.ascontiguousarray(y),
        d=np.ascontiguousarray(d),
        z=z,
        x=np.ascontiguousarray(numeric),
        n_codes=n_codes,
        features=tuple(names),
        entity=codes(frame[entity])[0],
        cluster=codes(frame[cluster or entity])[0],
        frame=frame,
        post=post,
        left_after_effects=left,
        n_missing=sample.n_missing,
    )


def _features(
    frame: pd.DataFrame, controls: Sequence[str], *, squares: bool, winsor: float | None
) -> tuple[np.ndarray, list[str]]:
    raw = as_matrix(frame, list(controls))
    first = _winsorise(raw, winsor)
    names = list(controls)
    if not squares:
        return first, names
    # The square of a 0/1 control is the control.
    curved = [j for j in range(raw.shape[1]) if len(np.unique(raw[:, j])) > 2]
    second = _winsorise(raw[:, curved] ** 2, winsor)
    return np.hstack([first, second]), names + [f"{names[j]}^2" for j in curved]


def _winsorise(columns: np.ndarray, share: float | None) -> np.ndarray:
    if share is None:
        return columns
    out = columns.copy()
    for j in range(out.shape[1]):
        if len(np.unique(out[:, j])) > 2:
            low, high = np.quantile(out[:, j], [share, 1 - share])
            out[:, j] = np.clip(out[:, j], low, high)
    return out


def _mundlak(
    frame: pd.DataFrame, numeric: np.ndarray, names: list[str], *, entity: str, time: str
) -> tuple[np.ndarray, list[str]]:
    unit, size = codes(frame[entity])
    counts = np.bincount(unit, minlength=size)
    means = np.column_stack(
        [np.bincount(unit, weights=c, minlength=size) / counts for c in numeric.T]
    )
    period = codes(frame[time])[0].astype(float)
    out = np.hstack([numeric, means[unit], period[:, None]])
    return out, [*names, *(f"mean of {n}" for n in names), time]


def _share_left(column: np.ndarray, absorber: Absorber | None) -> float:
    if absorber is None:
        return 1.0
    return float(np.var(absorber.demean(column)) / np.var(column))


def _require_variation(column: np.ndarray, name: str, sample: CompleteCases, role: str) -> None:
    spread = float(np.ptp(column))
    scale = max(1.0, float(np.abs(column).max()))
    if spread <= 1e-12 * scale:
        raise NoVariation(
            f"the {role} {name} is constant ({column[0]:.6g}) in all {len(sample.frame)} complete "
            "rows; nothing can be estimated"
        )
