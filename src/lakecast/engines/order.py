"""What all engines share: partials folded in order, the parts that buckets are made of."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

R = TypeVar("R")


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
