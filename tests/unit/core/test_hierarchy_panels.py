"""Levels as panels: sums period by period, against a pivot in Polars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.panels import CUTOFF, mixed, panel_of, split

from lakecast.core import hierarchy_panels
from lakecast.core.block import Block, MemoryPanel, after
from lakecast.core.features import state_at
from lakecast.core.hierarchy import Hierarchy
from lakecast.core.hierarchy_panels import group_future, group_panel, level_blocks, tail_block

LEVELS = ((), ("store",), ("item",))


def hierarchy(panel: MemoryPanel) -> Hierarchy:
    size = panel.info.series
    frame = pl.DataFrame({"item": np.arange(size), "store": np.arange(size) % 3})
    return Hierarchy.build(frame, LEVELS)


def expected(panel: MemoryPanel, level: str | None) -> dict[int, dict[int, float | None]]:
    """Group to period to the sum of what is known, null where nothing is."""
    (block,) = panel.held
    owner = np.repeat(block.codes, block.lengths)
    frame = pl.DataFrame(
        {
            "group": {None: owner * 0, "store": owner % 3, "item": owner}[level],
            "period": block.ordinals(),
            "y": pl.Series(block.target.astype(np.float64)).fill_nan(None),
        }
    )
    known = pl.when(pl.col("y").count() > 0).then(pl.col("y").sum())
    found = frame.group_by("group", "period").agg(known.alias("y"))
    return {
        int(group): dict(rows.select("period", "y").rows())
        for (group,), rows in found.partition_by("group", as_dict=True).items()
    }


def told(blocks: tuple[Block, ...]) -> dict[int, dict[int, float | None]]:
    out = {}
    for block in blocks:
        for place, code in enumerate(block.codes):
            part = slice(block.starts[place], block.starts[place + 1])
            values = [None if np.isnan(v) else float(v) for v in block.target[part]]
            out[int(code)] = dict(zip(block.ordinals()[part].tolist(), values, strict=True))
    return out


@pytest.mark.parametrize("cells", [1, 10**9])
@pytest.mark.parametrize("rows", [1, 300, 10**6])
def test_a_level_is_the_sum_of_its_series_period_by_period(
    cells: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchy_panels, "ROWS", rows)
    panel = mixed()
    found = dict(level_blocks(split(panel, 4), hierarchy(panel), cells))
    for place, level in enumerate((None, "store", "item")):
        sums = expected(panel, level)
        mine = told(found[place])
        assert mine.keys() == sums.keys()
        for group, values in sums.items():
            whole = range(min(values), CUTOFF + 1)
            assert list(mine[group]) == list(whole)
            assert [mine[group][t] for t in whole] == pytest.approx(
                [values.get(t) for t in whole], nan_ok=True
            )


def test_a_group_begins_with_its_first_series() -> None:
    panel = panel_of([[5.0] * 3, [1.0] * 9, [2.0] * 4])
    found = dict(level_blocks(panel, hierarchy(panel)))
    assert found[0][0].first.tolist() == [CUTOFF - 8]
    assert found[0][0].target.tolist() == [1, 1, 1, 1, 1, 3, 8, 8, 8]


def test_the_tail_of_a_state_is_the_end_of_the_levels() -> None:
    panel = mixed()
    tree = hierarchy(panel)
    state = state_at(panel.held[0], CUTOFF, memory=30)
    block = tail_block(tree, state, 30)
    assert block.codes.size == tree.groups
    for level, blocks in level_blocks(panel, tree):
        for group, values in told(blocks).items():
            part = told((block,))[int(tree.bounds[level]) + group]
            late = {t: v for t, v in values.items() if t > CUTOFF - 30}
            assert part == pytest.approx(late, nan_ok=True)


# --- the groups of several levels as one panel


def sharing() -> MemoryPanel:
    """Items of three stores: `fair` is of the store, `tag` of the item, `visits` of the past."""
    rng = np.random.default_rng(1)
    fairs = (rng.random((3, 40)) < 0.3).astype(float)
    day = np.arange(40)
    event = np.where(day % 10 == 3, 2.0, np.nan)  # a text's place in its vocabulary
    other = np.where(day % 10 == 3, 1.0, event)
    found = panel_of(
        [rng.poisson(5, 40 - i).astype(float) for i in range(6)],
        {
            "fair": ("known-future", [fairs[i % 3][i:] for i in range(6)]),
            "tag": ("known-future", [rng.uniform(1, 9, 40 - i) for i in range(6)]),
            "event": ("known-future", [(other if i == 5 else event)[i:] for i in range(6)]),
            "visits": ("past-only", [np.ones(40 - i) for i in range(6)]),
        },
    )
    return MemoryPanel(replace(found.info, texts=("event",)), found.held)


def named(tree: Hierarchy) -> dict[str, np.ndarray]:
    of = np.repeat(np.arange(len(tree.levels)), np.diff(tree.bounds))
    return {"level": of.astype(np.float32)}


@pytest.mark.parametrize("blocks", [1, 4])
def test_groups_of_all_levels_are_the_series_of_one_panel(blocks: int) -> None:
    panel = sharing()
    tree = hierarchy(panel).only([0, 1])
    found = group_panel(split(panel, blocks), tree, named(tree))
    (block,) = found.held
    assert found.info.categories == {"level": ("total", "store")}
    assert (found.info.series, found.info.rows) == (4, block.rows)
    for level, parts in level_blocks(panel, tree):
        for group, values in told(parts).items():
            assert told((block,))[int(tree.bounds[level]) + group] == pytest.approx(values)


def test_a_group_knows_what_its_series_share() -> None:
    panel = sharing()
    tree = hierarchy(panel).only([0, 1])
    found = group_panel(panel, tree, named(tree))
    (block,) = found.held
    assert set(found.info.covariates) == {"fair", "event"}
    rows = panel.held[0]
    fair = {code: rows.covariates["fair"][rows.starts[code] :][: 40 - code] for code in range(6)}
    store = slice(block.starts[1], block.starts[2])
    np.testing.assert_array_equal(block.covariates["fair"][store], fair[0])
    mean = np.mean([fair[code][5 - code :] for code in range(6)], axis=0)
    np.testing.assert_allclose(block.covariates["fair"][:40][5:], mean, rtol=1e-6)
    texts = block.covariates["event"]
    days = np.flatnonzero(~np.isnan(texts[:40]))
    assert days.tolist() == [3]  # the one before the item that has another text began
    assert set(texts[store][~np.isnan(texts[store])]) == {2.0}


def test_a_group_knows_of_the_future_what_its_series_share() -> None:
    panel = sharing()
    tree = hierarchy(panel).only([0, 1])
    future = after(panel.held[0], CUTOFF - 10, 10, ["fair", "tag", "event"])
    found = group_future(panel.info, tree, future, ["event", "fair"])
    assert set(found.covariates) == {"event", "fair"}
    fair = np.mean(future.covariates["fair"], axis=0)
    np.testing.assert_allclose(found.covariates["fair"][0], fair, rtol=1e-6)
    np.testing.assert_array_equal(found.covariates["fair"][1], future.covariates["fair"][0])
    assert np.isnan(found.covariates["event"][0]).all()
    assert np.nanmax(found.covariates["event"][1]) == 2.0
