"""Scales, weights and the targets that are too large to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from lakecast.models.scaling import ceiling, grow, weights


def test_a_row_weighs_as_much_as_its_scale_says() -> None:
    scale = np.array([0.1, 1, 10, 1e6], np.float32)
    np.testing.assert_allclose(weights(scale), [0.1 / 1.01, 1 / 1.1, 10 / 2, 10], rtol=1e-4)


def test_the_ceiling_is_ten_times_what_is_usual() -> None:
    targets = np.ones(1000, np.float32)
    targets[:5] = [-1e6, 9, 9, 9, 1e6]
    assert ceiling(targets) == 10.0


@pytest.mark.parametrize("targets", [[], [0.0] * 999 + [5.0]])
def test_without_usual_values_there_is_no_ceiling(targets: list[float]) -> None:
    assert ceiling(np.array(targets, np.float32)) == np.inf


def test_predictions_grow_back() -> None:
    scale = np.array([2, 3, np.nan], np.float32)
    found = grow(np.array([1.5, -1.0, 7.0]), scale, 0.0)
    np.testing.assert_array_equal(found, [3.0, 0.0, np.nan])
    np.testing.assert_array_equal(grow(np.array([1.5, -1.0, 7.0]), scale, None), [3, -3, np.nan])
