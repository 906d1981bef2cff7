"""The stage `forecast`: the champion answers for every series, from where the panel stands."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import CUTOFF, LEVEL, MODEL_VERSION
from lakecast.core.hierarchy import SERIES
from lakecast.flows import bundles

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from lakecast.flows.context import Context
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.lake.tables import Lake, StagedFile
    from lakecast.models.bundle import Predictor
    from lakecast.registry.promotions import Promotion

FORECASTS: Final = "forecasts"
_GROUP: Final = 250_000  # rows of a row group, which is held until it is whole


def standing(context: Context, champion: Promotion, panel: LakePanel) -> Predictor:
    """The champion at the panel's cutoff."""
    from lakecast.forecasting.forecast import at_panel

    predictor = bundles.load(context.lake, champion.fingerprint)
    return at_panel(predictor, panel)


def run_forecast(context: Context, champion: Promotion, panel: LakePanel, fingerprint: str) -> int:
    """Replace the forecasts of this cutoff and model version; the number of rows.

    Of every series, and of each level above them: see `Predictor.every_level`.
    """
    if context.engine.spread and not _levels(context.lake, champion):
        work = partial(_bucket, lake=context.lake, champion=champion, panel=panel)
        found = list(context.engine.map(work, sorted(panel.files), title="forecast"))
    else:
        found = [_stage(context.lake, champion, panel)]
    staged = [one for one, _ in found]
    table = context.lake.table(FORECASTS)
    table.commit(
        add=staged,
        remove=table.files(**_values(staged[0])),
        schema=found[0][1],
        partition_by=(CUTOFF, MODEL_VERSION),
        fingerprint=fingerprint,
    )
    return sum(file.rows for file in staged)


def _values(file: StagedFile) -> dict[str, str]:
    return {name: value or "" for name, value in file.partition_values.items()}


def _levels(lake: Lake, champion: Promotion) -> bool:
    """Whether the champion forecasts levels, which are sums over all series."""
    return bundles.load(lake, champion.fingerprint).hierarchy is not None


def _bucket(
    bucket: int, *, lake: Lake, champion: Promotion, panel: LakePanel
) -> tuple[StagedFile, pa.Schema]:
    from lakecast.training.spread import let_go

    let_go()  # what this worker trained with
    return _stage(lake, champion, panel.part([bucket]))


def _stage(lake: Lake, champion: Promotion, panel: LakePanel) -> tuple[StagedFile, pa.Schema]:
    """A file of the forecasts for the panel, and the table's columns."""
    pieces = _pieces(lake, champion, panel)
    first = labelled(next(pieces), champion)
    partition = {CUTOFF: str(first[CUTOFF][0]), MODEL_VERSION: champion.model_version}
    frames = chain([first], (labelled(piece, champion) for piece in pieces))
    staged = lake.table(FORECASTS).stage(_reader(frames), partition=partition, groups=_GROUP)
    return staged, _arrow(first).schema


def _pieces(lake: Lake, champion: Promotion, panel: LakePanel) -> Iterator[pl.DataFrame]:
    """Levels are sums over all series; without them, each block is forecast by itself."""
    from lakecast.forecasting.forecast import at_panel, by_blocks

    predictor = bundles.load(lake, champion.fingerprint)
    if predictor.hierarchy is not None:
        return at_panel(predictor, panel).every_level()
    return chain.from_iterable(part.every_level() for part in by_blocks(predictor, panel))


def _reader(frames: Iterator[pl.DataFrame]) -> pa.RecordBatchReader:
    """Of at least one frame, without the columns that name the partition."""
    import pyarrow as pa

    tables = (_arrow(frame.drop(CUTOFF, MODEL_VERSION)) for frame in frames)
    first = next(tables)
    batches = (batch for table in chain([first], tables) for batch in table.to_batches())
    return pa.RecordBatchReader.from_batches(first.schema, batches)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def labelled(frame: pl.DataFrame, champion: Promotion) -> pl.DataFrame:
    """With the columns that only the registry knows; rows without a level are of series."""
    level = [] if LEVEL in frame.columns else [pl.lit(SERIES).alias(LEVEL)]
    return frame.with_columns(*level, pl.lit(champion.model_version).alias(MODEL_VERSION))
