"""How Parquet files are packed, and that they read back as what was written."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakecast.lake.parquet_files import PLAIN, SPLIT, paged, write_parquet

SCHEMA = pa.schema(
    [
        pa.field("text", pa.dictionary(pa.int32(), pa.large_string())),
        pa.field("code", pa.int32(), metadata=PLAIN),
        pa.field("lag", pa.float32(), metadata=SPLIT),
        pa.field("mean", pa.float32(), metadata=PLAIN),
        pa.field("sold", pa.float64()),
        pa.field("day", pa.date32()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("again", pa.date32(), metadata=PLAIN),
    ]
)
ROWS = {
    "text": ["a", "b", "a", None],
    "code": [1, 1, 2, 2],
    "lag": [None, 1.5, -0.0, 3.25],
    "mean": [0.1, None, 0.3, 0.4],
    "sold": [1.0, 2.0, None, 4.0],
    "day": [date(2026, 1, 31), date(2026, 2, 1), None, date(1969, 12, 31)],
    "at": [datetime(2026, 1, 31, 7, tzinfo=UTC), None, *[datetime(1969, 1, 1, tzinfo=UTC)] * 2],
    "again": [date(2026, 1, 31)] * 4,
}


@pytest.fixture
def written() -> io.BytesIO:
    table = pa.Table.from_pydict(ROWS, schema=SCHEMA)
    sink = io.BytesIO()
    assert write_parquet(table, sink) == 4
    sink.seek(0)
    return sink


def test_hints_choose_the_encoding(written: io.BytesIO) -> None:
    group = pq.read_metadata(written).row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    coded = {name for name, column in columns.items() if "RLE_DICTIONARY" in column.encodings}
    assert coded == {"text", "sold"}
    assert "BYTE_STREAM_SPLIT" in columns["lag"].encodings
    assert "PLAIN" in columns["mean"].encodings
    paced = {name for name, c in columns.items() if "DELTA_BINARY_PACKED" in c.encodings}
    assert paced == {"day", "at"}
    told = {name for name, column in columns.items() if column.is_stats_set}
    assert told == {"text", "code", "sold", "day", "at", "again"}


def test_hints_change_no_value(written: io.BytesIO) -> None:
    rows = pl.read_parquet(written)
    assert rows.schema["text"] == pl.String
    assert rows.to_dict(as_series=False) == {
        **ROWS, "mean": [pytest.approx(0.1), None, pytest.approx(0.3), pytest.approx(0.4)]
    }  # fmt: skip
    written.seek(0)
    assert pq.read_table(written)["text"].to_pylist() == ROWS["text"]


def _column(rows: int, *, page: int | None) -> tuple[int, dict[bytes, bytes]]:
    """Bytes before they are compressed, which grow with the pages, and the file's own metadata."""
    schema = pa.schema([pa.field("lag", pa.float32(), metadata=SPLIT)])
    table = pa.Table.from_pydict(
        {"lag": [1.0] * rows}, schema=paged(schema, page) if page else schema
    )
    sink = io.BytesIO()
    write_parquet(table, sink)
    sink.seek(0)
    told = pq.read_metadata(sink)
    return told.row_group(0).column(0).total_uncompressed_size, told.metadata


def test_pages_are_of_as_many_rows_as_asked() -> None:
    one, told = _column(60_000, page=60_000)
    three, _ = _column(60_000, page=None)
    ten, _ = _column(60_000, page=6_000)
    assert one < three < ten
    assert b"lakecast.page" not in told
