"""Who becomes champion: the gate's question, asked of the right pair on the same windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from lakecast.core import gate, metrics
from lakecast.training.backtest import BASELINE
from lakecast.training.composite import AUTO, Choice, with_policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakecast.core.gate import Verdict
    from lakecast.spec.model import Gate
    from lakecast.training.backtest import Backtest

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
    """

    kind: Kind
    passed: bool
    champion: str
    choice: Choice | None
    challenger: str
    baseline: str
    verdicts: tuple[Verdict, ...]
    backtest: Backtest

    def lines(self) -> tuple[str, ...]:
        """For people: the verdicts and what follows from them."""
        said = [line for verdict in self.verdicts for line in verdict.lines()]
        return (*said, f"therefore   {self._therefore()}")

    def _therefore(self) -> str:
        return {
            "first": "the challenger becomes the first champion",
            "baseline": f"no model passed: the best baseline, {self.baseline}, is champion",
            "replacement": "the challenger replaces the champion",
            "refresh": "the champion's recipe is fit again on newer data",
            "kept": "the champion stays as it is",
        }[self.kind]


def select(
    backtest: Backtest, rule: Gate, *, seed: int, incumbent: Choice | None = None
) -> Decision:
    """Decide between the candidates of a backtest.

    `incumbent` is the champion's recipe in names of this backtest's candidates.
    """
    pool = [one.name for one in backtest.candidates if not one.incumbent]
    policies = with_policies(backtest, pool, rule.metric)
    court = _Court(policies.backtest, rule, seed)
    if incumbent is None:
        return _first(court, policies.choice)
    return _against(court, policies.choice, incumbent)


def best_baseline(backtest: Backtest, metric: str) -> str:
    """The baseline with the least loss in the scored windows."""
    names = [
        one.name for one in backtest.candidates if one.family == BASELINE and not one.incumbent
    ]
    losses = [
        float(metrics.loss(metric, metrics.figure(metric, stats)))
        for stats in (backtest.by_series(name, metric).sum(axis=0) for name in names)
    ]
    ranks = np.where(np.isnan(losses), np.inf, losses)
    return names[int(np.argmin(ranks))]


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
    baseline = best_baseline(court.backtest, court.rule.metric)
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
    from lakecast.training.composite import follow

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
        baseline=best_baseline(court.backtest, court.rule.metric),
        verdicts=tuple(verdicts),
        backtest=court.backtest,
    )
