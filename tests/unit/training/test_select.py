from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.training.stage import GROUPS, SERIES, Noisy, candidate, make_folds

from lakecast.core.metrics import Scales
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
    assert best_baseline(backtest(NOISE), Gate(metric=metric)) == "mean"


def test_a_biased_baseline_comes_after_those_that_are_not() -> None:
    held = backtest({"naive": 3.0, "mean": 1.0}, {"mean": 1.12})
    assert best_baseline(held, Gate()) == "naive"
    assert best_baseline(held, Gate(max_bias=0.2)) == "mean"
    every = backtest({"naive": 3.0, "mean": 1.0}, {"naive": 1.5, "mean": 1.12})
    assert best_baseline(every, Gate()) == "mean"


def test_the_same_seed_decides_the_same() -> None:
    one, two = (select(backtest(NOISE), Gate(), seed=1) for _ in range(2))
    assert one.verdicts == two.verdicts


def test_without_a_scale_rmse_judges_and_it_is_told() -> None:
    held = backtest(NOISE)
    blank = np.full(SERIES, np.nan)
    short = [replace(f, scales=Scales(absolute=blank, squared=blank)) for f in held.folds]
    found = select(replace(held, folds=tuple(short)), Gate(), seed=1)
    assert found.verdicts[0].metric == "rmse"
    assert found.kind == "first"
    assert found.notes == (
        "judged by rmse: no series has a seasonal difference, so rmsse is undefined",
    )
    assert found.lines()[-2].startswith("note        judged by rmse")


def test_one_window_is_told() -> None:
    folds = make_folds(1)
    held = run_backtest(Noisy(folds, NOISE), [candidate(name) for name in NOISE], folds, GROUPS)
    assert select(held, Gate(), seed=1).notes[0].startswith("one window only")


def test_where_nothing_may_rank_the_baseline_is_the_best_by_rmse() -> None:
    held = backtest(NOISE)
    rare = [replace(f, zero_median=np.ones(7, dtype=np.bool_)) for f in held.folds]
    found = select(replace(held, folds=tuple(rare)), Gate(metric="mae"), seed=1)
    assert (found.kind, found.baseline) == ("baseline", "mean")
    assert found.verdicts[0].reasons[0].startswith("no mae to compare")


def test_candidates_of_the_champion_alone_are_not_chosen() -> None:
    held = backtest(NOISE)
    ours = tuple(replace(one, incumbent=one.name == "model") for one in held.candidates)
    found = select(replace(held, candidates=ours), Gate(), seed=1, incumbent=Choice.single("model"))
    assert found.verdicts[0].challenger_figure > found.verdicts[0].champion_figure
    assert found.kind == "refresh"
