"""The set of seen keys."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from lakecast.core.contract.plan import Plan, Writing
from lakecast.core.keyset import KeySet
from lakecast.lake.keys import hashed, repeats

PLAN = Plan(table="sales", required=(), filled=(), row_key=("a", "b"))


def test_the_first_sound_row_of_a_key_counts() -> None:
    rows = pl.DataFrame({"a": ["x", "x", "x", "y", None], "b": [1, 1, 2, 1, 1]})
    sound = pl.Series([False, True, True, True, False])
    index = KeySet()
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
    index = KeySet()
    rows = pl.DataFrame({"a": ["x"], "b": pl.Series([1], dtype=pl.Int8)})
    sound = pl.Series([True])
    repeats(index, rows, sound, PLAN)
    wide = rows.with_columns(pl.col("b").cast(pl.Int64))
    assert repeats(index, wide, sound, PLAN).to_list() == [True]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (pl.Series([7, 8]), pl.Series(["7", "8"]), True),
        (pl.Series([7.0, 7.5]), pl.Series(["7", "7.5"]), True),
        (pl.Series(["7", "A7"]), pl.Series(["7", "A7"], dtype=pl.Enum(["A7", "7"])), True),
        (pl.Series(["007", "+7"]), pl.Series([7, 7]), False),
        (pl.Series([True, False]), pl.Series(["true", "false"]), True),
    ],
    ids=["whole", "float", "coded", "written-otherwise", "boolean"],
)
def test_a_key_is_the_same_in_every_type(one: pl.Series, other: pl.Series, same: bool) -> None:
    contract = Plan(table="sales", required=(), filled=(), row_key=("a",))
    pairs = zip(
        *(hashed(pl.DataFrame({"a": values}), contract).to_list() for values in (one, other)),
        strict=True,
    )
    assert all((a == b) is same for a, b in pairs)
