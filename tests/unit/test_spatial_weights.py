"""Weights: what each kind links, normalisation, order of labels, and what is refused."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from shapely.geometry import box

from estimation.spatial import build
from estimation.spatial.from_sample import weights_from_sample
from estimation.spatial.weights import Weights, WeightsError, great_circle_km

IDS = ("a", "b", "c", "d", "e")


def ring(n: int) -> np.ndarray:
    out = np.zeros((n, n))
    for i in range(n):
        out[i, (i + 1) % n] = out[i, (i - 1) % n] = 1
    return out


def test_great_circle_of_known_cities():
    # Beijing - Shanghai: 1,067 km (haversine of 116.40 E 39.90 N and 121.47 E 31.23 N).
    distance = great_circle_km([116.40, 121.47], [39.90, 31.23])
    assert distance[0, 1] == pytest.approx(1067, abs=2)
    assert distance[0, 1] == distance[1, 0]
    # A quarter of the meridian.
    assert great_circle_km([0, 0], [0, 90])[0, 1] == pytest.approx(6371.0088 * np.pi / 2)


def test_missing_or_swapped_coordinates_are_refused():
    with pytest.raises(WeightsError, match="lon or lat is missing"):
        great_circle_km([116.4, np.nan], [39.9, 31.2])
    with pytest.raises(WeightsError, match="swapped"):
        great_circle_km([39.9, 31.2], [116.4, 121.5])


def test_inverse_distance_with_cutoff():
    lon, lat = [100.0, 101.0, 110.0, 111.0, 112.0], [30.0] * 5
    full = build.inverse_distance(IDS, lon, lat)
    km = great_circle_km(lon, lat)
    assert full.matrix[0, 2] == pytest.approx(1 / km[0, 2])
    assert full.density == pytest.approx(0.8)
    cut = build.inverse_distance(IDS, lon, lat, power=2, cutoff_km=150)
    assert cut.matrix[0, 2] == 0
    assert cut.matrix[0, 1] == pytest.approx(km[0, 1] ** -2)
    assert cut.notes == {"power": 2, "cutoff_km": 150}
    with pytest.raises(WeightsError, match="a and b have the same coordinates"):
        build.inverse_distance(IDS, [1.0, 1.0, 2, 3, 4], [30.0] * 5)


def test_nearest_has_k_links_per_row_and_breaks_ties_by_order():
    lon = [0.0, 1.0, 2.0, 3.0, 4.0]
    made = build.nearest(IDS, lon, [0.0] * 5, k=1)
    dense = made.matrix.toarray()
    assert (dense.sum(axis=1) == 1).all()
    assert dense[1, 0] == 1  # a and c are equally far from b; a stands first
    assert not made.is_symmetric
    with pytest.raises(WeightsError, match="1 <= k < 5"):
        build.nearest(IDS, lon, [0.0] * 5, k=5)


def test_same_group_and_its_islands():
    made = build.same_group(IDS, [11, 11, 12, 12, 31])
    expected = np.zeros((5, 5))
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = 1
    np.testing.assert_array_equal(made.matrix.toarray(), expected)
    assert made.islands == ("e",)
    assert made.n_components == 3
    with pytest.raises(WeightsError, match=r"without a neighbour \(e\)"):
        made.normalise().check(allow_disconnected=True)
    with pytest.raises(WeightsError, match="2 disconnected parts"):
        made.normalise().check(allow_islands=True)
    made.normalise().check(allow_islands=True, allow_disconnected=True)


def test_economic_distance_is_the_inverse_gap_and_refuses_ties():
    made = build.economic_distance(IDS, [1.0, 2.0, 4.0, 8.0, 16.0])
    assert made.matrix[0, 2] == pytest.approx(1 / 3)
    with pytest.raises(WeightsError, match=r"b and c have the same average \(2\)"):
        build.economic_distance(IDS, [1.0, 2.0, 2.0, 8.0, 16.0])
    with pytest.raises(WeightsError, match="bad: c"):
        build.economic_distance(IDS, [1.0, 2.0, np.nan, 8.0, 16.0])


def test_contiguity_of_polygons():
    """Three squares in a row and one far away; corners touch in the second row."""
    polygons = geopandas.GeoDataFrame(
        {"city_code": [3, 1, 2, 9]},
        geometry=[box(2, 0, 3, 1), box(0, 0, 1, 1), box(1, 1, 2, 2), box(9, 9, 10, 10)],
    )
    queen = build.edges_from_polygons(polygons)
    assert [tuple(r) for r in queen.to_numpy()] == [(1, 2), (2, 1), (2, 3), (3, 2)]
    made = build.from_edges((1, 2, 3, 9), queen)
    assert made.islands == (9,)
    assert build.edges_from_polygons(polygons, rook=True).empty


def test_edges_outside_the_panel_are_left_out_and_types_are_explained():
    edges = pd.DataFrame({"city_code": [1, 2, 2, 7], "neighbour_code": [2, 1, 7, 2]})
    made = build.from_edges((1, 2, 3), edges)
    assert made.matrix.nnz == 2
    with pytest.raises(WeightsError, match="same type"):
        build.from_edges(("1", "2"), edges)
    with pytest.raises(WeightsError, match="lacks the column"):
        build.from_edges((1, 2), edges, target="to")


def test_asymmetric_contiguity_is_refused_or_made_symmetric_on_request():
    edges = pd.DataFrame({"city_code": [1, 2, 2], "neighbour_code": [2, 1, 3]})
    with pytest.raises(WeightsError, match="2 -> 3 is 1, 3 -> 2 is 0"):
        build.from_edges((1, 2, 3), edges)
    assert build.from_edges((1, 2, 3), edges, symmetrise=True).matrix.nnz == 4


def test_row_normalisation_and_eigenvalues():
    made = build.from_matrix(ring(6) + np.diag([1.0] * 3, 3) + np.diag([1.0] * 3, -3), range(6))
    row = made.normalise("row")
    np.testing.assert_allclose(row.row_sums, 1)
    exact = np.sort(np.linalg.eigvals(row.matrix.toarray()).real)
    np.testing.assert_allclose(row.eigenvalues, exact, atol=1e-12)
    assert row.eigenvalues.max() == pytest.approx(1)


def test_eigenvalues_stay_right_when_row_sums_differ():
    """A star: the similarity must use the row sums, a plain symmetrisation is wrong."""
    star = np.zeros((5, 5))
    star[0, 1:] = star[1:, 0] = [1.0, 2.0, 3.0, 4.0]
    row = build.from_matrix(star, IDS).normalise("row")
    exact = np.sort(np.linalg.eigvals(row.matrix.toarray()).real)
    np.testing.assert_allclose(row.eigenvalues, exact, atol=1e-12)
    moved = row.align(tuple(reversed(IDS)))
    np.testing.assert_allclose(
        np.sort(np.linalg.eigvals(moved.matrix.toarray()).real), moved.eigenvalues, atol=1e-12
    )


def test_spectral_normalisation_keeps_symmetry():
    made = build.inverse_distance(IDS, [0.0, 1, 2, 5, 9], [0.0] * 5).normalise("spectral")
    assert np.abs(made.eigenvalues).max() == pytest.approx(1)
    assert made.is_symmetric
    assert not made.is_row_normalised
    made.check()


def test_unnormalised_weights_are_refused():
    with pytest.raises(
        WeightsError, match=r"not normalised \(row sums 2 to 2, spectral radius 2\)"
    ):
        build.from_matrix(ring(5), IDS).check()


def test_asymmetric_weights_have_complex_eigenvalues_and_are_handled():
    turn = np.roll(np.eye(5), 1, axis=1)
    made = build.from_matrix(turn, IDS)
    made.check()
    assert np.iscomplexobj(made.eigenvalues)
    assert np.abs(made.eigenvalues) == pytest.approx(np.ones(5))
    with pytest.raises(WeightsError, match="asymmetric: "):
        build.from_matrix(turn, IDS, require_symmetric=True)


def test_labels_are_needed_and_checked():
    with pytest.raises(WeightsError, match="came without labels"):
        build.from_matrix(ring(5))
    with pytest.raises(WeightsError, match="label a stands 2 times"):
        build.from_matrix(ring(5), ["a", "a", "c", "d", "e"])
    with pytest.raises(WeightsError, match="row labels differ from column labels"):
        build.from_matrix(pd.DataFrame(ring(3), index=[1, 2, 3], columns=[1, 3, 2]))
    made = build.from_matrix(ring(5), IDS)
    with pytest.raises(WeightsError, match=r"1 of the panel are not in the weights \(z\)"):
        made.align(("a", "b", "c", "d", "z"))
    numbers = build.from_matrix(ring(5), range(5))
    with pytest.raises(WeightsError, match="differ in type"):
        numbers.align([str(i) for i in range(5)])


def test_bad_values_are_refused():
    for bad in (-1.0, np.nan, np.inf):
        matrix = ring(5)
        matrix[0, 1] = bad
        with pytest.raises(WeightsError, match="negative, missing or infinite"):
            Weights(IDS, sparse.csr_matrix(matrix), "given")
    with pytest.raises(WeightsError, match="a is its own neighbour"):
        build.from_matrix(ring(5) + np.diag([1.0, 0, 0, 0, 0]), IDS)


def test_restrict_normalises_again():
    made = build.from_matrix(ring(5), IDS).normalise("row").restrict(("a", "b", "c"))
    np.testing.assert_allclose(made.matrix.toarray(), [[0, 1, 0], [0.5, 0, 0.5], [0, 1, 0]])


def test_islands_are_attached_to_the_nearest_unit():
    edges = pd.DataFrame({"city_code": ["a", "b"], "neighbour_code": ["b", "a"]})
    made = build.from_edges(("a", "b", "c"), edges).attach_islands([0.0, 1.0, 3.0], [0.0] * 3)
    assert made.islands == ()
    assert made.matrix[2, 1] == made.matrix[1, 2] == 1
    assert made.notes["attached_islands"] == 1


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "city_code": np.repeat([1101, 1301, 1302, 3101], 2),
            "year": [2004, 2005] * 4,
            "province_code": np.repeat([11, 13, 13, 31], 2),
            "lon": np.repeat([116.4, 114.5, 118.2, 121.5], 2),
            "lat": np.repeat([39.9, 38.0, 39.6, 31.2], 2),
            "grp_pc": np.repeat([4.0, 1.0, 2.0, 5.0], 2) + np.tile([0.0, 1.0], 4),
        }
    )


@pytest.mark.parametrize(
    "spec",
    [
        "inverse_distance",
        {"kind": "inverse_distance", "power": 2, "normalise": "spectral"},
        {"kind": "knn", "k": 2},
        "same_province",
        "economic_distance",
        {"kind": "contiguity", "islands": "attach"},
    ],
)
def test_weights_described_by_a_study(spec):
    links = pd.DataFrame(
        {"city_code": ["1101", "1301"], "neighbour_code": ["1301", "1101"]}, dtype="object"
    )
    made, allow = weights_from_sample(frame(), spec, entity="city_code", links=links)
    assert made.ids == (1101, 1301, 1302, 3101)
    made.check(**allow)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("queen", "kind 'queen' is unknown"),
        ({"kind": "knn", "k": 2, "cutoff": 3}, "do not know the option"),
        ("contiguity", "need the links between units"),
        ({"kind": "knn", "islands": "drop"}, "islands 'drop' is unknown"),
    ],
)
def test_bad_descriptions_are_refused(spec, message):
    with pytest.raises(WeightsError, match=message):
        weights_from_sample(frame(), spec, entity="city_code")
