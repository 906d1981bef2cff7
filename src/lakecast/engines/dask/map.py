"""Pieces of work as Dask tasks, a few at a time, results in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from lakecast.ahead import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lakecast.engines.dask.cluster import DaskCluster

T = TypeVar("T")
R = TypeVar("R")


def map_pieces(cluster: DaskCluster, work: Callable[[T], R], pieces: Sequence[T]) -> Iterator[R]:
    """Results in the order of the pieces; see `in_order`."""
    submit = task_of(cluster, work)
    yield from in_order(pieces, submit, cluster.take, cancel, 2 * cluster.slots())


def task_of(cluster: DaskCluster, work: Callable[[T], R]) -> Callable[[T], Any]:
    """What starts the work on a piece and gives its future; the work is sent once."""
    held = cluster.send(work)

    def submit(piece: T) -> Any:
        return cluster.submit(_call, held, piece)

    return submit


def _call(work: Callable[[T], R], piece: T) -> R:
    return work(piece)


def cancel(future: Any) -> None:
    """Give it up; where its client has ended, that is done."""
    if future.client.status not in {"closing", "closed"}:
        future.cancel()
