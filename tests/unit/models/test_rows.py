"""Training rows: which ones, in which units, and how many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import Block, PartPanel
from lakecast.core.features import compile_plan, fit_plan, kept, matrix
from lakecast.models import sizes
from lakecast.models.choose import choose
from lakecast.models.rows import Census, PanelRows
from lakecast.spec.features import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray

C = panels.CUTOFF
FEATURES = Features(lags=(1, 2), rolling=(), seasonal=(), expanding=(), ewm=(), trend=())
NULL = np.nan


def made(panel: panels.MemoryPanel, *, scaled: bool = True, lead: int = 1) -> PanelRows:
    features = FEATURES if lead == 1 else Features()
    plan = compile_plan(features, panel.info, lead=lead, recursive=False, horizon=lead)
    census = Census.take(panel, lead, C)
    return PanelRows(
        panel=panel, fitted=fit_plan(plan, panel, C), scaled=scaled, census=census,
        start=census.first, cutoff=C,
    )  # fmt: skip


def eligible(block: Block, lead: int) -> NDArray[np.bool_]:
    """[N] which rows of a block can be trained on."""
    chosen = choose(block, lead, int(block.first.min()))
    np.testing.assert_array_equal(chosen.target, block.target[chosen.keep])
    np.testing.assert_array_equal(chosen.ordinals, block.ordinals()[chosen.keep])
    return chosen.keep


def test_rows_need_a_target_and_a_value_before() -> None:
    (block,) = panels.panel_of([[1, 2, NULL, 4], [NULL, 5, 6], [7]]).held
    assert eligible(block, 1).tolist() == [False, True, False, True, False, False, True, False]
    assert eligible(block, 2).tolist() == [False, False, False, True, False, False, False, False]


@pytest.mark.parametrize("lead", [1, 7])
def test_rows_of_each_value_are_those_of_its_series(lead: int) -> None:
    panel = panels.split(panels.mixed(), 3)
    apart = Census.apart(panel, lead, C, "store")
    assert len(apart) > 1
    for value, census in apart.items():
        mine = PartPanel(panel, "store", (value,))
        alone = Census.take(mine, lead, C)
        assert census.first == alone.first
        assert census.counts.tolist() == alone.counts.tolist()
    whole, together = Census.take(panel, lead, C), Census.together(list(apart.values()))
    assert together.first == whole.first
    assert together.counts.tolist() == whole.counts.tolist()


@pytest.mark.parametrize("lead", [1, 7])
def test_eligible_rows_are_those_with_target_and_scale(lead: int) -> None:
    panel = panels.mixed()
    (block,) = panel.held
    plan = compile_plan(Features(), panel.info, lead=lead, recursive=False, horizon=lead)
    scale = matrix(fit_plan(plan, panel, C), block)[1]
    expected = ~np.isnan(block.target) & ~np.isnan(scale)
    np.testing.assert_array_equal(eligible(block, lead), expected)


def test_by_hand() -> None:
    """Scales are the means of what came before: 2, then 3, then 4."""
    (rows,) = made(panels.panel_of([[2, 4, 6, 8]])).blocks()
    np.testing.assert_allclose(rows.target, [4 / 2, 6 / 3, 8 / 4])
    np.testing.assert_allclose(rows.matrix[:, 0], [2 / 2, 4 / 3, 6 / 4])
    np.testing.assert_allclose(rows.matrix[:, 1], [NULL, 2 / 3, 4 / 4])
    assert rows.ordinals.tolist() == [C - 2, C - 1, C]
    np.testing.assert_allclose(rows.weight, [2 / 1.2, 3 / 1.3, 4 / 1.4])


def test_unscaled_rows_keep_their_units() -> None:
    (rows,) = made(panels.panel_of([[2, 4, 6, 8]]), scaled=False).blocks()
    np.testing.assert_allclose(rows.target, [4, 6, 8])
    np.testing.assert_allclose(rows.matrix[:, 0], [2, 4, 6])


def test_a_part_has_the_rows_of_its_periods() -> None:
    whole = made(panels.split(panels.mixed(), 3), lead=7)
    part = whole.within(C - 60, C - 20)
    blocks = list(part.blocks())
    assert part.rows == sum(len(rows.target) for rows in blocks) > 0
    expected = [
        rows.matrix[(rows.ordinals >= C - 60) & (rows.ordinals <= C - 20)]
        for rows in whole.blocks()
    ]
    np.testing.assert_array_equal(
        np.concatenate([rows.matrix for rows in blocks]), np.concatenate(expected)
    )
    assert all(rows.matrix.flags.f_contiguous for rows in blocks)


def test_the_census_counts_and_finds_the_newest_rows() -> None:
    panel = panels.panel_of([[1, 2, 3, 4, 5], [1, 2, NULL]])
    census = Census.take(panel, 1, C)
    assert [census.rows(day, day) for day in range(C - 4, C + 1)] == [0, 1, 1, 2, 1]
    assert census.rows(None, C) == 5
    assert census.start(C, 3) == C - 1
    assert census.start(C, 2) == C  # two more would be three
    assert census.start(C, 99) <= C - 3


def test_a_panel_without_rows_counts_none() -> None:
    census = Census.take(panels.panel_of([[1.0]]), 1, C)
    assert census.rows(None, C) == 0


def test_kept_and_start_agree() -> None:
    whole = made(panels.mixed(), lead=7).within(C - 5, C)
    (block,) = panels.mixed().held
    assert whole.rows == (kept(block, C - 5) & eligible(block, 7)).sum()


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("threads", [1, 3])
def test_rows_are_drawn_as_they_are(
    monkeypatch: pytest.MonkeyPatch, threads: int, *, scaled: bool
) -> None:
    monkeypatch.setattr(sizes, "PIECE", 300)
    rows = replace(made(panels.mixed(), scaled=scaled), panel=panels.split(panels.mixed(), 2))
    whole = np.concatenate([block.matrix for block in rows.blocks()])
    for places in (np.arange(len(whole)), np.arange(3, len(whole), 7), np.array([len(whole) - 1])):
        found = rows.drawn(places, threads)
        assert found.flags.f_contiguous
        np.testing.assert_array_equal(found, whole[places])


def test_rows_are_made_of_small_pieces_of_whole_series(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = panels.split(panels.mixed(), 2)
    rows = replace(made(panels.mixed()), panel=panel)
    whole = list(rows.blocks())
    monkeypatch.setattr(sizes, "PIECE", 300)
    pieces = list(rows.blocks())
    assert len(pieces) > len(whole)
    for name in ("matrix", "target", "ordinals", "weight"):
        one, other = (
            np.concatenate([getattr(block, name) for block in blocks]) for blocks in (whole, pieces)
        )
        assert one.tobytes() == other.tobytes(), name
