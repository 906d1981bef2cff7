"""The kernels of what is not a sum or an extreme over a window, without the GIL.

Lags, differences, quantiles and folds of every series of a block are written in one call; rolling
and seasonal statistics are those of `windows`. Folds (expanding and exponentially weighted
statistics) are three float64 numbers stepped from the first value to the last; a state holds them
for everything older than its values.

What one kernel calls is in its file, as numba's cache looks at the file of the function called
only: a kernel imported from elsewhere would go stale unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

OP, COLUMN, LAG, WINDOW, SEASON, NEED, SLOT = range(7)
"""Columns of a program's whole numbers; `SEASON` of a fold is its place in `FOLDS`."""

OPS: Final = ("lag", "difference", "quantile", "fold")
_LAG, _DIFFERENCE, _QUANTILE, _FOLD = range(4)

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
    held = np.empty(widest + 1)
    for s in range(span.starts.shape[0]):
        y = values[span.starts[s] : span.starts[s] + span.ends[s]]
        rows = span.ends[s] - span.begins[s]
        for k in range(whole.shape[0]):
            column = out[whole[k, COLUMN], span.outs[s] : span.outs[s] + rows]
            first = span.begins[s] - whole[k, LAG]
            empty = min(max(-first, 0), rows)
            _set(column[:empty], np.nan)
            if empty == rows:
                continue
            where = (max(first, 0), span.ends[s] - whole[k, LAG])
            if whole[k, OP] == _FOLD:
                fold = (whole[k, SEASON], real[k])
                _fold(y, where, fold, older[s, whole[k, SLOT]], column[empty:])
            elif whole[k, OP] == _QUANTILE:
                how = (whole[k, WINDOW], whole[k, NEED], real[k])
                _quantile(y, where, how, held, column[empty:])
            else:
                _lagged(y, where, whole[k, SEASON] * whole[k, OP], column[empty:])


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
        rows, group = span.ends[s] - span.begins[s], groups[s]
        column = out[span.outs[s] : span.outs[s] + rows]
        first = span.origins[s] + span.begins[s] - lag - base
        if group < 0 or group >= values.shape[0]:
            _set(column, np.nan)
            continue
        low = min(max(-first, 0), rows)
        high = max(min(values.shape[1] - first, rows), low)
        _set(column[:low], np.nan)
        _copy(values[group, first + low : first + high], column[low:high])
        _set(column[high:], np.nan)


@_compiled
def spread(values, span, out):  # type: ignore[no-untyped-def]
    """Write to `out` [rows] the value of each row's series."""
    for s in range(span.starts.shape[0]):
        rows = span.ends[s] - span.begins[s]
        _set(out[span.outs[s] : span.outs[s] + rows], values[s])


@_compiled
def _copy(a, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        out[i] = a[i]


@_compiled
def _set(out, value):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        out[i] = value


@_compiled
def _lagged(y, where, back, out):  # type: ignore[no-untyped-def]
    """y[p], less y[p - back] where `back` is not 0."""
    first, last = where
    if back == 0:
        _copy(y[first:last], out)
        return
    for p in range(first, last):
        out[p - first] = y[p] - y[p - back] if p >= back else np.nan


@_compiled
def _quantile(y, where, how, held, out):  # type: ignore[no-untyped-def]
    """Linear interpolation between order statistics, over a sorted copy of the window."""
    first, last = where
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
def _fold(y, where, how, older, out):  # type: ignore[no-untyped-def]
    first, last = where
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
