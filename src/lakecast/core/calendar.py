"""Periods as integers.

A period is an int32 *ordinal*: hours or days since 1970-01-01, months since January 1970, or weeks
since the first week that ends on the frequency's weekday. Consecutive periods differ by one, so all
arithmetic on regular series is integer arithmetic. Hourly ordinals count UTC hours; the others
count local calendar periods and know no zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WEEKDAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday

Unit = Literal["h", "D", "W", "M"]


@dataclass(frozen=True, slots=True)
class Frequency:
    """A spec's frequency: `h`, `D`, `W-MON` .. `W-SUN` (last day of the week) or `M`."""

    text: str

    @property
    def unit(self) -> Unit:
        """The kind of period, without the week's anchor."""
        return "W" if self.text.startswith("W") else self.text  # type: ignore[return-value]

    @property
    def season(self) -> int:
        """The season assumed where the spec names none, in periods."""
        return {"h": 24, "D": 7, "W": 52, "M": 12}[self.unit]

    @property
    def _shift(self) -> int:
        """Days from 1970-01-01 back to the start of the week that holds it."""
        last = _WEEKDAYS.index(self.text[2:])
        return (_EPOCH_WEEKDAY - last - 1) % 7

    def ordinal(self, time: NDArray[np.datetime64]) -> NDArray[np.int32]:
        """The period of each timestamp (any datetime64 unit, already in the zone of the cut)."""
        if self.unit == "M":
            return time.astype("datetime64[M]").astype(np.int64).astype(np.int32)
        if self.unit == "h":
            return time.astype("datetime64[h]").astype(np.int64).astype(np.int32)
        days = time.astype("datetime64[D]").astype(np.int64)
        if self.unit == "D":
            return days.astype(np.int32)
        return ((days + self._shift) // 7).astype(np.int32)

    def start(self, ordinal: NDArray[np.integer]) -> NDArray[np.datetime64]:
        """First instant of each period: datetime64[us] for hours, else datetime64[D].

        This is what time columns of Lakecast's tables hold; weeks and months are named by
        their first day.
        """
        wide = np.asarray(ordinal).astype(np.int64)
        if self.unit == "h":
            return wide.astype("datetime64[h]").astype("datetime64[us]")
        if self.unit == "M":
            return wide.astype("datetime64[M]").astype("datetime64[D]")
        if self.unit == "D":
            return wide.astype("datetime64[D]")
        return (wide * 7 - self._shift).astype("datetime64[D]")
