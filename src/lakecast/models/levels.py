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
from lakecast.core.hierarchy import Hierarchy
from lakecast.core.hierarchy_panels import tail_block
from lakecast.models import codec
from lakecast.models.groups import Learned
from lakecast.models.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.core.block import Block
    from lakecast.core.intervals import Calibration
    from lakecast.models.bundle import Predictor

Method = Literal["bottom_up", "wls"]
METHODS: Final[tuple[Method, ...]] = ("bottom_up", "wls")
SUM: Final = "sum"
RECONCILED: Final = "reconciled"
PIECE: Final = 20_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Levels:
    """The levels a champion forecasts, how, and the intervals of each.

    `calibrations` has one a level, and last that of the series as they are reconciled (with
    `bottom_up` they are the champion's own). `learned` is what forecasts the levels themselves,
    None where nothing does.
    """

    columns: tuple[tuple[str, ...], ...]
    method: Method
    calibrations: tuple[Calibration, ...]
    learned: Learned | None = None

    @classmethod
    def none(cls) -> Self:
        """The series alone."""
        return cls(columns=(), method="bottom_up", calibrations=())

    @property
    def memory(self) -> int:
        """Number of last values a state must hold."""
        return 1 if self.learned is None else self.learned.memory

    def meta(self) -> dict[str, Any]:
        """JSON values; the arrays go beside them."""
        return {
            "columns": self.columns,
            "method": self.method,
            "learned": None if self.learned is None else self.learned.levels,
            "calibrations": [one.meta() for one in self.calibrations],
        }

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays to save."""
        return {
            f"{place}:{name}": values
            for place, one in enumerate(self.calibrations)
            for name, values in one.arrays().items()
        }

    def save(self, folder: Path) -> None:
        """Write what `load` reads beside `meta` and `arrays`: the learner, where there is one."""
        if self.learned is not None:
            codec.save(self.learned.forecaster, folder)

    @classmethod
    def load(
        cls, folder: Path, arrays: Mapping[str, NDArray[np.generic]], told: Mapping[str, Any]
    ) -> Self:
        """The inverse of `save`, `arrays` and `meta`."""
        held: list[dict[str, NDArray[np.generic]]] = [{} for _ in told["calibrations"]]
        for key, values in arrays.items():
            place, name = key.split(":")
            held[int(place)][name] = values
        learned = told["learned"]
        return cls(
            columns=tuple(tuple(columns) for columns in told["columns"]),
            method=told["method"],
            calibrations=tuple(
                intervals.Calibration.load(one, meta)
                for one, meta in zip(held, told["calibrations"], strict=True)
            ),
            learned=None
            if learned is None
            else Learned(forecaster=codec.load(folder), levels=tuple(learned)),
        )


def reconciled(
    tree: Hierarchy,
    series: NDArray[np.float64],
    own: NDArray[np.float64],
    minimum: float | None,
) -> NDArray[np.float64]:
    """[S, H] the series' forecasts, moved so that they add up to what the levels are forecast.

    Of a group that is the mean of its own forecast [G, H] and of its series' sum: two that err
    apart err less together, and their equal mean is hard to beat (Clemen 1989). A group whose own
    is null counts nothing.
    """
    halfway = (own + tree.sums(series)) / 2.0
    return trees.reconcile(tree, series, halfway, trees.structural(tree), minimum)


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
    values = whole.reconciled(np.concatenate([answer.values for answer in answers]))
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

    def reconciled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, H] the series' forecasts by the champion's method."""
        learned, predictor = self.levels.learned, self.predictor
        if learned is None:
            return values
        future = predictor.future_to(values.shape[1])
        own = learned.forecast(self.tree, predictor.state, future, predictor.info)
        return reconciled(self.tree, values, own, predictor.terms.minimum)

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
