"""What an engine must do, in facets; a facet that an engine lacks is a declared object.

Engines receive locations, file lists and functions as values, never the lake. Functions and
values that cross an engine's seam must be picklable (cloudpickle is not assumed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from lakecast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")
V_co = TypeVar("V_co", covariant=True)


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


class Pool(Protocol[S, V_co]):
    """Pieces handed in while others run; a context. Once it is left what runs is stopped or, where
    the engine cannot, ends unseen, with those few that wait at the workers already.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def submit(self, piece: S) -> None:
        """Take a piece on."""
        ...

    def next(self) -> tuple[S, V_co]:
        """A piece that is done, whichever is; waits for it. There must be one."""
        ...


class Pools(Protocol):
    """Work that is taken as it is done: pieces of uneven length, or that depend on results."""

    def pool(self, work: Callable[[T], R]) -> Pool[T, R]:
        """A pool that runs `work` on pieces; one whose worker died is done again."""
        ...


class SharedJob(Protocol):
    """One LightGBM model to be fit by many workers, each on some parts. It can be pickled."""

    @property
    def parts(self) -> Mapping[int, int]:
        """Parts in canonical order, and how many rows each has (at least one)."""
        ...

    @property
    def columns(self) -> int:
        """Columns of the matrix."""
        ...

    @property
    def categories(self) -> tuple[int, ...]:
        """Which of them are categories."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """LightGBM's parameters, by its own names."""
        ...

    def train(self, parts: Sequence[int], network: Mapping[str, Any]) -> str:
        """Fit on some parts, with the others of LightGBM's network (empty: alone)."""
        ...

    def arrays(self, part: int) -> tuple[Any, Any, Any]:
        """Matrix, target and weight of a part."""
        ...


class Fits(Protocol):
    """A model of rows that no single worker has to hold."""

    def fit(self, job: SharedJob) -> str:
        """The text of the model that all workers fit together.

        A fit that breaks because a worker died begins again with those that are left, which is
        logged. With one worker the model is that of one machine.
        """
        ...


class Frames(Protocol):
    """Tables of the lake as frames of the engine's own."""

    def frame(self, read: Callable[[T], Any], pieces: Sequence[T], empty: Any) -> Any:
        """A lazy frame, a partition a piece, read by whoever works on it.

        `read` gives a pandas frame, `empty` one without rows that has its columns and types.
        """
        ...

    def write(self, frame: Any, stage: Callable[[Any], R]) -> list[R]:
        """What `stage` makes of each partition, a pandas frame, where it lies; in their order."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """What the processes of a cluster take beside the work itself, in bytes.

    `service` are the cluster's own processes, where it was started here; `worker` is what a worker
    takes more than this process does for the same work. `room` is what a worker may take at all;
    None: it was started here, and all share this machine's budget. `whole`: a worker holds its part
    of a shuffle, and of a fit together, whole instead of piece by piece.
    """

    service: int
    worker: int
    whole: bool
    room: int | None = None

    @property
    def here(self) -> bool:
        """Whether it was started here."""
        return self.room is None


class Unsupported:
    """A facet that an engine lacks, and why. Asking an engine for it raises `UsageError`."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, engine: object, owner: type) -> Any:
        if engine is None:
            return self
        raise UsageError(
            f"`{self.name}` is not for this engine: {self.why}",
            where=owner.__name__,
            cure="see docs/reference/engines.md for the engines that have it",
        )


def unsupported(why: str) -> Any:
    """A gap in an engine, from which the table in the docs is made."""
    return Unsupported(why)


class Engine(MapBlocks, Reduce, Exchange, Pools, Fits, Frames, Protocol):
    """All facets of one engine; what stages take as a value."""

    @property
    def workers(self) -> int:
        """Pieces that run at a time."""
        ...

    @property
    def spread(self) -> bool:
        """Whether pieces run in other processes, maybe of other machines."""
        ...

    @property
    def footprint(self) -> Footprint | None:
        """What its processes take; None where pieces run in this one."""
        ...

    def quiet(self) -> Engine:
        """The same engine, telling nobody how far it is."""
        ...

    def close(self) -> None:
        """End what was started on demand; the next piece of work starts it again."""
        ...
