"""About how many rows a source has, without reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lakecast.lake.sources.csv import CsvItem
from lakecast.lake.sources.parquet import ParquetItem
from lakecast.lake.sources.resolve import items

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.lake.sources.base import Item
    from lakecast.lake.sources.files import File
    from lakecast.spec.model import Source

_HEAD: Final = 1 << 16
_LINE: Final = 60  # bytes, of a text that is packed
_PACKED: Final = 6  # what gzip makes of such texts, about


def estimate(source: Source, project: Path) -> int:
    """Rows of all items of a source; 0 for queries and tables, which nobody has asked yet.

    Parquet says it; of a text it follows from the length of its first lines. Raises as `items`.
    """
    return sum(_rows(item) for item in items(source, project)) if source.path else 0


def _rows(item: Item) -> int:
    if isinstance(item, ParquetItem):
        return _parquet(item.file)
    if isinstance(item, CsvItem):
        return _PACKED * item.file.size // _LINE if item.size is None else _text(item.file)
    return 0


def _parquet(file: File) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with file.store.reaching(), file.store.open_input(file.path) as source:
            return int(pq.read_metadata(source).num_rows)
    except pa.ArrowInvalid:  # `ingest` refuses it in words
        return 0


def _text(file: File) -> int:
    with file.store.reaching(), file.store.open_input_stream(file.path) as stream:
        head: bytes = stream.read(_HEAD)
    lines = head.count(b"\n")
    return file.size * lines // len(head) if lines else 0
