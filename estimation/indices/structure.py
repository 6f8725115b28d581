"""Location and structure of industry: location quotient, co-agglomeration, industrial upgrading.

Belongs here: formulas on employment and value added by industry. Does not belong here: plain shares
and ratios (SQL). Written here because conventions differ between papers and are named below.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def location_quotient(
    data: pd.DataFrame, *, industry: str, total: str, time: str | None = None
) -> pd.Series:
    """Location quotient (区位熵) of an industry's employment.

        LQ_it = (e_it / E_it) / (sum_i e_it / sum_i E_it)

    The warehouse states the quotient of the panel's cities in SQL; this is for any other table.
    The national share is that of the units in the table, by period, over the units for which both
    figures are known; a unit that lacks one is missing and does not distort the others.

    Raises
    ------
    ValueError
        If an employment figure is negative, a total is zero, or the industry is empty in a period.
    """
    part, whole = data[industry].astype(float), data[total].astype(float)
    negative = (part < 0) | (whole < 0) | (whole == 0)
    if negative.any():
        rows = data.index[negative].tolist()[:20]
        raise ValueError(f"{industry} is negative or {total} is not positive at rows {rows}")
    known = part.notna() & whole.notna()
    period = pd.Series(0, index=data.index) if time is None else data[time]
    sums = pd.DataFrame({"e": part.where(known), "E": whole.where(known), "t": period})
    totals = sums.groupby("t")[["e", "E"]].sum()
    empty = totals.index[(totals["e"] == 0) & known.groupby(period).any()].tolist()
    if empty:
        raise ValueError(f"no employment in {industry} in {empty}: the quotient is undefined")
    national = period.map(totals["e"] / totals["E"])
    return (part / whole / national).rename("location_quotient")


def co_agglomeration(first: pd.Series, second: pd.Series) -> pd.Series:
    """Co-agglomeration of two industries from their location quotients (协同集聚).

        coag = [1 - |a - b| / (a + b)] + (a + b)

    The first bracket is how alike, the second how strong the two are. Source: Yang (2013), as used
    for manufacturing and producer services in the applied literature (杨仁发；崔书会). Missing
    where both are zero.

    Raises
    ------
    ValueError
        If a quotient is negative.
    """
    if (first < 0).any() or (second < 0).any():
        raise ValueError("location quotients cannot be negative")
    total = first + second
    alike = 1.0 - (first - second).abs() / total.where(total > 0)
    return (alike + total).rename("co_agglomeration")


def structure_level(data: pd.DataFrame, shares: Sequence[str]) -> pd.Series:
    """Structural level index sum_m m y_m (产业整体升级), between 1 and the number of sectors.

    Parameters
    ----------
    data : DataFrame
    shares : sequence of str
        Shares of value added from the primary sector upwards. They are divided by their sum, so
        percentages and rounding do not matter.

    Raises
    ------
    ValueError
        If a share is negative, or the shares of a row sum to zero.
    """
    values = data[list(shares)].astype(float)
    if (values < 0).to_numpy().any():
        raise ValueError(f"negative shares in {list(shares)}")
    total = values.sum(axis=1, skipna=False)
    if (total == 0).any():
        raise ValueError(f"shares {list(shares)} sum to zero at {data.index[total == 0].tolist()}")
    order = np.arange(1, len(shares) + 1, dtype=float)
    return (values.mul(order, axis=1).sum(axis=1, skipna=False) / total).rename("structure_level")


def productivity_weighted_upgrading(
    data: pd.DataFrame, *, value_added: Sequence[str], employment: Sequence[str]
) -> pd.Series:
    """Industrial upgrading: shares of value added times labour productivity, summed.

        ind_pro = sum_m (Y_m / Y) (Y_m / L_m)

    Sources: Liu and Zhang (2008, 刘伟、张辉); Yuan and Zhu (2018, 袁航、朱承亮). In value added per
    worker, in the units of the data; take logarithms or standardise afterwards if the study does.

    Raises
    ------
    ValueError
        If the two lists differ in length, or employment is zero in a sector with value added (rows
        named).
    """
    output, labour = _sectors(data, value_added, employment)
    total = output.sum(axis=1, skipna=False)
    share = output.div(total.where(total > 0), axis=0)
    productivity = output / labour.where(labour > 0)
    product = (share * productivity).where(output > 0, output)
    return product.sum(axis=1, skipna=False).rename("industrial_upgrading")


def rationalisation_theil(
    data: pd.DataFrame, *, value_added: Sequence[str], employment: Sequence[str]
) -> pd.Series:
    """Theil index of structural imbalance (产业结构合理化), zero if all are equally productive.

        TL = sum_m (Y_m / Y) ln[(Y_m / L_m) / (Y / L)]

    Source: Gan, Zheng and Yu (2011). A sector without value added contributes its limit zero.

    Raises
    ------
    ValueError
        As ``productivity_weighted_upgrading``.
    """
    output, labour = _sectors(data, value_added, employment)
    total, workers = output.sum(axis=1, skipna=False), labour.sum(axis=1, skipna=False)
    share = output.div(total.where(total > 0), axis=0)
    relative = (output / labour.where(labour > 0)).div(total / workers, axis=0)
    term = (share * np.log(relative.where(relative > 0, 1.0))).where(output > 0, output)
    return term.sum(axis=1, skipna=False).rename("theil")


def _sectors(
    data: pd.DataFrame, value_added: Sequence[str], employment: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if len(value_added) != len(employment):
        raise ValueError(f"{len(value_added)} sectors of value added, {len(employment)} of labour")
    names = list(range(len(value_added)))
    output = data[list(value_added)].astype(float).set_axis(names, axis=1)
    labour = data[list(employment)].astype(float).set_axis(names, axis=1)
    if (output < 0).to_numpy().any() or (labour < 0).to_numpy().any():
        raise ValueError("value added and employment cannot be negative")
    idle = ((labour == 0) & (output > 0)).any(axis=1)
    if idle.any():
        rows = data.index[idle].tolist()[:20]
        raise ValueError(f"a sector has value added and no employment at rows {rows}")
    return output, labour
