"""Choosing between candidates with what was known at the time.

For window k a choice uses the results of earlier windows that were known at its cutoff; the
forecasts of the choice are recombined from those stored, at no fit. Window 0 has no past, so a
choice is never scored on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core.metrics import figure, loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEAST: Final = 10
"""Fewest series, summed over windows, from which a class makes its own choice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """Stats of C candidates in the K windows of a past by Q demand classes, and what may rank.

    `ranked` is false where the metric may not rank a class; `series` counts scored series.
    """

    stats: NDArray[np.float64]  # [C, K, Q, 14]
    series: NDArray[np.int64]  # [K, Q]
    ranked: NDArray[np.bool_]  # [K, Q]
    metric: str


def best(past: Past, *, default: int = 0) -> NDArray[np.int64]:
    """[Q] the candidate with the least loss over all classes, for every class alike.

    Without a past, or where nothing can be ranked, it is `default`. Equal losses: the first.
    """
    losses = _losses(past, axes=(1, 2))
    chosen = default if np.isnan(losses).all() else int(np.nanargmin(losses))
    return np.full(past.ranked.shape[1], chosen, dtype=np.int64)


def best_by_class(past: Past, *, default: int = 0) -> NDArray[np.int64]:
    """[Q] the candidate with the least loss in each class.

    A class with fewer than `LEAST` series so far, or not ranked, follows the overall choice.
    """
    losses = _losses(past, axes=(1,))
    enough = np.where(past.ranked, past.series, 0).sum(axis=0) >= LEAST
    pick = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=0)
    usable = enough & ~np.isnan(losses).all(axis=0)
    return np.where(usable, pick, best(past, default=default))


def _losses(past: Past, axes: tuple[int, ...]) -> NDArray[np.float64]:
    """[C] or [C, Q]: losses of the stats summed over the axes, where they may rank."""
    stats = np.where(past.ranked[None, :, :, None], past.stats, 0.0).sum(axis=axes)
    return loss(past.metric, figure(past.metric, stats))


def compose(
    choice: NDArray[np.int64], forecasts: Sequence[NDArray[np.float64]], classes: NDArray[np.int8]
) -> NDArray[np.float64]:
    """[S, H] each series' forecast from the candidate its class chose; `choice` is [Q]."""
    pick = choice[classes]
    out = np.empty_like(forecasts[0])
    for candidate in np.unique(pick):
        mine = pick == candidate
        out[mine] = forecasts[candidate][mine]
    return out
