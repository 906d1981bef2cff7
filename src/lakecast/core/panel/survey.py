"""What must be known of all rows before the first period is cut: a small, mergeable summary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import BUCKET, LOAD
from lakecast.core.panel.roster import buckets_of
from lakecast.core.panel.rows import COUNTS, OFFSET, PERIOD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.core.panel.plan import Measure, PanelPlan, Table
    from lakecast.core.panel.rows import Ready

ROWS: Final = "rows"
FIRST: Final = "first"
LOW: Final = "_low"
HIGH: Final = "_high"
_ALWAYS: Final = -(2**31)


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """A summary of pieces of one table, merged in their order; each frame is sorted by its keys.

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

    def vocabulary(self, name: str, cutoff: int) -> tuple[str, ...]:
        """The sorted texts of a measure; those of sales after the cutoff are not known yet."""
        known = (pl.col("column") == name) & (pl.col(FIRST) <= cutoff)
        return tuple(self.texts.filter(known)["text"])


def survey_sales(ready: Ready, plan: PanelPlan, *, load: str, buckets: int) -> Survey:
    """The survey of one piece of `sales`, all of one load."""
    rows = ready.rows
    series = _series(rows, [*plan.columns.series, *plan.attributes])
    touched = pl.Series(BUCKET, buckets_of(series, plan.columns.series, buckets), dtype=pl.Int32)
    return Survey(
        periods=_periods(rows),
        series=series,
        loads=pl.DataFrame([touched.unique().sort()]).with_columns(pl.lit(load).alias(LOAD)),
        texts=_texts(rows, plan.sales.measures, pl.col(PERIOD)),
        counts=ready.left_out,
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


def merge_surveys(left: Survey, right: Survey) -> Survey:
    """Both together. Associative; the order decides nothing but the order of equal work."""
    keys = [c for c in left.series.columns if c not in {FIRST, LOW, HIGH}]
    series = _both(left.series, right.series)
    return Survey(
        periods=_both(left.periods, right.periods)
        .group_by(PERIOD)
        .agg(pl.col(ROWS).sum(), pl.col("last").max())
        .sort(PERIOD),
        series=series.group_by(keys)
        .agg(pl.col(FIRST, LOW).min(), pl.col(HIGH).max())
        .sort(keys, nulls_last=True)
        if keys
        else series,
        loads=_both(left.loads, right.loads).unique().sort(pl.all()),
        texts=_both(left.texts, right.texts)
        .group_by("column", "text")
        .agg(pl.col(FIRST).min())
        .sort("column", "text"),
        counts=total_counts([left.counts, right.counts]),
    )


def total_counts(counts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Counts of the same kind and detail added up, sorted."""
    return (
        reduce(_both, counts, pl.DataFrame(schema=COUNTS))
        .group_by("kind", "detail")
        .agg(pl.col("count").sum())
        .sort("kind", "detail")
    )


_NO_PERIODS: Final = pl.DataFrame(schema={PERIOD: pl.Int32(), ROWS: pl.Int64(), "last": pl.Int64()})


def _both(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([left, right])


def _periods(rows: pl.DataFrame) -> pl.DataFrame:
    found = rows.group_by(PERIOD).agg(
        pl.len().cast(pl.Int64).alias(ROWS), pl.col(OFFSET).max().alias("last")
    )
    return found.sort(PERIOD)


def _series(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    found = rows.group_by(keys).agg(
        pl.col(PERIOD).min().alias(FIRST),
        pl.col(OFFSET).min().alias(LOW),
        pl.col(OFFSET).max().alias(HIGH),
    )
    return found.sort(keys, nulls_last=True)


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
