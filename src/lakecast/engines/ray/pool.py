"""Pieces handed in one by one, as Ray tasks; whichever ends first is given back first.

Few are in flight, the others wait here, as no task of Ray's can be cancelled safely (see `let_go`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from lakecast.engines.ray.map import most, task_of

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
        self._most = most(cluster)
        self._ready: deque[T] = deque()
        self._begun: dict[Any, T] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ready.clear()
        self._begun.clear()

    def submit(self, piece: T) -> None:
        """Take a piece on."""
        self._ready.append(piece)
        self._begin()

    def next(self) -> tuple[T, R]:
        """A piece that is done."""
        (ref,), _ = self._cluster.connect().wait(list(self._begun), num_returns=1)
        piece = self._begun.pop(ref)
        self._begin()
        return piece, self._cluster.get(ref)

    def _begin(self) -> None:
        while self._ready and len(self._begun) < self._most:
            piece = self._ready.popleft()
            self._begun[self._submit(piece)] = piece
