"""The Theta method, series by series, from the state's tail alone.

Standard Theta (Assimakopoulos and Nikolopoulos, 2000) in the form of Hyndman and Billah (2003):
simple exponential smoothing of the seasonally adjusted series, plus half the slope b of its
regression on time,

    y[n + h] = level[n] + b / 2 (h - 1 + 1 / alpha - (1 - alpha)^n / alpha).

The series is adjusted where its autocorrelation at the season is significant at 90%:
multiplicatively where every value is positive, else additively. Alpha minimises the squared
one-step errors over a grid, then by golden section around its best point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numba
import numpy as np

from lakecast.models.baselines import PerSeries
from lakecast.models.protocol import Answer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import Future
    from lakecast.core.features import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Theta(PerSeries):
    """Theta over the last `window` values. Nulls inside take their phase's mean.

    Fewer than 4 values: their mean; fewer than two seasons and a bit: no seasonal adjustment.
    """

    kind: ClassVar[str] = "theta"
    season: int
    window: int

    @property
    def memory(self) -> int:
        """The window."""
        return self.window

    def forecast(self, state: State, future: Future) -> Answer:
        """Null only where the tail holds no value."""
        values = state.tail(self.window).astype(np.float64)
        out = np.full((len(values), future.horizon), np.nan)
        _all_series(values, self.season, out)
        return Answer.of(out, "baseline")


@numba.njit(nogil=True, cache=True)
def _all_series(
    tails: NDArray[np.float64], season: int, out: NDArray[np.float64]
) -> None:  # pragma: no cover - compiled
    for s in range(len(tails)):
        start = 0
        while start < tails.shape[1] and np.isnan(tails[s, start]):
            start += 1
        if start < tails.shape[1]:
            _one_series(_filled(tails[s, start:], season), season, out[s])


@numba.njit(nogil=True, cache=True)
def _filled(
    y: NDArray[np.float64], season: int
) -> NDArray[np.float64]:  # pragma: no cover - compiled
    """Nulls replaced by the mean of their phase, or of the series."""
    out = y.copy()
    overall = np.nanmean(y)
    for i in range(len(y)):
        if np.isnan(y[i]):
            total, count = 0.0, 0
            for j in range(i % season, len(y), season):
                if not np.isnan(y[j]):
                    total += y[j]
                    count += 1
            out[i] = total / count if count else overall
    return out


@numba.njit(nogil=True, cache=True)
def _one_series(
    y: NDArray[np.float64], season: int, out: NDArray[np.float64]
) -> None:  # pragma: no cover - compiled
    n = len(y)
    if n < 4:
        out[:] = y.mean()
        return
    multiplicative = y.min() > 0.0
    seasonal = _seasonal(y, season, multiplicative)
    adjusted = np.empty(n)
    for i in range(n):
        adjusted[i] = y[i] / seasonal[i % season] if multiplicative else y[i] - seasonal[i % season]
    alpha = _best_alpha(adjusted)
    level = _smooth(adjusted, alpha)[0]
    half = _slope(adjusted) / 2.0
    offset = (1.0 - (1.0 - alpha) ** n) / alpha
    for h in range(len(out)):
        value = level + half * (h + offset)
        phase = seasonal[(n + h) % season]
        out[h] = value * phase if multiplicative else value + phase


@numba.njit(nogil=True, cache=True)
def _seasonal(
    y: NDArray[np.float64], m: int, multiplicative: bool
) -> NDArray[np.float64]:  # pragma: no cover - compiled
    """[m] classical seasonal indices by phase (of y[0]), neutral where there is no season."""
    neutral = 1.0 if multiplicative else 0.0
    index = np.full(m, neutral)
    if m < 2 or len(y) < 3 * m or not _is_seasonal(y, m):
        return index
    total, count = np.zeros(m), np.zeros(m)
    half = m // 2
    for i in range(half, len(y) - half):
        middle = (
            y[i - half + 1 : i + half].sum() if m % 2 == 0 else y[i - half : i + half + 1].sum()
        )
        if m % 2 == 0:
            middle += 0.5 * (y[i - half] + y[i + half])
        middle /= m
        total[i % m] += y[i] / middle if multiplicative else y[i] - middle
        count[i % m] += 1.0
    index[:] = total / count
    if multiplicative:
        index[:] = np.maximum(index / index.mean(), 1e-3)
    else:
        index -= index.mean()
    return index


@numba.njit(nogil=True, cache=True)
def _is_seasonal(y: NDArray[np.float64], m: int) -> bool:  # pragma: no cover - compiled
    """Whether |r[m]| > 1.645 sqrt((1 + 2 sum r[i]^2, i < m) / n)."""
    centred = y - y.mean()
    variance = (centred * centred).sum()
    if variance <= 1e-12 * max(1.0, y.mean() ** 2) * len(y):
        return False
    limit = 1.0
    for lag in range(1, m):
        r = (centred[lag:] * centred[:-lag]).sum() / variance
        limit += 2.0 * r * r
    r = (centred[m:] * centred[:-m]).sum() / variance
    return bool(abs(r) > 1.645 * np.sqrt(limit / len(y)))


@numba.njit(nogil=True, cache=True)
def _smooth(
    y: NDArray[np.float64], alpha: float
) -> tuple[float, float]:  # pragma: no cover - compiled
    """Last level and squared one-step errors of exponential smoothing that starts at y[0]."""
    level, errors = y[0], 0.0
    for i in range(1, len(y)):
        error = y[i] - level
        errors += error * error
        level += alpha * error
    return level, errors


@numba.njit(nogil=True, cache=True)
def _best_alpha(y: NDArray[np.float64]) -> float:  # pragma: no cover - compiled
    best, least = 0.1, np.inf
    for step in range(1, 20):
        errors = _smooth(y, step / 20.0)[1]
        if errors < least:
            best, least = step / 20.0, errors
    low, high = best - 0.04, best + 0.04
    ratio = 0.6180339887498949
    for _ in range(12):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if _smooth(y, left)[1] <= _smooth(y, right)[1]:
            high = right
        else:
            low = left
    return 0.5 * (low + high)


@numba.njit(nogil=True, cache=True)
def _slope(y: NDArray[np.float64]) -> float:  # pragma: no cover - compiled
    """Least-squares slope of y on time."""
    n = len(y)
    centre = (n - 1) / 2.0
    total = 0.0
    for i in range(n):
        total += (i - centre) * y[i]
    return total * 12.0 / (n * (n * n - 1.0))
