from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from lakecast.core.calendar import Frequency
from lakecast.core.features import calendar
from lakecast.errors import SpecError

DAILY = ("D", "UTC", ())
FIRST, LAST = date(2019, 12, 25), date(2022, 1, 10)
DAYS = [FIRST + timedelta(days=i) for i in range((LAST - FIRST).days + 1)]


def ordinal(text: str, frequency: str = "D") -> int:
    return int(Frequency(frequency).ordinal(np.array([text], "M8[s]"))[0])


def values(part: str, low: str, high: str, clock: tuple[str, str, tuple[str, ...]]) -> list[float]:
    frequency = clock[0]
    return calendar.table(part, clock, ordinal(low, frequency), ordinal(high, frequency)).tolist()


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("weekday", [d.weekday() for d in DAYS]),
        ("weekday_sunday1", [d.isoweekday() % 7 + 1 for d in DAYS]),
        ("day", [d.day for d in DAYS]),
        ("week", [d.isocalendar().week for d in DAYS]),
        ("month", [d.month for d in DAYS]),
        ("quarter", [(d.month + 2) // 3 for d in DAYS]),
        ("year", [d.year for d in DAYS]),
        ("day_of_year", [d.timetuple().tm_yday for d in DAYS]),
        ("is_weekend", [d.weekday() >= 5 for d in DAYS]),
        ("is_month_start", [d.day == 1 for d in DAYS]),
        ("is_month_end", [(d + timedelta(days=1)).day == 1 for d in DAYS]),
        ("hour", [0 for _ in DAYS]),
    ],
)
def test_parts_of_days(part: str, expected: list[float]) -> None:
    assert values(part, str(FIRST), str(LAST), DAILY) == expected


def test_portuguese_names_mean_the_same() -> None:
    for name, part in calendar.PORTUGUESE.items():
        args = (str(FIRST), str(LAST), DAILY)
        assert values(name, *args) == values(part, *args)


def test_hours_are_local_across_both_clock_changes() -> None:
    zone = "Europe/Lisbon"
    start = datetime(2021, 3, 28, tzinfo=ZoneInfo("UTC"))
    low = ordinal("2021-03-28T00:00:00", "h")
    hours = 24 * 300
    local = [(start + timedelta(hours=i)).astimezone(ZoneInfo(zone)) for i in range(hours)]
    for part, expected in (
        ("hour", [t.hour for t in local]),
        ("weekday", [t.weekday() for t in local]),
        ("day", [t.day for t in local]),
    ):
        found = calendar.table(part, ("h", zone, ()), low, low + hours - 1)
        assert found.tolist() == expected


def test_weeks_are_named_by_their_first_day() -> None:
    clock = ("W-SUN", "UTC", ())
    assert values("day", "2022-01-05", "2022-01-12", clock) == [3, 10]
    assert values("week", "2021-12-28", "2022-01-12", clock) == [52, 1, 2]


def test_months() -> None:
    assert values("month", "2021-11-05", "2022-02-01", ("M", "UTC", ())) == [11, 12, 1, 2]


def test_holidays_of_a_country_and_of_its_state() -> None:
    days = ("2021-07-07", "2021-07-12")
    assert values("is_holiday", *days, ("D", "UTC", ("BR-SP",))) == [0, 0, 1, 0, 0, 0]
    assert values("is_holiday", *days, ("D", "UTC", ("BR",))) == [0] * 6
    assert values("days_to_holiday", *days, ("D", "UTC", ("BR-SP",)))[:3] == [2, 1, 0]
    assert values("days_since_holiday", *days, ("D", "UTC", ("BR-SP",)))[2:] == [0, 1, 2, 3]


def test_holidays_of_several_countries_are_joined() -> None:
    days = ("2021-07-04", "2021-07-09")
    assert values("is_holiday", *days, ("D", "UTC", ("BR-SP", "US"))) == [1, 1, 0, 0, 0, 1]


def test_gaps_between_holidays_are_capped() -> None:
    far = values("days_to_holiday", "2021-01-05", "2021-02-01", ("D", "UTC", ("US-TX",)))
    assert max(far) <= calendar.CAP
    assert values("days_to_holiday", "2021-07-10", "2021-07-10", ("D", "UTC", ("BR",))) == [30]
    assert values("days_since_holiday", "2021-08-20", "2021-08-20", ("D", "UTC", ("BR",))) == [30]


def test_holidays_are_counted_in_coarse_periods() -> None:
    months = values("holidays_in_period", "2021-08-01", "2021-12-01", ("M", "UTC", ("BR",)))
    assert months == [0, 1, 1, 2, 1]
    weeks = values("holidays_in_period", "2021-12-20", "2022-01-03", ("W-SUN", "UTC", ("BR",)))
    assert weeks == [1, 1, 0]


def test_tables_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        calendar.table("day", DAILY, 0, 3)[0] = 1


@pytest.mark.parametrize("text", ["XX", "BR-XX", ""])
def test_an_unknown_country_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="no holidays are known") as error:
        calendar.check_country(text, where="lakecast.toml: features.holidays")
    assert error.value.cure
