"""The facets of the Ray engine in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lakecast.engines.base import OnCluster
from lakecast.engines.protocol import unsupported
from lakecast.engines.ray.exchange import build_buckets, split_pieces
from lakecast.engines.ray.fit import fit_together
from lakecast.engines.ray.map import map_pieces
from lakecast.engines.ray.pool import RayPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.base import Build
    from lakecast.engines.protocol import SharedJob
    from lakecast.engines.ray.cluster import RayCluster

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class RayEngine(OnCluster):
    """`engines.protocol.Engine` on the workers of a Ray cluster."""

    cluster: RayCluster

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

    def pool(self, work: Callable[[T], R]) -> RayPool[T, R]:
        """See `Pools`."""
        return RayPool(self.cluster, work)

    def fit(self, job: SharedJob) -> str:
        """See `Fits`."""
        return fit_together(self.cluster, job)

    frame = unsupported("Ray Data is a runner of its own; open tables with Dask or Polars")
    write = unsupported("Ray Data is a runner of its own; write tables with Dask or Polars")
