"""What the panel noticed. A finding never removes a row; it says what was seen or left out.

Columns: `kind`, `series` (JSON object of the series columns, null: the panel as a whole),
`detail` (for people), `count` (of what the kind counts), `bucket` (-1: the panel as a whole).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.columns import BUCKET, CODE, OBSERVED
from lakecast.core.classes import least_silence, unlike
from lakecast.core.panel.plan import TARGET
from lakecast.core.panel.rows import PERIOD
from lakecast.core.panel.survey import HIGH, LOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lakecast.core.panel.complete import Cut
    from lakecast.core.panel.covariates import Values
    from lakecast.core.panel.grid import Grid
    from lakecast.core.panel.plan import PanelPlan

FINDINGS: Final = pl.Schema(
    {"kind": pl.String(), "series": pl.String(), "detail": pl.String(), "count": pl.Int64()}
)
SHARE: Final = "_share"
NAMED: Final = 20
WHOLE: Final = -1
_UNCOVERED: Final = "uncovered_future"
_FURTHER: Final = "further cells"
_COUNT: Final = "_count"  # the roster may have a column `count`
KINDS: Final = {
    "ambiguous": "series in which a column that joins covariates has several values",
    "constant": "periods of a series that never changes",
    "ended": "periods since the last sale of a series that seems to have ended",
    "excluded": "rows left out by panel.exclude",
    "gaps": "periods of a series without rows, filled as panel.gaps says",
    "inactive": "series left out by panel.min_active",
    "incomplete_period": "rows of the last period, which looks unfinished and is left out",
    "later": "rows after the cutoff, not used",
    "misaligned": "series whose rows fall elsewhere in the period than those of the others",
    "no_covariates": "series of which a covariate table says nothing",
    "no_sale": "series that never sold up to the cutoff, left out",
    "no_series": "rows without a series, or whose lookup has no match",
    "no_time": "rows without a time",
    "repeated_lookup": "rows of a lookup whose key comes again; the last one counts",
    "short": "periods of a series shorter than two seasons",
    "superseded": "rows replaced by a later row of the same key",
    "uncovered_future": "cells of known-future covariates within the horizon that nobody stated",
}
"""Each kind, and what its `count` counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Per series of a grid: the period of the last sale and the number of periods with sales."""

    grid: Grid
    last: NDArray[np.int32]
    sold: NDArray[np.int64]


def panel_findings(cut: Cut, counts: pl.DataFrame, plan: PanelPlan) -> pl.DataFrame:
    """Findings about the panel as a whole, from the counts of rows left out and from the cut."""
    notes: list[tuple[str, str, int]] = []
    if cut.incomplete is not None:
        notes.append(("incomplete_period", _time(plan, cut.incomplete), cut.rows))
    if cut.later:
        notes.append(("later", f"after {_time(plan, cut.cutoff)}", cut.later))
    schema = {"kind": pl.String(), "detail": pl.String(), "count": pl.Int64()}
    rows = pl.concat([counts, pl.DataFrame(notes, schema=schema, orient="row")])
    return rows.select(
        "kind", pl.lit(None, pl.String).alias("series"), "detail", "count"
    ).with_columns(pl.lit(WHOLE, pl.Int32).alias(BUCKET))


def misaligned(combinations: pl.DataFrame, plan: PanelPlan) -> pl.DataFrame:
    """Series whose one offset into the period differs from the usual one; with `bucket` -1.

    Said only where most series have their rows at a single offset (weekly data, say), so that the
    rest is an oddity and not the nature of the data. `combinations` are a survey's `series`.
    """
    series = list(plan.columns.series)
    each = combinations.group_by(series).agg(pl.col(LOW).min(), pl.col(HIGH).max())
    single = each.filter(pl.col(LOW) == pl.col(HIGH))
    if single.height * 2 <= each.height:
        return _whole(pl.DataFrame(schema=FINDINGS))
    usual = single.group_by(LOW).len().sort("len", LOW, descending=[True, False])[LOW][0]
    odd = each.filter((pl.col(LOW) != usual) | (pl.col(HIGH) != usual))
    days = ((pl.col(LOW) - usual) / 86_400_000_000).round(2).cast(pl.String)
    return _whole(
        odd.select(
            pl.lit("misaligned").alias("kind"),
            pl.struct(series).struct.json_encode().alias("series"),
            pl.format("its rows lie {} days beside the others'", days).alias("detail"),
            pl.lit(1, pl.Int64).alias("count"),
        )
    )


def no_sale(roster: pl.DataFrame, spans: pl.DataFrame, plan: PanelPlan) -> pl.DataFrame:
    """Series of the roster that have no span."""
    rows = roster.join(spans, on=CODE, how="anti").with_columns(pl.lit(1, pl.Int64).alias(_COUNT))
    return _finding("no_sale", rows, pl.lit("no sale up to the cutoff"), plan)


def inactive(roster: pl.DataFrame, spans: pl.DataFrame, plan: PanelPlan) -> pl.DataFrame:
    """Series whose `share` of periods with sales is below the spec's."""
    few = spans.filter(pl.col(SHARE) < plan.panel.min_active).select(CODE, SHARE)
    rows = roster.join(few, on=CODE).with_columns(pl.lit(1, pl.Int64).alias(_COUNT))
    share = (pl.col(SHARE) * 100).round(1).cast(pl.String)
    return _finding("inactive", rows, pl.format("{}% of its periods have sales", share), plan)


def bucket_findings(
    past: pl.DataFrame, shape: Shape, roster: pl.DataFrame, plan: PanelPlan
) -> pl.DataFrame:
    """Findings about each series that is in the panel; `past` are its rows, without gaps."""
    grid, season = shape.grid, plan.season
    silent = grid.last - shape.last.astype(np.int64)
    before = shape.last.astype(np.int64) - grid.first + 1
    ended = (silent >= least_silence(season)) & unlike(shape.sold, before, silent)
    said = {
        "gaps": grid.totals(~past[OBSERVED].to_numpy()),
        "short": np.where(grid.lengths < 2 * season, grid.lengths, 0),
        "constant": np.where(_constant(past, grid), grid.lengths, 0),
        "ended": np.where(ended, silent, 0),
    }
    words = {
        "gaps": pl.format("periods without rows, taken as: {}", pl.lit(plan.panel.gaps)),
        "short": pl.lit(f"fewer than two seasons of {season}"),
        "constant": pl.lit("always the same value"),
        "ended": pl.lit("nothing sold for seasons, and for longer than its sales before explain"),
    }
    found = [_finding(kind, _counted(grid, said[kind], roster), words[kind], plan) for kind in said]
    return pl.concat(found)


def no_covariates(kept: pl.Series, joined: Sequence[Values]) -> pl.DataFrame:
    """For each table, of how many of the series (by code) it says nothing."""
    unsaid = [
        (v.table.name, kept.len() - kept.is_in(v.owners[CODE].implode()).sum()) for v in joined
    ]
    rows = [("no_covariates", None, name, count) for name, count in unsaid if count]
    return pl.DataFrame(rows, schema=FINDINGS, orient="row")


def uncovered_cells(
    cells: Sequence[pl.DataFrame], roster: pl.DataFrame, plan: PanelPlan
) -> pl.DataFrame:
    """The first twenty cells by name (series, column, period), one row each, and one for the rest.

    Cells have `series_code`, `_period` and `column`.
    """
    every = [cell for cell in cells if cell.height]
    if not every:
        return pl.DataFrame(schema=FINDINGS)
    named = pl.concat(every).join(_identities(roster, plan), on=CODE)
    named = named.sort("series", "column", PERIOD)
    first = named.head(NAMED)
    times = plan.clock.starts(first[PERIOD].to_numpy(), "time").cast(pl.String)
    rows = first.with_columns(times).select(
        pl.lit(_UNCOVERED).alias("kind"),
        "series",
        pl.format("{} at {}", "column", "time").alias("detail"),
        pl.lit(1, pl.Int64).alias("count"),
    )
    rest = named.height - first.height
    more = [(_UNCOVERED, None, _FURTHER, rest)] if rest else []
    return pl.concat([rows, pl.DataFrame(more, schema=FINDINGS, orient="row")])


def together(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The findings of the parts of a bucket as those of the bucket.

    Counts of no series add up, and of the cells that nobody stated twenty stay named.
    """
    every = pl.concat(parts)
    cells = every.filter((pl.col("kind") == _UNCOVERED) & pl.col("series").is_not_null())
    cells = cells.sort("series", "detail")
    beyond = cells[NAMED:].with_columns(
        pl.lit(None, pl.String).alias("series"), pl.lit(_FURTHER).alias("detail")
    )
    plain = every.filter((pl.col("kind") != _UNCOVERED) & pl.col("series").is_not_null())
    counted = pl.concat([every.filter(pl.col("series").is_null()), beyond])
    summed = counted.group_by(pl.exclude("count"), maintain_order=True).agg(pl.col("count").sum())
    return pl.concat([plain, cells[:NAMED], summed.select(every.columns)])


def summary(findings: pl.DataFrame) -> pl.DataFrame:
    """One row a kind, sorted: `kind`, `count`, `series` (how many), `examples` (first twenty)."""
    example = pl.concat_str(pl.col("series"), pl.col("detail"), separator=": ", ignore_nulls=True)
    return (
        findings.sort("kind", "series", "detail", nulls_last=True)
        .group_by("kind", maintain_order=True)
        .agg(
            pl.col("count").sum(),
            pl.col("series").drop_nulls().n_unique().alias("series"),
            example.head(NAMED).alias("examples"),
        )
    )


def _constant(past: pl.DataFrame, grid: Grid) -> NDArray[np.bool_]:
    known = past.group_by(CODE, maintain_order=True).agg(
        pl.col(TARGET).min().alias("low"), pl.col(TARGET).max().alias("high")
    )
    same = (known["low"] == known["high"]).fill_null(value=False).to_numpy()
    return same & (grid.lengths > 1)


def _counted(grid: Grid, counts: NDArray[np.generic], roster: pl.DataFrame) -> pl.DataFrame:
    said = pl.DataFrame({CODE: grid.codes, _COUNT: counts.astype(np.int64)})
    return roster.join(said.filter(pl.col(_COUNT) > 0), on=CODE)


def _finding(kind: str, rows: pl.DataFrame, detail: pl.Expr, plan: PanelPlan) -> pl.DataFrame:
    identity = pl.struct(plan.columns.series).struct.json_encode()
    return rows.select(
        pl.lit(kind).alias("kind"),
        identity.alias("series"),
        detail.alias("detail"),
        pl.col(_COUNT).alias("count"),
    )


def _identities(roster: pl.DataFrame, plan: PanelPlan) -> pl.DataFrame:
    identity = pl.struct(plan.columns.series).struct.json_encode()
    return roster.select(CODE, identity.alias("series"))


def _whole(findings: pl.DataFrame) -> pl.DataFrame:
    return findings.with_columns(pl.lit(WHOLE, pl.Int32).alias(BUCKET))


def _time(plan: PanelPlan, period: int) -> str:
    return str(plan.clock.starts(np.array([period]), "time").cast(pl.String)[0])
