"""The set of seen keys."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from lakecast.core.contract.plan import Plan, Writing
from lakecast.lake.keys import KeyIndex, hashed, repeats

PLAN = Plan(table="sales", required=(), filled=(), row_key=("a", "b"))


def test_it_holds_what_was_added_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    index, added = KeyIndex(), []
    for _ in range(50):
        some = rng.integers(0, 2**63, rng.integers(0, 200)).astype(np.uint64)
        index.add(some)
        added.append(some)
    every = np.concatenate(added)
    assert index.holds(every).all()
    assert not index.holds(every + np.uint64(1)).any()
    assert len(index.runs) < 12
    assert sum(run.size for run in index.runs) == every.size


def test_a_fork_grows_on_its_own() -> None:
    index = KeyIndex()
    index.add(np.array([1], np.uint64))
    other = index.fork()
    other.add(np.array([2], np.uint64))
    assert other.holds(np.array([1, 2], np.uint64)).all()
    assert index.holds(np.array([1, 2], np.uint64)).tolist() == [True, False]


def test_the_first_sound_row_of_a_key_counts() -> None:
    rows = pl.DataFrame({"a": ["x", "x", "x", "y", None], "b": [1, 1, 2, 1, 1]})
    sound = pl.Series([False, True, True, True, False])
    index = KeyIndex()
    assert repeats(index, rows, sound, PLAN).to_list() == [False] * 5
    assert repeats(index, rows, sound, PLAN).to_list() == [True, True, True, True, False]


def test_a_key_is_the_same_before_and_after_it_landed() -> None:
    """Naive and whole-day times land as instants and dates."""
    contract = Plan(
        table="sales",
        required=(),
        filled=(),
        row_key=("a", "b"),
        writing=Writing(timezone="America/Sao_Paulo"),
    )
    naive = datetime(2018, 11, 4, 10)  # noqa: DTZ001
    chunk = pl.DataFrame({"a": [naive], "b": [datetime(2018, 11, 4, 3, tzinfo=UTC)]})
    landed = pl.DataFrame({"a": [naive.replace(hour=12, tzinfo=UTC)], "b": [date(2018, 11, 4)]})
    assert hashed(chunk, contract).to_list() == hashed(landed, contract).to_list()


def test_whole_numbers_of_any_width_are_one_key() -> None:
    index = KeyIndex()
    rows = pl.DataFrame({"a": ["x"], "b": pl.Series([1], dtype=pl.Int8)})
    sound = pl.Series([True])
    repeats(index, rows, sound, PLAN)
    wide = rows.with_columns(pl.col("b").cast(pl.Int64))
    assert repeats(index, wide, sound, PLAN).to_list() == [True]
