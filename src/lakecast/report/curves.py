"""The lines of the report: totals of all series, and the detail of a bounded choice of series."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from lakecast.columns import ACTUAL, ANSWER, CUTOFF, FORECAST, interval_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.report.data import ReportData

MOST_SERIES: Final = 300
MOST_POINTS: Final = 250_000
"""Numbers of history in the file, over all series drawn: about 1.2 MB."""
_DIGITS: Final = 4
_KEY: Final = "_key"

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
    frames = _Frames.of(data)
    table = _summary(frames)
    chosen = _choose(table, most)
    times = frames.times()
    keep = max(MOST_POINTS // max(len(chosen), 1), 2 * data.spec.forecast.horizon)
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


@dataclass(frozen=True, slots=True)
class _Frames:
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
    def of(cls, data: ReportData) -> _Frames:
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
    return data.history.select(*panel.series, panel.time, panel.target)


def _identities(data: ReportData, series: tuple[str, ...]) -> pl.DataFrame:
    """Series columns and key of every series that has a forecast, backtest or not."""
    frames = [f for f in (data.champion_backtest, data.forecasts) if f is not None]
    parts = [frame.select(series).unique() for frame in frames]
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys((*series, _KEY), pl.String()))
    return pl.concat(parts, how="vertical_relaxed").unique().with_columns(_key(series))


def _frame(
    frame: pl.DataFrame | None, keys: Sequence[str], values: Sequence[str], series: Sequence[str]
) -> pl.DataFrame:
    """Key, time and values; a value the frame does not have is null. `keys` end with the time."""
    time = keys[-1]
    if frame is None:
        schema = {_KEY: pl.String(), time: pl.Date(), CUTOFF: pl.Date(), ANSWER: pl.String()}
        return pl.DataFrame(schema={**schema, **dict.fromkeys(values, pl.Float64())})
    extra = [
        pl.col(name) if name in frame.columns else pl.lit(None, pl.Float64).alias(name)
        for name in values
    ]
    origin = pl.col(CUTOFF) if CUTOFF in frame.columns else pl.lit(0).alias(CUTOFF)
    answer = pl.col(ANSWER) if ANSWER in frame.columns else pl.lit("model").alias(ANSWER)
    return frame.select(_key(series), time, origin, answer.cast(pl.String), *extra)


def _key(series: Sequence[str]) -> pl.Expr:
    parts = [pl.col(name).cast(pl.String).fill_null("(none)") for name in series]
    return pl.concat_str(parts, separator=" · ").alias(_KEY)


def _latest(frame: pl.DataFrame, time: str) -> pl.DataFrame:
    """One row a series and period: where windows overlap, the one that knew most."""
    newest = frame.group_by(time).agg(pl.col(CUTOFF).max())
    return frame.join(newest, on=[time, CUTOFF], how="semi")


def _summary(frames: _Frames) -> pl.DataFrame:
    """One row a series: volume (sold in the backtest, else forecast), wape, bias, answer."""
    miss = pl.col(FORECAST) - pl.col(ACTUAL)
    scored = (
        frames.backtest.filter(pl.col(ACTUAL).is_not_null())
        .group_by(_KEY)
        .agg(
            volume=pl.col(ACTUAL).sum(),
            wape=miss.abs().sum() / pl.col(ACTUAL).abs().sum(),
            bias=miss.sum() / pl.col(ACTUAL).sum(),
        )
    )
    ahead = frames.forecasts.group_by(_KEY).agg(
        next=pl.col(FORECAST).sum(), answer=pl.col(ANSWER).first()
    )
    return (
        scored.join(ahead, on=_KEY, how="full", coalesce=True)
        .with_columns(pl.col("wape", "bias").replace([float("inf"), float("-inf")], None))
        .with_columns(pl.col("wape", "bias").fill_nan(None))
        .with_columns(rank=pl.coalesce("volume", "next").fill_null(0.0))
        .sort(["rank", _KEY], descending=[True, False])
    )


def _choose(table: pl.DataFrame, most: int) -> pl.DataFrame:
    """All series where they fit; else the largest, then the worst of the larger half."""
    if table.height <= most:
        return table
    largest = table.head(most - most // 3)
    rest = table.slice(largest.height, max(table.height // 2 - largest.height, most))
    worst = rest.sort(["wape", _KEY], descending=[True, False], nulls_last=True).head(most // 3)
    return pl.concat([largest, worst]).sort(["rank", _KEY], descending=[True, False])


def _last(times: Sequence[Any], data: ReportData) -> int:
    """Position of the last known period: the last one not after the cutoff."""
    cutoff = _iso(data.cutoff)
    known = [at for at, value in enumerate(times) if _iso(value)[: len(cutoff)] <= cutoff]
    return known[-1] if known else len(times) - 1


def _total(frames: _Frames, axis: pl.DataFrame) -> Json:
    """Sums over all series; no interval, because intervals of sums are not sums of intervals."""

    def summed(frame: pl.LazyFrame, value: str) -> pl.DataFrame:
        grouped = frame.group_by(frames.time).agg(pl.col(value).sum())
        return grouped.with_columns(pl.lit("").alias(_KEY)).collect(engine="streaming")

    parts = {
        "h": _spread(summed(frames.history, frames.target), axis, (frames.target,)),
        "b": _spread(summed(frames.backtest.lazy(), FORECAST), axis, (FORECAST,)),
        "f": _spread(summed(frames.forecasts.lazy(), FORECAST), axis, (FORECAST,)),
        "a": _spread(summed(frames.held_back.lazy(), ACTUAL), axis, (ACTUAL,)),
    }
    return {name: lines[""][0] for name, lines in parts.items() if "" in lines}


def _details(frames: _Frames, axis: pl.DataFrame, chosen: pl.DataFrame) -> list[Json]:
    keys = chosen.select(_KEY)
    ours = frames.identities.join(keys, on=_KEY, how="semi")
    bands = tuple(name for name in frames.forecasts.columns if name.startswith(f"{FORECAST}-"))
    history = frames.history.join(
        ours.lazy(), on=list(frames.series), how="inner", nulls_equal=True
    ).collect(engine="streaming")

    def drawn(frame: pl.DataFrame, values: Sequence[str]) -> dict[str, list[list[Any]]]:
        return _spread(frame.join(keys, on=_KEY, how="semi"), axis, values)

    lines = {
        "h": _spread(history, axis, (frames.target,)),
        "b": drawn(frames.backtest, (FORECAST, *bands)),
        "f": drawn(frames.forecasts, (FORECAST, *bands)),
        "a": drawn(frames.held_back, (ACTUAL,)),
    }
    return [_detail(row, lines) for row in chosen.iter_rows(named=True)]


def _detail(row: Json, lines: dict[str, dict[str, list[list[Any]]]]) -> Json:
    key = row[_KEY]
    found: Json = {"name": key}
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
        .sort(_KEY, "_at")
        .with_columns(pl.col(values).cast(pl.Float64).fill_nan(None).round_sig_figs(_DIGITS))
    )
    full = [name for name in values if placed[name].null_count() < placed.height]
    groups = placed.group_by(_KEY, maintain_order=True).agg("_at", *full)
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
