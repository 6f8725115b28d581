"""Composite and structural indices against hand-computed values and their limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimation import indices


def frame(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_min_max_with_orientation_and_gaps() -> None:
    data = frame(a=[1.0, 3.0, np.nan, 5.0], b=[10.0, 0.0, 5.0, 2.5])
    scaled = indices.min_max(data, ["a", "b"], negative=["b"])
    np.testing.assert_allclose(scaled["a"], [0, 0.5, np.nan, 1])
    np.testing.assert_allclose(scaled["b"], [0, 1, 0.5, 0.75])


@pytest.mark.parametrize("values", [[2.0, 2.0], [np.nan, np.nan]])
def test_min_max_refuses_an_indicator_without_range(values) -> None:
    with pytest.raises(ValueError, match="constant or empty"):
        indices.min_max(frame(a=[1.0, 2.0], b=values), ["a", "b"])


def test_min_max_refuses_unknown_columns_and_infinite_values() -> None:
    data = frame(a=[1.0, np.inf])
    with pytest.raises(KeyError, match="no column"):
        indices.min_max(data, ["z"])
    with pytest.raises(ValueError, match="infinite"):
        indices.min_max(data, ["a"])
    with pytest.raises(ValueError, match="not among"):
        indices.min_max(frame(a=[1.0, 2.0]), ["a"], negative=["b"])


def test_entropy_weights_by_hand() -> None:
    data = frame(a=[0.0, 1.0, 2.0], b=[0.0, 0.0, 1.0])
    # Shares 0, 1/3, 2/3 and 0, 0, 1: entropies 0.5794 and 0.
    entropy = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3) / np.log(3)
    expected = np.array([1 - entropy, 1.0]) / (2 - entropy)
    np.testing.assert_allclose(indices.entropy_weights(data, ["a", "b"]), expected)


def test_entropy_weights_are_direction_aware_and_zero_safe() -> None:
    rng = np.random.default_rng(0)
    skewed = rng.lognormal(sigma=1.0, size=400)
    data = frame(skewed=skewed, even=rng.uniform(size=400))
    forward = indices.entropy_weights(data, ["skewed", "even"])
    backward = indices.entropy_weights(data, ["skewed", "even"], negative=["skewed"])
    assert forward["skewed"] > 0.6
    assert backward["skewed"] < 0.3
    mirrored = data.assign(skewed=-data["skewed"])
    pd.testing.assert_series_equal(backward, indices.entropy_weights(mirrored, ["skewed", "even"]))
    # The customary shift tends to the limit that is used here.
    gaps = [
        (indices.entropy_weights(data, ["skewed", "even"], shift=s) - forward).abs().max()
        for s in (1e-2, 1e-4, 1e-8)
    ]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-6


def test_entropy_weights_leave_incomplete_rows_out() -> None:
    full = frame(a=[1.0, 2.0, 4.0], b=[3.0, 1.0, 2.0])
    holed = pd.concat([full, frame(a=[np.nan], b=[100.0])])
    pd.testing.assert_series_equal(
        indices.entropy_weights(full, ["a", "b"]), indices.entropy_weights(holed, ["a", "b"])
    )
    with pytest.raises(ValueError, match="at least two"):
        indices.entropy_weights(holed.iloc[2:], ["a", "b"])
    with pytest.raises(ValueError, match="shift"):
        indices.entropy_weights(full, ["a", "b"], shift=-1.0)


def test_weighted_index_is_the_weighted_sum_of_standardised_indicators() -> None:
    data = frame(a=[0.0, 5.0, 10.0], b=[4.0, 2.0, 0.0])
    index = indices.weighted_index(data, {"a": 0.25, "b": 0.75}, negative=["b"])
    np.testing.assert_allclose(index, [0.0, 0.25 * 0.5 + 0.75 * 0.5, 1.0])


def test_coupling_of_two_subsystems_by_hand() -> None:
    data = frame(u=[0.0, 0.2, 1.0], v=[0.0, 0.8, 1.0])
    ours = indices.coupling_coordination(data, ["u", "v"], standardised=True)
    np.testing.assert_allclose(ours["level"], [0, 0.5, 1])
    np.testing.assert_allclose(ours["coupling"], [np.nan, 2 * 0.4 / 1.0, 1.0])
    np.testing.assert_allclose(ours["coordination"], [0, np.sqrt(0.8 * 0.5), 1])


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=2, max_size=20))
def test_forms_differ_by_the_root_of_n_and_stay_in_range(rows) -> None:
    data = pd.DataFrame(rows, columns=["u", "v", "w"])
    both = {
        form: indices.coupling_coordination(data, ["u", "v", "w"], form=form, standardised=True)
        for form in ("geometric_mean", "product")
    }
    full, bare = both["geometric_mean"]["coordination"], both["product"]["coordination"]
    np.testing.assert_allclose(full, np.sqrt(3) * bare, atol=1e-12)
    assert full.between(0, 1 + 1e-12).all()
    # With equal weights D is the square root of the geometric mean.
    np.testing.assert_allclose(full, np.sqrt(np.cbrt(data.prod(axis=1))), atol=1e-7)


def test_coupling_orientation_weights_and_gaps() -> None:
    data = frame(pm=[80.0, 40.0, 0.0], gdp=[1.0, 2.0, 3.0], co2=[9.0, np.nan, 1.0])
    ours = indices.coupling_coordination(
        data,
        ["pm", "gdp", "co2"],
        negative=["pm", "co2"],
        weights={"pm": 0.2, "gdp": 0.3, "co2": 0.5},
    )
    np.testing.assert_allclose(ours["coordination"], [0, np.nan, 1])
    two = indices.coupling_coordination(
        data, ["pm", "gdp"], negative=["pm"], weights={"gdp": 0.9, "pm": 0.1}
    )
    np.testing.assert_allclose(two["level"], [0, 0.5, 1])


def test_coupling_refuses_what_it_cannot_mean() -> None:
    data = frame(u=[0.1, 1.4], v=[0.2, 0.3])
    with pytest.raises(ValueError, match="two subsystems"):
        indices.coupling_coordination(data, ["u"])
    with pytest.raises(ValueError, match="outside"):
        indices.coupling_coordination(data, ["u", "v"], standardised=True)
    with pytest.raises(ValueError, match="sum to one"):
        indices.coupling_coordination(data, ["u", "v"], weights={"u": 0.5, "v": 0.6})
    with pytest.raises(ValueError, match="form is"):
        indices.coupling_coordination(data, ["u", "v"], form="sum")  # type: ignore[arg-type]


def test_coupled_efficiency_standardises_on_units_with_both_scores() -> None:
    preff = pd.Series([0.2, 0.4, 1.2, 9.0], index=list("abcd"))
    creff = pd.Series([0.1, 0.5, 1.1, np.nan], index=list("abcd"))
    ours = indices.syeff(preff, creff)
    z1, z2 = 0.2, 0.4
    expected = np.sqrt(2 * np.sqrt(z1 * z2) / (z1 + z2) * (z1 + z2) / 2)
    np.testing.assert_allclose(ours, [0.0, expected, 1.0, np.nan], atol=1e-12)
    with pytest.raises(ValueError, match="same index"):
        indices.syeff(preff, creff.iloc[:2])


def test_deflator_chains_to_the_base() -> None:
    level = indices.deflator(pd.Series([105.0, 110.0, 90.0], index=[2004, 2005, 2006]), base=2005)
    np.testing.assert_allclose(level, [1 / 1.1, 1.0, 0.9])
    with pytest.raises(ValueError, match="consecutive"):
        indices.deflator(pd.Series([1.0, 1.0], index=[2004, 2006]), base=2004)
    with pytest.raises(ValueError, match="not among"):
        indices.deflator(pd.Series([1.0, 1.0], index=[2004, 2005]), base=2000)
    with pytest.raises(ValueError, match=r"not positive in \[2005\]"):
        indices.deflator(pd.Series([100.0, 0.0], index=[2004, 2005]), base=2004)


def test_perpetual_inventory_by_hand() -> None:
    data = frame(
        city=["b", "a", "a", "a", "b"],
        year=[2005, 2006, 2004, 2005, 2006],
        invest=[50.0, 33.0, 10.0, 22.0, 60.0],
        price=[1.0, 1.1, 1.0, 1.1, 1.2],
    )
    stock = indices.perpetual_inventory(
        data, unit="city", time="year", investment="invest", price="price", depreciation=0.1
    )
    first = 10 / 0.1
    second = 20 + 0.9 * first
    np.testing.assert_allclose(stock, [500.0, 30 + 0.9 * second, first, second, 50 + 450.0])


def test_perpetual_inventory_starts() -> None:
    data = frame(city=["a", "a"], year=[2004, 2005], invest=[10.0, 12.0], k0=[70.0, np.nan])
    steady = indices.perpetual_inventory(
        data, unit="city", time="year", investment="invest", initial="steady_state"
    )
    assert steady.iloc[0] == pytest.approx(10 / (0.2 + 0.096))
    given_stock = indices.perpetual_inventory(
        data, unit="city", time="year", investment="invest", initial_column="k0"
    )
    assert given_stock.iloc[1] == pytest.approx(12 + 0.904 * 70)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"year": [2004, 2006]}, "a: the year after 2004 is missing"),
        ({"year": [2004, 2004]}, "occurs twice"),
        ({"invest": [10.0, -1.0]}, "a 2005"),
        ({"invest": [10.0, np.nan]}, "a 2005"),
    ],
)
def test_perpetual_inventory_refuses_gaps(change, message) -> None:
    data = frame(city=["a", "a"], year=[2004, 2005], invest=[10.0, 12.0]).assign(**change)
    with pytest.raises(ValueError, match=message):
        indices.perpetual_inventory(data, unit="city", time="year", investment="invest")


def test_location_quotient_is_one_on_average_and_ignores_gaps() -> None:
    data = frame(
        year=[1, 1, 1, 2, 2],
        ict=[10.0, 30.0, np.nan, 5.0, 5.0],
        total=[100.0, 100.0, 700.0, 50.0, 150.0],
    )
    ours = indices.location_quotient(data, industry="ict", total="total", time="year")
    np.testing.assert_allclose(ours, [0.5, 1.5, np.nan, 2.0, 2 / 3])
    weights = data["total"].where(data["ict"].notna())
    mean = (ours * weights).groupby(data["year"]).sum() / weights.groupby(data["year"]).sum()
    np.testing.assert_allclose(mean, 1.0)


def test_location_quotient_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match=r"rows \[1\]"):
        indices.location_quotient(frame(e=[1.0, 1.0], E=[2.0, 0.0]), industry="e", total="E")
    with pytest.raises(ValueError, match="undefined"):
        indices.location_quotient(
            frame(e=[0.0, 1.0], E=[2.0, 2.0], t=[1, 2]), industry="e", total="E", time="t"
        )


def test_co_agglomeration_by_hand() -> None:
    ours = indices.co_agglomeration(pd.Series([1.0, 3.0, 0.0]), pd.Series([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(ours, [3.0, 0.5 + 4.0, np.nan])
    with pytest.raises(ValueError, match="negative"):
        indices.co_agglomeration(pd.Series([-1.0]), pd.Series([1.0]))


SECTORS = {"value_added": ["y1", "y2", "y3"], "employment": ["l1", "l2", "l3"]}


def test_structural_indices_by_hand() -> None:
    data = frame(
        y1=[10.0, 20.0], y2=[40.0, 30.0], y3=[50.0, 50.0],
        l1=[10.0, 2.0], l2=[20.0, 3.0], l3=[20.0, 5.0],
    )  # fmt: skip
    upgrading = indices.productivity_weighted_upgrading(data, **SECTORS)
    assert upgrading.iloc[0] == pytest.approx(0.1 * 1 + 0.4 * 2 + 0.5 * 2.5)
    theil = indices.rationalisation_theil(data, **SECTORS)
    assert theil.iloc[0] == pytest.approx(0.1 * np.log(0.5) + 0.5 * np.log(1.25))
    assert theil.iloc[1] == pytest.approx(0.0)  # equal productivity everywhere
    level = indices.structure_level(data, ["y1", "y2", "y3"])
    np.testing.assert_allclose(level, [2.4, 2.3])


def test_an_absent_sector_contributes_its_limit() -> None:
    data = frame(y1=[0.0], y2=[50.0], y3=[50.0], l1=[0.0], l2=[10.0], l3=[10.0])
    assert indices.productivity_weighted_upgrading(data, **SECTORS).iloc[0] == pytest.approx(5.0)
    assert indices.rationalisation_theil(data, **SECTORS).iloc[0] == pytest.approx(0.0)


def test_structural_indices_refuse_what_is_undefined() -> None:
    data = frame(y1=[1.0], y2=[50.0], y3=[50.0], l1=[0.0], l2=[10.0], l3=[10.0])
    with pytest.raises(ValueError, match=r"no employment at rows \[0\]"):
        indices.productivity_weighted_upgrading(data, **SECTORS)
    with pytest.raises(ValueError, match="3 sectors of value added, 2"):
        indices.rationalisation_theil(
            data, value_added=SECTORS["value_added"], employment=["l1", "l2"]
        )
    with pytest.raises(ValueError, match="negative shares"):
        indices.structure_level(frame(a=[-1.0], b=[2.0]), ["a", "b"])
    with pytest.raises(ValueError, match="sum to zero"):
        indices.structure_level(frame(a=[0.0], b=[0.0]), ["a", "b"])
