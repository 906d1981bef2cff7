"""Rows that a later row of the same key replaces."""

from __future__ import annotations

import polars as pl

from lakecast.columns import LOAD, ROW
from lakecast.core.panel.repeats import superseded


def test_all_but_the_last_of_a_key_are_replaced() -> None:
    first = pl.DataFrame({"id": [1, 2, 1], LOAD: ["a"] * 3, ROW: [1, 2, 3]})
    second = pl.DataFrame({"id": [2], LOAD: ["b"], ROW: [1]})
    assert superseded([first, second], ["id"]).rows() == [("a", 1), ("a", 2)]


def test_a_bucket_of_keys_may_be_empty() -> None:
    nothing = superseded([], ["id"])
    assert nothing.schema == {LOAD: pl.String, ROW: pl.Int64}
    assert nothing.is_empty()
