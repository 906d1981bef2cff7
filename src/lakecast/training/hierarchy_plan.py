"""How the levels of a candidate are forecast: added up, or reconciled where that gains.

Chosen as all else is: for window k with what was known before it, so what is shown was decided
without looking ahead. See `core.hierarchy` for the methods.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core import hierarchy as trees
from lakecast.models.levels import METHODS, reconciled
from lakecast.training.backtest import Backtest, Candidate, Forecasts
from lakecast.training.hierarchy import mean_loss, mean_metric, stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.core.folds import Fold
    from lakecast.models.levels import Method
    from lakecast.spec.model import Spec
    from lakecast.training.hierarchy import Tree


RECONCILED: Final = ", reconciled"
"""Ending of the name of a candidate's forecasts as reconciled, in the table `backtest`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plan:
    """How a candidate's levels are forecast: in each window as chosen before it, and now.

    `loss` and `sums` are the nested loss of the plan and of adding up, means over levels by
    `metric`.
    """

    method: Method
    by_window: tuple[Method, ...]
    metric: str
    loss: float
    sums: float


def make_plan(tree: Tree, backtest: Backtest, name: str, spec: Spec) -> Plan:
    """Choose between the methods for a candidate. Without a past it adds up.

    Under `auto` another method than adding up needs a gain in the scored windows, nested.
    """
    court = _Court(tree, backtest, name, spec)
    allowed = _allowed(spec)
    chosen = [court.best(allowed, backtest.past(fold)) for fold in backtest.folds]
    method = court.best(allowed, backtest.folds)
    sums: list[Method] = ["bottom_up"] * len(chosen)
    loss, plain = court.nested(chosen), court.nested(sums)
    if spec.hierarchy.method == "auto" and not (backtest.nested and loss < plain):
        method, chosen, loss = "bottom_up", sums, plain
    return Plan(
        method=method,
        by_window=tuple(chosen),
        metric=court.metric,
        loss=loss,
        sums=plain,
    )


def _allowed(spec: Spec) -> tuple[Method, ...]:
    return {"auto": METHODS, "bottom_up": METHODS[:1], "wls": METHODS[1:]}[spec.hierarchy.method]


@dataclass(frozen=True, slots=True)
class _Court:
    """What each method would have given in each window."""

    tree: Tree
    backtest: Backtest
    name: str
    spec: Spec
    seen: dict[tuple[Method, int, int], NDArray[np.float64]] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """What is averaged over levels."""
        return mean_metric(self.backtest.folds)

    def best(self, methods: Sequence[Method], past: Sequence[Fold]) -> Method:
        """The one with the least loss so far; the first of equals, and of those never tried."""
        if len(methods) == 1 or not past:
            return methods[0]
        losses = [
            mean_loss(self.metric, self._sum([self._stats(one, fold) for fold in past]))
            for one in methods
        ]
        return methods[int(np.argmin(np.where(np.isnan(losses), np.inf, losses)))]

    def nested(self, chosen: Sequence[Method]) -> float:
        """Loss in the scored windows of a method a window."""
        held = [self._stats(chosen[fold.window.index], fold) for fold in self.backtest.scored]
        return mean_loss(self.metric, self._sum(held))

    def values(self, method: Method, fold: Fold) -> NDArray[np.float64]:
        """[S, H] the series' forecasts by a method, with what was known at the fold's cutoff."""
        base = self.backtest.of(self.name, fold)
        if method == "bottom_up":
            return base
        own, minimum = self.tree.own[fold.window.index], self.spec.forecast.minimum
        return reconciled(self.tree.at(fold), base, own, minimum)

    def _stats(self, method: Method, fold: Fold) -> NDArray[np.float64]:
        """The same window may be known to a different extent."""
        key = (method, fold.window.index, int(np.isnan(fold.scored).sum()))
        if key not in self.seen:
            self.seen[key] = stats(self.tree, fold, self.values(method, fold))
        return self.seen[key]

    @staticmethod
    def _sum(held: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.asarray(np.stack(held).sum(axis=0))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Above:
    """The levels over a candidate, as they are forecast.

    `held` is the candidate's backtest on each level under the plan, and last on the series.
    """

    name: str
    tree: Tree
    plan: Plan
    held: tuple[Backtest, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What `held` is of."""
        return (*(level.name for level in self.tree.by_code.levels), trees.SERIES)

    def moved(self) -> Backtest | None:
        """The series' forecasts as reconciled, under a name of their own; None where none was."""
        if set(self.plan.by_window) == {"bottom_up"}:
            return None
        series = self.held[-1]
        name = f"{self.name}{RECONCILED}"
        return replace(
            series,
            candidates=(Candidate(name=name, family="choice", nested=True),),
            forecasts={(name, index): made for (_, index), made in series.forecasts.items()},
        )

    def note(self) -> str:
        """What was chosen, and what it gains, nested."""
        plan = self.plan
        if plan.method == "bottom_up":
            return f"levels add up: mean {plan.metric} over levels {plan.sums:.4g}"
        return (
            f"levels by {plan.method}: mean {plan.metric} over levels {plan.loss:.4g}, "
            f"{plan.sums:.4g} added up"
        )


def above(tree: Tree, backtest: Backtest, name: str, spec: Spec) -> Above:
    """The levels over a candidate."""
    plan = make_plan(tree, backtest, name, spec)
    held = _planned(_Court(tree, backtest, name, spec), plan)
    return Above(name=name, tree=tree, plan=plan, held=held)


def _planned(court: _Court, plan: Plan) -> tuple[Backtest, ...]:
    tree, backtest = court.tree, court.backtest
    series: dict[int, NDArray[np.float64]] = {}
    levels: list[dict[int, NDArray[np.float64]]] = [{} for _ in tree.tiers]
    for fold, method in zip(backtest.folds, plan.by_window, strict=True):
        values = series[fold.window.index] = court.values(method, fold)
        for held, sums in zip(levels, tree.compared(fold, values), strict=True):
            held[fold.window.index] = sums
    above = list(zip(*(tree.folds(fold) for fold in backtest.folds), strict=True))
    return (
        *(_alone(court, folds, held) for folds, held in zip(above, levels, strict=True)),
        _alone(court, backtest.folds, series),
    )


def _alone(
    court: _Court, held: Sequence[Fold], values: Mapping[int, NDArray[np.float64]]
) -> Backtest:
    """A backtest of the one candidate."""
    return Backtest(
        folds=tuple(held),
        groups=court.backtest.groups,
        candidates=(court.backtest.candidate(court.name),),
        forecasts={
            (court.name, index): Forecasts(values=each, source=np.full(len(each), "model"))
            for index, each in values.items()
        },
    )
