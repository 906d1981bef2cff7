"""XXH64 of many texts against the library that computes it one by one."""

from __future__ import annotations

import polars as pl
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from lakecast.core.panel.hashing import xxh64


@pytest.mark.parametrize("seed", [0, 42, 2**63 + 5])
def test_every_length_is_hashed_as_by_the_library(seed: int) -> None:
    texts = ("áβ€x" * 40).encode()
    some = [texts[:n].decode(errors="ignore") for n in range(120)]
    wanted = [xxhash.xxh64_intdigest(text.encode(), seed=seed) for text in some]
    assert xxh64(pl.Series(some, dtype=pl.String), seed).tolist() == wanted


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=20), st.integers(0, 5))
def test_any_texts_of_a_part_of_a_series(texts: list[str], skipped: int) -> None:
    part = pl.Series(texts, dtype=pl.String)[skipped:]
    wanted = [xxhash.xxh64_intdigest(text.encode(), seed=42) for text in texts[skipped:]]
    assert xxh64(part, 42).tolist() == wanted
