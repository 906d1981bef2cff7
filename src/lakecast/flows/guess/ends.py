"""How far a source reaches in time, where it is too long to read whole."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import polars as pl

from lakecast.lake.sources.delta import DeltaItem
from lakecast.lake.sources.parquet import ParquetItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakecast.lake.sources import Item
    from lakecast.lake.sources.sniff import Sniffed


def ends_of(found: Sequence[Item], sniffed: Sniffed) -> dict[str, datetime]:
    """The last time of each time column: of the sample, of the last file's statistics, or of one
    column of a Delta table. A text packed by gzip shows its head only.
    """
    times = [column.name for column in sniffed.of_kind("time")]
    ends = {}
    for name in times:
        seen = [sniffed.sample[name].max(), *_last(found[-1], name)]
        known = [instant for value in seen if (instant := _instant(value)) is not None]
        if known:
            ends[name] = max(known)
    return ends


def _last(item: Item, name: str) -> Iterable[object]:
    if isinstance(item, DeltaItem):
        scan = item.table.scan()
        return [scan.select(pl.col(name).max()).collect().item()]
    return _statistics(item, name) if isinstance(item, ParquetItem) else []


def _statistics(item: ParquetItem, name: str) -> list[object]:
    import pyarrow.parquet as pq

    store = item.file.store
    with store.reaching(), store.open_input(item.file.path) as opened:
        metadata = pq.ParquetFile(opened).metadata
        columns = metadata.schema.names
        if name not in columns:
            return []
        at = columns.index(name)
        groups = [metadata.row_group(i).column(at) for i in range(metadata.num_row_groups)]
        return [c.statistics.max for c in groups if c.statistics and c.statistics.has_min_max]


def _instant(value: object) -> datetime | None:
    """Zoneless times are taken as UTC, as the rows have them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None
