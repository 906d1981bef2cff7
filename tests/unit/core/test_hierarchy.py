"""Levels over series, against the dense matrix of sums."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lakecast.core import hierarchy as trees
from lakecast.core.hierarchy import Hierarchy, Weights

SHOPS = pl.DataFrame(
    {
        "state": ["SP", "SP", None, "RJ", "RJ", None],
        "item": ["b", "a", "a", "a", "b", "c"],
    }
)
LEVELS = ((), ("state",), ("item",), ("state", "item"))


def tree() -> Hierarchy:
    return Hierarchy.build(SHOPS, LEVELS)


def dense(found: Hierarchy) -> np.ndarray:
    """[G, S] of ones and zeros."""
    out = np.zeros((found.groups, found.series))
    for place, groups in enumerate(found.of):
        out[groups, place] = 1.0
    return out


def test_levels_have_a_group_a_value_and_nulls_are_one_too() -> None:
    found = tree()
    assert [level.name for level in found.levels] == ["total", "state", "item", "state/item"]
    assert [level.groups for level in found.levels] == [1, 3, 3, 6]
    assert found.levels[1].keys["state"].to_list() == ["RJ", "SP", None]
    assert found.levels[3].keys.rows()[-2:] == [(None, "a"), (None, "c")]
    assert found.counts().tolist() == [6, 2, 2, 2, 3, 2, 1, *[1] * 6]


def test_sums_and_their_transpose_are_those_of_the_matrix() -> None:
    found, rng = tree(), np.random.default_rng(1)
    series, groups = rng.normal(size=(6, 4)), rng.normal(size=(found.groups, 4))
    np.testing.assert_allclose(found.sums(series), dense(found) @ series)
    np.testing.assert_allclose(found.spread(groups), dense(found).T @ groups)


def test_some_levels_and_some_series_are_hierarchies() -> None:
    found, series = tree(), np.arange(6.0)[:, None]
    whole = found.sums(series)
    part = found.only([2, 0])
    np.testing.assert_allclose(part.sums(series)[:3], whole[found.part(2)])
    np.testing.assert_allclose(part.sums(series)[3:], whole[found.part(0)])
    few = found.take(np.array([5, 0]))
    assert few.groups == found.groups
    assert few.sums(np.array([[2.0], [3.0]]))[0] == 5.0


def test_no_levels_is_a_hierarchy_of_the_series_alone() -> None:
    found = Hierarchy.build(SHOPS, ())
    assert (found.series, found.groups, found.sums(np.ones((6, 2))).shape) == (6, 0, (0, 2))


@pytest.mark.parametrize("scaled", [False, True])
def test_reconciled_forecasts_are_those_of_a_dense_solve(scaled: bool) -> None:
    found, rng = tree(), np.random.default_rng(2)
    series, groups = rng.normal(5, 2, (6, 3)), rng.normal(15, 9, (found.groups, 3))
    weights = trees.structural(found)
    if scaled:
        weights = Weights(series=rng.gamma(1, 2, 6), groups=rng.gamma(2, 5, found.groups))
    s, w, v = dense(found), np.diag(weights.series), np.diag(weights.groups)
    expected = np.linalg.solve(w + s.T @ v @ s, w @ series + s.T @ v @ groups)
    np.testing.assert_allclose(trees.reconcile(found, series, groups, weights), expected, rtol=1e-6)


def test_structural_weights_count_series() -> None:
    assert trees.structural(tree()).groups[:3].tolist() == [1 / 6, 1 / 2, 1 / 2]


def test_forecasts_that_add_up_come_back_as_they_are() -> None:
    found, series = tree(), np.random.default_rng(3).gamma(1, 1, (6, 2))
    again = trees.reconcile(found, series, found.sums(series), trees.structural(found))
    np.testing.assert_array_equal(again, series)


def test_a_group_without_a_forecast_says_nothing() -> None:
    found, series = tree(), np.ones((6, 2))
    groups = np.full((found.groups, 2), np.nan)
    heavy = trees.structural(found)
    np.testing.assert_array_equal(trees.reconcile(found, series, groups, heavy), series)
    groups[0] = 12.0
    assert trees.reconcile(found, series, groups, heavy).sum(axis=0) == pytest.approx([9.0, 9.0])


def test_nothing_is_below_the_minimum_and_sums_stay_sums() -> None:
    found = Hierarchy.build(SHOPS, ((),))
    series = np.array([[0.0], [0.0], [1.0], [2.0], [3.0], [4.0]])
    heavy = Weights(series=np.ones(6), groups=np.array([1e6]))
    made = trees.reconcile(found, series, np.array([[4.0]]), heavy, 0.0)
    assert made.min() == 0.0
    assert made[:2, 0].tolist() == [0.0, 0.0]
    free = trees.reconcile(found, series, np.array([[4.0]]), heavy)
    np.testing.assert_allclose(made, np.maximum(free, 0.0))


@pytest.mark.parametrize(("minimum", "floor"), [(None, None), (-2.0, None), (0.0, 0.0), (3.0, 3.0)])
def test_a_sum_has_the_floor_of_its_parts_where_they_cannot_be_negative(
    minimum: float | None, floor: float | None
) -> None:
    assert trees.floor_of(minimum) == floor
