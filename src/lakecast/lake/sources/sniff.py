"""Looking at data nobody has described yet: how it is written and what its columns are.

Everything is decided on a sample; what was assumed is said in `notes`, for `init` to show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from lakecast.columns import ROW
from lakecast.core.contract.numbers import parse_booleans, parse_numbers
from lakecast.core.contract.plan import Writing
from lakecast.core.contract.times import parse_times
from lakecast.lake.narrow import plain
from lakecast.lake.sources.resolve import items
from lakecast.lake.sources.sample import Text, csv_sample
from lakecast.spec.model import Format, Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lakecast.lake.sources.base import Item

ColumnKind = Literal["time", "number", "integer", "boolean", "text"]
_ROWS: Final = 50_000
_SURE: Final = 0.98
_DAYS: Final = ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d",
                "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d %b %Y")  # fmt: skip
_CLOCKS: Final = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S%.f", " %I:%M:%S %p", " %I:%M %p")
_STYLES: Final = ((".", None), (",", None), (".", ","), (",", "."))
_CURRENCY: Final = r"(R\$|US\$|[$€£¥])"


@dataclass(frozen=True, kw_only=True, slots=True)
class SniffedColumn:
    """A column: its kind, and of the sample its share of nulls, distinct values and first values.

    `dates` is the strptime pattern of a time written as text (None: ISO 8601 or typed); `clock`
    says whether times are more than dates; `rival` is a second pattern that fits as well.
    """

    name: str
    kind: ColumnKind
    nulls: float
    distinct: int
    examples: tuple[str, ...]
    dates: str | None = None
    clock: bool = False
    rival: str | None = None
    currency: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sniffed:
    """What a source looks like. `format` and `kind` go into the spec as they are.

    `sample` has parsed values: Datetime[us, UTC], Float64, Int64, Boolean or String.
    """

    kind: Literal["csv", "parquet", "delta", "sql"]
    format: Format
    columns: tuple[SniffedColumn, ...]
    sample: pl.DataFrame
    files: int
    notes: tuple[str, ...]

    def of_kind(self, *kinds: ColumnKind) -> tuple[SniffedColumn, ...]:
        """The columns of these kinds."""
        return tuple(column for column in self.columns if column.kind in kinds)


def sniff(path: str, project: Path) -> Sniffed:
    """Look at a file, glob, folder, Delta table or S3 URL.

    Raises `SpecError` where nothing is there, `DataRefused` where it cannot be read at all.
    """
    source = Source(table="sniffed", path=path)
    found = items(source, project)
    return _sniff(found)


def sniff_sql(sql_env: str, query: str, scratch: Path) -> Sniffed:
    """Look at a query; it is run once, in full, into `scratch`."""
    source = Source(table="sniffed", sql_env=sql_env, query=query)
    found = items(source, scratch)
    found[0].content(scratch)
    return _looked(_head(found[0], scratch), "sql", 1, Text(), [])


def _sniff(found: Sequence[Item]) -> Sniffed:
    from lakecast.lake.sources.csv import CsvItem
    from lakecast.lake.sources.delta import DeltaItem

    first = found[0]
    notes = [f"{len(found)} files; looked at the first and the last"] if len(found) > 1 else []
    if isinstance(first, CsvItem):
        last = found[-1]
        files = [first.file, *([last.file] if isinstance(last, CsvItem) and last != first else [])]
        text, frame = csv_sample(files)
        return _looked(frame, "csv", len(found), text, [*notes, *text.notes])
    frame = _head(first, None)
    kind: Literal["parquet", "delta"] = "delta" if isinstance(first, DeltaItem) else "parquet"
    return _looked(frame, kind, len(found), Text(), notes)


def _head(item: Item, scratch: Path | None) -> pl.DataFrame:
    from pathlib import Path

    frames: list[pl.DataFrame] = []
    for piece in item.pieces(scratch or Path(), 8 << 20):
        frames.append(piece.frame)
        if sum(frame.height for frame in frames) >= _ROWS:
            break
    return pl.concat(frames, how="vertical_relaxed").drop(ROW).head(_ROWS)


def _looked(
    frame: pl.DataFrame,
    kind: Literal["csv", "parquet", "delta", "sql"],
    files: int,
    text: Text,
    notes: list[str],
) -> Sniffed:
    nulls = Format().nulls
    filled = frame.with_columns(
        pl.when(~pl.col(pl.String).str.strip_chars().is_in(list(nulls))).then(pl.col(pl.String))
    )
    decimal, thousands = _style(filled, notes)
    writing = Writing(decimal=decimal, thousands=thousands, nulls=nulls)
    columns = tuple(_column(filled[name], writing) for name in filled.columns)
    dates = _dates(columns, notes)
    parsed = [_parsed(filled[c.name], c, writing) for c in columns]
    written = Format(
        delimiter=text.delimiter,
        decimal=decimal,
        thousands=thousands,
        encoding=text.encoding,
        dates=dates,
    )
    return Sniffed(
        kind=kind,
        format=written,
        columns=columns,
        sample=plain(pl.DataFrame(parsed), "UTC"),
        files=files,
        notes=tuple(notes),
    )


def _style(frame: pl.DataFrame, notes: list[str]) -> tuple[str, str | None]:
    """The decimal and thousands marks with which most values read; the plainest of equals."""
    texts = [frame[n].drop_nulls() for n, kind in frame.schema.items() if kind == pl.String]
    texts = [column for column in texts if column.len() and column.str.contains(r"\d").any()]
    scores = [sum(_readable(column, style) for column in texts) for style in _STYLES]
    best = _STYLES[scores.index(max(scores))]
    doubtful = [c.name for c in texts if best == (".", None) and _grouped(c)]
    if doubtful:
        notes.append(
            f"`{doubtful[0]}` has three digits after every point: read as decimals, "
            'but they may be thousands (then set decimal = "," and thousands = ".")'
        )
    return best


def _readable(texts: pl.Series, style: tuple[str, str | None]) -> int:
    parsed = parse_numbers(texts, Writing(decimal=style[0], thousands=style[1]))
    count = parsed.drop_nulls().len()
    return count if count >= _SURE * texts.len() else 0


def _grouped(texts: pl.Series) -> bool:
    """Whether points stand only where thousands would have them."""
    pointed = texts.filter(texts.str.contains(".", literal=True))
    return bool(pointed.len() and pointed.str.contains(r"^[^\d]*[1-9]\d{0,2}(\.\d{3})+$").all())


def _column(values: pl.Series, writing: Writing) -> SniffedColumn:
    there = values.drop_nulls()
    kind, dates, rival = _kind(there, writing)
    return SniffedColumn(
        name=values.name,
        kind=kind,
        nulls=values.null_count() / max(1, values.len()),
        distinct=_distinct(there),
        examples=tuple(str(value) for value in there.head(3)),
        dates=dates,
        clock=kind == "time" and bool(parse_times(there, _with(writing, dates)).clock.any()),
        rival=rival,
        currency=_currency(there) if kind in ("number", "integer") else None,
    )


def _distinct(values: pl.Series) -> int:
    return values.len() if values.dtype.is_nested() else values.n_unique()


def _kind(values: pl.Series, writing: Writing) -> tuple[ColumnKind, str | None, str | None]:
    """The kind, and for times written as text their pattern and its rival."""
    kind = values.dtype
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return "time", None, None
    if kind == pl.Boolean:
        return "boolean", None, None
    if kind.is_numeric():
        return ("integer" if kind.is_integer() else "number"), None, None
    if kind != pl.String or not values.len():
        return "text", None, None
    return _text_kind(values, writing)


def _text_kind(values: pl.Series, writing: Writing) -> tuple[ColumnKind, str | None, str | None]:
    fits = [pattern for pattern in _patterns(values) if _fit(values, writing, pattern)]
    if fits:
        return "time", fits[0], next((p for p in fits[1:] if p is not None), None)
    coded = values.str.contains(r"^0\d").any()
    numbers = parse_numbers(values, writing).drop_nulls()
    if not coded and numbers.len() >= _SURE * values.len():
        return ("integer" if (numbers % 1 == 0).all() else "number"), None, None
    words = values.str.strip_chars().str.contains(r"^\D+$").all()
    if words and parse_booleans(values).drop_nulls().len() == values.len():
        return "boolean", None, None
    return "text", None, None


def _patterns(values: pl.Series) -> list[str | None]:
    """Patterns worth trying, ISO 8601 first; days before months, as most of the world writes."""
    first = str(values[0]).strip()
    marked = any(mark in first for mark in "-/.: ")
    if not 6 <= len(first) <= 40 or not (marked or len(first) == 8):
        return []
    return [None, *(f"{day}{clock}" for day in _DAYS for clock in _CLOCKS)]


def _fit(values: pl.Series, writing: Writing, pattern: str | None) -> bool:
    few = values.head(50)
    if parse_times(few, _with(writing, pattern)).utc.drop_nulls().len() < _SURE * few.len():
        return False
    years = parse_times(values, _with(writing, pattern)).utc.drop_nulls().dt.year()
    sane = years.is_between(1970, 2100).sum()
    return bool(sane >= _SURE * values.len())


def _dates(columns: Sequence[SniffedColumn], notes: list[str]) -> str | None:
    """One pattern for the source: that of its first time column."""
    written = [column for column in columns if column.kind == "time"]
    patterns = list(dict.fromkeys(column.dates for column in written))
    notes += [
        f"`{column.name}` fits {column.dates} and {column.rival}: the first is assumed"
        for column in written
        if column.rival
    ]
    if len(patterns) > 1:
        notes.append(f"times are written in {len(patterns)} ways; `{written[0].name}` decides")
    return patterns[0] if patterns else None


def _with(writing: Writing, dates: str | None) -> Writing:
    return Writing(
        decimal=writing.decimal, thousands=writing.thousands, dates=dates, nulls=writing.nulls
    )


def _currency(values: pl.Series) -> str | None:
    if values.dtype != pl.String:
        return None
    found = values.head(1_000).str.extract(_CURRENCY).drop_nulls()
    return str(found[0]) if found.len() else None


def _parsed(values: pl.Series, column: SniffedColumn, writing: Writing) -> pl.Series:
    if values.dtype != pl.String:
        return values
    if column.kind == "time":
        return parse_times(values, _with(writing, column.dates)).utc.alias(column.name)
    if column.kind in ("number", "integer"):
        numbers = parse_numbers(values, writing).alias(column.name)
        return numbers.cast(pl.Int64, strict=False) if column.kind == "integer" else numbers
    return parse_booleans(values) if column.kind == "boolean" else values
