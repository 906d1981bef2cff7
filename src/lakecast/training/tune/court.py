"""Where points are judged: windows before all scored ones, on rows that are made once a process.

A point's loss in a window depends on the case, the point and the window alone: not on the process
that finds it, on how many there are, or on what was tried before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Final

from lakecast.core import folds
from lakecast.core.block import MemoryPanel, sample
from lakecast.core.splits import Splits, Window
from lakecast.errors import SpecError
from lakecast.models.workbench import BUDGET, Workbench
from lakecast.spec.model import Tune
from lakecast.training import bench as benches
from lakecast.training.candidates import lineup, recipe
from lakecast.training.tune.points import first_scored
from lakecast.training.tune.space import make_space

if TYPE_CHECKING:
    from lakecast.core.block import PanelData
    from lakecast.models.recipes import Strategy
    from lakecast.spec.model import Spec
    from lakecast.training.tune.space import Point, Space

MOST: Final = 1_000_000
"""Rows of the panel beyond which a sample of its series is searched on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What every process is given; it can be pickled.

    `panel` ends at `until`, the cutoff of the first scored window, and is held in memory. Windows
    are newest first: what says most is found out first.
    """

    panel: MemoryPanel
    spec: Spec
    space: Space
    strategy: Strategy
    splits: Splits
    until: int

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that score a trial, newest first."""
        return tuple(reversed(self.splits.windows))

    @property
    def seed(self) -> int:
        """The spec's."""
        return self.spec.train.seed


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a point in a window: its loss (NaN: none can be had), and seconds."""

    loss: float
    seconds: float


def make_case(panel: PanelData, spec: Spec) -> Case:
    """The case of a panel. Raises `SpecError` where the history before the scored windows is short.

    The panel is read three times at most.
    """
    tune = spec.tune or Tune()
    until = first_scored(benches.splits(panel, spec), spec.forecast.horizon)
    held = _until(sample(panel, MOST, seed=spec.train.seed), until)
    return Case(
        panel=held,
        spec=spec,
        space=make_space(spec, tune, panel.info),
        strategy=lineup(spec, panel.info).strategies[0],
        splits=_splits(held, spec, tune),
        until=until,
    )


class Court:
    """One process's bench: folds and binned sets are made once and shared by all points."""

    def __init__(self, case: Case, *, threads: int = 1, budget: int = BUDGET) -> None:
        self._case = case
        cutoffs = [window.cutoff for window in case.splits.windows]
        self._bench = Workbench(case.panel, cutoffs, threads=threads, budget=budget)
        made = benches.make_folds(case.panel, case.spec, case.splits)
        self._folds = tuple(reversed(made))
        self._metric = folds.judged_by(self._folds, case.spec.gate.metric)

    def judge(self, point: Point, window: int) -> Verdict:
        """Fit a point at a window's cutoff (by its place in `Case.windows`) and score it."""
        begun = perf_counter()
        spec, fold = self._case.spec, self._folds[window]
        sketch = recipe(point.candidate(self._case.strategy), spec, {})
        fitted = self._bench.fit(sketch, fold.window.cutoff, fold.window.start)
        answer = self._bench.forecast(fitted, fold.window.cutoff, spec.forecast.horizon)
        loss = folds.loss(fold, folds.totals(fold, answer.values), self._metric)
        return Verdict(loss, perf_counter() - begun)


def _until(panel: PanelData, cutoff: int) -> MemoryPanel:
    """The panel up to a cutoff, in memory; how many rows and series there are stays as it was.

    Which features are the defaults rests on those numbers, and should not change with the cut.
    """
    cut = (block.until(cutoff) for block in panel.blocks())
    held = tuple(block for block in cut if block.rows)
    return MemoryPanel(replace(panel.info, cutoff=cutoff), held)


def _splits(panel: MemoryPanel, spec: Spec, tune: Tune) -> Splits:
    from msgspec.structs import replace as changed

    backtest = changed(spec.backtest, windows=tune.windows)
    try:
        return benches.splits(panel, changed(spec, backtest=backtest))
    except SpecError as error:
        raise SpecError(
            f"no window lies before the scored ones: {error.what}",
            where="tune.windows",
            cure="ask for fewer backtest.windows or a shorter horizon, or bring more history; "
            "training needs no tuning",
        ) from error
