"""Windows of doublings: one result for a window, whatever stands around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests import panels

from lakecast.core.features import compile_plan, fill, fit_plan, matrix
from lakecast.spec.features import Features, Rolling, Seasonal, Trend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lakecast.core.block import MemoryPanel
    from lakecast.core.features import FittedPlan

STATS = ("mean", "std", "min", "max")
WINDOWS = (1, 2, 7, 28, 31, 90)
FEATURES = Features(
    lags=(1,),
    rolling=(
        *(Rolling(window=w, stats=STATS, min_periods=1) for w in WINDOWS),
        Rolling(window=28, lag=9, stats=STATS, min_periods=1),
    ),
    seasonal=(Seasonal(season=7, window=5, lag=7, stats=STATS, min_periods=1),),
    trend=(Trend(window=28),),
    expanding=(), ewm=(), calendar=(), static=False,
)  # fmt: skip
TILE = 512


def planned(panel: MemoryPanel, features: Features = FEATURES) -> FittedPlan:
    plan = compile_plan(features, panel.info, recursive=False)
    return fit_plan(plan, panel, panels.CUTOFF)


def columns(values: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    panel = panels.panel_of([values])
    fitted = planned(panel)
    found, _ = matrix(fitted, panel.held[0])
    return dict(zip(fitted.plan.names, found.T, strict=True))


def reach(fitted: FittedPlan) -> NDArray[np.int64]:
    """[F] how many values before a row, itself not among them, each column looks at."""
    return np.array([column.feature.memory for column in fitted.columns])


def anything(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Values whose order shows in their sum: many sizes, spikes that cancel, zeros."""
    held = rng.gamma(0.5, 1.0, size) * 10.0 ** rng.integers(-3, 6, size)
    held[rng.random(size) < 0.05] = rng.choice((3e16, -3e16))
    held[rng.random(size) < 0.2] = 0.0
    return held


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 700), st.lists(st.integers(0, 699), max_size=4))
def test_windows_without_a_null_have_the_same_bits_beside_one(
    seed: int, size: int, at: list[int]
) -> None:
    values = anything(np.random.default_rng(seed), size)
    holed = values.copy()
    holes = np.array([i for i in at if i < size], np.int64)
    holed[holes] = np.nan
    panel, other = panels.panel_of([values]), panels.panel_of([holed])
    fitted = planned(panel)
    whole, pierced = (matrix(fitted, p.held[0])[0] for p in (panel, other))
    row = np.arange(size)
    for f, back in enumerate(reach(fitted)):
        touched = np.zeros(size, np.bool_)
        for hole in holes:
            touched |= (row >= hole) & (row <= hole + back)
        assert whole[~touched, f].tobytes() == pierced[~touched, f].tobytes()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 700), st.integers(0, 800))
def test_what_lies_before_a_window_does_not_reach_it(seed: int, size: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    values = anything(rng, size)
    short, long = panels.panel_of([values]), panels.panel_of([[*anything(rng, more), *values]])
    fitted = planned(short)
    brief, whole = (matrix(fitted, p.held[0])[0] for p in (short, long))
    for f, back in enumerate(reach(fitted)):
        assert brief[back:, f].tobytes() == whole[more + back :, f].tobytes()


def naive(values: NDArray[np.float64], window: int, stat: str) -> NDArray[np.float64]:
    """The statistic of the `window` values before each place, in float64, null where none is."""
    given = values.astype(np.float32).astype(np.float64)
    out = np.full(values.size, np.nan)
    for p in range(values.size):
        held = given[max(p - window, 0) : p]
        held = held[~np.isnan(held)]
        if held.size >= (2 if stat == "std" else 1):
            out[p] = held.std(ddof=1) if stat == "std" else getattr(np, stat)(held)
    return out


@pytest.mark.parametrize("size", [1, 27, 89, TILE + 89, TILE + 90, TILE + 91, 2 * TILE + 130])
@pytest.mark.parametrize("nulls", [0.0, 0.01, 0.6])
def test_windows_by_hand(size: int, nulls: float) -> None:
    rng = np.random.default_rng(size)
    values = rng.gamma(1.0, 20.0, size)
    values[rng.random(size) < nulls] = np.nan
    found = columns(values)
    for window in (1, 7, 28, 90):
        for stat in STATS:
            expected = naive(values, window, stat)
            got = found[f"rolling_{stat}_{window}_lag_1"]
            np.testing.assert_allclose(got, expected, rtol=1e-6, err_msg=f"{stat} {window}")


def test_deviations_do_not_overflow_and_one_value_has_none() -> None:
    found = columns(np.array([1e38, -1e38, 1e38, 1.0, 2.0]))
    np.testing.assert_allclose(found["rolling_std_2_lag_1"][2:4], 1e38 * np.sqrt(2), rtol=1e-6)
    assert np.all(np.isnan(found["rolling_std_1_lag_1"]))


@pytest.mark.parametrize("scale", [None, 5])
@pytest.mark.parametrize("scaled", [True, False])
def test_blocks_are_written_side_by_side(scaled: bool, scale: int | None) -> None:
    panel = panels.split(panels.mixed(), 3)
    fitted = planned(panel, structs.replace(FEATURES, scale=scale))
    expected = [matrix(fitted, block) for block in panel.blocks()]
    size = len(fitted.columns)
    out = np.full((size + scaled, panel.info.rows + 2), 7.0, np.float32)
    at = 1
    for block in panel.blocks():
        at += fill(fitted, block, out, at)
    assert at == panel.info.rows + 1
    assert np.all(out[:, [0, -1]] == 7.0)
    assert out[:size, 1:-1].tobytes() == np.concatenate([m for m, _ in expected]).T.tobytes()
    if scaled:
        assert out[size, 1:-1].tobytes() == np.concatenate([s for _, s in expected]).tobytes()


def test_rows_from_a_start_are_written_too() -> None:
    panel = panels.mixed()
    fitted = planned(panel)
    start = panels.CUTOFF - 3
    expected, _ = matrix(fitted, panel.held[0], start=start)
    out = np.empty((len(fitted.columns), panel.info.rows), np.float32)
    written = fill(fitted, panel.held[0], out, 5, start=start)
    assert out[:, 5 : 5 + written].tobytes() == expected.T.tobytes()
