"""The shuffle on one machine: parts are spilled to a scratch folder as Arrow streams.

What comes from many pieces is held back until it is worth writing, then goes to one file, part
after part. So the number of files and of reads follows the bytes, not pieces times parts.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from lakecast.engines.slices import size_of
from lakecast.errors import LakecastError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

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


@dataclass(slots=True)
class Spilled:
    """The spans of each part, in the order of the pieces: there are parts times files of them.

    `flat` holds the number of the file, start and size of each.
    """

    paths: list[Path] = field(default_factory=list)
    flat: dict[int, array[int]] = field(default_factory=dict)

    def add(self, part: int, start: int, size: int) -> None:
        """Note a span of the last file."""
        self.flat.setdefault(part, array("q")).extend((len(self.paths) - 1, start, size))

    def spans(self, part: int) -> Iterator[Span]:
        """Those of a part."""
        flat = self.flat.get(part, array("q"))
        for at in range(0, len(flat), 3):
            file, start, size = flat[at : at + 3]
            yield Span(self.paths[file], start, size)


def spill(
    engine: MapBlocks,
    split: Callable[[T], Mapping[int, pa.Table]],
    pieces: Sequence[T],
    folder: Path,
    *,
    title: str,
) -> Spilled:
    """Split all pieces and write their parts to files in the folder."""
    found = Spilled()
    waiting: list[Mapping[int, pa.Table]] = []
    held = 0
    for parts in engine.map(split, pieces, title=title):
        waiting.append(parts)
        held += size_of(parts)
        if held >= HELD:
            _write(folder, waiting, found)
            waiting, held = [], 0
    if waiting:
        _write(folder, waiting, found)
    return found


def gather(
    build: Callable[[int, Iterable[Iterable[pa.Table]]], R],
    spilled: Spilled,
    bucket: tuple[int, Sequence[int]],
) -> R:
    """Build a bucket from its parts, one after the other; a part may have no tables."""
    number, parts = bucket
    return build(number, (map(_read, spilled.spans(part)) for part in parts))


def _write(folder: Path, waiting: Sequence[Mapping[int, pa.Table]], found: Spilled) -> None:
    import pyarrow as pa

    path = folder / f"{len(found.paths)}.arrows"
    found.paths.append(path)
    try:
        with pa.OSFile(str(path), "wb") as sink:
            for part in sorted({part for parts in waiting for part in parts}):
                own = [parts.get(part) for parts in waiting]
                for table in _joined([table for table in own if table is not None]):
                    start = sink.tell()
                    _stream(sink, table)
                    found.add(part, start, sink.tell() - start)
    except OSError as error:
        raise LakecastError(
            f"cannot spill: {error}",
            where=str(path.parent),
            cure="free space there, or set TMPDIR to a disk that has more",
        ) from error


def _joined(tables: Sequence[pa.Table]) -> Iterator[pa.Table]:
    """Neighbours with the same columns and metadata as one."""
    import pyarrow as pa

    alike: list[pa.Table] = []
    for table in tables:
        if alike and not table.schema.equals(alike[0].schema, check_metadata=True):
            yield pa.concat_tables(alike).combine_chunks()
            alike = []
        alike.append(table)
    yield pa.concat_tables(alike).combine_chunks()


def _stream(sink: pa.NativeFile, table: pa.Table) -> None:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)


def _read(span: Span) -> pa.Table:
    import pyarrow as pa

    with pa.OSFile(str(span.path), "rb") as source:
        source.seek(span.start)
        options = pa.ipc.IpcReadOptions(use_threads=False)  # the workers are as many as the cores
        return pa.ipc.open_stream(source.read_buffer(span.size), options=options).read_all()
