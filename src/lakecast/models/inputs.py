"""From the frames people hold to the arrays models take: series asked for, futures, histories.

A frame's series columns may be of any type that casts to the panel's; its time column is a date,
a datetime or an ISO 8601 text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.core.block import Block, Future
from lakecast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import PanelInfo
    from lakecast.core.calendar import Frequency
    from lakecast.models.bundle import Terms

ORDINAL: Final = "_ordinal"
_PLACE: Final = "_place"


def keyed(frame: pl.DataFrame, series: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The frame with its series columns cast to the types of the series table.

    Raises `UsageError` where a column is missing or a value does not cast.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise UsageError(
            f"lacks the series column `{missing[0]}`",
            where="the series asked for",
            cure=f"give the columns {', '.join(names)}",
        )
    try:
        return frame.with_columns(pl.col(name).cast(series.schema[name]) for name in names)
    except pl.exceptions.InvalidOperationError as error:
        raise UsageError(
            f"a series column does not hold what the panel's does: {str(error).splitlines()[0]}",
            where="the series asked for",
            cure="write its values as they stand in the sales",
        ) from None


def places(asked: pl.DataFrame, series: pl.DataFrame, names: Sequence[str]) -> NDArray[np.int64]:
    """[n] row of the series table of each row asked for, -1 where it is not there."""
    known = series.select(names).with_row_index(_PLACE)
    found = asked.select(names).join(
        known, on=list(names), how="left", nulls_equal=True, maintain_order="left"
    )
    return found[_PLACE].cast(pl.Int64).fill_null(-1).to_numpy()


def ordinals(column: pl.Series, frequency: Frequency, timezone: str) -> NDArray[np.int64]:
    """[n] period of each time. Raises `UsageError` for what is no time, and for null.

    Times with a zone are converted to the zone in which periods are cut (hours: to UTC).
    """
    zone = "UTC" if frequency.unit == "h" else timezone
    times = column
    if times.dtype == pl.String:
        times = _parsed(times)
    elif isinstance(times.dtype, pl.Datetime) and times.dtype.time_zone is not None:
        times = times.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    elif not times.dtype.is_temporal():
        raise UsageError(
            f"`{column.name}` is of type {times.dtype}, not a time",
            where=f"column `{column.name}`",
            cure="give dates, datetimes or ISO 8601 texts",
        )
    if times.null_count():
        raise UsageError(
            f"{times.null_count()} values of `{column.name}` are no time",
            where=f"column `{column.name}`",
            cure="write times as 2024-12-31 or 2024-12-31T13:00:00",
        )
    stamps = times.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")
    return frequency.ordinal(stamps).astype(np.int64)


def _parsed(texts: pl.Series) -> pl.Series:
    stamps = texts.str.replace(" ", "T", literal=True).str.strip_suffix("Z")
    days = stamps.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    whole = stamps.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    short = stamps.str.to_datetime("%Y-%m-%dT%H:%M", strict=False, time_unit="us")
    return whole.fill_null(short).fill_null(days)


def numbers(column: pl.Series, vocabulary: Sequence[str] | None = None) -> NDArray[np.float32]:
    """[n] float32, NaN where null; texts are places in the vocabulary, null where not in it."""
    if column.dtype == pl.String and vocabulary is not None:
        place = {text: index for index, text in enumerate(vocabulary)}
        column = column.replace_strict(place, default=None, return_dtype=pl.Float32)
    try:
        return column.cast(pl.Float32).fill_null(float("nan")).to_numpy().astype(np.float32)
    except pl.exceptions.InvalidOperationError:
        raise UsageError(
            f"`{column.name}` holds texts where numbers are needed",
            where=f"column `{column.name}`",
            cure="give numbers",
        ) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a future lies: its series [S], what is true of the panel, the cutoff, the terms."""

    series: pl.DataFrame
    info: PanelInfo
    cutoff: int
    terms: Terms


def override(future: Future, frame: pl.DataFrame, place: Place) -> Future:
    """The future with the frame's known-future covariates in place of what it held.

    The frame has the time column, any of the series columns (absent ones: for every value) and
    covariates; a null leaves what was there, series that are not in the future are left out.
    Raises `UsageError` for a column that is no known-future covariate and for a time outside the
    horizon.
    """
    info, cutoff = place.info, place.cutoff
    keys = [name for name in info.columns.series if name in frame.columns]
    given = [name for name in frame.columns if name not in {*keys, info.columns.time}]
    _check_covariates(given, info)
    frame = keyed(frame, place.series, keys).with_columns(
        pl.Series(ORDINAL, _within(frame, info, cutoff, future.horizon))
    )
    joined = _matched(frame, place.series, keys)
    at = joined[_PLACE].to_numpy(), joined[ORDINAL].to_numpy() - cutoff - 1
    held = dict(future.covariates)
    for name in given:
        values = numbers(joined[name], place.terms.texts.get(name))
        blank = np.full((place.series.height, future.horizon), np.nan, np.float32)
        new = held.get(name, blank).copy()
        new[at] = np.where(np.isnan(values), new[at], values)
        held[name] = new
    return Future(horizon=future.horizon, covariates=held)


def _matched(frame: pl.DataFrame, series: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The frame's rows, once for every series that they are of."""
    rows = series.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias(_PLACE), *keys)
    if not keys:
        return frame.join(rows, how="cross")
    return frame.join(rows, on=list(keys), how="inner", nulls_equal=True, maintain_order="left")


def _check_covariates(given: Sequence[str], info: PanelInfo) -> None:
    known = sorted(info.known_future)
    for name in given:
        if name not in known:
            what = "past-only" if name in info.covariates else "not a covariate"
            raise UsageError(
                f"`{name}` is {what}, so its future cannot be given",
                where=f"column `{name}` of the scenario",
                cure=f"known-future covariates: {', '.join(known) or 'none'}",
            )


def _within(frame: pl.DataFrame, info: PanelInfo, cutoff: int, horizon: int) -> NDArray[np.int64]:
    if info.columns.time not in frame.columns:
        raise UsageError(
            f"lacks the time column `{info.columns.time}`",
            where="the scenario",
            cure="give the period of each row",
        )
    found = ordinals(frame[info.columns.time], info.frequency, info.timezone)
    outside = (found <= cutoff) | (found > cutoff + horizon)
    if outside.any():
        low, high = info.frequency.start(np.array([cutoff + 1, cutoff + horizon]))
        raise UsageError(
            f"{int(outside.sum())} rows lie outside the periods forecast, {low} to {high}",
            where=f"column `{info.columns.time}` of the scenario",
            cure="leave them out, or ask for a longer horizon",
        )
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """A history as a block without statics, its series in the block's order, its last period."""

    block: Block
    series: pl.DataFrame
    cutoff: int


def history(frame: pl.DataFrame, info: PanelInfo, terms: Terms) -> Past:
    """Rows of history, whose series columns are `keyed`.

    Every series runs from its first row to the last period of any. Periods without a row hold
    what the terms say, covariates null. Raises `UsageError` where a series has two rows in a
    period.
    """
    names, time = list(info.columns.series), info.columns.time
    if time not in frame.columns:
        raise UsageError(
            f"lacks the time column `{time}`",
            where="the history",
            cure="give the period of each row that has a target",
        )
    when = ordinals(frame[time], info.frequency, info.timezone)
    frame = frame.with_columns(pl.Series(ORDINAL, when)).sort([*names, ORDINAL], nulls_last=True)
    _check_unique(frame, names, info)
    told = [c for c in frame.columns if c in {*names, *info.categories, *info.numeric}]
    series = frame.unique(names, maintain_order=True, keep="last").select(told)
    owner, when = places(frame, series, names), frame[ORDINAL].to_numpy()
    first = when[np.unique(owner, return_index=True)[1]]
    cutoff = int(when.max())
    starts = np.concatenate([[0], np.cumsum(cutoff - first + 1)]).astype(np.int64)
    layout = _Layout(size=int(starts[-1]), at=starts[owner] + when - first[owner])
    fill = float("nan") if terms.fill is None else terms.fill
    return Past(
        block=Block(
            codes=np.arange(series.height, dtype=np.int32),
            starts=starts,
            first=first.astype(np.int32),
            target=layout.spread(numbers(frame[info.columns.target]), fill),
            covariates=_covariates(frame, info, terms, layout),
        ),
        series=series,
        cutoff=cutoff,
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the rows of a frame lie among the rows of a block."""

    size: int
    at: NDArray[np.int64]

    def spread(self, column: NDArray[np.float32], empty: float) -> NDArray[np.float32]:
        out = np.full(self.size, empty, np.float32)
        out[self.at] = column
        return out


def _covariates(
    frame: pl.DataFrame, info: PanelInfo, terms: Terms, layout: _Layout
) -> dict[str, NDArray[np.float32]]:
    blank = np.full(layout.size, np.nan, np.float32)
    return {
        name: layout.spread(numbers(frame[name], terms.texts.get(name)), np.nan)
        if name in frame.columns
        else blank
        for name in info.covariates
    }


def _check_unique(frame: pl.DataFrame, names: Sequence[str], info: PanelInfo) -> None:
    if frame.select(*names, ORDINAL).is_duplicated().any():
        raise UsageError(
            f"a series has two rows in one period ({info.frequency.text})",
            where=f"column `{info.columns.time}` of the history",
            cure="give one row a series and period",
        )


def statics(series: pl.DataFrame, info: PanelInfo) -> dict[str, NDArray[np.float32]]:
    """Statics [S] as a block holds them, from the columns there are: -1 or NaN where unknown."""
    coded = {
        name: numbers(series[name].cast(pl.String), vocabulary)
        if name in series.columns
        else np.full(series.height, np.nan, np.float32)
        for name, vocabulary in info.categories.items()
    }
    plain = {
        name: numbers(series[name])
        if name in series.columns
        else np.full(series.height, np.nan, np.float32)
        for name in info.numeric
    }
    return {name: np.nan_to_num(values, nan=-1.0) for name, values in coded.items()} | plain
