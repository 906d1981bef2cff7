"""Tables of the lake as frames of a cluster's own, and frames back into the lake."""

from __future__ import annotations

import uuid
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from lakecast.columns import OWN_TABLES
from lakecast.errors import DataRefused, UsageError
from lakecast.lake.pieces import Piece, pieces, read_piece

if TYPE_CHECKING:
    import pyarrow as pa

    from lakecast.flows.context import Context
    from lakecast.lake.tables import StagedFile, Table

Mode = Literal["replace", "append"]
ROWS: Final = 1_000_000
"""About so many rows are a partition."""


def open_frame(context: Context, name: str) -> Any:
    """A table as the engine's own lazy frame, at the version it has now.

    Columns are backed by Arrow; those that the table is partitioned by come last, as elsewhere.
    Raises `LakecastError` where there is no such table, `UsageError` for an engine without frames.
    """
    table = context.lake.table(name)
    work = pieces(table, table.schema().names, rows=ROWS)
    return context.engine.frame(_pandas, work, _pandas(replace(work[0], groups=())))


def write_frame(context: Context, name: str, frame: Any, mode: Mode = "replace") -> int:
    """Save a frame of the engine's own as a table, its partitions in one commit; the version.

    Workers write the files. A run in MLflow records the versions of this table and of those that
    there are beside it. Raises `UsageError` for a table that a stage writes, `DataRefused` where
    partitions differ in their columns; nothing is committed then.
    """
    if name in {*OWN_TABLES, *(source.table for source in context.spec.sources)}:
        raise UsageError(
            f"`{name}` is written by Lakecast's own stages", where="write", cure="use another name"
        )
    table = context.lake.table(name)
    found = context.engine.write(frame, partial(_stage, table=table))
    schema, fingerprint = _common(found, name), uuid.uuid4().hex
    table.commit(
        add=[file for file, _ in found if file.rows],
        remove="all" if mode == "replace" and table.exists() else (),
        schema=schema,
        fingerprint=fingerprint,
    )
    version = table.version()
    _record(context, name, version, fingerprint)
    return version


def _pandas(piece: Piece) -> Any:
    return read_piece(piece).to_pandas(use_pyarrow_extension_array=True)


def _stage(part: Any, table: Table) -> tuple[StagedFile, pa.Schema]:
    import pyarrow as pa

    rows = pa.Table.from_pandas(part, preserve_index=False).replace_schema_metadata(None)
    return table.stage(rows), rows.schema


def _common(found: list[tuple[StagedFile, pa.Schema]], name: str) -> pa.Schema:
    """The schema of all partitions that have rows."""
    schemas = [schema for file, schema in found if file.rows] or [found[0][1]]
    for schema in schemas[1:]:
        if schema != schemas[0]:
            differing = sorted(f"{f.name} {f.type}" for f in set(schema) ^ set(schemas[0]))
            raise DataRefused(
                f"partitions differ in their columns: {', '.join(differing)}",
                where=name,
                cure="give each column one type (`frame.astype`) before it is written",
            )
    return schemas[0]


def _record(context: Context, name: str, version: int, fingerprint: str) -> None:
    """A run that says which version was written, beside which versions of the others."""
    from lakecast.registry.tracking import RunLog, TrainingLog, open_tracking

    versions = {one: context.lake.table(one).version() for one in _others(context)}
    versions[name] = version
    tags = {f"lakecast.table.{one}": str(value) for one, value in versions.items()}
    run = RunLog(name=f"write {name}", params={"table": name, "version": version}, tags=tags)
    tracking = open_tracking(context.settings.tracking_uri, context.spec.name)
    tracking.log(TrainingLog(fingerprint=fingerprint, run=run))


def _others(context: Context) -> list[str]:
    return [name for name in context.lake.names() if name != "lease"][:20]
