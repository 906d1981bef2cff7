"""Periods as integers, against the calendar of the standard library."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakecast.core.calendar import Frequency

at = datetime.fromisoformat
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
ALL = ("h", "D", "M", *(f"W-{day}" for day in WEEKDAYS))
MOMENTS = st.datetimes(at("1900-01-01"), at("2200-01-01"))


def ordinal(text: str, *moments: date) -> list[int]:
    found = Frequency(text).ordinal(np.array(moments, dtype="datetime64[us]"))
    assert found.dtype == np.int32
    return [int(v) for v in found]


def start(text: str, *periods: int) -> list[date]:
    return list(Frequency(text).start(np.array(periods)).tolist())


def test_the_epoch_is_period_zero() -> None:
    for text in ("h", "D", "M"):
        assert ordinal(text, at("1970-01-01")) == [0]


@given(moment=MOMENTS)
@settings(deadline=None, max_examples=50)
def test_a_moment_lies_in_its_period(moment: datetime) -> None:
    for text in ALL:
        (period,) = ordinal(text, moment)
        first, after = start(text, period, period + 1)
        if text == "h":
            assert first <= moment < after
        else:
            assert first <= moment.date() < after


@given(moment=MOMENTS, day=st.integers(0, 6))
@settings(deadline=None, max_examples=50)
def test_weeks_end_on_their_day(moment: datetime, day: int) -> None:
    text = f"W-{WEEKDAYS[day]}"
    (first,) = start(text, ordinal(text, moment)[0])
    assert (first + timedelta(days=6)).weekday() == day


def test_months_are_named_by_their_first_day() -> None:
    assert start("M", *ordinal("M", at("2024-02-29T23:00"), at("1969-12-31"))) == [
        date(2024, 2, 1),
        date(1969, 12, 1),
    ]


@pytest.mark.parametrize("text", ALL)
def test_consecutive_periods_differ_by_one(text: str) -> None:
    periods = np.arange(-500, 500)
    frequency = Frequency(text)
    starts = frequency.start(periods)
    assert (np.diff(starts.astype("datetime64[us]").astype(np.int64)) > 0).all()
    assert np.array_equal(frequency.ordinal(starts), periods)


@pytest.mark.parametrize(("text", "season"), [("h", 24), ("D", 7), ("W-TUE", 52), ("M", 12)])
def test_the_season_assumed(text: str, season: int) -> None:
    assert Frequency(text).season == season
