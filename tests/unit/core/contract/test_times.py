"""Times as people write them, and clocks that change."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from lakecast.core.contract.plan import Writing
from lakecast.core.contract.times import Times, parse_times, to_dates, to_utc

SAO_PAULO = "America/Sao_Paulo"


def one(text: str, **writing: str) -> Times:
    return parse_times(pl.Series([text]), Writing(**writing))  # type: ignore[arg-type]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "instant", "aware", "clock"),
    [
        ("2024-01-31", at(2024, 1, 31), False, False),
        ("20240131", at(2024, 1, 31), False, False),
        ("2024-01-31 00:00:00", at(2024, 1, 31), False, False),
        ("2024-01-31 10:30", at(2024, 1, 31, 10, 30), False, True),
        ("2024-01-31T10:30:00.5", at(2024, 1, 31, 10, 30, 0, 500_000), False, True),
        ("2024-01-31T10:30:00Z", at(2024, 1, 31, 10, 30), True, True),
        ("2024-01-31T00:00:00Z", at(2024, 1, 31), True, True),
        ("2024-01-31 10:30:00-03:00", at(2024, 1, 31, 13, 30), True, True),
        ("2024-01-31 10:30+0300", at(2024, 1, 31, 7, 30), True, True),
        ("2024-01-31 10:30:00-03", at(2024, 1, 31, 13, 30), True, True),
    ],
)
def test_iso(text: str, instant: datetime, aware: bool, clock: bool) -> None:
    times = one(text)
    assert times.utc.to_list() == [instant]
    assert times.aware.to_list() == [aware]
    assert (times.clock | times.aware).to_list() == [clock]


@pytest.mark.parametrize(
    ("text", "pattern", "instant"),
    [
        ("31/01/2024", "%d/%m/%Y", at(2024, 1, 31)),
        ("31/01/24", "%d/%m/%y", at(2024, 1, 31)),
        (" 31/01/2024 08:26 ", "%d/%m/%Y %H:%M", at(2024, 1, 31, 8, 26)),
        ("31.01.2024 08:26 +0100", "%d.%m.%Y %H:%M %z", at(2024, 1, 31, 7, 26)),
    ],
)
def test_patterns(text: str, pattern: str, instant: datetime) -> None:
    assert one(text, dates=pattern).utc.to_list() == [instant]


@pytest.mark.parametrize(
    ("text", "pattern"),
    [("01/31/2024", "%d/%m/%Y"), ("2024-01-31", "%d/%m/%Y"), ("31/01/2024 08:26", "%d/%m/%Y")],
)
def test_what_does_not_fit_the_pattern_is_null(text: str, pattern: str) -> None:
    assert one(text, dates=pattern).utc.to_list() == [None]


@pytest.mark.parametrize("text", ["x", "2024-13-01", "2024-02-30", "10:30", "2024"])
def test_what_is_no_time_is_null(text: str) -> None:
    assert one(text).utc.to_list() == [None]


def test_zoneless_times_are_in_the_formats_zone() -> None:
    assert one("2024-01-31 10:00", timezone=SAO_PAULO).utc.to_list() == [at(2024, 1, 31, 13)]


def test_a_skipped_local_time_is_an_hour_later() -> None:
    """Clocks went from 00:00 to 01:00 on 2018-11-04 in Brazil: that midnight never was."""
    times = one("2018-11-04", timezone=SAO_PAULO)
    assert times.utc.to_list() == [at(2018, 11, 4, 3)]
    assert times.clock.to_list() == [False]
    assert to_dates(times.utc, SAO_PAULO).to_list() == [date(2018, 11, 4)]


def test_a_local_time_that_comes_twice_is_the_first() -> None:
    """Clocks went from 24:00 back to 23:00 on 2018-02-17 in Brazil."""
    assert one("2018-02-17 23:30", timezone=SAO_PAULO).utc.to_list() == [at(2018, 2, 18, 1, 30)]


def test_typed_times() -> None:
    naive = pl.Series([datetime(2024, 1, 31, 10)])  # noqa: DTZ001
    assert parse_times(naive, Writing(timezone=SAO_PAULO)).utc.to_list() == [at(2024, 1, 31, 13)]
    zoned = naive.dt.replace_time_zone("Asia/Tokyo")
    assert parse_times(zoned, Writing()).utc.to_list() == [at(2024, 1, 31, 1)]
    days = parse_times(pl.Series([date(2024, 1, 31), None]), Writing())
    assert days.utc.to_list() == [at(2024, 1, 31), None]
    assert days.clock.to_list() == [False, False]


def test_numbers_are_times_only_with_a_pattern() -> None:
    assert parse_times(pl.Series([20240131]), Writing(dates="%Y%m%d")).utc.to_list() == [
        at(2024, 1, 31)
    ]


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "Asia/Tokyo"])
def test_dates_come_back_from_instants(zone: str) -> None:
    dates = [date(2018, 11, 4), None, date(2018, 11, 3), date(2018, 11, 4), date(1970, 1, 1)]
    utc = to_utc(pl.Series("t", dates).cast(pl.Datetime("us")), zone)
    assert to_dates(utc, zone).to_list() == dates
    assert to_dates(utc, zone).name == "t"
    assert to_dates(utc.head(0), zone).dtype == pl.Date


def test_repeated_texts_keep_their_places() -> None:
    texts = ["2024-01-01", None, "x", "2024-01-02 10:00Z"] * 5
    times = parse_times(pl.Series("t", texts), Writing())
    assert times.utc.to_list() == [at(2024, 1, 1), None, None, at(2024, 1, 2, 10)] * 5
    assert times.aware.to_list() == [False, False, False, True] * 5
    assert times.utc.name == "t"
