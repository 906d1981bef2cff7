from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import Future, MemoryPanel, after
from lakecast.core.features import (
    Cursor,
    FittedPlan,
    compile_plan,
    fit_plan,
    kept,
    matrix,
    row,
    rows,
    state_at,
)
from lakecast.errors import UsageError
from lakecast.spec.features import Features

CUTOFF = panels.CUTOFF - 20


def fitted(panel: MemoryPanel, lead: int = 1) -> FittedPlan:
    plan = compile_plan(Features(), panel.info, lead=lead, recursive=lead == 1, horizon=7)
    return fit_plan(plan, panel, CUTOFF)


def cursor(panel: MemoryPanel, plan: FittedPlan, horizon: int = 7) -> Cursor:
    (block,) = panel.held
    state = state_at(block, CUTOFF, plans=[plan.plan])
    return Cursor(state, after(block, CUTOFF, horizon, list(plan.plan.known_future)))


def test_the_form_of_a_matrix() -> None:
    panel = panels.mixed()
    plan = fitted(panel)
    found, scale = matrix(plan, panel.held[0])
    assert found.dtype == scale.dtype == np.float32
    assert found.shape == (panel.info.rows, len(plan.columns))
    assert found.flags.f_contiguous
    assert not np.any(scale <= 0)
    assert not np.any(np.isinf(found))


def test_rows_from_a_start_on() -> None:
    panel = panels.mixed()
    (block,) = panel.held
    plan = fitted(panel)
    whole, scale = matrix(plan, block)
    for start in (CUTOFF, panels.CUTOFF, panels.CUTOFF + 1, 0):
        late = kept(block, start)
        some, some_scale = matrix(plan, block, start=start)
        assert some.tobytes() == np.asfortranarray(whole[late]).tobytes()
        assert some_scale.tobytes() == scale[late].tobytes()
    assert kept(block, None).all()


def test_inputs_may_be_read_only_and_are_not_changed() -> None:
    panel = panels.with_covariates()
    plan = fitted(panel)
    (block,) = panel.held
    before = matrix(plan, block)[0].tobytes()
    for held in (block.target, *block.covariates.values(), *block.statics.values(), block.starts):
        held.flags.writeable = False
    assert matrix(plan, block)[0].tobytes() == before
    found, _ = row(plan, cursor(panel, plan), 1)
    assert found.shape == (6, len(plan.columns))


def test_threads_give_the_same_bits() -> None:
    panel = panels.split(panels.with_covariates(series=12), 6)
    plan = fitted(panel)
    serial = [matrix(plan, block)[0].tobytes() for block in panel.blocks()]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda b: matrix(plan, b)[0].tobytes(), list(panel.blocks()) * 3))
    assert threaded == serial * 3


def test_pushed_forecasts_become_lags() -> None:
    panel = panels.regular()
    plan = fitted(panel)
    walk = cursor(panel, plan)
    walk.push(np.full(6, 41.0))
    walk.push(np.full(6, 42.0))
    found, _ = row(plan, walk, 3)
    columns = dict(zip(plan.plan.names, found.T, strict=True))
    assert set(columns["lag_1"]) == {42.0}
    assert set(columns["lag_2"]) == {41.0}


def test_a_series_is_alone_what_it_is_among_others() -> None:
    panel = panels.mixed()
    plan = fitted(panel)
    (block,) = panel.held
    state = state_at(block, CUTOFF, plans=[plan.plan])
    together, _ = row(plan, Cursor(state, Future(horizon=1)), 1)
    for s in range(state.series):
        alone, _ = row(plan, Cursor(state.select(np.array([s])), Future(horizon=1)), 1)
        assert alone[0].tobytes() == together[s].tobytes()


def test_a_cursor_does_not_write_to_its_state() -> None:
    panel = panels.regular()
    plan = fitted(panel)
    state = state_at(panel.held[0], CUTOFF, plans=[plan.plan])
    before = {name: held.tobytes() for name, held in state.to_arrays().items()}
    walk = Cursor(state, Future(horizon=3))
    for h in (1, 2, 3):
        found, _ = row(plan, walk, h)
        walk.push(found[:, 0])
    assert {name: held.tobytes() for name, held in state.to_arrays().items()} == before


def test_known_future_covariates_must_be_given() -> None:
    panel = panels.with_covariates()
    plan = fitted(panel)
    walk = Cursor(state_at(panel.held[0], CUTOFF, plans=[plan.plan]), Future(horizon=7))
    with pytest.raises(UsageError, match="`promo` is missing beyond the cutoff") as error:
        row(plan, walk, 1)
    assert error.value.cure


def test_a_horizon_beyond_what_covariates_are_known_for_is_refused() -> None:
    panel = panels.with_covariates()
    plan = fitted(panel)
    walk = cursor(panel, plan, horizon=8)
    for h in range(1, 8):
        row(plan, walk, h)
        walk.push(np.ones(6))
    with pytest.raises(UsageError, match="known up to 7") as error:
        row(plan, walk, 8)
    assert "at most 7" in error.value.cure


def test_a_recursive_plan_needs_the_forecasts_before() -> None:
    panel = panels.regular()
    plan = fitted(panel)
    with pytest.raises(ValueError, match="horizon 2: 0 of 7 forecasts pushed"):
        row(plan, cursor(panel, plan), 2)
    with pytest.raises(ValueError, match="horizon 8"):
        row(plan, cursor(panel, plan), 8)


def test_a_direct_plan_does_not() -> None:
    panel = panels.with_covariates()
    plan = fitted(panel, lead=7)
    walk = cursor(panel, plan)
    several, scale = rows(plan, walk, 1, 7)
    assert several.shape == (6 * 7, len(plan.columns))
    for h in range(1, 8):
        one, one_scale = row(plan, walk, h)
        assert one.tobytes() == np.asfortranarray(several[h - 1 :: 7]).tobytes()
        assert one_scale.tobytes() == scale[h - 1 :: 7].tobytes()


def test_a_state_made_for_another_plan_is_refused() -> None:
    panel = panels.regular()
    plan = fitted(panel)
    for small in (
        state_at(panel.held[0], CUTOFF, memory=2),
        state_at(panel.held[0], CUTOFF, memory=99),
    ):
        with pytest.raises(ValueError, match="not made for this plan"):
            row(plan, Cursor(small, Future(horizon=1)), 1)


def test_a_state_without_the_plans_covariates_is_refused() -> None:
    panel = panels.with_covariates()
    plan = fitted(panel)
    without = replace(state_at(panel.held[0], CUTOFF, plans=[plan.plan]), covariates={})
    with pytest.raises(ValueError, match="not made for this plan"):
        row(plan, Cursor(without, after(panel.held[0], CUTOFF, 7, ["promo"])), 1)


def test_pooled_means_older_than_the_state_are_refused() -> None:
    panel = panels.regular()
    plan = compile_plan(Features(pooled=("store",)), panel.info, lead=7, recursive=False)
    old = fit_plan(plan, panel, CUTOFF - 3)
    with pytest.raises(UsageError, match="pooled means end 3 periods too early") as error:
        row(old, cursor(panel, old), 1)
    assert "--retrain" in error.value.cure


def test_rows_may_be_divided_by_the_mean_of_their_last_values() -> None:
    panel = panels.panel_of([[4.0, 0.0, 2.0, np.nan, 6.0, 8.0], [0.0, 0.0, 0.0], [-3.0, -5.0, 1.0]])
    plan = compile_plan(Features(scale=2, lags=(1,)), panel.info, recursive=True, horizon=2)
    held = fit_plan(plan, panel, panels.CUTOFF)
    _, scale = matrix(held, panel.held[0])
    nan = np.nan
    expected = [nan, 4.0, 2.0, 1.0, 2.0, 6.0, nan, 1.0, 1.0, nan, 3.0, 4.0]
    np.testing.assert_array_equal(scale, np.float32(expected))
    assert compile_plan(Features(lags=(1,)), panel.info, recursive=True, horizon=2).scale == 0


@pytest.mark.parametrize("window", [3, 70])
def test_the_scale_of_a_state_is_that_of_the_matrix(window: int) -> None:
    panel = panels.mixed()
    (block,) = panel.held
    plan = compile_plan(Features(scale=window), panel.info, recursive=True, horizon=7)
    held = fit_plan(plan, panel, CUTOFF)
    assert plan.memory >= window
    features, scale = row(held, cursor(panel, held), 1)
    next_rows = kept(block, CUTOFF + 1) & ~kept(block, CUTOFF + 2)
    next_rows &= np.repeat(block.first <= CUTOFF, block.lengths)
    whole, of_matrix = matrix(held, block)
    np.testing.assert_allclose(scale, of_matrix[next_rows], rtol=1e-6)
    np.testing.assert_allclose(features, whole[next_rows], rtol=1e-4, atol=1e-5)
