"""Rolling and seasonal statistics: every window from whole doublings of itself.

The sum of the last 2h values is the sum of the last h and that of the h before them; a window is
the doublings in its binary form, newest first (28 = 4 + 8 + 16). So a window costs a few additions
over a whole tile, which the compiler makes vectors of; nothing is ever subtracted, so nothing
outlives its window; and the order of the additions is that of the window alone, so that a whole
series, its last values, any tile and any block give the same bits. Squared deviations join by
Chan, Golub and LeVeque (1979): for a constant window each term is exactly 0.

A tile without a null joins with weights known beforehand; any other counts its values, in the
functions called `_counted`. On full windows both have the same bits: their expressions are equal,
or differ by factors of powers of two, which change no mantissa.

This file calls no kernel of another one: numba's cache would not see that one change.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

OP, COLUMN, LAG, WINDOW, STRIDE, NEED = range(6)
"""Columns of the whole numbers of a column to compute. `STRIDE` is 1, or the season."""

OPS: Final = ("mean", "trend", "ratio", "std", "min", "max")
_MEAN, _TREND, _RATIO, _STD, _MIN, _MAX = range(6)
_TILE: Final = 512
_ZERO: Final = np.int64(0)
"""A plain 0 has a type of its own, and what is called with it would be compiled twice."""

_compiled = njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def run(values, span, columns, out):  # type: ignore[no-untyped-def]
    """Write the columns of one source.

    `values` float32 [N]; `span` as in `kernel.Span`; `columns` int64 [C, 6] (see `OP` ..), those
    of one kind (sums, minima, maxima) and stride side by side, in the order of their windows;
    `out` float32 [.., rows].
    """
    scratch = _scratch(columns)
    for s in range(span.starts.shape[0]):
        y = values[span.starts[s] : span.starts[s] + span.ends[s]]
        where = (span.begins[s], span.ends[s], span.outs[s] - span.begins[s])
        low = 0
        while low < columns.shape[0]:
            high = low + 1
            while high < columns.shape[0] and _alike(columns[low], columns[high]):
                high += 1
            _series(y, where, columns[low:high], scratch, out)
            low = high


@_compiled
def _alike(a, b):  # type: ignore[no-untyped-def]
    return max(a[OP], _STD) == max(b[OP], _STD) and a[STRIDE] == b[STRIDE]


@_compiled
def _scratch(columns):  # type: ignore[no-untyped-def]
    """Doublings (of sums, squares, counts), each [levels, width], and one window of each."""
    levels, width = 1, 1
    for c in range(columns.shape[0]):
        width = max(width, columns[c, STRIDE] * (columns[c, WINDOW] - 1) + _TILE)
        while (2 << (levels - 1)) <= columns[c, WINDOW]:
            levels += 1
    return np.empty((3, levels, width)), np.empty((3, _TILE))


@_compiled
def _series(y, where, columns, scratch, out):  # type: ignore[no-untyped-def]
    """Tile the places whose windows the wanted rows need; rows before a lag's reach are null."""
    begin, end, base = where
    nearest, furthest = columns[0, LAG], columns[0, LAG]
    for c in range(columns.shape[0]):
        lag = columns[c, LAG]
        nearest, furthest = min(nearest, lag), max(furthest, lag)
        _set(out[columns[c, COLUMN], base + begin : base + max(min(end, lag), begin)], np.nan)
    last = columns.shape[0] - 1
    stride, widest = columns[last, STRIDE], columns[last, WINDOW]
    what = (columns[0, OP], stride, widest, _has_spread(columns))
    low, reach = max(begin - furthest, 0), stride * (widest - 1)
    while low < end - nearest:
        # The first values, whose windows begin before the series, are tiles of their own.
        high = min(low + _TILE, end - nearest, reach if low < reach else end)
        _tile(y, (low, high, reach), columns, what, (scratch, where, out))
        low = high


@_compiled
def _has_spread(columns):  # type: ignore[no-untyped-def]
    found = 0
    for c in range(columns.shape[0]):
        found += columns[c, OP] == _STD
    return found > 0


@_compiled
def _tile(y, at, columns, what, into):  # type: ignore[no-untyped-def]
    low, high, reach = at
    (levels, window), where, out = into
    size, made = reach + high - low, _ZERO
    full = _load(y, low - reach, what[0], levels[0, 0, :size], levels[2, 0, :size])
    _double(levels, size, what, full)
    for c in range(columns.shape[0]):
        if columns[c, WINDOW] != made:
            made = columns[c, WINDOW]
            _join(levels, (reach, high - low, made), what, full, window)
        lag = columns[c, LAG]
        first, after = max(low, where[0] - lag), min(high, where[1] - lag)
        if first < after:
            start = where[2] + first + lag
            column = out[columns[c, COLUMN], start : start + after - first]
            _write(columns[c], y[first:after], window, first - low, column)


@_compiled
def _load(y, first, op, values, counts):  # type: ignore[no-untyped-def]
    """Copy y[first:]; whether all of it is there. If not, count it, with nothing for a null."""
    before = max(-first, 0)
    sign = -1.0 if op == _MAX else 1.0
    given, held = y[first + before : first + values.shape[0]], values[before:]
    nulls = before
    for i in range(held.shape[0]):
        nulls += np.isnan(given[i])
        held[i] = sign * given[i]
    if nulls > 0:
        nothing = np.inf if op >= _MIN else 0.0
        _set(values[:before], nothing)
        _set(counts[:before], 0.0)
        known = counts[before:]
        for i in range(held.shape[0]):
            null = np.isnan(held[i])
            known[i] = 0.0 if null else 1.0
            held[i] = nothing if null else held[i]
    return nulls == 0


@_compiled
def _double(levels, size, what, full):  # type: ignore[no-untyped-def]
    """From each doubling the next, up to the widest window."""
    op, stride, widest, spread = what
    _set(levels[1, 0, :size], 0.0)
    k, h = _ZERO, 1
    while 2 * h <= widest:
        place = (stride * (2 * h - 1), size, stride * h)
        if op >= _MIN:
            _double_least(levels, k, place)
        for plane in range(0 if op < _MIN else 2, 1 if full else 3, 2):
            _double_sums(levels, k, place, plane)
        if spread and full:
            _double_squares(levels, k, place, 0.5 / h)
        elif spread:
            _double_squares_counted(levels, k, place)
        k, h = k + 1, 2 * h


@_compiled
def _double_sums(levels, k, at, plane):  # type: ignore[no-untyped-def]
    low, size, back = at
    a, b = levels[plane, k, low:size], levels[plane, k, low - back : size - back]
    out = levels[plane, k + 1, low:size]
    for i in range(out.shape[0]):
        out[i] = a[i] + b[i]


@_compiled
def _double_least(levels, k, at):  # type: ignore[no-untyped-def]
    low, size, back = at
    a, b = levels[0, k, low:size], levels[0, k, low - back : size - back]
    out = levels[0, k + 1, low:size]
    for i in range(out.shape[0]):
        out[i] = min(a[i], b[i])


@_compiled
def _double_squares(levels, k, at, weight):  # type: ignore[no-untyped-def]
    low, size, back = at
    a, b = levels[0, k, low:size], levels[0, k, low - back : size - back]
    p, q = levels[1, k, low:size], levels[1, k, low - back : size - back]
    out = levels[1, k + 1, low:size]
    for i in range(out.shape[0]):
        d = a[i] - b[i]
        out[i] = p[i] + (q[i] + d * d * weight)


@_compiled
def _double_squares_counted(levels, k, at):  # type: ignore[no-untyped-def]
    low, size, back = at
    a, b = levels[0, k, low:size], levels[0, k, low - back : size - back]
    p, q = levels[1, k, low:size], levels[1, k, low - back : size - back]
    m, n = levels[2, k, low:size], levels[2, k, low - back : size - back]
    out = levels[1, k + 1, low:size]
    for i in range(out.shape[0]):
        d = n[i] * a[i] - m[i] * b[i]
        out[i] = p[i] + (q[i] + d * d * _weight(m[i], n[i]))


@_compiled
def _weight(m, n):  # type: ignore[no-untyped-def]
    """Of the squared n * (sum of m values) - m * (sum of n others) in the squares of both."""
    return 1.0 / (m * n * (m + n)) if m * n > 0.0 else 0.0


@_compiled
def _join(levels, at, what, full, window):  # type: ignore[no-untyped-def]
    """window[:, :rows]: sum (or least), squares and count of the last `wanted` values."""
    reach, rows, wanted = at
    op, stride, _, spread = what
    if op >= _MIN:
        _join_least(levels, at, stride, window)
    if full:
        _set(window[2, :rows], float(wanted))
    k, done = _ZERO, _ZERO
    while done < wanted:
        if (wanted >> k) & 1:
            place = (k, reach - stride * done, rows)
            if spread:
                _join_squares(levels, place, done, full, window)
            for plane in range(0 if op < _MIN else 2, 1 if full else 3, 2):
                _join_sums(levels, place, plane, done, window)
            done += 1 << k
        k += 1


@_compiled
def _join_sums(levels, at, plane, done, window):  # type: ignore[no-untyped-def]
    k, low, rows = at
    total, a = window[plane, :rows], levels[plane, k, low : low + rows]
    if done == 0:
        _copy(a, total)
        return
    for i in range(rows):
        total[i] += a[i]


@_compiled
def _join_squares(levels, at, done, full, window):  # type: ignore[no-untyped-def]
    k, low, rows = at
    total, squares, count = window[0, :rows], window[1, :rows], window[2, :rows]
    a, q = levels[0, k, low : low + rows], levels[1, k, low : low + rows]
    n = levels[2, k, low : low + rows]
    if done == 0:
        _copy(q, squares)
    elif full:
        older, newer = float(1 << k), float(done)
        weight = _weight(newer, older)
        for i in range(rows):
            d = older * total[i] - newer * a[i]
            squares[i] += q[i] + d * d * weight
    else:
        for i in range(rows):
            d = n[i] * total[i] - count[i] * a[i]
            squares[i] += q[i] + d * d * _weight(count[i], n[i])


@_compiled
def _join_least(levels, at, stride, window):  # type: ignore[no-untyped-def]
    """The least of two doublings, which may overlap."""
    reach, rows, wanted = at
    k = 0
    while (2 << k) <= wanted:
        k += 1
    low = reach - stride * (wanted - (1 << k))
    a, b = levels[0, k, reach : reach + rows], levels[0, k, low : low + rows]
    least = window[0, :rows]
    for i in range(rows):
        least[i] = min(a[i], b[i])


@_compiled
def _copy(a, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        out[i] = a[i]


@_compiled
def _set(out, value):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        out[i] = value


@_compiled
def _write(column, y, window, at, out):  # type: ignore[no-untyped-def]
    """The statistic of each place; null where it counts fewer values than it needs."""
    op, need = column[OP], float(column[NEED])
    rows = out.shape[0]
    total, squares = window[0, at : at + rows], window[1, at : at + rows]
    count = window[2, at : at + rows]
    if op == _STD:
        for i in range(rows):
            out[i] = np.sqrt(squares[i] / (count[i] - 1.0)) if count[i] >= need else np.nan
    elif op >= _MIN:
        sign = 1.0 if op == _MIN else -1.0
        for i in range(rows):
            out[i] = sign * total[i] if count[i] >= need else np.nan
    elif op == _MEAN:
        for i in range(rows):
            out[i] = total[i] / count[i] if count[i] >= need else np.nan
    else:
        for i in range(rows):
            mean = total[i] / count[i] if count[i] >= need else np.nan
            out[i] = _against(op, y[i], mean)


@_compiled
def _against(op, value, mean):  # type: ignore[no-untyped-def]
    if op == _TREND:
        return value - mean
    return value / mean if mean != 0.0 else np.nan
