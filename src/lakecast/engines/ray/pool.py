"""Pieces handed in one by one, as Ray tasks; whichever ends first is given back first.

Few are handed to Ray, the others wait here: none of its tasks is safely cancelled (see `leave`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from lakecast.engines.ray.map import task_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakecast.engines.ray.cluster import RayCluster

T = TypeVar("T")
R = TypeVar("R")


class RayPool(Generic[T, R]):
    """`engines.protocol.Pool` on a Ray cluster."""

    def __init__(self, cluster: RayCluster, work: Callable[[T], R]) -> None:
        self._cluster = cluster
        self._submit = task_of(cluster, work)
        self._ready: deque[T] = deque()
        self._sent: dict[Any, T] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ready.clear()
        self._sent.clear()

    def submit(self, piece: T) -> None:
        """Take a piece on."""
        self._ready.append(piece)
        self._send()

    def next(self) -> tuple[T, R]:
        """A piece that is done."""
        (ref,), _ = self._cluster.connect().wait(list(self._sent), num_returns=1)
        piece = self._sent.pop(ref)
        self._send()
        return piece, self._cluster.get(ref)

    def _send(self) -> None:
        while self._ready and len(self._sent) <= self._cluster.slots():  # one waits for a core
            piece = self._ready.popleft()
            self._sent[self._submit(piece)] = piece
