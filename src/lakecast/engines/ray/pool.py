"""Pieces handed in one by one, as Ray tasks; whichever ends first is given back first."""

from __future__ import annotations

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
        self._waiting: dict[Any, T] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        import ray

        if ray.is_initialized():
            for ref in self._waiting:
                ray.cancel(ref)
        self._waiting.clear()

    def submit(self, piece: T) -> None:
        """Take a piece on."""
        self._waiting[self._submit(piece)] = piece

    def next(self) -> tuple[T, R]:
        """A piece that is done."""
        (ref,), _ = self._cluster.connect().wait(list(self._waiting), num_returns=1)
        piece = self._waiting.pop(ref)
        return piece, self._cluster.get(ref)
