"""One regressor a value of a column: each sees its own rows alone, and every row gets an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.models.rowsets import RowSet, rows

from lakecast.core.features import Column
from lakecast.core.features.plan import Feature
from lakecast.models import codec, partitioned
from lakecast.models.binned import BinnedSet, Edges
from lakecast.models.boosting import Trees
from lakecast.models.partitioned import OTHERS, Partitioned

SMALL = {"num_iterations": 10, "num_leaves": 7, "min_data_in_leaf": 5}
GROUPS = 3


@pytest.fixture(autouse=True)
def few_rows_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioned, "LEAST", 200)


def held(n: int = 1200) -> RowSet:
    made = rows(n, categories=GROUPS)
    group = Column("group", categories=GROUPS, feature=Feature("static", "group"))
    return replace(made, columns=(*made.columns[:2], group))


def binned(of: RowSet) -> BinnedSet:
    return BinnedSet.build(of, Edges.of(held(), seed=1, threads=1), partitions=("group", "nowhere"))


def fit(of: RowSet, threads: int = 1, cutoff: int | None = None) -> Partitioned:
    trees = Trees(params=SMALL, threads=threads)
    fitted = trees.fit_partitions(binned(of), "group", cutoff)
    assert isinstance(fitted, Partitioned)
    return fitted


def only(of: RowSet, keep: np.ndarray) -> RowSet:
    return replace(of, matrix=of.matrix[keep], target=of.target[keep], ordinals=of.ordinals[keep])


def test_the_set_keeps_the_columns_asked_for_and_no_others() -> None:
    assert set(binned(held()).groups) == {"group"}
    np.testing.assert_array_equal(binned(held()).groups["group"], held().matrix[:, 2])


def test_each_member_is_fit_on_its_own_rows_alone() -> None:
    """The same rows on the same edges, fit by themselves, give the same bits."""
    whole = held()
    fitted = fit(whole)
    for group in range(GROUPS):
        mine = only(whole, whole.matrix[:, 2] == group)
        alone = Trees(params=SMALL).fit_binned(binned(mine))
        np.testing.assert_array_equal(fitted.predict(mine.matrix), alone.predict(mine.matrix))


def test_rows_after_the_cutoff_are_in_no_member() -> None:
    whole = held()
    early = only(whole, whole.ordinals <= 150)
    np.testing.assert_array_equal(
        fit(whole, cutoff=150).predict(whole.matrix), fit(early).predict(whole.matrix)
    )


def test_threads_change_no_bit() -> None:
    whole = held()
    np.testing.assert_array_equal(
        fit(whole, threads=3).predict(whole.matrix), fit(whole).predict(whole.matrix)
    )


def test_values_with_few_rows_and_nulls_share_a_member() -> None:
    whole = held()
    sparse = np.flatnonzero(whole.matrix[:, 2] == 1)[100:]
    whole.matrix[sparse, 2] = np.nan
    fitted = fit(whole)
    assert set(fitted.members) == {0, 2, OTHERS}
    assert sum(fitted.shares.values()) == pytest.approx(1)
    asked = whole.matrix[:1].repeat(2, axis=0)
    asked[:, 2] = (1, np.nan)
    np.testing.assert_array_equal(fitted.predict(asked), fitted.members[OTHERS].predict(asked))


def test_a_value_never_seen_gets_the_mean_of_all() -> None:
    whole = held()
    fitted = fit(whole)
    asked = whole.matrix[:5].copy()
    asked[:, 2] = 17
    expected = sum(share * fitted.members[at].predict(asked) for at, share in fitted.shares.items())
    np.testing.assert_allclose(fitted.predict(asked), expected, rtol=1e-12)


def test_importances_sum_to_one() -> None:
    assert sum(fit(held()).importances().values()) == pytest.approx(1)


def test_it_is_saved_bit_for_bit(tmp_path: Path) -> None:
    fitted = fit(held())
    codec.save(fitted, tmp_path)
    again = codec.load(tmp_path)
    np.testing.assert_array_equal(again.predict(held().matrix), fitted.predict(held().matrix))
    assert again.importances() == fitted.importances()
