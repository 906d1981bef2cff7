"""What a window's forecasts are scored against, and the sums of their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lakecast.core import classes, metrics
from lakecast.core.block import actuals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lakecast.core.block import Block
    from lakecast.core.splits import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """The S series that had begun by a window's cutoff, in panel order; H horizons.

    All but `actual` is read from rows up to the cutoff. `spread` is the scale of intervals.
    """

    window: Window
    gap: int
    codes: NDArray[np.int32]  # [S]
    actual: NDArray[np.float64]  # [S, H] null where not known
    classes: NDArray[np.int8]  # [S] index into `classes.CLASSES`
    zero_median: NDArray[np.bool_]  # [7] by class
    scales: metrics.Scales
    spread: NDArray[np.float64]  # [S] null only where no series has one

    @property
    def scored(self) -> NDArray[np.float64]:
        """[S, H] actuals with the horizons of the gap made null."""
        if not self.gap:
            return self.actual
        out = self.actual.copy()
        out[:, : self.gap] = np.nan
        return out


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """Per series [S] of a panel cut at a cutoff: its class, scales and scale of intervals."""

    codes: NDArray[np.int32]
    classes: NDArray[np.int8]
    zero_median: NDArray[np.bool_]
    scales: metrics.Scales
    spread: NDArray[np.float64]


def basis(blocks: Iterable[Block], cutoff: int, season: int) -> Basis:
    """The basis of all series that had begun by the cutoff."""
    cut = [block.until(cutoff) for block in blocks]
    profiles = [classes.profile(block, cutoff) for block in cut]
    parts = [metrics.scales(block, season) for block in cut]
    scales = metrics.Scales(
        absolute=np.concatenate([part.absolute for part in parts]),
        squared=np.concatenate([part.squared for part in parts]),
    )
    kinds = [classes.classify(part, season) for part in profiles]
    counts = [classes.zero_counts(p, k) for p, k in zip(profiles, kinds, strict=True)]
    return Basis(
        codes=np.concatenate([block.codes for block in cut]),
        classes=np.concatenate(kinds),
        zero_median=classes.zero_median(np.sum(counts, axis=0)),
        scales=scales,
        spread=spread(scales, np.concatenate([part.mean for part in profiles])),
    )


def fold(blocks: Iterable[Block], window: Window, shape: tuple[int, int, int]) -> Fold:
    """The fold of a window; `shape` is (horizon, season, gap)."""
    horizon, season, gap = shape
    held = list(blocks)
    base = basis(held, window.cutoff, season)
    parts = [actuals(block, window.cutoff, horizon).astype(np.float64) for block in held]
    return Fold(
        window=window,
        gap=gap,
        codes=base.codes,
        actual=np.concatenate(parts),
        classes=base.classes,
        zero_median=base.zero_median,
        scales=base.scales,
        spread=base.spread,
    )


def spread(scales: metrics.Scales, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S] in-sample scale of intervals: root of the mean squared seasonal difference.

    Where a series is too short for one: its mean |y| times the median ratio of the two among the
    others; with no values at all, the median scale.
    """
    root = np.sqrt(scales.squared)
    usable = (root > 0) & (mean > 0)
    if not usable.any():
        return np.where(np.isnan(root), np.where(np.isnan(mean), 0.0, mean), root)
    ratio = float(np.median(root[usable] / mean[usable]))
    fallback = np.where(np.isnan(mean), float(np.median(root[usable])), mean * ratio)
    return np.where(np.isnan(root), fallback, root)


def score(
    fold: Fold, forecast: NDArray[np.float64], groups: tuple[int, ...]
) -> NDArray[np.float64]:
    """[S, G + 1, 14] stats by horizon group (last horizon of each), then over all horizons."""
    terms = metrics.errors(forecast, fold.scored)
    starts = [0, *groups[:-1]]
    by_group = np.add.reduceat(terms, starts, axis=1)
    whole = by_group.sum(axis=1, keepdims=True)
    return metrics.units(np.concatenate([by_group, whole], axis=1), fold.scales)


def totals(fold: Fold, forecast: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S, 14] stats over all horizons."""
    return metrics.units(metrics.errors(forecast, fold.scored).sum(axis=1), fold.scales)


def ranked(fold: Fold, metric: str) -> NDArray[np.bool_]:
    """[7] classes whose series may rank and gate under a metric.

    Absolute errors are least at the median, so they would reward forecasting nothing where the
    median is zero.
    """
    return ~fold.zero_median if metric in metrics.ABSOLUTE else np.ones(7, dtype=np.bool_)
