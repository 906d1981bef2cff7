"""Screening: which two models go on to all windows.

Everything is judged in the first window, which scores nobody, and a large panel on a sample of its
series: by the gate's metric, where the spec has levels by its mean over them; a model more biased
than the gate allows comes after all that are not. Of each family its grid is tried, then the best
point without scaling and with the other strategy; the two best models of all families go on.

Where a large panel can be cut into parts that are large themselves, the best model goes on twice
instead, fit apart by two of its columns: a model a store and a model a department see different
things, so that their mean gains most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core import folds, metrics
from lakecast.core.block import sample
from lakecast.training.backtest import made, to_frame
from lakecast.training.candidates import TREES, apart, models, plain, under
from lakecast.training.hierarchy import by_code, grow, levels_of, mean_loss
from lakecast.training.hierarchy import stats as level_stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from lakecast.core.folds import Fold
    from lakecast.logs import Progress
    from lakecast.training.backtest import Candidate, Forecasts, Hooks, ScreeningBench
    from lakecast.training.candidates import Lineup
    from lakecast.training.hierarchy import Tree

GO_ON: Final = 2
"""Models that go on to all windows."""
MOST: Final = 250_000
"""Rows above which a panel is screened on a sample."""
SHARE: Final = 12
"""A sample is this part of a panel, and at least `MOST` rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A model that was screened and its loss in the first window; None: undefined, or not fit."""

    family: str
    strategy: str
    params: Mapping[str, float | int | str]
    scaled: bool
    partition: str
    loss: float | None
    chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Screened:
    """The models that go on, and what they forecast of the whole panel while being screened."""

    models: tuple[Candidate, ...]
    trials: tuple[Trial, ...]
    forecasts: Mapping[tuple[str, int], pl.DataFrame]


def screen(
    bench: ScreeningBench,
    tried: Lineup,
    fold: Fold,
    hooks: Hooks,
    series: pl.DataFrame | None = None,
) -> Screened:
    """Screen what was tried. Where no more than two models can be had, nothing is fit.

    `series` tells the levels of each (see `hierarchy.tree_of`); None: the series alone count.
    """
    asked = [models(bench.spec, family, tried) for family in bench.spec.train.families]
    stage = _Stage.on(bench, fold, hooks, series)
    every = [each for points in asked for each in (*points, *variants(points[0], tried))]
    if len(every) <= GO_ON:
        return stage.ended([_Tried(model) for model in every], tried)
    with hooks.progress.bar("screen", len(every), "fits") as bar:
        found = stage.families(asked, tried, bar)
    return stage.ended(found, tried)


def variants(model: Candidate, tried: Lineup) -> tuple[Candidate, ...]:
    """What is tried of a family's best point: without scaling; then as models of other names."""
    return (*_unscaled(model, tried), *_others(model, tried))


def _unscaled(model: Candidate, tried: Lineup) -> tuple[Candidate, ...]:
    screened = tried.unscaled and model.scaled and model.family in TREES
    return (plain(model),) if screened else ()


def _others(model: Candidate, tried: Lineup) -> tuple[Candidate, ...]:
    columns = tried.partitions if model.family in TREES and not tried.large else ()
    return (
        *(under(model, strategy) for strategy in tried.strategies[1:]),
        *(apart(model, column) for column in columns),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Tried:
    """A model, its loss, whether the gate would refuse its bias, and what it forecast.

    None where it was not fit.
    """

    model: Candidate
    loss: float = float("inf")
    biased: bool = False
    forecasts: Forecasts | None = None

    @property
    def place(self) -> tuple[bool, float]:
        """What models are ranked by."""
        return self.biased, self.loss


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where it is tried: the panel itself, or a sample of its series."""

    bench: ScreeningBench
    fold: Fold
    hooks: Hooks
    sampled: bool
    metric: str
    tree: Tree | None

    @classmethod
    def on(
        cls, bench: ScreeningBench, fold: Fold, hooks: Hooks, series: pl.DataFrame | None
    ) -> _Stage:
        """The stage of a panel, which is sampled where it is large."""
        spec, whole = bench.spec, bench.panel
        most = max(MOST, whole.info.rows // SHARE)
        panel = sample(whole, most, seed=spec.train.seed)
        if panel is not whole:
            shape = folds.Shape(
                spec.forecast.horizon, panel.info.season, spec.backtest.gap, spec.gate.weight
            )
            fold = folds.fold(panel.blocks(), fold.window, shape)
            bench = bench.on_sample(panel, most)
        metric = folds.judged_by([fold], spec.gate.metric)
        tree = None
        if series is not None and metric == "rmsse" and levels_of(spec):
            tree = grow(panel, by_code(series, levels_of(spec)), [fold])
        return cls(bench, fold, hooks, panel is not whole, metric, tree)

    def families(
        self, asked: Sequence[Sequence[Candidate]], tried: Lineup, bar: Progress
    ) -> list[_Tried]:
        """All that is tried, family by family: points, then variants of the best of them."""
        labels = [[f"{each.name}/{at}" for at, each in enumerate(points)] for points in asked]
        found = self._fit(asked, labels, bar)
        for label, variant in (("unscaled", _unscaled), ("other", _others)):
            more = [variant(_best(family).model, tried) for family in found]
            labels = [[f"{each.name}/{label}" for each in family] for family in more]
            for family, new in zip(found, self._fit(more, labels, bar), strict=True):
                family.extend(new)
        return [each for family in found for each in family]

    def _fit(
        self, asked: Sequence[Sequence[Candidate]], labels: Sequence[Sequence[str]], bar: Progress
    ) -> list[list[_Tried]]:
        """Models of each family, each under a label of its own in the checkpoint."""
        flat = zip(chain.from_iterable(asked), chain.from_iterable(labels), strict=True)
        named = [(replace(model, name=label), self.fold) for model, label in flat]
        fits = made(self.bench, named, self.hooks.checkpoint, bar)
        return [[self._judged(model, next(fits)) for model in family] for family in asked]

    def _judged(self, model: Candidate, made: Forecasts) -> _Tried:
        totals = folds.totals(self.fold, made.values)
        bias = abs(float(metrics.figure("bias", totals.sum(axis=0))))
        biased = bias > self.bench.spec.gate.max_bias
        return _Tried(model, self._loss(made.values, totals), biased, made)

    def _loss(self, values: NDArray[np.float64], totals: NDArray[np.float64]) -> float:
        """Infinite where it is undefined."""
        if self.tree is not None:
            loss = mean_loss(self.metric, level_stats(self.tree, self.fold, values))
        else:
            loss = folds.loss(self.fold, totals, self.metric)
        return np.inf if np.isnan(loss) else loss

    def ended(self, found: Sequence[_Tried], tried: Lineup) -> Screened:
        """The best of each name in the order of their losses; the first go on."""
        named: dict[str, _Tried] = {}
        for each in sorted(found, key=lambda each: each.place):
            named.setdefault(each.model.name, each)
        ranked = list(named.values())
        goers = go_on([each.model for each in ranked], tried)
        parted = any(model.name not in named for model in goers)
        chosen = ranked[: 1 if parted else GO_ON]
        index = self.fold.window.index
        return Screened(
            models=goers,
            trials=tuple(_trial(each, chosen=each in chosen) for each in found),
            forecasts={}
            if self.sampled
            else {
                (each.model.name, index): to_frame(each.forecasts, self.fold)
                for each in chosen
                if each.forecasts is not None
            },
        )


def _best(found: Sequence[_Tried]) -> _Tried:
    return min(found, key=lambda each: each.place)


def go_on(ranked: Sequence[Candidate], tried: Lineup) -> tuple[Candidate, ...]:
    """The first models; on a large panel with columns to part it by, the first one, parted."""
    columns = tried.partitions if tried.large and ranked and ranked[0].family in TREES else ()
    if columns:
        ranked = [*(apart(ranked[0], column) for column in columns), ranked[0]]
    return tuple(ranked[:GO_ON])


def _trial(each: _Tried, *, chosen: bool) -> Trial:
    return Trial(
        family=each.model.family,
        strategy=each.model.strategy,
        params=each.model.params,
        scaled=each.model.scaled,
        partition=each.model.partition,
        loss=each.loss if np.isfinite(each.loss) else None,
        chosen=chosen,
    )
