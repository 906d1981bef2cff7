"""Column types of the lake: few, and chosen over the whole first load with room.

Integers become int32, or int64 where eight times the extremes do not fit; numbers that may have
a fraction stay float64, for money must not be rounded; all else is a date, an instant, a boolean
or a text. On disk dictionaries and zstd do the narrowing, and the report shows what they gained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import LOAD, ROW
from lakecast.core.contract.times import to_dates, to_utc
from lakecast.errors import DataRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from lakecast.core.contract.plan import Kind

INSTANT: Final = pl.Datetime("us", "UTC")
_ROOM: Final = 8
_INT32: Final = 2**31 - 1
_PLAIN: Final = (pl.Int64, pl.Float64, pl.Boolean, pl.String, pl.Enum, pl.Date, INSTANT)
_WIDE_INTEGERS: Final = (pl.UInt64, pl.Int128, pl.UInt128)


@dataclass(frozen=True, slots=True)
class Extremes:
    """What the whole load says of a column; None where it has no value."""

    least: float | None
    most: float | None
    whole: bool

    def plus(self, other: Extremes) -> Extremes:
        """Of both."""
        least = [x for x in (self.least, other.least) if x is not None]
        most = [x for x in (self.most, other.most) if x is not None]
        whole = self.whole and other.whole
        return Extremes(min(least, default=None), max(most, default=None), whole)


def plain(frame: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """The same rows in Int64, Float64, Boolean, String, Date and Datetime[us, UTC] only; coded
    columns (Enum) stay coded.

    Timestamps without a zone are in `timezone`; nested values become JSON, durations and times
    of day become texts.
    """
    other = [n for n, kind in frame.schema.items() if n != ROW and kind not in _PLAIN]
    plain = [_plain(frame[name], timezone).alias(name) for name in other]
    return frame.with_columns(plain) if plain else frame


def _plain(values: pl.Series, timezone: str) -> pl.Series:
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        aware = kind.time_zone is not None
        return values.cast(INSTANT) if aware else to_utc(values, timezone)
    if kind.is_numeric():
        small = kind.is_integer() and kind not in _WIDE_INTEGERS
        return values.cast(pl.Int64 if small else pl.Float64)
    return _json(values) if kind.is_nested() else values.cast(pl.String, strict=False)


def _json(values: pl.Series) -> pl.Series:
    packed = values.to_frame("v").select(pl.struct("v").struct.json_encode())
    return packed.to_series()


def extremes(rows: pl.DataFrame, kinds: Mapping[str, pl.DataType]) -> dict[str, Extremes]:
    """Extremes of every number column of some rows of these types."""
    numbers = [name for name, kind in kinds.items() if kind.is_numeric()]
    if not numbers:
        return {}
    asked = []
    for name in numbers:
        column = pl.col(name)
        asked += [
            column.min().cast(pl.Float64).alias(f"least {name}"),
            column.max().cast(pl.Float64).alias(f"most {name}"),
            (column.cast(pl.Float64).fill_null(0) % 1 == 0).all().alias(f"whole {name}"),
        ]
    row = rows.select(asked).row(0, named=True)
    return {
        n: Extremes(row[f"least {n}"], row[f"most {n}"], bool(row[f"whole {n}"])) for n in numbers
    }


def together(one: Mapping[str, Extremes], other: Mapping[str, Extremes]) -> dict[str, Extremes]:
    """Extremes of the rows of both."""
    return {
        name: one[name].plus(other[name]) if name in one and name in other else found
        for name, found in {**one, **other}.items()
    }


def first_types(
    kinds: Mapping[str, pl.DataType], found: Mapping[str, Extremes], dates: Sequence[str]
) -> pa.Schema:
    """The types of a new table's columns, `_load` last; `dates` hold no time of day."""
    import pyarrow as pa

    columns = [(name, _first(name, kind, found, name in dates)) for name, kind in kinds.items()]
    return pa.schema([*columns, (LOAD, pa.string())])


def _first(name: str, kind: pl.DataType, found: Mapping[str, Extremes], date: bool) -> pa.DataType:
    import pyarrow as pa

    if date or kind == pl.Date:
        return pa.date32()
    if isinstance(kind, pl.Datetime):
        return pa.timestamp("us", "UTC")
    if kind == pl.Boolean:
        return pa.bool_()
    if kind == pl.Float64:
        return pa.float64()
    if kind == pl.Int64:
        far = max(abs(found[name].least or 0.0), abs(found[name].most or 0.0))
        return pa.int32() if name != ROW and far * _ROOM <= _INT32 else pa.int64()
    return pa.string()


def later_types(
    table: pa.Schema, fresh: pa.Schema, found: Mapping[str, Extremes], where: str
) -> pa.Schema:
    """The table's schema and the load's new columns behind it.

    Raises `DataRefused` where values of the load do not fit a column of the table.
    """
    import pyarrow as pa

    for column in fresh:
        if column.name in table.names:
            reason = _misfit(column.type, table.field(column.name).type, found.get(column.name))
            if reason:
                raise _refused(column.name, reason, where)
    return pa.schema([*table, *(column for column in fresh if column.name not in table.names)])


def typed_for(table: pa.Schema, fresh: pa.Schema, found: Mapping[str, Extremes]) -> pa.Schema:
    """As `later_types`, but a column whose values do not fit the table's keeps its own type."""
    import pyarrow as pa

    def chosen(column: pa.Field) -> pa.Field:
        own = fresh.field(column.name) if column.name in fresh.names else column
        return own if _misfit(own.type, column.type, found.get(column.name)) else column

    new = (column for column in fresh if column.name not in table.names)
    return pa.schema([*map(chosen, table), *new])


def adopted(rows: Iterable[pl.DataFrame], fresh: pa.Schema, table: pa.Schema) -> pa.Schema:
    """The load's types, where all texts of a column read as the table's type (or there are none)
    that type: a CSV may follow a Parquet file, and a column without a value is of any type."""
    from pyarrow import types

    unlike = [
        c.name
        for c in fresh
        if types.is_string(c.type) and c.name in table.names
        if not types.is_string(table.field(c.name).type)
    ]
    if not unlike:
        return fresh
    asked = [_reads(name, table.field(name).type).alias(name) for name in unlike]
    answers = [frame.select(asked) for frame in rows]
    for name in unlike:
        if all(answer[name].all() for answer in answers):
            fresh = fresh.set(fresh.get_field_index(name), table.field(name))
    return fresh


def _reads(name: str, wanted: pa.DataType) -> pl.Expr:
    """Whether every text is a number as the type writes it, so that none is changed."""
    from pyarrow import types

    text = pl.col(name)
    same = pl.lit(value=False)
    if types.is_integer(wanted):
        number = text.cast(pl.Int32 if wanted.bit_width == 32 else pl.Int64, strict=False)
        same = number.cast(pl.String) == text
    elif types.is_floating(wanted):
        same = text.cast(pl.Float64, strict=False).is_finite()
    return (text.is_null() | same.fill_null(value=False)).all()


def _misfit(fresh: pa.DataType, table: pa.DataType, found: Extremes | None) -> str:
    from pyarrow import types

    if fresh == table or types.is_string(table):
        return ""
    if types.is_floating(table) and (types.is_integer(fresh) or types.is_boolean(fresh)):
        return ""
    if types.is_timestamp(table) and types.is_date(fresh):
        return ""
    if types.is_integer(table) and found is not None:
        limit = 2 ** (table.bit_width - 1) - 1
        far = max(abs(found.least or 0.0), abs(found.most or 0.0))
        if found.whole and far <= limit:
            return ""
        return f"has {'numbers up to ' + format(far, 'g') if found.whole else 'fractions'}"
    return f"is {fresh}"


def _refused(column: str, reason: str, where: str) -> DataRefused:
    return DataRefused(
        f"column `{column}` {reason}, which the table's type does not hold",
        where=where,
        cure="mend the file; if it is right, delete the table's folder in the lake and ingest "
        "again, this file first",
    )


def shaped(frame: pl.DataFrame, schema: pa.Schema, timezone: str) -> Any:
    """The rows as an Arrow table of the schema without `_load`; absent columns are null."""
    import pyarrow as pa

    columns = [_shaped(frame, column, timezone) for column in schema if column.name != LOAD]
    return pa.table(columns, schema=pa.schema([c for c in schema if c.name != LOAD]))


def _shaped(frame: pl.DataFrame, column: pa.Field, timezone: str) -> Any:
    import pyarrow as pa
    from pyarrow import types

    if column.name not in frame.columns:
        return pa.nulls(frame.height, column.type)
    values = frame[column.name]
    if values.null_count() == frame.height:
        return pa.nulls(frame.height, column.type)
    if types.is_dictionary(column.type):
        return _dictionary(values, column.type)
    if values.dtype == pl.String and not types.is_string(column.type):
        return _read(values, column.type)
    if types.is_date(column.type) and isinstance(values.dtype, pl.Datetime):
        values = to_dates(values, timezone)
    elif types.is_timestamp(column.type) and values.dtype == pl.Date:
        values = to_utc(values.cast(pl.Datetime("us")), timezone)
    elif types.is_string(column.type) and values.dtype != pl.String:
        values = values.cast(pl.String)
    return values.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(column.type)


def _dictionary(texts: pl.Series, wanted: pa.DataType) -> Any:
    import pyarrow as pa

    rows = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    if not pa.types.is_dictionary(rows.type):
        return rows.cast(wanted.value_type).dictionary_encode()
    codes, values = rows.indices.cast(wanted.index_type), rows.dictionary.cast(wanted.value_type)
    # A column of Polars has no code beyond its texts, so nobody need look.
    return pa.DictionaryArray.from_arrays(codes, values, safe=False)


def _read(texts: pl.Series, wanted: pa.DataType) -> Any:
    """Texts that `adopted` found to be of a number type."""
    return texts.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(wanted)


def kinds_of(table: pa.Schema, names: Sequence[str]) -> dict[str, Kind]:
    """What a table's columns say of covariates whose kind was once guessed."""
    from pyarrow import types

    kinds: dict[str, Kind] = {}
    for name in names:
        if name in table.names:
            kind = table.field(name).type
            number = types.is_floating(kind) or types.is_integer(kind)
            kinds[name] = "boolean" if types.is_boolean(kind) else "number" if number else "text"
    return kinds
