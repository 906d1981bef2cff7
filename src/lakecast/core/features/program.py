"""From a plan to what the kernel runs: one program a source, and the folds a state must keep."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lakecast.core.features.plan import Column, Feature, FeaturePlan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lakecast.core.features.kernel import Folds, Program

T = TypeVar("T", bound=np.generic)

Fold = tuple[str, float]
"""A running statistic of the target: its name in `kernel.FOLDS`, and the alpha of an ewm."""

SCALE: Fold = ("abs", 0.0)


def frozen(values: NDArray[T]) -> NDArray[T]:
    """A contiguous read-only view: the one form kernels take, so that they compile once."""
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view


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
def programs(plan: FeaturePlan, folds: tuple[Fold, ...]) -> dict[str, Program]:
    """What to compute of each source ("": the target), with `folds` at hand.

    Row F of the output, after the plan's F columns, is the scale.
    """
    scale = Column("", feature=Feature("fold", lag=plan.lead, stat=SCALE[0]))
    numbered = list(enumerate((*plan.columns, scale)))
    return {
        source: _program([(i, c.feature) for i, c in numbered if _reads(c, source)], folds)
        for source in ("", *plan.covariates)
    }


def _reads(column: Column, source: str) -> bool:
    windowed = column.feature.op in {"lag", "difference", "rolling", "seasonal", "fold"}
    return windowed and column.feature.source == source


def _program(features: list[tuple[int, Feature]], folds: tuple[Fold, ...]) -> Program:
    from lakecast.core.features import kernel

    whole = np.array([_whole(index, feature, folds) for index, feature in features], np.int64)
    return kernel.Program(whole, np.array([f.value for _, f in features], np.float64))


def _whole(column: int, feature: Feature, folds: tuple[Fold, ...]) -> tuple[int, ...]:
    from lakecast.core.features import kernel

    season, slot, need = feature.season, 0, feature.need
    if feature.op == "fold":
        season = kernel.FOLDS.index(feature.stat)
        slot = folds.index((feature.stat, feature.value))
    if feature.stat == "std":
        need = max(need, 2)
    return (_code(feature), column, feature.lag, feature.window, season, need, slot)


def _code(feature: Feature) -> int:
    from lakecast.core.features import kernel

    name = {
        "rolling": feature.stat,
        "seasonal": f"seasonal_{feature.stat}",
    }.get(feature.op, feature.op)
    return kernel.OPS.index(name)
