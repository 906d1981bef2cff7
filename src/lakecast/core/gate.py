"""The promotion gate: may this candidate replace that one?

The figure is the relative difference of the aggregate loss on the same windows, with a 95%
interval from a seeded bootstrap. Series are drawn with replacement and each draw keeps a series'
rows in every window: its errors in two windows are not independent, and treating them so would
make the interval too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from lakecast.core.metrics import figure, loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lakecast.spec.model import Gate

Kind = Literal["refresh", "replacement"]
DRAWS: Final = 1000
_CHUNK: Final = 4_000_000  # counts held at once


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """A candidate's stats [U, 14] by series, summed over the scored windows.

    `ranked` holds only the rows that may decide under the gate's metric, `all` every row. Both
    contenders of a gate have the same series in the same order.
    """

    name: str
    ranked: NDArray[np.float64]
    all: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the gate found. `difference` < 0: the challenger is better; NaN: not comparable."""

    passed: bool
    kind: Kind
    challenger: str
    champion: str
    metric: str
    challenger_figure: float
    champion_figure: float
    difference: float
    low: float
    high: float
    bias: float
    max_bias: float
    series: int
    windows: int
    reasons: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """The verdict in seven lines."""
        ours, theirs = _number(self.challenger_figure), _number(self.champion_figure)
        low, high = _percent(self.low), _percent(self.high)
        windows = "1 window" if self.windows == 1 else f"{self.windows} windows"
        return (
            f"decision    {'passed' if self.passed else 'not passed'} ({self.kind})",
            f"challenger  {self.challenger}",
            f"champion    {self.champion}",
            f"{self.metric:<12}{ours} against {theirs}, {self.series} series in {windows}",
            f"difference  {_percent(self.difference)}, 95% interval {low} to {high}",
            f"bias        {_percent(self.bias)}, at most {self.max_bias:.1%} either way",
            f"because     {'; '.join(self.reasons)}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """How to judge: the spec's rule, the kind of change, the windows scored and the seed."""

    rule: Gate
    kind: Kind
    windows: int
    seed: int


def judge(challenger: Contender, champion: Contender, case: Case) -> Verdict:
    """The verdict on a challenger."""
    metric = case.rule.metric
    ours, theirs = _loss(metric, challenger.ranked), _loss(metric, champion.ranked)
    difference = _relative(ours, theirs)
    low, high = _interval(challenger.ranked, champion.ranked, case)
    bias = float(figure("bias", challenger.all.sum(axis=0)))
    found = _Found(difference, low, high, bias)
    reasons = (*_bias_reasons(found, case.rule), *_metric_reasons(found, case))
    return Verdict(
        passed=not reasons,
        kind=case.kind,
        challenger=challenger.name,
        champion=champion.name,
        metric=metric,
        challenger_figure=float(figure(metric, challenger.ranked.sum(axis=0))),
        champion_figure=float(figure(metric, champion.ranked.sum(axis=0))),
        difference=difference,
        low=low,
        high=high,
        bias=bias,
        max_bias=case.rule.max_bias,
        series=int((challenger.ranked[:, 0] > 0).sum()),
        windows=case.windows,
        reasons=reasons or (_praise(found, case),),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    difference: float
    low: float
    high: float
    bias: float


def _bias_reasons(found: _Found, rule: Gate) -> Iterator[str]:
    if np.isnan(found.bias):
        yield "bias cannot be computed: the actuals sum to zero"
    elif abs(found.bias) > rule.max_bias:
        yield f"bias {_percent(found.bias)} is beyond {rule.max_bias:.1%}"


def _metric_reasons(found: _Found, case: Case) -> Iterator[str]:
    rule = case.rule
    if np.isnan(found.difference):
        yield f"no {rule.metric} to compare: nothing scored may rank under this metric"
    elif case.kind == "refresh":
        if found.difference > rule.max_loss:
            yield f"worse by {_percent(found.difference)}, more than {rule.max_loss:.1%}"
    elif -found.difference < rule.min_gain:
        yield f"the gain of {_percent(-found.difference)} is below {rule.min_gain:.1%}"
    elif np.isnan(found.high):
        yield "the interval is unknown: too few series to draw from"
    elif found.high >= 0:
        yield "the interval of the difference includes zero"


def _praise(found: _Found, case: Case) -> str:
    if case.kind == "refresh":
        return f"not worse by more than {case.rule.max_loss:.1%}, and unbiased"
    return f"better by {_percent(-found.difference)}, the interval excludes zero, and unbiased"


def _loss(metric: str, stats: NDArray[np.float64]) -> float:
    return float(loss(metric, figure(metric, stats.sum(axis=0))))


def _relative(ours: float, theirs: float) -> float:
    """Relative difference; 0 where both are 0, null where only the reference is."""
    if theirs == 0.0:
        return 0.0 if ours == 0.0 else np.nan
    return (ours - theirs) / theirs


def _interval(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], case: Case
) -> tuple[float, float]:
    """2.5% and 97.5% quantiles of the bootstrapped difference; null where any draw is."""
    draws = np.concatenate(list(_draws(ours, theirs, case)))
    if np.isnan(draws).any():
        return np.nan, np.nan
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _draws(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], case: Case
) -> Iterator[NDArray[np.float64]]:
    size = len(ours)
    if not size:
        yield np.full(DRAWS, np.nan)
        return
    rng = np.random.default_rng(case.seed)
    step = max(_CHUNK // size, 1)
    for start in range(0, DRAWS, step):
        count = min(step, DRAWS - start)
        drawn = rng.integers(0, size, (count, size))
        place = drawn + size * np.arange(count)[:, None]
        weight = np.bincount(place.ravel(), minlength=count * size).reshape(count, size)
        mine, other = (
            loss(case.rule.metric, figure(case.rule.metric, weight @ stats))
            for stats in (ours, theirs)
        )
        same = (mine == 0.0) & (other == 0.0)
        ratio = (mine - other) / np.where(other == 0.0, np.nan, other)
        yield np.where(same, 0.0, ratio)


def _percent(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{round(value, 3) + 0.0:+.1%}"


def _number(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.4g}"
