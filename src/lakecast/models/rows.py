"""Training rows of a panel under a feature plan: a `RowBlocks` that makes them whenever asked.

Where the panel lies in memory, a million rows of the default features are made in a thirtieth of a
second; to hold them would take as many times the panel's memory as there are features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lakecast.ahead import on_threads
from lakecast.core.block import PartPanel
from lakecast.core.features import fill, matrix
from lakecast.models import sizes
from lakecast.models.protocol import Rows
from lakecast.models.scaling import shrink, weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import Block, PanelData
    from lakecast.core.features import Column, FittedPlan
    from lakecast.models.choose import Chosen


@dataclass(frozen=True, slots=True, eq=False)
class Census:
    """Number of eligible rows in each period, from `first` on, up to some last cutoff."""

    first: int
    counts: NDArray[np.int64]

    @classmethod
    def take(cls, panel: PanelData, lead: int, cutoff: int) -> Census:
        """Count; reads the panel once."""
        return cls._of(_counted(panel, lead, cutoff, None).get(0, {}), cutoff)

    @classmethod
    def apart(cls, panel: PanelData, lead: int, cutoff: int, by: str) -> dict[int, Census]:
        """Count each value of a categorical static on its own (null: -1); reads the panel once."""
        found = _counted(panel, lead, cutoff, by)
        return {value: cls._of(periods, cutoff) for value, periods in sorted(found.items())}

    @classmethod
    def together(cls, parts: Sequence[Census]) -> Census:
        """Of all parts, which end at one cutoff."""
        longest = max(parts, key=lambda part: part.counts.size)
        counts = np.zeros_like(longest.counts)
        for part in parts:
            counts[counts.size - part.counts.size :] += part.counts
        return cls(longest.first, counts)

    @classmethod
    def _of(cls, periods: Mapping[int, int], cutoff: int) -> Census:
        first = min(periods, default=cutoff)
        counts = np.zeros(cutoff - first + 1, dtype=np.int64)
        for period, count in periods.items():
            counts[period - first] = count
        return cls(first, counts)

    @property
    def last(self) -> int:
        """The last cutoff counted."""
        return self.first + self.counts.size - 1

    def rows(self, start: int | None, cutoff: int) -> int:
        """Rows in `start` .. `cutoff`, both included."""
        low = 0 if start is None else max(start - self.first, 0)
        return int(self.counts[low : max(cutoff - self.first + 1, 0)].sum())

    def start(self, cutoff: int, most: int) -> int:
        """The earliest period from which at most so many rows reach up to the cutoff."""
        newest = self.counts[: max(cutoff - self.first + 1, 0)][::-1].cumsum()
        return cutoff + 1 - int(np.searchsorted(newest, most, side="right"))


def _counted(panel: PanelData, lead: int, cutoff: int, by: str | None) -> dict[int, dict[int, int]]:
    """Eligible rows by value of a static (None: all under 0) and period."""
    found: dict[int, dict[int, int]] = {}
    for block in panel.blocks():
        until = block.until(cutoff)
        earliest = int(until.first.min(initial=cutoff))
        owners = np.zeros(len(until.codes)) if by is None else until.statics[by]
        spans = _Spans.of(until, lead, earliest)
        for value in np.unique(owners).tolist():
            counts = spans.counted(owners == value, cutoff - earliest + 1)
            periods = found.setdefault(int(value), {})
            for period in np.flatnonzero(counts).tolist():
                periods[earliest + period] = periods.get(earliest + period, 0) + int(counts[period])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Spans:
    """The eligible rows of a block: [S] from `low` up to `high`, but for `missing`.

    Counted in periods from the earliest; `missing` are the rows within without a target, as the
    places of their series and their periods.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    missing: tuple[NDArray[np.int64], NDArray[np.int64]]

    @classmethod
    def of(cls, block: Block, lead: int, earliest: int) -> _Spans:
        from lakecast.models.choose import able_from

        begins, origins = able_from(block, lead), block.first.astype(np.int64) - earliest
        null = np.flatnonzero(np.isnan(block.target))
        owner = np.searchsorted(block.starts, null, side="right") - 1
        late = null >= begins[owner]
        null, owner = null[late], owner[late]
        low = origins + begins - block.starts[:-1]
        return cls(
            low=low,
            high=origins + block.lengths,
            missing=(owner, origins[owner] + null - block.starts[owner]),
        )

    def counted(self, chosen: NDArray[np.bool_], periods: int) -> NDArray[np.int64]:
        """[periods] eligible rows of the series that are chosen [S]."""
        owner, period = self.missing
        changes = np.bincount(self.low[chosen], minlength=periods + 1)
        changes -= np.bincount(self.high[chosen], minlength=periods + 1)
        nulls = np.bincount(period[chosen[owner]], minlength=periods)
        return np.asarray(np.cumsum(changes)[:periods] - nulls)


_Draw = tuple["Chosen", "NDArray[np.int64]", slice]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PanelRows:
    """Eligible rows of the periods `start` .. `cutoff`; target and matrix in units of the scale."""

    panel: PanelData
    fitted: FittedPlan
    scaled: bool
    census: Census
    start: int
    cutoff: int

    @property
    def columns(self) -> tuple[Column, ...]:
        """The plan's."""
        return self.fitted.columns

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.census.rows(self.start, self.cutoff)

    def blocks(self) -> Iterator[Rows]:
        """Rows by bucket, series, time."""
        return (self._made(chosen) for chosen in self._chosen())

    def drawn(self, places: NDArray[np.int64], threads: int = 1) -> NDArray[np.float32]:
        """See `RowBlocks`; at most `sizes.AT_ONCE` threads are used."""
        out = np.empty((places.size, len(self.columns)), np.float32, order="F")
        few = min(threads, sizes.AT_ONCE)
        for _ in on_threads(partial(self._draw, out), self._draws(places), few, few + 1):
            pass
        return out

    def within(self, start: int | None, cutoff: int) -> PanelRows:
        """The part of these rows in `start` .. `cutoff`, both included."""
        low = self.start if start is None else max(start, self.start)
        return replace(self, start=low, cutoff=min(cutoff, self.cutoff))

    def only(self, by: str, parts: Mapping[int, Census]) -> PanelRows:
        """The rows whose series have one of the values of a static; `parts` counts each."""
        panel = PartPanel(self.panel, by, tuple(parts))
        return replace(self, panel=panel, census=Census.together([*parts.values()]))

    def _chosen(self) -> Iterator[Chosen]:
        """The eligible rows of each piece that has some."""
        from lakecast.models.choose import choose

        lead = self.fitted.plan.lead
        for block in self.panel.blocks():
            for piece in block.pieces(sizes.PIECE):
                chosen = choose(piece.until(self.cutoff), lead, self.start)
                if chosen.target.size:
                    yield chosen

    def _made(self, chosen: Chosen) -> Rows:
        features, scale = self._features(chosen)
        target, weight, keep = chosen.target, np.ones_like(chosen.target), chosen.keep
        if scale is not None:
            target, weight = target / scale[keep], weights(scale[keep])
        return Rows(
            matrix=_filtered(features, keep),
            target=target,
            ordinals=chosen.ordinals,
            weight=weight,
        )

    def _draws(self, places: NDArray[np.int64]) -> Iterator[_Draw]:
        """The pieces that something is drawn of."""
        before = 0
        for chosen in self._chosen():
            low, high = np.searchsorted(places, [before, before + chosen.target.size]).tolist()
            if low < high:
                yield chosen, places[low:high] - before, slice(low, high)
            before += chosen.target.size

    def _draw(self, out: NDArray[np.float32], draw: _Draw) -> None:
        chosen, rows, part = draw
        features, _ = self._features(chosen)
        at = rows if chosen.keep.all() else np.flatnonzero(chosen.keep)[rows]
        for column in range(out.shape[1]):
            np.take(features[:, column], at, out=out[part, column], mode="clip")

    def _features(self, chosen: Chosen) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """[m, F] of all rows from the start on, and their scale, where they are scaled."""
        if self.scaled:
            made = matrix(self.fitted, chosen.block, start=self.start)
            return shrink(self.fitted, made, scaled=True)
        # A row that can be trained on has a scale: nobody need look.
        out = np.empty((len(self.columns), chosen.keep.size), np.float32)
        fill(self.fitted, chosen.block, out, 0, start=self.start)
        return out.T, None


def _filtered(matrix: NDArray[np.float32], keep: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The rows kept, column-major."""
    if keep.all():
        return matrix
    out = np.empty((int(keep.sum()), matrix.shape[1]), dtype=np.float32, order="F")
    for column in range(matrix.shape[1]):
        out[:, column] = matrix[keep, column]
    return out
