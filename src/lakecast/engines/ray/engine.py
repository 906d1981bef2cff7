"""The facets of the Ray engine in one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from lakecast.engines.order import fold, parts_of
from lakecast.engines.protocol import unsupported
from lakecast.engines.ray.exchange import Refs, build_buckets, split_pieces
from lakecast.engines.ray.fit import fit_together
from lakecast.engines.ray.map import map_pieces
from lakecast.engines.ray.pool import RayPool
from lakecast.logs import Progresses, Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.protocol import SharedJob
    from lakecast.engines.ray.cluster import RayCluster

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class RayEngine:
    """`engines.protocol.Engine` on the workers of a Ray cluster.

    The cluster is started or joined by the first piece of work. A piece whose worker died is done
    again by another.
    """

    cluster: RayCluster
    progresses: Progresses = field(default_factory=Silent)

    @property
    def workers(self) -> int:
        """See `Engine`."""
        return self.cluster.slots()

    @property
    def spread(self) -> bool:
        """True."""
        return True

    def quiet(self) -> RayEngine:
        """See `Engine`."""
        return replace(self, progresses=Silent())

    def map(self, work: Callable[[T], R], pieces: Sequence[T], *, title: str) -> Iterator[R]:
        """See `MapBlocks`; work starts when the first result is asked for."""
        with self.progresses.bar(title, len(pieces)) as progress:
            for result in map_pieces(self.cluster, work, pieces):
                progress.advance()
                yield result

    def reduce(
        self, work: Callable[[T], R], merge: Callable[[R, R], R], pieces: Sequence[T], *, title: str
    ) -> R:
        """See `Reduce`. Raises `ValueError` for no pieces."""
        return fold(merge, self.map(work, pieces, title=title))

    def exchange(
        self,
        split: Callable[[T], Mapping[int, pa.Table]],
        pieces: Sequence[T],
        build: Callable[[int, Iterable[Iterable[pa.Table]]], R],
        buckets: Mapping[int, Sequence[int]],
        *,
        title: str,
    ) -> Iterator[R]:
        """See `Exchange`."""
        parts, shares = parts_of(buckets.values()), list[Refs]()
        with self.progresses.bar(f"{title}: reading", len(pieces)) as progress:
            for refs in split_pieces(self.cluster, split, pieces, parts):
                shares.append(refs)
                progress.advance()
        told = (self.progresses, f"{title}: building")
        yield from build_buckets(self.cluster, build, shares, buckets, told)

    def fit(self, job: SharedJob) -> str:
        """See `Fits`."""
        return fit_together(self.cluster, job)

    def pool(self, work: Callable[[T], R]) -> RayPool[T, R]:
        """See `Pools`."""
        return RayPool(self.cluster, work)

    frame = unsupported("Ray Data is a runner of its own; open tables with Dask or Polars")
    write = unsupported("Ray Data is a runner of its own; write tables with Dask or Polars")

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self.cluster.close()
