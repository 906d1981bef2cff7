"""Levels of a backtest: hand-made sums, and choices that do not look ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.unit.training.stage import (
    GROUPS,
    INFO,
    SERIES,
    Noisy,
    block,
    candidate,
    make_folds,
)

from lakecast.columns import LEVEL
from lakecast.core import folds
from lakecast.core.block import Block, MemoryPanel
from lakecast.core.splits import Window
from lakecast.spec import Forecast, loads
from lakecast.training.backtest import Backtest, Forecasts, run_backtest
from lakecast.training.composite import AUTO, BEST, with_policies
from lakecast.training.hierarchy import by_code, grow, levels_of, mean_loss, stats, tree_of
from lakecast.training.hierarchy_plan import Plan, above, make_plan
from lakecast.training.hierarchy_tables import (
    MEAN,
    level_scores,
    levels_of_bundle,
    levels_told,
)
from lakecast.training.leaderboard import scores

if TYPE_CHECKING:
    from lakecast.spec import Spec
    from lakecast.training.hierarchy import Tree

SPEC = """
spec = 1
[[sources]]
table = "sales"
path = "vendas.csv"
[panel]
series = ["loja", "uf"]
time = "dia"
target = "vendas"
[hierarchy]
levels = [[], ["uf"], ["uf", "loja"]]
"""
TABLE = pl.DataFrame(
    {
        "series_code": np.arange(SERIES, dtype=np.int32),
        "loja": [f"l{i}" for i in range(SERIES)],
        "uf": [("SP", "RJ", "MG")[i % 3] for i in range(SERIES)],
    }
)


def spec(method: str = "auto") -> Spec:
    return loads(SPEC + f'method = "{method}"\n')


def panel(after: int | None = None) -> MemoryPanel:
    whole = block(after)
    info = replace(INFO, series=SERIES, rows=whole.rows)
    return MemoryPanel(info, (whole,))


def backtest(shift: float = 1.0, after: int | None = None) -> Backtest:
    held = make_folds(after=after)
    bench = Noisy(held, {"model": 1.0, "other": 3.0}, {"model": shift})
    return run_backtest(bench, [candidate("model", "x"), candidate("other")], held, GROUPS)


def tree(made: Backtest, after: int | None = None, method: str = "auto") -> Tree:
    found = tree_of(panel(after), TABLE, made.folds, spec(method))
    assert found is not None
    return found


# --- figures


def by_hand(actual: np.ndarray, forecast: np.ndarray, past: np.ndarray) -> float:
    return float(np.sqrt(np.mean((actual - forecast) ** 2) / np.mean(np.diff(past) ** 2)))


def test_the_mean_over_levels_is_wrmsse_where_the_season_is_one() -> None:
    past = [np.array([1.0, 3, 2, 4]), np.array([5.0, 9, 4]), np.array([2.0, 2, 6, 1])]
    ahead = np.array([[2.0, 4], [7, 1], [3, 3]])
    forecast = np.array([[3.0, 3], [6, 6], [1, 5]])
    price = [2.0, 1.0, 10.0]
    block = Block(
        codes=np.arange(3, dtype=np.int32),
        starts=np.array([0, 6, 11, 17]),
        first=np.array([0, 1, 0], np.int32),
        target=np.concatenate([np.append(p, a) for p, a in zip(past, ahead, strict=True)]).astype(
            np.float32
        ),
        covariates={"price": np.repeat(price, [6, 5, 6]).astype(np.float32)},
    )
    info = replace(INFO, seasons=(1,), cutoff=5, series=3, rows=17)
    fold = folds.fold([block], Window(index=0, cutoff=3), folds.Shape(2, 1, weight="revenue"))
    table = pl.DataFrame({"series_code": [0, 1, 2], "state": ["a", "b", "a"]})
    grown = grow(MemoryPanel(info, (block,)), by_code(table, [(), ("state",)]), [fold])

    sold = np.array([2 * (2 + 4), 9 + 4, 10 * (6 + 1)])
    long = np.vstack([past[0], np.append(0, past[1]), past[2]])
    total = by_hand(ahead.sum(0), forecast.sum(0), long.sum(0))
    state_a = by_hand(ahead[[0, 2]].sum(0), forecast[[0, 2]].sum(0), long[[0, 2]].sum(0))
    series = [by_hand(a, f, p) for a, f, p in zip(ahead, forecast, past, strict=True)]
    share = sold / sold.sum()
    states = (share[0] + share[2]) * state_a + share[1] * series[1]
    expected = (total + states + share @ series) / 3

    assert mean_loss("rmsse", stats(grown, fold, forecast)) == pytest.approx(expected)


def test_what_is_not_known_of_a_series_is_not_scored_of_its_groups() -> None:
    made = backtest()
    grown, fold = tree(made), made.folds[1]
    holey = fold.actual.copy()
    holey[0, 3] = np.nan
    partly = replace(fold, actual=holey)
    values = made.of("model", fold)
    level = grown.folds(partly)[0]
    assert level.actual[0, 3] == pytest.approx(fold.actual[1:, 3].sum())
    assert grown.compared(partly, values)[0][0, 3] == pytest.approx(values[1:, 3].sum())
    assert grown.compared(partly, values)[0][0, 4] == pytest.approx(values[:, 4].sum())


def test_the_series_themselves_are_no_level() -> None:
    assert levels_of(spec()) == ((), ("uf",))
    bare = loads(SPEC.split("[hierarchy]", maxsplit=1)[0])
    assert tree_of(panel(), TABLE, make_folds(), bare) is None


def test_scores_have_a_row_a_level_and_their_mean() -> None:
    made = backtest()
    grown = tree(made)
    over = above(grown, made, "model", spec("bottom_up"))
    table = level_scores(over, made)
    whole = table.filter(pl.col("window").is_null() & (pl.col("candidate") == "other"))
    assert whole["value"].to_list() == ["total", "uf", "series", MEAN]
    assert whole["rmsse"][3] == pytest.approx(whole["rmsse"][:3].mean())
    assert whole["series"].to_list() == [3, 9, 3 * SERIES, 3 * SERIES]
    plain = scores(made)
    assert pl.concat([plain, table]).height == plain.height + table.height
    series = plain.filter(
        (pl.col("segment") == "total")
        & pl.col("window").is_null()
        & pl.col("horizon").is_null()
        & (pl.col("candidate") == "other")
    )
    assert series["rmsse"][0] == pytest.approx(whole["rmsse"][2])


# --- plans


def planned(made: Backtest, method: str = "auto", after: int | None = None) -> Plan:
    return make_plan(tree(made, after, method), made, "model", spec(method))


def test_a_good_model_adds_up() -> None:
    found = planned(backtest())
    assert (found.method, set(found.by_window)) == ("bottom_up", {"bottom_up"})
    assert found.loss == found.sums


def test_a_biased_model_is_reconciled_because_that_gains() -> None:
    found = planned(backtest(shift=1.5))
    assert found.method != "bottom_up"
    assert found.by_window[0] == "bottom_up"
    assert found.loss < found.sums


@pytest.mark.parametrize("shift", [1.0, 1.5])
def test_what_the_spec_says_is_done(shift: float) -> None:
    made = backtest(shift)
    assert planned(made, "bottom_up").method == "bottom_up"
    assert planned(made, "wls").method == "wls"
    assert "bottom_up" not in planned(made, "wls").by_window


def test_a_choice_sees_nothing_after_its_cutoff() -> None:
    cutoff = make_folds()[2].window.cutoff
    one, two = (
        above(tree(made, after), made, "model", spec("wls"))
        for after in (None, cutoff)
        for made in (_same_forecasts(backtest(1.5), after),)
    )
    assert one.plan.by_window[:3] == two.plan.by_window[:3]
    for mine, other in zip(one.held, two.held, strict=True):
        for fold in one.held[0].folds[:3]:
            np.testing.assert_array_equal(mine.of("model", fold), other.of("model", fold))


def _same_forecasts(made: Backtest, after: int | None) -> Backtest:
    """The forecasts as they were, over folds whose later values are absurd."""
    return replace(made, folds=tuple(make_folds(after=after)))


def test_levels_and_series_add_up_under_any_plan() -> None:
    made = backtest(1.5)
    over = above(tree(made), made, "model", spec("wls"))
    for fold in made.folds:
        series = over.held[-1].of("model", fold)
        assert series.min() >= 0.0
        np.testing.assert_allclose(over.held[0].of("model", fold)[0], series.sum(axis=0))
    assert over.note().startswith("levels by wls:")


def test_reconciled_series_have_a_name_of_their_own_in_the_backtest() -> None:
    made = backtest(1.5)
    moved = above(tree(made), made, "model", spec("wls")).moved()
    assert moved is not None
    (told,) = moved.candidates
    assert (told.name, told.nested) == ("model, reconciled", True)
    assert not np.array_equal(moved.of(told.name, made.folds[1]), made.of("model", made.folds[1]))
    assert above(tree(made), made, "model", spec("bottom_up")).moved() is None


def test_intervals_come_from_each_levels_own_residuals() -> None:
    made = backtest()
    over = above(tree(made), made, "model", spec("bottom_up"))
    forecast = Forecast(horizon=14, levels=(80,))
    held = levels_of_bundle(over, forecast)
    assert (held.columns, len(held.calibrations), held.method) == (((), ("uf",)), 3, "bottom_up")
    widths = [one.hi[0, 0, 0] - one.lo[0, 0, 0] for one in held.calibrations]
    assert len(set(widths)) == 3
    told = levels_told(over, forecast)
    assert [row[LEVEL] for row in told] == ["total", "uf", "series"]
    assert [row["groups"] for row in told] == [1, 3, SERIES]
    assert all(0.5 < row["coverage"] <= 1.0 for row in told)


# --- who is chosen


def test_with_levels_the_best_is_best_in_their_mean() -> None:
    """One candidate errs at random in each series, the other errs less but all the same way."""
    held = make_folds()
    rng = np.random.default_rng(1)
    noise = {fold.window.index: rng.normal(0, 2.0, fold.actual.shape) for fold in held}
    forecasts = {}
    for fold in held:
        for name, off in (("apart", noise[fold.window.index]), ("alike", 1.0)):
            values = fold.actual + off
            source = np.full(len(values), "model")
            forecasts[name, fold.window.index] = Forecasts(values=values, source=source)
    made = Backtest(
        folds=tuple(held),
        groups=GROUPS,
        candidates=(candidate("apart"), candidate("alike")),
        forecasts=forecasts,
    )
    pool = ["apart", "alike"]
    plain = with_policies(made, pool, "rmsse")
    levelled = with_policies(made, pool, "rmsse", tree(made))
    last = held[-1]
    np.testing.assert_array_equal(plain.backtest.of(BEST, last), made.of("alike", last))
    np.testing.assert_array_equal(levelled.backtest.of(BEST, last), made.of("apart", last))
    assert levelled.choice.members == ("apart",)
    assert levelled.backtest.candidate(AUTO).nested
