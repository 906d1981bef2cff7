"""Whatever the levels: forecasts add up, are not negative, and are left alone once they do."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lakecast.core import hierarchy as trees
from lakecast.core.hierarchy import Hierarchy, Weights


@st.composite
def hierarchies(draw: st.DrawFn) -> Hierarchy:
    size = draw(st.integers(1, 25))
    columns = {
        name: draw(st.lists(st.sampled_from([None, 0, 1, 2]), min_size=size, max_size=size))
        for name in ("a", "b")
    }
    frame = pl.DataFrame(columns, schema={"a": pl.Int64, "b": pl.Int64})
    chosen = st.sampled_from([(), ("a",), ("b",), ("a", "b")])
    return Hierarchy.build(frame, draw(st.lists(chosen, min_size=1, max_size=4, unique=True)))


@given(hierarchies(), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=60)
def test_reconciled_forecasts(found: Hierarchy, seed: int, scaled: bool) -> None:
    rng = np.random.default_rng(seed)
    series = rng.gamma(0.5, 4, (found.series, 3)) * rng.integers(0, 2, (found.series, 1))
    groups = found.sums(series) * rng.uniform(0, 2, (found.groups, 3))
    weights = trees.structural(found)
    if scaled:
        heavy = 1e-3 + rng.gamma(1, 1, found.series), rng.gamma(1, 1, found.groups)
        weights = Weights(series=heavy[0], groups=heavy[1])
    made = trees.reconcile(found, series, groups, weights, 0.0)
    assert made.min() >= 0.0
    sums = found.sums(made)
    for level in range(len(found.levels)):
        np.testing.assert_allclose(sums[found.part(level)].sum(0), made.sum(0), rtol=1e-9)
    again = trees.reconcile(found, made, sums, weights, 0.0)
    np.testing.assert_allclose(again, made, rtol=1e-6, atol=1e-9)


@given(hierarchies(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_the_order_of_series_moves_no_forecast(found: Hierarchy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    series, groups = rng.gamma(1, 2, (found.series, 2)), rng.gamma(2, 4, (found.groups, 2))
    order = rng.permutation(found.series)
    weights, mixed = trees.structural(found), found.take(order)
    made = trees.reconcile(found, series, groups, weights)
    moved = trees.reconcile(mixed, series[order], groups, trees.structural(mixed))
    np.testing.assert_allclose(moved, made[order], rtol=1e-5, atol=1e-6)
