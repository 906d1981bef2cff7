"""Instants to periods: zones, clock changes, week ends, covering periods."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from lakecast.core.calendar import Frequency
from lakecast.core.panel.periods import UTC_TIME, Clock
from lakecast.errors import DataRefused

HOUR = 3_600_000_000
SAO_PAULO = "America/Sao_Paulo"


def instants(*moments: datetime) -> pl.Series:
    return pl.Series("t", [m.astimezone(UTC) for m in moments], dtype=UTC_TIME)


def day(ordinal: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(ordinal))


def test_days_are_cut_in_the_zone() -> None:
    clock = Clock(Frequency("D"), SAO_PAULO)
    late = datetime(2024, 3, 10, 2, 59, 59, tzinfo=UTC)  # 23:59:59 on the 9th, local
    periods = clock.ordinals(instants(late, late + timedelta(seconds=1)))
    assert [day(p) for p in periods] == [date(2024, 3, 9), date(2024, 3, 10)]


@pytest.mark.parametrize(
    ("changed", "hours"),
    [(date(2018, 11, 4), 23), (date(2018, 2, 17), 25)],
    ids=["spring", "autumn"],
)
def test_the_day_of_a_clock_change_is_one_day(changed: date, hours: int) -> None:
    # In 2018 Brazil's clocks changed at midnight, so one day even lacks its first hour.
    zone = ZoneInfo(SAO_PAULO)
    noon = datetime.combine(changed, datetime.min.time(), zone).astimezone(UTC) - timedelta(
        hours=30
    )
    every = instants(*(noon + timedelta(hours=h) for h in range(80)))
    clock = Clock(Frequency("D"), SAO_PAULO)
    days = [day(p) for p in clock.ordinals(every)]
    assert days.count(changed) == hours
    assert days == sorted(days)


def test_hours_are_utc_also_where_the_clock_changes() -> None:
    clock = Clock(Frequency("h"), "America/New_York")
    start = datetime(2017, 11, 5, 3, 30, tzinfo=UTC)
    every = instants(*(start + timedelta(hours=h) for h in range(6)))
    assert np.diff(clock.ordinals(every)).tolist() == [1] * 5
    assert clock.cut(every)[1].tolist() == [HOUR // 2] * 6


def test_dates_are_local_whatever_the_zone() -> None:
    dates = pl.Series("t", [date(2024, 1, 1)])
    for zone in ("UTC", SAO_PAULO, "Asia/Tokyo"):
        assert day(Clock(Frequency("D"), zone).ordinals(dates)[0]) == date(2024, 1, 1)


def test_times_without_a_zone_are_utc() -> None:
    naive = pl.Series("t", [datetime(2024, 1, 1, 1)])  # noqa: DTZ001
    assert day(Clock(Frequency("D"), SAO_PAULO).ordinals(naive)[0]) == date(2023, 12, 31)


@pytest.mark.parametrize("last", ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"])
def test_a_week_ends_on_its_day(last: str) -> None:
    clock = Clock(Frequency(f"W-{last}"), "UTC")
    days = [date(2024, 2, 20) + timedelta(days=d) for d in range(21)]
    periods, offsets = clock.cut(pl.Series("t", days))
    for today, period, offset in zip(days, periods, offsets, strict=True):
        start = clock.starts(np.array([period]), "t")[0]
        assert start == today - timedelta(days=int(offset) // (24 * HOUR))
        assert (start + timedelta(days=6)).strftime("%a").upper() == last


def test_months_have_their_lengths() -> None:
    clock = Clock(Frequency("M"), "UTC")
    days = pl.Series("t", [date(2024, 2, 1), date(2024, 2, 29), date(2024, 3, 1)])
    periods, offsets = clock.cut(days)
    assert (periods - periods[0]).tolist() == [0, 0, 1]
    assert (offsets // (24 * HOUR)).tolist() == [0, 28, 0]
    assert clock.starts(periods, "t").to_list() == [date(2024, 2, 1)] * 2 + [date(2024, 3, 1)]


def test_offsets_are_by_the_clock_on_the_wall() -> None:
    # 2018-11-04 begins at 01:00 in Sao Paulo: an hour after midnight by the clock.
    first = datetime(2018, 11, 4, 3, tzinfo=UTC)
    _, offsets = Clock(Frequency("D"), SAO_PAULO).cut(instants(first))
    assert offsets.tolist() == [HOUR]


def test_time_columns_say_the_first_instant() -> None:
    hours = Clock(Frequency("h"), SAO_PAULO)
    periods = hours.ordinals(instants(datetime(2024, 5, 1, 7, 45, tzinfo=UTC)))
    column = hours.starts(periods, "t")
    assert column.dtype == UTC_TIME == hours.time_type
    assert column.to_list() == [datetime(2024, 5, 1, 7, tzinfo=UTC)]
    assert Clock(Frequency("D"), SAO_PAULO).time_type == pl.Date


def test_a_covering_period_holds_the_start() -> None:
    days = Clock(Frequency("D"), "UTC")
    week = Frequency("W-SUN")
    periods = days.ordinals(pl.Series("t", [date(2024, 3, 3), date(2024, 3, 4)]))
    first, second = days.covering(periods, week)
    assert second - first == 1
    assert days.covering(periods, Frequency("D")).tolist() == periods.tolist()


def test_the_day_that_covers_an_hour_is_local() -> None:
    hours = Clock(Frequency("h"), SAO_PAULO)
    periods = hours.ordinals(instants(datetime(2024, 3, 10, 2, tzinfo=UTC)))
    assert day(hours.covering(periods, Frequency("D"))[0]) == date(2024, 3, 9)


def test_the_last_period_that_has_ended() -> None:
    clock = Clock(Frequency("D"), SAO_PAULO)
    midnight = datetime(2024, 3, 10, 3, tzinfo=UTC)
    assert day(clock.last_ended(midnight)) == date(2024, 3, 9)
    assert day(clock.last_ended(midnight - timedelta(seconds=1))) == date(2024, 3, 8)
    local = datetime(2024, 3, 10)  # noqa: DTZ001
    assert clock.last_ended(local) == clock.last_ended(midnight)


def test_an_hour_without_a_zone_is_local() -> None:
    clock = Clock(Frequency("h"), SAO_PAULO)
    local = datetime(2024, 3, 10, 12)  # noqa: DTZ001
    assert clock.last_ended(local) == clock.last_ended(datetime(2024, 3, 10, 15, tzinfo=UTC))


def test_an_hourly_panel_refuses_dates() -> None:
    with pytest.raises(DataRefused, match="needs timestamps") as caught:
        Clock(Frequency("h"), "UTC").ordinals(pl.Series("dia", [date(2024, 1, 1)]))
    assert caught.value.where == "column dia"
    assert "panel.frequency" in caught.value.cure


def test_a_text_is_no_time() -> None:
    with pytest.raises(DataRefused, match="not a time: String"):
        Clock(Frequency("D"), "UTC").ordinals(pl.Series("dia", ["2024-01-01"]))


def test_no_rows_have_no_periods() -> None:
    empty = pl.Series("t", [], dtype=UTC_TIME)
    periods, offsets = Clock(Frequency("W-SUN"), SAO_PAULO).cut(empty)
    assert (periods.size, offsets.size) == (0, 0)
