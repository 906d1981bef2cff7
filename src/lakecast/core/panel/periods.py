"""From timestamps to periods: the zone, the clock changes and the columns of tables.

A period is an ordinal of `lakecast.core.calendar`. Days, weeks and months are cut in the panel's
zone, so the day of a clock change is one day of 23 or 25 hours; hours are cut in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from lakecast.core.calendar import Frequency
from lakecast.errors import DataRefused

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

UTC_TIME: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Clock:
    """How a panel cuts time."""

    frequency: Frequency
    timezone: str

    @property
    def time_type(self) -> pl.DataType:
        """Type of time columns of this panel's tables: `Date`, or for hours `Datetime` in UTC."""
        return UTC_TIME if self.frequency.unit == "h" else pl.Date()

    def wall(self, time: pl.Series) -> NDArray[np.datetime64]:
        """Instants as the clock shows them that periods are cut by (datetime64 without a zone).

        Dates are taken as local. Raises `DataRefused` for dates in an hourly panel, and for a
        column that is no time.
        """
        if time.dtype == pl.Date:
            if self.frequency.unit == "h":
                raise DataRefused(
                    "an hourly panel needs timestamps, these are dates",
                    where=f"column {time.name}",
                    cure='set panel.frequency to "D", "W-SUN" or "M"',
                )
            return time.to_numpy()
        if not isinstance(time.dtype, pl.Datetime):
            raise DataRefused(
                f"not a time: {time.dtype}",
                where=f"column {time.name}",
                cure="name a column of dates or timestamps in panel.time or in the source's time",
            )
        aware = time if time.dtype.time_zone else time.dt.replace_time_zone("UTC")
        zone = "UTC" if self.frequency.unit == "h" else self.timezone
        return aware.dt.convert_time_zone(zone).dt.replace_time_zone(None).to_numpy()

    def ordinals(self, time: pl.Series) -> NDArray[np.int32]:
        """[n] the period of each time; there may be no nulls."""
        return self.frequency.ordinal(self.wall(time))

    def cut(self, time: pl.Series) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """[n] the period of each time, and the microseconds by the clock since its start."""
        wall = self.wall(time)
        ordinals = self.frequency.ordinal(wall)
        return ordinals, np.asarray(wall - self.frequency.start(ordinals)).astype(
            "timedelta64[us]"
        ).astype(np.int64)

    def starts(self, ordinals: NDArray[np.integer], name: str) -> pl.Series:
        """The time column that says these periods: their first instants, of `time_type`."""
        start = self.frequency.start(ordinals)
        if self.frequency.unit != "h":
            return pl.Series(name, start, dtype=pl.Date)
        return pl.Series(name, start).dt.replace_time_zone("UTC").cast(UTC_TIME)

    def covering(self, ordinals: NDArray[np.integer], coarse: Frequency) -> NDArray[np.int32]:
        """[n] the coarser period that holds the start of each of this panel's periods.

        Days of an hourly panel are days of the panel's zone.
        """
        if coarse == self.frequency:
            return np.asarray(ordinals).astype(np.int32)
        return Clock(coarse, self.timezone).ordinals(self.starts(ordinals, "time"))

    def last_ended(self, moment: datetime) -> int:
        """The last period that ends at or before a moment; without a zone it is local time."""
        local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.timezone))
        instant = pl.Series("as_of", [local.astimezone(UTC)], dtype=UTC_TIME)
        return int(self.ordinals(instant)[0]) - 1
