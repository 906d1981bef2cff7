from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lakecast.core import folds, metrics
from lakecast.core.block import Block
from lakecast.core.metrics import figure
from lakecast.core.splits import Window

if TYPE_CHECKING:
    from lakecast.spec.model import Weight

rng = np.random.default_rng(5)


def blocks(after: float = 0.0) -> list[Block]:
    target = rng.integers(0, 9, 120).astype(np.float32)
    fixed = np.arange(120) % 40 <= 25
    target = np.where(fixed, np.arange(120) % 11, target + after).astype(np.float32)
    one = Block(
        codes=np.array([0, 1], np.int32),
        starts=np.array([0, 40, 80]),
        first=np.array([0, 0], np.int32),
        target=target[:80],
    )
    two = Block(
        codes=np.array([2, 3], np.int32),
        starts=np.array([0, 40, 45]),
        first=np.array([0, 35], np.int32),
        target=np.concatenate([target[80:], target[:5]]),
    )
    return [one, two]


WINDOW = Window(index=0, cutoff=25)


def test_series_that_have_not_begun_are_left_out() -> None:
    found = folds.fold(blocks(), WINDOW, folds.Shape(14, 7))
    assert found.codes.tolist() == [0, 1, 2]
    assert found.actual.shape == (3, 14)


def test_nothing_after_the_cutoff_moves_what_is_read_before_it() -> None:
    one, two = (folds.fold(blocks(after), WINDOW, folds.Shape(14, 7)) for after in (0.0, 1e6))
    assert one.classes.tolist() == two.classes.tolist()
    assert one.scales.squared.tolist() == two.scales.squared.tolist()
    assert one.spread.tolist() == two.spread.tolist()
    assert one.actual.max() < two.actual.max()


def test_the_gap_is_forecast_but_not_scored() -> None:
    found = folds.fold(blocks(), WINDOW, folds.Shape(14, 7, 3))
    assert np.isnan(found.scored[:, :3]).all()
    assert not np.isnan(found.actual).any()
    wild = np.where(np.arange(14) < 3, 1e9, found.actual)
    assert metrics.figure("mae", folds.totals(found, wild).sum(axis=0)) == 0.0


def test_groups_add_up_to_the_whole() -> None:
    found = folds.fold(blocks(), WINDOW, folds.Shape(14, 7))
    forecast = rng.normal(5, 2, (3, 14))
    stats = folds.score(found, forecast, (7, 14))
    assert stats.shape == (3, 3, len(metrics.STATS))
    np.testing.assert_allclose(stats[:, 2], folds.totals(found, forecast), rtol=1e-12)
    late = metrics.errors(forecast[:, 7:], found.actual[:, 7:]).sum(axis=1)
    np.testing.assert_allclose(stats[:, 1, :8], late, rtol=1e-12)


def test_blocks_or_one_block_same_bits() -> None:
    held = blocks()
    whole = Block(
        codes=np.arange(4, dtype=np.int32),
        starts=np.array([0, 40, 80, 120, 125]),
        first=np.array([0, 0, 0, 35], np.int32),
        target=np.concatenate([block.target for block in held]),
    )
    one = folds.fold(held, WINDOW, folds.Shape(14, 7))
    two = folds.fold([whole], WINDOW, folds.Shape(14, 7))
    assert one.scales.squared.tobytes() == two.scales.squared.tobytes()
    assert one.classes.tobytes() == two.classes.tobytes()
    assert one.actual.tobytes() == two.actual.tobytes()


def test_what_happened_after_a_later_cutoff_is_not_known_there() -> None:
    found = folds.fold(blocks(), WINDOW, folds.Shape(14, 7))
    part = folds.known_at(found, WINDOW.cutoff + 5)
    assert (part.actual[:, :5] == found.actual[:, :5]).all()
    assert np.isnan(part.actual[:, 5:]).all()
    assert folds.known_at(found, WINDOW.cutoff + 14) is found
    assert np.isnan(folds.known_at(found, WINDOW.cutoff - 1).actual).all()


def test_rmse_judges_where_no_series_has_a_scale() -> None:
    found = folds.fold(blocks(), WINDOW, folds.Shape(14, 30))
    assert folds.judged_by([found], "rmsse") == "rmse"
    assert folds.judged_by([found], "wape") == "wape"
    assert folds.judged_by([folds.fold(blocks(), WINDOW, folds.Shape(14, 7))], "mase") == "mase"


@pytest.mark.parametrize(
    ("weight", "expected"), [("target", (6.0, 3.0)), ("revenue", (12.0, 30.0))]
)
def test_a_series_weighs_what_it_sold_over_one_horizon_up_to_the_cutoff(
    weight: Weight, expected: tuple[float, float]
) -> None:
    nan = np.nan
    block = Block(
        codes=np.array([4, 9, 11], np.int32),
        starts=np.array([0, 5, 7, 8]),
        first=np.array([10, 13, 16], np.int32),
        target=np.array([50, 1, 5, nan, 99, 3, 99, 99], np.float32),
        covariates={"price": np.array([1, 2, 2, 2, 9, 10, 9, 9], np.float32)},
    )
    window = Window(index=0, cutoff=13)
    found = folds.fold([block], window, folds.Shape(3, 1, weight=weight))
    assert found.weight is not None
    np.testing.assert_allclose(found.weight, np.array(expected) / np.mean(expected))


def test_weights_count_in_scaled_metrics_alone() -> None:
    fold = folds.fold(blocks(), WINDOW, folds.Shape(14, 7))
    heavy = replace(fold, weight=np.linspace(0, 2, len(fold.codes)))
    forecast = np.nan_to_num(fold.actual) + 1.0
    plain, weighted = folds.totals(fold, forecast), folds.totals(heavy, forecast)
    assert figure("mae", plain.sum(axis=0)) == figure("mae", weighted.sum(axis=0))
    value = figure("rmsse", plain)
    known = ~np.isnan(value)
    expected = np.average(value[known], weights=heavy.weight[known])
    assert figure("rmsse", weighted.sum(axis=0)) == pytest.approx(expected)
    np.testing.assert_allclose(
        folds.score(heavy, forecast, (7, 14))[:, -1].sum(axis=0), weighted.sum(axis=0)
    )


def test_where_nothing_was_sold_all_series_weigh_alike() -> None:
    assert folds.normal(np.zeros(3)) is None
