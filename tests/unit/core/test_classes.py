from __future__ import annotations

import numpy as np
import pytest

from lakecast.core import classes
from lakecast.core.block import Block

N = 40


def block(*series: list[float], cutoff: int = N - 1) -> Block:
    lengths = [len(values) for values in series]
    return Block(
        codes=np.arange(len(series), dtype=np.int32),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        first=np.array([cutoff + 1 - n for n in lengths], np.int32),
        target=np.concatenate(series).astype(np.float32),
    )


def name(values: list[float], season: int = 4) -> str:
    held = block(values)
    return classes.CLASSES[classes.classify(classes.profile(held, N - 1), season)[0]]


EXAMPLES = {
    "smooth": [5.0, 6.0] * 20,
    "erratic": [1.0, 1.0, 1.0, 30.0] * 10,
    "intermittent": [0.0, 5.0] * 20,
    "lumpy": [0.0, 1.0, 0.0, 30.0, 0.0, 1.0, 0.0, 1.0] * 5,
    "new": [5.0] * 7,
    "ended": [5.0, 6.0] * 15 + [0.0] * 10,
    "constant": [3.0] * N,
}


@pytest.mark.parametrize("kind", classes.CLASSES)
def test_an_example_of_each_class(kind: str) -> None:
    assert name(EXAMPLES[kind]) == kind


def test_all_zero_is_constant_and_all_null_is_new() -> None:
    assert name([0.0] * N) == "constant"
    assert name([float("nan")] * N) == "new"


def test_the_borders_of_syntetos_boylan_and_croston() -> None:
    assert name(([0.0, 5.0, 6.0, 5.0]) * 10) == "intermittent"  # ADI 4/3 = 1.333
    assert name(([0.0, 5.0, 6.0, 5.0, 6.0]) * 8) == "smooth"  # ADI 5/4


def test_a_slow_seller_is_not_ended_within_four_of_its_gaps() -> None:
    slow = (
        [0.0] * 9
        + [
            5.0,
        ]
    ) * 4
    assert name(slow[5:] + [0.0] * 5) != "ended"
    assert name([5.0] * 5 + [0.0] * (N - 5)) == "ended"


def test_ordinals_do_not_move_the_class() -> None:
    late = block([0.0, 5.0] * 20, EXAMPLES["ended"], cutoff=20_000)
    found = classes.classify(classes.profile(late, 20_000), 4)
    assert [classes.CLASSES[k] for k in found] == ["intermittent", "ended"]


def test_what_comes_after_the_cutoff_is_not_read() -> None:
    held = block(EXAMPLES["smooth"] + [9e6] * 10, cutoff=N + 9)
    cut = classes.classify(classes.profile(held.until(N - 1), N - 1), 4)
    assert classes.CLASSES[cut[0]] == "smooth"


def test_the_median_of_a_class_is_zero_where_half_its_values_are() -> None:
    held = block(EXAMPLES["intermittent"], EXAMPLES["smooth"])
    found = classes.profile(held, N - 1)
    kinds = classes.classify(found, 4)
    zero = classes.zero_median(classes.zero_counts(found, kinds))
    assert zero[classes.INTERMITTENT]
    assert not zero[classes.SMOOTH]
    assert not zero[classes.LUMPY], "an empty class has no median"
