from __future__ import annotations

import numpy as np

from lakecast.core import nested
from lakecast.core.metrics import STATS
from lakecast.core.nested import Past

Q = 7


def past(mae: list[list[list[float]]], *, rows: int = 100) -> Past:
    """Candidates x windows x classes (given first, the others empty) as stats of metric mae."""
    given = np.array(mae, float)
    stats = np.zeros((*given.shape[:2], Q, len(STATS)))
    stats[:, :, : given.shape[2], 0] = rows
    stats[:, :, : given.shape[2], 1] = given * rows
    series = np.zeros((given.shape[1], Q), np.int64)
    series[:, : given.shape[2]] = rows
    return Past(stats=stats, series=series, ranked=np.ones((given.shape[1], Q), bool), metric="mae")


def test_the_winner_over_all_windows_is_chosen() -> None:
    assert nested.best(past([[[1.0], [9.0]], [[2.0], [2.0]]])).tolist() == [1] * Q
    assert nested.best(past([[[1.0], [2.0]], [[2.0], [2.0]]])).tolist() == [0] * Q


def test_without_a_past_the_default_is_chosen() -> None:
    nothing = Past(
        stats=np.zeros((2, 0, Q, len(STATS))),
        series=np.zeros((0, Q), np.int64),
        ranked=np.zeros((0, Q), bool),
        metric="rmsse",
    )
    assert nested.best(nothing, default=1).tolist() == [1] * Q
    assert nested.best_by_class(nothing).tolist() == [0] * Q


def test_equal_losses_take_the_first() -> None:
    assert nested.best(past([[[1.0]], [[1.0]]]), default=1)[0] == 0


def test_classes_choose_for_themselves_and_small_ones_follow() -> None:
    mae = [[[1.0, 5.0]], [[2.0, 2.0]]]
    assert nested.best_by_class(past(mae))[:3].tolist() == [0, 1, 1]
    small = past(mae)
    small.series[:, 0] = nested.LEAST - 1
    assert nested.best_by_class(small)[:2].tolist() == [1, 1]


def test_a_class_that_may_not_rank_neither_chooses_nor_counts() -> None:
    held = past([[[1.0, 5.0]], [[2.0, 2.0]]])
    held.ranked[:, 1] = False
    assert nested.best(held)[0] == 0
    assert nested.best_by_class(held)[:2].tolist() == [0, 0]


def test_an_undefined_loss_is_never_chosen() -> None:
    held = past([[[1.0]], [[2.0]]])
    held.stats[0] = 0.0
    assert nested.best(held)[0] == 1
    held.stats[1] = 0.0
    assert nested.best(held, default=1)[0] == 1


def test_compose_takes_each_class_from_its_choice() -> None:
    one, two = np.full((3, 2), 1.0), np.full((3, 2), 2.0)
    choice = np.array([0, 1, 0, 0, 0, 0, 0])
    found = nested.compose(choice, [one, two], np.array([0, 1, 4], np.int8))
    assert found[:, 0].tolist() == [1.0, 2.0, 1.0]
