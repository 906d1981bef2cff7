"""The first pass of the stage `panel`: what must be known of all rows before any is aggregated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from lakecast.columns import LOAD, ROW
from lakecast.core.panel import repeats
from lakecast.core.panel.plan import SALES, PanelPlan, Table, resolve
from lakecast.core.panel.roster import ambiguous
from lakecast.core.panel.rows import COUNTS, PERIOD, Aids, lookup_rows, sales_rows
from lakecast.core.panel.survey import (
    FIRST,
    Pile,
    Survey,
    merge_surveys,
    survey_covariates,
    survey_sales,
    surveyed,
    total_counts,
)
from lakecast.lake.pieces import Piece, pieces, read_piece, read_whole, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from lakecast.engines.protocol import Engine
    from lakecast.lake.tables import Lake
    from lakecast.spec.model import Spec

_KEY_BUCKETS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What the survey settled; `tables` are the surveys of the covariate tables by name.

    The `aids` have no vocabularies yet: those depend on the cutoff.
    """

    plan: PanelPlan
    aids: Aids
    sales: Survey
    tables: Mapping[str, Survey]
    counts: pl.DataFrame

    def last(self, table: Table) -> int | None:
        """The last period that a covariate table speaks of."""
        periods = self.tables[table.name].periods
        return int(periods[PERIOD][-1]) if periods.height else None

    def until(self, cutoff: int) -> Found:
        """What is known up to a cutoff: its series and its texts."""
        surveys = {SALES: self.sales, **self.tables}
        vocabularies = {
            measure.name: surveys[table.name].vocabulary(measure.name, cutoff)
            for table in (self.plan.sales, *self.plan.tables)
            for measure in table.measures
            if measure.text
        }
        known = self.sales.series.filter(pl.col(FIRST) <= cutoff)
        return replace(
            self,
            aids=replace(self.aids, vocabularies=vocabularies),
            sales=replace(self.sales, series=known),
        )


def explore(spec: Spec, lake: Lake, engine: Engine, buckets: int) -> Found:
    """Read all tables once, a few columns at a time.

    Raises `SpecError` for names that no table has.
    """
    names = dict.fromkeys(source.table for source in spec.sources)
    plan = resolve(spec, {name: schema_of(lake.table(name)) for name in names})
    lookups, repeated = _lookups(lake, plan)
    aids = Aids(lookups=lookups, superseded=_superseded(lake, engine, plan))
    sales = _survey_sales(lake, engine, (plan, aids), buckets)
    tables = {table.name: _survey_table(lake, engine, table) for table in plan.tables}
    counts = total_counts([repeated, sales.counts, ambiguous(sales.series, plan)])
    return Found(
        plan=plan,
        aids=aids,
        sales=sales,
        tables=tables,
        counts=counts,
    )


def sales_pieces(lake: Lake, plan: PanelPlan) -> tuple[Piece, ...]:
    """`sales` with the columns that the panel needs."""
    return table_pieces(lake, plan.sales)


def table_pieces(lake: Lake, table: Table) -> tuple[Piece, ...]:
    """A table with the columns that the panel needs."""
    order = (LOAD, ROW) if table.repeated else ()
    return pieces(lake.table(table.name), (*table.reads, *order))


def _lookups(lake: Lake, plan: PanelPlan) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """The lookups by table, one row a key, and how many rows came again."""
    frames, repeated = {}, []
    for lookup in plan.lookups:
        rows = read_whole(lake, lookup.table, (*lookup.on, *lookup.gives))
        frames[lookup.table], count = lookup_rows(rows, lookup.on)
        repeated += [("repeated_lookup", lookup.table, count)] if count else []
    return frames, pl.DataFrame(repeated, schema=COUNTS, orient="row")


def _superseded(lake: Lake, engine: Engine, plan: PanelPlan) -> dict[str, pl.DataFrame]:
    return {
        table.name: _replaced(lake, engine, table)
        for table in (plan.sales, *plan.tables)
        if table.repeated
    }


def _replaced(lake: Lake, engine: Engine, table: Table) -> pl.DataFrame:
    work = pieces(lake.table(table.name), (*table.repeated, LOAD, ROW))
    split = partial(_split_keys, key=table.repeated)
    build = partial(_superseded_of, key=table.repeated)
    buckets = {bucket: (bucket,) for bucket in range(_KEY_BUCKETS)}
    found = engine.exchange(split, work, build, buckets, title="finding repeated rows")
    return pl.concat(list(found))


def _split_keys(piece: Piece, key: tuple[str, ...]) -> dict[int, pa.Table]:
    parts = repeats.split_keys(read_piece(piece), key, _KEY_BUCKETS)
    return {bucket: part.to_arrow() for bucket, part in parts.items()}


def _superseded_of(
    bucket: int, parts: Iterable[Iterable[pa.Table]], key: tuple[str, ...]
) -> pl.DataFrame:
    del bucket
    return repeats.superseded([pl.DataFrame(table) for part in parts for table in part], key)


_Known = tuple[PanelPlan, Aids]


def _survey_sales(lake: Lake, engine: Engine, known: _Known, buckets: int) -> Survey:
    work = sales_pieces(lake, known[0])
    survey = partial(_survey_piece, known=known, buckets=buckets)
    return engine.reduce(survey, Pile.add, work, title="surveying sales").merged()


def _survey_piece(piece: Piece, known: _Known, buckets: int) -> Pile:
    ready = sales_rows(read_piece(piece), *known)
    return Pile(survey_sales(ready, known[0], load=piece.load, buckets=buckets))


def _survey_table(lake: Lake, engine: Engine, table: Table) -> Survey:
    work = pieces(lake.table(table.name), surveyed(table))
    survey = partial(_survey_covariates, table=table)
    return engine.reduce(survey, merge_surveys, work, title=f"surveying {table.name}")


def _survey_covariates(piece: Piece, table: Table) -> Survey:
    return survey_covariates(read_piece(piece), table)
