"""What a workbench shares, and what it must not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import Block, MemoryPanel, PanelInfo, ThinPanel
from lakecast.core.features import fit_plan
from lakecast.models import partitioned, sizes
from lakecast.models.recipes import Baseline, Tabular
from lakecast.models.workbench import Workbench, _turns
from lakecast.spec.features import Features

C = panels.CUTOFF
WINDOWS = (C - 28, C - 21, C - 14)
TREES = {"num_iterations": 5, "num_leaves": 7, "min_data_in_leaf": 5}


@dataclass
class Counting:
    """A panel that counts how often it is read."""

    inner: MemoryPanel
    reads: int = 0

    @property
    def info(self) -> PanelInfo:
        return self.inner.info

    def blocks(self) -> Iterator[Block]:
        self.reads += 1
        return self.inner.blocks()


def trees(strategy: str = "recursive", **more: object) -> Tabular:
    return Tabular(
        family="gradient_boosting",
        strategy=strategy,
        params=TREES,
        horizon=14,
        **more,  # type: ignore[arg-type]
    )


def test_a_small_panel_is_read_once() -> None:
    panel = Counting(panels.regular())
    bench = Workbench(panel, WINDOWS)
    for window in WINDOWS:
        for recipe in (trees(), RIDGE):
            bench.forecast(bench.fit(recipe, window), window, 14)
    assert panel.reads == 1


def test_a_large_panels_set_is_made_once_for_all_windows_and_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sizes, "HELD", 0)
    panel = Counting(panels.regular())
    bench = Workbench(panel, WINDOWS)
    for window in WINDOWS:
        bench.fit(trees(), window)
    first = panel.reads
    for window in WINDOWS:
        bench.fit(trees(label="other"), window)
    assert panel.reads == first


def test_states_are_made_once_for_forecasters_that_need_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sizes, "HELD", 0)
    panel = Counting(panels.regular())
    bench = Workbench(panel, WINDOWS)
    one, two = (bench.fit(trees(label=label), C - 28) for label in ("one", "two"))
    first = bench.forecast(one, C - 28, 14)
    reads = panel.reads
    assert np.array_equal(bench.forecast(two, C - 28, 14).values, first.values)
    assert panel.reads == reads
    bench.forecast(one, C - 21, 14)
    bench.forecast(one, C - 28, 7)
    assert panel.reads == reads + 2, "another cutoff, another horizon"


@pytest.mark.parametrize("family", ["gradient_boosting", "linear_regression"])
def test_a_panel_that_streams_gives_the_bits_of_one_that_is_held(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"gradient_boosting": trees(), "linear_regression": RIDGE}[family]
    kept, read = (Counting(panels.split(panels.regular(), 3)) for _ in range(2))
    held = Workbench(kept, WINDOWS)
    monkeypatch.setattr(sizes, "HELD", 0)
    streamed = Workbench(read, WINDOWS)
    one, other = (
        bench.forecast(bench.fit(recipe, C - 21), C - 21, 14) for bench in (held, streamed)
    )
    np.testing.assert_array_equal(one.values, other.values)
    assert (kept.reads, read.reads > 1) == (1, True)


def test_encodings_are_made_for_each_fold() -> None:
    panel = panels.regular()
    bench = Workbench(panel, WINDOWS)
    recipe = trees(features=Features(encodings=("item",)))
    for cutoff in (*WINDOWS, WINDOWS[0]):
        inner = bench.fit(recipe, cutoff).inner  # type: ignore[attr-defined]
        expected = fit_plan(inner.fitted.plan, panel, cutoff)
        np.testing.assert_array_equal(inner.fitted.encodings["item"], expected.encodings["item"])


def test_a_small_budget_streams_to_the_same_bits() -> None:
    panel = panels.split(panels.regular(), 3)
    for recipe in (trees(), trees("direct")):
        rich, poor = Workbench(panel, WINDOWS), Workbench(panel, WINDOWS, budget=1)
        for cutoff in WINDOWS:
            held, streamed = (
                bench.forecast(bench.fit(recipe, cutoff), cutoff, 14) for bench in (rich, poor)
            )
            np.testing.assert_array_equal(held.values, streamed.values)


def test_windows_may_be_fit_from_several_threads() -> None:
    panel = panels.regular()
    alone = Workbench(panel, WINDOWS)
    expected = [alone.forecast(alone.fit(trees("direct"), c), c, 14).values for c in WINDOWS]
    shared = Workbench(panel, WINDOWS, threads=2)
    with ThreadPoolExecutor(3) as pool:
        fitted = list(pool.map(lambda cutoff: shared.fit(trees("direct"), cutoff), WINDOWS))
    for cutoff, forecaster, values in zip(WINDOWS, fitted, expected, strict=True):
        np.testing.assert_array_equal(shared.forecast(forecaster, cutoff, 14).values, values)


def test_a_sliding_window_forgets_what_is_older() -> None:
    """A panel that is ten times larger before the start is fit as one that is not."""
    panel = panels.regular()
    (block,) = panel.held
    old = block.ordinals() < C - 120
    rows = Tabular(
        family="linear_regression", strategy="recursive", params={"alpha": 0.1}, horizon=7,
        scaled=False, features=Features(
            lags=(1, 7), rolling=(), seasonal=(), expanding=(), ewm=(), trend=(),
        ),
    )  # fmt: skip
    fields = {name: getattr(block, name) for name in Block.__slots__}
    grown = Block(**{**fields, "target": np.where(old, block.target * 10, block.target)})
    other = MemoryPanel(panel.info, (grown,))

    def values(held: MemoryPanel, start: int | None) -> np.ndarray:
        bench = Workbench(held, (C,))
        return bench.forecast(bench.fit(rows, C, start), C, 7).values

    np.testing.assert_array_equal(values(panel, C - 110), values(other, C - 110))
    assert not np.array_equal(values(panel, None), values(other, None))


RIDGE = Tabular(family="linear_regression", strategy="recursive", params={"alpha": 0.1}, horizon=14)


def test_most_rows_keeps_the_newest() -> None:
    panel = panels.regular(length=500)  # six series
    bench = Workbench(panel, (C,))
    few = bench.fit(replace(RIDGE, rows=6 * 450), C)
    window = bench.fit(RIDGE, C, C - 449)
    np.testing.assert_array_equal(
        bench.forecast(few, C, 14).values, bench.forecast(window, C, 14).values
    )


def test_below_a_year_series_are_drawn_instead() -> None:
    panel = panels.regular(series=60, length=500)
    bench = Workbench(panel, (C,))
    few = bench.fit(replace(RIDGE, rows=30 * 420), C)
    half = list(ThinPanel(panel, 0.5, RIDGE.seed).blocks())
    assert 15 < sum(len(block.codes) for block in half) < 45
    alone = Workbench(MemoryPanel(panel.info, tuple(half)), (C,))
    fitted = alone.fit(replace(RIDGE, rows=30 * 420), C)
    np.testing.assert_array_equal(
        bench.forecast(few, C, 14).values, bench.forecast(fitted, C, 14).values
    )


def test_series_that_begin_later_are_not_answered() -> None:
    panel = panels.split(panels.panel_of([np.arange(90.0), np.arange(80.0), np.arange(5.0)]), 3)
    bench = Workbench(panel, (C - 10,))
    found = bench.forecast(bench.fit(Baseline(kind="naive"), C - 10), C - 10, 3)
    assert found.values.tolist() == [[79.0] * 3, [69.0] * 3]


def test_a_budget_that_fits_one_set_at_a_time_changes_no_bit() -> None:
    panel = panels.regular()
    roomy, tight = Workbench(panel, WINDOWS), Workbench(panel, WINDOWS, budget=1)
    for window in (*WINDOWS, WINDOWS[0]):
        one = roomy.forecast(roomy.fit(trees(), window), window, 14)
        other = tight.forecast(tight.fit(trees(), window), window, 14)
        np.testing.assert_array_equal(one.values, other.values)


def test_models_apart_differ_from_one_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioned, "LEAST", 50)
    bench = Workbench(panels.regular(), WINDOWS)
    whole = bench.forecast(bench.fit(trees(), WINDOWS[0]), WINDOWS[0], 14)
    apart = bench.forecast(bench.fit(trees(partition="store"), WINDOWS[0]), WINDOWS[0], 14)
    assert not np.array_equal(whole.values, apart.values)


@pytest.mark.parametrize(("least", "share"), [(50, 0.7), (250, 1.0)])
def test_a_budget_that_fits_one_part_at_a_time_changes_no_bit(
    least: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 250 no store has enough rows in the first windows, and all share one member."""
    monkeypatch.setattr(partitioned, "LEAST", least)
    panel = panels.split(panels.regular(), 3)
    roomy, tight = Workbench(panel, WINDOWS), Workbench(panel, WINDOWS, budget=1)
    made = []
    bin_rows = tight._bin
    monkeypatch.setattr(
        tight, "_bin", lambda rows, *rest: made.append(rows.rows) or bin_rows(rows, *rest)
    )
    for strategy in ("recursive", "direct"):
        recipe = trees(strategy, partition="store", scaled=False)
        for window in WINDOWS:
            one, other = (bench.fit(recipe, window) for bench in (roomy, tight))
            np.testing.assert_array_equal(
                roomy.forecast(one, window, 14).values, tight.forecast(other, window, 14).values
            )
    (block,) = panels.regular().held
    assert 0 < max(made) < share * block.rows


def test_values_take_turns_that_the_budget_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioned, "LEAST", 10)
    rows = {0: 50, 1: 20, 2: 30, 3: 4, 4: 3, -1: 40}
    assert _turns(rows, 60) == [[0], [-1, 3, 4], [2, 1]]
    assert _turns(rows, 1) == [[0], [-1, 3, 4], [2], [1]]
    (every,) = _turns(rows, 1000)
    assert sorted(every) == sorted(rows)


def test_trees_of_all_rows_see_what_the_budget_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model apart may see more, since it does not hold all of them at once."""
    monkeypatch.setattr(sizes, "LEAST_ROWS", 300)
    panel, seen = panels.regular(), []
    bench = Workbench(panel, (C,), budget=1)
    made = bench._made
    monkeypatch.setattr(bench, "_made", lambda key: seen.append(key.most) or made(key))
    for recipe in (trees(), trees(partition="store"), RIDGE):
        bench.fit(recipe, C)
    assert seen == [300, recipe.rows]
