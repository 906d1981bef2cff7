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
    series = (frozen(block.starts), frozen(begins), frozen(block.first))
    count = _choose(frozen(block.target), series, lead, keep, (target, ordinals))
    return Chosen(block, target[:count], ordinals[:count], keep)


@njit(nogil=True, cache=True)
def _choose(values, series, lead, keep, found):  # type: ignore[no-untyped-def]
    """Fill `keep` and what was found; how many."""
    (starts, begins, first), (target, ordinals) = series, found
    row, count = 0, 0
    for s in range(first.shape[0]):
        y = values[starts[s] : starts[s + 1]]
        known = 0
        while known < y.shape[0] and np.isnan(y[known]):
            known += 1
        for p in range(begins[s], y.shape[0]):
            able = p >= known + lead and not np.isnan(y[p])
            keep[row] = able
            target[count] = y[p]  # the next one writes over it, if this one is not able
            ordinals[count] = first[s] + p
            row, count = row + 1, count + able
    return count
