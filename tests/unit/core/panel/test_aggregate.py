"""Aggregates by hand, and that merging in pieces changes nothing."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakecast.core.panel.aggregate import finish, lift, merge
from lakecast.core.panel.plan import Measure
from lakecast.core.panel.rows import AT, Aids

ROWS = pl.DataFrame(
    {
        "k": [1, 1, 1, 1, 2, 3],
        AT: [30, 10, 20, 30, 5, 7],
        "v": [4.0, None, 1.0, 2.0, None, float("nan")],
    }
)
EXPECTED = {
    "sum": [7.0, None, None],
    "mean": [7 / 3, None, None],
    "min": [1.0, None, None],
    "max": [4.0, None, None],
    "first": [1.0, None, None],
    "last": [2.0, None, None],  # two rows at 30: the later one in the order of the rows
    "count": [3.0, 0.0, 1.0],  # what is there is counted, whatever it is
}


def measures(aggregate: str) -> tuple[Measure, ...]:
    return (Measure(name="v", column="v", aggregate=aggregate),)  # type: ignore[arg-type]


@pytest.mark.parametrize("aggregate", EXPECTED)
@pytest.mark.parametrize("pieces", [1, 2, 6])
def test_each_aggregate_by_hand_in_any_pieces(aggregate: str, pieces: int) -> None:
    wanted = measures(aggregate)
    size = 6 // pieces
    parts = [
        merge(lift(piece, ["k"], wanted, Aids()), ["k"], wanted) for piece in ROWS.iter_slices(size)
    ]
    done = finish(merge(pl.concat(parts), ["k"], wanted), ["k"], wanted)
    assert done["k"].to_list() == [1, 2, 3]
    assert done["_rows"].to_list() == [4, 1, 1]
    assert done["v"].to_list() == EXPECTED[aggregate]


def test_the_latest_value_wins_though_its_piece_came_first() -> None:
    wanted = measures("last")
    late = pl.DataFrame({"k": [1], AT: [99], "v": [5.0]})
    early = pl.DataFrame({"k": [1], AT: [1], "v": [6.0]})
    parts = pl.concat([lift(piece, ["k"], wanted, Aids()) for piece in (late, early)])
    assert finish(merge(parts, ["k"], wanted), ["k"], wanted)["v"].to_list() == [5.0]


def test_two_int32_keys_are_sorted_as_one_also_before_1970() -> None:
    rows = pl.DataFrame(
        {"a": [1, 0, 1, 0], "b": [-5, 3, -7, -2], "v": [1.0, 2.0, 3.0, 4.0]},
        schema_overrides={"a": pl.Int32, "b": pl.Int32},
    )
    wanted = measures("sum")
    done = merge(lift(rows, ["a", "b"], wanted, Aids()), ["a", "b"], wanted)
    assert done.select("a", "b").rows() == [(0, -2), (0, 3), (1, -7), (1, -5)]


def test_texts_are_their_place_in_the_vocabulary() -> None:
    wanted = (Measure(name="v", column="v", aggregate="max", text=True),)
    rows = pl.DataFrame({"k": [1, 1, 2], "v": ["a", "c", None]})
    aids = Aids(vocabularies={"v": ("a", "b", "c")})
    done = finish(merge(lift(rows, ["k"], wanted, aids), ["k"], wanted), ["k"], wanted)
    assert done["v"].to_list() == [2.0, None]


def test_yes_and_no_in_two_languages() -> None:
    wanted = (Measure(name="v", column="v", aggregate="last", flag=True),)
    words = ["Sim", "não", "TRUE", " no ", "talvez", None]
    rows = pl.DataFrame({"k": range(6), "v": words})
    done = finish(merge(lift(rows, ["k"], wanted, Aids()), ["k"], wanted), ["k"], wanted)
    assert done["v"].to_list() == [1.0, 0.0, 1.0, 0.0, None, None]


def test_no_rows_make_no_groups() -> None:
    wanted = measures("mean")
    done = finish(merge(lift(ROWS.clear(), ["k"], wanted, Aids()), ["k"], wanted), ["k"], wanted)
    assert done.height == 0
    assert done.columns == ["k", "_rows", "v"]


few = st.sampled_from([-(2**31), -1, 0, 3, 2**31 - 1])


@pytest.mark.parametrize("aggregate", EXPECTED)
@given(rows=st.lists(st.tuples(few, few, st.floats(0, 9)), max_size=20))
def test_two_small_keys_are_merged_as_any(
    aggregate: str, rows: list[tuple[int, int, float]]
) -> None:
    """They are sorted by as one number; the order of equal ones, and so each sum, is the same."""
    wanted, keys = measures(aggregate), ["a", "b"]
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64, "v": pl.Float64}, orient="row")
    general = merge(lift(frame, keys, wanted, Aids()), keys, wanted)
    small = frame.with_columns(pl.col(keys).cast(pl.Int32))
    packed = merge(lift(small, keys, wanted, Aids()), keys, wanted)
    assert packed.with_columns(pl.col(keys).cast(pl.Int64)).equals(general)
