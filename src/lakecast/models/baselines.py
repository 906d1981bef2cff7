"""Forecasts any model has to beat, from the state's tail alone.

All answer null only for a series whose tail holds no value. Sums run period by period in float64,
so a series' bits do not depend on the series beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from lakecast.models.codec import Stored, write
from lakecast.models.protocol import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.core.block import Future
    from lakecast.core.features import FeaturePlan, State


def mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean over axis 1 of the values that are not null; null where there is none."""
    total = np.zeros(values[:, 0].shape)
    count = np.zeros(values[:, 0].shape)
    for i in range(values.shape[1]):
        known = ~np.isnan(values[:, i])
        total += np.where(known, values[:, i], 0.0)
        count += known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def last(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Last value over axis 1 that is not null; null where there is none."""
    found = np.full(values[:, 0].shape, np.nan)
    for i in range(values.shape[1]):
        found = np.where(np.isnan(values[:, i]), found, values[:, i])
    return found


def seasons(values: NDArray[np.float32], season: int) -> NDArray[np.float32]:
    """[S, k, season]: column j of axis 2 has the phase of horizon j + 1, j + 1 + season, ..."""
    return values.reshape(len(values), values.shape[1] // season, season)


def _repeated(
    profile: NDArray[np.float64], values: NDArray[np.float32], horizon: int
) -> NDArray[np.float64]:
    """[S, H] from [S, season]; a phase without a value takes the mean of the tail."""
    filled = np.where(np.isnan(profile), mean(values)[:, None], profile)
    return filled[:, np.arange(horizon) % filled.shape[1]]


class PerSeries:
    """What forecasters of one series' tail share: no features, saved as their fields."""

    __slots__ = ()
    kind: ClassVar[str]

    @property
    def plans(self) -> tuple[FeaturePlan, ...]:
        """None."""
        return ()

    def save(self, folder: Path) -> None:
        """Write into an empty folder."""
        write(folder, self.kind, asdict(self))  # type: ignore[call-overload]

    @classmethod
    def restore(cls, stored: Stored) -> Self:
        """What `save` wrote."""
        return cls(**stored.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Naive(PerSeries):
    """The last value of the last `window` periods, for every horizon."""

    kind: ClassVar[str] = "naive"
    window: int

    @property
    def memory(self) -> int:
        """The window."""
        return self.window

    def forecast(self, state: State, future: Future) -> Answer:
        """One number a series."""
        values = last(state.tail(self.memory))
        return Answer.of(np.repeat(values[:, None], future.horizon, axis=1), "baseline")


@dataclass(frozen=True, kw_only=True, slots=True)
class SeasonalNaive(PerSeries):
    """The last known value of the same phase, looking back at most `depth` seasons."""

    kind: ClassVar[str] = "seasonal-naive"
    season: int
    depth: int = 4

    @property
    def memory(self) -> int:
        """`depth` seasons."""
        return self.season * self.depth

    def forecast(self, state: State, future: Future) -> Answer:
        """One season, repeated."""
        values = state.tail(self.memory)
        profile = last(seasons(values, self.season))
        return Answer.of(_repeated(profile, values, future.horizon), "baseline")


@dataclass(frozen=True, kw_only=True, slots=True)
class MovingAverage(PerSeries):
    """The mean of the last `window` periods, for every horizon."""

    kind: ClassVar[str] = "moving-average"
    window: int

    @property
    def memory(self) -> int:
        """The window."""
        return self.window

    def forecast(self, state: State, future: Future) -> Answer:
        """One number a series."""
        values = mean(state.tail(self.memory))
        return Answer.of(np.repeat(values[:, None], future.horizon, axis=1), "baseline")


@dataclass(frozen=True, kw_only=True, slots=True)
class SeasonalMean(PerSeries):
    """The mean of the last `depth` values of the same phase (of the same weekday, if daily)."""

    kind: ClassVar[str] = "seasonal-mean"
    season: int
    depth: int = 8

    @property
    def memory(self) -> int:
        """`depth` seasons."""
        return self.season * self.depth

    def forecast(self, state: State, future: Future) -> Answer:
        """One season, repeated."""
        values = state.tail(self.memory)
        profile = mean(seasons(values, self.season))
        return Answer.of(_repeated(profile, values, future.horizon), "baseline")
