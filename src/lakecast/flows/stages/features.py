"""The stage `features`: the matrix that models learn from, as a table that people can read."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from lakecast.columns import BUCKET, CODE
from lakecast.core.features import compile_plan, fit_plan, matrix
from lakecast.errors import SpecError
from lakecast.lake.lake_panel import LakePanel, open_panel

if TYPE_CHECKING:
    from lakecast.columns import Columns
    from lakecast.core.block import Block
    from lakecast.core.features import FeaturePlan, FittedPlan
    from lakecast.flows.context import Context
    from lakecast.lake.tables import FileRef, Lake
    from lakecast.spec import Spec

FEATURES: Final = "features"
PLAN: Final = "lakecast.feature_plan"


def run_features(context: Context, fingerprint: str) -> int:
    """Replace the table `features`; the number of rows.

    Columns: series_code, the series columns, time, target, then the features (float32; categories
    as places in their vocabulary), sorted by series and time within a bucket. The fitted plan rides
    on the commit as JSON and lies in `features/plan.json`.
    """
    panel = open_panel(context.lake)
    plan = plan_of(context.spec, panel)
    fitted = fit_plan(plan, panel, panel.info.cutoff)
    work = partial(_bucket, lake=context.lake, panel=panel, fitted=fitted)
    files = [
        file
        for staged in context.engine.map(work, sorted(panel.files), title="features")
        for file in staged
    ]
    table = context.lake.table(FEATURES)
    told = _told(fitted)
    context.lake.store.write_bytes(f"{FEATURES}/plan.json", told.encode())
    table.commit(
        add=files,
        remove="all" if table.exists() else (),
        schema=_schema(panel, plan),
        partition_by=(BUCKET,),
        metadata={PLAN: told},
        fingerprint=fingerprint,
    )
    return sum(file.rows for file in files)


def plan_of(spec: Spec, panel: LakePanel) -> FeaturePlan:
    """The plan of the spec's strategy; of `auto`, the recursive one where it may be."""
    horizon = spec.forecast.horizon
    if spec.train.strategy != "direct":
        try:
            return compile_plan(spec.features, panel.info, recursive=True, horizon=horizon)
        except SpecError:
            if spec.train.strategy == "recursive":
                raise
    lead = min(horizon, panel.info.season)
    return compile_plan(spec.features, panel.info, lead=lead, recursive=False)


def _bucket(bucket: int, *, lake: Lake, panel: LakePanel, fitted: FittedPlan) -> list[FileRef]:
    own = replace(panel, files={bucket: panel.files[bucket]})
    frames = [_frame(block, panel, fitted) for block in own.blocks()]
    rows = pl.concat(frames).to_arrow(compat_level=pl.CompatLevel.oldest())
    return [lake.table(FEATURES).stage(rows, partition={BUCKET: bucket})]


def _frame(block: Block, panel: LakePanel, fitted: FittedPlan) -> pl.DataFrame:
    info = panel.info
    values, _ = matrix(fitted, block)
    codes = np.repeat(block.codes, block.lengths)
    names = info.columns.series
    ids = pl.DataFrame({CODE: codes}).join(
        panel.series.select(CODE, *names), on=CODE, how="left", maintain_order="left"
    )
    return ids.with_columns(
        pl.Series(info.columns.time, info.frequency.start(block.ordinals())),
        pl.Series(info.columns.target, block.target.astype(np.float64), nan_to_null=True),
        *(
            pl.Series(name, values[:, at], nan_to_null=True)
            for at, name in enumerate(_names(fitted.plan, info.columns))
        ),
    )


def _names(plan: FeaturePlan, columns: Columns) -> list[str]:
    """Names of the features' columns; one that the table has already gets `_code` behind it.

    That is the category of a series column, which stands beside the user's own values; any other
    name is the spec's (`features.names`), and the columns it would hide stay readable.
    """
    taken = {CODE, BUCKET, columns.time, columns.target, *columns.series}
    names: list[str] = []
    for plain in plan.names:
        name = plain
        while name in taken:
            name += "_code"
        taken.add(name)
        names.append(name)
    return names


def _schema(panel: LakePanel, plan: FeaturePlan) -> Any:
    import pyarrow as pa

    info = panel.info
    names = info.columns.series
    ids = panel.series.select(CODE, *names).head(0)
    time = pl.Series(info.columns.time, info.frequency.start(np.array([0]))).head(0)
    empty = ids.with_columns(
        time,
        pl.lit(None, pl.Float64).alias(info.columns.target),
        *(pl.lit(None, pl.Float32).alias(name) for name in _names(plan, info.columns)),
    )
    schema: pa.Schema = empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    return schema.append(pa.field(BUCKET, pa.int32()))


def _told(fitted: FittedPlan) -> str:
    arrays = {name: values.tolist() for name, values in fitted.to_arrays().items()}
    return json.dumps({"plan": json.loads(fitted.plan.to_json()), "fitted": arrays})
