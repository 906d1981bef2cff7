"""Has this `row_key` been seen? Eight bytes a row, whatever the key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lakecast.core.contract.times import to_utc
from lakecast.lake.narrow import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lakecast.core.contract.plan import Plan
    from lakecast.lake.loads import Live, LoadId
    from lakecast.lake.tables import Table

_BATCH = 1 << 18
_WHOLE = 2**53


@dataclass(slots=True)
class KeyIndex:
    """A growing set of 64-bit key hashes, kept as few sorted runs.

    Two different keys share a hash with a chance of n^2 / 2^65: 1 in 10,000 for 59 million rows.
    Such a row would be quarantined as repeated, where it can be seen.
    """

    runs: list[NDArray[np.uint64]] = field(default_factory=list)

    def fork(self) -> KeyIndex:
        """A copy that grows on its own; the runs are shared."""
        return KeyIndex(list(self.runs))

    def holds(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which hashes are in the set."""
        order = np.argsort(hashes)  # neighbours are found in the same place of a run
        asked = hashes[order]
        found = np.zeros(hashes.size, np.bool_)
        for run in self.runs:
            at = np.searchsorted(run, asked)
            found[order] |= run[np.minimum(at, run.size - 1)] == asked
        return found

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Put hashes in; runs of like size are merged, so there are few."""
        if not hashes.size:
            return
        run = np.sort(hashes)
        while self.runs and self.runs[-1].size <= 2 * run.size:
            run = np.sort(np.concatenate([self.runs.pop(), run]), kind="stable")
        self.runs.append(run)


def repeats(index: KeyIndex, values: pl.DataFrame, sound: pl.Series, plan: Plan) -> pl.Series:
    """Rows whose key a sound row had before, here or in the index; sound new keys are added."""
    if not plan.row_key or any(name not in values.columns for name in plan.row_key):
        return pl.repeat(value=False, n=values.height, eager=True)
    hashes = hashed(values, plan)
    keyed = values.select(pl.all_horizontal(pl.col(plan.row_key).is_not_null())).to_series()
    seen = pl.Series(index.holds(hashes.to_numpy())) & keyed
    fresh = sound & keyed & ~seen
    first = _first_of(pl.DataFrame({"h": hashes, "fresh": fresh}))
    index.add(hashes.filter(first).to_numpy())
    return seen | (fresh & ~first)


def _first_of(frame: pl.DataFrame) -> pl.Series:
    """The fresh rows that are the first of their hash."""
    numbered = frame.with_row_index("i").filter("fresh")
    firsts = numbered.filter(pl.col("h").is_first_distinct())["i"]
    mask = np.zeros(frame.height, np.bool_)
    mask[firsts.to_numpy()] = True
    return pl.Series(mask)


def hashed(values: pl.DataFrame, plan: Plan) -> pl.Series:
    """The keys' hashes, the same for a chunk and for what landed of it, in whatever type."""
    zone = plan.writing.timezone
    keys = plain(values.select(plan.row_key), zone)
    dates = [name for name, kind in keys.schema.items() if kind == pl.Date]
    instants = [to_utc(keys[name].cast(pl.Datetime("us")), zone) for name in dates]
    texts = [_text(name, kind) for name, kind in keys.schema.items() if name not in dates]
    return keys.with_columns(instants).with_columns(texts).hash_rows(seed=0)


def _text(name: str, kind: pl.DataType) -> pl.Expr:
    """Numbers as texts: one file says 7, another 7.0, and a CSV "7"."""
    column = pl.col(name)
    if kind == pl.Float64:
        whole = (column % 1 == 0) & (column.abs() < _WHOLE)
        number = pl.when(whole).then(column).cast(pl.Int64, strict=False)
        return number.cast(pl.String).fill_null(column.cast(pl.String))
    return column if isinstance(kind, pl.Datetime) else column.cast(pl.String)


def known(table: Table, live: Live, without: Sequence[LoadId], plan: Plan) -> KeyIndex:
    """The keys of a table's loads but some."""
    index = KeyIndex()
    for load, files in live.files.items():
        if load not in without:
            for file in files:
                for frame in _keys(table, file.path, plan):
                    index.add(hashed(frame, plan).to_numpy())
    return index


def _keys(table: Table, path: str, plan: Plan) -> Iterator[pl.DataFrame]:
    import pyarrow.parquet as pq

    with table.store.open_input(path) as source:
        parquet = pq.ParquetFile(source)
        if set(plan.row_key) <= set(parquet.schema_arrow.names):
            batches: Any = parquet.iter_batches(batch_size=_BATCH, columns=list(plan.row_key))
            for batch in batches:
                yield pl.DataFrame(pl.from_arrow(batch))
