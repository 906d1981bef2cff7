from __future__ import annotations

import numpy as np
import polars as pl
from tests.unit.training.stage import (
    CUTOFF,
    GROUPS,
    HORIZON,
    INFO,
    SERIES,
    WINDOWS,
    Noisy,
    Shelf,
    candidate,
    make_folds,
)  # fmt: skip

from lakecast.core import metrics
from lakecast.training.backtest import Backtest, Hooks, pieces, rows, run_backtest

CANDIDATES = (candidate("naive"), candidate("model", "gradient_boosting"))


def run(hooks: Hooks | None = None, gap: int = 0) -> tuple[Backtest, Noisy]:
    folds = make_folds(gap=gap)
    bench = Noisy(folds, {"naive": 3.0, "model": 1.0})
    return run_backtest(bench, CANDIDATES, folds, GROUPS, hooks), bench


def test_every_candidate_is_forecast_once_a_window() -> None:
    found, bench = run()
    assert len(bench.calls) == len(set(bench.calls)) == 2 * WINDOWS
    assert set(found.forecasts) == set(bench.calls)


def test_what_is_done_is_not_done_again_and_is_the_same() -> None:
    shelf = Shelf()
    whole, _ = run(Hooks(checkpoint=shelf))
    del shelf.held["model", 2]
    again, bench = run(Hooks(checkpoint=shelf))
    assert bench.calls == [("model", 2)]
    for key, forecasts in whole.forecasts.items():
        assert again.forecasts[key].values.tobytes() == forecasts.values.tobytes()
        assert again.forecasts[key].source.tolist() == forecasts.source.tolist()


def test_a_checkpoint_may_give_rows_in_any_order() -> None:
    shelf = Shelf()
    whole, _ = run(Hooks(checkpoint=shelf))
    shelf.held = {key: held.reverse() for key, held in shelf.held.items()}
    again, _ = run(Hooks(checkpoint=shelf))
    key = ("model", 1)
    assert again.forecasts[key].values.tobytes() == whole.forecasts[key].values.tobytes()


def test_the_first_window_screens_and_is_not_scored() -> None:
    found, _ = run()
    assert [fold.window.index for fold in found.scored] == [1, 2, 3]


def test_a_single_window_is_scored_after_all() -> None:
    folds = make_folds(1)
    bench = Noisy(folds, {"naive": 1.0, "model": 1.0})
    found = run_backtest(bench, CANDIDATES, folds, GROUPS)
    assert [fold.window.index for fold in found.scored] == [0]


def test_the_rows_of_the_table() -> None:
    found, _ = run()
    frame = rows(found, INFO)
    assert frame.columns == [
        "candidate", "window", "series_code", "dia", "cutoff", "horizon", "forecast", "actual",
        "source",
    ]  # fmt: skip
    assert len(frame) == 2 * WINDOWS * SERIES * HORIZON
    assert frame.schema["dia"] == pl.Date
    assert frame.null_count().sum_horizontal()[0] == 0
    last = frame.row(-1, named=True)
    assert (last["dia"] - last["cutoff"]).days == last["horizon"] == HORIZON
    assert last["dia"] == INFO.frequency.start(np.array([CUTOFF]))[0]


def test_the_rows_come_a_candidate_and_window_at_a_time() -> None:
    found, _ = run()
    held = list(pieces(found, INFO))
    assert len(held) == 2 * WINDOWS
    assert {piece.height for piece in held} == {SERIES * HORIZON}
    assert pl.concat(held).equals(rows(found, INFO))


def test_rows_of_named_candidates_only() -> None:
    found, _ = run()
    assert rows(found, INFO, ["model"])["candidate"].unique().to_list() == ["model"]


def test_stats_by_series_are_those_of_the_rows() -> None:
    found, _ = run(gap=3)
    frame = rows(found, INFO, ["model"]).filter(pl.col("window") > 0, pl.col("horizon") > 3)
    error = frame["forecast"] - frame["actual"]
    stats = found.by_series("model").sum(axis=0)
    np.testing.assert_allclose(metrics.figure("mae", stats), error.abs().mean(), rtol=1e-12)
    np.testing.assert_allclose(metrics.figure("rmse", stats) ** 2, (error**2).mean(), rtol=1e-12)


def test_absolute_errors_leave_out_classes_whose_median_is_zero() -> None:
    found, _ = run()
    mae, rmse = found.by_series("model", "mae"), found.by_series("model", "rmse")
    assert (mae[SERIES // 2 :, 0] == 0).all()
    assert (rmse[:, 0] > 0).all()


def test_what_a_checkpoint_has_is_not_held_while_there_is_more_to_fit() -> None:
    order: list[str] = []

    class Watched(Shelf):
        def keep(self, candidate: str, window: int, frame: pl.DataFrame) -> None:
            order.append("kept")
            super().keep(candidate, window, frame)

    kept, _ = run(Hooks(checkpoint=Watched(), fitted=lambda: order.append("all fitted")))
    held, _ = run()
    assert order == ["kept"] * (2 * WINDOWS) + ["all fitted"]
    for key, forecasts in held.forecasts.items():
        np.testing.assert_array_equal(kept.forecasts[key].values, forecasts.values)
        np.testing.assert_array_equal(kept.forecasts[key].source, forecasts.source)


def test_one_candidate_alone_is_still_told_with_all() -> None:
    found, _ = run()
    only = found.only("naive")
    assert {name for name, _ in only.forecasts} == {"naive"}
    assert only.candidates == found.candidates
    assert only.of("naive", only.folds[0]) is found.of("naive", found.folds[0])
