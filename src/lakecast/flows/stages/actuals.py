"""Sales after the cutoff, brought to the panel's periods: drawn beside forecasts, never used."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl

from lakecast.columns import ACTUAL
from lakecast.flows.stages.ingest import run_ingest
from lakecast.flows.stages.panel import build_panel
from lakecast.lake.lake_panel import open_panel
from lakecast.lake.panels import PANEL
from lakecast.lake.store import Store
from lakecast.lake.tables import Lake

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.flows.context import Context
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.spec import Spec

_CODE: Final = "series_code"


def held_back(context: Context, panel: LakePanel, path: str) -> pl.DataFrame:
    """Series columns, time and `actual` of the periods forecast.

    The file is read as the source of `sales` is, through the same contract, into a lake of its own
    that is thrown away. Where gaps are zero, a series of the panel without a row has sold nothing.
    Its last period counts as complete: whoever names a file of actuals says so.
    """
    with tempfile.TemporaryDirectory(prefix="lakecast-") as name:
        lake = Lake(Store.open(name))
        spec = _plain(context.spec, path, context.settings.project)
        apart = replace(context, spec=spec, lake=lake, as_of=None)
        run_ingest(apart)
        end = _end(panel, context.spec.forecast.horizon)
        build_panel(spec, lake, context.engine, fingerprint="actuals", as_of=end)
        later = open_panel(lake)
        rows = lake.table(PANEL).scan().collect()
    return _within(rows.join(later.series.select(_CODE, *_names(panel)), on=_CODE), panel, context)


def _end(panel: LakePanel, horizon: int) -> datetime:
    """The moment at which the last period of the horizon has ended."""
    info = panel.info
    start = info.frequency.start(np.array([info.cutoff + horizon + 1]))[0].item()
    if isinstance(start, datetime):
        return start.replace(tzinfo=UTC)
    return datetime.combine(start, time.min, tzinfo=ZoneInfo(info.timezone))


def _plain(spec: Spec, path: str, project: Path) -> Spec:
    """The spec with this file for its sales and nothing but lookups beside it."""
    from pathlib import Path as File

    sources = [
        msgspec.structs.replace(source, path=str(File(path).resolve()), columns={}, kind=None)
        if source.table == "sales"
        else msgspec.structs.replace(source, path=str(project / (source.path or "")))
        for source in spec.sources
        if source.table == "sales" or source.lookup
    ]
    return msgspec.structs.replace(
        spec,
        sources=tuple(sources),
        panel=msgspec.structs.replace(spec.panel, available=None, min_active=0.0),
    )


def _within(rows: pl.DataFrame, panel: LakePanel, context: Context) -> pl.DataFrame:
    info, names = panel.info, _names(panel)
    when, target = info.columns.time, info.columns.target
    ahead = info.frequency.start(info.cutoff + 1 + np.arange(context.spec.forecast.horizon))
    periods = pl.Series(when, ahead).cast(rows.schema[when]).to_frame()
    last = rows[when].max()
    grid = panel.series.select(names).join(periods.filter(pl.col(when) <= last), how="cross")
    found = grid.join(
        rows.select(*names, when, pl.col(target).alias(ACTUAL)), on=[*names, when], how="left",
        nulls_equal=True, maintain_order="left",
    )  # fmt: skip
    if context.spec.panel.gaps == "zero":
        found = found.with_columns(pl.col(ACTUAL).fill_null(0.0))
    return found.drop_nulls(ACTUAL)


def _names(panel: LakePanel) -> list[str]:
    return list(panel.info.columns.series)
