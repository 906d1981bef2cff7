"""The search itself: the same trials whoever judges them, whatever happens in between."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import pytest
from tests.unit.training.tune.stand_ins import WINDOWS, Case, Judges, loss, run, seen, space_of

from lakecast.training.tune.search import ROUND, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.training.tune.crew import Task
    from lakecast.training.tune.search import Found


def test_the_defaults_of_each_family_come_first(tmp_path: Path) -> None:
    found = run(tmp_path / "a", Judges())
    first, second = (found.point(one) for one in found.tried[:2])
    assert (first.family, first.params["alpha"]) == ("linear_regression", 0.01)
    assert (second.family, second.params["learning_rate"]) == ("gradient_boosting", 0.03)
    assert (first.features, second.features) == (None, None)


@pytest.fixture(scope="module")
def whole() -> Judges:
    """Who judged the search that nobody disturbed."""
    return Judges()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, whole: Judges) -> Found:
    """A search of twenty trials that nobody disturbed."""
    return run(tmp_path_factory.mktemp("search") / "whole", whole)


@pytest.mark.parametrize("order", [1, 2])
def test_the_order_in_which_trials_end_changes_nothing(
    tmp_path: Path, expected: Found, order: int
) -> None:
    assert seen(run(tmp_path / "b", Judges(order=order))) == seen(expected)


@pytest.mark.parametrize("stop", [0, 7, 26, 41])
def test_an_interrupted_search_goes_on_where_it_was(
    tmp_path: Path, expected: Found, whole: Judges, stop: int
) -> None:
    first, second = Judges(stop=stop, order=5), Judges(order=6)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", first)
    assert seen(run(tmp_path / "cut", second)) == seen(expected)
    assert sorted(first.judged + second.judged) == sorted(whole.judged)


def test_a_finished_search_judges_nothing(tmp_path: Path, expected: Found) -> None:
    run(tmp_path / "a", Judges())
    again = Judges()
    assert seen(run(tmp_path / "a", again)) == seen(expected)
    assert again.judged == []


def test_more_trials_go_on_from_those_there_are(tmp_path: Path, expected: Found) -> None:
    run(tmp_path / "a", Judges(), ROUND + 3)
    assert seen(run(tmp_path / "a", Judges(), 20)) == seen(expected)
    assert seen(run(tmp_path / "a", Judges(), 9)) == seen(expected)[:9]


def test_what_is_hopeless_is_given_up(expected: Found) -> None:
    pruned = [one for one in expected.tried if one.outcome == "pruned"]
    assert pruned
    for one in pruned:
        assert one.slot >= ROUND
        assert 0 < len(one.losses) < WINDOWS
        before = [
            o for o in expected.tried if o.loss is not None and o.slot < one.slot // ROUND * ROUND
        ]
        assert sum(o.losses[0] <= one.losses[0] for o in before) >= len(before) / 2


def test_the_search_learns(tmp_path: Path) -> None:
    """Later proposals are better than those drawn at random."""
    found = run(tmp_path / "a", Judges(), 48)
    first = [one.losses[0] for one in found.tried]
    assert median(first[-24:]) < median(first[2 : 2 * ROUND]) - 0.1


def test_a_loss_that_is_no_number_fails_the_trial(tmp_path: Path) -> None:
    def formula(task: Task) -> float:
        return float("nan") if task.point.family == "linear_regression" else loss(task)

    found = run(tmp_path / "a", Judges(formula=formula))
    for one in found.tried:
        assert (one.outcome == "failed") == (found.point(one).family == "linear_regression")
    assert {found.point(one).family for one in found.chosen} == {"gradient_boosting"}
    again = Judges(formula=formula)
    run(tmp_path / "a", again)
    assert again.judged == []


def test_nothing_can_be_fit(tmp_path: Path) -> None:
    found = run(tmp_path / "a", Judges(formula=lambda task: float("nan")), 10)
    assert found.best is None
    assert found.chosen == ()


def test_only_what_is_better_than_the_defaults_is_chosen(tmp_path: Path) -> None:
    found = run(tmp_path / "a", Judges(), 24)
    limits = {found.point(one).family: one.loss or 0.0 for one in found.tried[:2]}
    chosen = [(found.point(one).family, one.loss or 0.0) for one in found.chosen]
    assert chosen
    assert all(one < limits[family] for family, one in chosen)
    assert found.best in found.chosen
    assert max(sum(family == other for other, _ in chosen) for family, _ in chosen) == 2

    worse = run(tmp_path / "b", Judges(formula=lambda task: float(task.slot)), 20)
    assert worse.chosen == ()
    assert worse.best == worse.tried[0]


def test_equal_points_are_judged_once(tmp_path: Path) -> None:
    case = Case(space=space_of('over = ["objective"]', families='["gradient_boosting"]'))
    judges = Judges(formula=lambda task: len(str(task.point.params)) / 100)
    case.space = space_of('over = ["features"]', families='["gradient_boosting"]')
    found = run(tmp_path / "a", judges, 30, case)
    assert {found.point(one).label for one in found.tried} == {"spec", "no_statics", "encoded"}
    assert len(judges.judged) <= ROUND * WINDOWS


def test_equal_values_of_two_families_are_two_points(tmp_path: Path) -> None:
    """Where families take turns, the family is not among the values."""
    case = Case(space=space_of('over = ["features"]'))
    found = run(tmp_path / "a", Judges(), 2 * ROUND, case)
    for one in found.tried:
        assert (one.losses[0] >= 2.0) == (found.point(one).family == "linear_regression")


# --- time


@pytest.mark.parametrize(("seconds", "trials"), [(100.0, 8), (480.0, 32), (1e9, 50)])
def test_time_becomes_a_number_of_trials(tmp_path: Path, seconds: float, trials: int) -> None:
    """A trial of 3 windows takes 30 s, two are judged at a time."""
    judges = Judges(seconds=10.0, formula=lambda task: 1.0 + task.window)
    limits = Limits(trials=50, seconds=seconds)
    assert len(run(tmp_path / "a", judges, limits).tried) == trials


def test_the_number_is_written_down(tmp_path: Path) -> None:
    limits = Limits(trials=50, seconds=300.0)
    expected = run(tmp_path / "a", Judges(seconds=10.0), limits)
    again = Judges(seconds=1e4)
    assert seen(run(tmp_path / "a", again, limits)) == seen(expected)
    assert again.judged == []


def test_a_search_killed_before_it_knew_what_a_trial_costs(tmp_path: Path) -> None:
    limits = Limits(trials=50, seconds=300.0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a", Judges(seconds=10.0, stop=5), limits)
    found = run(tmp_path / "a", Judges(seconds=10.0), limits)
    assert ROUND < len(found.tried) < 50
