"""Work done ahead of whoever takes its results, in their order and a few at a time."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

T = TypeVar("T")
F = TypeVar("F")
R = TypeVar("R")


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


def on_threads(work: Callable[[T], R], pieces: Iterable[T], threads: int, most: int) -> Iterator[R]:
    """`work` of each piece, in their order, done by so many threads; see `in_order` for `most`."""
    with ThreadPoolExecutor(threads, thread_name_prefix="lakecast") as pool:

        def submit(piece: T) -> Future[R]:
            return pool.submit(work, piece)

        yield from in_order(pieces, submit, Future.result, Future.cancel, most)


def in_order(
    pieces: Iterable[T],
    submit: Callable[[T], F],
    take: Callable[[F], R],
    cancel: Callable[[F], object],
    most: int,
) -> Iterator[R]:
    """What `take` makes of each piece that was submitted, in the order of the pieces.

    At most `most` pieces are in flight or wait to be taken, so memory is bounded however many
    there are. The first failing piece, in order, raises; `cancel` is called with each that is in
    flight by then, or when the iterator is closed.
    """
    rest = iter(pieces)
    waiting: deque[F] = deque()
    try:
        waiting.extend(map(submit, islice(rest, most)))
        while waiting:
            result = take(waiting.popleft())
            waiting.extend(map(submit, islice(rest, 1)))
            yield result
    finally:
        for future in waiting:
            cancel(future)
