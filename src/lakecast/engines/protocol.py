"""What an engine must do, in four facets; a facet an engine lacks is a declared object.

Engines receive locations, file lists and functions as values, never the lake. Functions and
values that cross an engine's seam must be picklable (cloudpickle is not assumed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")
R = TypeVar("R")


class MapBlocks(Protocol):
    """Run a function on each piece of work."""

    def map(self, work: Callable[[T], R], pieces: Sequence[T], *, title: str) -> Iterator[R]:
        """Results in the order of the pieces, whatever order they ran in."""
        ...


class Reduce(Protocol):
    """Fold small float64 partials in the order of the pieces: same bits for any workers."""

    def reduce(
        self, work: Callable[[T], R], merge: Callable[[R, R], R], pieces: Sequence[T], *, title: str
    ) -> R:
        """`merge(...merge(work(p0), work(p1))..., work(pn))`."""
        ...


class Exchange(Protocol):
    """The one real shuffle: rows of `sales` to buckets of whole series."""

    def exchange(
        self,
        split: Callable[[T], Any],
        pieces: Sequence[T],
        build: Callable[[int, Iterable[Iterable[Any]]], R],
        buckets: Mapping[int, Sequence[int]],
        *,
        title: str,
    ) -> Iterator[R]:
        """`split` a piece into {part: Arrow table}; `build` each bucket from its parts.

        `buckets` names the parts of each. A part reaches `build` as its tables, in the order of the
        pieces (neighbours that differ in nothing but their rows may come as one), in the order
        named. Results come in the order of `buckets`. Parts are spilled, not held: a worker's
        memory is bounded by the part it reads (on Dask, by those of the bucket it builds).
        """
        ...


class Engine(MapBlocks, Reduce, Exchange, Protocol):
    """All facets of one engine; what stages take as a value."""

    @property
    def workers(self) -> int:
        """Pieces that run at a time."""
        ...

    @property
    def spread(self) -> bool:
        """Whether pieces run in other processes, maybe of other machines."""
        ...

    def quiet(self) -> Engine:
        """The same engine, telling nobody how far it is."""
        ...

    def close(self) -> None:
        """End what was started on demand; the next piece of work starts it again."""
        ...
