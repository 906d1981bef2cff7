"""CSV files: every column a text (see `texts`), every line accounted for."""

from __future__ import annotations

import codecs
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from lakecast.ahead import ahead
from lakecast.columns import ROW
from lakecast.errors import DataRefused
from lakecast.lake.sources.base import Content, Malformed, Piece
from lakecast.lake.sources.texts import columns_of, ways_of
from lakecast.lake.sources.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from lakecast.lake.sources.files import File
    from lakecast.lake.sources.texts import Way

SEPARATORS: Final = (",", ";", "\t", "|")
_SAMPLE: Final = 1 << 16
_BLOCK: Final = 1 << 20  # bytes parsed at a time; 16 MiB, which no cache holds, take a fifth longer


@dataclass(frozen=True, slots=True)
class CsvItem:
    """A CSV file, plain or gzip. `delimiter` None: the commonest in the header line."""

    file: File
    encoding: str
    delimiter: str | None
    textual: bool = True
    grows: bool = False

    @property
    def name(self) -> str:
        """Its path."""
        return self.file.name

    @property
    def size(self) -> int | None:
        """Bytes as they are stored; unknown where they are packed."""
        return None if self.file.path.lower().endswith(".gz") else self.file.size

    @property
    def tells(self) -> bool:
        """Where the stored bytes are what is parsed, and no tag stands for them."""
        return self.size is not None and not self.file.store.remote

    def content(self, scratch: Path) -> Content:
        """A hash of the stored bytes."""
        del scratch
        return Content(self.file.content())

    def pieces(self, scratch: Path, piece_bytes: int) -> Iterator[Piece]:
        """Rows of about `piece_bytes` of text each.

        Raises `DataRefused` where the file is empty, names a column twice, is not in its encoding
        or has a record longer than 1 MiB (or than `piece_bytes`, if they are fewer).
        """
        del scratch
        import pyarrow as pa

        try:
            with self.file.store.reaching():
                yield from self._pieces(piece_bytes)
        except pa.ArrowInvalid as error:
            raise self._refused(str(error)) from None
        except UnicodeDecodeError as error:
            raise self._refused(f"invalid {error.encoding} data: {error.reason}") from None
        except OSError as error:
            if self.size is not None:  # not packed, so it is the store that failed
                raise
            raise self._refused(f"cannot be unpacked: {error}") from None

    def _pieces(self, piece_bytes: int) -> Iterator[Piece]:
        names, delimiter = self._header()
        reading = self._reading(_Options(self.encoding, delimiter, piece_bytes, tuple(names)))
        try:
            if reading.names != names:  # the parser read the header otherwise, and it decides
                names = self._distinct(reading.names)
                reading = self._again(reading, names=tuple(names))
            yield Piece(self._frame(_nothing(names), reading.lines.number(0)))
            yield from self._parsed(reading, names)
        finally:
            reading.stream.let_go()

    def _reading(self, options: _Options) -> _Reading:
        lines = _Lines()
        utf8 = codecs.lookup(options.encoding).name == "utf-8"
        stream = Watched(self.file, utf8=utf8, hashed=self.tells)
        return _Reading(options, lines, stream, _open(stream, options, lines))

    def _again(self, reading: _Reading, **options: Any) -> _Reading:
        """The file from its beginning, read otherwise."""
        reading.stream.let_go()
        return self._reading(replace(reading.options, **options))

    def _parsed(self, reading: _Reading, names: list[str]) -> Iterator[Piece]:
        """Texts are coded while the next rows are parsed."""
        lines, stream = reading.lines, reading.stream
        held: Piece | None = None
        ways: Mapping[str, Way] | None = None
        with closing(ahead(reading.parsed())) as parsed:
            for some in parsed:
                if held is not None:
                    yield held
                ways = ways or ways_of(some.rows)
                frame = self._frame(columns_of(some.rows, ways), some.numbers)
                held = Piece(frame, some.malformed, some.size)
        if held is not None:
            yield self._last(held, reading)
        elif late := lines.late():
            nothing = self._frame(_nothing(names), lines.number(0))
            yield Piece(nothing, late, stream.taken(), stream.digest())

    def _last(self, piece: Piece, reading: _Reading) -> Piece:
        """The last rows, and the lines after them; an unclosed quote swallows the file's end."""
        frame, more = piece.frame, list(reading.lines.late())
        if frame.height and not reading.stream.closed_quote and _swallowed(frame):
            row = frame.row(-1, named=True)
            number = int(row.pop(ROW))
            more.append(Malformed(number, repr(row), "a quote is never closed"))
            frame = frame.head(-1)
        return Piece(frame, (*piece.malformed, *more), piece.size, reading.stream.digest())

    def _frame(self, texts: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
        return self.file.with_partition(texts).hstack([numbers])

    def _header(self) -> tuple[list[str], str]:
        with self.file.store.open_input_stream(self.file.path, decompress=True) as stream:
            sample = bytes(stream.read(_SAMPLE))
        if not sample.strip():
            raise self._refused("empty: not even a header line")
        if _binary(sample, self.encoding):
            raise DataRefused(
                "not a text file",
                where=self.name,
                cure="save it as CSV or Parquet; a UTF-16 text needs format.encoding",
            )
        # A text that ends in the middle of a letter is no error, a wrong letter is.
        text = codecs.getincrementaldecoder(self.encoding)().decode(sample)
        delimiter = self.delimiter or separator_of(text)
        return self._distinct(header_of(text, delimiter)), delimiter

    def _distinct(self, names: list[str]) -> list[str]:
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise self._refused(f"two columns are named `{min(twice)}`")
        return names

    def _refused(self, what: str) -> DataRefused:
        cure = "check format.encoding and format.delimiter"
        if "UTF8" in what or "invalid utf" in what:
            what, cure = "the text is not UTF-8", 'set format.encoding, e.g. "latin-1"'
        elif "unpacked" in what:
            cure = "send the file again"
        elif "straddling" in what:
            what, cure = "a record is too long (an unclosed quote?)", "close the quote"
        elif "two columns" in what or "empty" in what:
            cure = "mend the header line"
        return DataRefused(what, where=self.name, cure=cure)


def _binary(sample: bytes, encoding: str) -> bool:
    """Whether this is no text: a workbook, a Parquet file, UTF-16 read as something else."""
    if sample.startswith((b"PAR1", b"PK\x03\x04")):
        return True
    return b"\0" in sample.splitlines()[0] and not any(bits in encoding for bits in ("16", "32"))


def separator_of(text: str) -> str:
    """The delimiter that parts the header into most names."""
    return max(SEPARATORS, key=lambda mark: len(header_of(text, mark)))


def header_of(text: str, delimiter: str) -> list[str]:
    """Names in the first record of a text that is not empty."""
    import csv
    from io import StringIO

    records = csv.reader(StringIO(text.lstrip("\ufeff"), newline=None), delimiter=delimiter)
    return next((record for record in records if record), [])


@dataclass(frozen=True, slots=True)
class _Options:
    encoding: str
    delimiter: str
    piece_bytes: int
    names: tuple[str, ...]

    @property
    def block(self) -> int:
        """Bytes that are parsed at a time."""
        return min(self.piece_bytes, _BLOCK)


@dataclass(slots=True)
class _Lines:
    """Numbers the rows around the malformed ones, which the parser reports ahead of its rows."""

    bad: list[Malformed] = field(default_factory=list)
    next: int = 1

    def invalid(self, row: Any) -> str:
        """Called by the parser; its count has the header as line 1."""
        detail = f"{row.actual_columns} fields instead of {row.expected_columns}"
        self.bad.append(Malformed(int(row.number) - 1, str(row.text), detail))
        return "skip"

    def number(self, count: int) -> pl.Series:
        """Numbers of the next `count` good rows."""
        import numpy as np

        skipped = np.array([row.row for row in self.bad], np.int64)
        every = np.arange(self.next, self.next + count + skipped.size, dtype=np.int64)
        numbers = (every[~np.isin(every, skipped)] if skipped.size else every)[:count]
        if count:
            self.next = int(numbers[-1]) + 1
        return pl.Series(ROW, numbers, dtype=pl.Int64)

    def until(self, numbers: pl.Series) -> tuple[Malformed, ...]:
        """Malformed rows before the last of these numbers, handed out once."""
        last = int(numbers[-1]) if numbers.len() else 0
        given = tuple(row for row in self.bad if row.row < last)
        self.bad = [row for row in self.bad if row.row > last]
        return given

    def late(self) -> tuple[Malformed, ...]:
        """Those after the last good row."""
        given, self.bad = tuple(self.bad), []
        return given


class _Parsed(NamedTuple):
    """Rows as they were parsed, their numbers, the malformed ones before the last, and bytes."""

    rows: pa.Table
    numbers: pl.Series
    malformed: tuple[Malformed, ...]
    size: int


@dataclass(slots=True)
class _Reading:
    """One parser at work on a file."""

    options: _Options
    lines: _Lines
    stream: Watched
    reader: Any

    @property
    def names(self) -> list[str]:
        """The columns, as the parser has them."""
        return list(self.reader.schema.names)

    def parsed(self) -> Iterator[_Parsed]:
        """All rows, numbered where they are parsed: the parser reports to the same lines."""
        import pyarrow as pa

        blocks = self._blocks()
        while some := list(islice(blocks, self.options.piece_bytes // self.options.block)):
            rows = pa.Table.from_batches(some)
            numbers = self.lines.number(rows.num_rows)
            yield _Parsed(rows, numbers, self.lines.until(numbers), self.stream.taken())

    def _blocks(self) -> Iterator[pa.RecordBatch]:
        self.stream.wanted()
        while (batch := next(self.reader, None)) is not None:
            self.stream.used()
            yield batch
            self.stream.wanted()
        self.stream.used()


def _open(stream: Watched, options: _Options, lines: _Lines) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    return csv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=csv.ReadOptions(
            block_size=options.block, use_threads=False, encoding=options.encoding
        ),
        parse_options=csv.ParseOptions(
            delimiter=options.delimiter, newlines_in_values=True, invalid_row_handler=lines.invalid
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(options.names, pa.string()),
            strings_can_be_null=False,
            check_utf8=False,  # the stream does, and what is recoded to UTF-8 cannot be wrong
        ),
    )


def _nothing(names: list[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def _swallowed(frame: pl.DataFrame) -> bool:
    """Whether a field of the last row runs over lines."""
    texts = frame.drop(ROW).row(-1)
    return any("\n" in text for text in texts if text)
