"""What a plan learns from the panel: statics encoded by the target's mean, and pooled means.

Both are sums and counts over blocks in float64, merged in the order of the blocks, so any number
of workers gives the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from lakecast.core.features.plan import Column, FeaturePlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import Block, PanelData, PanelInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedPlan:
    """A plan with its statistics. Immutable.

    `encodings` maps a static to float64 [V + 1], the target's mean in each category and, last,
    over all (for categories never seen). `pooled` maps a static to float32 [V, T], the mean over
    its series in each of the T periods from `pooled_from` on.
    """

    plan: FeaturePlan
    cutoff: int
    encodings: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    pooled: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    pooled_from: int = 0

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its matrices."""
        return self.plan.columns

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Plain arrays; with `plan.to_json()` they are the whole."""
        arrays: dict[str, NDArray[np.generic]] = {
            "range": np.array([self.cutoff, self.pooled_from], np.int64)
        }
        arrays |= {f"encoding:{name}": values for name, values in self.encodings.items()}
        return arrays | {f"pooled:{name}": values for name, values in self.pooled.items()}

    @classmethod
    def from_arrays(
        cls, plan: FeaturePlan, arrays: Mapping[str, NDArray[np.generic]]
    ) -> FittedPlan:
        """What `to_arrays` gave."""
        cutoff, start = (int(value) for value in arrays["range"])
        return cls(
            plan=plan,
            cutoff=cutoff,
            pooled_from=start,
            encodings=_under(arrays, "encoding:"),
            pooled={
                name: values.astype(np.float32)
                for name, values in _under(arrays, "pooled:").items()
            },
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """Sum and count of the target: by category, and by category and period from `start` on."""

    encoded: Mapping[str, NDArray[np.float64]]  # each [V, 2]
    pooled: Mapping[str, NDArray[np.float64]]  # each [V, T, 2]
    start: int


def fit_plan(plan: FeaturePlan, panel: PanelData, cutoff: int) -> FittedPlan:
    """The plan with statistics of the rows up to and including `cutoff`.

    A plan without encoded and pooled columns reads nothing.
    """
    if not _wanted(plan, "encoded") and not _wanted(plan, "pooled"):
        return FittedPlan(plan=plan, cutoff=cutoff)
    parts = (partial(plan, block, panel.info, cutoff) for block in panel.blocks())
    return finish(plan, reduce(merge, parts, _nothing(plan, panel.info, cutoff)), cutoff)


def partial(plan: FeaturePlan, block: Block, info: PanelInfo, cutoff: int) -> Sums:
    """The sums of one block."""
    block = block.until(cutoff)
    if not block.codes.size:
        return _nothing(plan, info, cutoff)
    start = int(block.first.min())
    return Sums(
        {name: _by_category(block, name, info) for name in _wanted(plan, "encoded")},
        {name: _by_period(block, name, info, start, cutoff) for name in _wanted(plan, "pooled")},
        start,
    )


def merge(left: Sums, right: Sums) -> Sums:
    """The sums of both."""
    start = min(left.start, right.start)
    return Sums(
        {name: left.encoded[name] + right.encoded[name] for name in left.encoded},
        {
            name: _from(start, left.start, left.pooled[name])
            + _from(start, right.start, right.pooled[name])
            for name in left.pooled
        },
        start,
    )


def finish(plan: FeaturePlan, sums: Sums, cutoff: int) -> FittedPlan:
    """Means from sums; null where nothing was counted, but categories never seen take the mean."""
    return FittedPlan(
        plan=plan,
        cutoff=cutoff,
        encodings={name: _encoding(pairs) for name, pairs in sums.encoded.items()},
        pooled={name: _mean(pairs).astype(np.float32) for name, pairs in sums.pooled.items()},
        pooled_from=sums.start,
    )


def _wanted(plan: FeaturePlan, op: str) -> list[str]:
    return sorted({c.feature.source for c in plan.columns if c.feature.op == op})


def _nothing(plan: FeaturePlan, info: PanelInfo, cutoff: int) -> Sums:
    sizes = {name: len(values) for name, values in info.categories.items()}
    return Sums(
        {name: np.zeros((sizes[name], 2)) for name in _wanted(plan, "encoded")},
        {name: np.zeros((sizes[name], 0, 2)) for name in _wanted(plan, "pooled")},
        cutoff + 1,
    )


def _by_category(block: Block, name: str, info: PanelInfo) -> NDArray[np.float64]:
    groups = np.repeat(block.statics[name].astype(np.int64), block.lengths)
    return _pairs(groups, block.target, len(info.categories[name]))


def _by_period(
    block: Block, name: str, info: PanelInfo, start: int, cutoff: int
) -> NDArray[np.float64]:
    groups = np.repeat(block.statics[name].astype(np.int64), block.lengths)
    size, periods = len(info.categories[name]), cutoff - start + 1
    cells = np.where(groups < 0, -1, groups * periods + block.ordinals() - start)
    return _pairs(cells, block.target, size * periods).reshape(size, periods, 2)


def _pairs(cells: NDArray[np.int64], target: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    keep = (cells >= 0) & ~np.isnan(target)
    cells, values = cells[keep], target[keep].astype(np.float64)
    sums = np.bincount(cells, values, minlength=size)
    return np.stack([sums, np.bincount(cells, minlength=size).astype(np.float64)], axis=-1)


def _from(start: int, own: int, pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.pad(pairs, ((0, 0), (own - start, 0), (0, 0)))


def _mean(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = pairs[..., 1]
    return np.where(counts > 0, pairs[..., 0] / np.maximum(counts, 1), np.nan)


def _encoding(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    overall = _mean(pairs.sum(axis=0))
    means = _mean(pairs)
    return np.append(np.where(np.isnan(means), overall, means), overall)


def _under(
    arrays: Mapping[str, NDArray[np.generic]], prefix: str
) -> dict[str, NDArray[np.float64]]:
    return {
        name.removeprefix(prefix): values.astype(np.float64)
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
