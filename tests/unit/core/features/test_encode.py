from __future__ import annotations

import numpy as np
from tests import panels

from lakecast.core.block import MemoryPanel
from lakecast.core.features import FittedPlan, compile_plan, fit_plan, matrix
from lakecast.core.features.encode import finish, merge, partial
from lakecast.spec.features import Features

LEARNING = Features(lags=(1,), encodings=("store",), pooled=("store",), static=False)
NULL = float("nan")


def four() -> MemoryPanel:
    """Items 0 and 3 in the first store, 1 in the second, 2 in the third."""
    return panels.panel_of([[1.0, 2.0, 6.0], [NULL, NULL], [5.0], [10.0, NULL]])


def test_by_hand() -> None:
    panel = four()
    plan = compile_plan(LEARNING, panel.info, recursive=False)
    fitted = fit_plan(plan, panel, panels.CUTOFF)
    np.testing.assert_array_equal(fitted.encodings["store"], [19 / 4, 24 / 5, 5, 24 / 5])
    assert fitted.pooled_from == panels.CUTOFF - 2
    np.testing.assert_array_equal(fitted.pooled["store"], [[1, 6, 6], [NULL] * 3, [NULL, NULL, 5]])


def test_only_rows_up_to_the_cutoff_count() -> None:
    panel = four()
    plan = compile_plan(LEARNING, panel.info, recursive=False)
    fitted = fit_plan(plan, panel, panels.CUTOFF - 1)
    np.testing.assert_array_equal(fitted.encodings["store"], [13 / 3, 13 / 3, 13 / 3, 13 / 3])
    assert fitted.pooled["store"].shape == (3, 2)


def test_rows_get_their_groups_values() -> None:
    panel = four()
    plan = compile_plan(LEARNING, panel.info, recursive=False)
    found, _ = matrix(fit_plan(plan, panel, panels.CUTOFF), panel.held[0])
    columns = dict(zip(plan.names, found.T, strict=True))
    np.testing.assert_array_equal(
        columns["pooled_store_lag_1"], [NULL, 1, 6, NULL, NULL, NULL, 1, 6]
    )
    np.testing.assert_allclose(
        columns["store_encoded"], [4.75] * 3 + [4.8] * 2 + [5.0] + [4.75] * 2, rtol=1e-6
    )


def test_unknown_categories_take_the_mean_over_all_or_null() -> None:
    panel = four()
    plan = compile_plan(
        Features(lags=(1,), encodings=("store",), pooled=("store",)), panel.info, recursive=False
    )
    fitted = fit_plan(plan, panel, panels.CUTOFF)
    panel.held[0].statics["store"][:] = [-1, 7, np.nan, 0]
    found, _ = matrix(fitted, panel.held[0])
    columns = dict(zip(plan.names, found.T, strict=True))
    np.testing.assert_allclose(columns["store_encoded"], [4.8] * 6 + [4.75] * 2, rtol=1e-6)
    np.testing.assert_array_equal(columns["store"], [NULL] * 6 + [0, 0])
    assert np.all(np.isnan(columns["pooled_store_lag_1"][:6]))


def test_a_plan_that_learns_nothing_reads_nothing() -> None:
    class Unread:
        info = panels.regular().info

        def blocks(self) -> object:
            raise AssertionError("read")

    plan = compile_plan(Features(), Unread.info, recursive=False)
    assert fit_plan(plan, Unread(), 5) == FittedPlan(plan=plan, cutoff=5)  # type: ignore[arg-type]


def test_a_cutoff_before_everything_gives_nulls() -> None:
    panel = four()
    plan = compile_plan(LEARNING, panel.info, recursive=False)
    fitted = fit_plan(plan, panel, panels.CUTOFF - 100)
    assert np.all(np.isnan(fitted.encodings["store"]))
    found, _ = matrix(fitted, panel.held[0])
    assert np.all(np.isnan(found[:, plan.names.index("pooled_store_lag_1")]))


def test_partials_of_blocks_merge_to_the_whole() -> None:
    panel = panels.split(panels.mixed(), 4)
    plan = compile_plan(LEARNING, panel.info, recursive=False)
    cutoff = panels.CUTOFF - 3
    parts = [partial(plan, block, panel.info, cutoff) for block in panel.blocks()]
    merged = merge(merge(merge(parts[0], parts[1]), parts[2]), parts[3])
    there, here = fit_plan(plan, panel, cutoff), finish(plan, merged, cutoff)
    assert there.encodings["store"].tobytes() == here.encodings["store"].tobytes()
    assert there.pooled["store"].tobytes() == here.pooled["store"].tobytes()


def test_a_fitted_plan_survives_its_arrays() -> None:
    panel = panels.mixed()
    plan = compile_plan(LEARNING, panel.info, recursive=False)
    fitted = fit_plan(plan, panel, panels.CUTOFF)
    again = FittedPlan.from_arrays(plan, fitted.to_arrays())
    left, _ = matrix(fitted, panel.held[0])
    right, _ = matrix(again, panel.held[0])
    assert left.tobytes() == right.tobytes()
    assert (again.cutoff, again.pooled_from) == (fitted.cutoff, fitted.pooled_from)
