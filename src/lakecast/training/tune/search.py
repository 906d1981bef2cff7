"""The search: rounds of trials, each window of each judged by a crew, all of it in a log.

A round's points are proposed from the rounds before it, and given up by what they found, so the
same trials come of it however many judge them. What a search ends with is the log's: run it again,
and it goes on where it was, or has nothing to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lakecast.training.tune.crew import Task
from lakecast.training.tune.log import typical_seconds
from lakecast.training.tune.sampler import Pruning, propose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.logs import Progress, Progresses
    from lakecast.spec.model import Family
    from lakecast.training.tune.court import Case
    from lakecast.training.tune.crew import Crew
    from lakecast.training.tune.log import Log, Outcome, Run, Tried
    from lakecast.training.tune.space import Point, Space, Values

ROUND: Final = 8
"""Trials that know nothing of each other."""
KEPT: Final = 2
"""Points of a family that training screens beside its defaults."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far to search: at most so many trials and, where given, about so many seconds."""

    trials: int
    seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.trials} trials" + (f", {self.seconds:g} s" if self.seconds else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The first `len(tried)` trials of a search."""

    tried: tuple[Tried, ...]
    space: Space

    @property
    def best(self) -> Tried | None:
        """The least loss; of equals the first."""
        return min(self._complete(), key=lambda one: (one.loss, one.slot), default=None)

    def point(self, one: Tried) -> Point:
        """The point of a trial."""
        return self.space.point(one.values, one.slot)

    @property
    def chosen(self) -> tuple[Tried, ...]:
        """The best trials of each family that are better than its defaults, at most two."""
        by_family: dict[Family, list[Tried]] = {family: [] for family in self.space.families}
        for one in self._complete():
            by_family[self.point(one).family].append(one)
        return tuple(one for mine in by_family.values() for one in self._better(mine))

    def _better(self, mine: Sequence[Tried]) -> list[Tried]:
        default = next((one.loss for one in mine if one.slot < len(self.space.families)), None)
        limit = math.inf if default is None else default
        ranked = sorted(mine, key=lambda one: (one.loss or 0.0, one.slot))
        better: dict[float, Tried] = {}
        for one in ranked:
            if one.loss is not None and one.loss < limit:
                better.setdefault(one.loss, one)  # equal values were tried twice
        return list(better.values())[:KEPT]

    def _complete(self) -> list[Tried]:
        return [one for one in self.tried if one.loss is not None]


def wanted(log: Log, limits: Limits) -> int | None:
    """The number of trials asked for; None where time must still be turned into it."""
    return limits.trials if limits.seconds is None else log.resolved(str(limits))


def found(log: Log, space: Space, trials: int) -> Found | None:
    """The first trials of a search; None where some are still to be done."""
    tried = tuple(one for one in log.tried() if one.slot < trials)
    return Found(tried=tried, space=space) if len(tried) == trials else None


def search(case: Case, log: Log, crew: Crew, limits: Limits, progress: Progresses) -> Found:
    """Do what is still to be done. A time budget becomes a number of trials after a round."""
    work = _Search(case, log, crew)
    total = wanted(log, limits)
    if total is None:
        first = min(ROUND, limits.trials)
        with progress.bar("tune, to see what a trial costs", first, "trials") as bar:
            work.until(first, bar)
        total = _affordable(log.tried(), limits, crew.size)
        log.resolve(str(limits), total)
    with progress.bar("tune", total, "trials") as bar:
        work.until(total, bar)
    return Found(tried=log.tried()[:total], space=case.space)


def _affordable(tried: Sequence[Tried], limits: Limits, size: int) -> int:
    """Trials that fit the time, counting all of those that were done."""
    spent = sum(one.seconds for one in tried) / size
    each = typical_seconds(tried) / size
    left = max((limits.seconds or 0.0) - spent, 0.0)
    more = math.floor(left / each) if each else limits.trials
    return min(limits.trials, len(tried) + more)


@dataclass(slots=True)
class _Search:
    case: Case
    log: Log
    crew: Crew
    _known: dict[int, tuple[float, ...]] = field(default_factory=dict)

    def until(self, total: int, bar: Progress) -> None:
        """All slots before `total`, round by round."""
        ended = {one.slot for one in self.log.tried()}
        bar.advance(sum(slot < total for slot in ended))
        for start in range(0, total, ROUND):
            slots = range(start, min(start + ROUND, total))
            missing = [slot for slot in slots if slot not in ended]
            if missing:
                self._round(start, missing, bar)

    def _round(self, start: int, slots: Sequence[int], bar: Progress) -> None:
        history = self.log.history(before=start)
        pruning = Pruning(history)
        before = {
            self._key(one.values, one.slot): one.losses
            for one in self.log.tried()
            if one.slot < start
        }
        runs: dict[int, Run] = {}
        for slot in slots:
            values = self.case.space.default(slot) or propose(
                self.case.space, history, self.case.seed, slot
            )
            runs[slot] = self.log.begin(self.case.space, slot, values)
            self._known[slot] = before.get(self._key(values, slot)) or self.log.left(slot, values)
        open_runs = sum(self._go_on(run, pruning, bar) for run in runs.values())
        while open_runs:
            task, verdict = self.crew.next()
            runs[task.slot].add(verdict.loss, verdict.seconds)
            open_runs -= not self._go_on(runs[task.slot], pruning, bar)

    def _go_on(self, run: Run, pruning: Pruning, bar: Progress) -> bool:
        """Hand out a trial's next window, or end it; False at its end."""
        while True:
            outcome = self._outcome(run, pruning)
            if outcome is not None:
                self.log.end(run, outcome)
                bar.advance()
                return False
            window = len(run.losses)
            known = self._known[run.slot]
            if window >= len(known):
                point = self.case.space.point(run.values, run.slot)
                self.crew.submit(Task(run.slot, point, window))
                return True
            run.add(known[window], 0.0)

    def _outcome(self, run: Run, pruning: Pruning) -> Outcome | None:
        if run.failed:
            return "failed"
        if len(run.losses) == len(self.case.windows):
            return "complete"
        return "pruned" if run.losses and pruning.hopeless(run.losses) else None

    def _key(self, values: Values, slot: int) -> tuple[object, ...]:
        """Equal for equal points."""
        point = self.case.space.point(values, slot)
        return point.family, point.label, point.scaled, tuple(sorted(point.params.items()))
