"""The shuffle on one machine: parts are spilled to a scratch folder as Arrow files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from lakecast.errors import LakecastError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from lakecast.engines.protocol import MapBlocks

T = TypeVar("T")
R = TypeVar("R")


def spill(
    engine: MapBlocks,
    split: Callable[[T], Mapping[int, pa.Table]],
    pieces: Sequence[T],
    folder: Path,
    *,
    title: str,
) -> None:
    """Split all pieces; the part of a piece for a bucket is one file in the bucket's folder."""
    work = partial(_spill, split, folder)
    for _ in engine.map(work, list(enumerate(pieces)), title=title):
        pass


def gather(build: Callable[[int, Iterable[pa.Table]], R], folder: Path, bucket: int) -> R:
    """Build a bucket from its files, in the order of the pieces; from nothing if it has none."""
    return build(bucket, (_read(path) for path in sorted((folder / str(bucket)).glob("*.arrow"))))


def _spill(
    split: Callable[[T], Mapping[int, pa.Table]], folder: Path, numbered: tuple[int, T]
) -> None:
    number, piece = numbered
    for bucket, table in split(piece).items():
        place = folder / str(bucket)
        place.mkdir(exist_ok=True)
        # Leading zeros, so that the names sort as the pieces do.
        _write(place / f"{number:08d}.arrow", table)


def _write(path: Path, table: pa.Table) -> None:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="lz4")
    try:
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, table.schema, options=options) as writer,
        ):
            writer.write_table(table)
    except OSError as error:
        raise LakecastError(
            f"cannot spill: {error}",
            where=str(path.parent.parent),
            cure="free space there, or set TMPDIR to a disk that has more",
        ) from error


def _read(path: Path) -> pa.Table:
    import pyarrow as pa

    with pa.OSFile(str(path), "rb") as source:
        return pa.ipc.open_file(source).read_all()
