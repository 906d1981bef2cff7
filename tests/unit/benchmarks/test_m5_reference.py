"""The plain recipe: what its columns hold, and that it sees nothing after the cutoff."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from benchmarks.m5_reference.recipe import Facts, _features, _training, facts, forecast
from tests.m5_files import FIRST, price_of, week_of, write_files

CUTOFF = 660
SMALL = {"num_iterations": 5, "num_leaves": 7}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    folder = tmp_path_factory.mktemp("m5")
    write_files(folder, CUTOFF + 28, kind="parquet")
    return facts(folder)


def test_columns_by_hand(known: Facts) -> None:
    day = 601
    columns = {name: np.broadcast_to(block, (6, 1))[:, 0] for name, block in
               _features(known, np.array([day]))}  # fmt: skip
    units = known.market.units
    assert columns["lag_35"].tolist() == units[:, day - 35].tolist()
    assert columns["mean_14"] == pytest.approx(units[:, day - 41 : day - 27].mean(axis=1))
    row = known.market.ids.to_dicts()[4]
    price = price_of(row["item_id"], row["store_id"], day)
    before = [price_of(row["item_id"], row["store_id"], 7 * week) for week in range(day // 7 + 1)]
    assert columns["price"][4] == price
    assert columns["price_to_highest"][4] == pytest.approx(price / max(before))
    assert columns["price_to_mean"][4] == pytest.approx(price / np.mean(before))
    assert columns["price_to_last_week"][4] == pytest.approx(price / before[-2])
    assert columns["snap"].tolist() == [float(day % 10 == at) for at in (3, 5) for _ in range(3)]
    assert week_of(day) == known.calendar["wm_yr_wk"][day]


def test_only_days_on_sale_train(known: Facts) -> None:
    prices = known.prices.copy()
    prices[2, : CUTOFF // 7] = np.nan
    _, matrix, target = _training(replace(known, prices=prices), CUTOFF)
    days = CUTOFF % 7
    assert len(target) == len(matrix) == 5 * 420 + days


def test_nothing_after_the_cutoff_is_seen(known: Facts) -> None:
    units = known.market.units.copy()
    units[:, CUTOFF:] = 999
    other = replace(known, market=replace(known.market, units=units))
    found = forecast(known, CUTOFF, threads=1, params=SMALL)
    assert found.equals(forecast(other, CUTOFF, threads=1, params=SMALL))
    assert found.height == 6 * 28
    assert (found["date"].min() - FIRST).days == CUTOFF
    assert found["forecast"].is_between(0.0, 10.0).all()
    assert found.group_by("item_id", "store_id").agg(pl.len())["len"].to_list() == [28] * 6
