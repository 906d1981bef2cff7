from __future__ import annotations

import io

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import Future, after
from lakecast.core.features import (
    Cursor,
    State,
    advance,
    compile_plan,
    fit_plan,
    row,
    state_at,
)
from lakecast.spec.features import Features

CUTOFF = panels.CUTOFF - 20


def made(seed: int = 0) -> tuple[State, State]:
    """The state of all series, and that of a panel of two blocks, merged."""
    panel = panels.with_covariates(seed=seed)
    plan = compile_plan(Features(), panel.info, recursive=True, horizon=7)
    parts = [state_at(b, CUTOFF, plans=[plan]) for b in panels.split(panel, 2).blocks()]
    return state_at(panel.held[0], CUTOFF, plans=[plan]), State.merge(parts)


def assert_equal(left: State, right: State) -> None:
    a, b = left.to_arrays(), right.to_arrays()
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype, name
        assert a[name].tobytes() == b[name].tobytes(), name


def test_what_a_state_holds() -> None:
    (block,) = panels.panel_of([[1.0, 0.0, np.nan, 5.0, 9.0], [2.0, 9.0]]).held
    state = state_at(block, panels.CUTOFF - 1, memory=3)
    np.testing.assert_array_equal(
        state.values, np.array([[0, np.nan, 5], [np.nan, np.nan, 2]], np.float32)
    )
    assert state.lengths.tolist() == [4, 1]
    assert state.count.tolist() == [3, 1]
    assert state.nonzero.tolist() == [2, 1]
    assert state.last_nonzero.tolist() == [panels.CUTOFF - 1] * 2
    assert state.mean.tolist() == [2, 2]
    assert state.older[0].tolist() == [[1, 1, 0]]
    assert state.older[1].tolist() == [[0, 0, 0]]
    assert (state.series, state.memory) == (2, 3)


def test_series_that_start_later_are_left_out() -> None:
    (block,) = panels.short().held
    state = state_at(block, panels.CUTOFF - 4)
    assert state.codes.tolist() == [3, 4, 5]
    assert state_at(block, panels.CUTOFF - 50).series == 0


def test_a_series_that_ends_before_the_cutoff_is_refused() -> None:
    (block,) = panels.short().held
    with pytest.raises(ValueError, match="ends before the cutoff"):
        state_at(block, panels.CUTOFF + 1)


def test_never_sold() -> None:
    (block,) = panels.all_zero().held
    state = state_at(block, panels.CUTOFF)
    assert np.all(np.isnan(state.last_nonzero))
    assert np.all(state.mean == 0)


def test_merging_blocks_gives_the_state_of_all() -> None:
    whole, merged = made()
    assert_equal(whole, merged)


def test_merging_unlike_states_is_refused() -> None:
    whole, _ = made()
    with pytest.raises(ValueError, match="different cutoffs"):
        State.merge([whole, advance(whole, np.zeros(whole.series, np.float32))])


def test_selecting_series() -> None:
    whole, _ = made()
    chosen = whole.select(np.array([3, 0]))
    assert chosen.codes.tolist() == [3, 0]
    assert_equal(whole.select(whole.codes < 2), whole.select(np.array([0, 1])))


def test_a_state_survives_a_file_without_pickle() -> None:
    whole, _ = made()
    file = io.BytesIO()
    np.savez(file, **whole.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        assert_equal(State.from_arrays(arrays), whole)


def test_the_tail() -> None:
    whole, _ = made()
    np.testing.assert_array_equal(whole.tail(5), whole.values[:, -5:])
    with pytest.raises(ValueError, match="999 are needed"):
        whole.tail(999)


def test_advancing_leaves_the_old_state_alone() -> None:
    whole, other = made()
    moved = advance(whole, np.full((whole.series, 3), 7, np.float32))
    assert_equal(whole, other)
    assert moved.cutoff == whole.cutoff + 3
    assert np.all(moved.values[:, -3:] == 7)
    assert np.all(np.isnan(moved.covariates["price"][:, -3:]))
    assert np.all(moved.last_nonzero == moved.cutoff)


def test_series_without_history_have_features_of_the_calendar_and_statics_alone() -> None:
    panel = panels.with_covariates()
    plan = compile_plan(Features(), panel.info, recursive=True, horizon=7)
    fitted = fit_plan(plan, panel, CUTOFF)
    state = state_at(panel.held[0], CUTOFF, plans=[plan])
    new = state.unknown(np.array([90, 91], np.int32), {"store": np.array([1, -1], np.float32)})
    assert new.lengths.tolist() == [0, 0]
    assert np.all(np.isnan(new.mean))
    found, scale = row(fitted, Cursor(new, after_none(2, 7)), 1)
    known = {name for name, held in zip(plan.names, found.T, strict=True) if held[0] == held[0]}
    assert known == {"weekday", "day", "is_weekend", "promo", "store"}
    assert np.all(np.isnan(scale))
    assert np.isnan(found[1, plan.names.index("store")])
    assert State.merge([state, new]).series == state.series + 2


def after_none(series: int, horizon: int) -> Future:
    return Future(horizon=horizon, covariates={"promo": np.zeros((series, horizon), np.float32)})


def test_one_state_serves_several_plans() -> None:
    panel = panels.with_covariates()
    (block,) = panel.held
    plans = [
        compile_plan(Features(), panel.info, recursive=True, horizon=14),
        compile_plan(Features(), panel.info, lead=7, recursive=False),
        compile_plan(Features(), panel.info, lead=14, recursive=False),
    ]
    shared = state_at(block, CUTOFF, memory=90, plans=plans)
    assert shared.memory >= 90
    future = after(block, CUTOFF, 14, ["promo"])
    for plan in plans:
        fitted = fit_plan(plan, panel, CUTOFF)
        own = state_at(block, CUTOFF, plans=[plan])
        left, _ = row(fitted, Cursor(shared, future), 1)
        right, _ = row(fitted, Cursor(own, future), 1)
        assert left.tobytes() == right.tobytes()
