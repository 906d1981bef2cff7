"""Intervals of a candidate: calibrated on all windows, and scored nested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lakecast.core import intervals, metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lakecast.core.folds import Fold
    from lakecast.core.intervals import Calibration
    from lakecast.core.metrics import Band
    from lakecast.spec.model import Forecast
    from lakecast.training.backtest import Backtest


def calibrate(
    backtest: Backtest, name: str, levels: Sequence[int], past: Sequence[Fold] | None = None
) -> Calibration:
    """From the residuals of the folds in `past` (absent: of all)."""
    chosen = backtest.folds if past is None else past
    parts = [
        intervals.residuals(_spread(backtest, name, fold), fold.scored, backtest.groups)
        for fold in chosen
    ]
    return intervals.calibrate(intervals.pool(parts), levels, backtest.groups)


def nested_bands(
    backtest: Backtest, name: str, spec: Forecast
) -> Iterator[tuple[Fold, tuple[Band, ...]]]:
    """The scored folds with their bands, each calibrated on what was known at its cutoff."""
    for fold in backtest.scored if len(backtest.folds) > 1 else ():
        found = calibrate(backtest, name, spec.levels, backtest.past(fold))
        yield fold, found.apply(_spread(backtest, name, fold), spec.minimum)


def interval_stats(backtest: Backtest, name: str, spec: Forecast) -> dict[int, NDArray[np.float64]]:
    """[4] stats of each level's nested intervals; zeros with a single window."""
    sums = {level: np.zeros(len(metrics.INTERVAL)) for level in sorted(set(spec.levels))}
    for fold, bands in nested_bands(backtest, name, spec):
        for band in bands:
            sums[band.level] += metrics.interval_errors(band, fold.scored).sum(axis=(0, 1))
    return sums


def _spread(backtest: Backtest, name: str, fold: Fold) -> intervals.Spread:
    return intervals.Spread(
        forecast=backtest.of(name, fold), scale=fold.spread, classes=fold.classes
    )
