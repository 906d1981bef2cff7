"""From a plan to what the kernel runs: one program a source, and the folds a state must keep."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from lakecast.core.features.plan import Column, Feature, FeaturePlan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lakecast.core.features.kernel import Folds
    from lakecast.core.features.kernel import Program as Steps

T = TypeVar("T", bound=np.generic)

Fold = tuple[str, float]
"""A running statistic of the target: its name in `kernel.FOLDS`, and the alpha of an ewm."""

SCALE: Fold = ("abs", 0.0)
_KINDS: Final = {"min": 1, "max": 2}
"""Windows of sums come first, then those of minima, then those of maxima."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """What to compute of one source: by `kernel.run`, and by `windows.run` (int64 [C, 6])."""

    steps: Steps
    windows: NDArray[np.int64]


def frozen(values: NDArray[T]) -> NDArray[T]:
    """A contiguous read-only view: the one form kernels take, so that they compile once."""
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view


def scale_of(lead: int, window: int) -> Column:
    """The column of the scale: the mean of `window` values, or (0) of |y| over all of them."""
    if not window:
        return Column("", feature=Feature("fold", lag=lead, stat=SCALE[0]))
    return Column("", feature=Feature("rolling", lag=lead, stat="mean", window=window))


def folds_of(plans: Iterable[FeaturePlan]) -> tuple[Fold, ...]:
    """The folds of the target that the plans need, the scale's first."""
    wanted = {
        (column.feature.stat, column.feature.value)
        for plan in plans
        for column in plan.columns
        if column.feature.op == "fold"
    }
    return (SCALE, *sorted(wanted - {SCALE}))


@lru_cache(maxsize=64)
def packed(folds: tuple[Fold, ...]) -> Folds:
    """The folds as arrays."""
    from lakecast.core.features import kernel

    kinds = np.array([kernel.FOLDS.index(stat) for stat, _ in folds], np.int64)
    return kernel.Folds(kinds, np.array([alpha for _, alpha in folds], np.float64))


@lru_cache(maxsize=64)
def programs(plan: FeaturePlan, folds: tuple[Fold, ...], *, scaled: bool) -> dict[str, Program]:
    """What to compute of each source ("": the target), with `folds` at hand.

    Where `scaled`, row F of the output, after the plan's F columns, is the scale.
    """
    scale = scale_of(plan.lead, plan.scale)
    numbered = list(enumerate((*plan.columns, scale) if scaled else plan.columns))
    return {
        source: _program([(i, c.feature) for i, c in numbered if _reads(c, source)], folds)
        for source in ("", *plan.covariates)
    }


def _reads(column: Column, source: str) -> bool:
    windowed = column.feature.op in {"lag", "difference", "rolling", "seasonal", "fold"}
    return windowed and column.feature.source == source


def _program(features: list[tuple[int, Feature]], folds: tuple[Fold, ...]) -> Program:
    from lakecast.core.features import kernel

    windowed = sorted((pair for pair in features if _is_window(pair[1])), key=_place)
    steps = [pair for pair in features if not _is_window(pair[1])]
    whole = [_step(column, feature, folds) for column, feature in steps]
    real = np.array([feature.value for _, feature in steps], np.float64)
    return Program(
        kernel.Program(_table(whole, 7), real),
        frozen(_table([_window(column, feature) for column, feature in windowed], 6)),
    )


def _table(rows: list[tuple[int, ...]], width: int) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, width)


def _is_window(feature: Feature) -> bool:
    return feature.op in {"rolling", "seasonal"} and feature.stat != "quantile"


def _place(pair: tuple[int, Feature]) -> tuple[int, int, int]:
    """Where `windows.run` wants a column: its kind, its stride, its window."""
    feature = pair[1]
    return _KINDS.get(feature.stat, 0), feature.season, feature.window


def _window(column: int, feature: Feature) -> tuple[int, ...]:
    from lakecast.core.features import windows

    need = max(feature.need, 2) if feature.stat == "std" else feature.need
    op = windows.OPS.index(feature.stat)
    return (op, column, feature.lag, feature.window, feature.season, need)


def _step(column: int, feature: Feature, folds: tuple[Fold, ...]) -> tuple[int, ...]:
    from lakecast.core.features import kernel

    season, slot = feature.season, 0
    if feature.op == "fold":
        season = kernel.FOLDS.index(feature.stat)
        slot = folds.index((feature.stat, feature.value))
    op = kernel.OPS.index("quantile" if feature.op == "rolling" else feature.op)
    return (op, column, feature.lag, feature.window, season, feature.need, slot)
