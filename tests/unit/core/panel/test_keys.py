"""Series as numbers: the groups of `group_by`, the places of a join, whatever the types."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakecast.core.panel import keys
from lakecast.core.panel.keys import Places, grouped, interned, placed, plain

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2024, 1, 1, 12, 0, 5, 6, tzinfo=UTC)
KINDS = pl.DataFrame(
    {
        "a": ["x", None, "", "x", "1 2"],
        "b": [1, None, -1, 1, 2**31 - 1],
        "c": [date(1969, 12, 31), None, date(2024, 1, 1), date(1969, 12, 31), None],
        "d": [True, None, False, True, None],
        "e": [0.1, None, float("nan"), 0.1, -2e300],
        "f": [NOON, None, NOON, NOON, None],
        "g": [2**62, None, 5, 2**62, 5],
    },
    schema_overrides={"b": pl.Int32},
)
texts = st.sampled_from(["a", "b", "a b", "b ", " ", ""]) | st.none()


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_what_was_interned_comes_back(width: int) -> None:
    columns = KINDS.columns[:width]
    back = plain(interned(KINDS, columns), KINDS.schema)
    assert back.equals(KINDS)
    assert back.schema == KINDS.schema
    coded = interned(KINDS, columns)
    order, begins = grouped(coded, columns)
    distinct = plain(coded[order[begins]], KINDS.schema).select(columns)
    assert distinct.sort(columns).equals(KINDS.select(columns).unique().sort(columns))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts), max_size=30), st.integers(1, 3))
def test_groups_are_those_of_polars(rows: list[tuple[str | None, ...]], width: int) -> None:
    frame = pl.DataFrame(rows, schema=dict.fromkeys("abc", pl.String), orient="row")
    frame = frame.with_row_index("n")
    columns = list("abc")[:width]
    order, begins = grouped(interned(frame, columns), columns)
    found = [sorted(part.tolist()) for part in np.split(order, begins[1:])]
    wanted = frame.group_by(columns, maintain_order=True).agg("n")["n"].to_list()
    assert sorted(found if rows else []) == sorted(wanted)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts), max_size=30), st.integers(1, 3), st.booleans())
def test_places_are_those_of_a_join(
    rows: list[tuple[str | None, ...]], width: int, gridded: bool
) -> None:
    columns = list("abc")[:width]
    frame = pl.DataFrame(rows, schema=dict.fromkeys("abc", pl.String), orient="row")
    known = frame.head(10).select(columns).unique(maintain_order=True)
    with pytest.MonkeyPatch.context() as patched:
        if not gridded:
            patched.setattr(keys, "_SPARE", 0)
        places = Places.of(known)
    found = places.find(frame)
    place = known.with_row_index("n")
    joined = frame.join(place, on=columns, how="left", nulls_equal=True, maintain_order="left")
    assert found.tolist() == joined["n"].cast(pl.Int64).fill_null(-1).to_list()


def test_places_outlive_their_frame_and_the_process(tmp_path: Path) -> None:
    series = pl.DataFrame({"a": ["p", "q", "r"], "b": [3, 2, 1], "c": ["u", "v", "w"]})
    places = Places.of(series)
    (tmp_path / "places").write_bytes(pickle.dumps(places))
    code = (
        "import pickle, sys, polars as pl; from lakecast.core.panel.keys import interned;"
        "kept = interned(pl.DataFrame({'a': ['z', 'r'], 'c': ['w', 'v']}), ['a', 'c']);"
        f"places = pickle.load(open({str(tmp_path / 'places')!r}, 'rb'));"
        "asked = pl.DataFrame({'a': ['r', 'p', 'p'], 'b': [1, 3, 2], 'c': ['w', 'u', 'u']});"
        "print(places.find(asked).tolist())"
    )
    del series
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[2, 0, -1]"
    asked = pl.DataFrame({"a": ["q"], "b": [2], "c": ["v"]})
    assert places.find(asked).tolist() == [1]


LOW, HIGH = -(2**31), 2**31 - 1
ONE = np.arange(7, dtype=np.int32)


@pytest.mark.parametrize(("low", "base"), [(0, 0), (-3, 5), (LOW, HIGH - 40), (HIGH - 30, LOW)])
def test_distinct_pairs_that_lie_close_are_placed(low: int, base: int) -> None:
    cells = np.random.default_rng(3).permutation(31 * 41)[:400]  # of 31 series and 41 periods
    first, second = ((cells // 41 + low).astype(np.int32), (cells % 41 + base).astype(np.int32))
    found = placed(first, second)
    np.testing.assert_array_equal(found, np.lexsort((second, first)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(ONE[:0], ONE[:0], id="no rows"),
        pytest.param(np.append(ONE, ONE[3]), np.append(ONE, ONE[3]), id="a pair comes twice"),
        pytest.param(ONE * 1000, ONE, id="far apart"),
        pytest.param(np.array([LOW, HIGH], np.int32), np.array([HIGH, LOW], np.int32), id="ends"),
    ],
)
def test_other_pairs_are_not(first: np.ndarray, second: np.ndarray) -> None:
    assert placed(first, second) is None
