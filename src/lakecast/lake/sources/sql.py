"""A query on any database that SQLAlchemy reaches."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import xxhash

from lakecast.errors import Unreachable, UsageError
from lakecast.lake.sources.base import Content, Piece
from lakecast.lake.sources.parquet import numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_ROWS: Final = 20_000
_PARAMETER: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")  # what SQLAlchemy takes for one
_KNOWN: Final = frozenset({int, float, str, bool, date, datetime, timedelta, clock})


@dataclass(frozen=True, slots=True)
class SqlItem:
    """A query; `since` is the cursor's last value, beyond which a growing source is read.

    The URL stays in the environment: only the variable's name is held and shown.
    """

    table: str
    sql_env: str
    query: str
    cursor: str | None = None
    since: str | None = None
    textual: bool = False
    size: int | None = None
    tells: bool = False

    @property
    def name(self) -> str:
        """The variable and the query's hash, for the query may be long."""
        return f"{self.sql_env}#{xxhash.xxh3_64_hexdigest(self.query.encode())[:8]}"

    @property
    def grows(self) -> bool:
        """With a cursor each load adds rows."""
        return self.cursor is not None

    def content(self, scratch: Path) -> Content:
        """Read the query into `scratch`; the hash is that of the rows, in their order.

        Raises `UsageError` where the variable is not set, the database refuses the query or the
        cursor is no column of it, `Unreachable` where the database does not answer.
        """
        hashed = xxhash.xxh3_128(f"{self.cursor}|{self.since}".encode())
        rows = 0
        last: Any = None
        for number, (names, chunk) in enumerate(self._rows()):
            hashed.update(repr(names if not rows else "").encode())
            hashed.update(repr(chunk).encode())
            _frame(names, chunk).write_parquet(scratch / f"sql-{number:06d}.parquet")
            rows += len(chunk)
            if self.cursor is not None:
                place = self._place(names, self.cursor)
                # Databases order nulls first or last, as they like.
                last = next((r[place] for r in reversed(chunk) if r[place] is not None), last)
        cursor = self.since if last is None else _kept(last)
        return Content(hashed.hexdigest(), cursor, rows)

    def pieces(self, scratch: Path, piece_bytes: int) -> Iterator[Piece]:
        """The rows that `content` read. A column's type is the widest of all its values."""
        del piece_bytes
        paths = sorted(scratch.glob("sql-*.parquet"))
        schema = _widest([pl.read_parquet_schema(path) for path in paths])
        start = 1
        for path in paths:
            frame = pl.read_parquet(path).cast(dict(schema))  # type: ignore[arg-type]
            yield Piece(numbered(frame, start), size=int(frame.estimated_size()))
            start += frame.height

    def _rows(self) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError

        engine = _engine(self.sql_env)
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                quote = engine.dialect.identifier_preparer.quote_identifier
                try:
                    result = connection.execute(*self._statement(sqlalchemy, quote))
                except SQLAlchemyError as error:
                    raise self._refused(error) from None
                names = list(result.keys())
                yield names, []
                for chunk in result.partitions(_ROWS):
                    yield names, [tuple(row) for row in chunk]
        except SQLAlchemyError as error:
            raise self._unreachable(error) from None
        finally:
            engine.dispose()

    def _place(self, names: Sequence[str], cursor: str) -> int:
        if cursor not in names:
            raise UsageError(
                f"the cursor `{cursor}` is no column of the query",
                where=f"${self.sql_env}",
                cure=f"use one of: {', '.join(names)}",
            )
        return names.index(cursor)

    def _statement(self, sqlalchemy: Any, quote: Callable[[str], str]) -> tuple[Any, ...]:
        # A colon in a quoted text is no parameter.
        query = _PARAMETER.sub(r"\\:\1", self.query.strip().rstrip(";"))
        if self.cursor is None:
            return (sqlalchemy.text(query),)
        quoted = quote(self.cursor)
        beyond = f" WHERE {quoted} > :since" if self.since is not None else ""
        text = f"SELECT * FROM ({query}) AS q{beyond} ORDER BY {quoted}"  # noqa: S608
        values = {} if self.since is None else {"since": _value(self.since)}
        return sqlalchemy.text(text), values

    # A driver's words may hold the address and the user, so only the kind of an error is told.

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"the database did not answer ({type(error).__name__})",
            where=f"${self.sql_env}",
            cure="check the URL, the network and the credentials",
        )

    def _refused(self, error: Exception) -> UsageError:
        return UsageError(
            f"the database refused the query ({type(error).__name__})",
            where=f"${self.sql_env}",
            cure="run the query by itself: its tables, columns and syntax must be the database's",
        )


def _engine(sql_env: str) -> Any:
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    url = os.environ.get(sql_env)
    if not url:
        raise UsageError(
            "the variable is not set", where=f"${sql_env}", cure="export it with an SQLAlchemy URL"
        )
    try:
        return sqlalchemy.create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError):
        raise UsageError(
            "not a URL that SQLAlchemy can use",
            where=f"${sql_env}",
            cure="write it like postgresql+psycopg://user@host/base, and install its driver",
        ) from None


def _frame(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pl.DataFrame(
        [_series(name, values) for name, values in zip(names, columns, strict=True)]
    )


def _series(name: str, values: Sequence[Any]) -> pl.Series:
    """One type a column: mixed ones are texts."""
    plain = [float(v) if isinstance(v, Decimal) else v for v in values]
    kinds = {type(value) for value in plain if value is not None}
    if not kinds <= _KNOWN:
        plain = [None if v is None else _text(v) for v in plain]
        kinds = {str}
    if kinds == {int, float}:
        plain = [None if v is None else float(v) for v in plain]
    elif len(kinds) > 1:
        plain = [None if v is None else _text(v) for v in plain]
    return pl.Series(name, plain, strict=False)


def _widest(schemas: Sequence[dict[str, pl.DataType]]) -> dict[str, pl.DataType]:
    """The type of each column that holds all its pieces'."""
    empty = [pl.DataFrame(schema=schema) for schema in schemas]
    return dict(pl.concat(empty, how="vertical_relaxed").schema)


def _text(value: Any) -> str:
    """A value for people and files."""
    return value.isoformat(sep=" ") if hasattr(value, "hour") else str(value)


def _kept(value: Any) -> str:
    """A cursor's value such that `_value` reads it back, a text in quotes: `"007"` is not 7."""
    return json.dumps(value) if isinstance(value, str) else _text(value)


def _value(text: str) -> str | int | float | datetime:
    for kind in (int, float, datetime.fromisoformat):
        try:
            return kind(text)
        except ValueError:
            continue
    return str(json.loads(text)) if text.startswith('"') else text
