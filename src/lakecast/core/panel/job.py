"""The work on one piece and on one part, once the survey has settled what there is.

split_sales, split_covariates      a piece to what it holds of each part; on every worker
assemble                           what all pieces hold of one part to its tables
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lakecast.columns import CODE
from lakecast.core.panel.aggregate import finish, lift, merge
from lakecast.core.panel.build import Built, Parts, build
from lakecast.core.panel.covariates import Values, by_series, own
from lakecast.core.panel.keys import Places
from lakecast.core.panel.plan import SALES
from lakecast.core.panel.roster import PART
from lakecast.core.panel.rows import PERIOD, Aids, covariate_rows, sales_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lakecast.core.panel.plan import Measure, PanelPlan, Table

_BY: tuple[str, str] = (CODE, PERIOD)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that splitting and building need.

    `roster`: the series with their statics, codes, buckets and parts. `wanted` are the parts that
    are built (None: all). `joined`: the covariate tables small enough to be given to every part.
    `lasts`: the last period of each table that is shuffled.
    """

    plan: PanelPlan
    cutoff: int
    roster: pl.DataFrame
    wanted: frozenset[int] | None = None
    aids: Aids = field(default_factory=Aids)
    joined: tuple[Values, ...] = ()
    lasts: Mapping[str, int | None] = field(default_factory=dict)

    @cached_property
    def places(self) -> Places:
        """Where each series stands in the roster."""
        return Places.of(self.roster.select(self.plan.columns.series))

    @cached_property
    def ranks(self) -> Ranks:
        """The series that are built, part after part."""
        return Ranks.of(self.roster, self.wanted)


@dataclass(frozen=True, slots=True)
class Ranks:
    """The series of wanted parts in the order of their parts, then codes.

    `rank` [roster + 1] is where each row of the roster stands in it, -1 where it does not; the last
    is -1, so that unknown rows (place -1) have none. `order` (rows of the roster) and `codes` are
    in that order; the series of `parts[i]` are those from `bounds[i]` to `bounds[i + 1]`.
    """

    rank: NDArray[np.int32]
    order: NDArray[np.int32]
    codes: NDArray[np.int32]
    parts: NDArray[np.int32]
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, roster: pl.DataFrame, wanted: frozenset[int] | None) -> Ranks:
        codes, parts = roster[CODE].to_numpy(), roster[PART].to_numpy()
        order = np.lexsort((codes, parts)).astype(np.int32)
        if wanted is not None:
            order = order[np.isin(parts[order], list(wanted))]
        rank = np.full(codes.size + 1, -1, np.int32)
        rank[order] = np.arange(order.size)
        found, begins = np.unique(parts[order], return_index=True)
        return cls(rank, order, codes[order], found, np.append(begins, order.size))

    def of_part(self, part: int) -> NDArray[np.int32]:
        """The rows of the roster that are of a part, ascending; none of one that is not built."""
        at = int(np.searchsorted(self.parts, part))
        if at == self.parts.size or self.parts[at] != part:
            return self.order[:0]
        return np.sort(self.order[self.bounds[at] : self.bounds[at + 1]])


Split = tuple[pl.DataFrame, "NDArray[np.int64]"]
"""What one piece holds: rows in the order of the job's `ranks`, and bounds.

Those from `bounds[i]` to `bounds[i + 1]` are of `ranks.parts[i]`; a part may have none.
"""


def shuffled(plan: PanelPlan) -> tuple[Table, ...]:
    """The covariate tables as large as the panel itself: by series and time.

    The others have fewer keys than there are series, or no time, and are given to every bucket.
    """
    whole = set(plan.columns.series)
    return tuple(table for table in plan.tables if table.time and set(table.keys) == whole)


def split_sales(piece: pl.DataFrame, job: Job) -> Split:
    """The rows up to the cutoff whose series are built."""
    rows = sales_rows(piece, job.plan, job.aids).rows.filter(pl.col(PERIOD) <= job.cutoff)
    return _split(rows, job.plan.sales.measures, job)


def split_covariates(piece: pl.DataFrame, table: Table, job: Job) -> Split:
    """The rows of a shuffled table whose series are built."""
    rows = covariate_rows(piece, table, job.plan, job.aids)
    kinds = {key: job.roster.schema[key] for key in table.keys}
    cast = rows.with_columns(pl.col(key).cast(kind, strict=False) for key, kind in kinds.items())
    return _split(cast, table.measures, job)


def reduce_covariates(piece: pl.DataFrame, table: Table, job: Job) -> pl.DataFrame:
    """Parts by the table's own keys of a table that is given to every bucket."""
    rows = covariate_rows(piece, table, job.plan, job.aids)
    keys = table_keys(table)
    return merge(lift(rows, keys, table.measures, job.aids), keys, table.measures)


def table_keys(table: Table) -> list[str]:
    """What the reduced rows of a table are distinct by."""
    return [*table.keys, *([PERIOD] if table.time else [])]


def assemble(bucket: int, part: int, rows: dict[str, pl.DataFrame], job: Job) -> Built:
    """Build a part of a bucket from its rows by table, those of its pieces one after the other.

    The rows are taken out of `rows`: they are as large as what is built of them.
    """
    plan = job.plan
    roster = job.roster[job.ranks.of_part(part)].drop(PART)
    codes = roster[CODE]
    own_tables = [
        by_series(
            table, _finished(rows.pop(table.name, None), table.measures), job.lasts[table.name]
        )
        for table in shuffled(plan)
    ]
    given = [own(values, codes) for values in job.joined if values.table.time]
    order = {table.name: place for place, table in enumerate(plan.tables)}
    joined = sorted([*own_tables, *given], key=lambda values: order[values.table.name])
    return build(
        Parts(
            bucket=bucket,
            roster=roster,
            sales=_finished(rows.pop(SALES, None), plan.sales.measures),
            joined=tuple(joined),
        ),
        plan,
        job.cutoff,
    )


def _split(rows: pl.DataFrame, measures: Sequence[Measure], job: Job) -> Split:
    """Sorted once, by series in the order of their parts: then each part is a slice."""
    ranks = job.ranks
    rank = ranks.rank[job.places.find(rows)]
    known = rank >= 0
    if not known.all():
        rows, rank = rows.filter(pl.Series(known)), rank[known]
    ranked = rows.with_columns(pl.Series(CODE, rank))
    merged = merge(lift(ranked, _BY, measures, job.aids), _BY, measures)
    ordered = merged[CODE].to_numpy()
    coded = merged.with_columns(pl.Series(CODE, ranks.codes[ordered]))
    return coded, np.searchsorted(ordered, ranks.bounds)


def _finished(rows: pl.DataFrame | None, measures: Sequence[Measure]) -> pl.DataFrame:
    if rows is None:
        kinds = {CODE: pl.Int32(), PERIOD: pl.Int32(), **{m.name: pl.Float64() for m in measures}}
        return pl.DataFrame(schema=kinds)
    return finish(merge(rows, _BY, measures), _BY, measures).drop("_rows")
