"""Which period is the last one that counts."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from lakecast.core.calendar import Frequency
from lakecast.core.panel.complete import Cut, cut
from lakecast.core.panel.periods import Clock
from lakecast.errors import DataRefused

DAYS = Clock(Frequency("D"), "UTC")
HOUR = 3_600_000_000


def periods(*lasts: int, first: int = 100) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "_period": range(first, first + len(lasts)),
            "rows": [10 * (i + 1) for i in range(len(lasts))],
            "last": [hour * HOUR for hour in lasts],
        },
        schema_overrides={"_period": pl.Int32},
    )


def test_a_day_that_goes_on_as_long_as_the_others_is_complete() -> None:
    assert cut(periods(22, 23, 22, 22), DAYS) == Cut(cutoff=103)


def test_a_day_that_breaks_off_is_left_out_and_counted() -> None:
    assert cut(periods(22, 23, 22, 5), DAYS) == Cut(cutoff=102, incomplete=103, rows=40)


def test_one_odd_day_in_thirty_does_not_lower_the_bar() -> None:
    usual = [22] * 29
    assert cut(periods(*usual, 3, 12), DAYS).incomplete == 130
    assert cut(periods(*usual, 22, 22), DAYS).incomplete is None


def test_days_in_twenty_that_close_early_lower_the_bar() -> None:
    # Two in twenty close at noon, so the 5th percentile is noon: a last day at noon is complete.
    assert cut(periods(*[22] * 18, 12, 12, 12), DAYS).incomplete is None


def test_dates_alone_are_always_complete() -> None:
    assert cut(periods(0, 0, 0), DAYS) == Cut(cutoff=102)


def test_a_week_of_dates_that_stops_midweek_is_incomplete() -> None:
    weeks = Clock(Frequency("W-SUN"), "UTC")
    assert cut(periods(144, 144, 144, 48), weeks).incomplete == 103


def test_a_single_period_has_nothing_to_be_measured_by() -> None:
    assert cut(periods(2), DAYS) == Cut(cutoff=100)


def test_as_of_takes_the_periods_that_have_ended() -> None:
    # Period 102 is 1970-04-13.
    noon = datetime(1970, 4, 13, 12, tzinfo=UTC)
    assert cut(periods(22, 23, 22, 5), DAYS, noon) == Cut(cutoff=101, later=70)
    end = datetime(1970, 4, 14, tzinfo=UTC)
    assert cut(periods(22, 23, 22, 5), DAYS, end) == Cut(cutoff=102, later=40)


def test_as_of_long_after_the_data_adds_no_periods() -> None:
    assert cut(periods(22, 23, 5), DAYS, datetime(1980, 1, 1, tzinfo=UTC)) == Cut(cutoff=102)


def test_as_of_before_the_data_leaves_nothing() -> None:
    with pytest.raises(DataRefused, match="ends at or before 1970-01-01"):
        cut(periods(22), DAYS, datetime(1970, 1, 1, tzinfo=UTC))


def test_no_rows_make_no_panel() -> None:
    with pytest.raises(DataRefused, match="no row of `sales`"):
        cut(periods(), DAYS)


def after_silence(days: int, rows: int) -> pl.DataFrame:
    """Thirty days of 100 rows each, then one day of so many rows."""
    found = {"_period": [*range(30), 29 + days], "rows": [100] * 30 + [rows], "last": [0] * 31}
    return pl.DataFrame(found, schema_overrides={"_period": pl.Int32})


def test_a_date_mistyped_by_decades_does_not_stretch_the_panel() -> None:
    assert cut(after_silence(27_000, 3), DAYS) == Cut(cutoff=29, later=3)


@pytest.mark.parametrize(("days", "rows"), [(700, 3), (27_000, 300)])
def test_a_silence_that_may_be_real_stays(days: int, rows: int) -> None:
    assert cut(after_silence(days, rows), DAYS) == Cut(cutoff=29 + days)
