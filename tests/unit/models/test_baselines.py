"""Baselines on tails short enough to work out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import Future
from lakecast.core.features import state_at
from lakecast.models.baselines import MovingAverage, Naive, SeasonalMean, SeasonalNaive

if TYPE_CHECKING:
    from lakecast.models.protocol import Forecaster

NULL = np.nan


def forecast(forecaster: Forecaster, values: list[float], horizon: int) -> list[float]:
    (block,) = panels.panel_of([values]).held
    state = state_at(block, panels.CUTOFF, memory=forecaster.memory)
    return forecaster.forecast(state, Future(horizon=horizon)).values[0].tolist()


@pytest.mark.parametrize(
    ("forecaster", "values", "expected"),
    [
        (Naive(window=3), [5, 6, 7], [7, 7, 7, 7]),
        (Naive(window=3), [5, 6, NULL], [6, 6, 6, 6]),
        (MovingAverage(window=3), [100, 1, 2, 6], [3, 3, 3, 3]),
        (MovingAverage(window=3), [NULL, 2, 6], [4, 4, 4, 4]),
        (SeasonalNaive(season=3), [9, 9, 9, 1, 2, 3], [1, 2, 3, 1]),
        (SeasonalNaive(season=3), [7, 8, 9, 1, NULL, 3], [1, 8, 3, 1]),
        (SeasonalNaive(season=3), [4, 8], [6, 4, 8, 6]),  # a phase never seen: the mean
        (SeasonalMean(season=2, depth=2), [99, 99, 1, 10, 3, 30], [2, 20, 2, 20]),
        (SeasonalMean(season=2, depth=2), [1, NULL, 3, NULL], [2, 2, 2, 2]),
    ],
)
def test_by_hand(forecaster: Forecaster, values: list[float], expected: list[float]) -> None:
    assert forecast(forecaster, values, 4) == expected


def test_a_tail_of_nulls_is_answered_with_null() -> None:
    for forecaster in (Naive(window=2), MovingAverage(window=2), SeasonalMean(season=2, depth=1)):
        assert np.isnan(forecast(forecaster, [5, NULL, NULL], 2)).all()


def test_means_are_taken_in_float64() -> None:
    values = [16_777_216.0, 1.0] * 28  # their float32 sum would lose the ones
    assert forecast(MovingAverage(window=56), values, 1) == [8_388_608.5]
