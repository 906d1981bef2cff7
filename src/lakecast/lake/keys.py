"""Has this `row_key` been seen? A set of hashes, whatever the key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import polars as pl

from lakecast.core.contract.coded import constant, spread
from lakecast.core.contract.masks import alike
from lakecast.core.contract.times import to_utc
from lakecast.lake.narrow import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lakecast.core.contract.plan import Plan
    from lakecast.core.keyset import KeySet
    from lakecast.lake.loads import Live, LoadId
    from lakecast.lake.tables import Table

_THREADS = 4
_BATCH = 1 << 18
_WHOLE = 2**53


def repeats(index: KeySet, values: pl.DataFrame, sound: pl.Series, plan: Plan) -> pl.Series:
    """Rows whose key a sound row had before, here or in the index; sound new keys are added."""
    if any(name not in values.columns for name in plan.row_key):
        return alike(values.height, value=False)
    keyed = _keyed(values, plan)
    wanted = sound if keyed is None else sound & keyed
    seen = pl.Series(index.mark(hashed(values, plan).to_numpy(), wanted.to_numpy()))
    return seen if keyed is None else seen & keyed


def _keyed(values: pl.DataFrame, plan: Plan) -> pl.Series | None:
    """Rows that have a whole key; None: all."""
    if not any(values[name].null_count() for name in plan.row_key):
        return None
    return values.select(pl.all_horizontal(pl.col(plan.row_key).is_not_null())).to_series()


def hashed(values: pl.DataFrame, plan: Plan) -> pl.Series:
    """The keys' hashes, the same for a chunk and for what landed of it, in whatever type."""
    zone = plan.writing.timezone
    keys = plain(values.select(plan.row_key), zone)
    parts = [part for name in keys.columns for part in _parts(keys[name], zone)]
    named = [part.alias(str(place)) for place, part in enumerate(parts)]
    return pl.DataFrame(named).hash_rows(seed=0)


def _parts(values: pl.Series, zone: str) -> tuple[pl.Series, pl.Series]:
    """A value as a whole number (an instant is one) or else as a text; the other one is null.

    One file says 7, another 7.0, and a CSV "7".
    """
    kind = values.dtype
    if isinstance(kind, pl.Enum):
        return _coded(values, zone)
    if kind == pl.Date:
        values = to_utc(values.cast(pl.Datetime("us")), zone)
    if kind == pl.Float64:
        return _float(values)
    if kind in (pl.String, pl.Boolean):
        return _text(values.cast(pl.String))
    return values.to_physical(), constant("", None, values.len())


def _coded(values: pl.Series, zone: str) -> tuple[pl.Series, pl.Series]:
    whole, text = _parts(values.dtype.categories, zone)  # type: ignore[attr-defined]
    return spread(whole, values), spread(text, values)


def _float(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    column = pl.first()
    whole = (column % 1 == 0) & (column.abs() < _WHOLE)
    frame = values.to_frame().select(
        pl.when(whole).then(column).cast(pl.Int64, strict=False).alias("whole"),
        pl.when(~whole).then(column).cast(pl.String).alias("text"),
    )
    return frame["whole"], frame["text"]


def _text(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    number = values.cast(pl.Int64, strict=False)
    if number.null_count() == number.len():
        return number, values
    # "007" and "+7" are other keys than 7.
    same = (number.cast(pl.String) == values).fill_null(value=False)
    frame = pl.DataFrame({"number": number, "text": values, "same": same}).select(
        pl.when("same").then("number").alias("number"), pl.when(~pl.col("same")).then("text")
    )
    return frame["number"], frame["text"]


def known(table: Table, live: Live, without: Sequence[LoadId], plan: Plan) -> KeySet:
    """The keys of a table's loads but some."""
    from lakecast.core.keyset import KeySet

    index = KeySet(threads=min(_THREADS, len(os.sched_getaffinity(0))))
    for load, files in live.files.items():
        if load not in without:
            for file in files:
                for frame in _keys(table, file.path, plan):
                    repeats(index, frame, alike(frame.height, value=True), plan)
    return index


def _keys(table: Table, path: str, plan: Plan) -> Iterator[pl.DataFrame]:
    import pyarrow.parquet as pq

    with table.store.open_input(path) as source:
        parquet = pq.ParquetFile(source)
        if set(plan.row_key) <= set(parquet.schema_arrow.names):
            batches: Any = parquet.iter_batches(batch_size=_BATCH, columns=list(plan.row_key))
            for batch in batches:
                yield pl.DataFrame(pl.from_arrow(batch))
