"""What delta-rs is told: the actions of one commit, and what a table's log says back."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, Required, TypedDict

from lakecast.errors import LakecastError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from lakecast.lake.store import Store

FINGERPRINT: Final = "lakecast.fingerprint"
_OF_DELTA: Final = frozenset({"operation", "engineInfo", "clientVersion", "isolationLevel"})
# Commits carry what `report` shows and what fingerprints rest on, so their log is kept.
_CONFIGURATION: Final = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.checkpointInterval": "20",  # a table is opened often, and an opening reads the rest
}


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


def done(handle: Any, transaction: tuple[str, int] | None) -> bool:
    """Whether a transaction was committed; delta-rs itself takes one twice in sequence."""
    if handle is None or transaction is None:
        return False
    number = handle.transaction_version(transaction[0])
    return number is not None and number >= transaction[1]


def write(
    store: Store, handle: Any, change: Change, carried: Callable[[], Mapping[str, str]]
) -> bool:
    """True when committed, False when another writer was faster.

    `handle` is None where the table is to be created. `carried` gives the metadata of the last
    change, which rides along where columns are added in a commit of their own.
    """
    from deltalake.exceptions import CommitFailedError, DeltaError

    try:
        if handle is None:
            _create(store, change)
        else:
            _append(handle, change, carried)
    except CommitFailedError:
        return False
    except DeltaError as error:
        if handle is None and "already exists" in str(error):
            return False
        raise
    return True


def _create(store: Store, change: Change) -> None:
    from deltalake import Schema
    from deltalake.transaction import create_table_with_add_actions

    properties = change.get("properties")
    create_table_with_add_actions(
        store.uri(),
        Schema.from_arrow(change["schema"]),
        [_add(file) for file in change["add"]],
        "error",
        list(change.get("partition_by", ())),
        # delta-rs refuses configuration keys of others.
        description=json.dumps(dict(properties)) if properties else None,
        configuration=_CONFIGURATION,
        storage_options=store.storage_options,
        commit_properties=_properties(change),
    )


def _append(handle: Any, change: Change, carried: Callable[[], Mapping[str, str]]) -> None:
    remove = change.get("remove", ())
    everything = remove == "all"
    if not everything:
        _widen(handle, change, carried)
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


def _widen(handle: Any, change: Change, carried: Callable[[], Mapping[str, str]]) -> None:
    """Add the columns the table lacks, in a commit of its own that changes no data."""
    from deltalake.transaction import CommitProperties

    known = dict(zip(*_types(schema_of(handle)), strict=True))
    new = []
    wanted = _delta_schema(change["schema"])
    for column, kind in zip(wanted.fields, _types(_arrow(wanted))[1], strict=True):
        if column.name not in known:
            new.append(column)
        elif known[column.name] != kind:
            raise LakecastError(
                f"column `{column.name}` is {known[column.name]}, not {kind}",
                where=str(handle.table_uri),
                cure="cast it, or replace the whole table",
            )
    if new:
        alone = CommitProperties(
            custom_metadata=dict(carried()), max_commit_retries=_retries(change)
        )
        handle.alter.add_columns(new, commit_properties=alone)
        handle.update_incremental()


def _properties(change: Change) -> Any:
    """What rides on a commit."""
    from deltalake.transaction import CommitProperties, Transaction

    transaction = change.get("transaction")
    return CommitProperties(
        custom_metadata={**change.get("metadata", {}), FINGERPRINT: change["fingerprint"]},
        max_commit_retries=_retries(change),
        app_transactions=[Transaction(*transaction)] if transaction else None,
    )


def _retries(change: Change) -> int | None:
    """None: delta-rs retries on its own. With `expect_version` the version itself is the lock."""
    return None if change.get("expect_version") is None else 0


def _add(file: FileRef) -> Any:
    from deltalake.transaction import AddAction

    stats = json.dumps({"numRecords": file.rows})
    now = int(time.time() * 1000)
    return AddAction(file.path, file.size, dict(file.partition_values), now, True, stats)


def _remove(file: FileRef) -> Any:
    from deltalake.transaction import RemoveAction

    now = int(time.time() * 1000)
    return RemoveAction(file.path, True, now, file.size, dict(file.partition_values))


def files_of(handle: Any) -> list[FileRef]:
    """The files a handle sees, by partition, then path."""
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


def schema_of(handle: Any) -> pa.Schema:
    """The columns a handle sees."""
    return _arrow(handle.schema())


def _types(schema: pa.Schema) -> tuple[list[str], list[str]]:
    return list(schema.names), [str(kind) for kind in schema.types]


def committed(version: int, log: bytes) -> Committed:
    """A commit from the text of its log."""
    actions = (json.loads(line) for line in log.splitlines() if b'"commitInfo"' in line)
    infos = (action["commitInfo"] for action in actions if "commitInfo" in action)
    entry: dict[str, Any] = next(infos, {})
    carried = {
        key: value
        for key, value in entry.items()
        if isinstance(value, str) and key not in _OF_DELTA
    }
    return Committed(version=version, at=int(entry.get("timestamp", 0)), metadata=carried)
