"""Pieces of work on threads, a few at a time, results in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")


def map_pieces(work: Callable[[T], R], pieces: Sequence[T], workers: int) -> Iterator[R]:
    """Results in the order of the pieces, made on so many threads.

    At most `workers` pieces run and as many finished results wait, so memory is bounded however
    many pieces there are. The first failing piece, in order, raises; what has not begun by then, or
    when the iterator is closed, never does.
    """
    rest = iter(pieces)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="lakecast") as pool:
        try:
            waiting.extend(pool.submit(work, piece) for piece in islice(rest, 2 * workers))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(work, piece) for piece in islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
