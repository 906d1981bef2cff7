"""Pieces made on other threads: in order, no more than told, errors in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakecast.ahead import ahead, mapped

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_one_piece_is_made_ahead_and_no_more() -> None:
    made: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            yield number

    reader = ahead(pieces())
    assert next(reader) == 0
    reader.close()  # waits for the one under way
    assert made == [0, 1]
    assert list(ahead(iter(range(5)))) == list(range(5))


def test_what_making_a_piece_raises_comes_in_its_place() -> None:
    def pieces() -> Iterator[int]:
        yield 1
        raise ValueError("second")

    reader = ahead(pieces())
    assert next(reader) == 1
    with pytest.raises(ValueError, match="second"):
        next(reader)


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_mapped_comes_in_order_and_is_taken_when_a_thread_is_free(threads: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(8):
            taken.append(number)
            yield number

    made = mapped(lambda number: number * number, items(), threads)
    assert next(made) == 0
    assert len(taken) == threads + 1
    assert list(made) == [number * number for number in range(1, 8)]


def test_what_mapping_raises_comes_in_its_place() -> None:
    made = mapped(lambda number: 6 // number, [3, 0, 1], 1)
    assert next(made) == 2
    with pytest.raises(ZeroDivisionError):
        next(made)
