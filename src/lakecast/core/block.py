"""Blocks of whole series: what every function of `core` and `models` works on.

Arrays are float32 (sums are float64 wherever they are taken); NaN is null. Nothing here is
written to after construction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.columns import Columns
    from lakecast.core.calendar import Frequency
    from lakecast.spec.model import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelInfo:
    """What is true of a whole panel.

    `cutoff` is the ordinal of the last period. `covariates` maps the time-varying covariates to
    their role. `categories` holds, for each categorical static (the series columns first), its
    sorted vocabulary; statics in a block are indices into it, -1 where null or unknown.
    `numeric` names the static covariates that are numbers, `texts` those over time that are codes
    of texts.
    """

    columns: Columns
    frequency: Frequency
    timezone: str
    seasons: tuple[int, ...]
    cutoff: int
    covariates: Mapping[str, Role] = field(default_factory=dict)
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numeric: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    series: int = 0
    rows: int = 0

    @property
    def known_future(self) -> tuple[str, ...]:
        """The covariates whose future is known."""
        return tuple(name for name, role in self.covariates.items() if role == "known-future")

    @property
    def size(self) -> int:
        """Bytes of the target and the covariates of all rows."""
        return self.rows * (1 + len(self.covariates)) * np.dtype(np.float32).itemsize

    @property
    def season(self) -> int:
        """The season m of seasonal naive and of scaled metrics."""
        return self.seasons[0] if self.seasons else self.frequency.season


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """S whole series without gaps, N rows, sorted by series then time.

    Rows of series s are `starts[s]:starts[s + 1]`, its first period is `first[s]`; series of a
    panel all end at the panel's cutoff, and codes ascend.
    """

    codes: NDArray[np.int32]  # [S]
    starts: NDArray[np.int64]  # [S + 1]
    first: NDArray[np.int32]  # [S] ordinals
    target: NDArray[np.float32]  # [N] null where a gap is null or the item was not available
    covariates: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  # each [N]
    statics: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  # each [S]

    @property
    def rows(self) -> int:
        """N."""
        return int(self.starts[-1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[S] number of rows of each series."""
        return np.diff(self.starts)

    def ordinals(self) -> NDArray[np.int32]:
        """[N] period of each row."""
        offset = (self.first - self.starts[:-1]).astype(np.int32)
        periods = np.arange(self.rows, dtype=np.int32)
        periods += np.repeat(offset, self.lengths)
        return periods

    def until(self, cutoff: int) -> Block:
        """The rows up to and including `cutoff`; series that start later are left out."""
        if np.all(self.first + self.lengths <= cutoff + 1):
            return self
        keep = self.first <= cutoff
        lengths = np.clip(cutoff - self.first.astype(np.int64) + 1, 0, self.lengths)
        mask = np.arange(self.rows) - np.repeat(self.starts[:-1], self.lengths) < np.repeat(
            lengths, self.lengths
        )
        return replace(
            self,
            codes=self.codes[keep],
            starts=np.concatenate([[0], np.cumsum(lengths[keep])]).astype(np.int64),
            first=self.first[keep],
            target=self.target[mask],
            covariates={name: values[mask] for name, values in self.covariates.items()},
            statics={name: values[keep] for name, values in self.statics.items()},
        )

    def pieces(self, most: int) -> Iterator[Block]:
        """The same series in blocks of at most so many rows, or of one series.

        Their rows are views: what is computed of one piece at a time is small, and nothing is
        copied.
        """
        low = 0
        while low < len(self.codes):
            until = np.searchsorted(self.starts, self.starts[low] + most, side="right")
            high = max(int(until) - 1, low + 1)
            yield self._part(slice(low, high))
            low = high

    def _part(self, series: slice) -> Block:
        starts = self.starts[series.start : series.stop + 1]
        rows = slice(starts[0], starts[-1])
        return replace(
            self,
            codes=self.codes[series],
            starts=starts - starts[0],
            first=self.first[series],
            target=self.target[rows],
            covariates={name: values[rows] for name, values in self.covariates.items()},
            statics={name: values[series] for name, values in self.statics.items()},
        )

    def take(self, keep: NDArray[np.bool_]) -> Block:
        """The series [S] that are kept, whole."""
        rows = np.repeat(keep, self.lengths)
        return replace(
            self,
            codes=self.codes[keep],
            starts=np.concatenate([[0], np.cumsum(self.lengths[keep])]).astype(np.int64),
            first=self.first[keep],
            target=self.target[rows],
            covariates={name: values[rows] for name, values in self.covariates.items()},
            statics={name: values[keep] for name, values in self.statics.items()},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Future:
    """Known-future covariates of S series for the H periods after a cutoff; null is NaN."""

    horizon: int
    covariates: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  # each [S, H]


def after(block: Block, cutoff: int, horizon: int, names: Sequence[str]) -> Future:
    """The named covariates of the series in `block.until(cutoff)` at cutoff + 1 .. + horizon.

    Periods beyond the block's last row are null.
    """
    return Future(
        horizon=horizon,
        covariates={
            name: _window(block, block.covariates[name], cutoff, horizon) for name in names
        },
    )


def actuals(block: Block, cutoff: int, horizon: int) -> NDArray[np.float32]:
    """[S, H] targets of the series in `block.until(cutoff)` after the cutoff; null beyond."""
    return _window(block, block.target, cutoff, horizon)


def _window(
    block: Block, values: NDArray[np.float32], cutoff: int, horizon: int
) -> NDArray[np.float32]:
    keep = np.flatnonzero(block.first <= cutoff)
    start = block.starts[keep] + cutoff + 1 - block.first[keep]
    index = start[:, None] + np.arange(horizon)
    inside = index < block.starts[keep + 1][:, None]
    taken = values[np.where(inside, index, 0)]
    return np.where(inside, taken, np.float32(np.nan)).astype(np.float32)


class PanelData(Protocol):
    """A panel that can be read again and again, block by block, in canonical order."""

    @property
    def info(self) -> PanelInfo:
        """What is true of the whole."""
        ...

    def blocks(self) -> Iterator[Block]:
        """The blocks, by bucket, then series, then time."""
        ...


@runtime_checkable
class Parted(PanelData, Protocol):
    """A panel that lies in numbered parts of whole series, each of which can be read alone."""

    @property
    def parts(self) -> tuple[int, ...]:
        """Their numbers, in the order of the blocks."""
        ...

    @property
    def first(self) -> int | None:
        """The period in which the earliest series of the whole begins; None of no series."""
        ...

    def part(self, parts: Sequence[int]) -> PanelData:
        """The blocks of some parts alone; its info is the whole panel's."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryPanel:
    """A panel held in memory."""

    info: PanelInfo
    held: tuple[Block, ...]

    @classmethod
    def of(cls, panel: PanelData) -> MemoryPanel:
        """The blocks of any panel, read once."""
        return panel if isinstance(panel, cls) else cls(panel.info, tuple(panel.blocks()))

    def blocks(self) -> Iterator[Block]:
        """The blocks as given."""
        return iter(self.held)


class _InParts:
    """Of a panel made of a whole one block by block: it lies in parts where the whole does."""

    __slots__ = ()
    whole: PanelData

    @property
    def info(self) -> PanelInfo:
        """The whole panel's."""
        return self.whole.info

    @property
    def parts(self) -> tuple[int, ...]:
        """The whole panel's; none where it does not lie in parts."""
        return self.whole.parts if isinstance(self.whole, Parted) else ()

    @property
    def first(self) -> int | None:
        """The whole panel's; None where it does not lie in parts."""
        return self.whole.first if isinstance(self.whole, Parted) else None

    def part(self, parts: Sequence[int]) -> PanelData:
        """The same of some parts of the whole."""
        if not isinstance(self.whole, Parted):
            raise TypeError(f"{type(self.whole).__name__} does not lie in parts")
        return cast("PanelData", replace(cast("Any", self), whole=self.whole.part(parts)))


@dataclass(frozen=True, slots=True)
class ThinPanel(_InParts):
    """A drawn share of a panel's series, whole, block by block; its info is the whole panel's."""

    whole: PanelData
    share: float
    seed: int

    def blocks(self) -> Iterator[Block]:
        """The blocks of the whole without the series that were not drawn."""
        for block in self.whole.blocks():
            drawn = _draw(block.codes, self.seed) < self.share
            if drawn.any():
                yield block.take(drawn)


@dataclass(frozen=True, slots=True)
class SharePanel(_InParts):
    """The series of one of `of` parts: those whose code leaves `index` when divided by it."""

    whole: PanelData
    index: int
    of: int

    def blocks(self) -> Iterator[Block]:
        """The blocks of the whole without the series of the other parts."""
        for block in self.whole.blocks():
            mine = share_of(block.codes, self.of) == self.index
            if mine.any():
                yield block.take(mine)


def share_of(codes: NDArray[np.int32], of: int) -> NDArray[np.int32]:
    """[S] the index of the `SharePanel`, of so many, that each series belongs to."""
    return codes % np.int32(of)


@dataclass(frozen=True, slots=True)
class PartPanel:
    """A panel's series whose categorical static has one of some values; its info is the whole's."""

    whole: PanelData
    column: str
    values: tuple[int, ...]

    @property
    def info(self) -> PanelInfo:
        """The whole panel's."""
        return self.whole.info

    def blocks(self) -> Iterator[Block]:
        """The blocks of the whole without all other series."""
        for block in self.whole.blocks():
            mine = np.isin(block.statics[self.column], self.values)
            if mine.any():
                yield block.take(mine)


def sample(panel: PanelData, most: int, *, seed: int) -> PanelData:
    """About `most` rows of a larger panel, whole series, held in memory; a smaller one as it is.

    Whether a series is drawn depends on its code and the seed alone, not on blocks or other series.
    """
    if panel.info.rows <= most:
        return panel
    share = most / panel.info.rows
    held = tuple(ThinPanel(panel, share, seed).blocks())
    info = replace(
        panel.info,
        series=sum(len(block.codes) for block in held),
        rows=sum(block.rows for block in held),
    )
    return MemoryPanel(info, held)


def _draw(codes: NDArray[np.int32], seed: int) -> NDArray[np.float64]:
    """[S] a number in [0, 1) of each code: SplitMix64 (Steele, Lea & Flood, 2014)."""
    with np.errstate(over="ignore"):
        z = (codes.astype(np.uint64) + np.uint64(seed + 1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53
