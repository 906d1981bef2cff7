"""Predicted against actual, and the distribution of the misses, small enough to be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from lakecast.columns import ACTUAL, FORECAST
from lakecast.report.curves import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_POINTS: Final = 1_500
BINS: Final = 41
_SKEWED: Final = 20.0
"""A largest value this many times the median is drawn on a logarithmic axis."""


def residuals(backtest: pl.DataFrame | None) -> dict[str, Any] | None:
    """Points, histogram and shares of forecast minus actual; None where nothing was scored."""
    if backtest is None:
        return None
    scored = backtest.select(
        pl.col(FORECAST).cast(pl.Float64), pl.col(ACTUAL).cast(pl.Float64)
    ).filter(pl.all_horizontal(pl.all().is_finite()))
    if not scored.height:
        return None
    forecast, actual = scored[FORECAST].to_numpy(), scored[ACTUAL].to_numpy()
    miss = forecast - actual
    return {
        "rows": scored.height,
        "over": float((miss > 0).mean()),
        "under": float((miss < 0).mean()),
        "median": rounded(float(np.median(miss))),
        "p90": rounded(float(np.quantile(np.abs(miss), 0.9))),
        "points": _points(scored),
        "log": _skewed(actual),
        **_histogram(miss),
    }


def _points(scored: pl.DataFrame) -> list[list[Any]]:
    """An evenly spread sample in order of the actual value: the same for the same rows."""
    step = max(1, -(-scored.height // MOST_POINTS))
    picked = scored.sort(ACTUAL, FORECAST).gather_every(step)
    return [[rounded(a, 3), rounded(f, 3)] for a, f in picked.select(ACTUAL, FORECAST).iter_rows()]


def _skewed(actual: NDArray[np.float64]) -> bool:
    positive = actual[actual > 0]
    return bool(
        positive.size and actual.min() >= 0 and actual.max() > _SKEWED * np.median(positive)
    )


def _histogram(miss: NDArray[np.float64]) -> dict[str, Any]:
    """Bins, symmetric about 0, over the middle 98%; `outside` counts what lies beyond."""
    reach = max(abs(float(q)) for q in np.quantile(miss, [0.01, 0.99])) or 1.0
    inside = miss[np.abs(miss) <= reach]
    counts, edges = np.histogram(inside, bins=BINS, range=(-reach, reach))
    return {
        "counts": counts.tolist(),
        "edges": [rounded(float(edge)) for edge in edges],
        "outside": int(miss.size - inside.size),
    }
