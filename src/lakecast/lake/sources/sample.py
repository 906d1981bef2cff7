"""A sample of CSV files as texts: their encoding, their delimiter, rows from all over them."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.errors import DataRefused
from lakecast.lake.sources.csv import SEPARATORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.lake.sources.files import File

_HEAD: Final = 1 << 19
_SLICE: Final = 1 << 16
_SLICES: Final = 8


@dataclass(frozen=True, slots=True)
class Text:
    """How a text file is written."""

    encoding: str = "utf-8"
    delimiter: str | None = None
    notes: tuple[str, ...] = ()


def csv_sample(files: Sequence[File]) -> tuple[Text, pl.DataFrame]:
    """How the files are written, after the first, and rows of all of them as texts.

    Rows come from the head and, where a file is not packed, from eight places behind it, because
    a file sorted by date shows few dates at its head.
    """
    heads = [_read(file) for file in files]
    text = look(b"\n".join(heads[0]))
    rows: list[list[str]] = []
    header: list[str] = []
    for pieces in heads:
        records = _records(pieces, text)
        if not records:
            raise DataRefused("empty: no header line", where=files[0].name, cure="send it again")
        header = header or records[0]
        rows += records[1:]
    even = [row for row in rows if len(row) == len(header)]
    columns = list(zip(*even, strict=True)) if even else [()] * len(header)
    named = dict(zip(header, columns, strict=True))
    return text, pl.DataFrame({n: pl.Series(n, v, dtype=pl.String) for n, v in named.items()})


def look(data: bytes) -> Text:
    """Encoding and delimiter of a sample of bytes that ends anywhere."""
    encoding, notes = _encoding(data)
    text = data.decode(encoding, errors="replace")
    return Text(encoding, _delimiter(text), notes)


def _encoding(data: bytes) -> tuple[str, tuple[str, ...]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", ("the text is UTF-16, by its byte-order mark",)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end >= len(data) - 3 and error.reason == "unexpected end of data":
            return "utf-8", ()
        odd = any(0x80 <= byte <= 0x9F for byte in data)
        name = "cp1252" if odd else "latin-1"
        return name, (f"the text is not UTF-8: read as {name}",)
    return "utf-8", ()


def _delimiter(text: str) -> str:
    """The separator that gives most lines the header's number of fields."""
    lines = text.lstrip("\ufeff").splitlines()[:200]

    def score(mark: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        if not widths or widths[0] < 2:
            return 0.0, 0
        return Counter(widths)[widths[0]] / len(widths), widths[0]

    return max(SEPARATORS, key=score)


def _read(file: File) -> list[bytes]:
    """Pieces of whole lines; the first has the header."""
    store = file.store
    with store.open_input_stream(file.path, decompress=True) as stream:
        head = bytes(stream.read(_HEAD))
    if file.path.endswith(".gz") or file.size <= _HEAD:
        return [head]
    pieces = [head[: head.rfind(b"\n") + 1]]
    with store.open_input(file.path) as source:
        for place in range(1, _SLICES + 1):
            source.seek(_HEAD + (file.size - _HEAD - _SLICE) * place // _SLICES)
            data = bytes(source.read(_SLICE))
            pieces.append(data[data.find(b"\n") + 1 : data.rfind(b"\n") + 1])
    return pieces


def _records(pieces: Sequence[bytes], text: Text) -> list[list[str]]:
    """Rows of all pieces; a quoted line break at a cut costs a row or two, no more."""
    records: list[list[str]] = []
    for piece in pieces:
        words = piece.decode(text.encoding, errors="replace").lstrip("\ufeff")
        records += csv.reader(StringIO(words), delimiter=text.delimiter or ",")
    return [record for record in records if record]
