"""What must be known of all rows before the first period is cut: a small, mergeable summary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.columns import BUCKET, LOAD
from lakecast.core.panel.keys import Places, grouped, interned, plain
from lakecast.core.panel.roster import buckets_of
from lakecast.core.panel.rows import COUNTS, OFFSET, PERIOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lakecast.core.panel.plan import Measure, PanelPlan, Table
    from lakecast.core.panel.rows import Ready

ROWS: Final = "rows"
FIRST: Final = "first"
LOW: Final = "_low"
HIGH: Final = "_high"
_ALWAYS: Final = -(2**31)
_PILE: Final = 200_000
_MANY: Final = 64  # surveys that wait: each takes some kilobytes, however few series it tells of
_ENOUGH: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """A summary of pieces of one table, merged in their order; `series` is in no order, its keys
    interned (see `keys`) until `told`; the other frames are sorted by their keys.

    `periods`: `_period`, `rows`, `last` (the largest offset into the period).
    `series`: the key columns and attributes, `first` (period), `_low`, `_high` (offsets); one row
    a combination, so a series whose attribute changes has several. `loads`: `bucket`, `_load`.
    `texts`: `column`, `text`, `first` (period). `counts`: rows left out, as `COUNTS`.
    """

    periods: pl.DataFrame
    series: pl.DataFrame
    loads: pl.DataFrame
    texts: pl.DataFrame
    counts: pl.DataFrame
    kinds: pl.Schema = field(default_factory=pl.Schema)

    def vocabulary(self, name: str, cutoff: int) -> tuple[str, ...]:
        """The sorted texts of a measure; those of sales after the cutoff are not known yet."""
        known = (pl.col("column") == name) & (pl.col(FIRST) <= cutoff)
        return tuple(self.texts.filter(known)["text"])

    def told(self) -> Survey:
        """With the keys of `series` as `kinds`, which are the table's types."""
        return replace(self, series=plain(self.series, self.kinds))


def survey_sales(ready: Ready, plan: PanelPlan, *, load: str, buckets: int) -> Survey:
    """The survey of one piece of `sales`, all of one load."""
    rows = ready.rows
    keys = [*plan.columns.series, *plan.attributes]
    kinds = rows.select(keys).schema
    series = _series(rows, keys)
    touched = _touched(series, kinds, plan.columns.series, buckets)
    return Survey(
        periods=_periods(rows),
        series=series,
        loads=touched.with_columns(pl.lit(load).alias(LOAD)),
        texts=_texts(rows, plan.sales.measures, pl.col(PERIOD)),
        counts=ready.left_out,
        kinds=kinds,
    )


def survey_covariates(piece: pl.DataFrame, table: Table) -> Survey:
    """The survey of one piece of a covariate table: its periods and texts, lookups not needed."""
    periods = _NO_PERIODS
    if table.time:
        times = piece[table.time].drop_nulls().unique()
        found = pl.Series(PERIOD, table.clock.ordinals(times), dtype=pl.Int32).unique().sort()
        nothing = pl.lit(0, pl.Int64)
        periods = found.to_frame().with_columns(nothing.alias(ROWS), nothing.alias("last"))
    return Survey(
        periods=periods,
        series=pl.DataFrame(),
        loads=pl.DataFrame(),
        texts=_texts(piece, table.measures, pl.lit(_ALWAYS, pl.Int32)),
        counts=pl.DataFrame(schema=COUNTS),
    )


def surveyed(table: Table) -> tuple[str, ...]:
    """The columns of a covariate table that `survey_covariates` reads."""
    return (*((table.time,) if table.time else ()), *(m.column for m in table.measures if m.text))


def merge_surveys(*surveys: Survey) -> Survey:
    """All of them together. Associative; the order decides nothing but the order of equal work."""
    return Survey(
        periods=pl.concat([survey.periods for survey in surveys])
        .group_by(PERIOD)
        .agg(pl.col(ROWS).sum(), pl.col("last").max())
        .sort(PERIOD),
        series=_distinct(pl.concat([survey.series for survey in surveys])),
        loads=pl.concat([survey.loads for survey in surveys]).unique().sort(pl.all()),
        texts=pl.concat([survey.texts for survey in surveys])
        .group_by("column", "text")
        .agg(pl.col(FIRST).min())
        .sort("column", "text"),
        counts=total_counts([survey.counts for survey in surveys]),
        kinds=surveys[0].kinds,
    )


@dataclass(frozen=True, slots=True)
class Pile:
    """A survey, and others that wait to be merged with it.

    They are merged once they are as large together as it is, so that each row is merged a few
    times however many pieces there are; merging one after the other would touch every series again
    for every piece. What tells nothing new of a series does not wait: in sales that lie in the
    order of their days, that is nearly all. Many small ones that wait are joined to be one.
    `places` are those of the settled series.
    """

    settled: Survey
    waiting: tuple[Survey, ...] = ()
    places: Places | None = None

    def add(self, other: Pile) -> Pile:
        """Both together."""
        waiting = (*self.waiting, *map(self._news, (other.settled, *other.waiting)))
        height = sum(survey.series.height for survey in waiting)
        if height >= max(_PILE, self.settled.series.height):
            settled = merge_surveys(self.settled, *waiting)
            return Pile(settled, (), Places.of(settled.series.drop(FIRST, LOW, HIGH)))
        few = waiting if len(waiting) < _MANY else (merge_surveys(*waiting),)
        return Pile(self.settled, few, self.places)

    def _news(self, survey: Survey) -> Survey:
        """Without the series of which the settled ones tell as much."""
        if self.places is None:
            return survey
        place = self.places.find(survey.series)
        new = place < 0
        for name, beyond in ((FIRST, np.less), (LOW, np.less), (HIGH, np.greater)):
            new |= beyond(survey.series[name].to_numpy(), self._told(name)[place])
        return replace(survey, series=survey.series.filter(pl.Series(new)))

    def _told(self, name: str) -> NDArray[np.integer]:
        return self.settled.series[name].to_numpy()

    def merged(self) -> Survey:
        """All as one, told in the types of the table."""
        return merge_surveys(self.settled, *self.waiting).told()


def total_counts(counts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Counts of the same kind and detail added up, sorted."""
    return (
        pl.concat([pl.DataFrame(schema=COUNTS), *counts])
        .group_by("kind", "detail")
        .agg(pl.col("count").sum())
        .sort("kind", "detail")
    )


_NO_PERIODS: Final = pl.DataFrame(schema={PERIOD: pl.Int32(), ROWS: pl.Int64(), "last": pl.Int64()})


def _periods(rows: pl.DataFrame) -> pl.DataFrame:
    found = rows.group_by(PERIOD).agg(
        pl.len().cast(pl.Int64).alias(ROWS), pl.col(OFFSET).max().alias("last")
    )
    return found.sort(PERIOD)


def _series(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    offset = pl.col(OFFSET)
    found = rows.select(*keys, pl.col(PERIOD).alias(FIRST), offset.alias(LOW), offset.alias(HIGH))
    return _distinct(interned(found, keys))


def _distinct(series: pl.DataFrame) -> pl.DataFrame:
    """One row a combination of keys."""
    keys = [name for name in series.columns if name not in {FIRST, LOW, HIGH}]
    if not keys or series.is_empty():
        return series
    order, begins = grouped(series, keys)
    least, most = np.minimum.reduceat, np.maximum.reduceat
    return series[order[begins]].with_columns(  # a column at a time: that is what is held of many
        pl.Series(name, reduce(series[name].to_numpy()[order], begins))
        for name, reduce in ((FIRST, least), (LOW, least), (HIGH, most))
    )


def _touched(
    series: pl.DataFrame, kinds: pl.Schema, keys: Sequence[str], buckets: int
) -> pl.DataFrame:
    """The buckets that the series lie in, sorted; a few series tell where there are many."""
    own = series.select(keys)
    found = np.unique(buckets_of(plain(own.head(_ENOUGH), kinds), keys, buckets))
    if found.size < buckets and own.height > _ENOUGH:
        found = np.unique(buckets_of(plain(own, kinds), keys, buckets))
    return pl.DataFrame({BUCKET: found}, schema={BUCKET: pl.Int32()})


def _texts(rows: pl.DataFrame, measures: Sequence[Measure], first: pl.Expr) -> pl.DataFrame:
    empty = pl.DataFrame(schema={"column": pl.String(), "text": pl.String(), FIRST: pl.Int32()})
    columns = [
        rows.select(pl.col(m.column).cast(pl.String).alias("text"), first.alias(FIRST))
        .drop_nulls("text")
        .group_by("text")
        .agg(pl.col(FIRST).min())
        .select(pl.lit(m.name).alias("column"), "text", FIRST)
        for m in measures
        if m.text
    ]
    return pl.concat([empty, *columns]).sort("column", "text")
