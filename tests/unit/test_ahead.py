"""Pieces made on another thread: in order, one ahead, errors in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakecast.ahead import ahead

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
