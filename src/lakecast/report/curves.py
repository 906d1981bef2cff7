"""The lines of the report: totals of all series, and the detail of a bounded choice of series."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import ACTUAL, ANSWER, FORECAST
from lakecast.report.frames import KEY, Frames, label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.report.data import ReportData

MOST_SERIES: Final = 300
MOST_POINTS: Final = 250_000
"""Numbers of history in the file, over all series drawn: about 1.2 MB."""
MOST_PERIODS: Final = 5_000
_DIGITS: Final = 4
_TOTAL_DIGITS: Final = 7  # totals are also added up and written out

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Curves:
    """What the charts of forecasts are drawn from, as JSON-able values.

    `times` are the ISO labels of the x axis; a curve is [index of its first value, values...],
    null where unknown. `first` is the first period there is, `last` the position of the last
    known one. As many as fit of `known` series are in `series`.
    """

    times: list[str]
    first: str
    last: int
    total: Json
    series: list[Json]
    known: int

    def plain(self) -> Json:
        """The values by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def curves(data: ReportData, most: int = MOST_SERIES) -> Curves:
    """The curves of at most `most` series: two thirds the largest, the rest the worst forecast."""
    frames = Frames.of(data)
    table = _summary(frames)
    chosen = _choose(table, most)
    times = frames.times()
    keep = min(MOST_POINTS // max(len(chosen), 1), MOST_PERIODS)
    keep = max(keep, 2 * data.spec.forecast.horizon)
    last = _last(times, data)
    first = max(0, last + 1 - keep)
    axis = pl.DataFrame({frames.time: times[first:]}).with_row_index("_at")
    return Curves(
        times=[_iso(value) for value in times[first:]],
        first=_iso(times[0]) if times else "",
        last=last - first,
        total=_total(frames, axis),
        series=_details(frames, axis, chosen),
        known=table.height,
    )


def _summary(frames: Frames) -> pl.DataFrame:
    """One row a series: volume (sold in the backtest, else forecast), wape, bias, answer."""
    miss = pl.col(FORECAST) - pl.col(ACTUAL)
    scored = (
        frames.backtest.filter(pl.col(ACTUAL).is_not_null())
        .group_by(KEY)
        .agg(
            volume=pl.col(ACTUAL).sum(),
            wape=miss.abs().sum() / pl.col(ACTUAL).abs().sum(),
            bias=miss.sum() / pl.col(ACTUAL).sum(),
        )
    )
    ahead = frames.forecasts.group_by(KEY).agg(
        next=pl.col(FORECAST).sum(), answer=pl.col(ANSWER).first()
    )
    return (
        scored.join(ahead, on=KEY, how="full", coalesce=True)
        .with_columns(pl.col("wape", "bias").replace([float("inf"), float("-inf")], None))
        .with_columns(pl.col("wape", "bias").fill_nan(None))
        .with_columns(rank=pl.coalesce("volume", "next").fill_null(0.0))
        .sort(["rank", KEY], descending=[True, False])
    )


def _choose(table: pl.DataFrame, most: int) -> pl.DataFrame:
    """All series where they fit; else the largest, then the worst of the larger half."""
    if table.height <= most:
        return table
    largest = table.head(most - most // 3)
    rest = table.slice(largest.height, max(table.height // 2 - largest.height, most))
    worst = rest.sort(["wape", KEY], descending=[True, False], nulls_last=True).head(most // 3)
    return pl.concat([largest, worst]).sort(["rank", KEY], descending=[True, False])


def _last(times: Sequence[Any], data: ReportData) -> int:
    """Position of the last known period: the last one not after the cutoff."""
    cutoff = _iso(data.cutoff)
    known = [at for at, value in enumerate(times) if _iso(value)[: len(cutoff)] <= cutoff]
    return known[-1] if known else len(times) - 1


def _total(frames: Frames, axis: pl.DataFrame) -> Json:
    """Sums over all series; no interval, because intervals of sums are not sums of intervals."""

    def summed(frame: pl.LazyFrame, value: str) -> pl.DataFrame:
        grouped = frame.group_by(frames.time).agg(pl.col(value).sum())
        return grouped.with_columns(
            pl.lit("").alias(KEY), pl.col(value).round_sig_figs(_TOTAL_DIGITS)
        ).collect(engine="streaming")

    parts = {
        "h": _spread(summed(frames.history, frames.target), axis, (frames.target,)),
        "b": _spread(summed(frames.backtest.lazy(), FORECAST), axis, (FORECAST,)),
        "f": _spread(summed(frames.forecasts.lazy(), FORECAST), axis, (FORECAST,)),
        "a": _spread(summed(frames.held_back.lazy(), ACTUAL), axis, (ACTUAL,)),
    }
    return {name: lines[""][0] for name, lines in parts.items() if "" in lines}


def _details(frames: Frames, axis: pl.DataFrame, chosen: pl.DataFrame) -> list[Json]:
    keys = chosen.select(KEY)
    kinds = frames.history.collect_schema()
    ours = frames.identities.join(keys, on=KEY, how="semi").cast(
        {name: kinds[name] for name in frames.series}
    )
    bands = tuple(name for name in frames.forecasts.columns if name.startswith(f"{FORECAST}-"))
    history = frames.history.join(
        ours.lazy(), on=list(frames.series), how="inner", nulls_equal=True
    ).collect(engine="streaming")

    def drawn(frame: pl.DataFrame, values: Sequence[str]) -> dict[str, list[list[Any]]]:
        ours = frame.join(keys, on=KEY, how="semi")
        return _spread(ours.with_columns(pl.col(values).round_sig_figs(_DIGITS)), axis, values)

    lines = {
        "h": drawn(history, (frames.target,)),
        "b": drawn(frames.backtest, (FORECAST, *bands)),
        "f": drawn(frames.forecasts, (FORECAST, *bands)),
        "a": drawn(frames.held_back, (ACTUAL,)),
    }
    return [_detail(row, lines) for row in chosen.iter_rows(named=True)]


def _detail(row: Json, lines: dict[str, dict[str, list[list[Any]]]]) -> Json:
    key = row[KEY]
    found: Json = {"name": label(key)}
    for name in ("volume", "wape", "bias", "next"):
        found[name] = rounded(row[name])
    if row["answer"] not in (None, "model"):
        found["answer"] = row["answer"]
    for name, by_key in lines.items():
        if key in by_key:
            found[name], *band = by_key[key]
            found |= dict(zip((f"{name}lo", f"{name}hi"), band, strict=False))
    return found


def _spread(
    frame: pl.DataFrame, axis: pl.DataFrame, values: Sequence[str]
) -> dict[str, list[list[Any]]]:
    """Key -> one curve a value column; columns that are null throughout are left out."""
    time = axis.columns[-1]
    if not axis.height or not frame.height:
        return {}
    placed = (
        frame.with_columns(pl.col(time).cast(axis.schema[time]))
        .join(axis, on=time, how="inner")
        .sort(KEY, "_at")
    )
    full = [name for name in values if placed[name].null_count() < placed.height]
    if not full:  # of series that could never be sold
        return {}
    groups = placed.group_by(KEY, maintain_order=True).agg("_at", *full)
    return {row[0]: [_curve(row[1], line) for line in row[2:]] for row in groups.iter_rows()}


def _curve(at: Sequence[int], values: Sequence[float | None]) -> list[Any]:
    """[first index, values...] with nulls in the holes."""
    line: list[Any] = [None] * (at[-1] - at[0] + 1)
    for index, value in zip(at, values, strict=True):
        line[index - at[0]] = _short(value)
    return [at[0], *line]


def rounded(value: float | None, digits: int = _DIGITS) -> float | int | None:
    """The value with a few significant digits; null where it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return _short(float(f"{value:.{digits}g}"))


def _short(value: float | None) -> float | int | None:
    return int(value) if value is not None and value == int(value) else value


def _iso(value: Any) -> str:
    """`2017-12-03`, and with the minute where the panel is hourly."""
    return value.strftime("%Y-%m-%dT%H:%M") if isinstance(value, datetime) else value.isoformat()
