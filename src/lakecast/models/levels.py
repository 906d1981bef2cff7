"""What a bundle knows of levels above its series, and the forecasts of all of them together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
import polars as pl

from lakecast.columns import LEVEL
from lakecast.core import classes, folds, intervals
from lakecast.core import hierarchy as trees
from lakecast.core.block import Future
from lakecast.core.features import state_at
from lakecast.core.hierarchy import Hierarchy
from lakecast.core.hierarchy_panels import tail_block
from lakecast.models.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import Block, PanelInfo
    from lakecast.core.hierarchy import Weights
    from lakecast.core.intervals import Calibration
    from lakecast.models.bundle import Predictor
    from lakecast.models.protocol import Forecaster

Method = Literal["bottom_up", "wls_struct", "wls_var"]
METHODS: Final[tuple[Method, ...]] = ("bottom_up", "wls_struct", "wls_var")
SUM: Final = "sum"
RECONCILED: Final = "reconciled"
PIECE: Final = 20_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Levels:
    """The levels a champion forecasts, how, and the intervals of each.

    `calibrations` has one a level, and last that of the series as they are reconciled (with
    `bottom_up` they are the champion's own). `ratios` [L + 1] are, in the same order, the mean
    square of the backtest's errors over the squared scale of their series.
    """

    columns: tuple[tuple[str, ...], ...]
    method: Method
    calibrations: tuple[Calibration, ...]
    ratios: tuple[float, ...]

    @classmethod
    def none(cls) -> Self:
        """The series alone."""
        return cls(columns=(), method="bottom_up", calibrations=(), ratios=())

    def memory(self, info: PanelInfo) -> int:
        """Number of last values a state must hold."""
        return 1 if self.method == "bottom_up" else own(info).memory

    def meta(self) -> dict[str, Any]:
        """JSON values; the arrays go beside them."""
        return {
            "columns": self.columns,
            "method": self.method,
            "ratios": self.ratios,
            "calibrations": [one.meta() for one in self.calibrations],
        }

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays to save."""
        return {
            f"{place}:{name}": values
            for place, one in enumerate(self.calibrations)
            for name, values in one.arrays().items()
        }

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[np.generic]], told: Mapping[str, Any]) -> Self:
        """The inverse of `arrays` and `meta`."""
        held: list[dict[str, NDArray[np.generic]]] = [{} for _ in told["calibrations"]]
        for key, values in arrays.items():
            place, name = key.split(":")
            held[int(place)][name] = values
        return cls(
            columns=tuple(tuple(columns) for columns in told["columns"]),
            method=told["method"],
            calibrations=tuple(
                intervals.Calibration.load(one, meta)
                for one, meta in zip(held, told["calibrations"], strict=True)
            ),
            ratios=tuple(told["ratios"]),
        )


def own(info: PanelInfo) -> Forecaster:
    """The forecaster of the levels' own panels: Theta, which looks at one sum at a time."""
    from lakecast.models.recipes import baseline

    return baseline("theta", info)


def own_forecasts(block: Block, cutoff: int, horizon: int, info: PanelInfo) -> NDArray[np.float64]:
    """[G', H] of the groups in `block.until(cutoff)`; null where a group has no value."""
    theta = own(info)
    state = state_at(block, cutoff, memory=theta.memory)
    return theta.forecast(state, Future(horizon=horizon)).values


def weights(
    method: Method,
    hierarchy: Hierarchy,
    scales: tuple[NDArray[np.float64], NDArray[np.float64]],
    ratios: Sequence[float],
) -> Weights:
    """What counts how much: `scales` are those of the series [S] and of the groups [G]."""
    if method == "wls_struct":
        return trees.structural(hierarchy)
    sizes = [level.groups for level in hierarchy.levels]
    return trees.inverse(
        scales[0] ** 2 * ratios[-1], scales[1] ** 2 * np.repeat(np.array(ratios[:-1]), sizes)
    )


def every_level(predictor: Predictor, levels: Levels, size: int = PIECE) -> Iterator[pl.DataFrame]:
    """The forecasts of all series, so many at a time, then of each level; together they add up.

    Columns: `level`, the series columns and those of the levels (null where a row is not told
    apart by them), then those of `Predictor.forecast`. `source` of a level is `sum`, or
    `reconciled` where the levels' own forecasts had a say.
    """
    whole = _Whole(predictor, levels, Hierarchy.build(predictor.series, levels.columns))
    every = np.arange(predictor.series.height)
    parts = [every[start : start + size] for start in range(0, max(every.size, 1), size)]
    if not (levels.columns and every.size):
        for part in parts:
            yield whole.series(part, predictor.take(part).answer())
        return
    answers = [predictor.take(part).answer() for part in parts]
    scale = whole.scale()
    values = whole.reconciled(np.concatenate([answer.values for answer in answers]), scale)
    for part, answer in zip(parts, answers, strict=True):
        yield whole.series(part, replace(answer, values=values[part]))
    sums = whole.tree.sums(values)
    for place in range(len(whole.tree.levels)):
        of = whole.tree.part(place)
        yield whole.level(place, sums[of], scale[of])


@dataclass(frozen=True, slots=True)
class _Whole:
    """All series of a champion where it stands, and the tree over them."""

    predictor: Predictor
    levels: Levels
    tree: Hierarchy

    @property
    def bottom_up(self) -> bool:
        return self.levels.method == "bottom_up"

    def block(self, periods: int) -> Block:
        return tail_block(self.tree, self.predictor.state, periods)

    def scale(self) -> NDArray[np.float64]:
        """[G] scale of the intervals of each group, level by level as in a backtest."""
        info, cutoff = self.predictor.info, self.predictor.state.cutoff
        block, codes = self.block(classes.DEPTH * info.season), np.arange(self.tree.groups)
        parts = [codes[self.tree.part(place)] for place in range(len(self.tree.levels))]
        return np.concatenate(
            [
                folds.basis([block.take(np.isin(codes, part))], cutoff, info.season).spread
                for part in parts
            ]
        )

    def reconciled(
        self, values: NDArray[np.float64], scale: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """[S, H] the series' forecasts by the champion's method."""
        if self.bottom_up:
            return values
        predictor, info = self.predictor, self.predictor.info
        cutoff, horizon = predictor.state.cutoff, values.shape[1]
        base = own_forecasts(self.block(self.levels.memory(info)), cutoff, horizon, info)
        heavy = weights(
            self.levels.method, self.tree, (predictor.scale(), scale), self.levels.ratios
        )
        return trees.reconcile(self.tree, values, base, heavy, predictor.terms.minimum)

    def series(self, part: NDArray[np.integer], answer: Answer) -> pl.DataFrame:
        """The rows of some of the series."""
        calibration = None if self.bottom_up else self.levels.calibrations[-1]
        return self.shaped(self.predictor.take(part).frame(answer, calibration), trees.SERIES)

    def level(
        self, place: int, sums: NDArray[np.float64], scale: NDArray[np.float64]
    ) -> pl.DataFrame:
        """The rows of a level."""
        predictor, level = self.predictor, self.tree.levels[place]
        forecasts = intervals.Spread(
            forecast=sums, scale=scale, classes=np.zeros(level.groups, np.int8)
        )
        floor = trees.floor_of(predictor.terms.minimum)
        bands = self.levels.calibrations[place].apply(forecasts, floor)
        answer = Answer.of(sums, SUM if self.bottom_up else RECONCILED)
        return self.shaped(predictor.framed(level.keys, answer, bands), level.name)

    def shaped(self, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """With the level's name and all key columns, null where the level has none of them."""
        asked = chain.from_iterable(level.columns for level in self.tree.levels)
        keys = list(dict.fromkeys([*self.predictor.info.columns.series, *asked]))
        kinds = self.predictor.series.schema
        return frame.select(
            pl.lit(name).alias(LEVEL),
            *(key if key in frame.columns else pl.lit(None, kinds[key]).alias(key) for key in keys),
            pl.exclude(keys),
        )
