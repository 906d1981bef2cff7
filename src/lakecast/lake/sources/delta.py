"""A Delta table of someone else, read as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import xxhash

from lakecast.lake.sources.base import Content, Piece
from lakecast.lake.sources.parquet import numbered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lakecast.lake.tables import Table


@dataclass(frozen=True, slots=True)
class DeltaItem:
    """The whole of a Delta table: when it changes, it is read anew and replaces what landed."""

    table: Table
    name: str
    textual: bool = False
    grows: bool = False
    tells: bool = False

    @property
    def size(self) -> int | None:
        """Bytes of its files."""
        return sum(file.size for file in self.table.files())

    def content(self, scratch: Path) -> Content:
        """A hash of its files; rewritten files count as a change, whatever they hold."""
        del scratch
        files = sorted((file.path, file.size) for file in self.table.files())
        return Content(xxhash.xxh3_128_hexdigest(repr(files).encode()))

    def pieces(self, scratch: Path, piece_bytes: int) -> Iterator[Piece]:
        """Its rows in the order of its log."""
        del scratch
        scan = self.table.scan()
        yield Piece(numbered(scan.head(0).collect(), 1))
        files = self.table.files()
        width = max(1, sum(f.size for f in files) * 4 // max(1, sum(f.rows for f in files)))
        rows = max(1_000, min(1 << 18, piece_bytes // width))
        start = 1
        for frame in scan.collect_batches(chunk_size=rows, maintain_order=True):
            yield Piece(numbered(frame, start), size=int(frame.estimated_size()))
            start += frame.height
