from __future__ import annotations

import pytest
from tests.unit.training.stage import GROUPS, Noisy, candidate, make_folds

from lakecast.spec import Gate
from lakecast.training.backtest import Backtest, run_backtest
from lakecast.training.composite import Choice
from lakecast.training.select import best_baseline, select


def backtest(noise: dict[str, float], shift: dict[str, float] | None = None) -> Backtest:
    folds = make_folds()
    bench = Noisy(folds, noise, shift or {})
    lineup = [
        candidate(name, "baseline" if name in {"naive", "mean"} else "gradient_boosting")
        for name in noise
    ]
    return run_backtest(bench, lineup, folds, GROUPS)


NOISE = {"naive": 3.0, "mean": 2.0, "model": 1.0}


def test_the_first_champion_has_to_beat_the_best_baseline() -> None:
    found = select(backtest(NOISE), Gate(), seed=1)
    assert (found.kind, found.passed, found.champion) == ("first", True, "auto")
    assert found.baseline == "mean"
    assert found.choice == Choice.single("model")


def test_where_no_model_passes_the_best_baseline_is_champion_and_it_says_so() -> None:
    found = select(backtest({"naive": 3.0, "mean": 2.0, "model": 2.5}), Gate(), seed=1)
    assert (found.kind, found.passed, found.champion) == ("baseline", False, "mean")
    assert found.choice == Choice.single("mean")
    assert found.lines()[-1].endswith("no model passed: the best baseline, mean, is champion")


def test_a_biased_model_does_not_pass() -> None:
    found = select(backtest(NOISE, {"model": 1.2}), Gate(), seed=1)
    assert not (found.passed and found.choice == Choice.single("model"))


def test_a_better_recipe_replaces() -> None:
    found = select(backtest(NOISE), Gate(), seed=1, incumbent=Choice.single("mean"))
    assert (found.kind, found.champion) == ("replacement", "auto")
    assert found.choice == Choice.single("model")
    assert len(found.verdicts) == 1


def test_the_same_recipe_is_refreshed() -> None:
    found = select(backtest(NOISE), Gate(), seed=1, incumbent=Choice.single("model"))
    assert (found.kind, found.champion) == ("refresh", "champion")
    assert found.choice == Choice.single("model")
    assert [verdict.kind for verdict in found.verdicts] == ["refresh"]


def test_a_recipe_no_better_leaves_a_refresh() -> None:
    held = backtest({"naive": 3.0, "mean": 2.0, "model": 1.0, "other": 1.0005})
    incumbent = (
        "other" if select(held, Gate(), seed=1).choice == Choice.single("model") else "model"
    )
    found = select(held, Gate(), seed=1, incumbent=Choice.single(incumbent))
    assert found.kind == "refresh"
    assert [verdict.kind for verdict in found.verdicts] == ["replacement", "refresh"]


def test_a_champion_that_became_biased_is_kept_as_it_is() -> None:
    held = backtest({"naive": 3.0, "model": 1.0}, {"naive": 1.3, "model": 1.3})
    found = select(held, Gate(), seed=1, incumbent=Choice.single("model"))
    assert (found.kind, found.passed, found.choice) == ("kept", False, None)


@pytest.mark.parametrize("metric", ["rmsse", "mae", "bias", "r2"])
def test_the_best_baseline_by_any_metric(metric: str) -> None:
    assert best_baseline(backtest(NOISE), metric) == "mean"


def test_the_same_seed_decides_the_same() -> None:
    one, two = (select(backtest(NOISE), Gate(), seed=1) for _ in range(2))
    assert one.verdicts == two.verdicts
