"""Metrics: a pointwise error times a mergeable float64 aggregation.

Every metric is a ratio, root or mean of *sums*, so the same definition serves a backtest, parts
of a cluster and live monitoring: take `sums` of rows anywhere, add them in a fixed order, and
finish with `figure`. A null (NaN) actual is not scored. A zero denominator gives NaN.

`mase` and `rmsse` are means over *units*, one unit a series in one window: a unit's sums become
one value (`units`), whose weighted sum, weight and undefined count are again only sums.
With a = actual, f = forecast, e = f - a, and m the season:

====== ===================================== ======================================
mae    sum |e| / n
rmse   sqrt(sum e^2 / n)
bias   sum e / sum a
wape   sum |e| / sum |a|
smape  sum 2|e| / (|a| + |f|) / n             0/0 counts as 0
r2     1 - sum e^2 / sum (a - mean a)^2
mase   mean of mae / mean |a_t - a_(t-m)|     Hyndman & Koehler 2006
rmsse  mean of sqrt(mse / mean (a_t - a_(t-m))^2)   Makridakis et al., M5, 2022
====== ===================================== ======================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import Block

ROW: Final = ("n", "abs", "sq", "err", "actual", "abs_actual", "sq_actual", "smape")
UNIT: Final = ("mase", "mase_weight", "mase_undefined", "rmsse", "rmsse_weight", "rmsse_undefined")
STATS: Final = ROW + UNIT
METRICS: Final = ("rmsse", "mase", "mae", "rmse", "wape", "smape", "bias", "r2")
ABSOLUTE: Final = frozenset({"mase", "mae", "wape", "smape"})
"""Metrics whose best forecast is the median: they favour nothing where half the rows are zero."""

_AT: Final = {name: index for index, name in enumerate(STATS)}
_FLAT: Final = 1e-12  # a spread this small against the squares is rounding, not variation


def errors(forecast: NDArray[np.float64], actual: NDArray[np.float64]) -> NDArray[np.float64]:
    """[..., 8] the pointwise terms of `ROW`; zeros where the actual is null."""
    scored = ~np.isnan(actual)
    a = np.where(scored, actual, 0.0).astype(np.float64)
    e = np.where(scored, forecast - a, 0.0)
    size = np.where(scored, np.abs(a) + np.abs(forecast), 0.0)
    smape = 2.0 * np.abs(e) / np.where(size > 0.0, size, 1.0)
    terms = (scored.astype(np.float64), np.abs(e), e * e, e, a, np.abs(a), a * a, smape)
    return np.stack(terms, axis=-1)


@dataclass(frozen=True, slots=True)
class Partial:
    """Sums [n, K] by key [n] (ascending, unique). Merging in a fixed order repeats bit for bit."""

    keys: NDArray[np.int64]
    sums: NDArray[np.float64]

    def merge(self, other: Partial) -> Partial:
        """The sums of both."""
        keys = np.union1d(self.keys, other.keys)
        sums = np.zeros((len(keys), self.sums.shape[1]))
        sums[np.searchsorted(keys, self.keys)] += self.sums
        sums[np.searchsorted(keys, other.keys)] += other.sums
        return Partial(keys, sums)


def partial(keys: NDArray[np.int64], values: NDArray[np.float64]) -> Partial:
    """Values [n, K] summed by key [n], in the order of the rows."""
    unique, place = np.unique(keys, return_inverse=True)
    return Partial(unique.astype(np.int64), total(place, values, len(unique)))


def total(
    place: NDArray[np.integer], values: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """[size, ...] sums of values [n, ...] by place [n] in 0..size-1, in the order of the rows."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    out = np.empty((size, flat.shape[1]))
    for column in range(flat.shape[1]):
        out[:, column] = np.bincount(place, weights=flat[:, column], minlength=size)
    return out.reshape(size, *values.shape[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Scales:
    """Denominators of S series: mean absolute and mean squared seasonal difference [S].

    NaN where a series has no pair of values one season apart.
    """

    absolute: NDArray[np.float64]
    squared: NDArray[np.float64]


def scales(block: Block, season: int) -> Scales:
    """Scales from all rows of a block (cut it with `until` first); null pairs are skipped."""
    owner = np.repeat(np.arange(len(block.codes)), block.lengths)
    late, early = slice(season, None), slice(None, -season)
    step = (block.target[late].astype(np.float64) - block.target[early]).astype(np.float64)
    pair = (owner[late] == owner[early]) & ~np.isnan(step)
    step, owner = step[pair], owner[late][pair]
    size = len(block.codes)
    count = np.bincount(owner, minlength=size).astype(np.float64)
    return Scales(
        absolute=_ratio(total(owner, np.abs(step), size), count),
        squared=_ratio(total(owner, step * step, size), count),
    )


def units(
    sums: NDArray[np.float64], scale: Scales, weight: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """[S, ..., 14]: `ROW` sums [S, ..., 8] of one window with the `UNIT` terms of each series.

    A unit without scored rows has no terms; one with a null or zero scale is counted undefined.
    """
    shape = (len(sums), *([1] * (sums.ndim - 2)))
    heavy = np.ones(shape) if weight is None else weight.reshape(shape).astype(np.float64)
    n = sums[..., _AT["n"]]
    mae, mse = _ratio(sums[..., _AT["abs"]], n), _ratio(sums[..., _AT["sq"]], n)
    mase = _ratio(mae, scale.absolute.reshape(shape))
    rmsse = np.sqrt(_ratio(mse, scale.squared.reshape(shape)))
    terms = [*_unit(mase, heavy, n), *_unit(rmsse, heavy, n)]
    return np.concatenate([sums, np.stack(terms, axis=-1)], axis=-1)


def _unit(
    value: NDArray[np.float64], weight: NDArray[np.float64], n: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    defined = ~np.isnan(value)
    heavy = np.where(defined, weight, 0.0)
    return np.where(defined, value, 0.0) * heavy, heavy, ((n > 0) & ~defined).astype(np.float64)


def figure(metric: str, stats: NDArray[np.float64]) -> NDArray[np.float64]:
    """[...] the metric from stats [..., 14] (row metrics need [..., 8] only); NaN: undefined."""
    at = {name: stats[..., index] for name, index in _AT.items() if index < stats.shape[-1]}
    if metric == "r2":
        return 1.0 - _ratio(at["sq"], _spread(at["n"], at["actual"], at["sq_actual"]))
    above, below = _QUOTIENTS[metric]
    quotient = _ratio(at[above], at[below])
    return np.sqrt(quotient) if metric == "rmse" else quotient


_QUOTIENTS: Final = {
    "mae": ("abs", "n"),
    "rmse": ("sq", "n"),
    "bias": ("err", "actual"),
    "wape": ("abs", "abs_actual"),
    "smape": ("smape", "n"),
    "mase": ("mase", "mase_weight"),
    "rmsse": ("rmsse", "rmsse_weight"),
}


def undefined(metric: str, stats: NDArray[np.float64]) -> NDArray[np.float64]:
    """[...] how many series of a window had a zero or null denominator; 0 or 1 when pooled."""
    if metric in {"mase", "rmsse"}:
        return stats[..., _AT[f"{metric}_undefined"]]
    return np.isnan(figure(metric, stats)).astype(np.float64)


def loss(metric: str, value: NDArray[np.float64]) -> NDArray[np.float64]:
    """The metric's figure as something to make small: |bias|, 1 - r2, else itself."""
    if metric == "bias":
        return np.abs(value)
    return 1.0 - value if metric == "r2" else value


def _spread(
    n: NDArray[np.float64], total: NDArray[np.float64], squares: NDArray[np.float64]
) -> NDArray[np.float64]:
    spread = squares - total * _ratio(total, n)
    return np.where(spread > _FLAT * squares, spread, 0.0)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient; NaN where the denominator is zero or null."""
    zero = below == 0.0
    return np.where(zero, np.nan, above / np.where(zero, 1.0, below))


INTERVAL: Final = ("n", "covered", "pinball", "width")


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """An interval of nominal coverage `level` percent around forecasts; lo and hi alike shaped."""

    level: int
    lo: NDArray[np.float64]
    hi: NDArray[np.float64]


def interval_errors(band: Band, actual: NDArray[np.float64]) -> NDArray[np.float64]:
    """[..., 4] the terms of `INTERVAL`; zeros where the actual or the interval is null.

    `pinball` is the mean of the two bounds' pinball losses.
    """
    scored = ~(np.isnan(actual) | np.isnan(band.lo) | np.isnan(band.hi))
    a, lo, hi = (np.where(scored, values, 0.0) for values in (actual, band.lo, band.hi))
    low = (100 - band.level) / 200
    loss = (_pinball(a - lo, low) + _pinball(a - hi, 1.0 - low)) / 2.0
    covered = scored & (a >= lo) & (a <= hi)
    return np.stack([scored.astype(np.float64), covered.astype(np.float64), loss, hi - lo], axis=-1)


def interval_figure(metric: str, stats: NDArray[np.float64]) -> NDArray[np.float64]:
    """[...] `coverage`, `pinball` or `width` from interval stats [..., 4]."""
    column = {"coverage": 1, "pinball": 2, "width": 3}[metric]
    return _ratio(stats[..., column], stats[..., 0])


def _pinball(above: NDArray[np.float64], quantile: float) -> NDArray[np.float64]:
    return np.maximum(quantile * above, (quantile - 1.0) * above)
