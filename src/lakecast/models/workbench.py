"""Fitting many recipes at many cutoffs of one panel: binned sets are made once.

A small panel is held in memory. What depends on the panel and the plan alone is kept, least
recently used out first, within a budget of bytes. Bin edges come from rows at or before the
earliest cutoff that has enough rows, so what is fit at a cutoff knows nothing later.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from lakecast.core.block import MemoryPanel, SharePanel, ThinPanel, after
from lakecast.core.features import FeaturePlan, fit_plan, state_at
from lakecast.core.features.defaults import DEFAULTS
from lakecast.machine import give_back, trim
from lakecast.models import sizes
from lakecast.models.linear import Ridge
from lakecast.models.partitioned import grouped, joined
from lakecast.models.protocol import Answer
from lakecast.models.routed import Prior, Routed
from lakecast.models.rows import Census, PanelRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lakecast.core.block import Block, Future, PanelData, PanelInfo
    from lakecast.core.features import FittedPlan, State
    from lakecast.models.binned import BinnedSet, Edges
    from lakecast.models.boosting import Trees
    from lakecast.models.partitioned import Partitioned
    from lakecast.models.protocol import Fitted, Forecaster
    from lakecast.models.together import Workers

BUDGET: Final = 2_000_000_000
RECENT: Final = 1.15  # a year and a season: 420 days
_LEAST_ROWS: Final = 64
# Cells below which one fit on several threads waits more than it works.
_SMALL: Final = 20_000_000
_STANDINGS: Final = 4  # two kinds of baselines, recursive and direct models at one cutoff


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """The rows a fit sees: periods `start` (None: all) .. `cutoff`, about `most` of them.

    The newest ones; but where that would be less than `RECENT` years, a draw of the series.
    """

    cutoff: int
    start: int | None = None
    most: int | None = None


class Learner(Protocol):
    """What a workbench needs to know of a recipe to fit one regressor."""

    @property
    def scaled(self) -> bool:
        """Whether rows are divided by their scale."""
        ...

    @property
    def seed(self) -> int:
        """Of sampling and of the regressor."""
        ...

    @property
    def partition(self) -> str:
        """The static column by whose values regressors are fit apart; empty: one of all rows."""
        ...

    @property
    def part(self) -> tuple[int, ...]:
        """Index and number of the part of the series that is learnt from; empty: all of them."""
        ...

    def regressor(self, threads: int) -> Ridge | Trees:
        """A fresh regressor."""
        ...


class Sketch(Protocol):
    """A recipe as a workbench sees it."""

    @property
    def name(self) -> str:
        """Unique among the candidates."""
        ...

    @property
    def minimum(self) -> float | None:
        """No forecast is below this."""
        ...

    def lead(self, info: PanelInfo) -> int:
        """The smallest lag at which the target is used."""
        ...

    def inner(self, bench: Workbench, cutoff: int, start: int | None) -> Forecaster:
        """The forecaster without the rules of `Routed`; it may answer null."""
        ...


@dataclass(slots=True, eq=False)
class _Shared:
    """Rows of one plan up to the last cutoff, and a binned set of those of `part` once asked for.

    `part` is all rows where they and a copy of those of one fit go into the budget; else it is the
    rows of the last fit, which then needs no copy. `apart` counts rows by column and value.
    """

    rows: PanelRows
    edges: Edges | None = None
    binned: BinnedSet | None = None
    part: tuple[int, int] | None = None
    apart: dict[str, dict[int, Census]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return _size(self.rows) if self.binned is not None else 0


def _size(rows: PanelRows) -> int:
    return sizes.binned(rows.rows, len(rows.columns))


class _Key(NamedTuple):
    """What shared rows depend on; `own` is the one cutoff they are for (None: all of them), `part`
    the share of the series that they are of (empty: all)."""

    plan: FeaturePlan
    scaled: bool
    seed: int
    most: int | None
    own: int | None
    part: tuple[int, ...]


_Standing = tuple[int, int, int, tuple["FeaturePlan", ...]]
"""What states depend on: the cutoff, the horizon, the memory and the plans."""


class Workbench:
    """Fits at the cutoffs it was made for; trees of all rows by the workers `together`, if given.

    Safe between threads. `threads` change no bit of what is fit: small models of one recipe are
    fit side by side, a large one on all threads.
    """

    def __init__(
        self,
        panel: PanelData,
        cutoffs: Sequence[int],
        *,
        threads: int = 1,
        budget: int = BUDGET,
        together: Workers | None = None,
    ) -> None:
        held = together is None and panel.info.size <= sizes.HELD
        self.panel = MemoryPanel.of(panel) if held else panel
        self._together = together
        self.cutoffs = tuple(sorted(set(cutoffs)))
        self.threads = threads
        self.budget = budget
        self._shared: OrderedDict[_Key, _Shared] = OrderedDict()
        self._thin: dict[tuple[object, ...], tuple[PanelData, Census]] = {}
        self._priors: dict[int, Prior] = {}
        self._standings: OrderedDict[_Standing, tuple[tuple[State, Future], ...]] = OrderedDict()
        self._partitions = {""}
        self._lock = RLock()
        self._most = sizes.ROOM * budget
        # Where one plan's rows fill the budget, two plans at a time would not fit.
        self._large = 100 * panel.info.rows > budget

    def fit(self, recipe: Sketch, cutoff: int, start: int | None = None) -> Forecaster:
        """The recipe fit on periods `start` .. `cutoff`, behind the rules of `Routed`."""
        trim()  # a fit leaves holes of all sizes, and the next one asks for others
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
            for state, future in self._inputs(forecaster, cutoff, horizon)
        ]
        return Answer(
            values=np.concatenate([answer.values for answer in answers]),
            source=np.concatenate([answer.source for answer in answers]),
        )

    def release(self) -> None:
        """Let go of a large panel's rows and sets, which can be made again."""
        with self._lock:
            self._standings.clear()
            if self._large:
                self._shared.clear()
                give_back()

    def learn(
        self, learner: Learner, plans: Sequence[FeaturePlan], reach: Reach
    ) -> list[tuple[FittedPlan, Fitted]]:
        """Each plan with its statistics, and the learner fit on its rows."""
        if self._large or self._together is not None:
            return [self._learn(learner, plan, reach) for plan in plans]
        with ThreadPoolExecutor(min(self.threads, len(plans))) as pool:
            return list(pool.map(lambda plan: self._learn(learner, plan, reach), plans))

    def _inputs(
        self, forecaster: Forecaster, cutoff: int, horizon: int
    ) -> Iterable[tuple[State, Future]]:
        """`inputs`, kept where they are small: forecasters of a kind follow each other."""
        info, memory = self.panel.info, forecaster.memory
        size = 4 * info.series * (memory + horizon) * (1 + len(info.covariates))
        if _STANDINGS * size > self.budget / 16:
            return inputs(self.panel, forecaster, cutoff, horizon)
        key = (cutoff, horizon, memory, forecaster.plans)
        with self._lock:
            if key not in self._standings:
                self._standings[key] = tuple(inputs(self.panel, forecaster, cutoff, horizon))
            self._standings.move_to_end(key)
            while len(self._standings) > _STANDINGS:
                self._standings.popitem(last=False)
            return self._standings[key]

    def _learn(
        self, learner: Learner, plan: FeaturePlan, reach: Reach
    ) -> tuple[FittedPlan, Fitted]:
        own = reach.cutoff if plan.fold_specific else None
        reach = self._held_back(learner, plan, reach)
        shared = self._rows(_Key(plan, learner.scaled, learner.seed, reach.most, own, learner.part))
        start = _start(shared.rows.census, reach)
        rows = shared.rows.within(start, reach.cutoff)
        small = rows.rows * len(rows.columns) < _SMALL
        regressor = learner.regressor(1 if small else self.threads)
        fitted = replace(rows.fitted, cutoff=reach.cutoff)
        if rows.rows < _LEAST_ROWS or isinstance(regressor, Ridge):
            return fitted, regressor.fit(rows)
        if self._together is not None and not learner.partition:
            from lakecast.models.together import fit_together

            return fitted, fit_together(regressor, rows, self._early(shared.rows), self._together)
        if not learner.partition:
            binned = self._binned(shared, rows, learner)
            return fitted, regressor.fit_binned(binned, reach.cutoff, start)
        if sizes.fitted_apart(rows.rows, len(rows.columns)) > self._most:
            return fitted, self._in_turn(regressor, learner, shared, rows)
        binned = self._binned(shared, rows, learner)
        return fitted, regressor.fit_partitions(binned, learner.partition, reach.cutoff, start)

    def _held_back(self, learner: Learner, plan: FeaturePlan, reach: Reach) -> Reach:
        """The reach with no more rows than the budget allows trees that see all of them.

        Workers that fit together hold a share of them each.
        """
        if learner.partition or isinstance(learner.regressor(1), Ridge):
            return reach
        share = self._together.workers if self._together is not None else 1
        most = int(share * self._most // sizes.fitted(1, len(plan.names)))
        return replace(reach, most=min(reach.most or most, max(most, sizes.LEAST_ROWS)))

    def _in_turn(
        self, regressor: Trees, learner: Learner, shared: _Shared, rows: PanelRows
    ) -> Partitioned:
        """Models apart, a binned set of as many values at a time as the budget allows."""
        by = learner.partition
        with self._lock:
            self._partitions.add(by)
            shared.binned = None
            every = shared.rows
            if by not in shared.apart:
                lead = every.fitted.plan.lead
                shared.apart[by] = Census.apart(every.panel, lead, every.cutoff, by)
            counts = shared.apart[by]
            parts = {value: part.rows(rows.start, rows.cutoff) for value, part in counts.items()}
            parts = {value: count for value, count in parts.items() if count}
            limit = self._most // sizes.fitted_apart(1, len(rows.columns))

            def fit(turn: Sequence[int]) -> Partitioned:
                trim()
                only = rows.only(by, {value: counts[value] for value in turn})
                return regressor.fit_partitions(self._bin(only, shared, learner), by)

            found = [fit(turn) for turn in _turns(parts, limit)]  # a set is gone before the next
        return joined(found, parts)

    def _prior(self, cutoff: int) -> Prior:
        with self._lock:
            if cutoff not in self._priors:
                self._priors[cutoff] = Prior.fit(self.panel, cutoff)
            return self._priors[cutoff]

    def _binned(self, shared: _Shared, rows: PanelRows, learner: Learner) -> BinnedSet:
        """A set that holds the rows and the column that the learner is parted by."""
        with self._lock:
            wanted = shared.rows if self._roomy(shared.rows) else rows
            part = (wanted.start, wanted.cutoff)
            known = learner.partition in self._partitions
            self._partitions.add(learner.partition)
            if shared.binned is None or shared.part != part or not known:
                shared.binned = None  # gone before the next one is made
                shared.binned, shared.part = self._bin(wanted, shared, learner), part
                self._shrink()
            return shared.binned

    def _roomy(self, rows: PanelRows) -> bool:
        return 2 * _size(rows) <= self.budget

    def _rows(self, key: _Key) -> _Shared:
        with self._lock:
            if key not in self._shared:
                self._shared[key] = _Shared(self._made(key))
                self._shrink()
            self._shared.move_to_end(key)
            return self._shared[key]

    def _made(self, key: _Key) -> PanelRows:
        last = self.cutoffs[-1] if key.own is None else key.own
        panel, census = self._thinned(key)
        return PanelRows(
            panel=panel,
            fitted=fit_plan(key.plan, self.panel, last),
            scaled=key.scaled,
            census=census,
            start=census.first if key.most is None else census.start(self.cutoffs[0], key.most),
            cutoff=last,
        )

    def _thinned(self, wanted: _Key) -> tuple[PanelData, Census]:
        """The series that are trained on, and how many rows they have by period."""
        lead, most, seed = wanted.plan.lead, wanted.most, wanted.seed
        key = (lead, most, seed, wanted.part)
        if key not in self._thin:
            panel = SharePanel(self.panel, *wanted.part) if wanted.part else self.panel
            census = Census.take(panel, lead, self.cutoffs[-1])
            recent = int(RECENT * DEFAULTS[panel.info.frequency.unit].year)
            rows = census.rows(self.cutoffs[0] + 1 - recent, self.cutoffs[0])
            if most is not None and rows > most:
                panel = ThinPanel(panel, most / rows, seed)
                census = Census.take(panel, lead, self.cutoffs[-1])
            self._thin[key] = (panel, census)
        return self._thin[key]

    def _bin(self, rows: PanelRows, shared: _Shared, learner: Learner) -> BinnedSet:
        from lakecast.models.binned import BinnedSet, Edges

        if shared.edges is None:
            early = self._early(shared.rows)
            shared.edges = Edges.of(early, seed=learner.seed, threads=self.threads)
        found = BinnedSet.build(rows, shared.edges, partitions=self._partitions)
        if self._large:
            give_back()  # what blocks were read into, before a fit takes as much
        return found

    def _early(self, rows: PanelRows) -> PanelRows:
        """Those up to the first cutoff with rows enough, in which edges are found."""
        parts = [rows.within(None, cutoff) for cutoff in self.cutoffs]
        return next((part for part in parts if part.rows >= _LEAST_ROWS), rows)

    def _shrink(self) -> None:
        while (
            len(self._shared) > 1 and sum(one.size for one in self._shared.values()) > self.budget
        ):
            self._shared.popitem(last=False)


def inputs(
    panel: PanelData, forecaster: Forecaster, cutoff: int, horizon: int
) -> Iterator[tuple[State, Future]]:
    """State and known future of each block at a cutoff, made for the forecaster."""
    known = panel.info.known_future
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


def _turns(rows: Mapping[int, int], most: float) -> list[list[int]]:
    """The values in turns of at most so many rows (or one member), the large ones first.

    Values that share a member (see `partitioned.grouped`) share a turn.
    """
    members = {of: sum(rows[value] for value in of) for of in grouped(rows).values()}
    turns: list[list[int]] = []
    left: list[float] = []
    for of in sorted(members, key=lambda of: (-members[of], of)):
        at = next((i for i, room in enumerate(left) if room >= members[of]), len(turns))
        if at == len(turns):
            turns.append([])
            left.append(most)
        turns[at] += of
        left[at] -= members[of]
    return turns
