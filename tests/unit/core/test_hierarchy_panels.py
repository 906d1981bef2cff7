"""Levels as panels: sums period by period, against a pivot in Polars."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.panels import CUTOFF, mixed, panel_of, split

from lakecast.core import hierarchy_panels
from lakecast.core.block import Block, MemoryPanel
from lakecast.core.features import state_at
from lakecast.core.hierarchy import Hierarchy
from lakecast.core.hierarchy_panels import level_blocks, tail_block

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
