"""Tables as Dask frames: partitions are read, and staged, by the workers that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lakecast.engines.dask.cluster import DaskCluster

T = TypeVar("T")
R = TypeVar("R")


def open_frame(
    cluster: DaskCluster, read: Callable[[T], Any], pieces: Sequence[T], empty: Any
) -> Any:
    """A lazy frame, a partition a piece; its work goes to the cluster."""
    import dask.dataframe as dd

    cluster.connect()
    return dd.from_map(read, list(pieces), meta=empty)


def stage_partitions(cluster: DaskCluster, frame: Any, stage: Callable[[Any], R]) -> list[R]:
    """`stage` of each partition, in their order; a partition goes once it is staged."""
    from dask.delayed import delayed

    lazy = delayed(stage, pure=False)
    with cluster.reaching():
        futures = cluster.connect().compute([lazy(part) for part in frame.to_delayed()])
    return [cluster.take(future) for future in futures]
