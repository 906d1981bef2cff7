"""Three series by hand: first periods 10, 12 and 14, all ending at 15."""

from __future__ import annotations

import numpy as np
from tests import panels

from lakecast.core.block import Block, actuals, after

NAN = np.float32("nan")
LENGTHS = np.array([6, 4, 2])
BLOCK = Block(
    codes=np.array([3, 5, 9], np.int32),
    starts=np.array([0, 6, 10, 12], np.int64),
    first=np.array([10, 12, 14], np.int32),
    target=np.arange(12, dtype=np.float32),
    covariates={"promo": np.arange(12, dtype=np.float32) * 10},
    statics={"size": np.array([1, 2, 3], np.float32)},
)


def test_rows_lengths_and_periods() -> None:
    assert BLOCK.rows == 12
    assert BLOCK.lengths.tolist() == LENGTHS.tolist()
    assert BLOCK.ordinals().tolist() == [10, 11, 12, 13, 14, 15, 12, 13, 14, 15, 14, 15]
    assert BLOCK.ordinals().dtype == np.int32


def test_until_cuts_every_series_and_leaves_later_ones_out() -> None:
    cut = BLOCK.until(13)
    assert cut.codes.tolist() == [3, 5]
    assert cut.starts.tolist() == [0, 4, 6]
    assert cut.first.tolist() == [10, 12]
    assert cut.target.tolist() == [0, 1, 2, 3, 6, 7]
    assert cut.covariates["promo"].tolist() == [0, 10, 20, 30, 60, 70]
    assert cut.statics["size"].tolist() == [1, 2]
    assert cut.ordinals().max() == 13


def test_until_the_end_is_the_whole_and_before_the_start_is_nothing() -> None:
    whole, later = BLOCK.until(15), BLOCK.until(99)
    for cut in (whole, later):
        assert cut.codes.tolist() == BLOCK.codes.tolist()
        assert cut.target.tolist() == BLOCK.target.tolist()
    none = BLOCK.until(9)
    assert (none.rows, none.codes.size, none.starts.tolist()) == (0, 0, [0])


def test_actuals_after_a_cutoff() -> None:
    found = actuals(BLOCK, 13, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[4, 5, NAN], [8, 9, NAN]])


def test_what_is_known_after_a_cutoff() -> None:
    future = after(BLOCK, 13, 2, ["promo"])
    assert future.horizon == 2
    assert list(future.covariates) == ["promo"]
    np.testing.assert_array_equal(future.covariates["promo"], [[40, 50], [80, 90]])
    assert after(BLOCK, 13, 2, []).covariates == {}


def test_beyond_the_end_nothing_is_known_and_no_neighbour_is_read() -> None:
    np.testing.assert_array_equal(actuals(BLOCK, 15, 2), np.full((3, 2), NAN))


def test_a_block_that_ends_by_the_cutoff_is_itself() -> None:
    assert BLOCK.until(15) is BLOCK
    assert BLOCK.until(14).rows == BLOCK.rows - LENGTHS.size


def test_pieces_are_whole_series_of_at_most_so_many_rows_or_one() -> None:
    whole = panels.with_covariates()
    (block,) = whole.held
    pieces = list(block.pieces(290))
    assert [piece.lengths.tolist() for piece in pieces] == [[150], [143, 136], [129, 122], [115]]
    for name in ("codes", "first", "target"):
        found = np.concatenate([getattr(piece, name) for piece in pieces])
        np.testing.assert_array_equal(found, getattr(block, name))
    for held in ("covariates", "statics"):
        for name, values in getattr(block, held).items():
            found = np.concatenate([getattr(piece, held)[name] for piece in pieces])
            np.testing.assert_array_equal(found, values)
    assert all(piece.starts[0] == 0 for piece in pieces)
    assert [piece.rows for piece in block.pieces(1)] == block.lengths.tolist()
