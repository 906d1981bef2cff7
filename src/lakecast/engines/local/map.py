"""Pieces of work on threads, a few at a time, results in order."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from lakecast.engines.order import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")


def map_pieces(work: Callable[[T], R], pieces: Sequence[T], workers: int) -> Iterator[R]:
    """Results in the order of the pieces, made on so many threads; see `in_order`."""
    with ThreadPoolExecutor(workers, thread_name_prefix="lakecast") as pool:

        def submit(piece: T) -> Future[R]:
            return pool.submit(work, piece)

        yield from in_order(pieces, submit, Future.result, Future.cancel, workers + 1)
