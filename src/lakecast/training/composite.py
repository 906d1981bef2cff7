"""Candidates that are choices between candidates, scored nested.

`best` follows the overall winner so far, `best by class` each demand class's. `auto` follows
whichever of these two did better so far (`best` to begin with) and is what the gate judges: so
even the choice between the two is made with earlier windows only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core import folds, metrics, nested
from lakecast.core.classes import CLASSES
from lakecast.training.backtest import Candidate, Forecasts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.training.backtest import Backtest

BEST: Final = "best"
BY_CLASS: Final = "best by class"
AUTO: Final = "auto"


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


def with_policies(backtest: Backtest, pool: Sequence[str], metric: str) -> Policies:
    """Add `best`, `best by class` and `auto`, which choose among `pool`.

    Equal losses: the first of the pool. With a single window there is nothing to nest: the choice
    is made with that window, and the composites' figures are its own.
    """
    past = _history(backtest, pool, metric, backtest.folds)
    plans = {BEST: nested.best(past), BY_CLASS: nested.best_by_class(past)}
    for name, plan in plans.items():
        backtest = _followed(backtest, name, plan, pool)
    auto = nested.best(_history(backtest, list(plans), metric, backtest.folds[1:]))
    lines = [auto[:1], auto] if len(backtest.folds) > 1 else [auto, auto]
    backtest = _followed(backtest, AUTO, np.concatenate(lines), list(plans))
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
    return _followed(backtest, name, every, pool, nested=False)


def _history(
    backtest: Backtest, pool: Sequence[str], metric: str, past: Sequence[folds.Fold]
) -> nested.History:
    size = len(CLASSES)
    stats = np.zeros((len(pool), len(past), size, len(metrics.STATS)))
    for k, fold in enumerate(past):
        for c, name in enumerate(pool):
            totals = folds.totals(fold, backtest.of(name, fold))
            stats[c, k] = metrics.total(fold.classes, totals, size)
    scored = [~np.isnan(fold.scored).all(axis=1) for fold in past]
    return nested.History(
        stats=stats,
        series=np.array(
            [np.bincount(f.classes[s], minlength=size) for f, s in zip(past, scored, strict=True)]
        ).reshape(len(past), size),
        ranked=np.array([folds.ranked(fold, metric) for fold in past]).reshape(len(past), size),
        metric=metric,
    )


def _followed(
    backtest: Backtest,
    name: str,
    plan: NDArray[np.int64],
    pool: Sequence[str],
    *,
    nested: bool = True,
) -> Backtest:
    """Row k of the plan serves window k; window 0, where nothing is known, borrows row 1."""
    made = {
        fold.window.index: _composed(backtest, plan[max(k, 1)], pool, fold)
        for k, fold in enumerate(backtest.folds)
    }
    family = "choice" if nested else "champion"
    return backtest.add(Candidate(name=name, family=family, nested=nested), made)


def _composed(
    backtest: Backtest, choice: NDArray[np.int64], pool: Sequence[str], fold: folds.Fold
) -> Forecasts:
    members = [backtest.forecasts[name, fold.window.index] for name in pool]
    values = nested.compose(choice, [member.values for member in members], fold.classes)
    pick = choice[fold.classes]
    source = np.stack([member.source for member in members])[pick, np.arange(len(pick))]
    return Forecasts(values=values, source=source)
