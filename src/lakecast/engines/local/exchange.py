"""The shuffle on one machine: parts are spilled to a scratch folder as Arrow streams.

What comes from many pieces is held back until it is worth writing, then goes to one file, part
after part. So the number of files and of reads follows the bytes, not pieces times parts.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from lakecast.errors import LakecastError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.engines.protocol import MapBlocks

T = TypeVar("T")
R = TypeVar("R")

HELD: Final = 64_000_000
"""Bytes of parts that are held before they are written."""


class Span(NamedTuple):
    """Where some rows of one part lie: an Arrow stream within a file."""

    path: Path
    start: int
    size: int


Spilled = dict[int, list[Span]]
"""The spans of each part, in the order of the pieces."""


def spill(
    engine: MapBlocks,
    split: Callable[[T], Mapping[int, pa.Table]],
    pieces: Sequence[T],
    folder: Path,
    *,
    title: str,
) -> Spilled:
    """Split all pieces and write their parts to files in the folder."""
    found: Spilled = {}
    waiting: list[Mapping[int, pa.Table]] = []
    held = files = 0
    for parts in engine.map(split, pieces, title=title):
        waiting.append(parts)
        held += sum(table.nbytes for table in parts.values())
        if held >= HELD:
            _write(folder / f"{files}.arrows", waiting, found)
            waiting, held, files = [], 0, files + 1
    if waiting:
        _write(folder / f"{files}.arrows", waiting, found)
    return found


def gather(
    build: Callable[[int, Iterable[Iterable[pa.Table]]], R],
    spilled: Spilled,
    bucket: tuple[int, Sequence[int]],
) -> R:
    """Build a bucket from its parts, one after the other; a part may have no tables."""
    number, parts = bucket
    return build(number, (list(map(_read, spilled.get(part, ()))) for part in parts))


def _write(path: Path, waiting: Sequence[Mapping[int, pa.Table]], found: Spilled) -> None:
    import pyarrow as pa

    try:
        with pa.OSFile(str(path), "wb") as sink:
            for part in sorted({part for parts in waiting for part in parts}):
                for table in _joined([parts[part] for parts in waiting if part in parts]):
                    start = sink.tell()
                    _stream(sink, table)
                    found.setdefault(part, []).append(Span(path, start, sink.tell() - start))
    except OSError as error:
        raise LakecastError(
            f"cannot spill: {error}",
            where=str(path.parent),
            cure="free space there, or set TMPDIR to a disk that has more",
        ) from error


def _joined(tables: Sequence[pa.Table]) -> Iterator[pa.Table]:
    """Neighbours with the same columns and metadata as one."""
    import pyarrow as pa

    for _, alike in groupby(tables, key=lambda table: table.schema.serialize().to_pybytes()):
        yield pa.concat_tables(alike).combine_chunks()


def _stream(sink: pa.NativeFile, table: pa.Table) -> None:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)


def _read(span: Span) -> pa.Table:
    import pyarrow as pa

    with pa.OSFile(str(span.path), "rb") as source:
        source.seek(span.start)
        return pa.ipc.open_stream(pa.py_buffer(source.read(span.size))).read_all()
