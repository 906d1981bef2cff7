"""Parquet files, alone or under Hive folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lakecast.columns import ROW
from lakecast.errors import DataRefused
from lakecast.lake.sources.base import Content, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lakecast.lake.sources.files import File

_MOST_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class ParquetItem:
    """One Parquet file."""

    file: File
    textual: bool = False
    grows: bool = False
    tells: bool = False

    @property
    def name(self) -> str:
        """Its path."""
        return self.file.name

    @property
    def size(self) -> int | None:
        """Bytes as they are stored."""
        return self.file.size

    def content(self, scratch: Path) -> Content:
        """A hash of the stored bytes."""
        del scratch
        return Content(self.file.content())

    def pieces(self, scratch: Path, piece_bytes: int) -> Iterator[Piece]:
        """Batches of about `piece_bytes`. Raises `DataRefused` where it is no Parquet."""
        del scratch
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            store = self.file.store
            with store.reaching(), store.open_input(self.file.path) as source:
                yield from self._pieces(pq.ParquetFile(source), piece_bytes)
        except pa.ArrowInvalid as error:
            raise DataRefused(
                f"not a readable Parquet file: {str(error).splitlines()[0]}",
                where=self.name,
                cure="send the file again, or set `kind`",
            ) from None

    def _pieces(self, parquet: object, piece_bytes: int) -> Iterator[Piece]:
        metadata = parquet.metadata  # type: ignore[attr-defined]
        size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        width = max(1, size // max(1, metadata.num_rows))
        rows = max(1_000, min(_MOST_ROWS, piece_bytes // width))
        share = self.file.size / max(1, metadata.num_rows)
        empty = pl.DataFrame(pl.from_arrow(parquet.schema_arrow.empty_table()))  # type: ignore[attr-defined]
        yield Piece(self._frame(empty, 1))
        start = 1
        for batch in parquet.iter_batches(batch_size=rows):  # type: ignore[attr-defined]
            frame = pl.DataFrame(pl.from_arrow(batch))
            yield Piece(self._frame(frame, start), size=int(share * frame.height))
            start += frame.height

    def _frame(self, frame: pl.DataFrame, start: int) -> pl.DataFrame:
        return numbered(self.file.with_partition(frame), start)


def numbered(frame: pl.DataFrame, start: int) -> pl.DataFrame:
    """The rows with `_row` from `start` on."""
    numbers = pl.int_range(start, start + frame.height, dtype=pl.Int64, eager=True)
    return frame.with_columns(numbers.alias(ROW))
