"""What a window's forecasts are scored against, and the sums of their scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lakecast.columns import PRICE
from lakecast.core import classes, metrics
from lakecast.core.block import actuals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import Block
    from lakecast.core.classes import Norm
    from lakecast.core.splits import Window
    from lakecast.spec.model import Weight


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
    weight: NDArray[np.float64] | None = None  # [S] of mean 1; None: all alike

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
    return _basis(measured(blocks, cutoff, season), season)


def measured(blocks: Iterable[Block], cutoff: int, season: int) -> list[Measured]:
    """What a basis takes of each block; small, so that workers may send it."""
    return [_measured(block, cutoff, season) for block in blocks]


def norm_of(parts: Sequence[Measured], season: int) -> Norm:
    """The norm of all series of the blocks, in panel order."""
    return classes.norm(_joined([part.tail for part in parts]), season)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is scored of a window: the horizon, the season m, and the first horizons left out.

    `weight` says what each series counts in mase and rmsse.
    """

    horizon: int
    season: int
    gap: int = 0
    weight: Weight = "equal"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a fold takes of one block; small, so that workers may send it."""

    part: Measured
    actual: NDArray[np.float64]  # [S, H]
    sold: NDArray[np.float64]  # [S]; empty where all series weigh alike


def fold(blocks: Iterable[Block], window: Window, shape: Shape) -> Fold:
    """The fold of a window; blocks are read one at a time."""
    return fold_of([seen(block, window, shape) for block in blocks], window, shape)


def seen(block: Block, window: Window, shape: Shape) -> Seen:
    """Of the series of a block that had begun by the window's cutoff."""
    return Seen(
        part=_measured(block, window.cutoff, shape.season),
        actual=actuals(block, window.cutoff, shape.horizon).astype(np.float64),
        sold=_sold(block, window.cutoff, shape),
    )


def fold_of(every: Sequence[Seen], window: Window, shape: Shape) -> Fold:
    """The fold of what was seen of all blocks, in panel order."""
    base = _basis([one.part for one in every], shape.season)
    equal = shape.weight == "equal"
    return Fold(
        window=window,
        gap=shape.gap,
        codes=base.codes,
        actual=np.concatenate([one.actual for one in every]),
        classes=base.classes,
        zero_median=base.zero_median,
        scales=base.scales,
        spread=base.spread,
        weight=None if equal else normal(np.concatenate([one.sold for one in every])),
    )


def normal(weight: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """[S] weights of mean 1, so that windows count alike; None where nothing weighs anything."""
    mean = weight.mean() if len(weight) else 0.0
    return weight / mean if mean > 0.0 else None


def _sold(block: Block, cutoff: int, shape: Shape) -> NDArray[np.float64]:
    """[S] what the series in `block.until(cutoff)` sold in the last horizon, never below zero.

    In units, or in money at the price of each period; a null counts nothing.
    """
    if shape.weight == "equal":
        return np.empty(0)
    begun = block.first <= cutoff
    lengths = np.clip(cutoff + 1 - block.first[begun].astype(np.int64), 0, block.lengths[begun])
    index = (block.starts[:-1][begun] + lengths)[:, None] - 1 - np.arange(shape.horizon)
    inside = np.arange(shape.horizon) < lengths[:, None]
    index = np.where(inside, index, 0)
    sold = np.where(inside, block.target[index].astype(np.float64), 0.0)
    if shape.weight == "revenue":
        sold *= block.covariates[PRICE][index]
    return np.asarray(np.maximum(np.nansum(sold, axis=1), 0.0))


@dataclass(frozen=True, slots=True)
class Measured:
    """What a basis takes of one block."""

    codes: NDArray[np.int32]
    tail: classes.Tail
    scales: metrics.Scales


def _measured(block: Block, cutoff: int, season: int) -> Measured:
    cut = block.until(cutoff)
    tail = classes.tail(cut, classes.DEPTH * season)
    return Measured(cut.codes, tail, metrics.scales(cut, season))


def _basis(parts: Sequence[Measured], season: int) -> Basis:
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
    weight = None if fold.weight is None else fold.weight[part]
    return metrics.units(np.concatenate([by_group, whole], axis=1), scale, weight)


def totals(fold: Fold, forecast: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S, 14] stats over all horizons."""
    sums = metrics.errors(forecast, fold.scored).sum(axis=1)
    return metrics.units(sums, fold.scales, fold.weight)


def ranked(fold: Fold, metric: str) -> NDArray[np.bool_]:
    """[7] classes whose series may rank and gate under a metric.

    Absolute errors are least at the median, so they would reward forecasting nothing where the
    median is zero.
    """
    return ~fold.zero_median if metric in metrics.ABSOLUTE else np.ones(7, dtype=np.bool_)


def loss(fold: Fold, totals: NDArray[np.float64], metric: str) -> float:
    """The metric's loss over the classes that may rank, from `totals`; NaN: undefined."""
    kept = np.where(ranked(fold, metric)[fold.classes, None], totals, 0.0)
    return float(metrics.loss(metric, metrics.figure(metric, kept.sum(axis=0))))


def judged_by(folds: Sequence[Fold], metric: str) -> str:
    """The metric to rank by: `rmse` where no series has the scale that `metric` divides by.

    That is so where the history is shorter than a season, e.g. a year of weeks.
    """
    if metric not in {"rmsse", "mase"}:
        return metric
    usable = any((fold.scales.absolute > 0).any() for fold in folds)
    return metric if usable else "rmse"
