"""Candidates that are choices between candidates, scored nested.

`best` follows the overall winner so far, `best by class` each demand class's. `auto` follows
whichever of these two did better so far (`best` to begin with) and is what the gate judges: so
even the choice between the two is made with earlier windows only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core import folds, metrics, nested
from lakecast.core.classes import CLASSES
from lakecast.training.backtest import Candidate, Forecasts
from lakecast.training.hierarchy import mean_loss, stats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.training.backtest import Backtest
    from lakecast.training.hierarchy import Tree

BEST: Final = "best"
BY_CLASS: Final = "best by class"
AUTO: Final = "auto"
CHOICE: Final = "choice"
"""The family of the three."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which candidate forecasts each demand class."""

    by_class: Mapping[str, str]

    @property
    def members(self) -> tuple[str, ...]:
        """The candidates it needs, each once, sorted."""
        return tuple(sorted(set(self.by_class.values())))

    @classmethod
    def single(cls, name: str) -> Choice:
        """One candidate for all classes."""
        return cls(by_class=dict.fromkeys(CLASSES, name))


@dataclass(frozen=True, kw_only=True, slots=True)
class Policies:
    """A backtest with its composites, and what `auto` chooses with all windows known."""

    backtest: Backtest
    choice: Choice


def with_policies(
    backtest: Backtest, pool: Sequence[str], metric: str, tree: Tree | None = None
) -> Policies:
    """Add `best`, `best by class` and `auto`, which choose among `pool`.

    With a tree, what is best overall is best in the mean over its levels.
    Equal losses: the first of the pool. With a single window there is nothing to nest: the choice
    is made with that window, and the composites' figures are its own.
    """
    everyone = _Ranking(backtest, tuple(pool), metric, tree=tree)
    plans = {BEST: everyone.overall(), BY_CLASS: everyone.plan(nested.best_by_class)}
    for name, plan in plans.items():
        backtest = _followed(backtest, Candidate(name=name, family=CHOICE, nested=True), plan, pool)
    auto = _Ranking(backtest, tuple(plans), metric, skip=1, tree=tree).overall()
    chosen = Candidate(name=AUTO, family=CHOICE, nested=True)
    backtest = _followed(backtest, chosen, auto, list(plans))
    final = list(plans.values())[int(auto[-1, 0])][-1]
    return Policies(
        backtest=backtest,
        choice=Choice(
            by_class={kind: pool[int(at)] for kind, at in zip(CLASSES, final, strict=True)}
        ),
    )


def follow(backtest: Backtest, name: str, choice: Choice) -> Backtest:
    """Add a candidate that makes the same choice in every window: a champion's recipe."""
    pool = list(choice.members)
    plan = np.array([[pool.index(choice.by_class[kind]) for kind in CLASSES]])
    every = np.repeat(plan, len(backtest.folds) + 1, axis=0)
    return _followed(backtest, Candidate(name=name, family="champion"), every, pool)


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Candidates ranked at each cutoff by what was known there, the first `skip` windows aside."""

    backtest: Backtest
    pool: tuple[str, ...]
    metric: str
    skip: int = 0
    tree: Tree | None = None
    seen: dict[tuple[str, int, int], NDArray[np.float64]] = field(default_factory=dict)

    def overall(self) -> NDArray[np.int64]:
        """The plan of whoever is best, in the mean over levels where there are any."""
        tree = self.tree
        if tree is None:
            return self.plan(nested.best)
        return self._plan(lambda past: self._least(tree, past))

    def plan(self, choose: Callable[[nested.Past], NDArray[np.int64]]) -> NDArray[np.int64]:
        """[K + 1, Q] the choice for each window, and last the one with all windows known."""
        return self._plan(lambda past: choose(self._past(past)))

    def _plan(
        self, choose: Callable[[Sequence[folds.Fold]], NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        """Window 0, of which nothing is known before, borrows the choice of the next."""
        held = self.backtest.folds
        pasts = [*(self.backtest.past(fold) for fold in held[1:]), held]
        rows = [choose(past[self.skip :]) for past in pasts]
        return np.stack([rows[0], *rows])

    def _least(self, tree: Tree, past: Sequence[folds.Fold]) -> NDArray[np.int64]:
        """[Q] the candidate with the least mean over levels; the first without a past."""
        losses = [
            mean_loss(
                self.metric, np.stack([self._levels(tree, name, fold) for fold in past]).sum(0)
            )
            if past
            else np.nan
            for name in self.pool
        ]
        chosen = 0 if np.isnan(losses).all() else int(np.nanargmin(losses))
        return np.full(len(CLASSES), chosen, np.int64)

    def _levels(self, tree: Tree, name: str, fold: folds.Fold) -> NDArray[np.float64]:
        """[L + 1, 15], as `hierarchy.stats` gives it."""
        key = (f"levels of {name}", fold.window.index, int(np.isnan(fold.scored).sum()))
        if key not in self.seen:
            self.seen[key] = stats(tree, fold, self.backtest.of(name, fold))
        return self.seen[key]

    def _past(self, past: Sequence[folds.Fold]) -> nested.Past:
        size, width = len(CLASSES), len(metrics.STATS)
        stats = [[self._stats(name, fold) for fold in past] for name in self.pool]
        scored = [~np.isnan(fold.scored).all(axis=1) for fold in past]
        series = [
            np.bincount(fold.classes[known], minlength=size)
            for fold, known in zip(past, scored, strict=True)
        ]
        ranked = [folds.ranked(fold, self.metric) for fold in past]
        return nested.Past(
            stats=np.array(stats).reshape(len(self.pool), len(past), size, width),
            series=np.array(series, np.int64).reshape(len(past), size),
            ranked=np.array(ranked, np.bool_).reshape(len(past), size),
            metric=self.metric,
        )

    def _stats(self, name: str, fold: folds.Fold) -> NDArray[np.float64]:
        """[Q, 14] by class; the same window may be known to a different extent."""
        key = (name, fold.window.index, int(np.isnan(fold.scored).sum()))
        if key not in self.seen:
            totals = folds.totals(fold, self.backtest.of(name, fold))
            self.seen[key] = metrics.total(fold.classes, totals, len(CLASSES))
        return self.seen[key]


def _followed(
    backtest: Backtest, candidate: Candidate, plan: NDArray[np.int64], pool: Sequence[str]
) -> Backtest:
    """Add a candidate that follows a plan: row k serves window k."""
    made = {
        fold.window.index: _composed(backtest, plan[k], pool, fold)
        for k, fold in enumerate(backtest.folds)
    }
    return backtest.add(candidate, made)


def _composed(
    backtest: Backtest, choice: NDArray[np.int64], pool: Sequence[str], fold: folds.Fold
) -> Forecasts:
    members = [backtest.forecasts[name, fold.window.index] for name in pool]
    values = nested.compose(choice, [member.values for member in members], fold.classes)
    pick = choice[fold.classes]
    source = np.stack([member.source for member in members])[pick, np.arange(len(pick))]
    return Forecasts(values=values, source=source)
