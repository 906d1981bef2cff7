"""Choosing between candidates with what was known at the time.

For window k a choice uses windows before k only; the forecasts of the choice are recombined from
those stored, at no fit. Window 0 has no past, so a choice is never scored on it.
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
class History:
    """Stats of C candidates in K windows by Q demand classes, and what may rank.

    `ranked` is false where the metric may not rank a class; `series` counts scored series.
    """

    stats: NDArray[np.float64]  # [C, K, Q, 14]
    series: NDArray[np.int64]  # [K, Q]
    ranked: NDArray[np.bool_]  # [K, Q]
    metric: str


def best(history: History, *, default: int = 0) -> NDArray[np.int64]:
    """[K + 1, Q] candidate chosen before each window for every class alike.

    Row K is the choice with all windows. Without a past, or where nothing can be ranked, it is
    `default`. Equal losses: the first candidate.
    """
    chosen = [_overall(history, k, default) for k in _stops(history)]
    width = history.ranked.shape[1]
    return np.repeat(np.asarray(chosen, dtype=np.int64)[:, None], width, axis=1)


def best_by_class(history: History, *, default: int = 0) -> NDArray[np.int64]:
    """[K + 1, Q] candidate chosen before each window for each class.

    A class with fewer than `LEAST` series so far, or not ranked, follows the overall choice.
    """
    chosen = best(history, default=default)
    for stop in _stops(history):
        mask = history.ranked[:stop]
        enough = np.where(mask, history.series[:stop], 0).sum(axis=0) >= LEAST
        stats = np.where(mask[None, :, :, None], history.stats[:, :stop], 0.0).sum(axis=1)
        losses = loss(history.metric, figure(history.metric, stats))  # [C, Q]
        usable = enough & ~np.isnan(losses).all(axis=0)
        pick = np.argmin(np.where(np.isnan(losses), np.inf, losses), axis=0)
        chosen[stop] = np.where(usable, pick, chosen[stop])
    return chosen


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


def _stops(history: History) -> range:
    return range(history.stats.shape[1] + 1)


def _overall(history: History, stop: int, default: int) -> int:
    mask = history.ranked[None, :stop, :, None]
    stats = np.where(mask, history.stats[:, :stop], 0.0).sum(axis=(1, 2))
    losses = loss(history.metric, figure(history.metric, stats))
    return default if np.isnan(losses).all() else int(np.nanargmin(losses))
