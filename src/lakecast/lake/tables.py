"""Delta tables whose Parquet files we write ourselves and Delta commits.

Files that no commit names do not exist: they carry random names, and a crash leaves only litter
that `Table.vacuum` removes. Every call opens the table anew, so a `Table` holds no state; read
`version` *before* what a decision rests on and give it as `expect_version`, and the commit holds
only if nothing came in between.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Unpack

from lakecast.errors import Conflict, LakecastError
from lakecast.lake.delta_log import (
    FINGERPRINT,
    Change,
    Committed,
    FileRef,
    StagedFile,
    committed,
    done,
    files_of,
    schema_of,
    write,
)
from lakecast.lake.parquet_files import write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl
    import pyarrow as pa

    from lakecast.lake.parquet_files import Groups
    from lakecast.lake.store import Store

__all__ = [
    "FINGERPRINT",
    "Change",
    "Committed",
    "FileRef",
    "Lake",
    "Snapshot",
    "StagedFile",
    "Table",
]

_ATTEMPTS: Final = 20
_LOG: Final = "_delta_log"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table at one version; its columns include those it is partitioned by."""

    version: int
    files: tuple[FileRef, ...]
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class Lake:
    """The tables of a project."""

    store: Store

    def table(self, name: str) -> Table:
        """The table of this name, whether it exists or not."""
        return Table(name, self.store.join(name))

    def names(self) -> tuple[str, ...]:
        """Names of the tables that exist, sorted."""
        return tuple(name for name in self.store.list() if self.table(name).exists())


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table, at `store`."""

    name: str
    store: Store

    def exists(self) -> bool:
        """Whether a first commit was made."""
        return bool(self.store.list(_LOG))

    def version(self) -> int:
        """Delta version; -1 where the table does not exist. It moves on every commit."""
        handle = self._open()
        return -1 if handle is None else int(handle.version())

    def files(self, **partition: str | int) -> tuple[FileRef, ...]:
        """The files, or those of a partition such as `bucket=3`, by partition, then path."""
        handle = self._open()
        if handle is None:
            return ()
        wanted = {name: str(value) for name, value in partition.items()}
        return tuple(
            ref
            for ref in files_of(handle)
            if all(ref.partition_values.get(name) == value for name, value in wanted.items())
        )

    def snapshot(self) -> Snapshot | None:
        """Version, files and columns of one moment; None where the table does not exist."""
        handle = self._open()
        if handle is None:
            return None
        return Snapshot(int(handle.version()), tuple(files_of(handle)), schema_of(handle))

    def schema(self) -> pa.Schema:
        """Columns and types, partition columns included. Raises where the table is absent."""
        return schema_of(self._must())

    @property
    def properties(self) -> dict[str, str]:
        """What was given as `properties` when the table was created; empty where it is absent."""
        handle = self._open()
        description = None if handle is None else handle.metadata().description
        return dict(json.loads(description)) if description else {}

    @property
    def metadata(self) -> dict[str, str]:
        """What the last commit that changed data carried; empty where the table is absent."""
        return dict(next((c.metadata for c in self.history() if FINGERPRINT in c.metadata), {}))

    def fingerprint(self) -> str | None:
        """The fingerprint of the last commit that changed data."""
        return self.metadata.get(FINGERPRINT)

    def history(self) -> Iterator[Committed]:
        """Commits, newest first, one read each; not the versions a log no longer holds."""
        for version in range(self.version(), -1, -1):
            try:
                log = self.store.read_bytes(f"{_LOG}/{version:020d}.json")
            except FileNotFoundError:
                return
            yield committed(version, log)

    def scan(self, *, version: int | None = None) -> pl.LazyFrame:
        """The rows, in no particular order of files. Raises where the table is absent."""
        import polars as pl

        return pl.scan_delta(self._must(version))

    def to_arrow(
        self, *, columns: Sequence[str] | None = None, filters: pl.Expr | None = None
    ) -> pa.Table:
        """The rows in memory, texts as `large_string`."""
        import polars as pl

        frame = self.scan()
        if filters is not None:
            frame = frame.filter(filters)
        if columns is not None:
            frame = frame.select(columns)
        with self.store.reaching():
            return frame.collect(engine="streaming").to_arrow(compat_level=pl.CompatLevel.oldest())

    def uri(self, file: FileRef) -> str:
        """Where Polars finds a file."""
        return self.store.uri(file.path)

    def stage(
        self,
        data: pa.Table | pa.RecordBatchReader,
        *,
        partition: Mapping[str, str | int] | None = None,
        groups: Groups = None,
        footer: Mapping[str, str] | None = None,
    ) -> StagedFile:
        """Write a Parquet file (zstd, dictionaries), in the order given; it counts once committed.

        Columns of `partition` are left out of the file, as Delta wants it. `groups` is the number
        of rows a row group, or the sizes of all of them, one after the other, or "batches": as the
        data's batches are. `footer` goes into the file's key-value metadata. Values of `partition`
        are ASCII letters, digits, `-_.`.
        """
        values = {name: str(value) for name, value in (partition or {}).items()}
        folders = [_folder(name, value) for name, value in values.items()]
        path = "/".join([*folders, f"{uuid.uuid4().hex}.parquet"])
        with self.store.reaching(), self.store.open_output(path) as sink:
            rows = write_parquet(data, sink, drop=tuple(values), groups=groups, footer=footer)
            size = int(sink.tell())
        return FileRef(path=path, rows=rows, size=size, partition_values=values)

    def stage_file(self, local: Path, rows: int, partition: Mapping[str, str | int]) -> StagedFile:
        """Take over a Parquet file of this machine that has what `stage` would have written."""
        values = {name: str(value) for name, value in partition.items()}
        folders = [_folder(name, value) for name, value in values.items()]
        path = "/".join([*folders, f"{uuid.uuid4().hex}.parquet"])
        size = local.stat().st_size
        with self.store.reaching():
            self.store.take(local, path)
        return FileRef(path=path, rows=rows, size=size, partition_values=values)

    def commit(self, **change: Unpack[Change]) -> bool:
        """One atomic change of the table, which is created where it is absent.

        `add` files and `remove` files (or "all", which may also change the schema) together.
        `schema` is the table's, partition columns included; columns it lacks are kept, new ones
        are added and null in older files, a changed type is refused. `partition_by` and
        `properties` count at creation. `fingerprint` and `metadata` ride on the commit.

        `transaction` (id, number): False, and nothing is done, if that number was committed under
        that id. `expect_version`: raises `Conflict` unless the table is exactly at that version
        (-1: absent). Without it, a conflict with another writer starts again, twenty times.
        """
        for _ in range(_ATTEMPTS):
            handle = self._open()
            if done(handle, change.get("transaction")):
                return False
            if not self._expected(handle, change):
                raise self._conflict()
            with self.store.reaching():
                if write(self.store, handle, change, lambda: self.metadata):
                    return True
            if change.get("expect_version") is not None:
                raise self._conflict()
        raise self._conflict()

    def compact(self, *, rows: int = 1_000_000) -> int:
        """Join the small files (fewer rows) of each partition; the number of files saved.

        Content and fingerprint stay. Files are joined in the order of their paths.
        """
        from lakecast.lake.upkeep import compact

        return compact(self, rows)

    def vacuum(self, *, keep_versions: Sequence[int] = (), hours: int = 168) -> tuple[str, ...]:
        """Delete files that neither the last nor a kept version names and that are old enough.

        `hours` protects what a running writer has staged and a running reader reads.
        """
        from lakecast.lake.upkeep import vacuum

        return vacuum(self, keep_versions, hours)

    def _open(self, version: int | None = None) -> Any:
        """A fresh handle of delta-rs; None where the table does not exist."""
        from deltalake.exceptions import TableNotFoundError

        from lakecast.lake.handles import open_handle

        try:
            with self.store.reaching():
                return open_handle(self.store, version)
        except TableNotFoundError:
            return None

    def _must(self, version: int | None = None) -> Any:
        handle = self._open(version)
        if handle is None:
            raise LakecastError(
                f"table `{self.name}` does not exist",
                where=self.store.uri(),
                cure="run the stage that writes it, or `lakecast run`",
            )
        return handle

    def _expected(self, handle: Any, change: Change) -> bool:
        wanted = change.get("expect_version")
        return wanted is None or wanted == (-1 if handle is None else handle.version())

    def _conflict(self) -> Conflict:
        return Conflict(
            f"another writer changed table `{self.name}` at the same time",
            where=self.store.uri(),
            cure="run it again; one `lakecast run` at a time writes a project",
        )


def _folder(name: str, value: str) -> str:
    """The folder of a partition. Readers take the value from it, so it must need no escape."""
    if not value or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in value):
        raise LakecastError(
            f"{value!r} cannot be a partition",
            where=f"partition column {name}",
            cure="partition by numbers, ids or dates",
        )
    return f"{name}={value}"
