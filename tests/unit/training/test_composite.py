from __future__ import annotations

import numpy as np
from tests.unit.training.stage import CUTOFF, GROUPS, SERIES, Noisy, candidate, make_folds

from lakecast.core.classes import CLASSES
from lakecast.core.folds import Fold
from lakecast.training.backtest import Backtest, run_backtest
from lakecast.training.composite import AUTO, BEST, BY_CLASS, Choice, follow, with_policies

POOL = ["naive", "model"]


def backtest(windows: int = 4, **bench: dict[str, float]) -> Backtest:
    folds = make_folds(windows)
    return run_backtest(Noisy(folds, **bench), [candidate(n) for n in POOL], folds, GROUPS)


def test_best_follows_the_winner_so_far() -> None:
    found = with_policies(backtest(noise={"naive": 3.0, "model": 1.0}), POOL, "rmsse")
    for window in range(1, 4):
        assert (
            found.backtest.forecasts[BEST, window].values.tobytes()
            == found.backtest.forecasts["model", window].values.tobytes()
        )
    assert found.choice == Choice.single("model")


def test_each_class_may_have_its_own() -> None:
    held = backtest(noise={"naive": 3.0, "model": 1.0}, rare={"naive": 0.5, "model": 3.0})
    found = with_policies(held, POOL, "rmsse")
    late = found.backtest.forecasts[BY_CLASS, 3].values
    half = SERIES // 2
    assert (late[:half] == held.forecasts["model", 3].values[:half]).all()
    assert (late[half:] == held.forecasts["naive", 3].values[half:]).all()
    assert found.choice.by_class["smooth"] == "model"
    assert found.choice.members == ("model", "naive")


def test_auto_starts_with_best_and_then_follows_the_better_policy() -> None:
    held = backtest(noise={"naive": 3.0, "model": 1.0}, rare={"naive": 0.5, "model": 3.0})
    found = with_policies(held, POOL, "rmsse").backtest
    assert (found.of(AUTO, found.folds[1]) == found.of(BEST, found.folds[1])).all()
    assert (found.of(AUTO, found.folds[3]) == found.of(BY_CLASS, found.folds[3])).all()


def test_no_window_knows_its_own_or_a_later_result() -> None:
    """Changing what a window's candidates forecast changes the choice of later windows only."""
    held = backtest(noise={"naive": 3.0, "model": 1.0})
    before = with_policies(held, POOL, "rmsse").backtest
    key = ("model", 2)
    spoiled = held.forecasts[key].values + 1e6
    swapped = {**held.forecasts, key: type(held.forecasts[key])(
        values=spoiled, source=held.forecasts[key].source)}  # fmt: skip
    after = with_policies(
        Backtest(folds=held.folds, groups=GROUPS, candidates=held.candidates, forecasts=swapped),
        POOL,
        "rmsse",
    ).backtest
    assert (after.of(AUTO, held.folds[1]) == before.of(AUTO, held.folds[1])).all()
    assert (after.of(AUTO, held.folds[2]) == spoiled).all()
    assert (after.of(AUTO, held.folds[3]) == held.of("naive", held.folds[3])).all()


def test_with_one_window_the_choice_is_scored_on_it() -> None:
    found = with_policies(backtest(1, noise={"naive": 3.0, "model": 1.0}), POOL, "rmsse")
    assert (found.backtest.of(AUTO, found.backtest.folds[0])
            == found.backtest.of("model", found.backtest.folds[0])).all()  # fmt: skip
    assert found.choice == Choice.single("model")


def test_a_fixed_choice_is_followed_in_every_window() -> None:
    held = backtest(noise={"naive": 3.0, "model": 1.0})
    by_class = {kind: "naive" if kind == "smooth" else "model" for kind in CLASSES}
    found = follow(held, "champion", Choice(by_class=by_class))
    for fold in held.folds:
        smooth = fold.classes == 0
        expected = np.where(smooth[:, None], held.of("naive", fold), held.of("model", fold))
        assert (found.of("champion", fold) == expected).all()
    assert not found.candidate("champion").nested


def test_overlapping_windows_are_known_only_up_to_the_cutoff() -> None:
    """Actuals after a cutoff, which earlier windows forecast too, move no choice there."""
    made = []
    for after in (None, CUTOFF - 14):  # the last window's cutoff
        folds = make_folds(4, step=5, after=after)
        bench = Noisy(make_folds(4, step=5), {"naive": 3.0, "model": 1.0})
        held = run_backtest(bench, [candidate(n) for n in POOL], folds, GROUPS)
        made.append(with_policies(held, POOL, "rmsse").backtest)
    one, two = made
    for name in (BEST, BY_CLASS, AUTO):
        assert (one.of(name, one.folds[3]) == two.of(name, two.folds[3])).all()
    assert not (one.folds[3].actual == two.folds[3].actual).any()


def test_only_windows_beyond_the_first_ones_horizon_are_scored() -> None:
    held = backtest_of(make_folds(4, step=7))
    assert [fold.window.index for fold in held.scored] == [2, 3]
    assert held.nested
    close = backtest_of(make_folds(3, step=5))
    assert [fold.window.index for fold in close.scored] == [1, 2]
    assert not close.nested


def backtest_of(folds: list[Fold]) -> Backtest:
    bench = Noisy(folds, {"naive": 3.0, "model": 1.0})
    return run_backtest(bench, [candidate(n) for n in POOL], folds, GROUPS)
