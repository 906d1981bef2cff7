"""The shuffle on Dask: split pieces stay in the workers' memory, which spill what it cannot hold.

Tables never pass through the scheduler. A worker that builds a bucket holds all of its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lakecast.ahead import in_order
from lakecast.engines.dask.map import cancel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.dask.cluster import DaskCluster

T = TypeVar("T")
R = TypeVar("R")


def split_pieces(
    cluster: DaskCluster,
    split: Callable[[T], Mapping[int, pa.Table]],
    pieces: Sequence[T],
    parts: Sequence[int],
) -> Iterator[dict[int, Any]]:
    """A future a part of each piece, once they are there; none where a piece has no rows of it."""
    held = cluster.send((split, frozenset(parts)))

    def submit(piece: T) -> tuple[Any, Any]:
        found = cluster.submit(_split, held, piece)
        return found, cluster.submit(sorted, found)

    def take(both: tuple[Any, Any]) -> dict[int, Any]:
        found, names = both
        return {part: cluster.submit(_part, found, part) for part in cluster.take(names)}

    def give_up(both: tuple[Any, Any]) -> None:
        for future in both:
            cancel(future)

    yield from in_order(pieces, submit, take, give_up, 2 * cluster.slots())


def build_buckets(
    cluster: DaskCluster,
    build: Callable[[int, Iterable[Iterable[pa.Table]]], R],
    shares: Sequence[Mapping[int, Any]],
    buckets: Mapping[int, Sequence[int]],
) -> Iterator[R]:
    """Each bucket from its parts."""
    held = cluster.send(build)

    def submit(bucket: tuple[int, Sequence[int]]) -> Any:
        number, parts = bucket
        tables = [[share[part] for share in shares if part in share] for part in parts]
        return cluster.submit(_build, held, number, tables)

    yield from in_order(buckets.items(), submit, cluster.take, cancel, 2 * cluster.slots())


def _split(
    held: tuple[Callable[[T], Mapping[int, Any]], frozenset[int]], piece: T
) -> dict[int, Any]:
    split, parts = held
    return {part: _own(table) for part, table in split(piece).items() if part in parts}


def _own(table: pa.Table) -> pa.Table:
    """A copy: Dask would count a slice with all that it is a slice of, and spill too soon."""
    return table.take(np.arange(table.num_rows))


def _part(found: Mapping[int, Any], part: int) -> Any:
    return found[part]


def _build(
    build: Callable[[int, Iterable[Iterable[Any]]], R], bucket: int, parts: list[list[Any]]
) -> R:
    return build(bucket, parts)
