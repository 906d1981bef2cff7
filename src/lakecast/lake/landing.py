"""From a draft to commits: `quarantine` first, then the data; a load counts once its data does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import LOAD, REPAIRED, ROW, SOURCE
from lakecast.lake.ledger import KEY, ColumnBytes, LoadReport, pack
from lakecast.lake.loads import Live, LoadId, content_of, live
from lakecast.lake.narrow import adopted, first_types, later_types, shaped
from lakecast.lake.parts import GROUP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pyarrow as pa

    from lakecast.core.contract.plan import Plan
    from lakecast.lake.draft import Draft
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """A draft whose files lie in the lake, where nobody sees them until `land` names them.

    `schema` is the table's once it has landed.
    """

    to: Landing
    report: LoadReport
    schema: pa.Schema
    file: StagedFile
    apart: StagedFile | None

    def live(self) -> Live:
        """The table's loads once it has landed; the version is that before."""
        gone = set(self.to.replaced)
        files = {load: refs for load, refs in self.to.live.files.items() if load not in gone}
        files[self.to.load] = [self.file]
        rows = sum(file.rows for refs in files.values() for file in refs)
        return Live(self.to.live.version, files, self.schema if rows else None)


def stage(lake: Lake, draft: Draft, to: Landing) -> Staged:
    """Write a draft. Raises `DataRefused` for a value that does not fit the table."""
    table = lake.table(to.plan.table)
    schema = _schema(draft, to)
    file = _stage(table, draft, schema, to)
    return Staged(
        to=to,
        report=_report(table, draft, file, to),
        schema=schema,
        file=file,
        apart=_stage_apart(lake.table(QUARANTINE), draft, to) if draft.quarantined else None,
    )


def land(lake: Lake, group: Sequence[Staged]) -> None:
    """Commit drafts of one table together, each staged as if those before it had landed.

    A table without types takes one at a time. Raises `Conflict` when another writer changed the
    table meanwhile; then nothing of the group counts.
    """
    before, last = group[0].to.live, group[-1]
    table = lake.table(last.to.plan.table)
    _set_apart(lake, group)
    replaced = [load for staged in group for load in staged.to.replaced]
    stay = before.files.keys() - set(replaced)
    untyped = before.schema is None
    empty = [_empty(table, load, last.schema) for load in stay if untyped]
    table.commit(
        add=[*(staged.file for staged in group), *empty],
        remove="all" if untyped else [f for load in replaced for f in before.files[load]],
        schema=last.schema,
        partition_by=[LOAD],
        fingerprint=content_of(last.live().files),
        metadata={KEY: pack([staged.report for staged in group])},
        expect_version=before.version,
    )


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


def _set_apart(lake: Lake, group: Sequence[Staged]) -> None:
    """Quarantine rows of these loads; what a broken run left of the same ones is replaced."""
    import pyarrow as pa

    table = lake.table(QUARANTINE)
    held = live(table)
    old = [file for staged in group for file in held.files.get(staged.to.load, ())]
    new = {staged.to.load: staged.apart for staged in group if staged.apart is not None}
    if not new and not old:
        return
    stay = held.files.keys() - {staged.to.load for staged in group}
    table.commit(
        add=list(new.values()),
        remove=old,
        schema=_quarantine().append(pa.field(LOAD, pa.string())),
        partition_by=[LOAD],
        fingerprint=content_of(stay | new.keys()),
    )


def _stage_apart(table: Table, draft: Draft, to: Landing) -> StagedFile:
    import pyarrow as pa

    own = _quarantine()
    batches = (
        batch
        for frame in _frames(draft.apart)
        for batch in _apart(frame, to.source, own).to_batches()
    )
    reader = pa.RecordBatchReader.from_batches(own, batches)
    return table.stage(reader, partition={LOAD: str(to.load)})


def _quarantine() -> pa.Schema:
    """The columns of `quarantine` but `_load`."""
    import pyarrow as pa

    texts = ("raw", "rules", "detail", SOURCE)
    return pa.schema([*((name, pa.string()) for name in texts), (ROW, pa.int64())])


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
