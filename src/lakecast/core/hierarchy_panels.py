"""The levels of a hierarchy as panels of their own: the sums of their series, period by period."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core.block import Block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lakecast.core.block import PanelData
    from lakecast.core.features import State
    from lakecast.core.hierarchy import Hierarchy

CELLS: Final = 16_000_000
"""Most groups x periods that are added up in one pass over the panel: 144 MB."""
ROWS: Final = 1_000_000
"""Rows of a block of groups, as of the panel's own."""


def level_blocks(
    panel: PanelData, by_code: Hierarchy, cells: int = CELLS
) -> Iterator[tuple[int, tuple[Block, ...]]]:
    """(level, its groups in blocks, codes counting from 0), level by level.

    `by_code` has a row for each series code. A period is null where no series of the group has a
    value, else the sum of those that have one. The panel is read once for the beginnings, and
    once for as many levels as stay within `cells` together, at least one.
    """
    first = _firsts(panel, by_code)
    origin = int(first.min(initial=panel.info.cutoff + 1))
    periods = panel.info.cutoff + 1 - origin
    for batch in _batches(by_code, max(cells // max(periods, 1), 1)):
        part = by_code.only(batch)
        begun = _group_firsts(part, first)
        sums, known = _sums(panel, part, origin, periods)
        for place, level in enumerate(batch):
            of = part.part(place)
            yield level, _blocks(sums[of], known[of], begun[of], origin)


def _blocks(
    sums: NDArray[np.float64], known: NDArray[np.bool_], first: NDArray[np.int64], origin: int
) -> tuple[Block, ...]:
    """Blocks of about `ROWS` rows of G groups."""
    step = max(ROWS // max(sums.shape[1], 1), 1)
    parts = [slice(start, start + step) for start in range(0, len(sums), step)]
    blocks = [(part, block_of(sums[part], known[part], first[part], origin)) for part in parts]
    return tuple(
        replace(block, codes=(block.codes + part.start).astype(np.int32)) for part, block in blocks
    )


def tail_block(hierarchy: Hierarchy, state: State, periods: int) -> Block:
    """All groups over the last periods of a state's series, row i of it being series i of the sums.

    Codes count through all levels; every group needs a series.
    """
    origin = state.cutoff + 1 - periods
    values = state.tail(periods)
    known = ~np.isnan(values)
    sums = hierarchy.sums(np.where(known, values, 0.0).astype(np.float64))
    seen = hierarchy.sums(known.astype(np.float64)) > 0
    begun = _group_firsts(hierarchy, state.first.astype(np.int64))
    return block_of(sums, seen, np.maximum(begun, origin), origin)


def block_of(
    sums: NDArray[np.float64], known: NDArray[np.bool_], first: NDArray[np.int64], origin: int
) -> Block:
    """A block of G series from sums [G, T], the first column of which is the period `origin`."""
    periods = sums.shape[1]
    lengths = origin + periods - first
    inside = np.arange(periods) >= (first - origin)[:, None]
    values = np.where(known, sums, np.nan).astype(np.float32)
    return Block(
        codes=np.arange(len(sums), dtype=np.int32),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        first=first.astype(np.int32),
        target=values[inside],
    )


def _firsts(panel: PanelData, by_code: Hierarchy) -> NDArray[np.int64]:
    """[S] first period of each series code; beyond the cutoff where the panel lacks it."""
    first = np.full(by_code.series, panel.info.cutoff + 1, np.int64)
    for block in panel.blocks():
        first[block.codes] = block.first
    return first


def _group_firsts(hierarchy: Hierarchy, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """[G] the earliest first period in each group."""
    out = np.full(hierarchy.groups, first.max(initial=0), np.int64)
    for level in range(hierarchy.of.shape[1]):
        np.minimum.at(out, hierarchy.of[:, level], first)
    return out


def _batches(hierarchy: Hierarchy, groups: int) -> Iterator[list[int]]:
    """The levels in their order, so many groups at a time."""
    batch: list[int] = []
    held = 0
    for place, level in enumerate(hierarchy.levels):
        if batch and held + level.groups > groups:
            yield batch
            batch, held = [], 0
        batch.append(place)
        held += level.groups
    if batch:
        yield batch


def _sums(
    panel: PanelData, hierarchy: Hierarchy, origin: int, periods: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """[G, T] sums of what is known, and whether anything is."""
    from lakecast.core.hierarchy_kernels import add_rows

    shape = (hierarchy.groups, periods)
    sums, known = np.zeros(shape), np.zeros(shape, np.bool_)
    for block in panel.blocks():
        offset = block.first.astype(np.int64) - origin
        where = (block.starts, offset)
        add_rows(block.target, where, hierarchy.of[block.codes], sums, known)
    return sums, known
