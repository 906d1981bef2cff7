"""What the levels' own histories say: one learner over the groups of all levels that are small.

A group's sales are large and regular, so a learner sees in them what it cannot see in its series
(Makridakis, Spiliotis & Assimakopoulos 2022: that is where methods differed most). Each row is
divided by its last weeks' mean, so that groups of all sizes teach one model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.columns import LEVEL
from lakecast.core.features import state_at
from lakecast.core.features.defaults import group_scale
from lakecast.core.hierarchy import floor_of
from lakecast.core.hierarchy_panels import group_future, group_info, group_panel, tail_block
from lakecast.models import families, inputs
from lakecast.models.recipes import Tabular
from lakecast.models.workbench import Workbench
from lakecast.spec.features import Features, LaggedCovariate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import Future, MemoryPanel, PanelData, PanelInfo
    from lakecast.core.features import State
    from lakecast.core.hierarchy import Hierarchy
    from lakecast.models.protocol import Forecaster
    from lakecast.spec.model import Spec

MOST: Final = 1_000_000
"""Rows of all groups together: levels of more groups are added up alone."""
_ROUNDS: Final = (200, 1_000)
_ROWS: Final = 100  # a round each, within those bounds: noise is learned by heart in many
_FAMILY: Final = "gradient_boosting"
_PARAMS: Final[families.Params] = {
    "objective": "squared",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.7,
    "lambda_l2": 1.0,
}


def learned(hierarchy: Hierarchy, info: PanelInfo) -> tuple[int, ...]:
    """Places of the levels that are learned, in order: those of the fewest groups, up to `MOST`
    rows where each has as many as a series of the panel has on the average."""
    periods = -(-info.rows // max(info.series, 1))
    sizes = [level.groups * periods for level in hierarchy.levels]
    order = np.argsort(sizes, kind="stable")
    rows = np.cumsum(np.array(sizes, np.int64)[order])
    return tuple(sorted(order[rows <= MOST].tolist()))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Groups:
    """The groups of the learned levels as a panel, and the recipe for it.

    `places` [G] are those of the groups among the groups of all levels. `threads` change no bit.
    """

    panel: MemoryPanel
    recipe: Tabular
    levels: tuple[int, ...]
    places: NDArray[np.int64]
    threads: int

    @classmethod
    def of(
        cls, panel: PanelData, by_code: Hierarchy, spec: Spec, threads: int = 1
    ) -> Groups | None:
        """Of a panel whose series codes are the rows of the hierarchy; None where all are large."""
        levels = learned(by_code, panel.info)
        if not levels:
            return None
        few = by_code.only(levels)
        held = group_panel(panel, few, statics(few, panel.info))
        bounds = by_code.bounds
        places = [np.arange(bounds[level], bounds[level + 1]) for level in levels]
        return cls(
            panel=held,
            recipe=recipe_of(held.info, spec),
            levels=levels,
            places=np.concatenate(places),
            threads=threads,
        )

    def bench(self, cutoffs: Sequence[int]) -> Workbench:
        """Where they are fit."""
        return Workbench(self.panel, cutoffs, threads=self.threads)


def foretold(info: PanelInfo, levels: Hierarchy, periods: int) -> PanelInfo:
    """What the panel of the groups of some levels will be at most, before any row is read.

    Each group is as old as the panel, of so many periods, and series share all that is known ahead.
    """
    told = group_info(info, levels, statics(levels, info), list(info.known_future))
    return replace(told, series=levels.groups, rows=levels.groups * periods)


def recipe_of(info: PanelInfo, spec: Spec) -> Tabular:
    """Boosting, a period at a time, on windows over the last months, the calendar and what is
    shared."""
    rounds = int(np.clip(info.rows // _ROWS, *_ROUNDS))
    return Tabular(
        family=_FAMILY,
        strategy="recursive",
        params=families.resolve(_FAMILY, {**_PARAMS, "num_iterations": rounds}),
        horizon=spec.forecast.horizon,
        features=_features(info, spec.features),
        seed=spec.train.seed,
        minimum=floor_of(spec.forecast.minimum),
    )


def _features(info: PanelInfo, asked: Features) -> Features:
    """Nothing that needs a whole history, so that the last values of the series tell a state."""
    return Features(
        expanding=(),
        ewm=(),
        scale=group_scale(info),
        holidays=asked.holidays,
        covariates=tuple(LaggedCovariate(column=name, lags=(0,)) for name in info.covariates),
    )


def statics(levels: Hierarchy, info: PanelInfo) -> dict[str, NDArray[np.float32]]:
    """[G] level, and of each categorical column of a level its value, -1 where a level has none."""
    names = sorted({name for level in levels.levels for name in level.columns})
    bounds = levels.bounds
    of = np.repeat(np.arange(len(levels.levels)), np.diff(bounds)).astype(np.float32)
    found = {LEVEL: of}
    for name in (name for name in names if name in info.categories):
        held = np.full(levels.groups, -1.0, np.float32)
        for place, level in enumerate(levels.levels):
            if name in level.columns:
                held[levels.part(place)] = inputs.statics(level.keys, info)[name]
        found[name] = held
    return found


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Learned:
    """What a champion knows of its levels: the learner, and the places of the levels it is for."""

    forecaster: Forecaster
    levels: tuple[int, ...]

    @property
    def memory(self) -> int:
        """Number of last values that a state of the series must hold."""
        return self.forecaster.memory

    def forecast(
        self, tree: Hierarchy, state: State, future: Future, info: PanelInfo
    ) -> NDArray[np.float64]:
        """[G, H] of the groups of all levels, from where their series stand; null of those levels
        that were not learned."""
        few, plans = tree.only(self.levels), self.forecaster.plans
        names = sorted({name for plan in plans for name in plan.covariates})
        block = tail_block(few, state, self.memory)
        unknown = np.full(block.rows, np.nan, np.float32)  # of the past, none is looked at
        held = replace(block, covariates=dict.fromkeys(names, unknown), statics=statics(few, info))
        standing = state_at(held, state.cutoff, memory=self.memory, plans=plans)
        made = self.forecaster.forecast(standing, group_future(info, few, future, names)).values
        out = np.full((tree.groups, future.horizon), np.nan)
        for place, level in enumerate(self.levels):
            out[tree.part(level)] = made[few.part(place)]
        return out
