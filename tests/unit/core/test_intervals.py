from __future__ import annotations

import numpy as np
import pytest

from lakecast.core import classes, intervals
from lakecast.core.intervals import ALL, ALL_CLASSES, FEW, NONE, OWN, Residuals, Spread

GROUPS = (2, 4)
rng = np.random.default_rng(0)


def residuals(n: int, kind: int = 0, group: int = 0) -> Residuals:
    return Residuals(
        values=rng.normal(size=n),
        classes=np.full(n, kind, np.int8),
        groups=np.full(n, group, np.int8),
    )


def one(forecast: float = 10.0, scale: float = 2.0, kind: int = 0) -> Spread:
    return Spread(
        forecast=np.full((1, 4), forecast),
        scale=np.array([scale]),
        classes=np.array([kind], np.int8),
    )


def test_residuals_are_signed_scaled_and_without_nulls() -> None:
    spread = Spread(
        forecast=np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]),
        scale=np.array([2.0, 0.0]),
        classes=np.array([3, 1], np.int8),
    )
    found = intervals.residuals(spread, np.array([[3.0, np.nan, 1.0], [5.0, 5.0, 5.0]]), (2, 3))
    assert found.values.tolist() == [1.0, -1.0]
    assert found.classes.tolist() == [3, 3]
    assert found.groups.tolist() == [0, 1]


def test_quantiles_are_the_conformal_ranks() -> None:
    held = Residuals(
        values=np.arange(-9.0, 10.0),  # 19 residuals: ranks 2 and 18 of 20 at 80%
        classes=np.zeros(19, np.int8),
        groups=np.zeros(19, np.int8),
    )
    found = intervals.calibrate(held, (80,), GROUPS)
    assert (found.lo[0, 0, 0], found.hi[0, 0, 0]) == (-8.0, 8.0)
    assert found.pools[0, 0, 0] == OWN
    band = found.apply(one(forecast=100.0), 0.0)[0]
    assert (band.lo[0, 0], band.hi[0, 0]) == (84.0, 116.0)


def test_too_few_residuals_pool_wider_step_by_step_and_say_so() -> None:
    held = intervals.pool([residuals(9, 0, 0), residuals(5, 1, 0), residuals(3, 1, 1)])
    found = intervals.calibrate(held, (80,), GROUPS)  # needs 10
    assert found.pools[0, 0].tolist() == [ALL_CLASSES, ALL]
    assert (
        "80% interval of class smooth, horizons up to 2: too few residuals, pooled over all classes"
        in found.notes()
    )


def test_the_number_needed_is_two_over_one_minus_level() -> None:
    for n, pool in ((10, OWN), (9, FEW)):
        assert intervals.calibrate(residuals(n), (80,), (4,)).pools[0, 0, 0] == pool
    for n, pool in ((40, OWN), (39, FEW)):
        assert intervals.calibrate(residuals(n), (95,), (4,)).pools[0, 0, 0] == pool


def test_without_any_residual_the_interval_is_null() -> None:
    found = intervals.calibrate(residuals(0), (80,), GROUPS)
    assert (found.pools == NONE).all()
    assert np.isnan(found.apply(one(), 0.0)[0].lo).all()


def test_quantiles_never_cross_whatever_was_pooled() -> None:
    held = intervals.pool([residuals(12, 0, 0), residuals(400, 1, 1)])
    held = Residuals(
        values=held.values * np.where(held.classes == 0, 100.0, 0.01),
        classes=held.classes,
        groups=held.groups,
    )
    found = intervals.calibrate(held, (95, 50, 80), GROUPS)
    assert found.levels == (50, 80, 95)
    assert (np.diff(found.lo, axis=0) <= 0).all()
    assert (np.diff(found.hi, axis=0) >= 0).all()
    assert (found.lo <= 0).all()
    assert (found.hi >= 0).all()


def test_a_biased_class_still_holds_its_forecast() -> None:
    held = Residuals(
        values=np.full(50, 3.0), classes=np.zeros(50, np.int8), groups=np.zeros(50, np.int8)
    )
    band = intervals.calibrate(held, (80,), (4,)).apply(one(), None)[0]
    assert band.lo[0, 0] == 10.0
    assert band.hi[0, 0] == 16.0


def test_bounds_are_clipped_at_the_minimum() -> None:
    found = intervals.calibrate(residuals(50), (80,), (4,))
    assert (found.apply(one(forecast=0.0), 0.0)[0].lo == 0.0).all()
    assert (found.apply(one(forecast=0.0), None)[0].lo < 0.0).all()


def test_horizons_beyond_the_last_group_take_its_quantiles() -> None:
    found = intervals.calibrate(
        intervals.pool([residuals(50, 0, 0), residuals(50, 0, 1)]), (80,), (1, 2)
    )
    band = found.apply(one(), None)[0]
    assert band.hi[0, 1] == band.hi[0, 3] != band.hi[0, 0]


def test_save_and_load_is_identity() -> None:
    found = intervals.calibrate(residuals(50), (50, 80), GROUPS)
    again = intervals.Calibration.load(found.arrays(), found.meta())
    assert (again.levels, again.groups) == (found.levels, found.groups)
    for name, values in found.arrays().items():
        assert again.arrays()[name].tobytes() == values.tobytes()


@pytest.mark.parametrize("level", [50, 80, 95])
def test_coverage_of_fresh_data_is_near_nominal(level: int) -> None:
    found = intervals.calibrate(residuals(4000), (level,), (4,))
    fresh = rng.normal(size=(4000, 1)) * 2.0 + 10.0
    spread = Spread(
        forecast=np.full((4000, 1), 10.0),
        scale=np.full(4000, 2.0),
        classes=np.full(4000, classes.SMOOTH, np.int8),
    )
    band = found.apply(spread, None)[0]
    covered = ((fresh >= band.lo) & (fresh <= band.hi)).mean()
    assert covered == pytest.approx(level / 100, abs=0.03)
