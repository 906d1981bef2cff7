"""Work on other threads: in order, a few ahead, errors in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakecast.ahead import ahead, on_threads

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


def test_threads_do_a_few_pieces_ahead_and_no_more() -> None:
    taken: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(9):
            taken.append(number)
            yield number

    results = on_threads(lambda number: number * number, pieces(), threads=2, most=3)
    assert next(results) == 0
    assert taken == [0, 1, 2, 3]
    assert list(results) == [number * number for number in range(1, 9)]


def test_the_first_piece_that_fails_raises_in_its_place() -> None:
    results = on_threads(lambda number: 1 // (2 - number), iter(range(9)), threads=3, most=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
