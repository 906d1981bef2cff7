"""Work on a table that changes no content: joining small files, deleting unnamed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from lakecast.lake.tables import FileRef, Table


def compact(table: Table, rows: int) -> int:
    """Join the files below `rows` rows of each partition; see `Table.compact`."""
    version = table.version()
    saved = 0
    add: list[FileRef] = []
    remove: list[FileRef] = []
    for files in _small(table, rows):
        partition = {name: value or "" for name, value in files[0].partition_values.items()}
        add.append(table.stage(_joined(table, files), partition=partition))
        remove += files
        saved += len(files) - 1
    if saved:
        kept = table.metadata
        table.commit(
            add=add,
            remove=remove,
            schema=table.schema(),
            fingerprint=table.fingerprint() or "",
            metadata=kept,
            expect_version=version,
        )
    return saved


def vacuum(table: Table, keep_versions: Sequence[int], hours: int) -> tuple[str, ...]:
    """Delete unnamed files; see `Table.vacuum`."""
    from deltalake import DeltaTable
    from deltalake.transaction import CommitProperties

    if not table.exists():
        return ()
    store = table.store
    with store.reaching():
        handle = DeltaTable(store.uri(), storage_options=store.storage_options)
        return tuple(
            handle.vacuum(
                retention_hours=hours,
                dry_run=False,
                enforce_retention_duration=False,
                full=True,
                keep_versions=list(keep_versions) or None,
                commit_properties=CommitProperties(custom_metadata=dict(table.metadata)),
            )
        )


def _small(table: Table, rows: int) -> Iterator[list[FileRef]]:
    """Files worth joining, one list a partition."""
    groups: dict[tuple[str | None, ...], list[FileRef]] = {}
    for file in table.files():
        if file.rows < rows:
            groups.setdefault(tuple(file.partition_values.values()), []).append(file)
    yield from (files for files in groups.values() if len(files) > 1)


def _joined(table: Table, files: Sequence[FileRef]) -> pa.RecordBatchReader:
    """The rows of the files one after the other, in the table's present schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    partition = set(files[0].partition_values)
    schema = pa.schema([column for column in table.schema() if column.name not in partition])

    def batches() -> Iterator[pa.RecordBatch]:
        for file in files:
            with table.store.open_input(file.path) as source:
                for batch in pq.ParquetFile(source).iter_batches():
                    yield from _conform(pa.Table.from_batches([batch]), schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


def _conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Columns that an older file lacks are null."""
    import pyarrow as pa

    columns = [
        rows.column(column.name).cast(column.type)
        if column.name in rows.schema.names
        else pa.nulls(rows.num_rows, column.type)
        for column in schema
    ]
    return pa.table(columns, schema=schema)
