"""Pieces of work as Ray tasks, a few at a time, results in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from lakecast.ahead import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lakecast.engines.ray.cluster import RayCluster

T = TypeVar("T")
R = TypeVar("R")

RETRIES: Final = 3
"""Times that a piece is done again whose worker died; what it raises is not tried again."""


def map_pieces(cluster: RayCluster, work: Callable[[T], R], pieces: Sequence[T]) -> Iterator[R]:
    """Results in the order of the pieces; see `in_order`."""
    yield from in_order(pieces, task_of(cluster, work), cluster.get, leave, 2 * cluster.slots())


def leave(refs: object) -> None:
    """Nothing: a piece in flight that nobody waits for any more ends unseen.

    Told to cancel a task that is about to be done, Ray 2.60 ends the driver's process (its check
    `it != submissible_tasks_.end()`), one time in some hundreds.
    """


def task_of(cluster: RayCluster, work: Callable[[T], R]) -> Callable[[T], Any]:
    """What starts the work on a piece and gives its future; the work is sent once a machine."""
    ray = cluster.connect()
    held = ray.put(work)
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_call)

    def submit(piece: T) -> Any:
        return task.remote(held, piece)

    return submit


def _call(work: Callable[[T], R], piece: T) -> R:
    return work(piece)
