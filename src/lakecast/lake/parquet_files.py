"""Writing Parquet the one way all our tables are written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Literal

from lakecast.columns import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

_ROWS: Final = 1_000_000
_BATCH: Final = 65_536  # values encoded at a time; Arrow's own 1,024 cost 3% more
_HINT: Final = b"lakecast.packing"
_PAGE: Final = b"lakecast.page"
PLAIN: Final = {_HINT: b"PLAIN"}
SPLIT: Final = {_HINT: b"BYTE_STREAM_SPLIT"}
"""Metadata of a field that no dictionary helps: its values come in runs, are small numbers, or
the days of one series after the other's.
"""
Groups = int | Sequence[int] | Literal["batches"] | None


def write_parquet(
    data: pa.Table | pa.RecordBatchReader,
    sink: Any,
    *,
    drop: Sequence[str] = (),
    groups: Groups = None,
    footer: Mapping[str, str] | None = None,
) -> int:
    """Write rows in their order as zstd with dictionaries, times as differences, unless a field
    has a hint; how many rows.

    `groups` is the rows of each row group (default one million), or the sizes of all of them, or
    "batches": the batches of the data as they come, the empty ones left out.
    """
    import pyarrow.parquet as pq

    keep = [name for name in data.schema.names if name not in drop]
    schema = _only(data.schema, keep).with_metadata(dict(footer) if footer else None)
    rows = 0
    page = (data.schema.metadata or {}).get(_PAGE)
    options = {**packing(schema), "max_rows_per_page": int(page) if page else None}
    with pq.ParquetWriter(sink, schema, **options) as writer:
        for group in _groups(_pieces(data), groups):
            kept = group.select(keep) if drop else group
            writer.write_table(kept, row_group_size=max(group.num_rows, 1))
            rows += group.num_rows
            del group  # not to be held while the next one is made
    return rows


def paged(schema: pa.Schema, rows: int) -> pa.Schema:
    """A schema whose rows are written in pages of at most so many; other metadata goes.

    More than Arrow's own 20,000 take less time (7% of writing features, with 131,072) and less room
    (4%), and more memory to read.
    """
    return schema.with_metadata({_PAGE: str(rows).encode()})


def packing(schema: pa.Schema) -> dict[str, Any]:
    """How columns are encoded, as options of `ParquetWriter`."""
    import pyarrow as pa

    hints = {field.name: (field.metadata or {}).get(_HINT) for field in schema}
    encodings = {name: hint.decode() for name, hint in hints.items() if hint}
    # Row numbers are all different, and days follow each other: their differences are what packs.
    paced = {f.name for f in schema if f.name == ROW or _time(f.type)}
    encodings = dict.fromkeys(paced, "DELTA_BINARY_PACKED") | encodings
    # Extremes of hinted numbers cost more than they tell: nobody asks for a range of them.
    blind = {f.name for f in schema if hints[f.name] and pa.types.is_floating(f.type)}
    coded = any(pa.types.is_dictionary(field.type) for field in schema)
    return {
        "compression": "zstd",
        "use_dictionary": [name for name in hints if name not in encodings],
        "column_encoding": encodings or None,
        "write_statistics": [name for name in hints if name not in blind],
        # Without Arrow's schema in the footer, dictionaries read back as the texts they are.
        "store_schema": not coded,
        "write_batch_size": _BATCH,
    }


def _time(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_date32(kind) or pa.types.is_timestamp(kind))


def _groups(pieces: Iterator[pa.Table], groups: Groups) -> Iterator[pa.Table]:
    if groups == "batches":
        return filter(lambda piece: piece.num_rows, pieces)
    if groups is None or isinstance(groups, int):
        return regroup(pieces, repeat(groups or _ROWS))
    return regroup(pieces, iter(groups))


def regroup(pieces: Iterable[pa.Table], sizes: Iterator[int]) -> Iterator[pa.Table]:
    """The same rows in tables of the given sizes; the last one may be smaller."""
    import pyarrow as pa

    held: list[pa.Table] = []
    have, want = 0, next(sizes)
    for piece in pieces:
        rest = piece
        while have + rest.num_rows >= want:
            head = rest.slice(0, want - have)
            yield pa.concat_tables([*held, head])
            rest = rest.slice(want - have)
            held, have, want = [], 0, next(sizes, _ROWS)
        if rest.num_rows:
            held.append(rest)
            have += rest.num_rows
    if held:
        yield pa.concat_tables(held)


def _pieces(data: pa.Table | pa.RecordBatchReader) -> Iterator[pa.Table]:
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return iter([data])
    return map(_table, data)


def _table(batch: pa.RecordBatch) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _only(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in names])
