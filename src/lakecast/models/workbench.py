"""Fitting many recipes at many cutoffs of one panel: rows and binned sets are made once.

What depends on the panel and the plan alone is kept, least recently used out first, within a
budget of bytes. Bin edges come from rows at or before the earliest cutoff that has enough rows, so
what is fit at a cutoff knows nothing later.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core.block import after
from lakecast.core.features import FeaturePlan, fit_plan, state_at
from lakecast.models.linear import Ridge
from lakecast.models.protocol import Answer
from lakecast.models.routed import Prior, Routed
from lakecast.models.rows import Census, PanelRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lakecast.core.block import Block, Future, PanelData
    from lakecast.core.features import FittedPlan, State
    from lakecast.models.binned import BinnedSet
    from lakecast.models.protocol import Fitted, Forecaster
    from lakecast.models.recipes import Learner, Sketch

BUDGET: Final = 2_000_000_000
_LEAST_ROWS: Final = 64
# Cells below which one fit on several threads waits more than it works.
_SMALL: Final = 20_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """The rows a fit sees: periods `start` (None: all) .. `cutoff`, the newest `most` of them."""

    cutoff: int
    start: int | None = None
    most: int | None = None


@dataclass(slots=True, eq=False)
class _Shared:
    """Rows of one plan up to the last cutoff, and their binned set once it is asked for."""

    rows: PanelRows
    binned: BinnedSet | None = None

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        cells = self.rows.rows * len(self.rows.columns)
        held = 4 * cells if self.rows.held is not None else 0
        return held + (cells + 24 * self.rows.rows if self.binned is not None else 0)


class Workbench:
    """Fits at the cutoffs it was made for.

    Safe between threads. `threads` change no bit of what is fit: small models of one recipe are
    fit side by side, a large one on all threads.
    """

    def __init__(
        self, panel: PanelData, cutoffs: Sequence[int], *, threads: int = 1, budget: int = BUDGET
    ) -> None:
        self.panel = panel
        self.cutoffs = tuple(sorted(set(cutoffs)))
        self.threads = threads
        self._budget = budget
        self._shared: OrderedDict[tuple[FeaturePlan, bool, int | None], _Shared] = OrderedDict()
        self._census: dict[int, Census] = {}
        self._priors: dict[int, Prior] = {}
        self._lock = RLock()

    def fit(self, recipe: Sketch, cutoff: int, start: int | None = None) -> Forecaster:
        """The recipe fit on periods `start` .. `cutoff`, behind the rules of `Routed`."""
        return Routed(
            inner=recipe.inner(self, cutoff, start),
            season=self.panel.info.season,
            lead=recipe.lead(self.panel.info),
            minimum=recipe.minimum,
            prior=self._prior(cutoff),
        )

    def forecast(self, forecaster: Forecaster, cutoff: int, horizon: int) -> Answer:
        """Its forecasts for every series that had begun by the cutoff, in panel order."""
        answers = [
            forecaster.forecast(state, future)
            for state, future in inputs(self.panel, forecaster, cutoff, horizon)
        ]
        return Answer(
            values=np.concatenate([answer.values for answer in answers]),
            source=np.concatenate([answer.source for answer in answers]),
        )

    def learn(
        self, learner: Learner, plans: Sequence[FeaturePlan], reach: Reach
    ) -> list[tuple[FittedPlan, Fitted]]:
        """Each plan with its statistics, and the learner fit on its rows."""
        with ThreadPoolExecutor(min(self.threads, len(plans))) as pool:
            return list(pool.map(lambda plan: self._learn(learner, plan, reach), plans))

    def _learn(
        self, learner: Learner, plan: FeaturePlan, reach: Reach
    ) -> tuple[FittedPlan, Fitted]:
        shared = self._rows(plan, learner.scaled, reach.cutoff)
        start = _start(shared.rows.census, reach)
        rows = shared.rows.within(start, reach.cutoff)
        small = rows.rows * len(rows.columns) < _SMALL
        regressor = learner.regressor(1 if small else self.threads)
        if rows.rows < _LEAST_ROWS or isinstance(regressor, Ridge):
            return rows.fitted, regressor.fit(rows)
        binned = self._binned(shared, learner.seed)
        return rows.fitted, regressor.fit_binned(binned, reach.cutoff, start)

    def _prior(self, cutoff: int) -> Prior:
        with self._lock:
            if cutoff not in self._priors:
                self._priors[cutoff] = Prior.fit(self.panel, cutoff)
            return self._priors[cutoff]

    def _binned(self, shared: _Shared, seed: int) -> BinnedSet:
        with self._lock:
            if shared.binned is None:
                shared.binned = self._bin(shared.rows, seed)
                self._shrink()
            return shared.binned

    def _rows(self, plan: FeaturePlan, scaled: bool, cutoff: int) -> _Shared:
        own = cutoff if plan.fold_specific else None
        key = (plan, scaled, own)
        with self._lock:
            if key not in self._shared:
                self._shared[key] = _Shared(self._made(plan, scaled, own))
                self._shrink()
            self._shared.move_to_end(key)
            return self._shared[key]

    def _made(self, plan: FeaturePlan, scaled: bool, own: int | None) -> PanelRows:
        last = self.cutoffs[-1] if own is None else own
        if plan.lead not in self._census:
            self._census[plan.lead] = Census.take(self.panel, plan.lead, self.cutoffs[-1])
        census = self._census[plan.lead]
        rows = PanelRows(
            panel=self.panel,
            fitted=fit_plan(plan, self.panel, last),
            scaled=scaled,
            census=census,
            start=census.first,
            cutoff=last,
        )
        small = 8 * rows.rows * len(rows.columns) <= self._budget
        return rows.hold() if small else rows

    def _bin(self, rows: PanelRows, seed: int) -> BinnedSet:
        from lakecast.models.binned import BinnedSet

        soonest = rows.census.soonest(_LEAST_ROWS)
        enough = [c for c in self.cutoffs if soonest is not None and c >= soonest]
        edges = rows.within(None, min(enough, default=rows.cutoff))
        return BinnedSet.build(rows, edges, seed=seed, threads=self.threads)

    def _shrink(self) -> None:
        while (
            len(self._shared) > 1 and sum(one.size for one in self._shared.values()) > self._budget
        ):
            self._shared.popitem(last=False)


def inputs(
    panel: PanelData, forecaster: Forecaster, cutoff: int, horizon: int
) -> Iterator[tuple[State, Future]]:
    """State and known future of each block at a cutoff, made for the forecaster."""
    known = [name for name, role in panel.info.covariates.items() if role == "known-future"]
    for block in panel.blocks():
        if _begun(block, cutoff):
            state = state_at(block, cutoff, memory=forecaster.memory, plans=forecaster.plans)
            yield state, after(block, cutoff, horizon, known)


def _begun(block: Block, cutoff: int) -> bool:
    return bool((block.first <= cutoff).any())


def _start(census: Census, reach: Reach) -> int | None:
    if reach.most is None:
        return reach.start
    start = census.start(reach.cutoff, reach.most)
    return start if reach.start is None else max(start, reach.start)
