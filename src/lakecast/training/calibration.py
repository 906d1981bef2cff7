"""Intervals of a candidate: calibrated on all windows, and scored nested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from lakecast.columns import HORIZON
from lakecast.core import intervals, metrics
from lakecast.core.classes import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lakecast.core.folds import Fold
    from lakecast.core.intervals import Calibration
    from lakecast.core.metrics import Band
    from lakecast.spec.model import Forecast
    from lakecast.training.backtest import Backtest

COVERAGE: Final = pl.Schema(
    {
        "level": pl.Int32(), "class": pl.String(), HORIZON: pl.Int32(), "rows": pl.Int64(),
        "coverage": pl.Float64(), "width": pl.Float64(),
    }
)  # fmt: skip
_CHUNK: Final = 4096  # series whose errors are held at once


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
    cubes = interval_cubes(backtest, name, spec)
    return {level: cube.sum(axis=(0, 1)) for level, cube in cubes.items()}


def interval_cubes(backtest: Backtest, name: str, spec: Forecast) -> dict[int, NDArray[np.float64]]:
    """[7, G, 4] the same by demand class and horizon group."""
    shape = (len(CLASSES), len(backtest.groups), len(metrics.INTERVAL))
    cubes = {level: np.zeros(shape) for level in sorted(set(spec.levels))}
    for fold, bands in nested_bands(backtest, name, spec):
        for start in range(0, len(fold.codes), _CHUNK):
            part = slice(start, start + _CHUNK)
            for band in bands:
                cubes[band.level] += _by_class(band, fold, part, backtest.groups)
    return cubes


def coverage(backtest: Backtest, name: str, spec: Forecast) -> pl.DataFrame:
    """What share of actuals a candidate's nested intervals held, by class and horizon group.

    Columns: level (percent, what was asked for), class and horizon (the last of its group), either
    null for all of them; rows, coverage (a share) and width (mean, in units of the target). Only
    what has rows: nothing with a single window.
    """
    kinds, groups = (None, *CLASSES), (None, *backtest.groups)
    rows = [
        _covered(level, kind, group, stats)
        for level, cube in interval_cubes(backtest, name, spec).items()
        for kind, by_group in zip(kinds, _with_total(cube), strict=True)
        for group, stats in zip(groups, _with_total(by_group), strict=True)
        if stats[0]
    ]
    return pl.DataFrame(rows, schema=COVERAGE)


def _with_total(stats: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum over axis 0, then what was summed."""
    return np.concatenate([stats.sum(axis=0, keepdims=True), stats])


def _covered(
    level: int, kind: str | None, group: int | None, stats: NDArray[np.float64]
) -> dict[str, object]:
    figures = {
        figure: float(metrics.interval_figure(figure, stats)) for figure in ("coverage", "width")
    }
    return {"level": level, "class": kind, HORIZON: group, "rows": int(stats[0]), **figures}


def _by_class(band: Band, fold: Fold, part: slice, groups: Sequence[int]) -> NDArray[np.float64]:
    """[7, G, 4] stats of some series of a fold."""
    errors = metrics.interval_errors(
        metrics.Band(level=band.level, lo=band.lo[part], hi=band.hi[part]), fold.scored[part]
    )
    group = np.minimum(np.searchsorted(groups, np.arange(1, errors.shape[1] + 1)), len(groups) - 1)
    cube = np.zeros((len(CLASSES), len(groups), errors.shape[-1]))
    np.add.at(cube, (fold.classes[part][:, None], group[None, :]), errors)
    return cube


def _spread(backtest: Backtest, name: str, fold: Fold) -> intervals.Spread:
    return intervals.Spread(
        forecast=backtest.of(name, fold), scale=fold.spread, classes=fold.classes
    )
