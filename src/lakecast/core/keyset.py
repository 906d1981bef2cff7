"""A set of 64-bit hashes that only grows: eleven to twenty-two bytes each (small sets up to twice
that, for they grow faster), and no sorting.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Rows = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_SHARDS: Final = 64
_SHIFT: Final = np.uint64(58)  # the topmost bits choose the shard, the lowest 32 the place in it
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_FULL: Final = 0.75
_SMALL: Final = 1 << 15
_AHEAD: Final = 64  # keys
_LEAST: Final = 16


class KeySet:
    """Hashes in shards of open addressing; a shard grows alone, so growing needs little room.

    Two different keys share a hash with a chance of n^2 / 2^65: 1 in 10,000 for 59 million.
    Not for use by two threads at once; it takes `threads` itself.
    """

    __slots__ = ("_counts", "_pool", "_shards", "_threads")

    def __init__(self, threads: int = 1) -> None:
        self._shards = [np.zeros(_LEAST, np.uint64) for _ in range(_SHARDS)]
        self._counts = [0] * _SHARDS
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lakecast-keys")

    def __len__(self) -> int:
        return sum(self._counts)

    @property
    def nbytes(self) -> int:
        """Bytes of all shards."""
        return sum(shard.nbytes for shard in self._shards)

    def mark(self, hashes: Hashes, wanted: Flags) -> Flags:
        """Which hashes were in the set before their row came; wanted ones are in it afterwards.

        Rows count one after the other: the second of two equal ones was there if the first was
        wanted.
        """
        order, ends = _by_shard(hashes, _SHARDS)
        seen = np.zeros(hashes.size, np.bool_)

        def work(first: int) -> None:
            for shard in range(first, _SHARDS, self._threads):
                rows = order[ends[shard] : ends[shard + 1]]
                if rows.size:
                    self._make_room(shard, rows.size)
                    added = _mark(self._shards[shard], hashes, wanted, rows, seen)
                    self._counts[shard] += added

        list(self._pool.map(work, range(self._threads)))
        return seen

    def _make_room(self, shard: int, more: int) -> None:
        old, count = self._shards[shard], self._counts[shard] + more
        if count > _FULL * old.size:
            size = int(max((4 if old.size < _SMALL else 2) * old.size, count / _FULL)) + 1
            self._shards[shard] = _moved(old, np.zeros(size, np.uint64))


@numba.njit(nogil=True, cache=True)
def _by_shard(hashes: Hashes, shards: int) -> tuple[Rows, Rows]:
    """Rows by shard, in their order within each, and where each shard begins (and the end)."""
    ends = np.zeros(shards + 1, np.int64)
    for row in range(hashes.size):
        ends[np.int64(hashes[row] >> _SHIFT) + 1] += 1
    for shard in range(shards):
        ends[shard + 1] += ends[shard]
    order = np.empty(hashes.size, np.int64)
    place = ends[:-1].copy()
    for row in range(hashes.size):
        own = np.int64(hashes[row] >> _SHIFT)
        order[place[own]] = row
        place[own] += 1
    return order, ends


@numba.njit(nogil=True, cache=True)
def _home(table: Hashes, key: np.uint64) -> np.int64:
    return np.int64(((key & _LOW) * np.uint64(table.size)) >> _HALF)


@numba.njit(nogil=True, cache=True)
def _find(table: Hashes, key: np.uint64) -> np.int64:
    """Where the key is, or the free place where it belongs."""
    place = _home(table, key)
    while table[place] != 0 and table[place] != key:
        place = np.int64(0) if place + 1 == table.size else place + 1
    return place


@numba.njit(nogil=True, cache=True)
def _mark(table: Hashes, hashes: Hashes, wanted: Flags, rows: Rows, seen: Flags) -> int:
    """`KeySet.mark` for the rows of one shard; the number of keys added."""
    added = 0
    met = np.zeros(1, np.uint64)
    for begin in range(0, rows.size, _AHEAD):
        some = rows[begin : begin + _AHEAD]
        _fetch(table, hashes, some, met)
        for row in some:
            key = hashes[row] or np.uint64(1)  # zero marks a free place
            place = _find(table, key)
            if table[place] == key:
                seen[row] = True
            elif wanted[row]:
                table[place] = key
                added += 1
    return added


@numba.njit(nogil=True, cache=True)
def _fetch(table: Hashes, hashes: Hashes, rows: Rows, met: Hashes) -> None:
    """Look at all places first: memory answers many such questions at once, a search but one."""
    for row in rows:
        met[0] |= table[_home(table, hashes[row])]  # kept, or the compiler drops the looking


@numba.njit(nogil=True, cache=True)
def _moved(old: Hashes, new: Hashes) -> Hashes:
    for key in old:
        if key:
            new[_find(new, key)] = key
    return new
