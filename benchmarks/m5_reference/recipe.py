"""The recipe: a matrix of float32 by NumPy, one LightGBM on it, forecasts for 28 days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from benchmarks.wrmsse import HORIZON, IDS, SERIES, Market, groups, read, scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

TRAINED: Final = 420
ROUNDS: Final = 500
LAGS: Final = (28, 29, 30, 31, 32, 33, 34, 35, 42, 49, 56)
MEANS: Final = (7, 14, 28, 56, 112)
EVENTS: Final = ("event_name_1", "event_type_1", "event_name_2", "event_type_2")
CATEGORIES: Final = (*IDS, *EVENTS)
PARAMS: Final[dict[str, object]] = {
    "num_iterations": ROUNDS,
    "objective": "tweedie",
    "tweedie_variance_power": 1.1,
    "learning_rate": 0.05,
    "num_leaves": 127,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.75,
    "bagging_freq": 1,
    "lambda_l2": 0.1,
    "seed": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """All that features come from; days are places, so day 1 is 0.

    `prices` is [series, weeks], NaN before an item is on sale; `calendar` has a row a day and its
    column `week` is the place of the day's week in `prices`.
    """

    market: Market
    prices: NDArray[np.float32]
    calendar: pl.DataFrame


def facts(files: Path, stores: Sequence[str] = ()) -> Facts:
    """Read the competition's files, of some stores or all."""
    market = read(files, stores)
    calendar = scan(files, "calendar").collect().sort("wm_yr_wk", "date")
    calendar = calendar.with_columns(
        pl.col("date").cast(pl.String).str.to_date("%Y-%m-%d"),
        (pl.col("wm_yr_wk").rank("dense") - 1).cast(pl.Int64).alias("week"),
    )
    weeks = calendar.select("wm_yr_wk", "week").unique().sort("week").cast({"wm_yr_wk": pl.Int32})
    prices = np.full((market.ids.height, weeks.height), np.nan, dtype=np.float32)
    numbered = market.ids.select(SERIES).with_row_index("row")
    told = market.prices.cast({"week": pl.Int32}).rename({"week": "wm_yr_wk"}).collect()
    told = told.join(numbered, on=SERIES).join(weeks, on="wm_yr_wk")
    prices[told["row"].to_numpy(), told["week"].to_numpy()] = told["sell_price"].to_numpy()
    return Facts(market=market, prices=prices, calendar=calendar)


def forecast(
    known: Facts, cutoff: int, *, threads: int = 2, params: Mapping[str, object] | None = None
) -> pl.DataFrame:
    """`item_id`, `store_id`, `date`, `forecast` of the 28 days after a cutoff (`d_1913`: 1913).

    `params` replace those of the recipe.
    """
    import lightgbm

    names, matrix, target = _training(known, cutoff)
    data = lightgbm.Dataset(
        matrix, target, feature_name=names, categorical_feature=list(CATEGORIES), free_raw_data=True
    )
    booster = lightgbm.train({**PARAMS, **(params or {}), "num_threads": threads}, data)
    del data, matrix, target
    ahead = np.arange(cutoff, cutoff + HORIZON)
    every = np.ones((known.market.ids.height, HORIZON), dtype=bool)
    found = booster.predict(_matrix(known, ahead, every)[1], num_threads=threads)
    series = np.repeat(np.arange(known.market.ids.height), HORIZON)
    dates = known.calendar["date"].to_numpy()[ahead]
    return known.market.ids.select(pl.col(SERIES).gather(series)).with_columns(
        pl.Series("date", np.tile(dates, known.market.ids.height), dtype=pl.Date),
        pl.Series("forecast", np.maximum(found, 0.0)),
    )


def _training(
    known: Facts, cutoff: int
) -> tuple[list[str], NDArray[np.float32], NDArray[np.float32]]:
    """The rows of the last days, of items that were on sale."""
    days = np.arange(cutoff - TRAINED, cutoff)
    on_sale = ~np.isnan(_priced(known, days))
    names, matrix = _matrix(known, days, on_sale)
    return names, matrix, known.market.units[:, days][on_sale].astype(np.float32)


def _matrix(
    known: Facts, days: NDArray[np.int64], rows: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.float32]]:
    """Names and [rows, features]; `rows` says which of [series, days] are taken."""
    names = [name for name, _ in _features(known, days[:1])]
    matrix = np.empty((int(rows.sum()), len(names)), dtype=np.float32, order="F")
    for place, (_, block) in enumerate(_features(known, days)):
        matrix[:, place] = np.broadcast_to(block, rows.shape)[rows]
    return names, matrix


def _features(known: Facts, days: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each feature, broadcastable to [series, days]."""
    for name in IDS:
        yield name, groups(known.market.ids, [name]).astype(np.float32)[:, None]
    units = known.market.units
    for lag in LAGS:
        yield f"lag_{lag}", units[:, days - lag].astype(np.float32)
    for window in MEANS:
        yield f"mean_{window}", _mean(units, days - HORIZON, window)
    yield from _price_features(known, days)
    yield from _calendar_features(known, days)


def _mean(units: NDArray[np.int32], last: NDArray[np.int64], window: int) -> NDArray[np.float32]:
    """[series, days] mean of the `window` days that end on each of the days `last`."""
    low = int(last.min()) - window
    total = np.cumsum(units[:, low : int(last.max()) + 1], axis=1)
    return ((total[:, last - low] - total[:, last - window - low]) / window).astype(np.float32)


def _price_features(
    known: Facts, days: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The price, and beside the highest so far, the mean so far and the week before."""
    week = known.calendar["week"].to_numpy()[days]
    prices = known.prices
    there = ~np.isnan(prices)
    count = np.maximum(np.cumsum(there, axis=1), 1)
    mean = np.cumsum(np.where(there, prices, 0), axis=1, dtype=np.float64) / count
    before = np.concatenate([prices[:, :1], prices[:, :-1]], axis=1)
    yield "price", prices[:, week]
    others = {
        "highest": np.fmax.accumulate(prices, axis=1),
        "mean": np.where(mean > 0, mean, np.nan).astype(np.float32),
        "last_week": before,
    }
    for name, other in others.items():
        yield f"price_to_{name}", (prices / other)[:, week]


def _calendar_features(
    known: Facts, days: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    day = known.calendar[days]
    date = pl.col("date").dt
    parts = {"weekday": date.weekday(), "day": date.day(), "week": date.week(),
             "month": date.month()}  # fmt: skip
    for name, part in parts.items():
        yield name, day.select(part.cast(pl.Float32)).to_series().to_numpy()[None, :]
    for name in EVENTS:
        codes = known.calendar.select(pl.col(name).rank("dense").cast(pl.Float32)).to_series()
        yield name, codes.to_numpy()[days][None, :]
    states = known.market.ids["state_id"].to_list()
    snap = {s: day[f"snap_{s}"].cast(pl.Float32).to_numpy() for s in set(states)}
    yield "snap", np.stack([snap[state] for state in states])


def _priced(known: Facts, days: NDArray[np.int64]) -> NDArray[np.float32]:
    return known.prices[:, known.calendar["week"].to_numpy()[days]]
