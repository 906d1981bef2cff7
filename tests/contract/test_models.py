"""Every model x every check. A new recipe joins by standing in `RECIPES`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import MemoryPanel, after
from lakecast.core.features import state_at
from lakecast.models import load, save
from lakecast.models.recipes import BASELINES, Averaged, Baseline, Tabular
from lakecast.models.workbench import Workbench
from lakecast.spec.features import Features

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.core.block import Future
    from lakecast.core.features import State
    from lakecast.models.protocol import Answer, Forecaster
    from lakecast.models.recipes import Params, Sketch

HORIZON = 10
CUTOFF = panels.CUTOFF - HORIZON
SOURCES = {"model", "baseline", "cold-start", "short", "ended", "constant"}

RIDGE: Params = {"alpha": 0.1}
FOREST: Params = {
    "boosting": "rf", "num_iterations": 6, "num_leaves": 15, "bagging_fraction": 0.6,
    "bagging_freq": 1, "min_data_in_leaf": 5,
}  # fmt: skip
TREES: Params = {"num_iterations": 8, "num_leaves": 7, "learning_rate": 0.3, "min_data_in_leaf": 5}


def tabular(family: str, strategy: str, params: Params, **more: object) -> Tabular:
    return Tabular(family=family, strategy=strategy, params=params, horizon=HORIZON, **more)  # type: ignore[arg-type]


RECIPES: tuple[Sketch, ...] = (
    *(Baseline(kind=kind) for kind in BASELINES),
    *(
        tabular(family, strategy, params)
        for family, params in (
            ("linear_regression", RIDGE),
            ("random_forest", FOREST),
            ("gradient_boosting", TREES),
        )
        for strategy in ("recursive", "direct")
    ),
    tabular("gradient_boosting", "recursive", {**TREES, "objective": "tweedie"}, label="tweedie"),
    tabular("gradient_boosting", "direct", {**TREES, "objective": "poisson"}, label="poisson"),
    tabular("gradient_boosting", "recursive", TREES, label="plain", scaled=False),
    tabular(
        "gradient_boosting",
        "direct",
        TREES,
        label="encoded",
        features=Features(encodings=("item",)),
    ),
    tabular("linear_regression", "direct", RIDGE, label="few-rows", rows=200, group=3),
    tabular("gradient_boosting", "recursive", TREES, label="hardly-any-rows", rows=5),
    Averaged(
        members=(
            tabular("linear_regression", "recursive", RIDGE),
            tabular("gradient_boosting", "direct", TREES),
            Baseline(kind="theta"),
        )
    ),
)


@pytest.fixture(params=RECIPES, ids=lambda recipe: recipe.name)
def recipe(request: pytest.FixtureRequest) -> Sketch:
    return request.param  # type: ignore[no-any-return]


@lru_cache
def panel() -> MemoryPanel:
    """One of everything, with a known-future covariate."""
    mixed = panels.mixed()
    (block,) = mixed.held
    promo = (np.random.default_rng(3).random(block.rows) < 0.2).astype(np.float32)
    return panels.panel_of(
        np.split(block.target, block.starts[1:-1]),
        {"promo": ("known-future", np.split(promo, block.starts[1:-1]))},
    )


@lru_cache
def fitted(recipe: Sketch) -> Forecaster:
    return Workbench(panel(), (CUTOFF,)).fit(recipe, CUTOFF)


def inputs(forecaster: Forecaster, held: MemoryPanel | None = None) -> tuple[State, Future]:
    (block,) = (held or panel()).held
    state = state_at(block, CUTOFF, memory=forecaster.memory, plans=forecaster.plans)
    return state, after(block, CUTOFF, HORIZON, sorted((held or panel()).info.covariates))


def answer(forecaster: Forecaster, held: MemoryPanel | None = None) -> Answer:
    return forecaster.forecast(*inputs(forecaster, held))


def same(one: Answer, other: Answer) -> None:
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.source, other.source)


def test_every_series_gets_an_answer(recipe: Sketch) -> None:
    found = answer(fitted(recipe))
    series = (panel().held[0].first <= CUTOFF).sum()
    assert found.values.shape == (series, HORIZON)
    assert found.values.dtype == np.float64
    assert np.isfinite(found.values).all()
    assert found.values.min() >= 0
    assert set(found.source) <= SOURCES


def test_the_same_seed_repeats_on_any_number_of_threads(recipe: Sketch) -> None:
    again = Workbench(panel(), (CUTOFF,), threads=3).fit(recipe, CUTOFF)
    same(answer(fitted(recipe)), answer(again))


def test_what_is_loaded_is_what_was_saved(recipe: Sketch, tmp_path: Path) -> None:
    save(fitted(recipe), tmp_path / "model")
    loaded = load(tmp_path / "model")
    same(answer(fitted(recipe)), answer(loaded))
    assert loaded.memory == fitted(recipe).memory
    assert loaded.plans == fitted(recipe).plans
    kinds = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".npz", ".txt"}


def test_a_loaded_model_saves_the_same_files(recipe: Sketch, tmp_path: Path) -> None:
    save(fitted(recipe), tmp_path / "one")
    save(load(tmp_path / "one"), tmp_path / "two")
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_input_is_not_modified(recipe: Sketch) -> None:
    state, future = inputs(fitted(recipe))
    arrays = [
        state.values, state.first, state.codes, state.older, state.summary,
        *state.covariates.values(), *state.statics.values(), *future.covariates.values(),
    ]  # fmt: skip
    for held in arrays:
        held.flags.writeable = False
    before = [held.copy() for held in arrays]
    first = fitted(recipe).forecast(state, future)
    same(first, fitted(recipe).forecast(state, future))
    for held, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(held, copy)


def test_threads_answer_as_one_does(recipe: Sketch) -> None:
    alone = answer(fitted(recipe))
    state, future = inputs(fitted(recipe))
    orders = [np.random.default_rng(i).permutation(state.series) for i in range(8)]

    def ask(order: np.ndarray) -> Answer:
        known = {name: held[order] for name, held in future.covariates.items()}
        turned = type(future)(horizon=HORIZON, covariates=known)
        return fitted(recipe).forecast(state.select(order), turned)

    with ThreadPoolExecutor(4) as pool:
        for order, found in zip(orders, pool.map(ask, orders), strict=True):
            np.testing.assert_array_equal(found.values, alone.values[order])
            np.testing.assert_array_equal(found.source, alone.source[order])


def test_one_series_alone_is_answered_as_in_the_batch(recipe: Sketch) -> None:
    batch = answer(fitted(recipe))
    state, future = inputs(fitted(recipe))
    for i in range(state.series):
        known = {name: held[[i]] for name, held in future.covariates.items()}
        single = fitted(recipe).forecast(
            state.select(np.array([i])), type(future)(horizon=HORIZON, covariates=known)
        )
        np.testing.assert_array_equal(single.values[0], batch.values[i])


def test_nothing_after_the_cutoff_is_seen(recipe: Sketch) -> None:
    changed = panels.changed_after(panel(), CUTOFF)
    other = Workbench(changed, (CUTOFF,)).fit(recipe, CUTOFF)
    same(answer(fitted(recipe)), answer(other))


def test_a_shared_bench_sees_nothing_after_an_earlier_cutoff(recipe: Sketch) -> None:
    cutoffs = (CUTOFF - 7, CUTOFF)
    changed = panels.changed_after(panel(), cutoffs[0])
    first, second = (
        bench.forecast(bench.fit(recipe, cutoffs[0]), cutoffs[0], 1)
        for bench in (Workbench(held, cutoffs) for held in (known(panel()), known(changed)))
    )
    same(first, second)


def known(held: MemoryPanel) -> MemoryPanel:
    """The panel with the first one's promotions, which are known in advance."""
    promo = {"promo": panel().held[0].covariates["promo"]}
    (block,) = held.held
    return MemoryPanel(held.info, (type(block)(**{**_fields(block), "covariates": promo}),))


def _fields(block: object) -> dict[str, object]:
    return {name: getattr(block, name) for name in type(block).__slots__}  # type: ignore[attr-defined]


def test_how_the_panel_is_cut_into_blocks_does_not_matter(recipe: Sketch) -> None:
    cut = panels.split(panel(), 4)
    bench = Workbench(cut, (CUTOFF,))
    found = bench.forecast(bench.fit(recipe, CUTOFF), CUTOFF, HORIZON)
    whole = answer(fitted(recipe))
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found.source, whole.source)


def test_more_memory_than_needed_changes_nothing(recipe: Sketch) -> None:
    state, future = inputs(fitted(recipe))
    longer = state_at(panel().held[0], CUTOFF, memory=state.memory + 13, plans=fitted(recipe).plans)
    found = fitted(recipe).forecast(longer, future)
    np.testing.assert_allclose(found.values, answer(fitted(recipe)).values, rtol=1e-6)


def test_new_and_vanished_series(recipe: Sketch) -> None:
    state, future = inputs(fitted(recipe))
    fresh = state.unknown(
        np.array([-1, -1], np.int32), {"store": np.array([0.0, -1.0], np.float32)}
    )
    blank = {name: np.full((2, HORIZON), np.nan, np.float32) for name in future.covariates}
    found = fitted(recipe).forecast(fresh, type(future)(horizon=HORIZON, covariates=blank))
    assert found.source.tolist() == ["cold-start", "cold-start"]
    assert (found.values[0] > 0).all()  # the mean of the series of its store
    assert (found.values[1] == 0).all()  # nothing is known of it
    nobody = fitted(recipe).forecast(
        state.select(np.array([], np.int64)),
        type(future)(horizon=HORIZON, covariates={k: v[:0] for k, v in future.covariates.items()}),
    )
    assert nobody.values.shape == (0, HORIZON)


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_constant_series_stay_what_they_are(recipe: Sketch, value: float) -> None:
    held = plain([np.full(90, value)] * 3)
    found = answer(Workbench(held, (CUTOFF,)).fit(recipe, CUTOFF), held)
    np.testing.assert_array_equal(found.values, np.full((3, HORIZON), value))
    assert set(found.source) == {"constant"}


def test_too_little_to_learn_from_is_still_answered(recipe: Sketch) -> None:
    held = plain([[4.0] * (HORIZON + 1), [np.nan] * 30, [2.0, np.nan, 6.0] + [np.nan] * HORIZON])
    found = answer(Workbench(held, (CUTOFF,)).fit(recipe, CUTOFF), held)
    assert np.isfinite(found.values).all()
    assert found.source.tolist() == ["short", "cold-start", "short"]
    assert found.values[2].tolist() == [4.0] * HORIZON


def test_a_spike_long_past_is_survived(recipe: Sketch) -> None:
    rng = np.random.default_rng(0)
    series = [rng.poisson(20, 160).astype(float) for _ in range(6)]
    series[0][30] = 1e6
    held = plain(series)
    found = answer(Workbench(held, (CUTOFF,)).fit(recipe, CUTOFF), held)
    assert found.values[1:].max() < 100
    assert np.isfinite(found.values).all()


def plain(series: list[object]) -> MemoryPanel:
    sizes = [len(values) for values in series]  # type: ignore[arg-type]
    return panels.panel_of(
        series,  # type: ignore[arg-type]
        {"promo": ("known-future", [np.zeros(size) for size in sizes])},
    )
