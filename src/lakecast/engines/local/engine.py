"""The facets of the local engine in one value."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lakecast.ahead import on_threads
from lakecast.engines.base import Base
from lakecast.engines.local.exchange import gather, spill
from lakecast.engines.protocol import unsupported
from lakecast.machine import trim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.base import Build

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalEngine(Base):
    """`engines.protocol.Engine` on threads of this process.

    `workers` pieces run at a time; they must release the GIL to gain anything. `scratch` is the
    folder that an exchange spills in (None: the system's temporary folder).
    """

    workers: int = 1
    scratch: Path | None = None

    pool = unsupported("one fit takes all threads; `tune` starts processes of its own")
    fit = unsupported("one machine fits a model on all of its threads")
    frame = unsupported("`lakecast.open` gives a lazy Polars frame")
    write = unsupported("a frame of one machine is written by `Table.stage`")

    @property
    def spread(self) -> bool:
        """False."""
        return False

    @property
    def footprint(self) -> None:
        """None: threads of this process."""
        return None

    def run(self, work: Callable[[T], R], pieces: Sequence[T]) -> Iterator[R]:
        """See `Base`."""
        return on_threads(work, pieces, self.workers, self.workers + 1)

    def exchange(
        self,
        split: Callable[[T], Mapping[int, pa.Table]],
        pieces: Sequence[T],
        build: Build[R],
        buckets: Mapping[int, Sequence[int]],
        *,
        title: str,
    ) -> Iterator[R]:
        """See `Exchange`; parts are spilled in `scratch` and gone when the iterator ends."""
        if self.scratch:
            self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="exchange-", dir=self.scratch) as name:
            spilled = spill(self, split, pieces, Path(name), title=f"{title}: reading")
            del split, pieces
            trim()  # what splitting left, before as much is taken again
            work = partial(gather, build, spilled)
            yield from self.map(work, list(buckets.items()), title=f"{title}: building")

    def close(self) -> None:
        """Nothing was started."""
