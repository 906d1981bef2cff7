"""The report's frames under one set of names: a series is one text, a number is float64 or null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import ACTUAL, ANSWER, CUTOFF, FORECAST, interval_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.report.data import ReportData

KEY: Final = "_key"
"""Series values, joined so that different series never share a key."""
_BETWEEN: Final = "\x1f"
_NULL: Final = "\x00"


@dataclass(frozen=True, slots=True)
class Frames:
    """The four frames, one row a series and period; all but `history` know a series by its key.

    `history` keeps the series columns, because it may have many millions of rows.
    """

    series: tuple[str, ...]
    time: str
    target: str
    history: pl.LazyFrame
    identities: pl.DataFrame
    backtest: pl.DataFrame
    forecasts: pl.DataFrame
    held_back: pl.DataFrame

    @classmethod
    def of(cls, data: ReportData) -> Frames:
        panel = data.spec.panel
        keys = (*panel.series, panel.time)
        bands = interval_columns(data.spec.forecast.levels[:1])
        return cls(
            series=panel.series,
            time=panel.time,
            target=panel.target,
            history=_history(data),
            backtest=_latest(
                _frame(data.champion_backtest, keys, (FORECAST, ACTUAL, *bands), panel.series),
                panel.time,
            ),
            forecasts=_latest(
                _frame(data.forecasts, keys, (FORECAST, *bands), panel.series), panel.time
            ),
            held_back=_frame(data.held_back, keys, (ACTUAL,), panel.series),
            identities=_identities(data, panel.series),
        )

    def times(self) -> list[Any]:
        """Every period of any frame, ascending."""
        parts = [self.history.select(self.time).unique().collect(engine="streaming")]
        parts += [f.select(self.time).unique() for f in (self.backtest, self.forecasts)]
        full = [part for part in parts if part.height]
        if not full:
            return []
        kind = full[0].schema[self.time]
        return (
            pl.concat([part.cast({self.time: kind}) for part in full])
            .to_series()
            .unique()
            .sort()
            .to_list()
        )


def _history(data: ReportData) -> pl.LazyFrame:
    panel = data.spec.panel
    if data.history is None:
        names = dict.fromkeys(panel.series, pl.String())
        return pl.LazyFrame(schema={**names, panel.time: pl.Date(), panel.target: pl.Float64()})
    return data.history.select(*panel.series, panel.time, _number(panel.target))


def _identities(data: ReportData, series: tuple[str, ...]) -> pl.DataFrame:
    """Series columns and key of every series that has a forecast, backtest or not."""
    frames = [f for f in (data.champion_backtest, data.forecasts) if f is not None]
    parts = [frame.select(series).unique() for frame in frames]
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys((*series, KEY), pl.String()))
    return pl.concat(parts, how="vertical_relaxed").unique().with_columns(_key(series))


def _frame(
    frame: pl.DataFrame | None, keys: Sequence[str], values: Sequence[str], series: Sequence[str]
) -> pl.DataFrame:
    """Key, time and values; a value the frame does not have is null. `keys` end with the time."""
    time = keys[-1]
    if frame is None:
        schema = {KEY: pl.String(), time: pl.Date(), CUTOFF: pl.Date(), ANSWER: pl.String()}
        return pl.DataFrame(schema={**schema, **dict.fromkeys(values, pl.Float64())})
    extra = [
        _number(name) if name in frame.columns else pl.lit(None, pl.Float64).alias(name)
        for name in values
    ]
    origin = pl.col(CUTOFF) if CUTOFF in frame.columns else pl.lit(0).alias(CUTOFF)
    answer = pl.col(ANSWER) if ANSWER in frame.columns else pl.lit("model").alias(ANSWER)
    return frame.select(_key(series), time, origin, answer.cast(pl.String), *extra)


def _number(name: str) -> pl.Expr:
    """A column as float64, null where it is not a number."""
    return pl.col(name).cast(pl.Float64).fill_nan(None)


def _key(series: Sequence[str]) -> pl.Expr:
    parts = [pl.col(name).cast(pl.String).fill_null(_NULL) for name in series]
    return pl.concat_str(parts, separator=_BETWEEN).alias(KEY)


def label(key: str) -> str:
    """A key as people read it."""
    return " · ".join("(none)" if part == _NULL else part for part in key.split(_BETWEEN))


def _latest(frame: pl.DataFrame, time: str) -> pl.DataFrame:
    """One row a series and period: where windows overlap, the one that knew most."""
    newest = frame.group_by(time).agg(pl.col(CUTOFF).max(), _many=pl.col(CUTOFF).n_unique() > 1)
    if not newest["_many"].any():
        return frame
    return frame.join(newest, on=[time, CUTOFF], how="semi")
