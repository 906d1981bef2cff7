"""The stage `panel`: sales and covariates in the lake become the panel, bucket by bucket.

Three passes. The *survey* reads what must be known of all rows (periods, series, texts). The
*exchange* brings the rows of each part of a bucket together, aggregated: about half a million rows
of neighbouring series. Buckets are then built and written part after part, so memory is bounded by
one part a worker, however large the panel; one commit a table puts them in place.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import BUCKET, LOAD
from lakecast.core.panel.aggregate import ROWS, finish, merge
from lakecast.core.panel.complete import Cut, cut
from lakecast.core.panel.covariates import Values, by_keys, statics
from lakecast.core.panel.findings import misaligned, panel_findings
from lakecast.core.panel.job import (
    Job,
    assemble,
    reduce_covariates,
    shuffled,
    split_covariates,
    split_sales,
    table_keys,
)
from lakecast.core.panel.plan import SALES, Table
from lakecast.core.panel.roster import divided, parts_of, roster
from lakecast.engines.slices import Slices
from lakecast.flows.fingerprint import CODE
from lakecast.flows.stages.panel_survey import Found, explore, sales_pieces, table_pieces
from lakecast.lake import panels
from lakecast.lake.panels import (
    PANEL,
    Change,
    StagedBucket,
    bucket_count,
    commit_buckets,
    known_series,
    read_about,
    read_findings,
    stage_bucket,
)
from lakecast.lake.pieces import Piece, loads, read_piece
from lakecast.machine import give_back
from lakecast.spec import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from lakecast.core.panel.build import Built
    from lakecast.engines.protocol import Engine
    from lakecast.lake.tables import Lake
    from lakecast.spec.model import Spec

_TABLE: Final = b"lakecast.table"


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelOutcome:
    """What the stage did: `rebuilt` are the buckets written, none where nothing had changed.

    `cutoff`, `series` and `rows` are the whole panel's.
    """

    cutoff: int
    series: int
    rows: int
    rebuilt: tuple[int, ...]


def panel_spec(spec: Spec) -> list[Any]:
    """The part of a spec that the panel follows from, for fingerprints."""
    sources = [
        [s.table, s.row_key, s.repeated, s.on, s.time, s.frequency, s.lookup, s.columns]
        for s in spec.sources
    ]
    return [spec.panel, sources, spec.forecast.horizon]


def build_panel(
    spec: Spec, lake: Lake, engine: Engine, *, fingerprint: str, as_of: datetime | None = None
) -> PanelOutcome:
    """Bring the panel up to the sales in the lake.

    Nothing is done where the panel carries this fingerprint. Otherwise the buckets are rebuilt
    whose loads, cutoff, covariates or spec changed. Raises `SpecError` for names that no table
    has, and `DataRefused` for data that make no panel.
    """
    about = read_about(lake)
    if about and lake.table(PANEL).fingerprint() == fingerprint:
        return _outcome(about, ())
    buckets = bucket_count(lake, spec.panel.buckets)
    found = explore(spec, lake, engine, buckets)
    end = cut(found.sales.periods, found.plan.clock, as_of)
    found = found.until(end.cutoff)
    signatures = _signatures(spec, lake, found, end, buckets)
    touched = _touched(signatures, about)
    job = _job(lake, engine, found, end, buckets)
    whole = [
        panel_findings(end, found.counts, found.plan), misaligned(found.sales.series, found.plan)
    ]  # fmt: skip
    del found  # a row a series, of which the job has its own
    staged = list(_build(lake, engine, job, touched))
    change = Change(
        staged=staged,
        buckets=buckets,
        findings=_findings(lake, whole, staged),
        about=_about(job, signatures, _sizes(staged, about)),
        fingerprint=fingerprint,
    )
    commit_buckets(lake, change)
    return _outcome(change.about, touched)


def _outcome(about: Mapping[str, Any], rebuilt: tuple[int, ...]) -> PanelOutcome:
    sizes = about["sizes"].values()
    return PanelOutcome(
        cutoff=about["cutoff"],
        series=sum(size["series"] for size in sizes),
        rows=sum(size["rows"] for size in sizes),
        rebuilt=rebuilt,
    )


def _signatures(spec: Spec, lake: Lake, found: Found, end: Cut, buckets: int) -> dict[str, str]:
    """What each bucket's content follows from; equal signatures need no rebuild."""
    plan = found.plan
    others = {source.table for source in spec.sources} - {SALES}
    # A row that replaces another may stand in another bucket, so then every load touches all.
    everywhere = loads(lake.table(SALES)) if plan.repeated else ()
    shared = [
        CODE["panel"], panel_spec(spec), end.cutoff, found.aids.vocabularies, everywhere,
        {name: loads(lake.table(name)) for name in sorted(others)},
    ]  # fmt: skip
    by_bucket = found.sales.loads.group_by(BUCKET).agg(pl.col(LOAD).sort())
    own = dict(by_bucket.select(BUCKET, LOAD).iter_rows())
    return {str(bucket): digest(shared, own.get(bucket, [])) for bucket in range(buckets)}


def _touched(signatures: Mapping[str, str], about: Mapping[str, Any]) -> tuple[int, ...]:
    """The buckets to rebuild; all where none differs, so that the new fingerprint is written."""
    known = about.get("signatures", {})
    changed = tuple(int(b) for b, signed in signatures.items() if known.get(b) != signed)
    return changed or tuple(int(b) for b in signatures)


def _job(lake: Lake, engine: Engine, found: Found, end: Cut, buckets: int) -> Job:
    plan = found.plan
    known = known_series(lake, plan.columns.series)
    series = divided(
        roster(found.sales.series, plan, known, buckets), found.sales.series, plan,
        cutoff=end.cutoff, rows=panels.BLOCK_ROWS,
    )  # fmt: skip
    job = Job(plan=plan, cutoff=end.cutoff, roster=series, aids=found.aids)
    large = {table.name for table in shuffled(plan)}
    given = tuple(
        _given(lake, engine, table, job) for table in plan.tables if table.name not in large
    )
    return Job(
        plan=plan,
        cutoff=end.cutoff,
        roster=statics(series, given, found.aids.vocabularies),
        aids=found.aids,
        joined=given,
        lasts={table.name: found.last(table) for table in shuffled(plan)},
    )


def _given(lake: Lake, engine: Engine, table: Table, job: Job) -> Values:
    """A covariate table small enough for every bucket, reduced to one row a key and period."""
    keys = table_keys(table)
    work = partial(_reduce_piece, table=table, job=job)
    together = partial(_merged, table=table)
    parts = engine.reduce(work, together, table_pieces(lake, table), title=f"reading {table.name}")
    return by_keys(table, finish(parts, keys, table.measures).drop(ROWS), job.roster)


def _reduce_piece(piece: Piece, table: Table, job: Job) -> pl.DataFrame:
    return reduce_covariates(read_piece(piece), table, job)


def _merged(left: pl.DataFrame, right: pl.DataFrame, table: Table) -> pl.DataFrame:
    return merge(pl.concat([left, right]), table_keys(table), table.measures)


def _build(lake: Lake, engine: Engine, job: Job, touched: Sequence[int]) -> Iterable[StagedBucket]:
    large = [piece for table in shuffled(job.plan) for piece in table_pieces(lake, table)]
    work = [*sales_pieces(lake, job.plan), *large]
    parts = parts_of(job.roster, touched)
    wanted = frozenset(part for some in parts.values() for part in some)
    own = replace(job, wanted=wanted)
    _ = own.ranks  # made once, not by every worker
    split_by = copy(own)  # what it finds series by is let go before the first part is built
    if not engine.spread:
        _ = split_by.places
    give_back()  # what finding and ordering the series left
    split = partial(_split_piece, job=split_by)
    build = partial(_build_bucket, parts=parts, job=own, lake=lake)
    return engine.exchange(split, work, build, parts, title="panel")


def _split_piece(piece: Piece, job: Job) -> Slices:
    if piece.table == SALES:
        rows, bounds = split_sales(read_piece(piece), job)
    else:
        table = next(table for table in job.plan.tables if table.name == piece.table)
        rows, bounds = split_covariates(read_piece(piece), table, job)
    named = rows.to_arrow().replace_schema_metadata({_TABLE: piece.table.encode()})
    return Slices(named, job.ranks.parts, bounds)


def _build_bucket(
    bucket: int,
    tables: Iterable[Iterable[pa.Table]],
    parts: Mapping[int, Sequence[int]],
    job: Job,
    lake: Lake,
) -> StagedBucket:
    build = partial(_built, bucket, job)
    return stage_bucket(lake, bucket, map(build, parts[bucket], tables))


def _built(bucket: int, job: Job, part: int, tables: Iterable[pa.Table]) -> Built:
    return assemble(bucket, part, _rows(tables), job)


def _rows(tables: Iterable[pa.Table]) -> dict[str, pl.DataFrame]:
    """The rows by the table that they are of.

    Joined first: a part may come in hundreds of small tables, and each frame takes its time.
    """
    import pyarrow as pa

    found: dict[str, list[pa.Table]] = {}
    for table in tables:
        found.setdefault(table.schema.metadata[_TABLE].decode(), []).append(table)
    return {
        name: pl.DataFrame(pa.concat_tables(found.pop(name)).combine_chunks()) for name in [*found]
    }


def _findings(
    lake: Lake, whole: Sequence[pl.DataFrame], staged: Sequence[StagedBucket]
) -> pl.DataFrame:
    """Those of the panel as a whole, of the buckets rebuilt, and of the others as they were."""
    rebuilt = [part.bucket for part in staged]
    kept = read_findings(lake).filter((pl.col(BUCKET) >= 0) & ~pl.col(BUCKET).is_in(rebuilt))
    return pl.concat([*whole, kept, *(part.findings for part in staged)])


def _sizes(staged: Sequence[StagedBucket], about: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    new = {str(part.bucket): {"rows": part.rows, "series": part.series} for part in staged}
    return {**about.get("sizes", {}), **new}


def _about(
    job: Job, signatures: Mapping[str, str], sizes: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """What `lake.lake_panel` reads."""
    plan = job.plan
    timed = [m.name for m in plan.varying if m.text]
    return {
        "cutoff": job.cutoff,
        "horizon": plan.horizon,
        "frequency": plan.clock.frequency.text,
        "timezone": plan.clock.timezone,
        "seasons": list(plan.panel.seasons),
        "series": list(plan.columns.series),
        "time": plan.columns.time,
        "target": plan.columns.target,
        "covariates": {m.name: m.role for m in plan.varying},
        "texts": [m.name for m in plan.statics if m.text],
        "numeric": [m.name for m in plan.statics if not m.text],
        "vocabularies": {name: list(job.aids.vocabularies[name]) for name in timed},
        "signatures": dict(signatures),
        "sizes": {bucket: dict(size) for bucket, size in sizes.items()},
    }
