"""What if: known-future covariates as somebody would have them, instead of as they are planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lakecast.columns import FORECAST
from lakecast.errors import UsageError
from lakecast.forecasting.files import read_frame
from lakecast.models.inputs import keyed

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from lakecast.models.bundle import Predictor

PLANNED: Final = "forecast-planned"
_SHOWN: Final = 3


def load(path: Path, predictor: Predictor) -> pl.DataFrame:
    """A scenario file: the time column, any of the series columns, known-future covariates.

    A series column that is absent stands for all its values. Raises `UsageError` where a row is of
    no series that the champion knows; what else can be wrong is told when it is used.
    """
    frame = read_frame(path)
    keys = [name for name in predictor.info.columns.series if name in frame.columns]
    if not keys:
        return frame
    wanted = keyed(frame, predictor.series, keys).select(keys).unique(maintain_order=True)
    strange = wanted.join(predictor.series, on=keys, how="anti", nulls_equal=True)
    if strange.height:
        shown = ", ".join(" / ".join(map(str, row)) for row in strange.head(_SHOWN).rows())
        raise UsageError(
            f"{strange.height} series of the scenario are not in the panel: {shown}"
            + (", ..." if strange.height > _SHOWN else ""),
            where=str(path),
            cure="write series as they stand in the sales, or leave the column out for all",
        )
    return frame


def compare(
    predictor: Predictor, scenario: pl.DataFrame, *, series: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Forecasts under a scenario, with `forecast-planned` beside them: what they are without."""
    changed = predictor.forecast(series, covariates=scenario)
    planned = predictor.forecast(series)
    return changed.with_columns(planned[FORECAST].alias(PLANNED))
