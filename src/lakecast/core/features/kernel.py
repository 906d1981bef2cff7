"""The kernels: every windowed feature of every series of a block in one call, without the GIL.

A rolling statistic depends on the values in its window alone. Positions are cut into stretches
of one window, aligned on the *ordinal*: a window is then a suffix of one stretch and a prefix of
the next, each accumulated in float64 from their common border outwards (van Herk 1992, Gil and
Werman 1993). Nothing is ever subtracted, so nothing outlives its window, at a constant cost a
value; and as the alignment does not depend on where the array begins, a whole series and its last
values give the same bits. Squares are taken relative to a value inside the window, so that a
constant window has a standard deviation of exactly 0.

Folds (expanding and exponentially weighted statistics) are three float64 numbers stepped from the
first value to the last; a state holds them for everything older than its values.

All of it is one file, as numba's cache looks at the file of the function called only: a kernel
imported from elsewhere would go stale unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

OP, COLUMN, LAG, WINDOW, SEASON, NEED, SLOT = range(7)
"""Columns of a program's whole numbers; `SEASON` of a fold is its place in `FOLDS`."""

OPS: Final = (
    "lag", "difference", "mean", "trend", "ratio", "std", "min", "max", "quantile",
    "seasonal_mean", "seasonal_std", "seasonal_min", "seasonal_max", "fold",
)  # fmt: skip
_MEAN, _TREND, _RATIO, _STD, _MIN, _MAX, _QUANTILE, _SEASONAL = range(2, 10)
_FOLD = len(OPS) - 1

FOLDS: Final = ("mean", "std", "min", "max", "abs", "ewm_mean", "ewm_std")
_F_MEAN, _F_STD, _F_MIN, _F_MAX, _F_ABS, _F_EWM_MEAN, _F_EWM_STD = range(7)


_compiled = njit(nogil=True, cache=True, error_model="numpy")


class Span(NamedTuple):
    """Where S series lie in a flat array, and which of their rows are wanted; each int64 [S].

    Series s begins at `starts[s]` with the period `origins[s]`; rows `begins[s]:ends[s]` (counted
    from its beginning) are computed and written from `outs[s]` on.
    """

    starts: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    origins: NDArray[np.int64]
    outs: NDArray[np.int64]


class Program(NamedTuple):
    """K columns to compute: `whole` int64 [K, 7] (see `OP` ..), `real` float64 [K]."""

    whole: NDArray[np.int64]
    real: NDArray[np.float64]


class Folds(NamedTuple):
    """A folds: `kinds` int64 [A] into `FOLDS`, `alphas` float64 [A]."""

    kinds: NDArray[np.int64]
    alphas: NDArray[np.float64]


@_compiled
def run(values, span, program, older, out):  # type: ignore[no-untyped-def]
    """Write the program's columns of one source.

    `values` float32 [N]; `older` float64 [S, A, 3], the folds of what came before the values;
    `out` float32 [columns, rows].
    """
    whole, real = program
    widest = 1
    for k in range(whole.shape[0]):
        widest = max(widest, whole[k, WINDOW])
    scratch = np.empty((3, widest + 1))
    for s in range(span.starts.shape[0]):
        y = values[span.starts[s] : span.starts[s] + span.ends[s]]
        rows = span.ends[s] - span.begins[s]
        for k in range(whole.shape[0]):
            column = out[whole[k, COLUMN], span.outs[s] : span.outs[s] + rows]
            first = span.begins[s] - whole[k, LAG]
            empty = min(max(-first, 0), rows)
            for i in range(empty):
                column[i] = np.nan
            where = (max(first, 0), span.ends[s] - whole[k, LAG], span.origins[s])
            if whole[k, OP] == _FOLD:
                _fold(
                    y, where, (whole[k, SEASON], real[k]), older[s, whole[k, SLOT]], column[empty:]
                )
            else:
                _fill(y, where, (whole[k], real[k]), scratch, column[empty:])


@_compiled
def absorb(values, starts, ends, folds, older):  # type: ignore[no-untyped-def]
    """Step `older` [S, A, 3] in place over the first `ends[s]` values from `starts[s]` on."""
    kinds, alphas = folds
    for s in range(starts.shape[0]):
        for a in range(kinds.shape[0]):
            state = (older[s, a, 0], older[s, a, 1], older[s, a, 2])
            for p in range(starts[s], starts[s] + ends[s]):
                state = _step((kinds[a], alphas[a]), state, values[p])
            older[s, a, 0], older[s, a, 1], older[s, a, 2] = state


@_compiled
def summarise(values, starts, ends, origins, summary):  # type: ignore[no-untyped-def]
    """Step `summary` [S, 4] in place: count, count of non-zeros, last non-zero period, sum."""
    for s in range(starts.shape[0]):
        for p in range(ends[s]):
            v = values[starts[s] + p]
            if not np.isnan(v):
                summary[s, 0] += 1.0
                summary[s, 3] += v
                if v != 0.0:
                    summary[s, 1] += 1.0
                    summary[s, 2] = origins[s] + p


@_compiled
def gather(table, groups, span, lag, out):  # type: ignore[no-untyped-def]
    """Write to `out` [rows] the value of each series' group `lag` periods before each row.

    `table` is (float32 [groups, periods], its first period); outside of it is null.
    """
    values, base = table
    for s in range(span.starts.shape[0]):
        shift = span.origins[s] - lag - base
        group = groups[s]
        known = 0 <= group < values.shape[0]
        for i in range(span.begins[s], span.ends[s]):
            inside = known and 0 <= shift + i < values.shape[1]
            out[span.outs[s] + i - span.begins[s]] = values[group, shift + i] if inside else np.nan


@_compiled
def _fill(y, where, what, scratch, out):  # type: ignore[no-untyped-def]
    whole, real = what
    op, window, need = whole[OP], whole[WINDOW], whole[NEED]
    if op < _MEAN:
        _lagged(y, where, whole[SEASON] * op, out)
    elif op < _STD:
        _mean(y, where, (window, need, op), scratch, out)
    elif op == _STD:
        _std(y, where, (window, need), scratch, out)
    elif op < _QUANTILE:
        _extreme(y, where, (window, need, 1.0 if op == _MIN else -1.0), scratch, out)
    elif op == _QUANTILE:
        _quantile(y, where, (window, need, real), scratch[0], out)
    else:
        _seasonal(y, where, (window, need, op - _SEASONAL), whole[SEASON], out)


@_compiled
def _lagged(y, where, back, out):  # type: ignore[no-untyped-def]
    """y[p], less y[p - back] where `back` is not 0."""
    first, last, _ = where
    for p in range(first, last):
        if back == 0:
            out[p - first] = y[p]
        else:
            out[p - first] = y[p] - y[p - back] if p >= back else np.nan


@_compiled
def _suffix_sums(y, border, window, scratch):  # type: ignore[no-untyped-def]
    """scratch[0][j], [1][j]: sum and count of y[border - window + j : border]."""
    total, count = 0.0, 0.0
    scratch[0, window] = scratch[1, window] = 0.0
    for j in range(window - 1, -1, -1):
        p = border - window + j
        if p >= 0 and not np.isnan(y[p]):
            total += y[p]
            count += 1.0
        scratch[0, j] = total
        scratch[1, j] = count


@_compiled
def _mean(y, where, how, scratch, out):  # type: ignore[no-untyped-def]
    first, last, origin = where
    window, need, op = how
    border = first - (origin + first) % window
    _suffix_sums(y, border, window, scratch)
    total, count = 0.0, 0.0
    for p in range(max(border, 0), last):
        if p == border + window:
            _suffix_sums(y, p, window, scratch)
            border, total, count = p, 0.0, 0.0
        if not np.isnan(y[p]):
            total += y[p]
            count += 1.0
        if p >= first:
            n = count + scratch[1, p - border + 1]
            mean = (total + scratch[0, p - border + 1]) / n if n >= need else np.nan
            out[p - first] = _shape(op, y[p], mean)


@_compiled
def _shape(op, value, mean):  # type: ignore[no-untyped-def]
    if op == _MEAN:
        return mean
    if op == _TREND:
        return value - mean
    return value / mean if mean != 0.0 else np.nan


@_compiled
def _suffix_squares(y, border, window, scratch):  # type: ignore[no-untyped-def]
    """As `_suffix_sums` for count, sum and squares relative to the pivot, which is returned."""
    pivot, count, total, squares = 0.0, 0.0, 0.0, 0.0
    scratch[0, window] = scratch[1, window] = scratch[2, window] = 0.0
    for j in range(window - 1, -1, -1):
        p = border - window + j
        if p >= 0 and not np.isnan(y[p]):
            if count == 0.0:
                pivot = np.float64(y[p])
            d = y[p] - pivot
            count, total, squares = count + 1.0, total + d, squares + d * d
        scratch[0, j], scratch[1, j], scratch[2, j] = count, total, squares
    return pivot


@_compiled
def _std(y, where, how, scratch, out):  # type: ignore[no-untyped-def]
    first, last, origin = where
    window, need = how
    border = first - (origin + first) % window
    left = _suffix_squares(y, border, window, scratch)
    right, count, total, squares = 0.0, 0.0, 0.0, 0.0
    for p in range(max(border, 0), last):
        if p == border + window:
            left = _suffix_squares(y, p, window, scratch)
            border, count, total, squares = p, 0.0, 0.0, 0.0
        if not np.isnan(y[p]):
            if count == 0.0:
                right = np.float64(y[p])
            d = y[p] - right
            count, total, squares = count + 1.0, total + d, squares + d * d
        if p >= first:
            j = p - border + 1
            older = (scratch[0, j], scratch[1, j], scratch[2, j])
            n, spread = _joined(older, (count, total, squares), left - right)
            out[p - first] = np.sqrt(spread / (n - 1.0)) if n >= need else np.nan


@_compiled
def _joined(a, b, shift):  # type: ignore[no-untyped-def]
    """Count and sum of squared deviations of two (count, sum, squares), pivots `shift` apart."""
    n, total, squares = a
    if b[0] > 0.0:
        if n > 0.0:
            squares += 2.0 * shift * total + n * shift * shift
            total += n * shift
        n, total, squares = n + b[0], total + b[1], squares + b[2]
    return n, max(squares - total * total / n, 0.0) if n > 0.0 else 0.0


@_compiled
def _suffix_extremes(y, border, how, scratch):  # type: ignore[no-untyped-def]
    window, sign = how
    low, count = np.inf, 0.0
    scratch[0, window], scratch[1, window] = np.inf, 0.0
    for j in range(window - 1, -1, -1):
        p = border - window + j
        if p >= 0 and not np.isnan(y[p]):
            low = min(low, sign * y[p])
            count += 1.0
        scratch[0, j], scratch[1, j] = low, count


@_compiled
def _extreme(y, where, how, scratch, out):  # type: ignore[no-untyped-def]
    """The minimum (sign 1) or the maximum (sign -1)."""
    first, last, origin = where
    window, need, sign = how
    border = first - (origin + first) % window
    _suffix_extremes(y, border, (window, sign), scratch)
    low, count = np.inf, 0.0
    for p in range(max(border, 0), last):
        if p == border + window:
            _suffix_extremes(y, p, (window, sign), scratch)
            border, low, count = p, np.inf, 0.0
        if not np.isnan(y[p]):
            low = min(low, sign * y[p])
            count += 1.0
        if p >= first:
            j = p - border + 1
            enough = count + scratch[1, j] >= need
            out[p - first] = sign * min(low, scratch[0, j]) if enough else np.nan


@_compiled
def _quantile(y, where, how, held, out):  # type: ignore[no-untyped-def]
    """Linear interpolation between order statistics, over a sorted copy of the window."""
    first, last, _ = where
    window, need, level = how
    oldest = max(first - window + 1, 0)
    n = 0
    for p in range(oldest, last):
        gone = p - window
        if gone >= oldest and not np.isnan(y[gone]):
            n = _remove(held, n, y[gone])
        if not np.isnan(y[p]):
            n = _insert(held, n, y[p])
        if p >= first:
            out[p - first] = _between(held, n, level) if n >= need else np.nan


@_compiled
def _insert(held, n, value):  # type: ignore[no-untyped-def]
    at = n
    while at > 0 and held[at - 1] > value:
        held[at] = held[at - 1]
        at -= 1
    held[at] = value
    return n + 1


@_compiled
def _remove(held, n, value):  # type: ignore[no-untyped-def]
    at = 0
    while held[at] != value:
        at += 1
    for k in range(at, n - 1):
        held[k] = held[k + 1]
    return n - 1


@_compiled
def _between(held, n, level):  # type: ignore[no-untyped-def]
    place = level * (n - 1)
    low = int(place)
    high = min(low + 1, n - 1)
    return held[low] + (place - low) * (held[high] - held[low])


@_compiled
def _seasonal(y, where, how, season, out):  # type: ignore[no-untyped-def]
    """Statistics of y[p], y[p - season], ...; `how` is (window, need, statistic)."""
    first, last, _ = where
    window, need, stat = how
    for p in range(first, last):
        pivot, n, total, squares = 0.0, 0.0, 0.0, 0.0
        low, high = np.inf, -np.inf
        for q in range(p, max(p - season * window, -1), -season):
            if not np.isnan(y[q]):
                if n == 0.0:
                    pivot = np.float64(y[q])
                d = y[q] - pivot
                n, total, squares = n + 1.0, total + d, squares + d * d
                low, high = min(low, y[q]), max(high, y[q])
        value = _chosen(stat, pivot, (n, total, squares), (low, high)) if n >= need else np.nan
        out[p - first] = value


@_compiled
def _chosen(stat, pivot, sums, ends):  # type: ignore[no-untyped-def]
    n, total, squares = sums
    if stat == 0:
        return pivot + total / n
    if stat == 1:
        return np.sqrt(max(squares - total * total / n, 0.0) / (n - 1.0))
    return ends[stat - 2]


@_compiled
def _fold(y, where, how, older, out):  # type: ignore[no-untyped-def]
    first, last, _ = where
    state = (older[0], older[1], older[2])
    for p in range(last):
        state = _step(how, state, y[p])
        if p >= first:
            out[p - first] = _read(how[0], state)


@_compiled
def _step(how, state, value):  # type: ignore[no-untyped-def]
    """One more value; nulls change nothing."""
    n, a, b = state
    if np.isnan(value):
        return n, a, b
    v = np.float64(value)
    if how[0] == _F_MEAN:
        return n + 1.0, a + v, b
    if how[0] == _F_ABS:
        return n + 1.0, a + abs(v), b
    if n == 0.0:
        return 1.0, v, 0.0
    return _moved(how, state, v)


@_compiled
def _moved(how, state, v):  # type: ignore[no-untyped-def]
    """From the second value on. Variance as in Welford 1962; ewm unadjusted (Finch 2009)."""
    kind, alpha = how
    n, a, b = state
    d = v - a
    if kind == _F_STD:
        mean = a + d / (n + 1.0)
        return n + 1.0, mean, b + d * (v - mean)
    if kind >= _F_EWM_MEAN:
        return n + 1.0, a + alpha * d, (1.0 - alpha) * (b + alpha * d * d)
    return n + 1.0, min(a, v) if kind == _F_MIN else max(a, v), b


@_compiled
def _read(kind, state):  # type: ignore[no-untyped-def]
    n, a, b = state
    if n < (2.0 if kind in (_F_STD, _F_EWM_STD) else 1.0):
        return np.nan
    if kind == _F_MEAN:
        return a / n
    if kind == _F_ABS:
        return a / n if a > 0.0 else 1.0
    if kind == _F_STD:
        return np.sqrt(b / (n - 1.0))
    return np.sqrt(b) if kind == _F_EWM_STD else a
