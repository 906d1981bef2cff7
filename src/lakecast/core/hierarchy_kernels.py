"""Sums and more over the groups of a hierarchy, compiled: one pass, in the order of the series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def add_up(
    values: NDArray[np.float64], of: NDArray[np.int64], out: NDArray[np.float64]
) -> None:  # pragma: no cover - compiled
    """Add values [S, H] to out [G, H], each to the groups `of` [S, L] its series."""
    for s in range(of.shape[0]):
        for level in range(of.shape[1]):
            group = of[s, level]
            for h in range(values.shape[1]):
                out[group, h] += values[s, h]


@numba.njit(nogil=True, cache=True)
def hand_down(
    values: NDArray[np.float64], of: NDArray[np.int64], out: NDArray[np.float64]
) -> None:  # pragma: no cover - compiled
    """Add to out [S, H] the values [G, H] of each series' groups `of` [S, L]."""
    for s in range(of.shape[0]):
        for level in range(of.shape[1]):
            group = of[s, level]
            for h in range(values.shape[1]):
                out[s, h] += values[group, h]


@numba.njit(nogil=True, cache=True)
def add_rows(
    target: NDArray[np.float32],
    where: tuple[NDArray[np.int64], NDArray[np.int64]],
    of: NDArray[np.int64],
    sums: NDArray[np.float64],
    known: NDArray[np.bool_],
) -> None:  # pragma: no cover - compiled
    """Add a block's rows to sums [G, T].

    `where`: first rows [S + 1], and the column that each series begins at [S]. Nulls add nothing;
    `known` [G, T] is made true where a value was.
    """
    starts, columns = where
    for s in range(of.shape[0]):
        for row in range(starts[s], starts[s + 1]):
            value = target[row]
            if not np.isnan(value):
                t = row - starts[s] + columns[s]
                for level in range(of.shape[1]):
                    sums[of[s, level], t] += value
                    known[of[s, level], t] = True


@numba.njit(nogil=True, cache=True)
def gather_rows(
    values: NDArray[np.float32],
    where: tuple[NDArray[np.int64], NDArray[np.int64]],
    of: NDArray[np.int64],
    span: tuple[NDArray[np.float32], NDArray[np.float32]],
    total: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:  # pragma: no cover - compiled
    """Take a block's rows into the least and the largest, the sum and the count of each group.

    Each is [G, T]; `where` as in `add_rows`. Nulls count nothing.
    """
    starts, columns = where
    low, high = span
    sums, counts = total
    for s in range(of.shape[0]):
        for row in range(starts[s], starts[s + 1]):
            value = values[row]
            if not np.isnan(value):
                t = row - starts[s] + columns[s]
                for level in range(of.shape[1]):
                    group = of[s, level]
                    low[group, t] = min(low[group, t], value)
                    high[group, t] = max(high[group, t], value)
                    sums[group, t] += value
                    counts[group, t] += 1.0
