"""WRMSSE: by hand on two series, by plain loops on twelve, and as published on the real ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from math import sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks import wrmsse
from benchmarks.wrmsse import HORIZON, LEVELS, Market, matrix, referee

FIRST = date(2011, 1, 29)
M5 = Path(__file__).resolve().parents[4] / "shared" / "data" / "m5"


def market(
    units: np.ndarray, ids: list[tuple[str, ...]], prices: list[tuple[object, ...]]
) -> Market:
    return Market(
        ids=pl.DataFrame(ids, schema=list(wrmsse.IDS), orient="row"),
        units=units.astype(np.int32),
        prices=pl.LazyFrame(
            prices, schema=["item_id", "store_id", "week", "sell_price"], orient="row"
        ),
        weeks=(np.arange(units.shape[1]) // 7).astype(np.int32),
        first=FIRST,
    )


@pytest.fixture
def two() -> Market:
    """29 days known, then 28 with 5 of the one and 4 of the other a day.

    `a` was first sold on day 21: 2, then 4 a day. `b` sells 1, 3, 1, 3, .. from day 1.
    """
    a = [0] * 20 + [2] + [4] * 8 + [5] * 28
    b = [1 + 2 * (day % 2) for day in range(29)] + [4] * 28
    prices = [("a", "s", week, 0.5) for week in range(4)] + [("a", "s", 4, 1.0)]
    prices += [("b", "s", week, 0.75) for week in range(5)]
    ids = [("a", "d1", "c", "s", "x"), ("b", "d2", "c", "s", "x")]
    return market(np.array([a, b]), ids, prices)


FLAT = np.repeat([[4.0], [2.0]], HORIZON, axis=1)


def test_two_series_by_hand(two: Market) -> None:
    scores = referee(two, 29).scores(FLAT)
    # One change of 2 in eight days since the first sale; off by 1.  28 changes of 2; off by 2.
    each = [sqrt(1 / (4 / 8)), sqrt(4 / 4)]
    # 30 units at 0.5 and 4 at 1.0; 56 at 0.75.
    weighted = (19 * each[0] + 42 * each[1]) / 61
    # Changes of a + b: on day 21 the 2 of a meets the -2 of b, on day 22 both add to 4; off by 3.
    together = sqrt(9 / ((26 * 4 + 0 + 16) / 28))
    apart = {"department", "state, department", "store, department"}
    apart |= {"item", "item, state", "item, store"}
    expected = {name: weighted if name in apart else together for name in LEVELS}
    assert scores == pytest.approx({**expected, "mean": (weighted + together) / 2}, rel=1e-12)


def test_a_perfect_forecast_scores_nothing(two: Market) -> None:
    actual = two.units[:, 29:].astype(np.float64)
    assert set(referee(two, 29).scores(actual).values()) == {0.0}


def test_a_series_without_scale_weighs_nothing(two: Market) -> None:
    steady = two.units.copy()
    steady[0, :29] = 4
    alone = referee(replace(two, units=steady), 29).scores(FLAT)
    assert alone["item, store"] == pytest.approx(1.0)


def test_twelve_series_by_plain_loops() -> None:
    """Two states, three stores, four items in three departments of two categories."""
    rng = np.random.default_rng(7)
    stores = {"s1": "x", "s2": "x", "s3": "y"}
    items = {"a": ("d1", "c1"), "b": ("d1", "c1"), "c": ("d2", "c1"), "d": ("d3", "c2")}
    ids = [(i, *items[i], s, state) for s, state in stores.items() for i in items]
    units = rng.poisson(1.5, (12, 70))
    units[5, :25] = 0
    prices = [(i, s, week, float(rng.uniform(1, 9))) for s in stores for i in items
              for week in range(10)]  # fmt: skip
    whole = market(units, ids, prices)
    forecasts = rng.gamma(2.0, 1.0, (12, HORIZON))
    scores = referee(whole, 40).scores(forecasts)
    paid = {(i, s, week): price for i, s, week, price in prices}
    for name, columns in LEVELS.items():
        assert scores[name] == pytest.approx(_loops(whole, forecasts, columns, paid), rel=1e-12)


def _loops(
    whole: Market, forecasts: np.ndarray, columns: tuple[str, ...], paid: dict[object, float]
) -> float:
    members: dict[tuple[str, ...], list[int]] = {}
    for row, names in enumerate(whole.ids.to_dicts()):
        members.setdefault(tuple(names[c] for c in columns), []).append(row)
    weighted = total = 0.0
    for rows in members.values():
        y = [int(whole.units[rows, day].sum()) for day in range(40)]
        begun = next(day for day, sold in enumerate(y) if sold)
        scale = np.mean([(y[t] - y[t - 1]) ** 2 for t in range(begun + 1, 40)])
        error = np.mean(
            [(whole.units[rows, 40 + h].sum() - forecasts[rows, h].sum()) ** 2 for h in range(28)]
        )
        earned = sum(
            whole.units[row, day] * paid[whole.ids["item_id"][row], whole.ids["store_id"][row],
                                         day // 7]
            for row in rows for day in range(12, 40)
        )  # fmt: skip
        weighted, total = weighted + earned * sqrt(error / scale), total + earned
    return weighted / total


def table(forecasts: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (item, "s", FIRST + timedelta(days=29 + h), forecasts[row, h])
            for row, item in enumerate("ab")
            for h in range(HORIZON)
        ],
        schema=["item_id", "store_id", "date", "forecast"],
        orient="row",
    )


def test_a_table_of_forecasts_in_any_order(two: Market) -> None:
    forecasts = np.arange(2.0 * HORIZON).reshape(2, HORIZON)
    frame = table(forecasts).sample(fraction=1.0, shuffle=True, seed=1)
    assert (matrix(frame, two, 29) == forecasts).all()


def test_only_what_was_never_sold_may_be_absent(two: Market) -> None:
    frame = table(FLAT).filter(item_id="b")
    with pytest.raises(ValueError, match="28 forecasts from day 29 are missing"):
        matrix(frame, two, 29)
    units = two.units.copy()
    units[0, :29] = 0
    assert matrix(frame, replace(two, units=units), 29)[0].tolist() == [0.0] * HORIZON


def test_a_forecast_that_stands_twice_is_refused(two: Market) -> None:
    with pytest.raises(ValueError, match="stand twice"):
        matrix(pl.concat([table(FLAT), table(FLAT)[:1]]), two, 29)


def test_days_beyond_the_actuals_are_refused(two: Market) -> None:
    with pytest.raises(ValueError, match="actuals end on day 57"):
        referee(two, 30)
    with pytest.raises(ValueError, match="not a finite number"):
        referee(two, 29).scores(np.full_like(FLAT, np.nan))


@pytest.mark.slow
@pytest.mark.skipif(not M5.exists(), reason="the M5 files are not beside this checkout")
def test_as_published() -> None:
    """All zeros, the sample submission, and the seasonal naive of the organisers, `d_1914` on."""
    whole = wrmsse.read(M5)
    judge = referee(whole, 1913)
    zeros = judge.scores(np.zeros((30490, HORIZON)))
    assert zeros["mean"] == pytest.approx(5.446, abs=1e-3)
    naive = judge.scores(wrmsse.seasonal_naive(whole, 1913))
    assert naive["mean"] == pytest.approx(0.8697, abs=1e-4)
