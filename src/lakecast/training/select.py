"""Who becomes champion: the gate's question, asked of the right pair on the same windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from lakecast.core import gate, metrics
from lakecast.core.folds import judged_by
from lakecast.training.backtest import BASELINE
from lakecast.training.composite import AUTO, Choice, follow, with_policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lakecast.core.gate import Verdict
    from lakecast.spec.model import Gate
    from lakecast.training.backtest import Backtest
    from lakecast.training.hierarchy import Tree

INCUMBENT: Final = "champion"
Kind = Literal["first", "refresh", "replacement", "baseline", "kept"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What was decided, and what is to be fit on all data.

    *first*: the first champion passed against the best baseline. *baseline*: it did not, so that
    baseline is champion. *replacement*: the challenger passed against the champion's recipe.
    *refresh*: the champion's recipe, fit on newer data. *kept*: not even that passed; the champion
    stays as it is and `choice` is None. `champion` names the row of the leaderboard that the
    figures of whoever forecasts now stand in. `verdicts` are in the order they were asked for.
    `notes` say what was judged otherwise than the spec says.
    """

    kind: Kind
    passed: bool
    champion: str
    choice: Choice | None
    challenger: str
    baseline: str
    verdicts: tuple[Verdict, ...]
    backtest: Backtest
    notes: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """For people: the verdicts and what follows from them."""
        said = [line for verdict in self.verdicts for line in verdict.lines()]
        noted = [f"note        {note}" for note in self.notes]
        return (*said, *noted, f"therefore   {self._therefore()}")

    def _therefore(self) -> str:
        return {
            "first": "the challenger becomes the first champion",
            "baseline": f"no model passed: the best baseline, {self.baseline}, is champion",
            "replacement": "the challenger replaces the champion",
            "refresh": "the champion's recipe is fit again on newer data",
            "kept": "the champion stays as it is",
        }[self.kind]


def select(
    backtest: Backtest,
    rule: Gate,
    *,
    seed: int,
    incumbent: Choice | None = None,
    tree: Tree | None = None,
) -> Decision:
    """Decide between the candidates of a backtest.

    `incumbent` is the champion's recipe in names of this backtest's candidates. With a `tree` of
    levels above the series, and rmsse, candidates are chosen by its mean over levels; the gate
    judges the series, which can be drawn from.
    """
    metric = judged_by(backtest.scored, rule.metric)
    judged = msgspec.structs.replace(rule, metric=metric)
    pool = [one.name for one in backtest.candidates if one.eligible]
    policies = with_policies(backtest, pool, metric, tree if metric == "rmsse" else None)
    court = _Court(policies.backtest, judged, seed)
    if incumbent is None:
        found = _first(court, policies.choice)
    else:
        found = _against(court, policies.choice, incumbent)
    return replace(found, notes=tuple(_notes(backtest, rule, metric)))


def _notes(backtest: Backtest, rule: Gate, metric: str) -> Iterator[str]:
    if metric != rule.metric:
        yield (
            f"judged by {metric}: no series has a seasonal difference, so {rule.metric} is "
            "undefined"
        )
    elif metric in {"rmsse", "mase"} and rule.weight != "equal":
        yield f"{metric} weighs each series by its {rule.weight} over one horizon"
    if len(backtest.folds) == 1:
        yield "one window only: the choice is scored on the window that made it"
    elif not backtest.nested:
        yield "all windows overlap the first: figures also reflect what screened the parameters"


def best_baseline(backtest: Backtest, rule: Gate) -> str:
    """The baseline with the least loss in the scored windows, by rmse where none may be ranked.

    One that is biased beyond what the gate allows comes after all that are not.
    """
    names = [
        one.name for one in backtest.candidates if one.family == BASELINE and not one.incumbent
    ]
    whole = [backtest.by_series(name) for name in names]
    losses = _losses([backtest.by_series(name, rule.metric) for name in names], rule.metric)
    if np.isinf(losses).all():
        losses = _losses(whole, "rmse")
    biased = _losses(whole, "bias") > rule.max_bias
    return min(zip(biased, losses, range(len(names)), names, strict=True))[-1]


def _losses(stats: Sequence[NDArray[np.float64]], metric: str) -> NDArray[np.float64]:
    """Loss of each; infinite where it is undefined."""
    figures = [metrics.figure(metric, each.sum(axis=0)) for each in stats]
    losses = metrics.loss(metric, np.array(figures, np.float64))
    return np.where(np.isnan(losses), np.inf, losses)


@dataclass(frozen=True, slots=True)
class _Court:
    backtest: Backtest
    rule: Gate
    seed: int

    def judge(self, challenger: str, champion: str, kind: gate.Kind) -> Verdict:
        case = gate.Case(
            rule=self.rule, kind=kind, windows=len(self.backtest.scored), seed=self.seed
        )
        return gate.judge(self.contender(challenger), self.contender(champion), case)

    def contender(self, name: str) -> gate.Contender:
        return gate.Contender(
            name=name,
            ranked=self.backtest.by_series(name, self.rule.metric),
            all=self.backtest.by_series(name),
        )


def _first(court: _Court, choice: Choice) -> Decision:
    baseline = best_baseline(court.backtest, court.rule)
    verdict = court.judge(AUTO, baseline, "replacement")
    return Decision(
        kind="first" if verdict.passed else "baseline",
        passed=verdict.passed,
        champion=AUTO if verdict.passed else baseline,
        choice=choice if verdict.passed else Choice.single(baseline),
        challenger=AUTO,
        baseline=baseline,
        verdicts=(verdict,),
        backtest=court.backtest,
    )


def _against(court: _Court, choice: Choice, incumbent: Choice) -> Decision:
    court = _Court(follow(court.backtest, INCUMBENT, incumbent), court.rule, court.seed)
    verdicts: list[Verdict] = []
    if choice != incumbent:
        verdicts.append(court.judge(AUTO, INCUMBENT, "replacement"))
        if verdicts[0].passed:
            return _decision(court, "replacement", choice, verdicts)
    verdicts.append(court.judge(INCUMBENT, INCUMBENT, "refresh"))
    if verdicts[-1].passed:
        return _decision(court, "refresh", incumbent, verdicts)
    return _decision(court, "kept", None, verdicts)


def _decision(
    court: _Court, kind: Kind, choice: Choice | None, verdicts: Sequence[Verdict]
) -> Decision:
    return Decision(
        kind=kind,
        passed=kind != "kept",
        champion=AUTO if kind == "replacement" else INCUMBENT,
        choice=choice,
        challenger=AUTO,
        baseline=best_baseline(court.backtest, court.rule),
        verdicts=tuple(verdicts),
        backtest=court.backtest,
    )
