"""The panel's tables: `panel`, `series`, `future` and `findings`, written a bucket at a time.

`panel`, `series` and `future` are partitioned by `bucket`, one file a bucket, sorted by
(`series_code`, time). Row groups of `panel` hold whole series, about half a million rows each, so a
row group is a block. What a reader must know beyond the columns rides in the metadata of `panel`'s
last commit; the number of buckets is a property of the table and stays what it was at creation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import BUCKET, CODE
from lakecast.core.panel.findings import FINDINGS as FINDING
from lakecast.core.panel.findings import together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from lakecast.core.panel.build import Built
    from lakecast.lake.tables import FileRef, Lake

PANEL: Final = "panel"
SERIES: Final = "series"
FUTURE: Final = "future"
FINDINGS: Final = "findings"
ABOUT: Final = "lakecast.panel"
BLOCK_ROWS: Final = 500_000


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedBucket:
    """A bucket's files by table, written and not yet committed; none for a table without rows.

    `schemas` are the tables' columns, also of those without rows.
    """

    bucket: int
    files: Mapping[str, FileRef]
    schemas: Mapping[str, pa.Schema]
    findings: pl.DataFrame
    rows: int
    series: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What one build puts in place: `staged` of so many `buckets`, and all findings.

    `about` is what `read_about` gives back: JSON-able.
    """

    staged: Sequence[StagedBucket]
    buckets: int
    findings: pl.DataFrame
    about: Mapping[str, Any]
    fingerprint: str


def stage_bucket(lake: Lake, bucket: int, parts: Iterable[Built]) -> StagedBucket:
    """Write the files of one bucket, one part after the other; at least one part.

    Of those done, only what is small is held. The files count once `commit_buckets` names them.
    """
    held = _Held()
    # `map` and `pop`, as the variable of a loop would hold a part while the next one is built.
    tables = map(held.take, parts)
    begun = [next(tables)]
    schema, files = begun[0].schema, {}
    file = _stage_panel(lake, bucket, chain(_emptied(begun), tables), schema)
    if file.rows:
        files[PANEL] = file
    beside = {SERIES: _joined(held.series), FUTURE: _joined(held.future)}
    for name, table in beside.items():
        if table.num_rows:
            files[name] = lake.table(name).stage(table, partition={BUCKET: bucket})
    schemas = {PANEL: schema, **{name: table.schema for name, table in beside.items()}}
    return StagedBucket(
        bucket=bucket,
        files=files,
        schemas={name: _partitioned(schema) for name, schema in schemas.items()},
        findings=together(held.findings),
        rows=file.rows,
        series=beside[SERIES].num_rows,
    )


class _Held:
    """What is kept of the parts of a bucket while their rows pass by."""

    def __init__(self) -> None:
        self.series: list[pa.Table] = []
        self.future: list[pa.Table] = []
        self.findings: list[pl.DataFrame] = []

    def take(self, built: Built) -> pa.Table:
        """The rows of the panel."""
        self.series.append(_arrow(built.series))
        self.future.append(_arrow(built.future))
        self.findings.append(built.findings)
        return _arrow(built.panel)


def _stage_panel(lake: Lake, bucket: int, tables: Iterable[pa.Table], schema: pa.Schema) -> FileRef:
    import pyarrow as pa

    batches = chain.from_iterable(map(_batches, tables))
    rows = pa.RecordBatchReader.from_batches(schema, batches)
    return lake.table(PANEL).stage(rows, partition={BUCKET: bucket}, groups="batches")


def _emptied(held: list[pa.Table]) -> Iterator[pa.Table]:
    while held:
        yield held.pop()


def _batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """A batch a row group."""
    at = 0
    for size in row_groups(pl.Series(table.column(CODE)), BLOCK_ROWS):
        yield from table.slice(at, size).combine_chunks().to_batches()
        at += size


def row_groups(codes: pl.Series, limit: int) -> list[int]:
    """Sizes of row groups of whole series: as many series as stay within `limit`, at least one."""
    sizes: list[int] = []
    for length in codes.rle().struct.field("len"):
        if sizes and sizes[-1] + length <= limit:
            sizes[-1] += length
        else:
            sizes.append(length)
    return sizes


def commit_buckets(lake: Lake, change: Change) -> None:
    """Put staged buckets in the place of what the tables held for them; the rest stays.

    `panel` is committed last: its fingerprint says that all four tables are there.
    """
    _commit_findings(lake, change)
    for name in (SERIES, FUTURE, PANEL):
        _commit(lake, name, change)


def read_about(lake: Lake) -> dict[str, Any]:
    """What the last build said about the panel; empty where there is none."""
    said = lake.table(PANEL).metadata.get(ABOUT)
    return dict(json.loads(said)) if said else {}


def read_findings(lake: Lake) -> pl.DataFrame:
    """`kind`, `series`, `detail`, `count`, `bucket`, sorted; see `lakecast.core.panel.findings`."""
    table = lake.table(FINDINGS)
    if not table.exists():
        return pl.DataFrame(schema={**FINDING, BUCKET: pl.Int32()})
    return _sorted(table.scan().collect())


def known_series(lake: Lake, columns: Sequence[str]) -> pl.DataFrame | None:
    """Series columns and codes of the last panel; None where it had other series columns."""
    table = lake.table(SERIES)
    if not table.exists() or not set(columns) <= set(table.schema().names):
        return None
    return table.scan().select(*columns, CODE).collect()


def bucket_count(lake: Lake, asked: int) -> int:
    """The number of buckets: as asked for at the panel's creation, whatever is asked for now."""
    return int(lake.table(PANEL).properties.get("buckets", asked))


def _commit(lake: Lake, name: str, change: Change) -> None:
    table = lake.table(name)
    touched = {str(part.bucket) for part in change.staged}
    old = [ref for ref in table.files() if ref.partition_values[BUCKET] in touched]
    # Only a build of all buckets may have other columns than the last one.
    whole = len(change.staged) == change.buckets and table.exists()
    table.commit(
        add=[part.files[name] for part in change.staged if name in part.files],
        remove="all" if whole else old,
        schema=change.staged[0].schemas[name],
        partition_by=(BUCKET,),
        properties={"buckets": str(change.buckets)},
        metadata={ABOUT: json.dumps(change.about)} if name == PANEL else {},
        fingerprint=change.fingerprint,
    )


def _commit_findings(lake: Lake, change: Change) -> None:
    table = lake.table(FINDINGS)
    rows = _arrow(_sorted(change.findings))
    table.commit(
        add=[table.stage(rows)] if rows.num_rows else [],
        remove="all" if table.exists() else (),
        schema=rows.schema,
        fingerprint=change.fingerprint,
    )


def _sorted(findings: pl.DataFrame) -> pl.DataFrame:
    return findings.sort("kind", "series", "detail", BUCKET, nulls_last=True)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _partitioned(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    return schema.append(pa.field(BUCKET, pa.int32()))
