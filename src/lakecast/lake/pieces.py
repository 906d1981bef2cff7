"""A table as pieces of work: some row groups of one file, read by whoever gets the piece."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars import selectors

from lakecast.columns import LOAD, ROW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lakecast.lake.store import Store
    from lakecast.lake.tables import FileRef, Lake, Table

ROWS: Final = 250_000  # what `ingest` writes as a row group; two pieces at work stay below 500 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Row groups of one file of a table whose rows came from one load. It can be pickled.

    `columns` are the wanted columns with their types; those the file lacks are read as null, or as
    `given`: the columns that the table is partitioned by. A piece without `groups` is empty and
    has no file.
    """

    table: str
    store: Store
    path: str
    groups: tuple[int, ...]
    load: str
    columns: Mapping[str, pl.DataType]
    given: Mapping[str, str | None] = field(default_factory=dict)


def schema_of(table: Table) -> dict[str, pl.DataType]:
    """Columns of a table as Polars types, texts as `String`; empty where it does not exist."""
    if not table.exists():
        return {}
    frame = pl.from_arrow(table.schema().empty_table())
    return dict(_plain(frame).schema) if isinstance(frame, pl.DataFrame) else {}


def pieces(table: Table, columns: Sequence[str], *, rows: int = ROWS) -> tuple[Piece, ...]:
    """The table in pieces of about so many rows, by load, then row, whatever the files' names.

    There is at least one piece; that of a table without rows is empty.
    """
    known = schema_of(table)
    wanted = {name: known[name] for name in columns}
    empty = Piece(table=table.name, store=table.store, path="", groups=(), load="", columns=wanted)
    files = sorted((_File.read(table, ref) for ref in table.files()), key=lambda f: f.order)
    found = tuple(
        replace(empty, path=file.path, groups=groups, load=file.order[0], given=file.given)
        for file in files
        for groups in _grouped(file.sizes, rows)
    )
    return found or (empty,)


def read_piece(piece: Piece) -> pl.DataFrame:
    """The piece's rows in their order, with its columns in theirs."""
    import pyarrow.parquet as pq

    if not piece.groups:
        return pl.DataFrame(schema=piece.columns)
    with piece.store.reaching(), piece.store.open_input(piece.path) as source:
        file = pq.ParquetFile(source)
        here = [name for name in piece.columns if name in file.schema_arrow.names]
        table = file.read_row_groups(list(piece.groups), columns=here, use_threads=False)
    frame = _plain(pl.DataFrame(table))
    given = {name: pl.lit(value, pl.String) for name, value in piece.given.items()}
    return frame.with_columns(
        given.get(name, pl.lit(None)).cast(kind).alias(name)
        for name, kind in piece.columns.items()
        if name not in here
    ).select(pl.col(name).cast(kind) for name, kind in piece.columns.items())


def read_whole(lake: Lake, table: str, columns: Sequence[str]) -> pl.DataFrame:
    """All rows of a small table, in the order of its pieces."""
    return pl.concat([read_piece(piece) for piece in pieces(lake.table(table), columns)])


def loads(table: Table) -> tuple[str, ...]:
    """The ids of the loads that a table holds, sorted."""
    found = {file.partition_values.get(LOAD) or "" for file in table.files()}
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class _File:
    """A file's row groups, and what it is ordered by: load, first row, path."""

    path: str
    sizes: tuple[int, ...]
    order: tuple[str, int, str]
    given: Mapping[str, str | None]

    @classmethod
    def read(cls, table: Table, ref: FileRef) -> _File:
        import pyarrow.parquet as pq

        with table.store.reaching(), table.store.open_input(ref.path) as source:
            meta = pq.ParquetFile(source).metadata
        sizes = tuple(meta.row_group(i).num_rows for i in range(meta.num_row_groups))
        load = ref.partition_values.get(LOAD) or ""
        return cls(ref.path, sizes, (load, _first_row(meta), ref.path), ref.partition_values)


def _first_row(meta: Any) -> int:
    """The smallest `_row` of a file, from the statistics of its first row group; 0 without."""
    if ROW not in meta.schema.names or not meta.num_row_groups:
        return 0
    known = meta.row_group(0).column(meta.schema.names.index(ROW)).statistics
    return int(known.min) if known and known.has_min_max else 0


def _grouped(sizes: Sequence[int], rows: int) -> Iterator[tuple[int, ...]]:
    """Neighbouring row groups, as many as stay within `rows`, at least one."""
    held: list[int] = []
    total = 0
    for index, size in enumerate(sizes):
        if held and total + size > rows:
            yield tuple(held)
            held, total = [], 0
        held.append(index)
        total += size
    if held:
        yield tuple(held)


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(selectors.categorical().cast(pl.String))
