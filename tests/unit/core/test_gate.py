from __future__ import annotations

import numpy as np
import pytest

from lakecast.core import classes, folds, gate, metrics
from lakecast.core.block import Block
from lakecast.core.splits import Window
from lakecast.spec import Gate

S, HISTORY, HORIZON, SEASON = 60, 84, 14, 7


def panel(kind: str) -> Block:
    rng = np.random.default_rng(3)
    shape = (S, HISTORY + HORIZON)
    if kind == "intermittent":
        values = rng.poisson(0.25, shape) * rng.integers(1, 4, shape)
    else:
        values = 20 + 5 * np.sin(np.arange(shape[1]) * 2 * np.pi / 7) + rng.normal(0, 2, shape)
    return Block(
        codes=np.arange(S, dtype=np.int32),
        starts=np.arange(0, values.size + 1, shape[1]),
        first=np.zeros(S, np.int32),
        target=values.ravel().astype(np.float32),
    )


def fold(kind: str) -> folds.Fold:
    return folds.fold(
        [panel(kind)], Window(index=0, cutoff=HISTORY - 1), folds.Shape(HORIZON, SEASON)
    )


def contender(name: str, held: folds.Fold, forecast: np.ndarray, metric: str) -> gate.Contender:
    stats = folds.totals(held, forecast)
    mask = folds.ranked(held, metric)[held.classes]
    return gate.Contender(name=name, ranked=np.where(mask[:, None], stats, 0.0), all=stats)


def judge(
    held: folds.Fold, ours: np.ndarray, theirs: np.ndarray, rule: Gate, kind: gate.Kind
) -> gate.Verdict:
    return gate.judge(
        contender("ours", held, ours, rule.metric),
        contender("theirs", held, theirs, rule.metric),
        gate.Case(rule=rule, kind=kind, windows=1, seed=1),
    )


def naive(kind: str) -> np.ndarray:
    values = panel(kind).target.reshape(S, -1).astype(float)
    return np.tile(values[:, HISTORY - SEASON : HISTORY], (1, HORIZON // SEASON))


def mean(kind: str) -> np.ndarray:
    values = panel(kind).target.reshape(S, -1)[:, :HISTORY].astype(float)
    return np.repeat(values.mean(axis=1, keepdims=True), HORIZON, axis=1)


def test_a_clear_gain_passes_and_the_verdict_has_seven_lines() -> None:
    held = fold("smooth")
    better = naive("smooth") * 0.3 + held.actual * 0.7
    found = judge(held, better, naive("smooth"), Gate(), "replacement")
    assert found.passed
    assert found.high < 0
    assert len(found.lines()) == 7
    assert found.lines()[0] == "decision    passed (replacement)"


def test_the_interval_must_exclude_zero() -> None:
    held = fold("smooth")
    noise = np.random.default_rng(0).normal(0, 0.02, held.actual.shape)
    found = judge(held, naive("smooth") + noise, naive("smooth"), Gate(min_gain=0.0), "replacement")
    assert not found.passed
    assert found.low < 0 < found.high


def test_a_gain_below_the_least_does_not_pass() -> None:
    held = fold("smooth")
    found = judge(
        held,
        naive("smooth") * 0.9 + held.actual * 0.1,
        naive("smooth"),
        Gate(min_gain=0.2),
        "replacement",
    )
    assert found.reasons == ("the gain of +10.0% is below 20.0%",)


@pytest.mark.parametrize(("worse", "passes"), [(1.0, True), (1.019, True), (1.021, False)])
def test_a_refresh_may_be_worse_by_two_percent(worse: float, passes: bool) -> None:
    held = fold("smooth")
    theirs = naive("smooth")
    ours = held.actual + (theirs - held.actual) * worse
    assert judge(held, ours, theirs, Gate(), "refresh").passed is passes


def test_bias_stops_what_the_metric_would_let_pass() -> None:
    held = fold("smooth")
    ours = held.actual * 1.11
    found = judge(held, ours, naive("smooth") * 3, Gate(), "replacement")
    assert not found.passed
    assert found.reasons == ("bias +11.0% is beyond 10.0%",)


def test_the_same_seed_gives_the_same_interval() -> None:
    held = fold("smooth")
    rule = Gate()
    one, two = (judge(held, mean("smooth"), naive("smooth"), rule, "replacement") for _ in range(2))
    assert one == two


@pytest.mark.parametrize("metric", metrics.METRICS)
@pytest.mark.parametrize("kind", ["replacement", "refresh"])
def test_all_zero_is_never_promoted_on_intermittent_data(metric: str, kind: gate.Kind) -> None:
    held = fold("intermittent")
    assert (held.classes != classes.SMOOTH).all()
    zero = np.zeros_like(held.actual)
    for rule in (Gate(metric=metric), Gate(metric=metric, min_gain=0.0)):
        for theirs in (naive("intermittent"), mean("intermittent")):
            assert not judge(held, zero, theirs, rule, kind).passed


@pytest.mark.parametrize("metric", metrics.METRICS)
def test_nor_where_the_bias_may_be_anything(metric: str) -> None:
    """Against the mean; squared errors alone do rank nothing above seasonal naive."""
    held = fold("intermittent")
    rule = Gate(metric=metric, max_bias=1e9)
    zero = np.zeros_like(held.actual)
    assert not judge(held, zero, mean("intermittent"), rule, "replacement").passed


def test_absolute_errors_do_favour_nothing_there() -> None:
    """What the rule guards against: unranked, all zero has the better mase."""
    held = fold("intermittent")
    zero, theirs = (
        metrics.figure("mase", folds.totals(held, forecast).sum(axis=0))
        for forecast in (np.zeros_like(held.actual), naive("intermittent"))
    )
    assert zero < theirs


def test_perfection_on_both_sides_is_no_difference() -> None:
    held = fold("smooth")
    found = judge(held, held.actual, held.actual, Gate(), "refresh")
    assert found.difference == 0.0
    assert found.passed


def test_nothing_scored_is_not_passed() -> None:
    held = fold("smooth")
    nothing = gate.Contender(name="x", ranked=np.zeros((0, 14)), all=np.zeros((0, 14)))
    found = gate.judge(nothing, nothing, gate.Case(rule=Gate(), kind="refresh", windows=0, seed=1))
    assert not found.passed
    assert held.window.index == 0
    assert "unknown" in found.lines()[3]
