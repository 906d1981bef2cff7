"""Which series are wanted, and in which order."""

from __future__ import annotations

import polars as pl
import pytest

from lakecast.columns import CODE
from lakecast.core.panel.job import Ranks
from lakecast.core.panel.roster import PART

ROSTER = pl.DataFrame(
    {CODE: [4, 0, 3, 1, 2], PART: [7, 2, 2, 7, 5]}, schema={CODE: pl.Int32(), PART: pl.Int32()}
)


@pytest.mark.parametrize(
    ("wanted", "codes", "parts", "bounds", "rank"),
    [
        (None, [0, 3, 2, 1, 4], [2, 5, 7], [0, 2, 3, 5], [4, 0, 1, 3, 2, -1]),
        (frozenset({7, 2, 9}), [0, 3, 1, 4], [2, 7], [0, 2, 4], [3, 0, 1, 2, -1, -1]),
        (frozenset(), [], [], [0], [-1] * 6),
    ],
)
def test_series_by_part_then_code(
    wanted: frozenset[int] | None, codes: list[int], parts: list[int], bounds: list[int],
    rank: list[int],
) -> None:  # fmt: skip
    found = Ranks.of(ROSTER, wanted)
    assert found.codes.tolist() == codes
    assert found.parts.tolist() == parts
    assert found.bounds.tolist() == bounds
    assert found.rank.tolist() == rank


def test_no_series() -> None:
    found = Ranks.of(ROSTER.head(0), None)
    assert (found.codes.size, found.bounds.tolist(), found.rank.tolist()) == (0, [0], [-1])


def test_rows_of_a_part() -> None:
    found = Ranks.of(ROSTER, frozenset({2, 7}))
    assert [found.of_part(part).tolist() for part in (7, 2, 5, -1, 8)] == [
        [0, 3],
        [1, 2],
        [],
        [],
        [],
    ]
