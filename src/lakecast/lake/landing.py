"""From a draft to commits: `quarantine` first, then the data; a load counts once its data does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import LOAD, REPAIRED, ROW, SOURCE
from lakecast.lake.ledger import KEY, ColumnBytes, LoadReport, pack
from lakecast.lake.loads import LoadId, content_of, live
from lakecast.lake.narrow import adopted, first_types, later_types, shaped
from lakecast.lake.parts import GROUP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pyarrow as pa

    from lakecast.core.contract.plan import Plan
    from lakecast.lake.draft import Draft
    from lakecast.lake.loads import Live
    from lakecast.lake.tables import Lake, StagedFile, Table

QUARANTINE: Final = "quarantine"


@dataclass(frozen=True, kw_only=True, slots=True)
class Landing:
    """Where a draft goes: under which id, after which version, in place of which loads."""

    plan: Plan
    source: str
    load: LoadId
    live: Live
    replaced: Sequence[LoadId]
    cursor: str | None = None
    seconds: float = 0.0


def land(lake: Lake, draft: Draft, to: Landing) -> LoadReport:
    """Write and commit a draft. Raises `DataRefused` for a value that does not fit the table and
    `Conflict` when another writer changed the table meanwhile; then nothing of it counts.
    """
    table = lake.table(to.plan.table)
    schema = _schema(draft, to)
    staged = _stage(table, draft, schema, to)
    report = _report(table, draft, staged, to)
    _set_apart(lake, draft, to)
    stay = to.live.files.keys() - set(to.replaced)
    untyped = to.live.schema is None
    table.commit(
        add=[staged, *(_empty(table, load, schema) for load in stay if untyped)],
        remove="all" if untyped else [f for load in to.replaced for f in to.live.files[load]],
        schema=schema,
        partition_by=[LOAD],
        fingerprint=content_of(stay | {to.load}),
        metadata={KEY: pack(report)},
        expect_version=to.live.version,
    )
    return report


def tidy(lake: Lake, sources: Collection[str], tables: Collection[str]) -> None:
    """Take rows out of `quarantine` whose load no table of these sources holds (any more)."""
    apart = lake.table(QUARANTINE)
    held = live(apart)
    mine = {load for load in held.files if load.source in sources}
    if not mine:
        return
    counted = {load for name in tables for load in live(lake.table(name)).files}
    stale = mine - counted
    if stale:
        apart.commit(
            add=[],
            remove=[file for load in stale for file in held.files[load]],
            schema=apart.schema(),
            fingerprint=content_of(held.files.keys() - stale),
        )


def _schema(draft: Draft, to: Landing) -> pa.Schema:
    if not draft.landed and to.live.schema is not None:
        return to.live.schema
    time = to.plan.time
    dates = [time] if time is not None and not draft.clock else []
    fresh = first_types(draft.kinds, draft.found, dates)
    table = to.live.schema
    if table is None:
        return fresh
    return later_types(table, adopted(_rows(draft), fresh, table), draft.found, to.source)


def _stage(table: Table, draft: Draft, schema: pa.Schema, to: Landing) -> StagedFile:
    import pyarrow as pa

    own = pa.schema([column for column in schema if column.name != LOAD])
    partition = {LOAD: str(to.load)}
    if len(draft.kept) == 1 and draft.kept[0].schema == own:
        return table.stage_file(draft.kept[0].path, draft.kept[0].rows, partition)
    batches = _shaped(draft, schema, to.plan.writing.timezone)
    reader = pa.RecordBatchReader.from_batches(own, batches)
    return table.stage(reader, partition=partition, groups=GROUP)


def _empty(table: Table, load: LoadId, schema: pa.Schema) -> StagedFile:
    """What keeps a load without rows in a table whose types are only now chosen."""
    return table.stage(schema.empty_table(), partition={LOAD: str(load)})


def _shaped(draft: Draft, schema: pa.Schema, timezone: str) -> Iterator[pa.RecordBatch]:
    for frame in _rows(draft):
        yield from shaped(frame, schema, timezone).to_batches()


def _rows(draft: Draft) -> Iterator[pl.DataFrame]:
    for part in draft.kept:
        yield from part.frames()


def _frames(path: Any) -> Iterator[pl.DataFrame]:
    import pyarrow as pa

    if path.exists():
        with pa.OSFile(str(path)) as file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                yield pl.DataFrame(pl.from_arrow(reader.get_batch(number)))


def _set_apart(lake: Lake, draft: Draft, to: Landing) -> None:
    """Quarantine the load's rows; what a broken run left of the same load is replaced."""
    import pyarrow as pa

    table = lake.table(QUARANTINE)
    held = live(table)
    old = held.files.get(to.load, [])
    if not draft.quarantined and not old:
        return
    texts = ("raw", "rules", "detail", SOURCE)
    own = pa.schema([*((name, pa.string()) for name in texts), (ROW, pa.int64())])
    batches = (
        batch
        for frame in _frames(draft.apart)
        for batch in _apart(frame, to.source, own).to_batches()
    )
    reader = pa.RecordBatchReader.from_batches(own, batches)
    staged = table.stage(reader, partition={LOAD: str(to.load)})
    table.commit(
        add=[staged],
        remove=old,
        schema=own.append(pa.field(LOAD, pa.string())),
        partition_by=[LOAD],
        fingerprint=content_of(held.files.keys() | {to.load}),
    )


def _apart(frame: pl.DataFrame, source: str, schema: pa.Schema) -> pa.Table:
    rows = frame.with_columns(pl.lit(source).alias(SOURCE)).select(schema.names)
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)


def _report(table: Table, draft: Draft, staged: StagedFile, to: Landing) -> LoadReport:
    return LoadReport(
        table=to.plan.table,
        source=to.source,
        load=str(to.load),
        read=draft.read,
        landed=draft.landed,
        quarantined=draft.quarantined,
        repaired=draft.repaired,
        rules=draft.tallies,
        seconds=round(to.seconds, 3),
        columns=_columns(table, draft, staged),
        replaced=tuple(str(load) for load in to.replaced),
        cursor=to.cursor,
    )


def _columns(table: Table, draft: Draft, staged: StagedFile) -> tuple[ColumnBytes, ...]:
    """Bytes of each column, from the footer of the file just written."""
    import pyarrow.parquet as pq

    with table.store.open_input(staged.path) as source:
        parquet = pq.ParquetFile(source)
        metadata, schema = parquet.metadata, parquet.schema_arrow
    after = dict.fromkeys(schema.names, 0)
    for group in range(metadata.num_row_groups):
        for index, name in enumerate(schema.names):
            after[name] += metadata.row_group(group).column(index).total_compressed_size
    return tuple(
        ColumnBytes(
            name=name,
            type=str(schema.field(name).type),
            before=draft.sizes.get(name, 0),
            after=after[name],
        )
        for name in schema.names
        if name not in (SOURCE, REPAIRED)
    )
