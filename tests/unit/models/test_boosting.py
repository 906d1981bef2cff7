"""Trees on a shared binned set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.unit.models.rowsets import RowSet, rows

from lakecast.models import binned as module
from lakecast.models.binned import BinnedSet, Edges
from lakecast.models.boosting import FittedTrees, Trees
from lakecast.models.flat import Flat

SMALL: dict[str, Any] = {"num_iterations": 10, "num_leaves": 7, "min_data_in_leaf": 5}


def build(held: RowSet, edges: RowSet | None = None) -> BinnedSet:
    return BinnedSet.build(held, Edges.of(edges or held, seed=1, threads=1))


def part(held: RowSet, keep: np.ndarray) -> RowSet:
    return replace(
        held, matrix=held.matrix[keep], target=held.target[keep], ordinals=held.ordinals[keep]
    )


def test_it_learns() -> None:
    held = rows(2000)
    fitted = Trees(params={**SMALL, "num_iterations": 60}).fit(held)
    error = np.abs(fitted.predict(held.matrix) - held.target).mean()
    assert error < 0.5 * np.abs(held.target - held.target.mean()).mean()
    assert sum(fitted.importances().values()) == pytest.approx(1)


def test_a_window_of_the_shared_set_is_the_set_of_its_rows() -> None:
    """With the same edges, so that only the choice of rows is compared."""
    held = rows()
    early = held.ordinals <= 150
    trees = Trees(params=SMALL)
    shared = trees.fit_binned(build(held, edges=part(held, early)), cutoff=150)
    alone = trees.fit_binned(build(part(held, early)))
    assert isinstance(shared, FittedTrees)
    np.testing.assert_array_equal(shared.predict(held.matrix), alone.predict(held.matrix))


def test_windows_do_not_disturb_each_other() -> None:
    binned = build(rows())
    trees = Trees(params=SMALL)
    first = [trees.fit_binned(binned, cutoff, start).predict(rows().matrix) for cutoff, start in
             ((150, None), (None, None), (180, 120))]  # fmt: skip
    again = [trees.fit_binned(binned, cutoff, start).predict(rows().matrix) for cutoff, start in
             ((180, 120), (150, None), (None, None))]  # fmt: skip
    np.testing.assert_array_equal(first, [again[1], again[2], again[0]])
    assert not np.array_equal(first[0], first[1])


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Trees(params=SMALL).fit(rows(parts=1)).predict(rows().matrix)
    monkeypatch.setattr(module, "BATCH", 64)
    pieces = Trees(params=SMALL).fit(rows(parts=9)).predict(rows().matrix)
    np.testing.assert_array_equal(whole, pieces)


def test_edges_come_from_a_seeded_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 100)
    one, two, other = (
        Trees(params=SMALL, seed=seed).fit(rows()).predict(rows().matrix) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("forest", [False, True])
def test_threads_change_no_bit(forest: bool) -> None:
    rf = {"boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1} if forest else {}
    one, two = (
        Trees(params={**SMALL, **rf}, threads=threads).fit(rows(3000)) for threads in (1, 2)
    )
    assert isinstance(one, FittedTrees)
    assert isinstance(two, FittedTrees)
    np.testing.assert_array_equal(one.predict(rows(3000).matrix), two.predict(rows(3000).matrix))


def objective(target: np.ndarray, given: str) -> str:
    held = rows()
    held.target = target.astype(np.float32)
    fitted = Trees(params={**SMALL, "objective": given}).fit(held)
    assert isinstance(fitted, FittedTrees)
    (line,) = [line for line in fitted.text.splitlines() if line.startswith("objective=")]
    return line.removeprefix("objective=").split(" ")[0]


def test_auto_takes_the_loss_that_fits() -> None:
    rng = np.random.default_rng(0)
    dense, sparse = rng.poisson(9, 800), rng.poisson(0.5, 800)
    assert objective(dense, "auto") == "regression"
    assert objective(sparse, "auto") == "tweedie"
    assert objective(sparse, "poisson") == "poisson"
    assert objective(sparse - 1, "auto") == "regression"
    assert objective(sparse - 1, "tweedie") == "regression"  # needs targets that are not negative


def test_a_depth_allows_its_leaves() -> None:
    held = rows(4000)
    fitted = Trees(params={"num_iterations": 1, "max_depth": 6, "min_data_in_leaf": 1}).fit(held)
    assert isinstance(fitted, FittedTrees)
    assert 31 < fitted.booster.predict(held.matrix, pred_leaf=True).max() < 64


def test_too_few_rows_or_one_value_are_flat() -> None:
    held = rows(63)
    assert isinstance(Trees(params=SMALL).fit(held), Flat)
    held = rows(100)
    held.target[:] = 4.0
    assert Trees(params=SMALL).fit(held) == Flat(4.0, ("a", "b", "group"))


def test_no_row_in_the_window_gives_null() -> None:
    fitted = Trees(params=SMALL).fit_binned(build(rows()), cutoff=50)
    assert np.isnan(fitted.predict(rows().matrix)).all()


def test_layout_of_the_matrix_does_not_matter() -> None:
    fitted = Trees(params=SMALL).fit(rows())
    matrix = rows().matrix
    np.testing.assert_array_equal(
        fitted.predict(np.ascontiguousarray(matrix)), fitted.predict(np.asfortranarray(matrix))
    )
    assert fitted.predict(matrix[:0]).shape == (0,)


def test_rows_that_weigh_little_teach_little() -> None:
    """Half of the rows say something else; without weight they are not heard."""
    held = rows(2000)
    truth = held.target.copy()
    odd = np.arange(held.rows) % 2 == 0
    held.target = np.where(odd, truth + 5, truth).astype(np.float32)
    held.weight = np.where(odd, 1e-4, 1).astype(np.float32)
    fitted = Trees(params={**SMALL, "num_iterations": 60}).fit(held)
    assert abs((fitted.predict(held.matrix) - truth).mean()) < 0.1


@pytest.mark.parametrize("switch", ["extra_trees", "use_quantized_grad"])
def test_a_switch_is_a_number(switch: str) -> None:
    held = rows(2000)
    off = Trees(params={**SMALL, switch: 0}).fit(held).predict(held.matrix)
    on = Trees(params={**SMALL, switch: 1}).fit(held).predict(held.matrix)
    np.testing.assert_array_equal(off, Trees(params=SMALL).fit(held).predict(held.matrix))
    assert not np.array_equal(on, off)
