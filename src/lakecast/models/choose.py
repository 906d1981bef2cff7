"""Which rows of a block can be trained on, found without the GIL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from lakecast.core.features.program import frozen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import Block


class Chosen(NamedTuple):
    """n rows of a block, in its order: targets and ordinals [n].

    `keep` [m] tells which of its m rows with an ordinal of at least the start they are.
    """

    block: Block
    target: NDArray[np.float32]
    ordinals: NDArray[np.int32]
    keep: NDArray[np.bool_]


def choose(block: Block, lead: int, start: int) -> Chosen:
    """The rows from the start on with a target, and a value at least `lead` before them."""
    begins = np.clip(start - block.first.astype(np.int64), 0, block.lengths)
    rows = int((block.lengths - begins).sum())
    keep = np.empty(rows, np.bool_)
    target, ordinals = np.empty(rows, np.float32), np.empty(rows, np.int32)
    series = (frozen(block.starts), frozen(begins), frozen(able_from(block, lead)))
    ordinal = frozen(block.first)
    count = _choose(frozen(block.target), series, ordinal, keep, (target, ordinals))
    return Chosen(block, target[:count], ordinals[:count], keep)


def able_from(block: Block, lead: int) -> NDArray[np.int64]:
    """[S] the row of the block from which each series has a value at least `lead` before; its end:
    none.
    """
    found = np.empty(block.codes.size, np.int64)
    _able_from(frozen(block.target), frozen(block.starts), lead, found)
    return found


@njit(nogil=True, cache=True)
def _able_from(values, starts, lead, found):  # type: ignore[no-untyped-def]
    for s in range(found.shape[0]):
        known, end = starts[s], starts[s + 1]
        while known < end and np.isnan(values[known]):
            known += 1
        found[s] = min(known + lead, end)


@njit(nogil=True, cache=True)
def _choose(values, series, first, keep, found):  # type: ignore[no-untyped-def]
    """Fill `keep` and what was found; how many."""
    (starts, begins, able), (target, ordinals) = series, found
    row, count = 0, 0
    for s in range(first.shape[0]):
        for p in range(starts[s] + begins[s], starts[s + 1]):
            wanted = p >= able[s] and not np.isnan(values[p])
            keep[row] = wanted
            target[count] = values[p]  # the next one writes over it, if this one is not wanted
            ordinals[count] = first[s] + p - starts[s]
            row, count = row + 1, count + wanted
    return count
