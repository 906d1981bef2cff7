"""The levels of a backtest: the same windows, added up, and each level as a panel of its own.

What the levels' own histories say is what a learner of `models.groups` says, fit at each cutoff.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lakecast.columns import CODE
from lakecast.core import folds, metrics
from lakecast.core.hierarchy import Hierarchy
from lakecast.core.hierarchy_panels import level_blocks
from lakecast.models.groups import Groups, Learned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from lakecast.core.block import Block, PanelData, PanelInfo
    from lakecast.core.folds import Fold
    from lakecast.spec.model import Spec


def levels_of(spec: Spec) -> tuple[tuple[str, ...], ...]:
    """The levels asked for; the series themselves are none, whether or not they are named."""
    whole = frozenset(spec.panel.series)
    return tuple(level for level in spec.hierarchy.levels if frozenset(level) != whole)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tree:
    """The levels over a backtest's folds.

    `by_code` has a row for each series code. `tiers[l][k]` is level l in fold k, whose codes are
    the groups begun by its cutoff, counted within the level. `own[k]` [G, H] are the forecasts
    that the groups' own histories give, null where a group has not begun and in levels that are
    not learned; `groups` gave them, None where nothing does.
    """

    by_code: Hierarchy
    tiers: tuple[tuple[Fold, ...], ...]
    own: tuple[NDArray[np.float64], ...]
    groups: Groups | None = None

    def at(self, fold: Fold) -> Hierarchy:
        """The sums of a fold's series."""
        return self.by_code.take(fold.codes)

    def folds(self, fold: Fold) -> tuple[Fold, ...]:
        """Each level in a fold, knowing of what happened as much as the fold does.

        An actual is the sum of those that are known, null where none is.
        """
        known, hierarchy = ~np.isnan(fold.actual), self.at(fold)
        sums = hierarchy.sums(np.where(known, fold.actual, 0.0))
        actual = np.where(hierarchy.sums(known.astype(np.float64)) > 0, sums, np.nan)
        held = (tiers[fold.window.index] for tiers in self.tiers)
        return tuple(
            replace(tier, actual=actual[self.by_code.part(level)][tier.codes])
            for level, tier in enumerate(held)
        )

    def compared(self, fold: Fold, values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Each level's forecasts, a row for each group begun, where the actual of a series is
        known: what is not scored of a series is not scored of its groups."""
        sums = self.at(fold).sums(np.where(np.isnan(fold.actual), 0.0, values))
        return [
            sums[self.by_code.part(level)][tiers[fold.window.index].codes]
            for level, tiers in enumerate(self.tiers)
        ]


def by_code(series: pl.DataFrame, levels: Sequence[Sequence[str]]) -> Hierarchy:
    """The hierarchy of a panel's series table, a row for each code up to the last."""
    found = Hierarchy.build(series, levels)
    codes = series[CODE].to_numpy()
    of = np.zeros((codes.max(initial=-1) + 1, len(levels)), np.int64)
    of[codes] = found.of
    return replace(found, of=of)


def tree_of(
    panel: PanelData, series: pl.DataFrame, held: Sequence[Fold], spec: Spec, threads: int = 1
) -> Tree | None:
    """The levels that the spec asks for, over the folds; None where it asks for none.

    `series` has `series_code`, the series columns and the statics.
    """
    asked = levels_of(spec)
    if not asked:
        return None
    tree = grow(panel, by_code(series, asked), held)
    if spec.hierarchy.method == "bottom_up":
        return tree
    return taught(tree, panel, held, spec, threads)


def grow(panel: PanelData, hierarchy: Hierarchy, held: Sequence[Fold]) -> Tree:
    """The levels of a panel in the folds, without forecasts of their own."""
    horizon = held[0].actual.shape[1]
    tiers = [
        tuple(_tier(hierarchy, level, blocks, fold, panel.info) for fold in held)
        for level, blocks in level_blocks(panel, hierarchy)
    ]
    unknown = np.full((hierarchy.groups, horizon), np.nan)
    return Tree(by_code=hierarchy, tiers=tuple(tiers), own=tuple(unknown for _ in held))


def taught(
    tree: Tree, panel: PanelData, held: Sequence[Fold], spec: Spec, threads: int = 1
) -> Tree:
    """The levels with the forecasts of their own."""
    groups = Groups.of(panel, tree.by_code, spec, threads)
    if groups is None:
        return tree
    cutoffs = [fold.window.cutoff for fold in held]
    bench = groups.bench(cutoffs)
    first = np.concatenate([block.first for block in groups.panel.blocks()])
    own = []
    for cutoff, unknown in zip(cutoffs, tree.own, strict=True):
        values, begun = unknown.copy(), groups.places[first <= cutoff]
        fitted = bench.fit(groups.recipe, cutoff)
        values[begun] = bench.forecast(fitted, cutoff, values.shape[1]).values
        own.append(values)
    return replace(tree, own=tuple(own), groups=groups)


def learned(tree: Tree) -> Learned | None:
    """The learner of the levels, fit on all of their history; None where there is none."""
    if tree.groups is None:
        return None
    cutoff = tree.groups.panel.info.cutoff
    fitted = tree.groups.bench([cutoff]).fit(tree.groups.recipe, cutoff)
    return Learned(forecaster=fitted, levels=tree.groups.levels)


def _tier(
    hierarchy: Hierarchy, level: int, blocks: Sequence[Block], fold: Fold, info: PanelInfo
) -> Fold:
    """A level in a fold: groups are of one demand class, and weigh what their series do."""
    shape = folds.Shape(fold.actual.shape[1], info.season, fold.gap)
    found = folds.fold(blocks, fold.window, shape)
    weight = None
    if fold.weight is not None:
        one = hierarchy.only([level]).take(fold.codes)
        weight = folds.normal(one.sums(fold.weight[:, None])[found.codes, 0])
    return replace(found, classes=np.zeros_like(found.classes), weight=weight)


def stats(tree: Tree, fold: Fold, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[L + 1, 15] stats of each level, last of the series; then how many of it were scored."""
    levels = zip(tree.folds(fold), tree.compared(fold, values), strict=True)
    every = [*(folds.totals(tier, sums) for tier, sums in levels), folds.totals(fold, values)]
    return np.stack([np.append(each.sum(axis=0), (each[:, 0] > 0).sum()) for each in every])


def mean_metric(held: Sequence[Fold]) -> str:
    """What is averaged over levels: rmsse, or wape where no series has a seasonal difference.

    Others say nothing of levels of any size, or reward forecasting nothing.
    """
    return "rmsse" if folds.judged_by(held, "rmsse") == "rmsse" else "wape"


def mean_loss(metric: str, stats: NDArray[np.float64]) -> float:
    """The mean over levels of the metric's loss, from stats [L + 1, ...]; null levels left out."""
    losses = metrics.loss(metric, metrics.figure(metric, stats[:, : len(metrics.STATS)]))
    return float(np.nanmean(losses)) if not np.isnan(losses).all() else float("nan")
