"""Screening: which parameters of a family go on, and on a large panel which strategy.

Everything is judged in the first window, which scores nobody. A panel of more than `MOST` rows is
screened on a sample of its series, with both strategies, and each family goes on with the better
one: a direct model is as many fits as the horizon has seasons.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core import folds, metrics
from lakecast.core.block import sample
from lakecast.training import bench as benches
from lakecast.training.backtest import one, to_frame
from lakecast.training.candidates import models, under

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from lakecast.core.folds import Fold
    from lakecast.logs import Progress
    from lakecast.training.backtest import Candidate, Forecasts, Hooks
    from lakecast.training.bench import FittingBench
    from lakecast.training.candidates import Lineup

MOST: Final = 250_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One point of a family's grid and its loss in the first window; None: not screened."""

    family: str
    strategy: str
    params: Mapping[str, float | int | str]
    loss: float | None
    chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Screened:
    """The models that go on, and what they forecast of the whole panel while being screened."""

    models: tuple[Candidate, ...]
    trials: tuple[Trial, ...]
    forecasts: Mapping[tuple[str, int], pl.DataFrame]


def screen(bench: FittingBench, tried: Lineup, fold: Fold, hooks: Hooks) -> Screened:
    """Try each family's models with the first strategy. One model alone costs nothing."""
    spec = bench.spec
    asked = {family: models(spec, family, tried) for family in spec.train.families}
    stage = _Stage.on(bench, fold, hooks)
    many = sum(stage.fits(points, tried) for points in asked.values())
    with hooks.progress.bar("screen", many, "fits") as bar:
        for points in asked.values():
            stage.family(points, tried, bar)
    return Screened(
        models=tuple(stage.models), trials=tuple(stage.trials), forecasts=stage.forecasts
    )


@dataclass(slots=True)
class _Stage:
    """Where it is tried: the panel itself, or a sample of its series."""

    bench: FittingBench
    fold: Fold
    hooks: Hooks
    sampled: bool
    models: list[Candidate] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    forecasts: dict[tuple[str, int], pl.DataFrame] = field(default_factory=dict)

    @classmethod
    def on(cls, bench: FittingBench, fold: Fold, hooks: Hooks) -> _Stage:
        spec, floor = bench.spec, bench.workbench
        panel = sample(floor.panel, MOST, seed=spec.train.seed)
        if panel is floor.panel:
            return cls(bench, fold, hooks, sampled=False)
        shape = folds.Shape(
            spec.forecast.horizon, panel.info.season, spec.backtest.gap, spec.gate.weight
        )
        small = replace(bench, workbench=benches.workbench(panel, bench.splits, floor.threads))
        return cls(small, folds.fold(panel.blocks(), fold.window, shape), hooks, sampled=True)

    def fits(self, points: Sequence[Candidate], tried: Lineup) -> int:
        more = len(tried.strategies) - 1 if self.sampled else 0
        return (len(points) if len(points) > 1 else 0) + more

    def family(self, points: Sequence[Candidate], tried: Lineup, bar: Progress) -> None:
        """Screen one family; its models go on."""
        best = self._best(points, "", bar)
        further = [best, *(under(best, other) for other in tried.strategies[1:])]
        if self.sampled and len(further) > 1:
            further = [self._best(further, "strategy-", bar)]
        self.models += further

    def _best(self, models: Sequence[Candidate], label: str, bar: Progress) -> Candidate:
        """The model with the least loss; the label keeps rounds apart in the checkpoint."""
        if len(models) == 1:
            self.trials.append(_trial(models[0], None, chosen=True))
            return models[0]
        made: list[Forecasts] = []
        for index, model in enumerate(models):
            named = replace(model, name=f"{model.name}/{label}{index}")
            made.append(one(self.bench, named, self.fold, self.hooks))
            bar.advance()
        metric = folds.judged_by([self.fold], self.bench.spec.gate.metric)
        losses = [_loss(self.fold, each, metric) for each in made]
        best = int(np.argmin(np.where(np.isnan(losses), np.inf, losses)))
        if not self.sampled:
            held = to_frame(made[best], self.fold)
            self.forecasts[models[best].name, self.fold.window.index] = held
        self.trials += [
            _trial(model, None if np.isnan(loss) else loss, chosen=index == best)
            for index, (model, loss) in enumerate(zip(models, losses, strict=True))
        ]
        return models[best]


def _trial(model: Candidate, loss: float | None, *, chosen: bool) -> Trial:
    return Trial(
        family=model.family,
        strategy=model.strategy,
        params=model.params,
        loss=loss,
        chosen=chosen,
    )


def _loss(fold: Fold, forecasts: Forecasts, metric: str) -> float:
    ranked = folds.ranked(fold, metric)[fold.classes, None]
    stats = np.where(ranked, folds.totals(fold, forecasts.values), 0.0).sum(axis=0)
    return float(metrics.loss(metric, metrics.figure(metric, stats)))
