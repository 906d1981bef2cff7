"""Demand classes: Syntetos, Boylan & Croston (2005), and the series that have none.

ADI is the mean number of periods between non-zero values, CV2 the squared coefficient of
variation of the non-zero values. All is read from rows up to the block's end, so cut a block with
`until` first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import Block

CLASSES: Final = ("smooth", "erratic", "intermittent", "lumpy", "new", "ended", "constant")
SMOOTH, ERRATIC, INTERMITTENT, LUMPY, NEW, ENDED, CONSTANT = range(len(CLASSES))

ADI: Final = 1.32
CV2: Final = 0.49


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What the class of each of S series is read from; counts are of non-null periods.

    `first` and `last` are the ordinals of the first and last non-zero value (`cutoff` + 1 and
    `cutoff` - 2**30 where there is none).
    """

    cutoff: int
    n: NDArray[np.int64]
    nonzero: NDArray[np.int64]
    mean: NDArray[np.float64]  # of |y|; NaN without values
    size_mean: NDArray[np.float64]  # of the non-zero values; NaN without them
    size_var: NDArray[np.float64]  # their population variance
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


_NEVER: Final = 2**30


def profile(block: Block, cutoff: int) -> Profile:
    """Profile of each series of a block that ends at `cutoff`."""
    size = len(block.codes)
    owner = np.repeat(np.arange(size), block.lengths)
    y = block.target.astype(np.float64)
    known = ~np.isnan(y)
    sold = known & (y != 0.0)
    nonzero = np.bincount(owner[sold], minlength=size)
    mean = _mean(owner[sold], y[sold], size)
    when = block.ordinals().astype(np.int64)
    first, last = np.full(size, cutoff + 1), np.full(size, cutoff - _NEVER)
    np.minimum.at(first, owner[sold], when[sold])
    np.maximum.at(last, owner[sold], when[sold])
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, owner[known], y[known])
    np.maximum.at(high, owner[known], y[known])
    return Profile(
        cutoff=cutoff,
        n=np.bincount(owner[known], minlength=size),
        nonzero=nonzero,
        mean=_mean(owner[known], np.abs(y[known]), size),
        size_mean=mean,
        size_var=_mean(owner[sold], (y[sold] - mean[owner[sold]]) ** 2, size),
        low=low,
        high=high,
        first=first,
        last=last,
    )


def _mean(owner: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    count = np.bincount(owner, minlength=size)
    sums = np.bincount(owner, weights=values, minlength=size)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def classify(profile: Profile, season: int) -> NDArray[np.int8]:
    """[S] index into `CLASSES`.

    *Ended*: sold once, but not for longer than two seasons and four times its usual gap.
    *New*: fewer than two seasons of values. *Constant*: one value throughout (zero among them).
    The others by ADI and CV2.
    """
    ended = (profile.nonzero > 0) & (silence(profile) > patience(profile, season))
    new = profile.n < 2 * season
    adi = profile.n / np.maximum(profile.nonzero, 1)
    sizes = np.where(profile.size_mean > 0, profile.size_mean, np.inf)
    cv2 = np.where(profile.size_mean > 0, profile.size_var / sizes**2, np.inf)
    return np.select(
        [ended, new, profile.low == profile.high, adi < ADI],
        [ENDED, NEW, CONSTANT, np.where(cv2 < CV2, SMOOTH, ERRATIC)],
        default=np.where(cv2 < CV2, INTERMITTENT, LUMPY),
    ).astype(np.int8)


def silence(profile: Profile) -> NDArray[np.int64]:
    """[S] periods since the last non-zero value."""
    return profile.cutoff - profile.last


def patience(profile: Profile, season: int) -> NDArray[np.float64]:
    """[S] silence after which a series has ended: two seasons, or four usual gaps if longer."""
    gap = (profile.last - profile.first + 1) / np.maximum(profile.nonzero, 1)
    return np.maximum(2.0 * season, 4.0 * gap)


def zero_counts(profile: Profile, classes: NDArray[np.int8]) -> NDArray[np.int64]:
    """[2, 7] non-zero values and values by class; parts of a panel add up."""
    return np.stack(
        [
            np.bincount(classes, weights=counts, minlength=len(CLASSES)).astype(np.int64)
            for counts in (profile.nonzero, profile.n)
        ]
    )


def zero_median(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[7] whether at least half of a class's values are zero; false for an empty class."""
    nonzero, n = counts[0], counts[1]
    return np.asarray((n > 0) & (2 * nonzero <= n), dtype=np.bool_)
