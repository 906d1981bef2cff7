"""Figures by level: of every candidate as it adds up, and of what will forecast as it was planned.

All are of the scored windows. The mean over levels of a weighted rmsse is M5's WRMSSE where series
are weighed by revenue and the season is 1 (Makridakis, Spiliotis & Assimakopoulos 2022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from lakecast.columns import CANDIDATE, HORIZON, LEVEL, WINDOW
from lakecast.core import metrics
from lakecast.models.levels import Levels
from lakecast.training.calibration import calibrate, interval_stats
from lakecast.training.hierarchy import learned, stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lakecast.spec.model import Forecast
    from lakecast.training.backtest import Backtest
    from lakecast.training.hierarchy_plan import Above

MEAN: Final = "mean of levels"
_MEANS: Final = ("rmsse", "mase")


def level_scores(above: Above, backtest: Backtest) -> pl.DataFrame:
    """Rows of the table `metrics`: segment `level`, a value each and `mean of levels`.

    Over all horizons, by window and (null) over all scored ones; each candidate added up, the one
    that the levels were planned for as planned. The mean has rmsse and mase alone.
    """
    frames = []
    for candidate in backtest.candidates:
        mine = above.held[-1] if candidate.name == above.name else backtest
        whole = np.zeros((len(above.names), len(metrics.STATS) + 1))
        for fold in backtest.scored:
            found = stats(above.tree, fold, mine.of(candidate.name, fold))
            whole += found
            frames.append(_frame(above.names, found, (candidate.name, fold.window.index)))
        frames.append(_frame(above.names, whole, (candidate.name, None)))
    return pl.concat(frames)


def _frame(
    names: Sequence[str], found: NDArray[np.float64], of: tuple[str, int | None]
) -> pl.DataFrame:
    """A row a level and one of their mean, from stats [L + 1, 15] of a candidate and window."""
    frame = pl.DataFrame(
        {
            CANDIDATE: of[0],
            WINDOW: pl.Series([of[1]] * len(names), dtype=pl.Int32),
            HORIZON: pl.Series([None] * len(names), dtype=pl.Int32),
            "segment": LEVEL,
            "value": names,
            "series": found[:, -1].astype(np.int64),
            "rows": found[:, 0].astype(np.int64),
            **{name: metrics.figure(name, found) for name in metrics.METRICS},
            **{
                f"{name}_undefined": metrics.undefined(name, found).astype(np.int64)
                for name in _MEANS
            },
        },
        nan_to_null=True,
    )
    left_out = [f"{name}_undefined" for name in _MEANS]
    none = [pl.lit(None, pl.Float64).alias(name) for name in metrics.METRICS if name not in _MEANS]
    mean = frame.tail(1).with_columns(
        pl.lit(MEAN).alias("value"),
        *none,
        *(pl.lit(frame[name].mean(), pl.Float64).alias(name) for name in _MEANS),
        *(pl.lit(frame[name].sum(), pl.Int64).alias(name) for name in left_out),
    )
    return pl.concat([frame, mean])


def levels_told(above: Above, forecast: Forecast) -> list[dict[str, Any]]:
    """JSON values, a row a level and last of the series, as planned and nested.

    `level`, `method`, `groups` scored, the metrics, coverage of the first interval.
    """
    return [
        {LEVEL: name, "method": above.plan.method, **_told(one, forecast)}
        for name, one in zip(above.names, above.held, strict=True)
    ]


def levels_of_bundle(above: Above, forecast: Forecast) -> Levels:
    """What the bundle carries: each level's intervals come from its own residuals."""
    return Levels(
        columns=tuple(level.columns for level in above.tree.by_code.levels),
        method=above.plan.method,
        calibrations=tuple(calibrate(one, above.name, forecast.levels) for one in above.held),
        learned=None if above.plan.method == "bottom_up" else learned(above.tree),
    )


def _told(backtest: Backtest, forecast: Forecast) -> dict[str, Any]:
    name = backtest.candidates[0].name
    found = backtest.by_series(name)
    told: dict[str, Any] = {"groups": int((found[:, 0] > 0).sum())}
    for metric in metrics.METRICS:
        told[metric] = _number(metrics.figure(metric, found.sum(axis=0)))
    bands = next(iter(interval_stats(backtest, name, forecast).values()), None)
    told["coverage"] = (
        None if bands is None else _number(metrics.interval_figure("coverage", bands))
    )
    return told


def _number(value: NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)
