"""Ridge against its normal equations, solved at once in numpy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.unit.models.rowsets import RowSet, rows
from threadpoolctl import threadpool_info, threadpool_limits

from lakecast.core.features import Column
from lakecast.models.flat import Flat
from lakecast.models.linear import FittedRidge, Ridge


def design(matrix: np.ndarray, categories: int) -> np.ndarray:
    onehot = np.zeros((len(matrix), categories))
    known = (matrix[:, 2] >= 0) & (matrix[:, 2] < categories)
    onehot[np.flatnonzero(known), matrix[known, 2].astype(int)] = 1
    return np.concatenate([matrix[:, :2].astype(float), onehot], axis=1)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 1.0])
def test_it_solves_the_normal_equations(alpha: float) -> None:
    held = rows()
    x = design(held.matrix, 5)
    means = np.nanmean(x, axis=0)
    x = np.where(np.isnan(x), means, x)
    spread = x.std(axis=0)
    z, y = (x - means) / spread, held.target.astype(float)
    weights = np.linalg.solve(z.T @ z / len(z) + alpha * np.eye(7), z.T @ (y - y.mean()) / len(z))
    expected = y.mean() + z @ weights
    found = Ridge(alpha=alpha).fit(held).predict(held.matrix)
    np.testing.assert_allclose(
        found, np.clip(expected, held.target.min(), held.target.max()), rtol=1e-8
    )


def test_it_finds_the_line() -> None:
    held = rows(n=5000)
    fitted = Ridge(alpha=1e-6).fit(held)
    full = held.matrix[~np.isnan(held.matrix).any(axis=1)]
    truth = 3 + 2 * full[:, 0] - full[:, 1] + np.linspace(-1, 1, 5)[full[:, 2].astype(int)]
    assert np.abs(fitted.predict(full) - truth).mean() < 0.2
    shares = fitted.importances()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["a"] > shares["b"] > 0


def test_how_rows_are_cut_does_not_matter() -> None:
    one, many = Ridge().fit(rows(parts=1)), Ridge().fit(rows(parts=7))
    np.testing.assert_allclose(one.predict(rows().matrix), many.predict(rows().matrix), rtol=1e-10)


def test_unknown_and_null_categories_count_as_none() -> None:
    fitted = Ridge().fit(rows())
    odd = np.array([[0, 0, -1], [0, 0, 77], [0, 0, np.nan]], np.float32)
    assert len(set(fitted.predict(odd).tolist())) == 1


def test_large_categories_are_left_out() -> None:
    held = rows(categories=65)
    fitted = Ridge().fit(held)
    other = held.matrix.copy()
    other[:, 2] = (other[:, 2] + 1) % 65
    np.testing.assert_array_equal(fitted.predict(held.matrix), fitted.predict(other))
    assert fitted.importances()["group"] == 0


def test_predictions_stay_within_the_training_targets() -> None:
    held = rows()
    far = np.array([[1e6, 0, 0], [-1e6, 0, 0]], np.float32)
    found = Ridge().fit(held).predict(far)
    assert found.tolist() == [held.target.max(), held.target.min()]


def test_columns_that_do_not_vary_get_no_weight() -> None:
    held = rows()
    held.matrix[:, 1] = 7.0
    fitted = Ridge().fit(held)
    assert isinstance(fitted, FittedRidge)
    assert fitted.weights[1] == 0


def test_a_column_of_nulls_is_harmless() -> None:
    held = rows()
    held.matrix[:, 1] = np.nan
    assert np.isfinite(Ridge().fit(held).predict(held.matrix)).all()


def test_one_absurd_target_moves_nothing() -> None:
    clean, dirty = rows(), rows()
    dirty.target[5] = 1e7
    before, after = (Ridge().fit(held).predict(clean.matrix) for held in (clean, dirty))
    assert np.abs(before - after).mean() < 0.5


def test_too_few_rows_give_their_mean() -> None:
    held = RowSet(
        matrix=np.zeros((2, 1), np.float32),
        target=np.array([1, 3], np.float32),
        ordinals=np.zeros(2, np.int32),
        columns=(Column("a"),),
        parts=1,
    )
    assert Ridge().fit(held) == Flat(2.0, ("a",))


def test_a_weight_of_two_is_the_row_twice() -> None:
    once, twice = rows(), rows()
    heavy = np.arange(once.rows) % 3 == 0
    once.weight = np.where(heavy, 2, 1).astype(np.float32)
    again = np.flatnonzero(heavy)
    twice.matrix = np.concatenate([twice.matrix, twice.matrix[again]])
    twice.target = np.concatenate([twice.target, twice.target[again]])
    twice.ordinals = np.concatenate([twice.ordinals, twice.ordinals[again]])
    np.testing.assert_allclose(
        Ridge().fit(once).predict(rows().matrix), Ridge().fit(twice).predict(rows().matrix)
    )


def test_rows_are_read_twice() -> None:
    held = rows()
    Ridge().fit(held)
    assert held.reads == 2


def wide(n: int = 40_000, columns: int = 40) -> RowSet:
    """Rows of which a product is large enough to be shared between threads."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(n, columns)).astype(np.float32)
    target = (matrix @ rng.normal(size=columns)).astype(np.float32)
    names = tuple(Column(f"c{index}") for index in range(columns))
    return RowSet(matrix, target, np.zeros(n, np.int32), names)


def test_threads_change_no_bit_and_are_given_back() -> None:
    with threadpool_limits(1, "blas"):
        one = Ridge().fit(wide())
    with threadpool_limits(2, "blas"):
        two = Ridge().fit(wide())
        told = {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}
    assert isinstance(one, FittedRidge)
    assert isinstance(two, FittedRidge)
    np.testing.assert_array_equal(one.weights, two.weights)
    assert told == {2}


def test_fits_side_by_side_give_the_threads_back_once() -> None:
    with threadpool_limits(2, "blas"):
        with ThreadPoolExecutor(4) as pool:
            fits = list(pool.map(lambda _: Ridge().fit(wide(5000)), range(8)))
        told = {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}
    assert told == {2}
    assert all(isinstance(fit, FittedRidge) for fit in fits)
    assert len({fit.weights.tobytes() for fit in fits if isinstance(fit, FittedRidge)}) == 1
