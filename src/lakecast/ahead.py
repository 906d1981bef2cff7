"""Making pieces on other threads, ahead of whoever works on the last."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

T = TypeVar("T")


def ahead(pieces: Iterator[T]) -> Generator[T, None, None]:
    """The same pieces; each is made, by one thread for all, while the one before it is used.

    What making a piece raises is raised where that piece would come. Close it where it may be
    left before its end.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, pieces, None)
            yield piece
