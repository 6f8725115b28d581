"""Capital stock by the perpetual inventory method.

Belongs here: stocks from flows. Does not belong here: finding or filling the flows (the warehouse).
Written here, not in SQL, because the recursion needs consecutive years and has to refuse gaps.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

InitialStock = Literal["ten_percent", "steady_state"]


def deflator(price_index: pd.Series, *, base: int) -> pd.Series:
    """Chain a price index with last year = 100 into a level that is one in ``base``.

    Parameters
    ----------
    price_index : Series
        Index by year (ascending, consecutive), last year = 100. The first year's value links to a
        year outside the series and is not used.
    base : int
        Year in which the deflator is one.

    Raises
    ------
    ValueError
        If years are missing in between, a value is missing or not positive, or ``base`` is outside.
    """
    years = price_index.index.to_numpy()
    if len(years) == 0 or (np.diff(years) != 1).any():
        raise ValueError(f"price index needs consecutive ascending years, got {years.tolist()}")
    if base not in price_index.index:
        raise ValueError(f"base year {base} is not among {years[0]} to {years[-1]}")
    steps = price_index.astype(float).to_numpy().copy() / 100.0
    steps[0] = 1.0
    wrong = ~(np.isfinite(steps) & (steps > 0.0))
    if wrong.any():
        raise ValueError(f"price index is missing or not positive in {years[wrong].tolist()}")
    level = pd.Series(np.cumprod(steps), index=price_index.index, name="deflator")
    return level / level[base]


def perpetual_inventory(
    data: pd.DataFrame,
    *,
    unit: str,
    time: str,
    investment: str,
    price: str | None = None,
    depreciation: float = 0.096,
    initial: InitialStock = "ten_percent",
    initial_column: str | None = None,
) -> pd.Series:
    """Capital stock K_t = I_t / P_t + (1 - delta) K_{t-1}.

    Parameters
    ----------
    data : DataFrame
        One row per unit and consecutive year.
    unit, time : str
    investment : str
        Investment in current prices (or in constant prices, without ``price``). At least zero.
    price : str, optional
        Deflator with base year one.
    depreciation : float
        Delta; 9.6 % after Zhang, Wu and Zhang (2004), Economic Research Journal (张军等).
    initial : {"ten_percent", "steady_state"}
        Stock in a unit's first year: real investment over 10 % (Zhang et al. 2004), or over
        g + delta with g the mean growth rate of the unit's real investment (Harberger 1978).
    initial_column : str, optional
        Known real stock in each unit's first year, instead of ``initial``.

    Returns
    -------
    Series
        Real stock, index of ``data``, in the unit of investment.

    Raises
    ------
    ValueError
        If a unit has a gap between years or a year twice, a value is missing, negative or has no
        positive price, delta is outside [0, 1], or g + delta is not positive; the message names the
        unit and year.
    """
    if not 0.0 <= depreciation <= 1.0:
        raise ValueError(f"depreciation is {depreciation}; expected a share between 0 and 1")
    table = data[[unit, time]].copy()
    flow = pd.to_numeric(data[investment], errors="coerce").astype(float)
    deflators = 1.0 if price is None else pd.to_numeric(data[price], errors="coerce").astype(float)
    real = flow / deflators
    wrong = ~(np.isfinite(real) & (real >= 0.0))
    if wrong.any():
        where = [f"{u} {t}" for u, t in table[wrong].head(20).itertuples(index=False)]
        raise ValueError(
            f"investment or price is missing or negative for {int(wrong.sum())} rows: "
            f"{', '.join(where)}; fill them before computing the stock"
        )
    table = table.assign(real=real, first=np.nan)
    if initial_column is not None:
        table["first"] = pd.to_numeric(data[initial_column], errors="coerce").astype(float)
    stock = pd.Series(np.nan, index=data.index, name="capital_stock")
    for key, group in table.groupby(unit, sort=False):
        ordered = group.sort_values(time)
        years = ordered[time].to_numpy()
        steps = np.diff(years)
        if (steps != 1).any():
            at = years[int(np.flatnonzero(steps != 1)[0])]
            raise ValueError(f"{key}: the year after {at} is missing or a year occurs twice")
        flows = ordered["real"].to_numpy()
        values = np.empty(len(flows))
        if initial_column is None:
            values[0] = flows[0] / _capital_share(flows, depreciation, initial, str(key))
        else:
            values[0] = ordered["first"].iloc[0]
            if not (np.isfinite(values[0]) and values[0] >= 0.0):
                raise ValueError(f"{key} {years[0]}: no initial stock in {initial_column}")
        for k in range(1, len(flows)):
            values[k] = flows[k] + (1.0 - depreciation) * values[k - 1]
        stock.loc[ordered.index] = values
    return stock


def _capital_share(flows: np.ndarray, delta: float, initial: InitialStock, key: str) -> float:
    """Investment over capital in the first year."""
    if initial == "ten_percent":
        return 0.1
    if initial != "steady_state":
        raise ValueError(f"initial is {initial!r}; expected 'ten_percent' or 'steady_state'")
    if len(flows) < 2 or flows[0] <= 0.0 or flows[-1] <= 0.0:
        raise ValueError(f"{key}: a growth rate needs positive investment in two years")
    growth = float((flows[-1] / flows[0]) ** (1.0 / (len(flows) - 1)) - 1.0)
    if growth + delta <= 0.0:
        raise ValueError(f"{key}: growth {growth:.3f} plus depreciation {delta} is not positive")
    return growth + delta
