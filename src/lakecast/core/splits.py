"""Rolling origins: which cutoffs a backtest stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakecast.errors import SpecError

if TYPE_CHECKING:
    from lakecast.spec.model import Backtest


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One fold: fit on periods `start..cutoff` (start None: from the first), score what follows.

    `index` counts the windows kept, oldest first.
    """

    index: int
    cutoff: int
    start: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """A window asked for that the history cannot hold."""

    cutoff: int
    history: int
    needed: int

    def __str__(self) -> str:
        return (
            f"backtest window at cutoff {self.cutoff} left out: "
            f"{self.history} periods of history, {self.needed} needed"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Splits:
    """The windows kept, oldest first, those dropped, and the periods a sliding fit sees."""

    windows: tuple[Window, ...]
    dropped: tuple[Dropped, ...]
    length: int | None

    def start(self, cutoff: int) -> int | None:
        """First period a fit at `cutoff` trains on; None: all of them."""
        return None if self.length is None else cutoff - self.length + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The periods there are, inclusive, the horizon, and the least history a window needs."""

    first: int
    cutoff: int
    horizon: int
    needed: int


def windows(span: Span, backtest: Backtest) -> Splits:
    """The windows of a backtest; the last one's horizons end at the span's cutoff.

    Raises `SpecError` where not even one window has the history it needs.
    """
    step = backtest.step or span.horizon
    last = span.cutoff - span.horizon
    cutoffs = [last - step * back for back in reversed(range(backtest.windows))]
    kept = [cutoff for cutoff in cutoffs if _history(span, cutoff) >= span.needed]
    if not kept:
        raise SpecError(
            f"no backtest window fits: {_history(span, span.cutoff)} periods in all, "
            f"{span.needed} of history and {span.horizon} of horizon needed",
            where="backtest.windows",
            cure="shorten forecast.horizon, or bring more history",
        )
    length = _history(span, kept[0]) if backtest.mode == "sliding" else None
    return Splits(
        windows=tuple(
            Window(index=k, cutoff=c, start=None if length is None else c - length + 1)
            for k, c in enumerate(kept)
        ),
        dropped=tuple(
            Dropped(cutoff=c, history=max(_history(span, c), 0), needed=span.needed)
            for c in cutoffs
            if c not in kept
        ),
        length=length,
    )


def _history(span: Span, cutoff: int) -> int:
    return cutoff - span.first + 1


def horizon_groups(horizon: int, season: int) -> tuple[int, ...]:
    """Last horizon of each group: one season each, the last one maybe shorter.

    >>> horizon_groups(17, 7)
    (7, 14, 17)
    """
    return (*range(season, horizon, season), horizon)
