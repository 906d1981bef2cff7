"""Delta tables whose Parquet files we write ourselves and Delta commits.

Files that no commit names do not exist: they carry random names, and a crash leaves only litter
that `Table.vacuum` removes. Every call opens the table anew, so a `Table` holds no state; read
`version` *before* what a decision rests on and give it as `expect_version`, and the commit holds
only if nothing came in between.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, Required, TypedDict, Unpack

from lakecast.errors import Conflict, LakecastError
from lakecast.lake.parquet_files import write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl
    import pyarrow as pa

    from lakecast.lake.store import Store

FINGERPRINT: Final = "lakecast.fingerprint"
_ATTEMPTS: Final = 20
_LOG: Final = "_delta_log"
_OF_DELTA: Final = frozenset({"operation", "engineInfo", "clientVersion", "isolationLevel"})
# Commits carry what `report` shows and what fingerprints rest on, so their log is kept.
_CONFIGURATION: Final = {"delta.logRetentionDuration": "interval 36500 days"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRef:
    """A Parquet file of a table: `path` below the table, rows, bytes, its partition's values."""

    path: str
    rows: int
    size: int
    partition_values: Mapping[str, str | None] = field(default_factory=dict)


StagedFile = FileRef  # written and not yet committed


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """One commit of a table's log: `metadata` holds what the writer gave, fingerprint included."""

    version: int
    at: int  # milliseconds since 1970
    metadata: Mapping[str, str]


class Change(TypedDict, total=False):
    """What one commit does; see `Table.commit`."""

    add: Required[Sequence[StagedFile]]
    schema: Required[pa.Schema]
    fingerprint: Required[str]
    remove: NotRequired[Sequence[FileRef] | Literal["all"]]
    partition_by: NotRequired[Sequence[str]]
    metadata: NotRequired[Mapping[str, str]]
    properties: NotRequired[Mapping[str, str]]
    transaction: NotRequired[tuple[str, int] | None]
    expect_version: NotRequired[int | None]


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
            for ref in _refs(handle)
            if all(ref.partition_values.get(name) == value for name, value in wanted.items())
        )

    def schema(self) -> pa.Schema:
        """Columns and types, partition columns included. Raises where the table is absent."""
        return _schema(self._must())

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
            yield _committed(version, log)

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
        groups: int | Sequence[int] | None = None,
        footer: Mapping[str, str] | None = None,
    ) -> StagedFile:
        """Write a Parquet file (zstd, dictionaries), in the order given; it counts once committed.

        Columns of `partition` are left out of the file, as Delta wants it. `groups` is the number
        of rows a row group, or the sizes of all of them, one after the other. `footer` goes into
        the file's key-value metadata. Values of `partition` are ASCII letters, digits, `-_.`.
        """
        values = {name: str(value) for name, value in (partition or {}).items()}
        folders = [_folder(name, value) for name, value in values.items()]
        path = "/".join([*folders, f"{uuid.uuid4().hex}.parquet"])
        with self.store.reaching(), self.store.open_output(path) as sink:
            rows = write_parquet(data, sink, drop=tuple(values), groups=groups, footer=footer)
            size = int(sink.tell())
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
            if _done(handle, change.get("transaction")):
                return False
            if not self._expected(handle, change):
                raise self._conflict()
            with self.store.reaching():
                if _write(self, handle, change):
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
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        options = self.store.storage_options
        try:
            with self.store.reaching():
                return DeltaTable(self.store.uri(), version=version, storage_options=options)
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


def _done(handle: Any, transaction: tuple[str, int] | None) -> bool:
    """delta-rs takes the same transaction twice in sequence, so it is looked up first."""
    if handle is None or transaction is None:
        return False
    number = handle.transaction_version(transaction[0])
    return number is not None and number >= transaction[1]


def _write(table: Table, handle: Any, change: Change) -> bool:
    """True when committed, False when another writer was faster."""
    from deltalake.exceptions import CommitFailedError, DeltaError

    try:
        if handle is None:
            _create(table, change)
        else:
            _append(table, handle, change)
    except CommitFailedError:
        return False
    except DeltaError as error:
        if handle is None and "already exists" in str(error):
            return False
        raise
    return True


def _create(table: Table, change: Change) -> None:
    from deltalake import Schema
    from deltalake.transaction import create_table_with_add_actions

    properties = change.get("properties")
    create_table_with_add_actions(
        table.store.uri(),
        Schema.from_arrow(change["schema"]),
        [_add(file) for file in change["add"]],
        "error",
        list(change.get("partition_by", ())),
        # delta-rs refuses configuration keys of others.
        description=json.dumps(dict(properties)) if properties else None,
        configuration=_CONFIGURATION,
        storage_options=table.store.storage_options,
        commit_properties=_properties(change),
    )


def _append(table: Table, handle: Any, change: Change) -> None:
    remove = change.get("remove", ())
    everything = remove == "all"
    if not everything:
        _widen(table, handle, change)
    actions: list[Any] = [_add(file) for file in change["add"]]
    if not everything:
        actions += [_remove(file) for file in remove if isinstance(file, FileRef)]
    handle.create_write_transaction(
        actions,
        "overwrite" if everything else "append",
        _delta_schema(change["schema"]) if everything else handle.schema(),
        list(handle.metadata().partition_columns),
        commit_properties=_properties(change),
    )


def _widen(table: Table, handle: Any, change: Change) -> None:
    """Add the columns the table lacks, in a commit of its own that changes no data."""
    known = dict(zip(*_types(_schema(handle)), strict=True))
    new = []
    wanted = _delta_schema(change["schema"])
    for column, kind in zip(wanted.fields, _types(_arrow(wanted))[1], strict=True):
        if column.name not in known:
            new.append(column)
        elif known[column.name] != kind:
            raise LakecastError(
                f"column `{column.name}` is {known[column.name]}, not {kind}",
                where=f"table {table.name}",
                cure="cast it, or replace the whole table",
            )
    if new:
        carried = _properties(change, fingerprint=table.fingerprint())
        handle.alter.add_columns(new, commit_properties=carried)
        handle.update_incremental()


def _properties(change: Change, *, fingerprint: str | None = "") -> Any:
    """What rides on a commit. With `expect_version` there is no retry: the version is the lock."""
    from deltalake.transaction import CommitProperties, Transaction

    alone = change.get("expect_version") is not None
    if fingerprint != "":  # a commit before the real one: it carries the last fingerprint along
        kept = {FINGERPRINT: fingerprint} if fingerprint else {}
        return CommitProperties(custom_metadata=kept, max_commit_retries=0 if alone else None)
    transaction = change.get("transaction")
    return CommitProperties(
        custom_metadata={**change.get("metadata", {}), FINGERPRINT: change["fingerprint"]},
        max_commit_retries=0 if alone else None,
        app_transactions=[Transaction(*transaction)] if transaction else None,
    )


def _add(file: FileRef) -> Any:
    from deltalake.transaction import AddAction

    stats = json.dumps({"numRecords": file.rows})
    now = int(time.time() * 1000)
    return AddAction(file.path, file.size, dict(file.partition_values), now, True, stats)


def _remove(file: FileRef) -> Any:
    from deltalake.transaction import RemoveAction

    now = int(time.time() * 1000)
    return RemoveAction(file.path, True, now, file.size, dict(file.partition_values))


def _refs(handle: Any) -> list[FileRef]:
    import pyarrow as pa

    actions = pa.table(handle.get_add_actions(flatten=True)).to_pylist()
    prefix = "partition."
    refs = [
        FileRef(
            path=action["path"],
            rows=int(action["num_records"] or 0),
            size=int(action["size_bytes"]),
            partition_values={
                name.removeprefix(prefix): None if value is None else str(value)
                for name, value in action.items()
                if name.startswith(prefix)
            },
        )
        for action in actions
    ]
    return sorted(refs, key=lambda ref: (_ordered(ref.partition_values), ref.path))


def _ordered(values: Mapping[str, str | None]) -> tuple[tuple[int, int, str], ...]:
    """Numbers as numbers, so that bucket 10 comes after bucket 9."""
    texts = [value or "" for value in values.values()]
    return tuple((0, int(t), t) if t.isdigit() else (1, 0, t) for t in texts)


def _delta_schema(schema: pa.Schema) -> Any:
    from deltalake import Schema

    return Schema.from_arrow(schema)


def _arrow(schema: Any) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(schema.to_arrow())


def _schema(handle: Any) -> pa.Schema:
    return _arrow(handle.schema())


def _types(schema: pa.Schema) -> tuple[list[str], list[str]]:
    return list(schema.names), [str(kind) for kind in schema.types]


def _committed(version: int, log: bytes) -> Committed:
    actions = (json.loads(line) for line in log.splitlines() if b'"commitInfo"' in line)
    infos = (action["commitInfo"] for action in actions if "commitInfo" in action)
    entry: dict[str, Any] = next(infos, {})
    carried = {
        key: value
        for key, value in entry.items()
        if isinstance(value, str) and key not in _OF_DELTA
    }
    return Committed(version=version, at=int(entry.get("timestamp", 0)), metadata=carried)
