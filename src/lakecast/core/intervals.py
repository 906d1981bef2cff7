"""Conformal intervals from backtest residuals.

Residuals are signed (actual - forecast) and divided by the series' in-sample scale; their
quantiles are taken by demand class and horizon group, at the ranks that give finite-sample
coverage under exchangeability (Vovk, Gammerman & Shafer 2005): floor((n + 1) a / 2) from below
and the same from above, a = 1 - level.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from lakecast.core.classes import CLASSES
from lakecast.core.metrics import Band

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

POOLS: Final = ("own", "all classes", "all classes and horizons", "all, and still too few", "none")
OWN, ALL_CLASSES, ALL, FEW, NONE = range(len(POOLS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Residuals:
    """n scaled residuals with the class and horizon group of each; nulls left out."""

    values: NDArray[np.float64]
    classes: NDArray[np.int8]
    groups: NDArray[np.int8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Forecasts of S series over H horizons, the scale and the demand class of each series."""

    forecast: NDArray[np.float64]  # [S, H]
    scale: NDArray[np.float64]  # [S]
    classes: NDArray[np.int8]  # [S]


def residuals(forecasts: Spread, actual: NDArray[np.float64], groups: Sequence[int]) -> Residuals:
    """Scaled residuals of one window; null actuals and scales of zero or null are left out."""
    scale = np.where(forecasts.scale > 0, forecasts.scale, np.nan)[:, None]
    values = (actual - forecasts.forecast) / scale
    keep = ~np.isnan(values)
    shape = values.shape
    of = np.broadcast_to(_group_of(shape[1], groups), shape)
    return Residuals(
        values=values[keep],
        classes=np.broadcast_to(forecasts.classes[:, None], shape)[keep],
        groups=of[keep],
    )


def pool(parts: Sequence[Residuals]) -> Residuals:
    """The residuals of several windows."""
    return Residuals(
        values=np.concatenate([part.values for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
        groups=np.concatenate([part.groups for part in parts]),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Quantiles of scaled residuals by level, class and horizon group.

    `levels` ascend (percent), `groups` are the last horizons of the groups. `lo` and `hi` are
    [L, 7, G] with lo <= 0 <= hi, wider levels holding narrower ones; NaN where there was no
    residual at all. `pools` [L, 7, G] indexes `POOLS`.
    """

    levels: tuple[int, ...]
    groups: tuple[int, ...]
    lo: NDArray[np.float64]
    hi: NDArray[np.float64]
    pools: NDArray[np.int8]

    def apply(self, forecasts: Spread, minimum: float | None) -> tuple[Band, ...]:
        """A band a level, each [S, H]; both bounds are clipped at the minimum.

        Horizons beyond the last group use the last group's quantiles.
        """
        group = _group_of(forecasts.forecast.shape[1], self.groups)
        scale = np.where(np.isnan(forecasts.scale), 0.0, forecasts.scale)[:, None]
        floor = -np.inf if minimum is None else minimum
        where = np.ix_(forecasts.classes, group)
        return tuple(
            Band(
                level=level,
                lo=np.maximum(forecasts.forecast + scale * self.lo[index][where], floor),
                hi=np.maximum(forecasts.forecast + scale * self.hi[index][where], floor),
            )
            for index, level in enumerate(self.levels)
        )

    def notes(self) -> tuple[str, ...]:
        """One sentence for each (level, class, group) that had to pool wider."""
        return tuple(
            f"{self.levels[level]}% interval of class {CLASSES[kind]}, horizons up to "
            f"{self.groups[group]}: too few residuals, pooled over {POOLS[self.pools[at]]}"
            for at in zip(*np.nonzero(self.pools), strict=True)
            for level, kind, group in (at,)
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays to save; `meta` goes beside them."""
        return {"lo": self.lo, "hi": self.hi, "pools": self.pools}

    def meta(self) -> str:
        """JSON of what is not an array."""
        return json.dumps({"levels": self.levels, "groups": self.groups})

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[np.generic]], meta: str) -> Self:
        """The inverse of `arrays` and `meta`, bit for bit."""
        told = json.loads(meta)
        return cls(
            levels=tuple(told["levels"]),
            groups=tuple(told["groups"]),
            lo=arrays["lo"].astype(np.float64),
            hi=arrays["hi"].astype(np.float64),
            pools=arrays["pools"].astype(np.int8),
        )


def needed(level: int) -> float:
    """Fewest residuals a level can be read from: 2 / (1 - level)."""
    return 200.0 / (100 - level)


def calibrate(residuals: Residuals, levels: Sequence[int], groups: Sequence[int]) -> Calibration:
    """Quantiles a (level, class, group); too few residuals: all classes, then all horizons too."""
    ordered = tuple(sorted(set(levels)))
    shape = (len(ordered), len(CLASSES), len(groups))
    lo, hi, pools = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, NONE, np.int8)
    pooled = _Pools.of(residuals)
    for kind in range(len(CLASSES)):
        for group in range(len(groups)):
            for index, level in enumerate(ordered):
                at = (index, kind, group)
                pools[at], values = pooled.widest(kind, group, needed(level))
                lo[at], hi[at] = _quantiles(values, level)
    return Calibration(
        levels=ordered,
        groups=tuple(groups),
        lo=np.minimum.accumulate(lo, axis=0),
        hi=np.maximum.accumulate(hi, axis=0),
        pools=pools,
    )


@dataclass(frozen=True, slots=True)
class _Pools:
    """Sorted residuals of each (class, group), of each group, and of all."""

    own: Mapping[tuple[int, int], NDArray[np.float64]]
    classes: Mapping[int, NDArray[np.float64]]
    every: NDArray[np.float64]

    @classmethod
    def of(cls, residuals: Residuals) -> Self:
        groups = {int(group) for group in np.unique(residuals.groups)}
        by_group = {g: np.flatnonzero(residuals.groups == g) for g in groups}
        own = {
            (kind, g): np.sort(residuals.values[rows[residuals.classes[rows] == kind]])
            for g, rows in by_group.items()
            for kind in range(len(CLASSES))
        }
        return cls(
            own=own,
            classes={g: np.sort(residuals.values[rows]) for g, rows in by_group.items()},
            every=np.sort(residuals.values),
        )

    def widest(self, kind: int, group: int, least: float) -> tuple[int, NDArray[np.float64]]:
        """The narrowest pool with enough residuals, by its place in `POOLS`."""
        none = self.every[:0]
        pools = (self.own.get((kind, group), none), self.classes.get(group, none), self.every)
        for place, values in enumerate(pools):
            if len(values) >= least:
                return place, values
        return (FEW if len(self.every) else NONE), self.every


def _quantiles(values: NDArray[np.float64], level: int) -> tuple[float, float]:
    """Lower and upper quantile of sorted values, made to hold zero (the forecast itself)."""
    n = len(values)
    if not n:
        return np.nan, np.nan
    rank = max((n + 1) * (100 - level) // 200, 1)
    return min(float(values[rank - 1]), 0.0), max(float(values[n - rank]), 0.0)


def _group_of(horizon: int, groups: Sequence[int]) -> NDArray[np.int8]:
    """[H] index of each horizon's group; the last one beyond the last bound."""
    steps = np.arange(1, horizon + 1)
    place = np.searchsorted(np.asarray(groups), steps)
    return np.minimum(place, len(groups) - 1).astype(np.int8)
