"""The facets of the Dask engine in one value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from lakecast.engines.dask.exchange import build_buckets, split_pieces
from lakecast.engines.dask.fit import fit_together
from lakecast.engines.dask.frames import open_frame, stage_partitions
from lakecast.engines.dask.map import map_pieces
from lakecast.engines.dask.pool import DaskPool
from lakecast.engines.order import fold, parts_of
from lakecast.logs import Progresses, Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.dask.cluster import DaskCluster
    from lakecast.engines.protocol import SharedJob

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class DaskEngine:
    """`engines.protocol.Engine` on the workers of a Dask cluster.

    The cluster is started or joined by the first piece of work. A piece whose worker died is done
    again by another.
    """

    cluster: DaskCluster
    progresses: Progresses = field(default_factory=Silent)

    @property
    def workers(self) -> int:
        """See `Engine`."""
        return self.cluster.slots()

    @property
    def spread(self) -> bool:
        """True."""
        return True

    def quiet(self) -> DaskEngine:
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
        parts, shares = parts_of(buckets.values()), list[dict[int, Any]]()
        with self.progresses.bar(f"{title}: reading", len(pieces)) as progress:
            for futures in split_pieces(self.cluster, split, pieces, parts):
                shares.append(futures)
                progress.advance()
        told = (self.progresses, f"{title}: building")
        yield from build_buckets(self.cluster, build, shares, buckets, told)

    def fit(self, job: SharedJob) -> str:
        """See `Fits`."""
        return fit_together(self.cluster, job)

    def pool(self, work: Callable[[T], R]) -> DaskPool[T, R]:
        """See `Pools`."""
        return DaskPool(self.cluster, work)

    def frame(self, read: Callable[[T], Any], pieces: Sequence[T], empty: Any) -> Any:
        """See `Frames`: a `dask.dataframe.DataFrame`."""
        return open_frame(self.cluster, read, pieces, empty)

    def write(self, frame: Any, stage: Callable[[Any], R]) -> list[R]:
        """See `Frames`."""
        return stage_partitions(self.cluster, frame, stage)

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self.cluster.close()
