"""Fitting candidates on one panel: the `Bench` of a backtest, and the final fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from lakecast.core import folds
from lakecast.core.block import Parted
from lakecast.core.splits import Span, horizon_groups, windows
from lakecast.errors import DataRefused
from lakecast.models import sizes
from lakecast.models.byclass import ByClass
from lakecast.models.workbench import BUDGET, Workbench
from lakecast.training.backtest import Forecasts
from lakecast.training.candidates import recipe
from lakecast.training.parts import by_parts

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from lakecast.core.block import PanelData, PanelInfo
    from lakecast.core.folds import Fold
    from lakecast.core.splits import Splits, Window
    from lakecast.engines.protocol import MapBlocks
    from lakecast.models.protocol import Forecaster
    from lakecast.models.together import Workers
    from lakecast.spec.model import Spec
    from lakecast.training.backtest import Asked, Candidate
    from lakecast.training.composite import Choice


class FinalBench(Protocol):
    """A bench that fits on all data."""

    @property
    def panel(self) -> PanelData:
        """What is fit on."""
        ...

    def whole(self, names: Sequence[str]) -> Iterator[Forecaster]:
        """Candidates by name, fit at the panel's cutoff; in order."""
        ...


@dataclass(frozen=True, slots=True)
class FittingBench:
    """Fits at the windows' cutoffs and at the panel's; binned sets are shared."""

    workbench: Workbench
    spec: Spec
    splits: Splits
    candidates: Mapping[str, Candidate]

    @property
    def panel(self) -> PanelData:
        """The workbench's."""
        return self.workbench.panel

    def on_sample(self, panel: PanelData, most: int) -> FittingBench:
        """On a sample of the panel, which is held in memory and taken out of the budget.

        A fit sees as large a part of it as of the panel.
        """
        del most
        whole, train = self.workbench, self.spec.train
        rows = max(train.rows * panel.info.rows // whole.panel.info.rows, 1)
        spec = replace(self.spec, train=replace(train, rows=rows))
        budget = max(int(whole.budget - panel.info.size / sizes.ROOM), 1)
        small = Workbench(panel, whole.cutoffs, threads=whole.threads, budget=budget)
        return FittingBench(small, spec, self.splits, self.candidates)

    def forecasts(self, asked: Sequence[Asked]) -> Generator[tuple[int, Forecasts]]:
        """One after the other, each when it is taken."""
        for index, (candidate, window) in enumerate(asked):
            yield index, self.forecast(candidate, window)

    def forecast(self, candidate: Candidate, window: Window) -> Forecasts:
        """Fit at the window's cutoff and forecast."""
        sketch = recipe(candidate, self.spec, self.candidates)
        fitted = self.workbench.fit(sketch, window.cutoff, window.start)
        answer = self.workbench.forecast(fitted, window.cutoff, self.spec.forecast.horizon)
        return Forecasts(values=answer.values, source=answer.source)

    def release(self) -> None:
        """Let go of what can be made again."""
        self.workbench.release()

    def whole(self, names: Sequence[str]) -> Iterator[Forecaster]:
        """See `FinalBench`; one after the other."""
        return map(self.fitted, names)

    def fitted(self, name: str) -> Forecaster:
        """One of them."""
        cutoff = self.workbench.panel.info.cutoff
        sketch = recipe(self.candidates[name], self.spec, self.candidates)
        return self.workbench.fit(sketch, cutoff, self.splits.start(cutoff))


def final(bench: FinalBench, choice: Choice) -> Forecaster:
    """The choice's members fit at the panel's cutoff, each class with its own."""
    members = dict(zip(choice.members, bench.whole(choice.members), strict=True))
    if len(members) == 1:
        return next(iter(members.values()))
    season = bench.panel.info.season
    return ByClass(members=members, by_class=dict(choice.by_class), season=season)


def splits(panel: PanelData, spec: Spec) -> Splits:
    """The windows of the spec's backtest that the panel's history can hold.

    A window needs the horizon and two seasons before its cutoff, so that direct models have rows.
    """
    info, first = panel.info, _first(panel)
    if first is None:
        raise DataRefused(
            "the panel has no series", where="panel", cure="see the findings of `lakecast panel`"
        )
    return splits_from(first, info, spec)


def _first(panel: PanelData) -> int | None:
    """The period in which the earliest series begins; a panel that does not know it is read."""
    if isinstance(panel, Parted) and panel.first is not None:
        return panel.first
    begun = (int(block.first.min()) for block in panel.blocks() if block.codes.size)
    return min(begun, default=None)


def splits_from(first: int, info: PanelInfo, spec: Spec) -> Splits:
    """As `splits`, of a panel whose earliest series begins at `first`."""
    horizon = spec.forecast.horizon
    needed = horizon + 2 * min(info.season, horizon)
    return windows(
        Span(first=first, cutoff=info.cutoff, horizon=horizon, needed=needed), spec.backtest
    )


def make_folds(
    panel: PanelData, spec: Spec, found: Splits, engine: MapBlocks | None = None
) -> tuple[Fold, ...]:
    """The folds of the windows; the panel is read once, by the engine's workers where given."""
    shape = folds.Shape(
        spec.forecast.horizon, panel.info.season, spec.backtest.gap, spec.gate.weight
    )
    work = partial(_seen, windows=found.windows, shape=shape)
    seen = [block for part in by_parts(engine, panel, work, title="folds") for block in part]
    return tuple(
        folds.fold_of([block[i] for block in seen], window, shape)
        for i, window in enumerate(found.windows)
    )


def _seen(panel: PanelData, *, windows: Sequence[Window], shape: folds.Shape) -> list[_Seen]:
    """Of each block, what the fold of each window takes of it."""
    return [
        tuple(folds.seen(block, window, shape) for window in windows) for block in panel.blocks()
    ]


_Seen = tuple[folds.Seen, ...]


def groups(panel: PanelData, spec: Spec) -> tuple[int, ...]:
    """Last horizons of the groups that intervals are calibrated by: a season each."""
    return horizon_groups(spec.forecast.horizon, panel.info.season)


def workbench(
    panel: PanelData,
    found: Splits,
    *,
    threads: int = 1,
    budget: int = BUDGET,
    together: Workers | None = None,
) -> Workbench:
    """A workbench for the windows' cutoffs and the panel's."""
    cutoffs = [*(window.cutoff for window in found.windows), panel.info.cutoff]
    return Workbench(panel, cutoffs, threads=threads, budget=budget, together=together)
