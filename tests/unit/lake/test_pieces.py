"""Tables as pieces: the order they come in, and what a piece holds."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.raw_lakes import land, new_lake

from lakecast.lake.pieces import loads, pieces, read_piece, read_whole, schema_of

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.lake.tables import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = new_lake(tmp_path)
    land(lake, "sales", pl.DataFrame({"v": range(10, 20)}), load="L2")
    land(lake, "sales", pl.DataFrame({"v": range(7)}), load="L1")
    land(lake, "sales", pl.DataFrame({"v": [99], "novo": ["x"]}), load="L9")
    return lake


def test_pieces_follow_load_and_row_and_not_the_time_of_landing(lake: Lake) -> None:
    found = pieces(lake.table("sales"), ["v"], rows=6)
    assert [(piece.load, len(piece.groups)) for piece in found] == [
        ("L1", 2), ("L1", 1), ("L2", 2), ("L2", 2), ("L9", 1),
    ]  # fmt: skip
    values = pl.concat([read_piece(piece) for piece in found])["v"].to_list()
    assert values == [*range(7), *range(10, 20), 99]


def test_a_group_larger_than_asked_for_is_a_piece(lake: Lake) -> None:
    assert sum(len(piece.groups) for piece in pieces(lake.table("sales"), ["v"], rows=1)) == 8


def test_columns_come_as_asked_for_and_null_where_a_file_lacks_them(lake: Lake) -> None:
    frames = [read_piece(piece) for piece in pieces(lake.table("sales"), ["novo", "_load", "v"])]
    assert all(frame.columns == ["novo", "_load", "v"] for frame in frames)
    together = pl.concat(frames)
    assert together["novo"].to_list() == [None] * 17 + ["x"]
    assert together["_load"].to_list() == ["L1"] * 7 + ["L2"] * 10 + ["L9"]


def test_a_piece_can_be_sent(lake: Lake) -> None:
    piece = pieces(lake.table("sales"), ["v"])[0]
    assert read_piece(pickle.loads(pickle.dumps(piece))).equals(read_piece(piece))


def test_a_table_without_rows_is_one_empty_piece(tmp_path: Path) -> None:
    lake = new_lake(tmp_path)
    table = lake.table("t")
    schema = pl.DataFrame({"v": [1], "_load": ["x"]}).to_arrow().schema
    table.commit(add=[], schema=schema, fingerprint="f", partition_by=("_load",))
    (piece,) = pieces(table, ["v"])
    assert read_piece(piece).schema == {"v": pl.Int64}
    assert read_piece(piece).is_empty()


def test_a_table_that_is_not_there_has_no_columns(tmp_path: Path) -> None:
    assert schema_of(new_lake(tmp_path).table("t")) == {}


def test_whole_tables_loads_and_types(lake: Lake) -> None:
    assert read_whole(lake, "sales", ["v"]).height == 18
    assert loads(lake.table("sales")) == ("L1", "L2", "L9")
    assert schema_of(lake.table("sales"))["novo"] == pl.String
