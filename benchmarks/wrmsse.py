"""WRMSSE, the score of the M5 competition, in float64 from the competition's own files.

As the organisers' guide states it: for each of twelve levels of aggregation, the root of a series'
mean squared error over 28 days divided by the mean squared day-to-day change from its first sale
up to the cutoff, averaged with the revenue of the last 28 days up to the cutoff as weights; the
score is the mean of the twelve. Days are counted from 1, as in `d_1`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from numpy.typing import NDArray

T = TypeVar("T", np.int32, np.float64)

HORIZON: Final = 28
SERIES: Final = ("item_id", "store_id")
IDS: Final = ("item_id", "dept_id", "cat_id", "store_id", "state_id")
LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "total": (),
    "state": ("state_id",),
    "store": ("store_id",),
    "category": ("cat_id",),
    "department": ("dept_id",),
    "state, category": ("state_id", "cat_id"),
    "state, department": ("state_id", "dept_id"),
    "store, category": ("store_id", "cat_id"),
    "store, department": ("store_id", "dept_id"),
    "item": ("item_id",),
    "item, state": ("item_id", "state_id"),
    "item, store": ("item_id", "store_id"),
}
MEAN: Final = "mean"
_SALES: Final = ("sales_train_evaluation", "sales_train_evaluation_wide")
_AT_ONCE: Final = 2_000  # series whose changes are held in float64 together


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """What was sold.

    `ids` has the columns `IDS`, a row a series; `units` [series, days] in the same order; `prices`
    has `SERIES`, `week` and `sell_price`; `weeks` [days] is the week of each day and `first` the
    date of day 1.
    """

    ids: pl.DataFrame
    units: NDArray[np.int32]
    prices: pl.LazyFrame
    weeks: NDArray[np.int32]
    first: date

    @property
    def days(self) -> int:
        """The last day whose sales are known."""
        return int(self.units.shape[1])


def read(files: Path, stores: Sequence[str] = ()) -> Market:
    """The competition's files in a folder, CSV or Parquet, of some stores or all."""
    wide = scan(files, *_SALES)
    if stores:
        wide = wide.filter(pl.col("store_id").is_in(stores))
    calendar = scan(files, "calendar").select("d", "date", "wm_yr_wk").collect()
    sold = [name for name in wide.collect_schema().names() if name.startswith("d_")]
    whole = wide.select(*IDS, *sold).collect()
    dated = pl.DataFrame({"d": sold}).join(calendar, on="d", how="left", maintain_order="left")
    return Market(
        ids=whole.select(IDS),
        units=np.ascontiguousarray(whole.select(sold).to_numpy(), dtype=np.int32),
        prices=scan(files, "sell_prices").rename({"wm_yr_wk": "week"}),
        weeks=dated["wm_yr_wk"].to_numpy().astype(np.int32),
        first=dated["date"].cast(pl.String).str.to_date("%Y-%m-%d")[0],
    )


def scan(folder: Path, *names: str) -> pl.LazyFrame:
    """The file of one of these names. Exits where there is none."""
    for name in names:
        if (path := folder / f"{name}.csv").exists():
            return pl.scan_csv(path, infer_schema_length=1000)
        if (path := folder / f"{name}.parquet").exists():
            return pl.scan_parquet(path)
    sys.exit(f"{folder} has no {names[0]}.csv or .parquet: --files names the competition's folder")


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One level at a cutoff: `of` [series] the group of each, `scale` and `weight` [groups]."""

    of: NDArray[np.int64]
    scale: NDArray[np.float64]
    weight: NDArray[np.float64]

    def score(self, errors: NDArray[np.float64]) -> float:
        """The weighted mean of the groups' scaled errors; `errors` is [series, days]."""
        squared = (added(errors, self.of) ** 2).mean(axis=1)
        known = self.scale > 0
        ratio = np.divide(squared, self.scale, out=np.zeros_like(squared), where=known)
        return float(np.average(np.sqrt(ratio), weights=np.where(known, self.weight, 0.0)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Referee:
    """All that forecasts of the 28 days after one cutoff are judged by."""

    actual: NDArray[np.float64]
    levels: Mapping[str, Level]

    def scores(self, forecasts: NDArray[np.float64]) -> dict[str, float]:
        """The score of each level, and their `mean`; `forecasts` is [series, 28].

        Raises `ValueError` for a forecast that is not a finite number.
        """
        if not np.isfinite(forecasts).all():
            raise ValueError("a forecast is not a finite number")
        errors = self.actual - forecasts
        found = {name: level.score(errors) for name, level in self.levels.items()}
        return {**found, MEAN: float(np.mean(list(found.values())))}


def referee(market: Market, cutoff: int) -> Referee:
    """Scales and weights from the days up to the cutoff, actuals of those after it.

    A group whose sales never changed up to the cutoff has no scale: it weighs nothing. Raises
    `ValueError` where the actuals are not known.
    """
    if cutoff + HORIZON > market.days:
        raise ValueError(f"actuals end on day {market.days}, so the cutoff cannot be {cutoff}")
    earned = revenue(market, cutoff)
    levels = {}
    for name, columns in LEVELS.items():
        of = groups(market.ids, columns)
        scale = scales(added(market.units[:, :cutoff], of))
        weight = np.bincount(of, weights=earned).astype(np.float64)
        levels[name] = Level(of=of, scale=scale, weight=weight)
    actual = market.units[:, cutoff : cutoff + HORIZON].astype(np.float64)
    return Referee(actual=actual, levels=levels)


def scales(units: NDArray[np.int32]) -> NDArray[np.float64]:
    """[groups] mean squared day-to-day change from the first day with sales; NaN without two."""
    parts = [_changes(units[i : i + _AT_ONCE]) for i in range(0, len(units), _AT_ONCE)]
    return np.concatenate(parts)


def _changes(units: NDArray[np.int32]) -> NDArray[np.float64]:
    change = np.diff(units.astype(np.float64), axis=1) ** 2
    begun = np.logical_or.accumulate(units != 0, axis=1)[:, :-1]
    count = begun.sum(axis=1)
    total = np.where(begun, change, 0.0).sum(axis=1)
    found: NDArray[np.float64] = np.full(len(units), np.nan)
    np.divide(total, count, out=found, where=count > 0)
    return found


def revenue(market: Market, cutoff: int) -> NDArray[np.float64]:
    """[series] units times price over the 28 days up to the cutoff; no price counts as none."""
    days = slice(max(cutoff - HORIZON, 0), cutoff)
    needed, place = np.unique(market.weeks[days], return_inverse=True)
    prices = market.prices.filter(pl.col("week").is_in(needed.tolist())).collect()
    wanted = market.ids.select(SERIES).join(
        pl.DataFrame({"week": needed}), how="cross", maintain_order="left_right"
    )
    found = wanted.join(
        prices.cast({"week": pl.Int32}), on=[*SERIES, "week"], how="left", maintain_order="left"
    )
    paid = found["sell_price"].fill_null(0.0).cast(pl.Float64).to_numpy()
    daily = paid.reshape(len(market.units), len(needed))[:, place]
    return np.asarray((market.units[:, days] * daily).sum(axis=1), dtype=np.float64)


def groups(ids: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.int64]:
    """[series] the number of each series' group; no columns put all in one."""
    if not columns:
        return np.zeros(ids.height, dtype=np.int64)
    ranked = ids.select(pl.struct(columns).rank("dense") - 1).to_series()
    return ranked.to_numpy().astype(np.int64)


def added(values: NDArray[T], of: NDArray[np.int64]) -> NDArray[T]:
    """[groups, n] the rows of each group added up, in the type of the values."""
    order = np.argsort(of, kind="stable")
    starts = np.flatnonzero(np.diff(of[order], prepend=-1))
    return np.add.reduceat(values[order], starts, axis=0, dtype=values.dtype)


def matrix(frame: pl.DataFrame, market: Market, cutoff: int) -> NDArray[np.float64]:
    """[series, 28] from a frame of `item_id`, `store_id`, `date` and `forecast`.

    Series that were never sold up to the cutoff may be absent and get 0. Raises `ValueError` where
    another forecast is missing or one stands twice.
    """
    numbered = market.ids.select(SERIES).with_row_index("row")
    ahead = (pl.col("date").cast(pl.Date) - market.first).dt.total_days() - cutoff
    rows = frame.select(*SERIES, ahead.alias("ahead"), "forecast").join(numbered, on=SERIES)
    rows = rows.filter(pl.col("ahead").is_between(0, HORIZON - 1))
    out = np.full((market.ids.height, HORIZON), np.nan)
    out[rows["row"].to_numpy(), rows["ahead"].to_numpy()] = rows["forecast"].to_numpy()
    if rows.height != np.count_nonzero(~np.isnan(out)):
        raise ValueError(f"forecasts from day {cutoff} stand twice or are not numbers")
    unsold = ~market.units[:, :cutoff].any(axis=1) & np.isnan(out).all(axis=1)
    out[unsold] = 0.0
    if missing := int(np.isnan(out).sum()):
        raise ValueError(f"{missing} forecasts from day {cutoff} are missing")
    return out


def seasonal_naive(market: Market, cutoff: int) -> NDArray[np.float64]:
    """[series, 28] the last week known, again and again."""
    week = market.units[:, cutoff - 7 : cutoff].astype(np.float64)
    return np.tile(week, (1, HORIZON // 7))
