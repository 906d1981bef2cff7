"""Twelve rows by hand, and what floating point must not do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests import panels

from lakecast.core.features import compile_plan, fit_plan, matrix
from lakecast.spec.features import Ewm, Expanding, Features, Rolling, Seasonal, Trend

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lakecast.core.block import MemoryPanel

NULL = math.nan
TWELVE = [4.0, 0.0, NULL, 8.0, 2.0, 2.0, 6.0, 10.0, NULL, NULL, 1.0, 3.0]
STATS = ("mean", "std", "min", "max")
BARE = {
    "lags": (1,), "rolling": (), "seasonal": (), "expanding": (), "ewm": (), "trend": (),
    "calendar": (), "static": False,
}  # fmt: skip


def columns(panel: MemoryPanel, **features: object) -> dict[str, NDArray[np.float32]]:
    spec = Features(**{**BARE, **features})  # type: ignore[arg-type]
    plan = compile_plan(spec, panel.info, recursive=False)
    found, scale = matrix(fit_plan(plan, panel, panels.CUTOFF), panel.held[0])
    return {**dict(zip(plan.names, found.T, strict=True)), "scale": scale}


def twelve(**features: object) -> dict[str, NDArray[np.float32]]:
    return columns(panels.panel_of([TWELVE]), **features)


def assert_rows(found: NDArray[np.float32], expected: ArrayLike) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_lags() -> None:
    found = twelve(lags=(1, 5, 12, 20))
    assert_rows(found["lag_1"], [NULL, *TWELVE[:11]])
    assert_rows(found["lag_5"], [NULL] * 5 + TWELVE[:7])
    assert_rows(found["lag_12"], [NULL] * 12)
    assert_rows(found["lag_20"], [NULL] * 12)


def test_a_rolling_window_must_be_full_unless_told_otherwise() -> None:
    found = twelve(rolling=(Rolling(window=3), Rolling(window=3, lag=2, min_periods=1)))
    assert_rows(found["rolling_mean_3_lag_1"], [NULL] * 6 + [4, 10 / 3, 6, NULL, NULL, NULL])
    assert_rows(
        found["rolling_mean_3_lag_2"],
        [NULL, NULL, 4, 2, 2, 4, 5, 4, 10 / 3, 6, 8, 10],
    )


def test_rolling_spread() -> None:
    found = twelve(rolling=(Rolling(window=4, stats=STATS, quantiles=(0.25,), min_periods=2),))
    assert_rows(found["rolling_min_4_lag_1"], [NULL, NULL, 0, 0, 0, 0, 2, 2, 2, 2, 6, 1])
    assert_rows(found["rolling_max_4_lag_1"], [NULL, NULL, 4, 4, 8, 8, 8, 8, 10, 10, 10, 10])
    deviations = [
        NULL, NULL, 8**0.5, 8**0.5, 4, (104 / 3 / 2) ** 0.5, 12**0.5, 3, (44 / 3) ** 0.5, 4,
        8**0.5, 40.5**0.5,
    ]  # fmt: skip
    assert_rows(found["rolling_std_4_lag_1"], deviations)
    assert_rows(found["rolling_q25_4_lag_1"], [NULL, NULL, 1, 1, 2, 1, 2, 2, 2, 4, 7, 3.25])


def test_seasons() -> None:
    found = twelve(
        seasonal=(Seasonal(season=3, window=3, lag=3, stats=("mean", "std"), min_periods=1),)
    )
    assert_rows(
        found["seasonal_mean_3x3_lag_3"],
        [NULL, NULL, NULL, 4, 0, NULL, 6, 1, 2, 6, 4, 2],
    )
    assert_rows(
        found["seasonal_std_3x3_lag_3"],
        [NULL] * 6 + [8**0.5, 2**0.5, NULL, 2, 28**0.5, NULL],
    )


def test_everything_so_far() -> None:
    found = twelve(expanding=(Expanding(stats=STATS), Expanding(lag=10)))
    assert_rows(
        found["expanding_mean_lag_1"],
        [NULL, 4, 2, 2, 4, 3.5, 3.2, 22 / 6, 32 / 7, 32 / 7, 32 / 7, 33 / 8],
    )
    assert_rows(found["expanding_mean_lag_10"], [NULL] * 10 + [4, 2])
    assert_rows(found["expanding_max_lag_1"], [NULL, 4, 4, 4, 8, 8, 8, 8, 10, 10, 10, 10])
    assert_rows(found["expanding_min_lag_1"], [NULL, 4] + [0] * 10)
    assert_rows(found["expanding_std_lag_1"][:5], [NULL, NULL, 8**0.5, 8**0.5, 4])


def test_exponential_weights() -> None:
    found = twelve(ewm=(Ewm(alpha=0.5, stats=("mean", "std")),))
    assert_rows(found["ewm_mean_0.5_lag_1"][:8], [NULL, 4, 2, 2, 5, 3.5, 2.75, 4.375])
    assert_rows(found["ewm_std_0.5_lag_1"][:5], [NULL, NULL, 2, 2, (0.5 * (4 + 18)) ** 0.5])


def test_trend_is_the_last_value_less_its_mean() -> None:
    found = twelve(trend=(Trend(window=2),), rolling=(Rolling(window=2),))
    assert_rows(
        found["trend_2_lag_1"],
        [NULL, NULL, -2, NULL, NULL, -3, 0, 2, 2, NULL, NULL, NULL],
    )


def test_the_scale_is_the_mean_size_so_far() -> None:
    negative = columns(panels.panel_of([[-4.0, 2.0, NULL, 0.0]]))
    assert_rows(negative["scale"], [NULL, 4, 3, 3])


def test_the_scale_of_zeros_is_one() -> None:
    found = columns(panels.panel_of([[0.0, 0.0, 6.0, 0.0]]))
    assert_rows(found["scale"], [NULL, 1, 1, 2])


@pytest.mark.parametrize("window", [2, 3, 7, 28])
@pytest.mark.parametrize("height", [1e6, 1e12, -3e7])
def test_a_spike_leaves_nothing_behind(window: int, height: float) -> None:
    panel = panels.spiked(height=height)
    found = columns(panel, rolling=(Rolling(window=window, stats=STATS, quantiles=(0.5,)),))
    for start, value in ((40, 3.17), (180, 3.0)):
        clean = slice(start + 1 + window, 120 if start == 40 else 240)
        for stat in ("mean", "min", "max", "q50"):
            got = found[f"rolling_{stat}_{window}_lag_1"][clean]
            assert got.size
            assert np.all(got == np.float32(value))
        assert np.all(found[f"rolling_std_{window}_lag_1"][clean] == 0.0)


def test_a_constant_series_has_no_deviation_at_all() -> None:
    everything = columns(
        panels.constant(),
        rolling=(Rolling(window=5, stats=("std",)),),
        seasonal=(Seasonal(season=7, window=3, lag=7, stats=("std", "mean")),),
        expanding=(Expanding(stats=("std",)),),
        ewm=(Ewm(alpha=0.3, stats=("std",)),),
        trend=(Trend(window=7),),
    )
    for name, found in everything.items():
        if "std" in name or "trend" in name:
            assert set(found[~np.isnan(found)].tolist()) == {0.0}
    means = everything["seasonal_mean_7x3_lag_7"]
    assert set(means[~np.isnan(means)]) == {np.float32(1), np.float32(3.17), np.float32(250)}


def test_small_deviations_around_a_large_level_survive() -> None:
    values = 1e6 + np.tile([0.0, 1.0, 2.0], 20)
    found = columns(panels.panel_of([values]), rolling=(Rolling(window=3, stats=("std",)),))
    np.testing.assert_array_equal(found["rolling_std_3_lag_1"][3:], np.float32(1.0))


def test_a_series_of_nulls_alone_has_no_features() -> None:
    everything = columns(
        panels.panel_of([[NULL] * 30]),
        rolling=(Rolling(window=5, stats=STATS, quantiles=(0.5,), min_periods=1),),
        seasonal=(Seasonal(season=7, window=3, lag=7, stats=STATS, min_periods=1),),
        expanding=(Expanding(stats=STATS),),
        ewm=(Ewm(alpha=0.3, stats=("mean", "std")),),
    )
    for found in everything.values():
        assert np.all(np.isnan(found))


def test_one_null_in_a_window_does_not_reach_the_next_series() -> None:
    panel = panels.panel_of([[5.0, NULL, 7.0], [1.0, 2.0, 3.0, 4.0]])
    found = columns(panel, rolling=(Rolling(window=2, min_periods=1),))
    assert_rows(found["rolling_mean_2_lag_1"], [NULL, 5, 5, NULL, 1, 1.5, 2.5])
