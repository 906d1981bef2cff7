"""The features a panel gets where the spec names none.

Lags follow the lead: the last values known, then whole seasons (the same phase). Windows reach
back over the spans that matter at the frequency; as they may hold fewer values than periods,
short series get features too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from lakecast.spec.features import Ewm, Expanding, Features, Rolling, Seasonal, Trend

if TYPE_CHECKING:
    from lakecast.core.block import PanelInfo
    from lakecast.core.calendar import Unit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Defaults:
    """Window lengths, number of recent lags, and calendar parts of a frequency."""

    means: tuple[int, ...]
    stds: tuple[int, ...]
    recent: int
    year: int
    parts: tuple[str, ...]
    yearly: tuple[str, ...]


DEFAULTS: Final[dict[Unit, Defaults]] = {
    "h": Defaults((24, 168), (24, 168), 3, 8760, ("hour", "weekday", "day"), ("month",)),
    # No week of the year: of a year or two it tells which week it was, not what weeks are like.
    "D": Defaults((7, 14, 28, 56), (7, 28), 3, 365, ("weekday", "day", "is_weekend"), ("month",)),
    "W": Defaults((4, 8, 13, 26), (4, 13), 4, 52, ("day",), ("week", "month")),
    "M": Defaults((3, 6, 12), (6, 12), 3, 12, (), ("month", "quarter")),
}
_LONG: Final = 60
"""Seasons longer than this get one lag, and only where the series are long enough for it."""


def resolved(features: Features, info: PanelInfo, lead: int) -> Features:
    """The features with absent keys (but `covariates`) filled by the frequency's defaults."""
    own = DEFAULTS[info.frequency.unit]
    chosen = _defaults(own, info, lead)
    return Features(
        lags=_or(features.lags, chosen.lags),
        rolling=_or(features.rolling, chosen.rolling),
        seasonal=_or(features.seasonal, chosen.seasonal),
        expanding=_or(features.expanding, chosen.expanding),
        ewm=_or(features.ewm, chosen.ewm),
        trend=_or(features.trend, chosen.trend),
        calendar=_or(features.calendar, chosen.calendar),
        holidays=features.holidays,
        covariates=features.covariates,
        static=features.static,
        encodings=features.encodings or (),
        pooled=features.pooled,
        scale=features.scale,
        names=features.names,
    )


def season_window(info: PanelInfo) -> int:
    """The window over which covariates are averaged: one short season, else the shortest mean."""
    short = [season for season in _seasons(info) if season <= _LONG]
    return short[0] if short else DEFAULTS[info.frequency.unit].means[0]


def group_scale(info: PanelInfo) -> int:
    """Periods whose mean the rows of a level are divided by: 16 weeks, where they are days.

    A mean of fewer follows a Christmas down, one of more an old level.
    """
    return 2 * DEFAULTS[info.frequency.unit].means[-1]


def _or(given: T | None, otherwise: T | None) -> T | None:
    return otherwise if given is None else given


def _defaults(own: Defaults, info: PanelInfo, lead: int) -> Features:
    yearly = own.yearly if _length(info) > 1.1 * own.year else ()
    return Features(
        lags=_lags(own, info, lead),
        rolling=(
            *(Rolling(window=w, lag=lead, min_periods=1) for w in own.means),
            *(Rolling(window=w, lag=lead, stats=("std",), min_periods=2) for w in own.stds),
        ),
        seasonal=tuple(
            Seasonal(season=season, window=window, lag=_phase(season, lead), min_periods=1)
            for season in _seasons(info)
            for window in ((4, 8) if season <= _LONG else ())
        ),
        expanding=(Expanding(lag=lead),),
        ewm=(Ewm(alpha=0.1, lag=lead), Ewm(alpha=0.3, lag=lead)),
        trend=(Trend(window=own.means[-2], lag=lead),),
        calendar=(*own.parts, *yearly),
    )


def _lags(own: Defaults, info: PanelInfo, lead: int) -> tuple[int, ...]:
    found = {lead + k for k in range(own.recent)}
    for season in _seasons(info):
        first = _phase(season, lead)
        found |= {first + k * season for k in range(4 if season <= _LONG else 1)}
    return tuple(sorted(found))


def _seasons(info: PanelInfo) -> tuple[int, ...]:
    given = info.seasons or (info.frequency.season,)
    return tuple(s for s in given if s > 1 and (s <= _LONG / 2 or _length(info) > 2 * s))


def _phase(season: int, lead: int) -> int:
    """The smallest multiple of the season that is at least the lead."""
    return -(-lead // season) * season


def _length(info: PanelInfo) -> float:
    """Mean number of periods of a series; endless where the panel does not say."""
    return info.rows / info.series if info.series else float("inf")
