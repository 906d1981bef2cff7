"""Rows on their way into a load: Parquet files of this machine, typed as far as is known.

Types are chosen over a whole load, yet a load is written as it is read: under the types that fit
the table and the rows so far. Where later rows need others a new file begins, and who lands the
load writes it once more; most loads are one file that needs no more than to be moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import LOAD
from lakecast.lake.narrow import extremes, first_types, shaped, together, typed_for
from lakecast.lake.parquet_files import packing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from lakecast.lake.narrow import Extremes

GROUP: Final = 250_000
_PAGE: Final = 65_536  # rows; pages of Arrow's own 20,000 take 6% longer and a third more room


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A finished file; `schema` is what its readers see."""

    path: Path
    schema: pa.Schema
    rows: int

    def frames(self) -> Iterator[pl.DataFrame]:
        """Its rows, a row group at a time."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as parquet:
            for group in range(parquet.num_row_groups):
                yield pl.DataFrame(pl.from_arrow(parquet.read_row_group(group)))


class Parts:
    """Writes frames of plain rows (see `narrow.plain`), all with the columns of the first.

    `table` is the table's schema where it has one; `kinds` and `found` say what all rows hold.
    While a column of `filled` has no null its files say so: that takes half the time to write.
    """

    def __init__(
        self,
        folder: Path,
        table: pa.Schema | None,
        timezone: str,
        filled: Collection[str] = (),
    ) -> None:
        self.kinds: dict[str, pl.DataType] = {}
        self.found: dict[str, Extremes] = {}
        self.files: list[Part] = []
        self._folder, self._table, self._timezone = folder, table, timezone
        self._filled = frozenset(filled)
        self._open: _File | None = None

    def write(self, frame: pl.DataFrame, dates: Sequence[str]) -> None:
        """Append rows; times in `dates` were dates so far."""
        kinds = frame.schema
        told = {name: _told(kind) for name, kind in kinds.items()}
        self.kinds = self.kinds or told
        other = [pl.col(name).cast(kind) for name, kind in self.kinds.items() if told[name] != kind]
        rows = frame.with_columns(other) if other else frame
        self.found = together(self.found, extremes(rows, self.kinds))
        self._filled = frozenset(n for n in self._filled if n in told and not rows[n].null_count())
        schema = self._schema(dates)
        if self._open is None or not self._open.takes(schema, self._filled):
            self.close()
            path = self._folder / f"part-{len(self.files)}.parquet"
            coded = [name for name, kind in kinds.items() if kind == pl.Enum]
            self._open = _File(path, schema, coded, self._filled)
        self._open.write(shaped(rows, self._open.coded, self._timezone))

    def close(self) -> None:
        """Finish the file."""
        if self._open is not None:
            self.files.append(self._open.close())
            self._open = None

    def _schema(self, dates: Sequence[str]) -> pa.Schema:
        fresh = first_types(self.kinds, self.found, dates)
        schema = fresh if self._table is None else typed_for(self._table, fresh, self.found)
        return schema.remove(schema.get_field_index(LOAD))


class _File:
    """An open file: rows are gathered until they make a row group."""

    def __init__(
        self, path: Path, schema: pa.Schema, coded: Sequence[str], filled: frozenset[str]
    ) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path, self.schema, self.filled = path, schema, filled
        self.coded = _written(schema, coded, filled)
        self._rows = 0
        self._held: list[pa.Table] = []
        options = {
            **packing(self.coded),
            "store_schema": False,
            # The extremes of texts cost more than they tell: nobody asks for a range of ids.
            "write_statistics": [c.name for c in self.coded if not pa.types.is_dictionary(c.type)],
            "max_rows_per_page": _PAGE,
        }
        self._writer = pq.ParquetWriter(path, self.coded, **options)

    def takes(self, schema: pa.Schema, filled: frozenset[str]) -> bool:
        """Whether rows of this schema, with no null in these columns, fit the file."""
        return bool(self.schema == schema) and self.filled == filled

    def write(self, rows: pa.Table) -> None:
        self._held.append(rows)
        if sum(held.num_rows for held in self._held) >= GROUP:
            self._flush()

    def close(self) -> Part:
        self._flush()
        self._writer.close()
        return Part(path=self.path, schema=self.schema, rows=self._rows)

    def _flush(self) -> None:
        import pyarrow as pa

        held, self._held = self._held, []
        if held:
            group = pa.concat_tables(held).unify_dictionaries()
            self._writer.write_table(group, row_group_size=max(1, group.num_rows))
            self._rows += group.num_rows


def _written(schema: pa.Schema, coded: Sequence[str], filled: frozenset[str]) -> pa.Schema:
    """The schema with dictionaries for texts that come so (Parquet takes them as they are), and
    without nulls where there are none.
    """
    import pyarrow as pa

    kind = pa.dictionary(pa.int32(), pa.string())
    fields = (c.with_type(kind) if c.name in coded and c.type == pa.string() else c for c in schema)
    return pa.schema(field.with_nullable(field.name not in filled) for field in fields)


def _told(kind: pl.DataType) -> pl.DataType:
    return pl.String() if isinstance(kind, pl.Enum) else kind
