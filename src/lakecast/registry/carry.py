"""Carrying a champion on: newer rows of the series it knows, first rows of those it does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.core.block import Future
from lakecast.core.features import State, advance, state_at
from lakecast.models import inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import PanelInfo
    from lakecast.models.bundle import Predictor

_WHEN: Final = "_when"
_NEWS: Final = "_news"


def carry(predictor: Predictor, rows: pl.DataFrame) -> Predictor | None:
    """The champion at the last period with a target in the rows; None where they tell no news.

    It stands for the series that have news: targets after the cutoff of those it knows, any of
    those it does not. Periods without a row hold what the panel's gaps hold; a row without a
    target before that last period is a null; rows that are not news are left out. Known series
    are at the same bits as if the champion had been saved there. Raises `UsageError` for two rows
    of a series in a period, and for times that are none.
    """
    info = predictor.info
    names = list(info.columns.series)
    given = pl.col(info.columns.target).is_not_null()
    news = _marked(predictor, rows).filter(_NEWS)
    told = news.filter(given)
    if told.is_empty():
        return None
    last = int(np.asarray(told[_WHEN].max()))
    news = news.filter(pl.col(_WHEN) <= last).join(
        told.select(names).unique(), on=names, how="semi", nulls_equal=True
    )
    return _merged(_News(predictor, inputs.history(news, info, predictor.terms)))


def _marked(predictor: Predictor, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their period, and whether the champion does not know of them yet."""
    info = predictor.info
    names = list(info.columns.series)
    rows = inputs.keyed(rows, predictor.series, names)
    when = inputs.ordinals(rows[info.columns.time], info.frequency, info.timezone)
    known = inputs.places(rows, predictor.series, names) >= 0
    return rows.with_columns(
        pl.Series(_WHEN, when), pl.Series(_NEWS, ~known | (when > predictor.state.cutoff))
    )


@dataclass(frozen=True, slots=True)
class _News:
    """A history of series [S] that ends at its cutoff, for a champion that stands elsewhere."""

    predictor: Predictor
    past: inputs.Past

    @property
    def info(self) -> PanelInfo:
        return self.predictor.info

    @property
    def fill(self) -> float:
        """What a period without a row holds."""
        return float("nan") if self.predictor.terms.fill is None else self.predictor.terms.fill

    @property
    def periods(self) -> int:
        """How far the champion is carried."""
        return self.past.cutoff - self.predictor.state.cutoff

    def places(self) -> NDArray[np.int64]:
        """[S] where the champion has the series, -1 where it does not."""
        return inputs.places(self.past.series, self.predictor.series, self.info.columns.series)


def _merged(news: _News) -> Predictor:
    place = news.places()
    known, new = np.flatnonzero(place >= 0), np.flatnonzero(place < 0)
    states = []
    if known.size:
        states.append(_advanced(news, known, place[known]))
    if new.size:
        states.append(_begun(news, new))
    order = np.argsort(np.concatenate([known, new]), kind="stable")
    state = (State.merge(states) if len(states) > 1 else states[0]).select(order)
    series = news.past.series.select(news.info.columns.series)
    return news.predictor.at(state, series, _ahead(news, place))


def _advanced(news: _News, rows: NDArray[np.int64], place: NDArray[np.int64]) -> State:
    """Known series: their state, carried on by the periods since the cutoff."""
    held = news.predictor.future
    covariates = {}
    for name, values in news.past.block.covariates.items():
        told = _grid(news, values, rows, float("nan"))
        if name in held.covariates:
            known = held.covariates[name][place, : news.periods]
            part = told[:, : known.shape[1]]
            part[:] = np.where(np.isnan(part), known, part)
        covariates[name] = told
    target = _grid(news, news.past.block.target, rows, news.fill)
    return advance(news.predictor.state.select(place), target, covariates)


def _begun(news: _News, rows: NDArray[np.int64]) -> State:
    """Series the champion does not know: a state of what the rows say."""
    predictor = news.predictor
    plans = predictor.forecaster.plans
    state = state_at(news.past.block, news.past.cutoff, memory=predictor.state.memory, plans=plans)
    return replace(
        state.select(rows),
        codes=np.full(rows.size, -1, np.int32),
        statics=inputs.statics(news.past.series[rows], news.info),
    )


def _grid(
    news: _News, values: NDArray[np.float32], rows: NDArray[np.int64], empty: float
) -> NDArray[np.float32]:
    """[n, K] the last K values of the block's series at the rows; `empty` before they begin."""
    index = news.past.block.starts[rows + 1][:, None] - news.periods + np.arange(news.periods)
    inside = index >= news.past.block.starts[rows][:, None]
    return np.where(inside, values[np.where(inside, index, 0)], np.float32(empty))


def _ahead(news: _News, place: NDArray[np.int64]) -> Future:
    """What the champion knew of the periods after the new cutoff; null for series it does not."""
    held = news.predictor.future
    gone = min(max(news.periods, 0), held.horizon)
    unknown = (place < 0)[:, None]
    return Future(
        horizon=held.horizon - gone,
        covariates={
            name: np.where(unknown, np.float32(np.nan), values[place, gone:])
            for name, values in held.covariates.items()
        },
    )
