"""The stage `forecast`: the champion answers for every series, from where the panel stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.columns import CUTOFF, LEVEL, MODEL_VERSION
from lakecast.flows import bundles

if TYPE_CHECKING:
    from lakecast.flows.context import Context
    from lakecast.lake.lake_panel import LakePanel
    from lakecast.models.bundle import Predictor
    from lakecast.registry.promotions import Promotion

FORECASTS: Final = "forecasts"
WHOLE: Final = "series"
"""Value of `level` for forecasts of the panel's own series."""


def standing(context: Context, champion: Promotion, panel: LakePanel) -> Predictor:
    """The champion at the panel's cutoff."""
    from lakecast.forecasting.forecast import at_panel

    predictor = bundles.load(context.lake, champion.fingerprint)
    return at_panel(predictor, panel)


def run_forecast(context: Context, champion: Promotion, panel: LakePanel, fingerprint: str) -> int:
    """Replace the forecasts of this cutoff and model version; the number of rows."""
    from lakecast.forecasting.forecast import in_pieces

    predictor = standing(context, champion, panel)
    frame = labelled(pl.concat(in_pieces(predictor)), champion)
    table = context.lake.table(FORECASTS)
    partition = {
        CUTOFF: str(frame[CUTOFF][0]),
        MODEL_VERSION: champion.model_version,
    }
    rows = frame.drop(CUTOFF, MODEL_VERSION).to_arrow(compat_level=pl.CompatLevel.oldest())
    schema = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    table.commit(
        add=[table.stage(rows, partition=partition)],
        remove=table.files(**partition),
        schema=schema,
        partition_by=(CUTOFF, MODEL_VERSION),
        fingerprint=fingerprint,
    )
    return frame.height


def labelled(frame: pl.DataFrame, champion: Promotion) -> pl.DataFrame:
    """With the columns that only the registry knows."""
    return frame.with_columns(
        pl.lit(WHOLE).alias(LEVEL), pl.lit(champion.model_version).alias(MODEL_VERSION)
    )
