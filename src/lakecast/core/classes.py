"""Demand classes: Syntetos, Boylan & Croston (2005), and the series that have none.

ADI is the mean number of periods between non-zero values, CV2 the squared coefficient of
variation of the non-zero values, both over the last `DEPTH` seasons. So a class is a function of
what a state holds, and a backtest, a batch forecast and a live state agree on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import Block
    from lakecast.core.features.state import State

CLASSES: Final = ("smooth", "erratic", "intermittent", "lumpy", "new", "ended", "constant")
SMOOTH, ERRATIC, INTERMITTENT, LUMPY, NEW, ENDED, CONSTANT = range(len(CLASSES))

ADI: Final = 1.32
CV2: Final = 0.49
DEPTH: Final = 8

_NEVER: Final = 2**30
# What it takes to end: seasons of zeros (fewer of long ones), and the chance of such a silence.
_SEASONS: Final = 4
_LONG: Final = 24
_LONG_SEASONS: Final = 2
_CHANCE: Final = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Tail:
    """The last W values of S series up to a cutoff, and counts over their whole history.

    `values` [S, W] are right-aligned, null before a series begins. `n` counts values that are not
    null, `nonzero` those that are not zero either. `silence` is the number of periods since the
    last of those (very large where there is none).
    """

    values: NDArray[np.float32]
    n: NDArray[np.int64]
    nonzero: NDArray[np.int64]
    silence: NDArray[np.int64]


def tail(block: Block, depth: int) -> Tail:
    """The last `depth` periods of each series of a block; cut it with `until` first."""
    size = len(block.codes)
    owner = np.repeat(np.arange(size), block.lengths)
    known = ~np.isnan(block.target)
    sold = known & (block.target != 0)
    back = block.starts[1:][owner] - 1 - np.arange(block.rows)  # periods before the last row
    silence = np.full(size, _NEVER)
    np.minimum.at(silence, owner[sold], back[sold])
    index = block.starts[1:, None] - depth + np.arange(depth)
    inside = index >= block.starts[:-1, None]
    taken = block.target[np.where(inside, index, 0)]
    return Tail(
        values=np.where(inside, taken, np.float32(np.nan)).astype(np.float32),
        n=np.bincount(owner[known], minlength=size),
        nonzero=np.bincount(owner[sold], minlength=size),
        silence=silence,
    )


def tail_of(state: State, depth: int) -> Tail:
    """The tail of each series of a state that holds at least `depth` values.

    Equal to what `tail` gives for the block the state came from.
    """
    if state.memory < depth:
        raise ValueError(f"the state holds {state.memory} values, the classes need {depth}")
    silence = np.where(np.isnan(state.last_nonzero), _NEVER, state.cutoff - state.last_nonzero)
    return Tail(
        values=state.tail(depth),
        n=state.count,
        nonzero=state.nonzero,
        silence=silence.astype(np.int64),
    )


def classify(tail: Tail, season: int) -> NDArray[np.int8]:
    """[S] index into `CLASSES`.

    *Ended*: see `has_ended`.
    *New*: fewer than two seasons of values. *Constant*: one value throughout (zero among them).
    The others by ADI and CV2; one that sold nothing lately and has not ended is intermittent.
    """
    y = tail.values.astype(np.float64)
    known, sold = ~np.isnan(y), ~np.isnan(y) & (y != 0.0)
    adi = known.sum(axis=1) / np.maximum(sold.sum(axis=1), 1)
    cv2 = _variation(y, sold)
    low = np.where(known, y, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, y, -np.inf).max(axis=1, initial=-np.inf)
    constant = (low == high) & (sold.any(axis=1) | (tail.nonzero == 0))
    return np.select(
        [has_ended(tail, season), tail.n < 2 * season, constant, ~sold.any(axis=1), adi < ADI],
        [ENDED, NEW, CONSTANT, INTERMITTENT, np.where(cv2 < CV2, SMOOTH, ERRATIC)],
        default=np.where(cv2 < CV2, INTERMITTENT, LUMPY),
    ).astype(np.int8)


def _variation(y: NDArray[np.float64], sold: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Squared coefficient of variation of the values sold; infinite for a mean of 0 or less."""
    count = np.maximum(sold.sum(axis=1), 1)
    mean = np.where(sold, y, 0.0).sum(axis=1) / count
    spread = np.where(sold, (y - mean[:, None]) ** 2, 0.0).sum(axis=1) / count
    return np.where(mean > 0, spread / np.where(mean > 0, mean, 1.0) ** 2, np.inf)


def has_ended(tail: Tail, season: int) -> NDArray[np.bool_]:
    """[S] sold once, but silent for seasons, and for longer than its own rhythm explains.

    Only zeros count: a null says that nothing could be sold. The tail must hold those seasons.
    """
    width = tail.values.shape[1]
    later = np.arange(width, 0, -1) <= tail.silence[:, None]
    zeros = (later & (tail.values == 0)).sum(axis=1)
    quiet = tail.silence - (later & np.isnan(tail.values)).sum(axis=1)
    long = (zeros >= least_silence(season)) & unlike(tail.nonzero, tail.n - quiet, quiet)
    return np.asarray((tail.nonzero > 0) & long)


def least_silence(season: int) -> int:
    """Zeros below which no series has ended: four seasons, two where one is over 24 periods."""
    return (_SEASONS if season <= _LONG else _LONG_SEASONS) * season


def unlike(
    sold: NDArray[np.integer], before: NDArray[np.integer], quiet: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """[S] whether the rhythm of k sales in m values makes s values without a sale unlikely.

    With a rate of density Gamma(k, m) their chance is (m / (m + s)) ** k (Lomax, 1954); below 1%
    it is unlikely. So it takes a hundred zeros after a single sale, nineteen after two in a row.
    """
    k = np.maximum(sold, 1)
    return np.asarray(k * np.log1p(quiet / np.maximum(before, k)) > -np.log(_CHANCE))


@dataclass(frozen=True, kw_only=True, slots=True)
class Norm:
    """What a panel's series have in common: for the spread of those too short for their own.

    `ratio` is the median of root mean squared seasonal difference to mean |y|, `root` the median
    of the former.
    """

    ratio: float
    root: float


def norm(tail: Tail, season: int) -> Norm:
    """The norm of a panel; 1 and 0 where no series varies."""
    root, mean = _root(tail, season), _row_mean(np.abs(tail.values.astype(np.float64)))
    usable = (root > 0) & (mean > 0)
    if not usable.any():
        return Norm(ratio=1.0, root=0.0)
    return Norm(
        ratio=float(np.median(root[usable] / mean[usable])), root=float(np.median(root[usable]))
    )


def spread(tail: Tail, season: int, norm: Norm) -> NDArray[np.float64]:
    """[S] scale of a series' intervals: root mean squared seasonal difference over the tail.

    Too short for one: its mean |y| times the norm's ratio; without values: the norm's root. So it
    never is null, and never depends on the series beside it.
    """
    root, mean = _root(tail, season), _row_mean(np.abs(tail.values.astype(np.float64)))
    fallback = np.where(np.isnan(mean), norm.root, mean * norm.ratio)
    return np.where(np.isnan(root), fallback, root)


def _root(tail: Tail, season: int) -> NDArray[np.float64]:
    y = tail.values.astype(np.float64)
    return np.sqrt(_row_mean((y[:, season:] - y[:, :-season]) ** 2))


def _row_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S] mean of the values of a row that are not null; null where there is none."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def zero_counts(tail: Tail, classes: NDArray[np.int8]) -> NDArray[np.int64]:
    """[2, 7] non-zero values and values of the tails by class; parts of a panel add up."""
    known = ~np.isnan(tail.values)
    sold = known & (tail.values != 0)
    return np.stack(
        [
            np.bincount(classes, weights=mask.sum(axis=1), minlength=len(CLASSES)).astype(np.int64)
            for mask in (sold, known)
        ]
    )


def zero_median(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[7] whether at least half of a class's values are zero; false for an empty class."""
    nonzero, n = counts[0], counts[1]
    return np.asarray((n > 0) & (2 * nonzero <= n), dtype=np.bool_)
