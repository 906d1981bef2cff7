"""What a window's forecasts are scored against, and the sums of their scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lakecast.core import classes, metrics
from lakecast.core.block import actuals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import Block
    from lakecast.core.classes import Norm
    from lakecast.core.splits import Window


_ALL = slice(None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """The S series that had begun by a window's cutoff, in panel order; H horizons.

    All but `actual` is read from rows up to the cutoff; `scales` from all of them, `classes` and
    `spread` (the scale of intervals) from the last seasons.
    """

    window: Window
    gap: int
    codes: NDArray[np.int32]  # [S]
    actual: NDArray[np.float64]  # [S, H] null where not known
    classes: NDArray[np.int8]  # [S] index into `classes.CLASSES`
    zero_median: NDArray[np.bool_]  # [7] by class
    scales: metrics.Scales
    spread: NDArray[np.float64]  # [S]

    @property
    def scored(self) -> NDArray[np.float64]:
        """[S, H] actuals with the horizons of the gap made null."""
        if not self.gap:
            return self.actual
        out = self.actual.copy()
        out[:, : self.gap] = np.nan
        return out


def known_at(fold: Fold, cutoff: int) -> Fold:
    """The fold with what happened after `cutoff` made null; the fold itself where nothing did."""
    known = max(cutoff - fold.window.cutoff, 0)
    if known >= fold.actual.shape[1]:
        return fold
    actual = fold.actual.copy()
    actual[:, known:] = np.nan
    return replace(fold, actual=actual)


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """Per series [S] of a panel cut at a cutoff: its class, scales and scale of intervals."""

    codes: NDArray[np.int32]
    classes: NDArray[np.int8]
    zero_median: NDArray[np.bool_]
    scales: metrics.Scales
    norm: Norm
    spread: NDArray[np.float64]


def basis(blocks: Iterable[Block], cutoff: int, season: int) -> Basis:
    """The basis of all series that had begun by the cutoff; blocks are read one at a time."""
    return _basis([_part(block, cutoff, season) for block in blocks], season)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is scored of a window: the horizon, the season m, and the first horizons left out."""

    horizon: int
    season: int
    gap: int = 0


def fold(blocks: Iterable[Block], window: Window, shape: Shape) -> Fold:
    """The fold of a window; blocks are read one at a time."""
    parts: list[_Part] = []
    ahead: list[NDArray[np.float64]] = []
    for block in blocks:
        parts.append(_part(block, window.cutoff, shape.season))
        ahead.append(actuals(block, window.cutoff, shape.horizon).astype(np.float64))
    base = _basis(parts, shape.season)
    return Fold(
        window=window,
        gap=shape.gap,
        codes=base.codes,
        actual=np.concatenate(ahead),
        classes=base.classes,
        zero_median=base.zero_median,
        scales=base.scales,
        spread=base.spread,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What a basis takes of one block."""

    codes: NDArray[np.int32]
    tail: classes.Tail
    scales: metrics.Scales


def _part(block: Block, cutoff: int, season: int) -> _Part:
    cut = block.until(cutoff)
    tail = classes.tail(cut, classes.DEPTH * season)
    return _Part(cut.codes, tail, metrics.scales(cut, season))


def _basis(parts: Sequence[_Part], season: int) -> Basis:
    tail = _joined([part.tail for part in parts])
    kinds, norm = classes.classify(tail, season), classes.norm(tail, season)
    return Basis(
        codes=np.concatenate([part.codes for part in parts]),
        classes=kinds,
        zero_median=classes.zero_median(classes.zero_counts(tail, kinds)),
        scales=metrics.Scales(
            absolute=np.concatenate([part.scales.absolute for part in parts]),
            squared=np.concatenate([part.scales.squared for part in parts]),
        ),
        norm=norm,
        spread=classes.spread(tail, season, norm),
    )


def _joined(parts: Sequence[classes.Tail]) -> classes.Tail:
    return classes.Tail(
        values=np.concatenate([part.values for part in parts]),
        n=np.concatenate([part.n for part in parts]),
        nonzero=np.concatenate([part.nonzero for part in parts]),
        silence=np.concatenate([part.silence for part in parts]),
    )


def score(
    fold: Fold, forecast: NDArray[np.float64], groups: tuple[int, ...], part: slice = _ALL
) -> NDArray[np.float64]:
    """[S, G + 1, 14] stats by horizon group (last horizon of each), then over all horizons.

    Of the series in `part` alone, where it is given.
    """
    terms = metrics.errors(forecast[part], fold.scored[part])
    by_group = np.add.reduceat(terms, [0, *groups[:-1]], axis=1)
    whole = by_group.sum(axis=1, keepdims=True)
    scale = metrics.Scales(absolute=fold.scales.absolute[part], squared=fold.scales.squared[part])
    return metrics.units(np.concatenate([by_group, whole], axis=1), scale)


def totals(fold: Fold, forecast: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S, 14] stats over all horizons."""
    return metrics.units(metrics.errors(forecast, fold.scored).sum(axis=1), fold.scales)


def ranked(fold: Fold, metric: str) -> NDArray[np.bool_]:
    """[7] classes whose series may rank and gate under a metric.

    Absolute errors are least at the median, so they would reward forecasting nothing where the
    median is zero.
    """
    return ~fold.zero_median if metric in metrics.ABSOLUTE else np.ones(7, dtype=np.bool_)


def judged_by(folds: Sequence[Fold], metric: str) -> str:
    """The metric to rank by: `rmse` where no series has the scale that `metric` divides by.

    That is so where the history is shorter than a season, e.g. a year of weeks.
    """
    if metric not in {"rmsse", "mase"}:
        return metric
    usable = any((fold.scales.absolute > 0).any() for fold in folds)
    return metric if usable else "rmse"
