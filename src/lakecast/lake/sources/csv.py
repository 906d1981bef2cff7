"""CSV files: every column a text, every line accounted for.

A column whose texts repeat comes coded (an Enum of the texts of its block): it is parsed, judged
and written once a text instead of once a row.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import ROW
from lakecast.core.contract.coded import coded
from lakecast.errors import DataRefused
from lakecast.lake.sources.base import Content, Malformed, Piece
from lakecast.lake.sources.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from lakecast.lake.sources.files import File

SEPARATORS: Final = (",", ";", "\t", "|")
_SAMPLE: Final = 1 << 16
_ENOUGH: Final = 10_000  # rows that tell whether a column's texts repeat


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

    def content(self, scratch: Path) -> Content:
        """A hash of the stored bytes."""
        del scratch
        return Content(self.file.content())

    def pieces(self, scratch: Path, piece_bytes: int) -> Iterator[Piece]:
        """Blocks of about `piece_bytes` of text.

        Raises `DataRefused` where the file is empty, names a column twice, is not in its encoding
        or has a record longer than a block.
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

    def _pieces(self, block: int) -> Iterator[Piece]:
        names, delimiter = self._header()
        reading = self._reading(_Options(self.encoding, delimiter, block, tuple(names)))
        try:
            if reading.names != names:  # the parser read the header otherwise, and it decides
                names = self._distinct(reading.names)
                reading = self._again(reading, names=tuple(names))
            yield Piece(self._frame(_nothing(names), reading.lines.number(0)))
            if single := reading.single():
                reading = self._again(reading, single=single)
            yield from self._batches(reading, names)
        finally:
            reading.stream.let_go()

    def _reading(self, options: _Options) -> _Reading:
        lines, stream = _Lines(), Watched(self.file)
        return _Reading(options, lines, stream, _open(stream, options, lines))

    def _again(self, reading: _Reading, **options: Any) -> _Reading:
        """The file from its beginning, read otherwise."""
        reading.stream.let_go()
        return self._reading(replace(reading.options, **options))

    def _batches(self, reading: _Reading, names: list[str]) -> Iterator[Piece]:
        lines, stream = reading.lines, reading.stream
        held: pa.RecordBatch | None = None
        for batch in reading.batches():
            if held is not None:
                yield self._piece(held, lines, stream)
            held = batch
        if held is not None:
            yield from self._last(held, lines, stream)
        elif late := lines.late():
            yield Piece(self._frame(_nothing(names), lines.number(0)), late, stream.taken())

    def _piece(self, batch: pa.RecordBatch, lines: _Lines, stream: Watched) -> Piece:
        numbers = lines.number(batch.num_rows)
        return Piece(self._frame(_texts(batch), numbers), lines.until(numbers), stream.taken())

    def _last(self, batch: pa.RecordBatch, lines: _Lines, stream: Watched) -> Iterator[Piece]:
        """The last block, and the lines after it; an unclosed quote swallows the file's end."""
        piece = self._piece(batch, lines, stream)
        frame, more = piece.frame, list(lines.late())
        if frame.height and not stream.closed_quote and _swallowed(frame):
            row = frame.row(-1, named=True)
            number = int(row.pop(ROW))
            more.append(Malformed(number, repr(row), "a quote is never closed"))
            frame = frame.head(-1)
        yield Piece(frame, (*piece.malformed, *more), piece.size)

    def _frame(self, texts: pl.DataFrame, numbers: pl.Series) -> pl.DataFrame:
        return self.file.with_partition(texts).with_columns(numbers)

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
    block: int
    names: tuple[str, ...]
    single: frozenset[str] = frozenset()
    """Columns whose texts hardly repeat."""


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
        numbers = every[~np.isin(every, skipped)][:count]
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


@dataclass(slots=True)
class _Reading:
    """One parser at work on a file."""

    options: _Options
    lines: _Lines
    stream: Watched
    reader: Any
    first: Any = None

    @property
    def names(self) -> list[str]:
        """The columns, as the parser has them."""
        return list(self.reader.schema.names)

    def single(self) -> frozenset[str]:
        """Columns that are not worth their codes, as far as the first rows tell."""
        self.first = self._next()
        if self.first is None or self.first.num_rows < _ENOUGH:
            return frozenset()
        columns = zip(self.names, self.first.columns, strict=True)
        return frozenset(name for name, column in columns if not _repeats(column))

    def batches(self) -> Iterator[Any]:
        """Every batch, the first too if it was looked at."""
        batch = self._next() if self.first is None else self.first
        self.first = None
        while batch is not None:
            yield batch
            batch = self._next()

    def _next(self) -> Any:
        self.stream.wanted()
        batch = next(self.reader, None)
        self.stream.used()
        return batch


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
            column_types={
                name: pa.string()
                if name in options.single
                else pa.dictionary(pa.int32(), pa.string())
                for name in options.names
            },
            strings_can_be_null=False,
        ),
    )


def _nothing(names: list[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


def _texts(batch: pa.RecordBatch) -> pl.DataFrame:
    names = batch.schema.names
    return pl.DataFrame([_column(*pair) for pair in zip(names, batch.columns, strict=True)])


def _column(name: str, column: Any) -> pl.Series:
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        return pl.Series(name, pl.from_arrow(column))
    if not _repeats(column):
        return pl.Series(name, pl.from_arrow(column.cast(pa.string())))
    codes, texts = pl.from_arrow(column.indices), pl.from_arrow(column.dictionary)
    return coded(name, pl.Series(codes), pl.Series(texts))


def _repeats(column: Any) -> bool:
    return bool(2 * len(column.dictionary) <= len(column))


def _swallowed(frame: pl.DataFrame) -> bool:
    """Whether a field of the last row runs over lines."""
    texts = frame.drop(ROW).row(-1)
    return any("\n" in text for text in texts if text)
