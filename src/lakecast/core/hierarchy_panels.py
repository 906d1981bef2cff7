"""The levels of a hierarchy as panels of their own: the sums of their series, period by period.

One level at a time has its target alone. Levels of few groups also make one panel together, with
the covariates that their series share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.columns import LEVEL
from lakecast.core.block import Block, Future, MemoryPanel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import PanelData, PanelInfo
    from lakecast.core.features import State
    from lakecast.core.hierarchy import Hierarchy

    _Where = tuple[NDArray[np.int64], NDArray[np.int64]]

CELLS: Final = 16_000_000
"""Most groups x periods that are added up in one pass over the panel: 144 MB."""
ROWS: Final = 1_000_000
"""Rows of a block of groups, as of the panel's own."""
_SHARED: Final = 0.5  # of the periods of groups in which all their series must agree


def level_blocks(
    panel: PanelData, by_code: Hierarchy, cells: int = CELLS
) -> Iterator[tuple[int, tuple[Block, ...]]]:
    """(level, its groups in blocks, codes counting from 0), level by level.

    `by_code` has a row for each series code. A period is null where no series of the group has a
    value, else the sum of those that have one. The panel is read once for the beginnings, and
    once for as many levels as stay within `cells` together, at least one.
    """
    first = _firsts(panel, by_code)
    origin = int(first.min(initial=panel.info.cutoff + 1))
    periods = panel.info.cutoff + 1 - origin
    for batch in _batches(by_code, max(cells // max(periods, 1), 1)):
        part = by_code.only(batch)
        begun = _group_firsts(part, first)
        sums, known = _sums(panel, part, origin, periods)
        for place, level in enumerate(batch):
            of = part.part(place)
            yield level, _blocks(sums[of], known[of], begun[of], origin)


def _blocks(
    sums: NDArray[np.float64], known: NDArray[np.bool_], first: NDArray[np.int64], origin: int
) -> tuple[Block, ...]:
    """Blocks of about `ROWS` rows of G groups."""
    step = max(ROWS // max(sums.shape[1], 1), 1)
    parts = [slice(start, start + step) for start in range(0, len(sums), step)]
    blocks = [(part, block_of(sums[part], known[part], first[part], origin)) for part in parts]
    return tuple(
        replace(block, codes=(block.codes + part.start).astype(np.int32)) for part, block in blocks
    )


def group_panel(
    panel: PanelData, by_code: Hierarchy, statics: Mapping[str, NDArray[np.float32]]
) -> MemoryPanel:
    """All groups of all levels as the series of one panel, codes counting through the levels.

    `statics` [G] are categorical: `LEVEL`, and columns of the panel's own vocabularies. Of the
    covariates whose future is known it has those that the series of a group share (`is_shared`).
    """
    from lakecast.core.hierarchy_kernels import add_rows

    whole, first = panel.info, _firsts(panel, by_code)
    origin = int(first.min(initial=whole.cutoff + 1))
    size = (by_code.groups, whole.cutoff + 1 - origin)
    sums, known = np.zeros(size), np.zeros(size, np.bool_)
    told = {name: Shared.of(size) for name in whole.known_future}
    for block in panel.blocks():
        of, where = by_code.of[block.codes], (block.starts, block.first.astype(np.int64) - origin)
        add_rows(block.target, where, of, sums, known)
        for name, each in told.items():
            each.add(block.covariates[name], where, of)
    begun = _group_firsts(by_code, first)
    block = block_of(sums, known, begun, origin)
    inside = np.arange(size[1]) >= (begun - origin)[:, None]
    shared = [name for name, each in told.items() if is_shared(each, by_code)]
    info = group_info(whole, by_code, statics, shared)
    held = replace(
        block,
        covariates={name: told[name].found(text=name in info.texts)[inside] for name in shared},
        statics=statics,
    )
    return MemoryPanel(replace(info, series=by_code.groups, rows=held.rows), (held,))


def group_info(
    info: PanelInfo,
    levels: Hierarchy,
    statics: Mapping[str, NDArray[np.float32]],
    covariates: Sequence[str],
) -> PanelInfo:
    """What is true of a panel of groups, but for its size."""
    vocabularies = {**info.categories, LEVEL: tuple(level.name for level in levels.levels)}
    return replace(
        info,
        covariates={name: info.covariates[name] for name in covariates},
        categories={name: vocabularies[name] for name in statics},
        numeric=(),
    )


def group_future(
    info: PanelInfo, hierarchy: Hierarchy, future: Future, names: Sequence[str]
) -> Future:
    """The named covariates of the groups [G, H] from those of their series [S, H]."""
    starts = np.arange(hierarchy.series + 1, dtype=np.int64) * future.horizon
    where = (starts, np.zeros(hierarchy.series, np.int64))
    found = {}
    for name in names:
        told = Shared.of((hierarchy.groups, future.horizon))
        values = np.ascontiguousarray(future.covariates[name], np.float32)
        told.add(values.reshape(-1), where, hierarchy.of)
        found[name] = told.found(text=name in info.texts)
    return Future(horizon=future.horizon, covariates=found)


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """A covariate of the series of each group in each period: [G, T] each."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    sums: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, size: tuple[int, int]) -> Shared:
        """Of no series yet."""
        low, high = np.full(size, np.inf, np.float32), np.full(size, -np.inf, np.float32)
        return cls(low, high, np.zeros(size), np.zeros(size))

    def add(self, values: NDArray[np.float32], where: _Where, of: NDArray[np.int64]) -> None:
        """Take the rows of a block in; `where` as `hierarchy_kernels.add_rows` has it."""
        from lakecast.core.hierarchy_kernels import gather_rows

        gather_rows(values, where, of, (self.low, self.high), (self.sums, self.counts))

    def found(self, *, text: bool) -> NDArray[np.float32]:
        """A text where all that have one have the same; of numbers the mean; else null."""
        if text:
            return np.where(self.low == self.high, self.low, np.float32(np.nan))
        known = self.counts > 0
        means = self.sums / np.where(known, self.counts, 1.0)
        return np.where(known, means, np.nan).astype(np.float32)


def is_shared(told: Shared, hierarchy: Hierarchy) -> bool:
    """Whether it is one thing for all series of a group, mostly, in the groups of some level.

    A holiday is, and what a state pays out on a day; a mean of prices moves with the assortment.
    """
    for place in range(len(hierarchy.levels)):
        of = hierarchy.part(place)
        many = told.counts[of] > 1
        if many.any() and (told.low[of] == told.high[of])[many].mean() > _SHARED:
            return True
    return False


def tail_block(hierarchy: Hierarchy, state: State, periods: int) -> Block:
    """All groups over the last periods of a state's series, row i of it being series i of the sums.

    Codes count through all levels; every group needs a series.
    """
    origin = state.cutoff + 1 - periods
    values = state.tail(periods)
    known = ~np.isnan(values)
    sums = hierarchy.sums(np.where(known, values, 0.0).astype(np.float64))
    seen = hierarchy.sums(known.astype(np.float64)) > 0
    begun = _group_firsts(hierarchy, state.first.astype(np.int64))
    return block_of(sums, seen, np.maximum(begun, origin), origin)


def block_of(
    sums: NDArray[np.float64], known: NDArray[np.bool_], first: NDArray[np.int64], origin: int
) -> Block:
    """A block of G series from sums [G, T], the first column of which is the period `origin`."""
    periods = sums.shape[1]
    lengths = origin + periods - first
    inside = np.arange(periods) >= (first - origin)[:, None]
    values = np.where(known, sums, np.nan).astype(np.float32)
    return Block(
        codes=np.arange(len(sums), dtype=np.int32),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        first=first.astype(np.int32),
        target=values[inside],
    )


def _firsts(panel: PanelData, by_code: Hierarchy) -> NDArray[np.int64]:
    """[S] first period of each series code; beyond the cutoff where the panel lacks it."""
    first = np.full(by_code.series, panel.info.cutoff + 1, np.int64)
    for block in panel.blocks():
        first[block.codes] = block.first
    return first


def _group_firsts(hierarchy: Hierarchy, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """[G] the earliest first period in each group."""
    out = np.full(hierarchy.groups, first.max(initial=0), np.int64)
    for level in range(hierarchy.of.shape[1]):
        np.minimum.at(out, hierarchy.of[:, level], first)
    return out


def _batches(hierarchy: Hierarchy, groups: int) -> Iterator[list[int]]:
    """The levels in their order, so many groups at a time."""
    batch: list[int] = []
    held = 0
    for place, level in enumerate(hierarchy.levels):
        if batch and held + level.groups > groups:
            yield batch
            batch, held = [], 0
        batch.append(place)
        held += level.groups
    if batch:
        yield batch


def _sums(
    panel: PanelData, hierarchy: Hierarchy, origin: int, periods: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """[G, T] sums of what is known, and whether anything is."""
    from lakecast.core.hierarchy_kernels import add_rows

    shape = (hierarchy.groups, periods)
    sums, known = np.zeros(shape), np.zeros(shape, np.bool_)
    for block in panel.blocks():
        offset = block.first.astype(np.int64) - origin
        where = (block.starts, offset)
        add_rows(block.target, where, hierarchy.of[block.codes], sums, known)
    return sums, known
