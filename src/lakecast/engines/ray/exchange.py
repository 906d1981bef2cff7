"""The shuffle on Ray: parts are objects of its store, which spills what memory does not hold.

A piece is split by a task with one result a part, so a part that is lost with its machine is made
again from its piece alone. Tables never pass through the driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from lakecast.ahead import in_order
from lakecast.engines.order import parts_of
from lakecast.engines.ray.map import RETRIES, leave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.ray.cluster import RayCluster

T = TypeVar("T")
R = TypeVar("R")

Refs = list[Any]
"""Of one piece: a token that is there once it was split, then a part each."""


def split_pieces(
    cluster: RayCluster,
    split: Callable[[T], Mapping[int, pa.Table]],
    pieces: Sequence[T],
    parts: Sequence[int],
) -> Iterator[Refs]:
    """The parts of each piece, once they are there."""
    ray = cluster.connect()
    held = ray.put((split, tuple(parts)))
    task = ray.remote(num_cpus=1, max_retries=RETRIES, num_returns=len(parts) + 1)(_split)

    def submit(piece: T) -> Refs:
        refs = task.remote(held, piece)
        return list(refs) if parts else [refs]

    def take(refs: Refs) -> Refs:
        cluster.get(refs[0])
        return refs[1:]

    yield from in_order(pieces, submit, take, leave, 2 * cluster.slots())


def build_buckets(
    cluster: RayCluster,
    build: Callable[[int, Iterable[Iterable[pa.Table]]], R],
    shares: Sequence[Refs],
    buckets: Mapping[int, Sequence[int]],
) -> Iterator[R]:
    """Each bucket from its parts, one part after the other in a worker's memory."""
    ray = cluster.connect()
    held = ray.put(build)
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_build)
    place = {part: i for i, part in enumerate(parts_of(buckets.values()))}

    def submit(bucket: tuple[int, Sequence[int]]) -> Any:
        number, parts = bucket
        return task.remote(held, number, [[refs[place[part]] for refs in shares] for part in parts])

    yield from in_order(buckets.items(), submit, cluster.get, leave, 2 * cluster.slots())


def _split(held: tuple[Callable[[T], Mapping[int, Any]], Sequence[int]], piece: T) -> Any:
    split, parts = held
    found = split(piece)
    return (None, *(found.get(part) for part in parts)) if parts else None


def _build(
    build: Callable[[int, Iterable[Iterable[Any]]], R], bucket: int, parts: Sequence[Refs]
) -> R:
    return build(bucket, map(_tables, parts))


def _tables(refs: Refs) -> Iterator[Any]:
    import ray

    return (table for table in ray.get(refs) if table is not None)
