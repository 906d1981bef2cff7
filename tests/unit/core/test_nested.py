from __future__ import annotations

import numpy as np

from lakecast.core import nested
from lakecast.core.metrics import STATS
from lakecast.core.nested import History

Q = 7


def history(mae: list[list[list[float]]], *, rows: int = 100) -> History:
    """Candidates x windows x classes (given first, the others empty) as stats of metric mae."""
    given = np.array(mae, float)
    stats = np.zeros((*given.shape[:2], Q, len(STATS)))
    stats[:, :, : given.shape[2], 0] = rows
    stats[:, :, : given.shape[2], 1] = given * rows
    series = np.zeros((given.shape[1], Q), np.int64)
    series[:, : given.shape[2]] = rows
    return History(
        stats=stats, series=series, ranked=np.ones((given.shape[1], Q), bool), metric="mae"
    )


def test_a_window_is_chosen_for_by_the_windows_before_it() -> None:
    found = nested.best(history([[[1.0], [9.0], [9.0]], [[2.0], [2.0], [2.0]]]))
    assert found[:, 0].tolist() == [0, 0, 1, 1]


def test_changing_a_window_changes_no_choice_up_to_it() -> None:
    mae = [[[1.0], [3.0], [1.0]], [[2.0], [1.0], [2.0]]]
    before = nested.best_by_class(history(mae))
    mae[0][2], mae[1][2] = [1e6], [0.0]
    after = nested.best_by_class(history(mae))
    assert before[:3].tolist() == after[:3].tolist()
    assert before[3].tolist() != after[3].tolist()


def test_without_a_past_the_default_is_chosen() -> None:
    assert nested.best(history([[[9.0]], [[1.0]]]), default=0)[0].tolist() == [0] * Q


def test_equal_losses_take_the_first() -> None:
    assert nested.best(history([[[1.0]], [[1.0]]]), default=1)[1, 0] == 0


def test_classes_choose_for_themselves_and_small_ones_follow() -> None:
    mae = [[[1.0, 5.0]], [[2.0, 2.0]]]
    assert nested.best_by_class(history(mae))[1, :3].tolist() == [0, 1, 1]
    small = history(mae)
    small.series[:, 0] = nested.LEAST - 1
    assert nested.best_by_class(small)[1, :2].tolist() == [1, 1]


def test_a_class_that_may_not_rank_neither_chooses_nor_counts() -> None:
    held = history([[[1.0, 5.0]], [[2.0, 2.0]]])
    held.ranked[:, 1] = False
    assert nested.best(held)[1, 0] == 0
    assert nested.best_by_class(held)[1, :2].tolist() == [0, 0]


def test_an_undefined_loss_is_never_chosen() -> None:
    held = history([[[1.0]], [[2.0]]])
    held.stats[0] = 0.0
    assert nested.best(held)[1, 0] == 1
    held.stats[1] = 0.0
    assert nested.best(held, default=1)[1, 0] == 1


def test_compose_takes_each_class_from_its_choice() -> None:
    one, two = np.full((3, 2), 1.0), np.full((3, 2), 2.0)
    choice = np.array([0, 1, 0, 0, 0, 0, 0])
    found = nested.compose(choice, [one, two], np.array([0, 1, 4], np.int8))
    assert found[:, 0].tolist() == [1.0, 2.0, 1.0]
