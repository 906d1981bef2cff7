"""Rows that a later row of the same key replaces.

Keys are compared as values, one bucket of keys at a time, so that memory stays bounded and no
hash collision loses a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lakecast.columns import BUCKET, LOAD, ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def split_keys(piece: pl.DataFrame, key: Sequence[str], buckets: int) -> dict[int, pl.DataFrame]:
    """The key columns, `_load` and `_row` by bucket of the key; rows without a whole key stay out.

    The bucket is a hash that only has to be the same within one process.
    """
    whole = piece.drop_nulls(list(key)).select(*key, LOAD, ROW)
    numbered = whole.with_columns(
        (pl.struct(key).hash(seed=0) % buckets).cast(pl.Int32).alias(BUCKET)
    )
    parts = numbered.partition_by(BUCKET, as_dict=True, include_key=False)
    return {int(bucket): part for (bucket,), part in parts.items()}


def superseded(parts: Iterable[pl.DataFrame], key: Sequence[str]) -> pl.DataFrame:
    """(`_load`, `_row`) of all rows but the last of each key, parts and rows in their order.

    No part, no row: a small table leaves buckets of keys empty.
    """
    every = list(parts)
    if not every:
        return pl.DataFrame(schema={LOAD: pl.String(), ROW: pl.Int64()})
    rows = pl.concat(every)
    return rows.filter(~pl.struct(key).is_last_distinct()).select(LOAD, ROW)
