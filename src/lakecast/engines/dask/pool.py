"""Pieces handed in one by one, as Dask tasks; whichever ends first is given back first."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from lakecast.engines.dask.map import cancel, task_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakecast.engines.dask.cluster import DaskCluster

T = TypeVar("T")
R = TypeVar("R")


class DaskPool(Generic[T, R]):
    """`engines.protocol.Pool` on a Dask cluster."""

    def __init__(self, cluster: DaskCluster, work: Callable[[T], R]) -> None:
        self._cluster = cluster
        self._submit = task_of(cluster, work)
        self._waiting: dict[Any, T] = {}
        self._done: SimpleQueue[Any] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for future in self._waiting:
            cancel(future)
        self._waiting.clear()

    def submit(self, piece: T) -> None:
        """Take a piece on."""
        future = self._submit(piece)
        self._waiting[future] = piece
        future.add_done_callback(self._done.put)

    def next(self) -> tuple[T, R]:
        """A piece that is done."""
        future = self._cluster.patient(self._look)
        piece = self._waiting.pop(future)
        return piece, self._cluster.take(future)

    def _look(self, seconds: float) -> Any:
        try:
            return self._done.get(timeout=seconds)
        except Empty:
            raise TimeoutError from None
