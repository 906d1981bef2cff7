"""What all engines share: some work in flight, results in order, partials folded in order."""

from __future__ import annotations

from collections import deque
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")
F = TypeVar("F")
R = TypeVar("R")


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


def fold(merge: Callable[[R, R], R], partials: Iterator[R]) -> R:
    """`merge(...merge(p0, p1)..., pn)`; a single partial is not merged.

    Raises `ValueError` for none: there is no neutral value to return.
    """
    try:
        first = next(partials)
    except StopIteration:
        raise ValueError("nothing to reduce") from None
    return reduce(merge, partials, first)


def parts_of(buckets: Iterable[Sequence[int]]) -> list[int]:
    """The parts that any bucket is made of, each once, sorted."""
    return sorted({part for parts in buckets for part in parts})
