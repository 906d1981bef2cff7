"""The set of seen hashes."""

from __future__ import annotations

import numpy as np
import pytest

from lakecast.core.keyset import KeySet


def every(size: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(size, np.bool_)


@pytest.mark.parametrize("threads", [1, 3])
def test_it_agrees_with_a_set_row_by_row(threads: int) -> None:
    drawn, index, held = np.random.default_rng(1), KeySet(threads), set()
    for _ in range(40):
        # Few values, so that they repeat; all bits used, so that every shard is.
        hashes = drawn.integers(0, 3_000, drawn.integers(0, 400)).astype(np.uint64)
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        wanted = drawn.random(hashes.size) < 0.7
        told = []
        for hash_, want in zip(hashes.tolist(), wanted.tolist(), strict=True):
            told.append(hash_ in held)
            if want:
                held.add(hash_)
        assert index.mark(hashes, wanted).tolist() == told
    assert len(index) == len(held)


def test_hashes_that_want_one_place_are_all_kept() -> None:
    """The same lowest bits: all but one must go elsewhere, past the end of a shard too."""
    low = np.uint64(0xFFFFFFFF)
    hashes = (np.arange(500, dtype=np.uint64) << np.uint64(32)) | low
    index = KeySet()
    assert not index.mark(hashes, every(500)).any()
    assert index.mark(hashes, every(500)).all()


@pytest.mark.parametrize("hash_", [0, 2**64 - 1])
def test_no_hash_is_mistaken_for_a_free_place(hash_: int) -> None:
    index, hashes = KeySet(), np.array([hash_], np.uint64)
    assert index.mark(hashes, every(1)).tolist() == [False]
    assert index.mark(hashes, every(1)).tolist() == [True]


def test_it_takes_eleven_to_twenty_two_bytes_a_key() -> None:
    index, drawn = KeySet(), np.random.default_rng(1)
    for _ in range(12):
        index.mark(drawn.integers(0, 2**64, 200_000, dtype=np.uint64), every(200_000))
        assert 10.6 <= index.nbytes / len(index) <= (22 if len(index) > 1_600_000 else 45)
