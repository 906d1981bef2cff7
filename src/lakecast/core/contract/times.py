"""Times as people write them, turned into instants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.core.contract.masks import alike

if TYPE_CHECKING:
    from lakecast.core.contract.plan import Writing

_UTC: Final = pl.Datetime("us", "UTC")
_LOCAL: Final = pl.Datetime("us")
_OFFSET: Final = r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
_CLOCK: Final = r"^\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{2}"
_ZONED: Final = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
_ISO: Final = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d")


@dataclass(frozen=True, slots=True)
class Times:
    """Parsed times: `utc` timestamp[us, UTC] (null: unparseable or null), `aware` where the text
    or type carried a zone, `clock` where it is not midnight (a zoneless midnight is a date).
    """

    utc: pl.Series
    aware: pl.Series
    clock: pl.Series


def parse_times(values: pl.Series, writing: Writing) -> Times:
    """Instants of dates, timestamps, or texts in `dates` (a strptime pattern) or ISO 8601.

    What carries no zone is in `writing.timezone`. A local time that a clock change skips is taken
    an hour later; one that comes twice is the first.
    """
    if values.dtype == pl.Date:
        never = alike(values.len(), value=False)
        return Times(to_utc(values.cast(_LOCAL), writing.timezone), never, never)
    if isinstance(values.dtype, pl.Datetime):
        if values.dtype.time_zone is None:
            return _naive(values.cast(_LOCAL), writing)
        return _aware(values.cast(pl.Datetime("us", values.dtype.time_zone)))
    texts = values.cast(pl.String)
    distinct = texts.unique()
    if distinct.len() < 0.5 * texts.len():  # dates repeat: parse each once
        known = distinct.drop_nulls()
        return _spread(_texts(known, writing), known, texts)
    return _texts(texts, writing)


def to_utc(local: pl.Series, timezone: str) -> pl.Series:
    """Zoneless timestamps of a zone as instants; see `parse_times` for clock changes."""
    told = local.cast(_LOCAL)
    placed = _placed(told, timezone)
    if placed.null_count() > told.null_count():
        placed = placed.fill_null(_placed(told.dt.offset_by("1h"), timezone))
    return placed.dt.convert_time_zone("UTC")


def _placed(local: pl.Series, timezone: str) -> pl.Series:
    """In the zone; null where a clock change skips the time."""
    return local.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")


def to_dates(utc: pl.Series, timezone: str) -> pl.Series:
    """The local dates that `to_utc` came from."""
    moments = utc.unique()  # a zone's clock is asked once a day, not once a row
    dates = pl.lit(moments).dt.convert_time_zone(timezone).dt.date()
    days = pl.first().replace_strict(pl.lit(moments), dates)
    found = utc.to_frame().select_seq(days).to_series()
    return found.cast(pl.Date)  # without a row Polars leaves them instants


def _naive(local: pl.Series, writing: Writing) -> Times:
    odd = (pl.first().dt.truncate("1d") != pl.first()).fill_null(value=False)
    clock = local.to_frame().select_seq(odd).to_series()
    none = alike(local.len(), value=False)
    return Times(to_utc(local, writing.timezone), none, clock)


def _aware(zoned: pl.Series) -> Times:
    there = zoned.is_not_null()
    return Times(zoned.dt.convert_time_zone("UTC"), there, there)


def _texts(texts: pl.Series, writing: Writing) -> Times:
    if writing.dates:
        return _pattern(texts.str.strip_chars(), writing.dates, writing)
    bare = texts.to_frame().select_seq(pl.first().str.strip_chars().str.replace("[Tt]", " "))
    plain = bare.to_series()
    clocked = pl.first().str.contains(_CLOCK) & pl.first().str.contains(_OFFSET)
    zoned = bare.select_seq(clocked.fill_null(value=False)).to_series()
    if not zoned.any():
        return _naive(_first(plain, _ISO, _LOCAL), writing)
    naive = _naive(_first(_only(plain, ~zoned), _ISO, _LOCAL), writing)
    instants = (
        _only(plain, zoned).str.replace("[Zz]$", "+00:00").str.replace(r"([+-]\d{2})$", "${1}:00")
    )
    return _merge(naive, _aware(_first(instants, _ZONED, _UTC)), zoned)


def _pattern(texts: pl.Series, pattern: str, writing: Writing) -> Times:
    if any(mark in pattern for mark in ("%z", "%:z", "%#z", "%Z")):
        return _aware(texts.str.strptime(_UTC, pattern, strict=False))
    if any(mark in pattern for mark in ("%H", "%I", "%T", "%R", "%s")):
        return _naive(texts.str.strptime(_LOCAL, pattern, strict=False), writing)
    return _naive(texts.str.strptime(pl.Date, pattern, strict=False).cast(_LOCAL), writing)


def _first(texts: pl.Series, patterns: tuple[str, ...], kind: pl.Datetime) -> pl.Series:
    """The first pattern that fits, text by text."""
    found = pl.Series(texts.name, [None], dtype=kind).new_from_index(0, texts.len())
    for pattern in patterns:
        if found.null_count() == texts.null_count():  # all that is there was read
            break
        reads = kind if "%H" in pattern else pl.Date()
        read = pl.lit(texts).str.strptime(reads, pattern, strict=False).cast(kind)
        found = found.to_frame().select_seq(pl.first().fill_null(read)).to_series()
    return found


def _merge(naive: Times, aware: Times, zoned: pl.Series) -> Times:
    return Times(
        naive.utc.zip_with(~zoned, aware.utc),
        aware.aware,
        naive.clock | aware.clock,
    )


def _spread(parsed: Times, distinct: pl.Series, texts: pl.Series) -> Times:
    table = pl.DataFrame(
        {"text": distinct, "utc": parsed.utc, "aware": parsed.aware, "clock": parsed.clock}
    )
    rows = texts.to_frame("text").join(table, on="text", how="left", maintain_order="left")
    return Times(
        rows["utc"].alias(texts.name),
        rows["aware"].fill_null(value=False),
        rows["clock"].fill_null(value=False),
    )


def _only(texts: pl.Series, mask: pl.Series) -> pl.Series:
    return texts.to_frame("t").select(pl.when(mask).then(pl.col("t"))).to_series()
