"""Frequency, time zone, season and horizon, from when things were sold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from lakecast.core.calendar import Frequency
from lakecast.core.panel.periods import Clock
from lakecast.errors import UsageError
from lakecast.flows.guess.choice import Choice
from lakecast.flows.guess.words import week_label
from lakecast.spec.check import FREQUENCY

if TYPE_CHECKING:
    from lakecast.core.calendar import Unit
    from lakecast.flows.guess.choice import Wishes
    from lakecast.flows.guess.look import Look

_WEEKDAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MOST: Final = 0.95
_HORIZONS: Final[dict[Unit, int]] = {"h": 48, "D": 28, "W": 8, "M": 6}
_SEASONS: Final[dict[Unit, tuple[int, ...]]] = {"h": (24, 168), "D": (7,), "W": (52,), "M": (12,)}
WORDS: Final[dict[Unit, str]] = {"h": "hours", "D": "days", "W": "weeks", "M": "months"}
_PER_HORIZON: Final = 8
"""Periods of history for each of the horizon: four backtest windows and what they train on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Periods:
    """How time is cut. `written` is the zone of times that carry none; `length` the number of
    periods from the first to the last; `own` cuts as finely as the rows come, whatever was asked.
    """

    frequency: Choice[str]
    timezone: Choice[str]
    written: str
    seasons: tuple[int, ...]
    horizon: Choice[int]
    length: int
    clock: Clock
    own: Clock

    @property
    def words(self) -> str:
        """What periods are called."""
        return WORDS[self.clock.frequency.unit]


def periods(look: Look, time: str, wishes: Wishes) -> Periods:
    """How the times of a column are best cut.

    Raises `UsageError` for a frequency, zone or horizon that cannot be.
    """
    zone = _zone(look, time, wishes.timezone)
    local = zone.value if look.zoned(time) else "UTC"  # the rows hold zoneless times as UTC
    own = frequency_of(look.rows[time], time, local)
    frequency = _asked(wishes.frequency) or own
    clock = Clock(Frequency(frequency.value), local)
    first, last = clock.ordinals(pl.Series(time, [look.rows[time].min(), look.latest(time)]))
    length = int(last - first) + 1
    unit = clock.frequency.unit
    return Periods(
        frequency=frequency,
        timezone=zone,
        written="UTC" if look.zoned(time) else zone.value,
        seasons=tuple(s for s in _SEASONS[unit] if s == _SEASONS[unit][0] or 2 * s < length),
        horizon=_horizon(unit, length, wishes.horizon),
        length=length,
        clock=clock,
        own=Clock(Frequency(own.value), local),
    )


def frequency_of(times: pl.Series, name: str, zone: str) -> Choice[str]:
    """The frequency at which a column's distinct times come."""
    wall = times.drop_nulls().dt.convert_time_zone(zone).dt.replace_time_zone(None)
    if _hourly(wall.unique().sort()):
        return Choice("h", "times are whole hours, most of them one hour apart")
    days = wall.dt.date().unique().sort()
    return _monthly(days) or _weekly(days, name) or Choice("D", _daily(wall))


def _hourly(moments: pl.Series) -> bool:
    whole = (moments.dt.minute() == 0) & (moments.dt.second() == 0)
    steps = moments.diff().drop_nulls()
    if not whole.all() or not steps.len():
        return False
    return float((steps == timedelta(hours=1)).sum()) >= 0.5 * steps.len()


def _monthly(days: pl.Series) -> Choice[str] | None:
    steps = days.diff().dt.total_days().drop_nulls()
    months = days.dt.truncate("1mo").n_unique()
    if steps.len() < 2 or months != days.len():
        return None
    if (steps.is_between(28, 31).sum()) < 0.8 * steps.len():
        return None
    return Choice("M", f"{months} distinct dates, one a month")


def _weekly(days: pl.Series, name: str) -> Choice[str] | None:
    """Weeks where nearly all dates are one weekday; that weekday and the name say which end."""
    counts = days.dt.weekday().alias("day").value_counts(sort=True)
    steps = days.diff().dt.total_days().drop_nulls()
    if steps.len() < 2 or counts["count"][0] < _MOST * days.len() or (steps == 7).sum() == 0:
        return None
    day = int(counts["day"][0]) - 1
    starts = week_label(name) == "start" or (day == 0 and week_label(name) != "end")
    last = _WEEKDAYS[(day - 1) % 7 if starts else day]
    role = "starts" if starts else "ends"
    return Choice(f"W-{last}", f"dates are all {_WEEKDAYS[day]}, read as the day a week {role}")


def _daily(wall: pl.Series) -> str:
    clock = bool((wall.dt.truncate("1d") != wall).any())
    return "moments of sale, counted by the day" if clock else "dates come day by day"


def _zone(look: Look, time: str, wished: str | None) -> Choice[str]:
    from zoneinfo import ZoneInfo

    if wished is None:
        if look.zoned(time):
            return Choice("UTC", "times carry a zone; set the zone your days are cut in")
        return Choice("UTC", "times carry no zone: days are cut as they are written")
    try:
        ZoneInfo(wished)
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"unknown time zone {wished!r}",
            where="--timezone",
            cure="use an IANA name, e.g. America/Sao_Paulo",
        ) from None
    return Choice(wished, "as asked")


def _asked(wished: str | None) -> Choice[str] | None:
    if wished is None:
        return None
    if not FREQUENCY.match(wished):
        raise UsageError(
            f"unknown frequency {wished!r}",
            where="--frequency",
            cure="use h, D, W-MON .. W-SUN (the week's last day) or M",
        )
    return Choice(wished, "as asked")


def _horizon(unit: Unit, length: int, wished: int | None) -> Choice[int]:
    if wished is not None:
        if wished < 1:
            raise UsageError(f"not a horizon: {wished}", where="--horizon", cure="1 or more")
        return Choice(wished, "as asked")
    usual, fits = _HORIZONS[unit], max(1, length // _PER_HORIZON)
    words = WORDS[unit]
    if fits < usual:
        return Choice(fits, f"{length} {words} of history bear no more")
    return Choice(usual, f"{words} ahead; there are {length:,} {words} of history")
