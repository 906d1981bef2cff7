from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import polars as pl
import pytest
from tests.unit.training.stage import GROUPS, HORIZON, INFO, SERIES, Noisy, candidate, make_folds

from lakecast.core import metrics
from lakecast.core.classes import CLASSES
from lakecast.spec import Forecast, Gate
from lakecast.training import calibration, leaderboard
from lakecast.training.backtest import Backtest, Candidate, rows, run_backtest
from lakecast.training.composite import with_policies
from lakecast.training.leaderboard import Segment

SEGMENT = Segment(
    name="regiao",
    values=("norte", "sul"),
    of=np.where(np.arange(SERIES) == 0, -1, np.arange(SERIES) % 2).astype(np.int32),
)


@pytest.fixture(scope="module")
def backtest() -> Backtest:
    folds = make_folds()
    bench = Noisy(folds, {"naive": 3.0, "model": 1.0})
    pool = [
        candidate("naive"),
        Candidate(name="model", family="gradient_boosting", params={"num_leaves": 31}),
    ]
    held = run_backtest(bench, pool, folds, GROUPS)
    return with_policies(held, ["naive", "model"], "rmsse").backtest


@pytest.fixture(scope="module")
def table(backtest: Backtest) -> pl.DataFrame:
    return leaderboard.scores(backtest, (SEGMENT,))


def test_figures_are_those_of_the_rows(backtest: Backtest, table: pl.DataFrame) -> None:
    frame = rows(backtest, INFO, ["model"]).filter(
        pl.col("window") == 2, pl.col("horizon") == 5, pl.col("series_code") % 2 == 0,
        pl.col("series_code") > 0,
    )  # fmt: skip
    cell = table.filter(
        pl.col("candidate") == "model", pl.col("window") == 2, pl.col("horizon") == 5,
        pl.col("value") == "norte",
    ).row(0, named=True)  # fmt: skip
    error = frame["forecast"] - frame["actual"]
    assert cell["rows"] == cell["series"] == len(frame) == SERIES // 2 - 1
    assert cell["mae"] == pytest.approx(error.abs().mean())
    assert cell["bias"] == pytest.approx(error.sum() / frame["actual"].sum())


def test_segments_add_up(table: pl.DataFrame) -> None:
    whole = table.filter(
        pl.col("candidate") == "model", pl.col("window").is_null(), pl.col("horizon").is_null()
    )
    total = whole.filter(pl.col("segment") == "total")["rows"][0]
    assert total == 3 * SERIES * HORIZON
    assert whole.filter(pl.col("segment") == "demand class")["rows"].sum() == total
    missing = 3 * HORIZON  # one series has no region
    assert whole.filter(pl.col("segment") == "regiao")["rows"].sum() == total - missing


def test_rmsse_is_a_mean_over_series_and_windows(backtest: Backtest, table: pl.DataFrame) -> None:
    units = []
    for fold in backtest.scored:
        square = ((backtest.of("model", fold) - fold.actual) ** 2).mean(axis=1)
        units.append(np.sqrt(square / fold.scales.squared))
    board = leaderboard.leaderboard(backtest, table, Forecast(), Gate(), "auto")
    row = board.filter(pl.col("candidate") == "model").row(0, named=True)
    assert row["rmsse"] == pytest.approx(np.concatenate(units).mean())
    assert row["rmsse_undefined"] == 0


def test_the_leaderboard_is_sorted_and_says_what_report_and_people_need(
    backtest: Backtest, table: pl.DataFrame
) -> None:
    board = leaderboard.leaderboard(backtest, table, Forecast(), Gate(), "auto")
    assert board["candidate"].to_list()[-1] == "naive"
    assert board["rmsse"].is_sorted()
    assert board.filter(pl.col("champion"))["candidate"].to_list() == ["auto"]
    assert set(board.filter(pl.col("nested"))["candidate"]) == {"auto", "best", "best by class"}
    assert {*metrics.METRICS, "family", "best_params", "coverage"} <= set(board.columns)


def test_coverage_is_nested_and_near_nominal(backtest: Backtest, table: pl.DataFrame) -> None:
    board = leaderboard.leaderboard(backtest, table, Forecast(levels=(80,)), Gate(), None)
    coverage = board.filter(pl.col("candidate") == "model")["coverage"][0]
    assert coverage == pytest.approx(0.8, abs=0.08)


def test_without_levels_coverage_is_null(backtest: Backtest, table: pl.DataFrame) -> None:
    board = leaderboard.leaderboard(backtest, table, Forecast(levels=()), Gate(), None)
    assert board["coverage"].null_count() == len(board)


def test_views(table: pl.DataFrame) -> None:
    steps = leaderboard.by_horizon(table).filter(pl.col("candidate") == "model")
    assert steps["horizon"].to_list() == list(range(1, HORIZON + 1))
    assert leaderboard.by_window(table).filter(pl.col("candidate") == "model")[
        "window"
    ].to_list() == [1, 2, 3]
    assert set(leaderboard.by_segment(table)["segment"]) == {"demand class", "regiao"}


def test_a_long_horizon_is_shown_by_season() -> None:
    folds = make_folds()
    held = run_backtest(Noisy(folds, {"naive": 1.0}), [candidate("naive")], folds, GROUPS)
    assert leaderboard.score_groups(held) == tuple(range(1, 15))
    far = Backtest(folds=(), groups=(24, 48, 72), candidates=(), forecasts={})
    assert leaderboard.score_groups(far) == (24, 48, 72)


def test_model_comparison_has_the_keys_people_know(backtest: Backtest, table: pl.DataFrame) -> None:
    board = leaderboard.leaderboard(backtest, table, Forecast(), Gate(), "auto")
    found = leaderboard.model_comparison(board)
    assert set(found) == {"gradient_boosting", "naive", "auto", "best", "best by class"}
    assert {"rmse", "mae", "r2", "best_params"} <= set(found["gradient_boosting"])
    assert found["gradient_boosting"]["best_params"] == {"num_leaves": 31}


def test_coverage_by_class_and_horizon_is_counted_row_by_row(backtest: Backtest) -> None:
    spec = Forecast(horizon=HORIZON, levels=(50, 80))
    found = calibration.coverage(backtest, "model", spec)
    assert found.schema == calibration.COVERAGE
    counted: dict[tuple[object, ...], list[bool]] = {}
    for fold, bands in calibration.nested_bands(backtest, "model", spec):
        for band, s, h in product(bands, range(len(fold.codes)), range(HORIZON)):
            actual = fold.scored[s, h]
            if not np.isnan(actual) and not np.isnan(band.lo[s, h]):
                kind = CLASSES[fold.classes[s]]
                group = next(last for last in GROUPS if h < last)
                inside = bool(band.lo[s, h] <= actual <= band.hi[s, h])
                for key in product([band.level], [kind, None], [group, None]):
                    counted.setdefault(key, []).append(inside)
    told = {row[:3]: row[3:5] for row in found.iter_rows()}
    assert told.keys() == counted.keys()
    for key, inside in counted.items():
        assert told[key] == (len(inside), pytest.approx(np.mean(inside)))
    stats = calibration.interval_stats(backtest, "model", spec)
    assert told[80, None, None][1] == pytest.approx(metrics.interval_figure("coverage", stats[80]))


def test_a_single_window_has_no_nested_coverage(backtest: Backtest) -> None:
    alone = replace(backtest, folds=backtest.folds[:1])
    assert calibration.coverage(alone, "model", Forecast(horizon=HORIZON)).is_empty()
