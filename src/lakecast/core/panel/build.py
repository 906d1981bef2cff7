"""One bucket of the panel: whole series without gaps, from values a series and period."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.columns import BUCKET, CODE, OBSERVED, PRICE
from lakecast.core.panel.covariates import Values, covariates, uncovered
from lakecast.core.panel.findings import (
    SHARE,
    Shape,
    bucket_findings,
    inactive,
    no_covariates,
    no_sale,
    uncovered_cells,
)
from lakecast.core.panel.grid import Grid
from lakecast.core.panel.plan import REVENUE, TARGET
from lakecast.core.panel.rows import PERIOD
from lakecast.errors import DataRefused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.panel.plan import Measure, PanelPlan
    from lakecast.spec.model import Gaps

FIRST: Final = "first"
LAST: Final = "last"
_SOLD: Final = "_sold"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What one bucket is built from.

    `roster`: the bucket's series with their statics. `sales`: `series_code`, `_period` and the
    finished measures, one row a series and period. `joined`: the covariate tables.
    """

    bucket: int
    roster: pl.DataFrame
    sales: pl.DataFrame
    joined: tuple[Values, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A bucket of each table, sorted by (`series_code`, time); `findings` as its schema says.

    `panel`: `series_code`, time, target float64, covariates float32 (the price float64),
    `observed`. `future`: `series_code`, time, the known-future covariates. `series`: the user's
    columns, statics, and `first` and `last`, the periods of the first and the last sale.
    """

    panel: pl.DataFrame
    future: pl.DataFrame
    series: pl.DataFrame
    findings: pl.DataFrame


def build(parts: Parts, plan: PanelPlan, cutoff: int) -> Built:
    """Build one bucket. Raises `DataRefused` for a gap where the spec refuses gaps."""
    parts = replace(parts, sales=parts.sales.filter(pl.col(PERIOD) <= cutoff))
    spans = _spans(parts.sales, cutoff)
    kept = spans.filter(pl.col(SHARE) >= plan.panel.min_active)
    grid = Grid(kept[CODE].to_numpy(), kept[FIRST].to_numpy(), cutoff)
    past = _past(parts, plan, grid)
    if plan.panel.gaps == "refuse":
        _refuse_gaps(past, parts.roster, plan)
    ahead = _ahead(grid, plan)
    cells = [uncovered(ahead, table, plan.clock) for table in _timed(parts)]
    shape = Shape(grid=grid, last=kept[LAST].to_numpy(), sold=kept[_SOLD].to_numpy())
    findings = pl.concat(
        [
            no_sale(parts.roster, spans, plan),
            inactive(parts.roster, spans, plan),
            bucket_findings(past, shape, parts.roster, plan),
            no_covariates(kept[CODE], parts.joined),
            uncovered_cells(cells, parts.roster, plan),
        ]
    )
    return Built(
        panel=_named(past, plan),
        future=_future(ahead, parts, plan),
        series=_series(parts.roster, kept, plan),
        findings=findings.with_columns(pl.lit(parts.bucket, pl.Int32).alias(BUCKET)),
    )


def _spans(sales: pl.DataFrame, cutoff: int) -> pl.DataFrame:
    """`series_code`, `first`, `last`, `_sold`, `_share` of its periods with sales; ascending."""
    sold = sales.filter(pl.col(TARGET).is_not_null() & (pl.col(TARGET) != 0))
    spans = sold.group_by(CODE).agg(
        pl.col(PERIOD).min().alias(FIRST),
        pl.col(PERIOD).max().alias(LAST),
        pl.len().cast(pl.Int64).alias(_SOLD),
    )
    share = pl.col(_SOLD) / (cutoff - pl.col(FIRST) + 1)
    return spans.sort(CODE).with_columns(share.alias(SHARE))


def _past(parts: Parts, plan: PanelPlan, grid: Grid) -> pl.DataFrame:
    """`series_code`, `_period`, `_target`, the covariates by name, `observed`."""
    rows = _inside(parts.sales, grid)
    places = grid.places(rows)
    observed = np.zeros(grid.rows, dtype=np.bool_)
    observed[places] = True
    raw = grid.spread(places, rows[TARGET])
    columns = {
        m.name: _filled(grid.spread(places, rows[m.name]), m)
        for m in plan.sales.measures
        if m.name not in {TARGET, REVENUE}
    }
    joined = [covariates(grid.frame, table, plan.clock) for table in _timed(parts)]
    if plan.panel.revenue:
        columns[PRICE] = _price(grid, raw, grid.spread(places, rows[REVENUE]))
    frame = pl.concat([grid.frame, pl.DataFrame(columns), *joined], how="horizontal")
    frame = frame.with_columns(
        pl.Series(TARGET, _without_gaps(raw, observed, grid, plan.panel.gaps)).fill_nan(None),
        pl.Series(OBSERVED, observed),
    )
    return frame if plan.panel.available is None else _available(frame, plan.panel.available)


def _inside(sales: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Rows of the grid's series from their first sale on."""
    begins = pl.DataFrame({CODE: grid.codes, FIRST: grid.first})
    rows = sales.join(begins, on=CODE, maintain_order="left")
    return rows.filter(pl.col(PERIOD) >= pl.col(FIRST))


def _filled(values: NDArray[np.float64], measure: Measure) -> pl.Series:
    column = pl.Series(measure.name, values).fill_nan(None)
    return column if measure.missing is None else column.fill_null(measure.missing)


def _price(grid: Grid, target: NDArray[np.float64], revenue: NDArray[np.float64]) -> pl.Series:
    """Revenue a unit where something was sold, else the last such price of the series."""
    sold = (target > 0) & ~np.isnan(revenue)
    price = np.divide(revenue, target, out=np.full(grid.rows, np.nan), where=sold)
    return pl.Series(PRICE, grid.carried(price, sold)).fill_nan(None)


def _without_gaps(
    raw: NDArray[np.float64], observed: NDArray[np.bool_], grid: Grid, policy: Gaps
) -> NDArray[np.float64]:
    """The target with the gap policy in the periods without rows."""
    if policy == "zero":
        return np.where(observed, raw, 0.0)
    if policy == "forward":
        return np.where(observed, raw, grid.carried(raw, ~np.isnan(raw)))
    return raw


def _refuse_gaps(past: pl.DataFrame, roster: pl.DataFrame, plan: PanelPlan) -> None:
    missing = past.filter(~pl.col(OBSERVED)).select(CODE, PERIOD)
    if missing.is_empty():
        return
    first = missing.head(3).join(roster, on=CODE, maintain_order="left")
    names = first.select(pl.concat_str(pl.col(plan.columns.series).cast(pl.String), separator=", "))
    times = plan.clock.starts(first[PERIOD].to_numpy(), plan.columns.time)
    examples = "; ".join(f"{s} at {t}" for s, t in zip(names.to_series(), times, strict=True))
    raise DataRefused(
        f"{missing.height} periods have no rows, first {examples}",
        where="panel.gaps",
        cure='bring the rows, or set panel.gaps to "zero", "null" or "forward"',
    )


def _available(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """A target that could not be sold is unknown, not zero."""
    sellable = pl.col(name).is_null() | (pl.col(name) != 0)
    return frame.with_columns(pl.when(sellable).then(pl.col(TARGET)).alias(TARGET))


def _timed(parts: Parts) -> list[Values]:
    return [table for table in parts.joined if table.table.time]


def _ahead(grid: Grid, plan: PanelPlan) -> pl.DataFrame:
    """`series_code`, `_period` of the horizon; empty where nothing is known ahead."""
    horizon = plan.horizon if plan.known_future else 0
    periods = np.arange(grid.last + 1, grid.last + 1 + horizon, dtype=np.int32)
    return pl.DataFrame(
        {CODE: np.repeat(grid.codes, horizon), PERIOD: np.tile(periods, grid.codes.size)}
    )


def _future(ahead: pl.DataFrame, parts: Parts, plan: PanelPlan) -> pl.DataFrame:
    names = [m.name for m in plan.known_future]
    joined = [covariates(ahead, table, plan.clock) for table in _timed(parts)]
    frame = pl.concat([ahead, *joined], how="horizontal")
    time = plan.clock.starts(frame[PERIOD].to_numpy(), plan.columns.time)
    return frame.select(CODE, time, *(pl.col(name).cast(pl.Float32) for name in names))


def _named(past: pl.DataFrame, plan: PanelPlan) -> pl.DataFrame:
    time = plan.clock.starts(past[PERIOD].to_numpy(), plan.columns.time)
    kinds = {m.name: pl.Float64() if m.name == PRICE else pl.Float32() for m in plan.varying}
    return past.select(
        CODE,
        time,
        pl.col(TARGET).alias(plan.columns.target),
        *(pl.col(name).cast(kind) for name, kind in kinds.items()),
        OBSERVED,
    )


def _series(roster: pl.DataFrame, kept: pl.DataFrame, plan: PanelPlan) -> pl.DataFrame:
    frame = roster.join(kept.select(CODE, FIRST, LAST), on=CODE).sort(CODE)
    times = [plan.clock.starts(frame[name].to_numpy(), name) for name in (FIRST, LAST)]
    names = [*plan.columns.series, *(m.name for m in plan.statics)]
    return frame.select(CODE, *names, *times)
