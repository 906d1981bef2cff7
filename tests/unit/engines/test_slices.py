"""A table by part, without a table apart for each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lakecast.engines.slices import Slices, size_of

TABLE = pa.table({"value": [10, 11, 12, 13]})
SLICES = Slices(TABLE, np.array([2, 5, 7], np.int32), np.array([0, 3, 3, 4]))


def test_parts_that_have_rows() -> None:
    assert {part: table["value"].to_pylist() for part, table in SLICES.items()} == {
        2: [10, 11, 12], 7: [13],
    }  # fmt: skip
    assert len(SLICES) == 2


@pytest.mark.parametrize("part", [1, 3, 5, 8])
def test_a_part_without_rows_is_not_there(part: int) -> None:
    assert part not in SLICES
    with pytest.raises(KeyError):
        SLICES[part]


def test_no_parts() -> None:
    none = Slices(TABLE.slice(0, 0), np.array([], np.int32), np.array([0]))
    assert (len(none), dict(none), 1 in none) == (0, {}, False)


def test_as_large_as_its_rows() -> None:
    assert size_of(SLICES) == size_of(dict(SLICES)) == 32
    assert size_of(Slices(TABLE.slice(1, 2), np.array([4], np.int32), np.array([0, 2]))) == 16
