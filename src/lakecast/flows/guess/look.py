"""Reading enough of a source to judge it: all of it up to a million rows or so."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import ROW
from lakecast.core.contract.numbers import parse_booleans, parse_numbers
from lakecast.core.contract.plan import Writing
from lakecast.core.contract.times import parse_times
from lakecast.errors import DataRefused, SpecError, UsageError
from lakecast.flows.guess.ends import ends_of
from lakecast.lake.sources import items
from lakecast.lake.sources.sniff import sniff, sniff_sql
from lakecast.spec import Format, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakecast.lake.sources import Item
    from lakecast.lake.sources.sniff import Sniffed, SniffedColumn

MOST_ROWS: Final = 1_500_000
_PIECE: Final = 8 << 20
_OFFSET: Final = r"\d{2}:\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A source and what was seen of it.

    `rows` are parsed as in `Sniffed.sample`; `whole` says whether they are all rows there are;
    `ends` are the last times of a source that is not read whole.
    `path` is what the spec says of it; for a query `sql_env` and `query` are set instead.
    """

    sniffed: Sniffed
    rows: pl.DataFrame
    whole: bool
    ends: Mapping[str, datetime] = field(default_factory=dict)
    path: str | None = None
    sql_env: str | None = None
    query: str | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return self.path or f"${self.sql_env}"

    @property
    def names(self) -> list[str]:
        """All columns."""
        return [column.name for column in self.sniffed.columns]

    @property
    def textual(self) -> bool:
        """Whether every value is written as text, yes and no included."""
        return self.sniffed.kind == "csv"

    def column(self, name: str) -> SniffedColumn:
        """A column that is there."""
        return next(c for c in self.sniffed.columns if c.name == name)

    def of(self) -> str:
        """Of what counts are: `of all 1,067,371 rows`."""
        return f"of {'all' if self.whole else 'the first'} {self.rows.height:,} rows"

    def latest(self, time: str) -> datetime:
        """The last time of a column, as far as was seen."""
        seen = [self.ends.get(time), self.rows[time].max()]
        return max(value for value in seen if isinstance(value, datetime))

    def zoned(self, name: str) -> bool:
        """Whether a time column says its zone."""
        examples = pl.Series(self.column(name).examples, dtype=pl.String)
        return bool(examples.str.contains(_OFFSET).any())


def look_at(path: str, folder: Path) -> Look:
    """Look at files; `path` as a person at the command line means it.

    Raises `UsageError` where nothing is there, `DataRefused` where there are no rows.
    """
    there = _place(path, folder)
    try:
        sniffed = sniff(there, folder)
    except SpecError:
        raise UsageError(
            f"no file at {path!r}",
            where="--source",
            cure="paths are taken from where you are, or from the project's folder; quote a glob",
        ) from None
    written = written_path(there, folder)
    return _checked(replace(_opened(there, sniffed, folder), path=written))


def _opened(there: str, sniffed: Sniffed, folder: Path) -> Look:
    """The look, its path still open; other signs than UTF-8 may stand far into a file."""
    try:
        return _look(_items(there, sniffed, folder), sniffed, folder)
    except DataRefused:
        if sniffed.kind != "csv" or sniffed.format.encoding != "utf-8":
            raise
    notes = (*sniffed.notes, "the text is not UTF-8 throughout: read as latin-1")
    other = replace(sniffed, format=_latin(sniffed.format), notes=notes)
    return _look(_items(there, other, folder), other, folder)


def _latin(given: Format) -> Format:
    return Format(
        delimiter=given.delimiter,
        decimal=given.decimal,
        thousands=given.thousands,
        encoding="latin-1",
        dates=given.dates,
    )


def _items(there: str, sniffed: Sniffed, folder: Path) -> tuple[Item, ...]:
    return items(Source(table="sniffed", path=there, format=sniffed.format), folder)


def _look(found: tuple[Item, ...], sniffed: Sniffed, scratch: Path) -> Look:
    rows, whole = _read(found, sniffed, scratch)
    return Look(
        sniffed=sniffed, rows=rows, whole=whole, ends={} if whole else ends_of(found, sniffed)
    )


def look_at_query(sql_env: str, query: str) -> Look:
    """Look at a query's rows. Raises as `sniff_sql` does, `DataRefused` where there are none."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as place:
        scratch = Path(place)
        sniffed = sniff_sql(sql_env, query, scratch)
        found = items(Source(table="sniffed", sql_env=sql_env, query=query), scratch)
        look = _look(found, sniffed, scratch)
    return _checked(replace(look, sql_env=sql_env, query=query))


def written_path(there: str, folder: Path) -> str:
    """An absolute path as the spec says it: relative where it is in the project or beside it."""
    home = Path(os.path.normpath(folder.absolute()))
    if "://" in there or Path(there).is_relative_to(home):
        return there if "://" in there else Path(there).relative_to(home).as_posix()
    relative = Path(os.path.relpath(Path(there).resolve(), folder.resolve()))
    far = relative.parts[:3] == ("..", "..", "..")
    return there if far else relative.as_posix()


def _place(path: str, folder: Path) -> str:
    """The absolute path: taken from here, else from the project's folder."""
    if "://" in path:
        return path
    here, inside = Path.cwd() / path, folder.absolute() / path
    chosen = inside if not _exists(here) and _exists(inside) else here
    return Path(os.path.normpath(chosen)).as_posix()


def _exists(path: Path) -> bool:
    """Whether the path, or its part before the first wildcard, is there."""
    parts = path.parts
    fixed = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return Path(*parts[:fixed]).exists()


def _checked(look: Look) -> Look:
    if look.rows.is_empty():
        raise DataRefused("no rows", where=look.name, cure="give a source that has rows")
    return look


def _read(found: tuple[Item, ...], sniffed: Sniffed, scratch: Path) -> tuple[pl.DataFrame, bool]:
    """Rows of the first item, then from the last item backwards, up to `MOST_ROWS`.

    Of files by date those have the oldest and the newest rows.
    """
    frames: list[pl.DataFrame] = []
    height = 0
    for item in (found[0], *found[:0:-1]):
        for piece in item.pieces(scratch, _PIECE):
            frames.append(_parsed(piece.frame.drop(ROW), sniffed))
            height += frames[-1].height
            if height >= MOST_ROWS:
                return pl.concat(frames, how="diagonal_relaxed"), False
    return pl.concat(frames, how="diagonal_relaxed"), True


def _parsed(frame: pl.DataFrame, sniffed: Sniffed) -> pl.DataFrame:
    names = [c for c in sniffed.columns if c.name in frame.columns]
    return pl.DataFrame([_values(frame[c.name], c, sniffed) for c in names])


def _values(values: pl.Series, column: SniffedColumn, sniffed: Sniffed) -> pl.Series:
    given = sniffed.format
    writing = Writing(
        decimal=given.decimal, thousands=given.thousands, dates=column.dates, nulls=given.nulls
    )
    if values.dtype == pl.String:
        null = pl.first().str.strip_chars().is_in(list(given.nulls))
        values = values.to_frame().select(pl.when(~null).then(pl.first())).to_series()
    if column.kind == "time":
        return parse_times(values, writing).utc.alias(column.name)
    if column.kind in ("number", "integer"):
        return parse_numbers(values, writing).alias(column.name)
    if column.kind == "boolean":
        return parse_booleans(values).alias(column.name)
    return values.cast(pl.String) if not values.dtype.is_nested() else _flat(values)


def _flat(values: pl.Series) -> pl.Series:
    """Lists and structs say nothing here."""
    return pl.Series(values.name, [None] * values.len(), dtype=pl.String)
