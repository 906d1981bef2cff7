"""The stage `features`: the matrix that models learn from, as a table that people can read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.columns import BUCKET, CODE
from lakecast.core.features import compile_plan, fill, fit_plan
from lakecast.errors import SpecError
from lakecast.lake.lake_panel import LakePanel, open_panel
from lakecast.lake.parquet_files import PLAIN, SPLIT, paged
from lakecast.models.sizes import PIECE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from lakecast.columns import Columns
    from lakecast.core.block import Block
    from lakecast.core.features import Column, FeaturePlan, FittedPlan
    from lakecast.flows.context import Context
    from lakecast.lake.tables import FileRef, Lake
    from lakecast.spec import Spec

FEATURES: Final = "features"
PLAN: Final = "lakecast.feature_plan"
_PIECES: Final = 64  # of a file: eight million rows


def run_features(context: Context, fingerprint: str) -> int:
    """Replace the table `features`; the number of rows.

    Columns: series_code, the series columns, time, target, then the features (float32; categories
    as places in their vocabulary), sorted by series and time within a file. The fitted plan rides
    on the commit as JSON and lies in `features/plan.json`.
    """
    panel = open_panel(context.lake)
    plan = plan_of(context.spec, panel)
    fitted = fit_plan(plan, panel, panel.info.cutoff)
    schema = _schema(panel, plan)
    packed = _packed(schema, panel, plan)
    work = partial(_bucket, lake=context.lake, panel=panel, fitted=fitted, schema=packed)
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
        schema=schema,
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


def _bucket(
    bucket: int, *, lake: Lake, panel: LakePanel, fitted: FittedPlan, schema: pa.Schema
) -> list[FileRef]:
    """A piece of a block is computed and written before the next is.

    A file has so many at most: what its writer notes of each row group is held to the end.
    """
    import pyarrow as pa

    table, files = lake.table(FEATURES), []
    batches = _batches(panel.part([bucket]), fitted, schema)
    for first in batches:
        some = chain([first], islice(batches, _PIECES - 1))
        rows = pa.RecordBatchReader.from_batches(schema, some)
        files.append(table.stage(rows, partition={BUCKET: bucket}, groups="batches"))
    return files


def _packed(schema: pa.Schema, panel: LakePanel, plan: FeaturePlan) -> pa.Schema:
    """The columns as a file holds them: all but the bucket, packed by what they are like.

    Where no value can be null, the file says so: it then takes less time to write.
    """
    import pyarrow as pa

    *ids, time, target = (schema.field(i) for i in range(len(schema) - len(plan.columns) - 1))
    features = zip(plan.columns, list(schema)[len(ids) + 2 :], strict=False)
    if time.type == pa.date32():  # half the time of differences; of instants the bytes would count
        time = time.with_metadata(PLAIN)
    holey = {name for name in panel.series.columns if panel.series[name].null_count()}
    packed = pa.schema(
        [
            *(_of_series(field).with_nullable(field.name in holey) for field in ids),
            time.with_nullable(False),
            target.with_metadata(SPLIT),
            *(_of_feature(column, field) for column, field in features),
        ]
    )
    return paged(packed, PIECE)


def _of_series(field: pa.Field) -> pa.Field:
    """A column whose values come in runs: texts as places in a dictionary, others as they are."""
    import pyarrow as pa

    if pa.types.is_large_string(field.type):
        return field.with_type(pa.dictionary(pa.int32(), field.type))
    return field.with_metadata(PLAIN)


def _of_feature(column: Column, field: pa.Field) -> pa.Field:
    op = column.feature.op
    field = field.with_metadata(SPLIT if op in {"lag", "difference"} else PLAIN)
    return field.with_nullable(op != "calendar")


def _batches(panel: LakePanel, fitted: FittedPlan, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """A batch a piece of a block of the one part, which bounds memory whatever a block is.

    One is over when the next is asked for: they share their memory.
    """
    import pyarrow as pa

    held = np.empty((len(fitted.columns), 0), np.float32)
    names, calendar = _names_of(panel), _Calendar.of(panel, schema)
    at = 0  # of the part's series, which come by code
    for block in chain.from_iterable(whole.pieces(PIECE) for whole in panel.blocks()):
        if held.shape[1] < block.rows:
            held = np.empty((len(fitted.columns), block.rows), np.float32)
        fill(fitted, block, held, 0)
        own, at = names.slice(at, block.codes.size), at + block.codes.size
        arrays = [
            *(_spread(column, block) for column in own.columns),
            calendar.of_rows(block),
            _nullable(block.target.astype(np.float64)),
            *(_column(column, held[i, : block.rows]) for i, column in enumerate(fitted.columns)),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _names_of(panel: LakePanel) -> pa.RecordBatch:
    """The code and the user's columns of the series of the panel's one part, by code."""
    import pyarrow as pa

    (part,) = panel.parts
    own = panel.series[BUCKET] == part
    # Column by column: Polars' threads would wait for a core until a piece is written.
    names = [CODE, *panel.info.columns.series]
    columns = [panel.series[name].filter(own) for name in names]
    oldest = pl.CompatLevel.oldest()
    return pa.record_batch([c.to_arrow(compat_level=oldest) for c in columns], names=names)


def _spread(values: pa.Array, block: Block) -> pa.Array:
    """A value a series as a value a row; texts as places in those of the block."""
    import pyarrow as pa

    if pa.types.is_primitive(values.type) and not values.null_count:
        return pa.array(
            np.repeat(values.to_numpy(zero_copy_only=False), block.lengths), values.type
        )
    of_row = pa.array(np.repeat(np.arange(len(values), dtype=np.int32), block.lengths))
    if pa.types.is_large_string(values.type):
        return pa.DictionaryArray.from_arrays(of_row, values)
    return values.take(of_row)


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Where each period of a panel starts, as the column of time holds it; None: they are days,
    which are counted as a date is.
    """

    first: int
    starts: pa.Array | None

    @classmethod
    def of(cls, panel: LakePanel, schema: pa.Schema) -> _Calendar:
        """From the first period of any series to the cutoff."""
        import pyarrow as pa

        info, first = panel.info, int(panel.fixed.first.min())
        kind = schema.field(info.columns.time).type
        ordinals = pa.array(np.arange(first, info.cutoff + 1, dtype=np.int32))
        starts = pa.array(info.frequency.start(ordinals.to_numpy())).cast(kind)
        days = kind == pa.date32() and starts.equals(ordinals.view(kind))
        return cls(first, None if days else starts)

    def of_rows(self, block: Block) -> pa.Array:
        """The time of each row."""
        import pyarrow as pa

        ordinals = block.ordinals()
        if self.starts is None:
            return pa.array(ordinals).view(pa.date32())
        return self.starts.take(pa.array(ordinals - np.int32(self.first)))


def _column(column: Column, values: NDArray[np.float32]) -> pa.Array:
    import pyarrow as pa

    return pa.array(values) if column.feature.op == "calendar" else _nullable(values)


def _nullable(values: NDArray[np.floating]) -> pa.Array:
    """The values as they lie, with a null for a NaN."""
    import pyarrow as pa

    known = values == values  # noqa: PLR0124 - what is not a number is not equal to itself
    nulls = values.size - int(np.count_nonzero(known))
    mask = pa.py_buffer(np.packbits(known, bitorder="little")) if nulls else None
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, values.size, [mask, pa.py_buffer(values)], nulls)


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


def _schema(panel: LakePanel, plan: FeaturePlan) -> pa.Schema:
    import pyarrow as pa

    info = panel.info
    names = info.columns.series
    ids = panel.series.select(CODE, *names).head(0)
    time = pl.Series(info.columns.time, info.frequency.start(np.array([0]))).head(0)
    if time.dtype == pl.Datetime:  # as in the panel
        time = time.dt.cast_time_unit("us").dt.replace_time_zone("UTC")
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
