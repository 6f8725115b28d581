"""What is wrong with a series of city-year values: digits, units, columns, levels.

Belongs here: statistics on (city x year) matrices of logarithms that tell the kinds of defect
apart. Does not belong here: rules and severities (``series``), or reading tables.

All statistics compare a city's change with the change of all cities between the same two years, on
a robust scale. The robust z of a change d is d / s with s the largest of three scales, each 1.4826
times a median absolute deviation (Rousseeuw & Croux 1993): of the indicator, of the city, and of
the year. Written here because libraries for outliers (pyod, statsmodels) rank points but do not
name a cause.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

MAD_TO_SD = 1.4826
LN10 = float(np.log(10.0))
# Values further apart than this many years say nothing about each other.
MAX_GAP = 3
# Fewer cities than this give no median to compare with.
MIN_CITIES = 10
MIN_CITIES_FOR_YEAR_SCALE = 30
MIN_CHANGES_FOR_CITY_SCALE = 8
# A change is out of the ordinary beyond this robust z, and never below MIN_CHANGE in logarithms.
MAX_Z = 8.0
MIN_CHANGE = 0.35
# How far from a whole power of ten a deviation may lie and still be called a shift of digits.
POWER_TOLERANCE = 0.5
# Amounts in 10,000 yuan and 100 million yuan, or heads and 10,000 heads, differ by 10^4.
UNIT_POWERS = (4, 8)
# A median change of all cities by more than this factor is another unit, not growth.
YEAR_FACTOR = 5.0
# Columns count as exchanged in a year if in this share of cities the order is turned round.
EXCHANGED_SHARE = 0.70
EXCHANGE_WINDOW = 3


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`diagnose` found in one indicator, arrays of shape (cities, years).

    Attributes
    ----------
    z : float array
        Robust z of the deviation from the neighbouring years; NaN where nothing can be said.
    expected : float array
        Expected logarithm; ``spread`` is the half width of its ordinary range.
    spread : float array
        ``MAX_Z`` times the robust scale, at least ``MIN_CHANGE``.
    power : int array
        Power of ten by which a value is off; 0 where it is not.
    stays : bool array
        Whether later values stay at the level.
    jump : bool array
        Out of the ordinary, and by no power of ten.
    year_scale : bool array
        The whole year stands in another unit.
    """

    z: Matrix
    expected: Matrix
    spread: Matrix
    power: NDArray[np.int64]
    stays: NDArray[np.bool_]
    jump: NDArray[np.bool_]
    year_scale: NDArray[np.bool_]


@dataclass(frozen=True)
class _Changes:
    """Change on the value before, less the median of all cities, and the same one value later."""

    back: Matrix
    ahead: Matrix
    expected: Matrix


def _changes(logs: Matrix) -> _Changes:
    back, ahead = np.full(logs.shape, np.nan), np.full(logs.shape, np.nan)
    from_back, from_ahead = back.copy(), back.copy()
    for lag in range(1, min(MAX_GAP, logs.shape[1] - 1) + 1):
        change = logs[:, lag:] - logs[:, :-lag]
        centre = _column_median(change)
        own = change - centre
        for target, origin, place, base in (
            (back, from_back, slice(lag, None), logs[:, :-lag] + centre),
            (ahead, from_ahead, slice(None, -lag), logs[:, lag:] - centre),
        ):
            open_ = np.isnan(target[:, place]) & ~np.isnan(own)
            target[:, place] = np.where(open_, own, target[:, place])
            origin[:, place] = np.where(open_, base, origin[:, place])
    both = np.where(np.isnan(from_back), from_ahead, from_back)
    both = np.where(np.isnan(from_ahead), both, (both + from_ahead) / 2)
    return _Changes(back, ahead, both)


def diagnose(logs: Matrix) -> Diagnosis:
    """Tell apart whole years in another unit, single values off, and levels that shift.

    Parameters
    ----------
    logs : array (cities, years)
        Logarithms of one indicator, consecutive years, NaN where absent.
    """
    year_scale = np.zeros(logs.shape, dtype=bool)
    year_scale[:, _years_of_other_scale(logs)] = True
    year_scale &= ~np.isnan(logs)
    clean = np.where(year_scale, np.nan, logs)
    first = _changes(clean)
    spread = _spread(first.back)
    deviation = clean - first.expected
    # One value off: away from the value before, and back again.
    smaller = np.fmin(np.abs(first.back), np.abs(first.ahead))
    single = (first.back * first.ahead < 0) & (smaller > spread)
    single &= np.abs(first.back + first.ahead) < smaller / 2
    # At the ends of a series only one neighbour can tell: trusted for whole powers of ten only.
    left = _changes(np.where(single, np.nan, clean))
    off = clean - left.expected
    end = np.isnan(left.back) ^ np.isnan(left.ahead)
    end &= (np.abs(off) > spread) & (_power(off) != 0) & ~single
    end = _more_extreme(end, clean)
    deviation = np.where(end, off, deviation)
    expected_single = np.where(end, left.expected, first.expected)
    single |= end
    power = np.where(single, _power(deviation), 0)
    jump = single & (power == 0)
    # Without the values that are off, what is left are levels that shift and stay.
    rest = _changes(np.where(single, np.nan, clean))
    shifted = (np.abs(rest.back) > spread) & ~single
    power = np.where(shifted, _power(rest.back), power)
    jump |= shifted & (power == 0)
    used = np.where(single, deviation, rest.back)
    expected = np.where(single, expected_single, clean - rest.back)
    # No median to lean on in a year that is off as a whole: midway between the years around.
    whole = _midway(clean)
    return Diagnosis(
        z=used / (spread / MAX_Z),
        expected=np.where(year_scale | np.isnan(expected), whole, expected),
        spread=spread,
        power=power.astype(np.int64),
        stays=shifted,
        jump=jump,
        year_scale=year_scale,
    )


def exchange_gain(first: Matrix, second: Matrix) -> Matrix:
    """How much better two columns fit when exchanged in a year; 0 where they are in place.

    The log ratio r of the two columns is compared with its median over the years around: in a year
    of exchanged columns most cities have it with the opposite sign. Only cities whose ratio is
    clearly off zero in the years around can tell.

    Parameters
    ----------
    first, second : array (cities, years)
        Logarithms of two indicators in the same unit.

    Returns
    -------
    array (years,)
        Sum over cities of the distance of r from its median less that of -r, for years in which
        more than ``EXCHANGED_SHARE`` of the telling cities have r turned round. Of two pairs that
        share a column the one with the larger gain is the right one.
    """
    ratio = first - second
    usual = np.full(ratio.shape, np.nan)
    for t in range(ratio.shape[1]):
        around = range(max(0, t - EXCHANGE_WINDOW), t + EXCHANGE_WINDOW + 1)
        near = [s for s in around if s != t and s < ratio.shape[1]]
        block = ratio[:, near]
        enough = (~np.isnan(block)).sum(axis=1) >= 2
        if enough.any():
            usual[enough, t] = np.nanmedian(block[enough], axis=1)
    noise = MAD_TO_SD * _median(np.abs(ratio - usual))
    telling = np.abs(usual) > max(0.05, noise if np.isfinite(noise) else 0.05)
    telling &= ~np.isnan(ratio)
    turned = telling & (ratio * usual < 0)
    count = telling.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = turned.sum(axis=0) / count
    gain = np.nansum(np.abs(ratio - usual) - np.abs(ratio + usual), axis=0)
    return np.where((count >= MIN_CITIES) & (share > EXCHANGED_SHARE) & (gain > 0), gain, 0.0)


def _midway(logs: Matrix) -> Matrix:
    """Mean of the nearest earlier and later value within ``MAX_GAP`` years, or the one there is."""
    total, count = np.zeros(logs.shape), np.zeros(logs.shape)
    for ordered in (logs, logs[:, ::-1]):
        nearest = np.full(logs.shape, np.nan)
        for lag in range(1, min(MAX_GAP, logs.shape[1] - 1) + 1):
            place = nearest[:, lag:]
            place[:] = np.where(np.isnan(place), ordered[:, :-lag], place)
        if ordered is not logs:
            nearest = nearest[:, ::-1]
        total += np.nan_to_num(nearest)
        count += ~np.isnan(nearest)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _more_extreme(end: NDArray[np.bool_], logs: Matrix) -> NDArray[np.bool_]:
    """Of two ends that accuse each other, the one further from the median city of its year."""
    distance = np.abs(logs - _column_median(logs))
    kept = end.copy()
    for row in np.flatnonzero(end.sum(axis=1) == 2):
        first, last = np.flatnonzero(end[row])
        between = logs[row, first + 1 : last]
        if np.isnan(between).all():
            pair = np.array([first, last])
            kept[row, pair[np.argmin(distance[row, pair])]] = False
    return kept


def _power(deviation: Matrix) -> NDArray[np.int64]:
    """Power of ten nearest to a log deviation, 0 where none is near."""
    tens = np.nan_to_num(deviation / LN10)
    nearest = np.rint(tens)
    near = np.abs(tens - nearest) * LN10 < POWER_TOLERANCE
    return np.where(near, nearest, 0.0).astype(np.int64)


def _spread(change: Matrix) -> Matrix:
    size = np.abs(change)
    by_indicator = np.full(change.shape, _median(size))
    by_city = np.zeros(change.shape)
    by_year = np.zeros(change.shape)
    rows = (~np.isnan(size)).sum(axis=1) >= MIN_CHANGES_FOR_CITY_SCALE
    if rows.any():
        by_city[rows] = np.nanmedian(size[rows], axis=1)[:, None]
    columns = (~np.isnan(size)).sum(axis=0) >= MIN_CITIES_FOR_YEAR_SCALE
    if columns.any():
        by_year[:, columns] = np.nanmedian(size[:, columns], axis=0)[None, :]
    scale = MAD_TO_SD * np.fmax(np.fmax(by_indicator, by_city), by_year)
    return np.fmax(MAX_Z * scale, MIN_CHANGE)


def _years_of_other_scale(logs: Matrix) -> Sequence[int]:
    """Positions of years whose median city is off its neighbours by more than ``YEAR_FACTOR``."""
    steps: list[tuple[int, float]] = []
    years = [t for t in range(logs.shape[1]) if (~np.isnan(logs[:, t])).sum() >= MIN_CITIES]
    for before, now in itertools.pairwise(years):
        step = _median(logs[:, now] - logs[:, before])
        steps.append((now, step))
    usual = _median(np.array([s for _, s in steps])) if steps else np.nan
    found: list[int] = []
    previous: tuple[int, float] | None = None
    for now, step in steps:
        off = step - usual
        if np.isfinite(off) and abs(off) > np.log(YEAR_FACTOR):
            if previous is not None and previous[1] * off < 0:
                previous = None  # back to the level of before: this year is in order
                continue
            found.append(now)
            previous = (now, off)
    return found


def _median(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")


def _column_median(values: Matrix) -> Matrix:
    out = np.full((1, values.shape[1]), np.nan)
    enough = (~np.isnan(values)).sum(axis=0) >= MIN_CITIES
    if enough.any():
        out[0, enough] = np.nanmedian(values[:, enough], axis=0)
    return out
