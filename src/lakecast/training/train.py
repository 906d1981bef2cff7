"""From a panel to a backtest of every recipe, and from a decision to the bundle that is registered.

::

    job = Job(panel=panel, spec=spec, threads=2)
    ran = train(job, hooks, champion=told)      # told: the champion's `Terms.recipe`, or None
    decision = decide(job, ran)
    predictor = finish(job, ran, decision, standing)        # lakecast.training.finish
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lakecast.core import folds, metrics
from lakecast.errors import SpecError
from lakecast.training import bench as benches
from lakecast.training.backtest import Hooks, Seeded, one, run_backtest, to_frame
from lakecast.training.candidates import (
    Adopted,
    adopt,
    average,
    compiles,
    grid,
    lineup,
    tabular,
)
from lakecast.training.composite import Choice
from lakecast.training.select import select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from lakecast.core.block import PanelData
    from lakecast.core.folds import Fold
    from lakecast.core.splits import Splits
    from lakecast.models.workbench import Workbench
    from lakecast.spec.model import Spec
    from lakecast.training.backtest import Backtest, Candidate, Forecasts
    from lakecast.training.bench import FittingBench
    from lakecast.training.candidates import Lineup
    from lakecast.training.select import Decision


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is trained on. `threads` change no result."""

    panel: PanelData
    spec: Spec
    threads: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One point of a family's grid and its loss in the first window; None: not screened."""

    family: str
    strategy: str
    params: Mapping[str, float | int | str]
    loss: float | None
    chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A backtest, how its parameters were found, the champion's recipe in it, and its notes."""

    backtest: Backtest
    trials: tuple[Trial, ...]
    incumbent: Choice | None
    splits: Splits
    workbench: Workbench
    notes: tuple[str, ...]


def train(
    job: Job, hooks: Hooks | None = None, *, champion: Mapping[str, Any] | None = None
) -> Ran:
    """Screen each family's grid in the first window, then backtest what is left in all of them.

    `champion` is the recipe of the champion, which is refit on the same windows. With a checkpoint
    that holds everything, nothing is fit.
    """
    hooks = hooks or Hooks()
    found = benches.splits(job.panel, job.spec)
    held = benches.make_folds(job.panel, job.spec, found)
    tried = lineup(job.spec, job.panel.info)
    floor = benches.workbench(job.panel, found, job.threads)
    bench = benches.FittingBench(floor, job.spec, found, {})
    trials, screened = _screen(bench, tried, held[0], hooks)
    candidates = _candidates(job.spec, tried, trials)
    adopted, refused = _incumbent(job, champion, candidates)
    everything = [*candidates, *adopted.added]
    backtest = run_backtest(
        replace(bench, candidates={c.name: c for c in everything}),
        everything,
        held,
        benches.groups(job.panel, job.spec),
        replace(hooks, checkpoint=Seeded(hooks.checkpoint, screened)),
    )
    return Ran(
        backtest=backtest,
        trials=trials,
        incumbent=Choice(by_class=adopted.by_class) if adopted.by_class else None,
        splits=found,
        workbench=floor,
        notes=(*map(str, found.dropped), *tried.notes, *refused),
    )


def decide(job: Job, ran: Ran) -> Decision:
    """The gate's decision."""
    spec = job.spec
    return select(ran.backtest, spec.gate, seed=spec.train.seed, incumbent=ran.incumbent)


def _candidates(spec: Spec, tried: Lineup, trials: Sequence[Trial]) -> list[Candidate]:
    """Baselines, every family and strategy with the family's best parameters, and a mean.

    The mean is of the first strategy of each family: it is fit again for every champion that
    needs it, and recursive models are the cheaper ones.
    """
    best = {trial.family: trial.params for trial in trials if trial.chosen}
    models = [
        tabular(family, strategy, best[family])
        for family in spec.train.families
        for strategy in tried.strategies
    ]
    alike = [model for model in models if model.strategy == tried.strategies[0]]
    means = [average(alike)] if len(alike) > 1 else []
    return [*tried.baselines, *models, *means]


def _incumbent(
    job: Job, champion: Mapping[str, Any] | None, candidates: Sequence[Candidate]
) -> tuple[Adopted, tuple[str, ...]]:
    """The champion's recipe, and why it is none of today's where its features do not compile."""
    nobody = Adopted(added=(), by_class={})
    if champion is None:
        return nobody, ()
    adopted = adopt(champion, candidates, job.spec)
    try:
        for one in adopted.added:
            compiles(one, job.spec, job.panel.info)
    except SpecError as error:
        return nobody, (f"the champion's recipe cannot be fit on this panel: {error.what}",)
    return adopted, ()


def _screen(
    bench: FittingBench, tried: Lineup, fold: Fold, hooks: Hooks
) -> tuple[tuple[Trial, ...], dict[tuple[str, int], pl.DataFrame]]:
    """Each family's grid in one fold, with the first strategy; and the forecasts of the best.

    A grid of one point costs nothing.
    """
    spec = bench.spec
    grids = {family: grid(spec, family) for family in spec.train.families}
    many = sum(len(points) for points in grids.values() if len(points) > 1)
    trials: list[Trial] = []
    kept: dict[tuple[str, int], pl.DataFrame] = {}
    with hooks.progress.bar("screen", many, "fits") as bar:
        for family, points in grids.items():
            models = [tabular(family, tried.strategies[0], point) for point in points]
            if len(models) == 1:
                trials.append(_trial(models[0], None, chosen=True))
                continue
            made: list[Forecasts] = []
            for index, model in enumerate(models):
                made.append(one(bench, replace(model, name=f"{model.name}/{index}"), fold, hooks))
                bar.advance()
            losses = [_loss(fold, each, folds.judged_by([fold], spec.gate.metric)) for each in made]
            best = int(np.argmin(np.where(np.isnan(losses), np.inf, losses)))
            kept[models[best].name, fold.window.index] = to_frame(made[best], fold)
            trials += [
                _trial(model, None if np.isnan(loss) else loss, chosen=index == best)
                for index, (model, loss) in enumerate(zip(models, losses, strict=True))
            ]
    return tuple(trials), kept


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
