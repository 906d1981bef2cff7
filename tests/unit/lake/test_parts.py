"""Rows on their way into a load."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lakecast.columns import ROW
from lakecast.core.contract.coded import coded, constant, once
from lakecast.lake.parts import GROUP, Parts

if TYPE_CHECKING:
    from pathlib import Path


def written(parts: Parts) -> pl.DataFrame:
    parts.close()
    return pl.concat([frame for part in parts.files for frame in part.frames()], how="vertical")


def column(places: list[int | None], texts: list[str]) -> pl.DataFrame:
    return coded(pl.DataFrame({"a": pl.Series(places, dtype=pl.UInt8)}), {"a": pl.Series(texts)})


def test_coded_and_plain_texts_are_one_column(tmp_path: Path) -> None:
    parts = Parts(tmp_path, None, "UTC")
    first, other = column([0, 1, None], ["x", "y"]), column([1, 0], ["z", "x"])
    for frame in (first, other, pl.DataFrame({"a": ["w"]})):
        parts.write(frame, [])
    assert written(parts)["a"].to_list() == ["x", "y", None, "x", "z", "w"]
    assert [part.schema for part in parts.files] == [pa.schema([("a", pa.string())])]


def test_a_file_begins_anew_where_its_types_no_longer_fit(tmp_path: Path) -> None:
    parts = Parts(tmp_path, None, "UTC")
    midnight, noon = (datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in (0, 12))
    for number, time, dates in ((1, midnight, ["t"]), (2**31, midnight, ["t"]), (2, noon, [])):
        rows = {"q": [number], "t": [time], ROW: [number]}
        parts.write(pl.DataFrame(rows, schema_overrides={"t": pl.Datetime("us", "UTC")}), dates)
    parts.close()
    kinds = [tuple(map(str, part.schema.types)) for part in parts.files]
    assert kinds == [
        ("int32", "date32[day]", "int64"),
        ("int64", "date32[day]", "int64"),
        ("int64", "timestamp[us, tz=UTC]", "int64"),
    ]
    assert [part.rows for part in parts.files] == [1, 1, 1]
    assert (parts.found["q"].least, parts.found["q"].most) == (1.0, 2.0**31)


def test_a_table_decides_the_types_of_what_fits_it(tmp_path: Path) -> None:
    table = pa.schema([("q", pa.float64()), ("note", pa.string()), ("_load", pa.string())])
    parts = Parts(tmp_path, table, "UTC")
    parts.write(pl.DataFrame({"new": [True], "q": [1]}), [])
    assert written(parts).to_dicts() == [{"q": 1.0, "note": None, "new": True}]


def test_a_column_without_a_null_says_so_until_one_comes(tmp_path: Path) -> None:
    parts = Parts(tmp_path, None, "UTC", filled=("a", "q", "absent"))
    parts.write(column([0, 1], ["x", "y"]).with_columns(q=1.5, note=None), [])
    parts.write(column([None, 0], ["x"]).with_columns(q=2.5, note=None), [])
    parts.write(column([0], ["z"]).with_columns(q=3.5, note=None), [])
    assert written(parts)["a"].to_list() == ["x", "y", None, "x", "z"]
    nullable = [
        {field.name: field.nullable for field in pq.read_schema(part.path)} for part in parts.files
    ]
    assert nullable == [
        {"a": False, "q": False, "note": True},
        {"a": True, "q": False, "note": True},
    ]
    first, second = parts.files  # what lands is of one type, whatever its files say
    assert first.schema == second.schema


def test_row_groups_are_gathered(tmp_path: Path) -> None:
    parts = Parts(tmp_path, None, "UTC")
    for _ in range(5):
        parts.write(pl.DataFrame({"q": [1.0] * (GROUP // 2)}), [])
    parts.close()
    metadata = pq.read_metadata(parts.files[0].path)
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sizes == [GROUP, GROUP, GROUP // 2]


def test_a_coded_column_is_asked_once_a_text() -> None:
    asked: list[int] = []

    def length(texts: pl.Series) -> pl.Series:
        asked.append(texts.len())
        return texts.str.len_chars()

    texts = column([1, 1, None, 0], ["x", "yy"])["a"]
    assert once(texts, length).to_list() == [2, 2, None, 1]
    assert once(texts.cast(pl.String), length).to_list() == [2, 2, None, 1]
    assert asked == [2, 4]
    assert constant("a", "x", 2).to_list() == ["x", "x"]
    assert constant("a", None, 2).to_list() == [None, None]
