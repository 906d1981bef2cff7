"""The panel's pure functions run in memory, on frames as they would lie in the lake.

What the stage `panel` does with a lake and an engine is done here in a loop, so that tests of
meaning need neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import polars as pl

from lakecast.columns import LOAD, ROW
from lakecast.core.panel import job as jobs
from lakecast.core.panel.aggregate import ROWS, finish, merge
from lakecast.core.panel.build import Built
from lakecast.core.panel.complete import Cut, cut
from lakecast.core.panel.covariates import by_keys, statics
from lakecast.core.panel.findings import misaligned, panel_findings
from lakecast.core.panel.plan import SALES, PanelPlan, resolve
from lakecast.core.panel.repeats import superseded
from lakecast.core.panel.roster import divided, parts_of, roster
from lakecast.core.panel.rows import PERIOD, Aids, lookup_rows, sales_rows
from lakecast.core.panel.survey import (
    Pile,
    Survey,
    merge_surveys,
    survey_covariates,
    survey_sales,
)
from lakecast.engines.slices import Slices
from lakecast.spec import loads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lakecast.spec import Spec

Frames = Mapping[str, pl.DataFrame]

SPEC = """
spec = 1
[[sources]]
table = "sales"
path = "raw/vendas*.csv"
{sales}
{sources}
[panel]
series = {series}
time = "data"
target = "quantidade"
{panel}
[forecast]
horizon = {horizon}
"""


def spec_of(
    *,
    sales: str = "",
    sources: str = "",
    panel: str = "",
    series: Sequence[str] = ("loja",),
    horizon: int = 3,
) -> Spec:
    """A spec whose sales have `data` and `quantidade`; the rest as TOML text."""
    named = "[" + ", ".join(f'"{name}"' for name in series) + "]"
    return loads(
        SPEC.format(sales=sales, sources=sources, panel=panel, series=named, horizon=horizon)
    )


@dataclass(frozen=True)
class Whole:
    """All buckets of a panel together, and what was found on the way."""

    plan: PanelPlan
    cut: Cut
    panel: pl.DataFrame
    future: pl.DataFrame
    series: pl.DataFrame
    findings: pl.DataFrame
    built: tuple[Built, ...]

    def named(self) -> pl.DataFrame:
        """The panel with the user's series columns in the place of codes, sorted."""
        keys = [*self.plan.columns.series]
        joined = self.panel.join(self.series.select("series_code", *keys), on="series_code")
        return joined.drop("series_code").sort(*keys, self.plan.columns.time)

    def found(self, kind: str) -> list[tuple[Any, ...]]:
        """(series, detail, count) of the findings of a kind."""
        rows = self.findings.filter(pl.col("kind") == kind)
        return rows.select("series", "detail", "count").sort(pl.all()).rows()


def whole_panel(
    spec: Spec,
    frames: Frames,
    *,
    pieces: int = 1,
    buckets: int = 2,
    as_of: datetime | None = None,
    known: pl.DataFrame | None = None,
    rows: int = 1_000_000,
) -> Whole:
    """Build every bucket of the panel, with each table cut into so many pieces.

    `rows` is the size of the parts that a bucket is built in.
    """
    given = {name: _numbered(frame) for name, frame in frames.items()}
    plan = resolve(spec, {name: frame.schema for name, frame in given.items()})
    cuts = {name: _pieces(frame, pieces) for name, frame in given.items()}
    aids = _aids(plan, cuts)
    sales = [sales_rows(piece, plan, aids) for piece in cuts[SALES]]
    piles = [Pile(survey_sales(r, plan, load="L", buckets=buckets)) for r in sales]
    survey = reduce(Pile.add, piles).merged()
    tables = {
        t.name: reduce(merge_surveys, [survey_covariates(piece, t) for piece in cuts[t.name]])
        for t in plan.tables
    }
    end = cut(survey.periods, plan.clock, as_of)
    survey = replace(survey, series=survey.series.filter(pl.col("first") <= end.cutoff))
    words = _vocabularies(plan, {SALES: survey, **tables}, end.cutoff)
    aids = replace(aids, vocabularies=words)
    series = roster(survey.series, plan, known, buckets)
    series = divided(series, survey.series, plan, cutoff=end.cutoff, rows=rows)
    job = _job(jobs.Job(plan=plan, cutoff=end.cutoff, roster=series, aids=aids), cuts, tables)
    parts = _parts(job, cuts)
    built = tuple(
        jobs.assemble(bucket, part, {n: pl.concat(r) for n, r in parts.get(part, {}).items()}, job)
        for bucket, own in parts_of(series, range(buckets)).items()
        for part in own
    )
    findings = [b.findings for b in built]
    findings += [panel_findings(end, survey.counts, plan), misaligned(survey.series, plan)]
    return Whole(
        plan=plan,
        cut=end,
        panel=pl.concat([b.panel for b in built]),
        future=pl.concat([b.future for b in built]),
        series=pl.concat([b.series for b in built]),
        findings=pl.concat(findings),
        built=built,
    )


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    if LOAD in frame.columns:
        return frame
    return frame.with_columns(
        pl.lit("L").alias(LOAD), pl.int_range(1, frame.height + 1, dtype=pl.Int64).alias(ROW)
    )


def _pieces(frame: pl.DataFrame, pieces: int) -> list[pl.DataFrame]:
    size = max(-(-frame.height // pieces), 1)
    return [frame.slice(start, size) for start in range(0, max(frame.height, 1), size)]


def _aids(plan: PanelPlan, cuts: Mapping[str, list[pl.DataFrame]]) -> Aids:
    lookups = {
        one.table: lookup_rows(pl.concat(cuts[one.table]).select(*one.on, *one.gives), one.on)[0]
        for one in plan.lookups
    }
    replaced = {
        table.name: superseded(cuts[table.name], table.repeated)
        for table in (plan.sales, *plan.tables)
        if table.repeated
    }
    return Aids(lookups=lookups, superseded=replaced)


def _vocabularies(
    plan: PanelPlan, surveys: Mapping[str, Survey], cutoff: int
) -> dict[str, tuple[str, ...]]:
    return {
        m.name: surveys[table.name].vocabulary(m.name, cutoff)
        for table in (plan.sales, *plan.tables)
        for m in table.measures
        if m.text
    }


def _job(
    job: jobs.Job, cuts: Mapping[str, list[pl.DataFrame]], tables: Mapping[str, Survey]
) -> jobs.Job:
    large = jobs.shuffled(job.plan)
    joined = []
    for table in (t for t in job.plan.tables if t not in large):
        parts = pl.concat([jobs.reduce_covariates(piece, table, job) for piece in cuts[table.name]])
        keys = jobs.table_keys(table)
        values = finish(merge(parts, keys, table.measures), keys, table.measures)
        joined.append(by_keys(table, values.drop(ROWS), job.roster))
    lasts = {t.name: tables[t.name].periods[PERIOD].max() for t in large}
    return replace(
        job,
        roster=statics(job.roster, joined, job.aids.vocabularies),
        joined=tuple(joined),
        lasts=lasts,
    )


def _parts(
    job: jobs.Job, cuts: Mapping[str, list[pl.DataFrame]]
) -> dict[int, dict[str, list[pl.DataFrame]]]:
    parts: dict[int, dict[str, list[pl.DataFrame]]] = {}
    for piece in cuts[SALES]:
        _add(parts, SALES, jobs.split_sales(piece, job), job)
    for table in jobs.shuffled(job.plan):
        for piece in cuts[table.name]:
            _add(parts, table.name, jobs.split_covariates(piece, table, job), job)
    return parts


def _add(
    parts: dict[int, dict[str, list[pl.DataFrame]]], table: str, split: jobs.Split, job: jobs.Job
) -> None:
    rows, bounds = split
    for number, own in Slices(rows.to_arrow(), job.ranks.parts, bounds).items():
        parts.setdefault(number, {}).setdefault(table, []).append(pl.DataFrame(own))
