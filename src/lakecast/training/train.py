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

from lakecast.errors import SpecError
from lakecast.models.workbench import BUDGET
from lakecast.training import bench as benches
from lakecast.training.backtest import Hooks, Seeded, run_backtest
from lakecast.training.bench import FittingBench
from lakecast.training.candidates import Adopted, adopt, average, compiles, lineup, parted
from lakecast.training.composite import Choice
from lakecast.training.screen import screen
from lakecast.training.select import select
from lakecast.training.spread import SpreadBench, Workplace
from lakecast.training.tune.points import join

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from lakecast.core.block import PanelData
    from lakecast.core.splits import Splits
    from lakecast.engines.protocol import Engine
    from lakecast.spec.model import Spec
    from lakecast.training.backtest import Backtest, Candidate
    from lakecast.training.candidates import Lineup
    from lakecast.training.hierarchy import Tree
    from lakecast.training.screen import Trial
    from lakecast.training.select import Decision
    from lakecast.training.tune.points import Points


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is trained on. `points` were found by tuning.

    `series` are the panel's, with `series_code`, id columns and statics, which tell the levels
    that models are screened by; None: no levels. `threads`, the `memory` that rows may take of a
    process that fits, in bytes, and the `engine` whose workers fit (None: this process) change no
    result. Where they fit `together`, each model of all rows is fit by all of them: see
    `models.together`.
    """

    panel: PanelData
    spec: Spec
    threads: int = 1
    memory: int = BUDGET
    points: Points | None = None
    series: pl.DataFrame | None = None
    engine: Engine | None = None
    together: bool = False

    @property
    def spread(self) -> bool:
        """Whether another process than this one fits."""
        return self.engine is not None and self.engine.spread


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A backtest, how its parameters were found, the champion's recipe in it, and its notes."""

    backtest: Backtest
    trials: tuple[Trial, ...]
    incumbent: Choice | None
    splits: Splits
    bench: FittingBench | SpreadBench
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
    held = benches.make_folds(job.panel, job.spec, found, job.engine)
    tried = join(lineup(job.spec, job.panel.info), job.points, found, job.spec)
    bench = _bench(job, found)
    screened = screen(bench, tried, held[0], hooks, job.series)
    candidates = _candidates(tried, screened.models, job.spec.train.parts)
    adopted, refused = _incumbent(job, champion, candidates)
    everything = [*candidates, *adopted.added]
    backtest = run_backtest(
        replace(bench, candidates={c.name: c for c in everything}),
        everything,
        held,
        benches.groups(job.panel, job.spec),
        replace(
            hooks,
            checkpoint=Seeded(hooks.checkpoint, screened.forecasts),
            fitted=bench.release,
        ),
    )
    return Ran(
        backtest=backtest,
        trials=screened.trials,
        incumbent=Choice(by_class=adopted.by_class) if adopted.by_class else None,
        splits=found,
        bench=bench,
        notes=(*map(str, found.dropped), *tried.notes, *refused),
    )


def _bench(job: Job, found: Splits) -> FittingBench | SpreadBench:
    """Where candidates are fit: here, or on the engine's workers."""
    if job.engine is not None and job.spread and not job.together:
        place = Workplace(panel=job.panel, spec=job.spec, splits=found, budget=job.memory)
        return SpreadBench(job.engine, place)
    floor = benches.workbench(
        job.panel, found, threads=job.threads, budget=job.memory,
        together=job.engine if job.spread else None,
    )  # fmt: skip
    return FittingBench(floor, job.spec, found, {})


def decide(job: Job, ran: Ran, tree: Tree | None = None) -> Decision:
    """The gate's decision; `tree` holds the levels above the series."""
    spec = job.spec
    return select(ran.backtest, spec.gate, seed=spec.train.seed, incumbent=ran.incumbent, tree=tree)


def _candidates(tried: Lineup, models: Sequence[Candidate], parts: int) -> list[Candidate]:
    """Baselines, what came through the screening, its mean, and the best of it fit in parts."""
    means = [average(models)] if len(models) > 1 else []
    apart = parted(models[0], parts) if models and parts > 1 else ()
    return [*tried.baselines, *models, *means, *apart]


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
