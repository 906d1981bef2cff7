from __future__ import annotations

import numpy as np
import pytest

from lakecast.core import classes
from lakecast.core.block import Block
from lakecast.core.features.state import state_at

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
    return classes.CLASSES[classes.classify(classes.tail(held, 8 * season), season)[0]]


EXAMPLES = {
    "smooth": [5.0, 6.0] * 20,
    "erratic": [1.0, 1.0, 1.0, 30.0] * 10,
    "intermittent": [0.0, 5.0] * 20,
    "lumpy": [0.0, 1.0, 0.0, 30.0, 0.0, 1.0, 0.0, 1.0] * 5,
    "new": [5.0] * 7,
    "ended": [5.0, 6.0] * 12 + [0.0] * 16,
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


def ended(values: list[float], season: int = 4) -> bool:
    found = classes.tail(block(values, cutoff=len(values) - 1), 8 * season)
    return bool(classes.has_ended(found, season)[0])


def test_a_series_ends_after_four_seasons_of_zeros() -> None:
    assert not ended([5.0, 6.0] * 12 + [0.0] * 15)
    assert ended([5.0, 6.0] * 12 + [0.0] * 16)


def test_a_series_with_a_long_season_ends_after_two() -> None:
    assert not ended([5.0] * 60 + [0.0] * 103, season=52)
    assert ended([5.0] * 60 + [0.0] * 104, season=52)


@pytest.mark.parametrize("nulls", [5, 16, 40])
def test_nulls_are_no_silence(nulls: int) -> None:
    assert not ended([5.0, 6.0] * 12 + [0.0] * 15 + [float("nan")] * nulls)


def test_a_slow_seller_ends_when_its_rhythm_does_not_explain_the_silence() -> None:
    """Four sales in 31 values: (31 / (31 + s)) ** 4 is below 0.01 from s = 68 on."""
    slow = [5.0, *[0.0] * 9] * 3 + [5.0]
    assert not ended(slow + [0.0] * 67)
    assert ended(slow + [0.0] * 68)


def test_a_single_sale_tells_of_no_rhythm() -> None:
    assert not ended([5.0] + [0.0] * 98)
    assert ended([5.0] + [0.0] * 100)


def test_ordinals_do_not_move_the_class() -> None:
    late = block([0.0, 5.0] * 20, EXAMPLES["ended"], cutoff=20_000)
    found = classes.classify(classes.tail(late, 32), 4)
    assert [classes.CLASSES[k] for k in found] == ["intermittent", "ended"]


def test_what_comes_after_the_cutoff_is_not_read() -> None:
    held = block(EXAMPLES["smooth"] + [9e6] * 10, cutoff=N + 9)
    cut = classes.classify(classes.tail(held.until(N - 1), 32), 4)
    assert classes.CLASSES[cut[0]] == "smooth"


def test_the_median_of_a_class_is_zero_where_half_its_values_are() -> None:
    held = block(EXAMPLES["intermittent"], EXAMPLES["smooth"])
    found = classes.tail(held, 32)
    kinds = classes.classify(found, 4)
    zero = classes.zero_median(classes.zero_counts(found, kinds))
    assert zero[classes.INTERMITTENT]
    assert not zero[classes.SMOOTH]
    assert not zero[classes.LUMPY], "an empty class has no median"


def test_a_slow_seller_silent_throughout_the_tail_is_neither_constant_nor_ended() -> None:
    slow = [0.0] * 30 + [2.0] + [0.0] * 29 + [2.0] + [0.0] * 39
    assert classes.CLASSES[classes.classify(classes.tail(block(slow), 32), 4)[0]] == "intermittent"


def test_a_tail_is_right_aligned_and_counts_the_whole_history() -> None:
    held = block([1.0, 0.0, 2.0, float("nan"), 0.0], [7.0])
    found = classes.tail(held, 3)
    assert found.values[0, [0, 2]].tolist() == [2.0, 0.0]
    assert np.isnan(found.values[0, 1])
    assert np.isnan(found.values[1, :2]).all()
    assert found.n.tolist() == [4, 1]
    assert found.nonzero.tolist() == [2, 1]
    assert found.silence.tolist() == [2, 0]


def spread(*series: list[float]) -> list[float]:
    tail = classes.tail(block(*series), 4)
    return classes.spread(tail, 2, classes.norm(tail, 2)).tolist()


def test_the_spread_is_the_root_mean_squared_seasonal_difference() -> None:
    assert spread([1.0, 2.0, 4.0, 8.0]) == [((3.0**2 + 6.0**2) / 2) ** 0.5]


def test_the_spread_of_short_series_follows_their_size() -> None:
    root = ((2.0**2 + 6.0**2) / 2) ** 0.5  # the only one long enough, with a mean of 3
    found = spread([2.0, 6.0, 4.0, 0.0], [8.0], [float("nan")])
    np.testing.assert_allclose(found, [root, 8 * root / 3, root])


def test_the_spread_without_any_scale_is_the_mean() -> None:
    assert spread([3.0], [float("nan")]) == [3.0, 0.0]


def test_a_spread_does_not_depend_on_the_series_beside_it() -> None:
    tail = classes.tail(block([2.0, 6.0, 4.0, 0.0], [8.0], [float("nan")]), 4)
    norm = classes.norm(tail, 2)
    alone = classes.tail(block([8.0]), 4)
    assert classes.spread(alone, 2, norm)[0] == classes.spread(tail, 2, norm)[1]


def test_the_tail_of_a_state_is_the_tail_of_its_block() -> None:
    held = block([1.0, 0.0, 2.0, float("nan"), 0.0], [7.0], [float("nan")] * 3, [0.0] * 9)
    one = classes.tail(held, 4)
    two = classes.tail_of(state_at(held, N - 1, memory=6), 4)
    for name in ("values", "n", "nonzero", "silence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
