"""The facets of the Dask engine in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lakecast.engines.base import OnCluster
from lakecast.engines.dask.exchange import build_buckets, split_pieces
from lakecast.engines.dask.fit import fit_together
from lakecast.engines.dask.frames import open_frame, stage_partitions
from lakecast.engines.dask.map import map_pieces
from lakecast.engines.dask.pool import DaskPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.base import Build
    from lakecast.engines.dask.cluster import DaskCluster
    from lakecast.engines.protocol import SharedJob

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class DaskEngine(OnCluster):
    """`engines.protocol.Engine` on the workers of a Dask cluster."""

    cluster: DaskCluster

    def run(self, work: Callable[[T], R], pieces: Sequence[T]) -> Iterator[R]:
        """See `Base`."""
        return map_pieces(self.cluster, work, pieces)

    def split(
        self, split: Callable[[T], Mapping[int, pa.Table]], pieces: Sequence[T], parts: list[int]
    ) -> Iterator[Any]:
        """See `OnCluster`."""
        return split_pieces(self.cluster, split, pieces, parts)

    def build(
        self, build: Build[R], shares: list[Any], buckets: Mapping[int, Sequence[int]]
    ) -> Iterator[R]:
        """See `OnCluster`."""
        return build_buckets(self.cluster, build, shares, buckets)

    def pool(self, work: Callable[[T], R]) -> DaskPool[T, R]:
        """See `Pools`."""
        return DaskPool(self.cluster, work)

    def fit(self, job: SharedJob) -> str:
        """See `Fits`."""
        return fit_together(self.cluster, job)

    def frame(self, read: Callable[[T], Any], pieces: Sequence[T], empty: Any) -> Any:
        """See `Frames`: a `dask.dataframe.DataFrame`."""
        return open_frame(self.cluster, read, pieces, empty)

    def write(self, frame: Any, stage: Callable[[Any], R]) -> list[R]:
        """See `Frames`."""
        return stage_partitions(self.cluster, frame, stage)
