"""What engines have in common: progress, partials folded in order, and the shuffle's two passes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar

from lakecast.engines.order import fold, parts_of
from lakecast.logs import Progresses, Silent
from lakecast.machine import LITTLE

if TYPE_CHECKING:
    import pyarrow as pa

    from lakecast.engines.protocol import Footprint

ONE_CORE: Final = {
    **LITTLE, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1",
}  # fmt: skip
"""Environment of a worker: one of as many as there are cores, so more threads would fight."""
T = TypeVar("T")
R = TypeVar("R")
Build = Callable[[int, Iterable[Iterable["pa.Table"]]], R]


@dataclass(frozen=True, kw_only=True, slots=True)
class Base(ABC):
    """Map and reduce, told to `progresses`."""

    progresses: Progresses = field(default_factory=Silent)

    @abstractmethod
    def run(self, work: Callable[[T], R], pieces: Sequence[T]) -> Iterator[R]:
        """Results in the order of the pieces; told to nobody."""

    def quiet(self) -> Self:
        """See `Engine`."""
        return replace(self, progresses=Silent())

    def map(self, work: Callable[[T], R], pieces: Sequence[T], *, title: str) -> Iterator[R]:
        """See `MapBlocks`; work starts when the first result is asked for."""
        return self.told(self.run(work, pieces), title, len(pieces))

    def reduce(
        self, work: Callable[[T], R], merge: Callable[[R, R], R], pieces: Sequence[T], *, title: str
    ) -> R:
        """See `Reduce`. Raises `ValueError` for no pieces."""
        return fold(merge, self.map(work, pieces, title=title))

    def told(self, results: Iterator[R], title: str, total: int) -> Iterator[R]:
        """The same results, each counted as it comes."""
        with self.progresses.bar(title, total) as progress:
            for result in results:
                progress.advance()
                yield result


class Cluster(Protocol):
    """A connection that is made when it is first needed."""

    def slots(self) -> int:
        """Pieces that run at a time."""
        ...

    @property
    def footprint(self) -> Footprint:
        """See `Engine`."""
        ...

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OnCluster(Base):
    """An engine whose workers are processes of a cluster, which is joined by the first piece.

    A piece whose worker died is done again by another.
    """

    cluster: Cluster

    @abstractmethod
    def split(
        self, split: Callable[[T], Mapping[int, pa.Table]], pieces: Sequence[T], parts: list[int]
    ) -> Iterator[Any]:
        """The parts of each piece, once they are there, as the cluster's own references."""

    @abstractmethod
    def build(
        self, build: Build[R], shares: list[Any], buckets: Mapping[int, Sequence[int]]
    ) -> Iterator[R]:
        """Each bucket, in their order, from the parts that `split` gave."""

    @property
    def workers(self) -> int:
        """See `Engine`."""
        return self.cluster.slots()

    @property
    def spread(self) -> bool:
        """True."""
        return True

    @property
    def footprint(self) -> Footprint:
        """See `Engine`."""
        return self.cluster.footprint

    def exchange(
        self,
        split: Callable[[T], Mapping[int, pa.Table]],
        pieces: Sequence[T],
        build: Build[R],
        buckets: Mapping[int, Sequence[int]],
        *,
        title: str,
    ) -> Iterator[R]:
        """See `Exchange`."""
        parts = parts_of(buckets.values())
        read = self.told(self.split(split, pieces, parts), f"{title}: reading", len(pieces))
        shares = list(read)
        built = self.build(build, shares, buckets)
        yield from self.told(built, f"{title}: building", len(buckets))

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self.cluster.close()
