"""What MLflow loads: a champion that answers a frame, wherever MLflow, NumPy and Polars run.

It needs no lake, no engine and no registry. The columns of the frame are the panel's: series
columns, time, target, covariates.

- A row with a target is *history*. For a series the champion knows, rows after its cutoff carry
  its state on (rows before are in it already); for a series it does not know, they are all there
  is. Series with news are forecast from the last period with a target; a period without a row
  holds what the panel's gaps hold, a row without a target before that period is a null.
- Every other row without a target is *asked for*: it gives one row of the answer, in the order
  asked, and its known-future covariates go over those the champion holds. Without times, each
  series named is answered for `horizon` periods. Where no row is asked for, the series in the
  frame are; for an empty frame all that the champion knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

import numpy as np
import polars as pl

from lakecast.columns import HORIZON
from lakecast.errors import UsageError
from lakecast.models import inputs
from lakecast.models.bundle import Predictor
from lakecast.registry.carry import carry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from lakecast.core.block import PanelInfo

_ORDER: Final = "_order"


class Options(TypedDict):
    """What `params` may say; None: as the champion was trained for."""

    horizon: int | None
    levels: list[int] | None


def _load_pyfunc(path: str) -> Model:
    """MLflow's entry: the bundle saved in a folder."""
    return Model(Predictor.load(Path(path)))


@dataclass(frozen=True, slots=True)
class Model:
    """A champion behind MLflow's `predict`. Immutable, safe between threads."""

    predictor: Predictor

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecasts as `Predictor.forecast` gives them; see the module for what a row means.

        `params`: `horizon` in periods, where no times are asked for, and `levels` in percent.
        """
        options = _options(params or {})
        return answer(self.predictor, pl.from_pandas(model_input), options).to_pandas()


def answer(predictor: Predictor, frame: pl.DataFrame, options: Options) -> pl.DataFrame:
    """The forecasts that a frame asks for. Raises `UsageError` for what cannot be answered."""
    if frame.is_empty():
        return predictor.forecast(**options)
    info = predictor.info
    frame = inputs.keyed(frame, predictor.series, info.columns.series)
    if info.columns.target not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.Float64).alias(info.columns.target))
    moved = _moved(predictor, frame)
    asked = _asked(frame, info, moved).with_row_index(_ORDER)
    parts = [_forecast(one, rows, options) for one, rows in _shared(predictor, moved, asked)]
    return pl.concat(parts).sort(_ORDER, HORIZON).drop(_ORDER)


def _options(params: Mapping[str, Any]) -> Options:
    horizon, levels = params.get("horizon"), params.get("levels")
    return {
        "horizon": None if horizon is None else int(horizon),
        "levels": None if levels is None else [int(level) for level in np.atleast_1d(levels)],
    }


def _moved(predictor: Predictor, frame: pl.DataFrame) -> Predictor | None:
    """The champion carried on by the frame's history; None where there is nothing new in it."""
    columns = predictor.info.columns
    if not frame[columns.target].count():
        return None
    if columns.time not in frame.columns:
        raise UsageError(
            f"history lacks the time column `{columns.time}`",
            where="the frame",
            cure=f"give the period of each row, or leave out `{columns.target}`",
        )
    # A row that says neither when nor how much asks for its series.
    said = pl.col(columns.time).is_not_null() | pl.col(columns.target).is_not_null()
    return carry(predictor, frame.filter(said))


def _asked(frame: pl.DataFrame, info: PanelInfo, moved: Predictor | None) -> pl.DataFrame:
    """The rows asked for; without any, one row a series. A time column without times goes."""
    time, names = info.columns.time, list(info.columns.series)
    asked = frame.filter(pl.col(info.columns.target).is_null())
    timed = time in asked.columns and bool(asked[time].count())
    if timed and moved is not None:
        asked = asked.remove(pl.Series(_past(asked, moved), dtype=pl.Boolean))
    if asked.is_empty():
        return frame.drop(time, strict=False).unique(names, keep="first", maintain_order=True)
    return asked if timed else asked.drop(time, strict=False)


def _past(asked: pl.DataFrame, moved: Predictor) -> NDArray[np.bool_]:
    """[n] the rows that are nulls of a history: not after where their series stands now."""
    info = moved.info
    when = inputs.ordinals(asked[info.columns.time], info.frequency, info.timezone)
    mine = inputs.places(asked, moved.series, info.columns.series) >= 0
    return np.asarray(mine & (when <= moved.state.cutoff))


def _shared(
    predictor: Predictor, moved: Predictor | None, asked: pl.DataFrame
) -> Iterator[tuple[Predictor, pl.DataFrame]]:
    """The rows by who answers them: the champion carried on, or as it was saved."""
    if moved is None:
        yield predictor, asked
        return
    mine = pl.Series(inputs.places(asked, moved.series, moved.info.columns.series) >= 0)
    for one, rows in ((moved, asked.filter(mine)), (predictor, asked.filter(~mine))):
        if rows.height:
            yield one, rows


def _forecast(predictor: Predictor, asked: pl.DataFrame, options: Options) -> pl.DataFrame:
    """The answer to the rows, with their `_order`."""
    info = predictor.info
    names, keys = list(info.columns.series), [*info.columns.series]
    covariates = None
    if info.columns.time in asked.columns:
        asked = asked.with_columns(pl.Series(HORIZON, _steps(predictor, asked)))
        options = {**options, "horizon": int(np.asarray(asked[HORIZON].max()))}
        covariates, keys = _covariates(predictor, asked), [*names, HORIZON]
    statics = [name for name in (*info.categories, *info.numeric) if name in asked.columns]
    series = asked.select(*dict.fromkeys([*names, *statics]))
    out = predictor.forecast(series, covariates=covariates, **options)
    order = asked.select(*keys, _ORDER)
    if HORIZON not in keys:
        order = order.unique(names, keep="first")
    return out.join(order, on=keys, how="inner", nulls_equal=True)


def _steps(predictor: Predictor, asked: pl.DataFrame) -> pl.Series:
    info, cutoff = predictor.info, predictor.state.cutoff
    when = inputs.ordinals(asked[info.columns.time], info.frequency, info.timezone)
    if (when <= cutoff).any():
        raise UsageError(
            f"{int((when <= cutoff).sum())} rows asked for are not after the cutoff, "
            f"{_day(info, cutoff)}",
            where=f"column `{info.columns.time}`",
            cure="ask for later periods, or give those rows their targets",
        )
    return pl.Series(HORIZON, when - cutoff).cast(pl.Int32)


def _covariates(predictor: Predictor, asked: pl.DataFrame) -> pl.DataFrame | None:
    """What the rows say about the future, in the form that `Predictor.forecast` takes."""
    info, texts = predictor.info, predictor.terms.texts
    given = [
        name
        for name, role in info.covariates.items()
        if role == "known-future" and name in asked.columns and asked[name].count()
    ]
    if not given:
        return None
    coded = [pl.Series(name, inputs.numbers(asked[name], texts.get(name))) for name in given]
    return asked.select(*info.columns.series, info.columns.time).with_columns(coded)


def _day(info: PanelInfo, ordinal: int) -> str:
    return str(info.frequency.start(np.array([ordinal]))[0])
