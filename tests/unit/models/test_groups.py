"""What the levels' own histories say: which are learned, and that a bundle says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.champions import spec
from tests.panels import CUTOFF, STORES, panel_of

from lakecast.core.block import after
from lakecast.core.features import state_at
from lakecast.core.hierarchy import Hierarchy
from lakecast.models import groups
from lakecast.models.groups import Groups, Learned

if TYPE_CHECKING:
    from lakecast.core.block import MemoryPanel

LEVELS = ((), ("store",), ("item",))
HORIZON, BEFORE = 14, 20


def hierarchy(panel: MemoryPanel) -> Hierarchy:
    size = panel.info.series
    names = [f"i{i:04d}" for i in range(size)]
    frame = pl.DataFrame({"item": names, "store": [STORES[i % 3] for i in range(size)]})
    return Hierarchy.build(frame, LEVELS)


def market(series: int = 9, length: int = 400) -> MemoryPanel:
    """Weeks alike, and twice as much on the days of a fair that is announced; prices differ."""
    rng = np.random.default_rng(4)
    day = np.arange(length)
    fair = (day % 23 == 16).astype(float)
    week = 20.0 + 10.0 * (day % 7 == 5)
    made = [rng.poisson(week * (1 + fair) * (1 + i)).astype(float) for i in range(series)]
    prices = [rng.uniform(1, 9, length) for _ in range(series)]
    return panel_of(
        made,
        {"fair": ("known-future", [fair] * series), "price_tag": ("known-future", prices)},
    )


@pytest.mark.parametrize(("most", "levels"), [(10**6, (0, 1, 2)), (2_000, (0, 1)), (399, ())])
def test_the_levels_of_the_fewest_groups_are_learned(
    most: int, levels: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "MOST", most)
    tree, info = hierarchy(market()), market().info
    assert groups.learned(tree, info) == levels
    assert groups.learned(tree.only([2, 0, 1]), info) == tuple(
        sorted((2, 0, 1).index(level) for level in levels)
    )
    held = Groups.of(market(), tree, spec())
    assert (held is None) == (levels == ())


def test_groups_are_told_apart_by_their_level_and_columns() -> None:
    panel = market(series=4)
    found = groups.statics(hierarchy(panel), panel.info)
    assert found["level"].tolist() == [0, 1, 1, 1, 2, 2, 2, 2]
    assert found["store"].tolist() == [-1, 0, 1, 2, -1, -1, -1, -1]
    assert found["item"].tolist() == [-1, -1, -1, -1, 0, 1, 2, 3]


@pytest.fixture(scope="module")
def taught() -> tuple[MemoryPanel, Hierarchy, Groups, Learned]:
    panel = market()
    tree = hierarchy(panel)
    held = Groups.of(panel, tree.only([0, 1]), spec())
    assert held is not None
    bench = held.bench([CUTOFF - BEFORE])
    learned = Learned(forecaster=bench.fit(held.recipe, CUTOFF - BEFORE), levels=held.levels)
    return panel, tree, held, learned


def test_what_their_series_share_is_known_of_the_groups(
    taught: tuple[MemoryPanel, Hierarchy, Groups, Learned],
) -> None:
    panel, _, held, learned = taught
    assert held.panel.info.covariates == {"fair": "known-future"}
    actual = np.stack([b.target for b in panel.held])[0].reshape(9, -1).sum(axis=0)[-BEFORE:]
    made = held.bench([CUTOFF - BEFORE]).forecast(learned.forecaster, CUTOFF - BEFORE, HORIZON)
    assert np.abs(made.values[0] / actual[:HORIZON] - 1).max() < 0.15
    assert actual[:HORIZON].max() > 1.8 * np.median(actual)  # a fair falls in it


def test_where_the_series_stand_tells_what_the_history_of_the_groups_does(
    taught: tuple[MemoryPanel, Hierarchy, Groups, Learned],
) -> None:
    panel, tree, held, learned = taught
    (block,) = panel.held
    cutoff = CUTOFF - BEFORE
    state = state_at(block, cutoff, memory=learned.memory)
    future = after(block, cutoff, HORIZON, ["fair", "price_tag"])
    found = learned.forecast(tree, state, future, panel.info)
    expected = held.bench([cutoff]).forecast(learned.forecaster, cutoff, HORIZON).values
    np.testing.assert_allclose(found[: len(expected)], expected, rtol=1e-5)
    assert np.isnan(found[len(expected) :]).all()  # the level of the items was not learned


def test_a_state_must_reach_back_far_enough(
    taught: tuple[MemoryPanel, Hierarchy, Groups, Learned],
) -> None:
    panel, tree, _, learned = taught
    assert learned.memory == 2 * 56
    state = state_at(panel.held[0], CUTOFF, memory=7)
    future = after(panel.held[0], CUTOFF, HORIZON, ["fair", "price_tag"])
    with pytest.raises(ValueError, match="the state holds 7 values, 112 are needed"):
        learned.forecast(tree, state, future, panel.info)


def test_nothing_sold_is_no_reason_to_fail() -> None:
    panel = panel_of([np.zeros(80), np.zeros(80)])
    tree = hierarchy(panel)
    held = Groups.of(panel, tree, spec())
    assert held is not None
    fitted = held.bench([CUTOFF]).fit(held.recipe, CUTOFF)
    made = held.bench([CUTOFF]).forecast(fitted, CUTOFF, HORIZON)
    assert (made.values == 0).all()
