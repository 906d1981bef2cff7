"""Theta against the formula written out anew, and on series whose forecast is known."""

from __future__ import annotations

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import Future
from lakecast.core.features import state_at
from lakecast.models.theta import Theta


def forecast(values: np.ndarray, horizon: int, season: int = 7, window: int = 112) -> np.ndarray:
    (block,) = panels.panel_of([values]).held
    theta = Theta(season=season, window=window)
    return theta.forecast(
        state_at(block, panels.CUTOFF, memory=window), Future(horizon=horizon)
    ).values[0]


def errors(y: np.ndarray, alpha: float) -> tuple[float, float]:
    level, total = y[0], 0.0
    for value in y[1:]:
        total += (value - level) ** 2
        level = alpha * value + (1 - alpha) * level
    return total, level


def test_without_a_season_it_is_smoothing_with_half_the_drift() -> None:
    y = np.random.default_rng(5).normal(100, 3, 60).astype(np.float32).astype(np.float64).cumsum()
    found = forecast(y, 3, season=1)
    alphas = np.linspace(0.01, 0.99, 981)
    best = alphas[np.argmin([errors(y.astype(np.float32), a)[0] for a in alphas])]
    slope = np.polyfit(np.arange(60), y, 1)[0]
    level = errors(y, best)[1]
    h = np.arange(1, 4)
    expected = level + slope / 2 * (h - 1 + 1 / best - (1 - best) ** 60 / best)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_steps_grow_by_half_the_slope() -> None:
    y = 10 + 2.0 * np.arange(50)
    steps = np.diff(forecast(y, 5, season=1))
    np.testing.assert_allclose(steps, 1.0, rtol=1e-6)


@pytest.mark.parametrize("offset", [0.0, -30.0])
def test_a_season_is_repeated(offset: float) -> None:
    """Multiplicative where all is positive, additive where it is not."""
    pattern = np.array([10.0, 20, 30, 40, 50, 60, 70]) + offset
    found = forecast(np.tile(pattern, 16), 14)
    np.testing.assert_allclose(found, np.tile(pattern, 2), atol=1.0)


def test_an_even_season_is_centred() -> None:
    pattern = np.array([10.0, 20, 40, 30])
    np.testing.assert_allclose(
        forecast(np.tile(pattern, 15), 8, season=4, window=60), np.tile(pattern, 2), atol=1.0
    )


def test_nulls_take_the_mean_of_their_phase() -> None:
    pattern = np.array([10.0, 20, 30, 40, 50, 60, 70])
    y = np.tile(pattern, 16)
    y[[40, 77, 111]] = np.nan
    np.testing.assert_allclose(forecast(y, 7), pattern, atol=1.5)


def test_fewer_than_four_values_give_their_mean() -> None:
    assert forecast(np.array([1.0, 2.0, 6.0]), 2).tolist() == [3.0, 3.0]


def test_no_values_give_null() -> None:
    assert np.isnan(forecast(np.full(5, np.nan), 2)).all()


def test_constants_stay() -> None:
    np.testing.assert_allclose(forecast(np.full(112, 3.25), 5), 3.25, rtol=1e-12)
