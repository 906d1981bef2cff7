"""Calendar parts and holidays, computed once per period and looked up by every series."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from lakecast.core.calendar import Frequency
from lakecast.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOLIDAY_PARTS: Final = (
    "is_holiday", "days_to_holiday", "days_since_holiday", "holidays_in_period",
)  # fmt: skip
CAP: Final = 30
"""Most days that `days_to_holiday` and `days_since_holiday` count."""

PORTUGUESE: Final = {
    "hora": "hour",
    "dia_semana": "weekday",
    "dia": "day",
    "semana": "week",
    "mes": "month",
    "trimestre": "quarter",
    "ano": "year",
    "dia_do_ano": "day_of_year",
    "fim_de_semana": "is_weekend",
    "inicio_do_mes": "is_month_start",
    "fim_do_mes": "is_month_end",
}


class Moments:
    """Consecutive periods in local time: datetime64[h] for hours, their first day otherwise."""

    def __init__(self, frequency: Frequency, timezone: str, low: int, high: int) -> None:
        start = frequency.start(np.arange(low, high + 1, dtype=np.int64))
        self.hours = _local(start, timezone) if frequency.unit == "h" else start.astype("M8[h]")
        self.days = self.hours.astype("M8[D]")
        self.months = self.days.astype("M8[M]")
        self.years = self.days.astype("M8[Y]")

    @property
    def weekday(self) -> NDArray[np.int64]:
        """0 is Monday."""
        return (self.days.astype(np.int64) + 3) % 7


def _local(hours: NDArray[np.datetime64], timezone: str) -> NDArray[np.datetime64]:
    zone = ZoneInfo(timezone)
    seconds = hours.astype("M8[s]").astype(np.int64)
    offsets = [_offset(datetime.fromtimestamp(int(s), UTC).astimezone(zone)) for s in seconds]
    return (seconds + np.array(offsets, np.int64)).astype("M8[s]").astype("M8[h]")


def _offset(moment: datetime) -> int:
    return int((moment.utcoffset() or timedelta(0)).total_seconds())


def _iso_week(at: Moments) -> NDArray[np.int64]:
    """ISO 8601: the week belongs to the year of its Thursday."""
    thursday = at.days + (3 - at.weekday)
    since: NDArray[np.timedelta64] = thursday - thursday.astype("M8[Y]").astype("M8[D]")
    return since.astype(np.int64) // 7 + 1


_PARTS: Final[dict[str, Callable[[Moments], NDArray[np.generic]]]] = {
    "hour": lambda at: (at.hours - at.days).astype(np.int64),
    "weekday": lambda at: at.weekday,
    "weekday_sunday1": lambda at: (at.weekday + 1) % 7 + 1,
    "day": lambda at: (at.days - at.months.astype("M8[D]")).astype(np.int64) + 1,
    "week": _iso_week,
    "month": lambda at: at.months.astype(np.int64) % 12 + 1,
    "quarter": lambda at: at.months.astype(np.int64) % 12 // 3 + 1,
    "year": lambda at: at.years.astype(np.int64) + 1970,
    "day_of_year": lambda at: (at.days - at.years.astype("M8[D]")).astype(np.int64) + 1,
    "is_weekend": lambda at: at.weekday >= 5,
    "is_month_start": lambda at: at.days == at.months.astype("M8[D]"),
    "is_month_end": lambda at: (at.days + np.timedelta64(1, "D")).astype("M8[M]") != at.months,
}

PARTS: Final = (*_PARTS, *PORTUGUESE)
LAST: Final = "last_"
"""Before a part's name: the part of the last period known instead of the row's own."""


@lru_cache(maxsize=256)
def table(
    part: str, clock: tuple[str, str, tuple[str, ...]], low: int, high: int
) -> NDArray[np.float32]:
    """[high - low + 1] float32: a part of the periods `low` .. `high`.

    `clock` is (frequency, time zone, countries).
    """
    frequency, timezone, countries = clock
    at = _moments(frequency, timezone, low, high)
    if part == "holidays_in_period":
        values = _counted(countries, at.days, _moments(frequency, timezone, low + 1, high + 1).days)
    elif part in HOLIDAY_PARTS:
        values = _holidays(part, countries, at.days)
    else:
        values = _PARTS[PORTUGUESE.get(part, part)](at).astype(np.float32)
    values.flags.writeable = False
    return values


@lru_cache(maxsize=16)
def _moments(frequency: str, timezone: str, low: int, high: int) -> Moments:
    return Moments(Frequency(frequency), timezone, low, high)


def check_country(text: str, *, where: str) -> None:
    """Raise `SpecError` unless `BR` or `BR-SP` like texts name a country with known holidays."""
    try:
        _country(text, 2020)
    except NotImplementedError as error:
        raise SpecError(
            f"no holidays are known for {text!r}: {error}",
            where=where,
            cure="use an ISO 3166 code, with its subdivision if needed: BR, BR-SP, US-CA",
        ) from None


@lru_cache(maxsize=1024)
def _country(text: str, year: int) -> frozenset[date]:
    import holidays

    code, _, part = text.partition("-")
    return frozenset(holidays.country_holidays(code, subdiv=part or None, years=year))


def _dates(countries: tuple[str, ...], first: date, last: date) -> NDArray[np.datetime64]:
    """Sorted days that are a holiday in any of the countries, and one far off at either end."""
    years = range(first.year - 1, last.year + 2)
    known = {day for country in countries for year in years for day in _country(country, year)}
    near, far = timedelta(days=CAP), timedelta(days=2 * CAP)
    found = sorted(day for day in known if first - near <= day <= last + near)
    return np.array([first - far, *found, last + far], "M8[D]")


def _counted(
    countries: tuple[str, ...], days: NDArray[np.datetime64], until: NDArray[np.datetime64]
) -> NDArray[np.float32]:
    """Holidays in days[i] <= day < until[i]."""
    found = _dates(countries, days[0].item(), until[-1].item())
    return (np.searchsorted(found, until) - np.searchsorted(found, days)).astype(np.float32)


def _holidays(
    part: str, countries: tuple[str, ...], days: NDArray[np.datetime64]
) -> NDArray[np.float32]:
    found = _dates(countries, days[0].item(), days[-1].item())
    if part == "days_since_holiday":
        return _capped(days - found[np.searchsorted(found, days, "right") - 1])
    to = _capped(found[np.searchsorted(found, days)] - days)
    return (to == 0).astype(np.float32) if part == "is_holiday" else to


def _capped(gaps: NDArray[np.timedelta64]) -> NDArray[np.float32]:
    return np.minimum(gaps.astype(np.int64), CAP).astype(np.float32)
