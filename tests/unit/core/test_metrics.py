"""Twelve rows by hand: two series of six periods, season 2, the last two periods forecast."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakecast.core import metrics
from lakecast.core.block import Block

HISTORY = Block(
    codes=np.array([0, 1], np.int32),
    starts=np.array([0, 4, 8]),
    first=np.array([0, 0], np.int32),
    target=np.array([10, 12, 14, 16, 2, 0, 4, 2], np.float32),
)
ACTUAL = np.array([[20.0, 10.0], [0.0, 4.0]])
FORECAST = np.array([[18.0, 15.0], [1.0, 1.0]])
# errors                 -2     +5     +1    -3

BY_HAND = {
    "mae": 11 / 4,
    "rmse": (39 / 4) ** 0.5,
    "bias": 1 / 34,
    "wape": 11 / 34,
    "smape": (4 / 38 + 10 / 25 + 2 / 1 + 6 / 5) / 4,
    "r2": 1 - 39 / 227,  # 516 - 34^2 / 4 = 227
    "mase": (3.5 / 4 + 2 / 2) / 2,
    "rmsse": ((14.5 / 16) ** 0.5 + (5 / 4) ** 0.5) / 2,
}


def stats(forecast: np.ndarray, actual: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    sums = metrics.errors(forecast, actual).sum(axis=1)
    return metrics.units(sums, metrics.scales(HISTORY, 2), weight).sum(axis=0)


def test_the_table_by_hand_names_every_metric() -> None:
    assert set(BY_HAND) == set(metrics.METRICS)


@pytest.mark.parametrize("metric", metrics.METRICS)
def test_a_metric_is_what_was_computed_by_hand(metric: str) -> None:
    assert metrics.figure(metric, stats(FORECAST, ACTUAL)) == pytest.approx(BY_HAND[metric], 1e-12)


def test_scales_are_mean_seasonal_differences() -> None:
    found = metrics.scales(HISTORY, 2)
    assert found.absolute.tolist() == [4.0, 2.0]
    assert found.squared.tolist() == [16.0, 4.0]


def test_scales_skip_nulls_and_other_series() -> None:
    block = Block(
        codes=np.array([0, 1, 2], np.int32),
        starts=np.array([0, 5, 7, 10]),
        first=np.array([0, 3, 2], np.int32),
        target=np.array([np.nan, 1, 5, 4, 11, 8, 9, 7, 7, 7], np.float32),
    )
    found = metrics.scales(block, 2)
    assert found.absolute.tolist()[0] == (3 + 6) / 2
    assert np.isnan(found.absolute[1])
    assert found.absolute[2] == 0.0


def test_weights_are_of_series_and_move_unit_metrics_only() -> None:
    heavy = stats(FORECAST, ACTUAL, np.array([3.0, 1.0]))
    assert metrics.figure("mase", heavy) == pytest.approx((3 * 0.875 + 1) / 4)
    assert metrics.figure("mae", heavy) == BY_HAND["mae"]


def test_a_null_actual_is_not_scored() -> None:
    actual = np.array([[20.0, np.nan], [0.0, 4.0]])
    found = stats(FORECAST, actual)
    assert metrics.figure("mae", found) == (2 + 1 + 3) / 3
    assert metrics.figure("mase", found) == (2 / 4 + 2 / 2) / 2


def test_smape_counts_nothing_against_nothing_as_zero() -> None:
    found = stats(np.array([[18.0, 15.0], [0.0, 1.0]]), ACTUAL)
    assert metrics.figure("smape", found) == pytest.approx((4 / 38 + 10 / 25 + 0 + 6 / 5) / 4)


@pytest.mark.parametrize("metric", ["bias", "wape", "r2"])
def test_a_zero_denominator_is_null_and_counted(metric: str) -> None:
    found = stats(FORECAST, np.zeros((2, 2)))
    assert np.isnan(metrics.figure(metric, found))
    assert metrics.undefined(metric, found) == 1


def test_r2_of_constant_actuals_is_null_whatever_the_rounding() -> None:
    actual = np.full((2, 2), np.float64(np.float32(3.17)))
    assert np.isnan(metrics.figure("r2", stats(FORECAST, actual)))


def test_a_series_without_scale_is_left_out_and_counted() -> None:
    scale = metrics.Scales(absolute=np.array([4.0, 0.0]), squared=np.array([16.0, np.nan]))
    sums = metrics.errors(FORECAST, ACTUAL).sum(axis=1)
    found = metrics.units(sums, scale).sum(axis=0)
    assert metrics.figure("mase", found) == 3.5 / 4
    assert metrics.figure("rmsse", found) == (14.5 / 16) ** 0.5
    assert metrics.undefined("mase", found) == 1
    assert metrics.undefined("rmsse", found) == 1


def test_a_series_without_scored_rows_is_neither_a_unit_nor_undefined() -> None:
    found = stats(FORECAST, np.array([[20.0, 10.0], [np.nan, np.nan]]))
    assert metrics.figure("mase", found) == 3.5 / 4
    assert metrics.undefined("mase", found) == 0


def test_intervals_by_hand() -> None:
    band = metrics.Band(level=80, lo=FORECAST - 2, hi=FORECAST + 2)
    found = metrics.interval_errors(band, ACTUAL).sum(axis=(0, 1))
    assert metrics.interval_figure("coverage", found) == 0.5
    low, high = 0.4 + 2.7 + 0.1 + 0.5, 0.0 + 0.7 + 0.3 + 0.9
    assert metrics.interval_figure("pinball", found) == pytest.approx((low + high) / 8)
    assert metrics.interval_figure("width", found) == 4.0


def test_a_null_interval_is_not_scored() -> None:
    band = metrics.Band(level=80, lo=np.full((2, 2), np.nan), hi=FORECAST)
    assert np.isnan(
        metrics.interval_figure("coverage", metrics.interval_errors(band, ACTUAL).sum(axis=(0, 1)))
    )


def test_losses_are_smaller_when_better() -> None:
    assert metrics.loss("bias", np.array(-0.3)) == 0.3
    assert metrics.loss("r2", np.array(0.75)) == 0.25
    assert metrics.loss("mae", np.array(2.0)) == 2.0


rows = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.floats(-50, 50, allow_nan=False),
        st.one_of(st.floats(-50, 50, allow_nan=False), st.just(float("nan"))),
    ),
    min_size=1,
    max_size=40,
)


@given(rows=rows, cuts=st.lists(st.integers(0, 40), max_size=3))
@settings(deadline=None, max_examples=60)
def test_parts_merge_to_the_whole(rows: list[tuple[int, float, float]], cuts: list[int]) -> None:
    keys, forecast, actual = (np.array(column) for column in zip(*rows, strict=True))
    values = metrics.errors(forecast, actual)
    whole = metrics.partial(keys, values)
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [metrics.partial(keys[a:b], values[a:b]) for a, b in itertools.pairwise(bounds)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    again = parts[0]
    for part in parts[1:]:
        again = again.merge(part)
    assert merged.keys.tolist() == whole.keys.tolist()
    np.testing.assert_allclose(merged.sums, whole.sums, rtol=1e-9, atol=1e-9)
    assert merged.sums.tobytes() == again.sums.tobytes()


def test_merge_is_associative_on_exact_sums() -> None:
    a, b, c = (
        metrics.partial(np.array(keys), np.array(keys, float)[:, None])
        for keys in ([1, 2], [2, 3], [0, 3])
    )
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    assert left.keys.tolist() == right.keys.tolist() == [0, 1, 2, 3]
    assert left.sums.tolist() == right.sums.tolist() == [[0.0], [1.0], [4.0], [6.0]]
