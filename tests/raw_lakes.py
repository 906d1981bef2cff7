"""Raw tables put into a lake as `ingest` leaves them, for tests that start after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lakecast.columns import LOAD, ROW, SOURCE
from lakecast.lake.store import Store
from lakecast.lake.tables import Lake

if TYPE_CHECKING:
    from pathlib import Path


def new_lake(folder: Path) -> Lake:
    """An empty lake in a folder."""
    return Lake(Store.open(folder))


def land(
    lake: Lake, table: str, rows: pl.DataFrame, *, load: str = "L1", source: str | None = None
) -> None:
    """Add rows to a table as one load, in row groups of three; `source` defaults to the load."""
    marked = rows.with_columns(
        pl.lit(source or f"{load}.csv").alias(SOURCE),
        pl.int_range(1, rows.height + 1, dtype=pl.Int64).alias(ROW),
        pl.lit(load).alias(LOAD),
    )
    arrow = marked.to_arrow(compat_level=pl.CompatLevel.oldest())
    at = lake.table(table)
    at.commit(
        add=[at.stage(arrow, partition={LOAD: load}, groups=3)],
        schema=arrow.schema,
        partition_by=(LOAD,),
        fingerprint=load,
    )


def unland(lake: Lake, table: str, load: str) -> None:
    """Remove a load."""
    at = lake.table(table)
    at.commit(
        add=[],
        remove=[file for file in at.files() if file.partition_values[LOAD] == load],
        schema=at.schema(),
        fingerprint=f"without {load}",
    )
