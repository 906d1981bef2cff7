"""A champion's levels: forecasts of all of them add up, whatever the method."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.champions import HORIZON, champion, names, spec
from tests.panels import CUTOFF, STORES, mixed, regular

from lakecast.core import intervals
from lakecast.core.classes import CLASSES
from lakecast.core.features import state_at
from lakecast.core.hierarchy import Hierarchy
from lakecast.core.hierarchy_panels import group_panel
from lakecast.models import groups
from lakecast.models.bundle import Predictor, needed
from lakecast.models.groups import Learned
from lakecast.models.levels import METHODS, Levels, reconciled

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.core.block import MemoryPanel
    from lakecast.models.levels import Method

KEYS = ["level", "item", "store"]


def calibration(width: float) -> intervals.Calibration:
    shape = (1, len(CLASSES), 2)
    return intervals.Calibration(
        levels=(80,),
        groups=(7, HORIZON),
        lo=np.full(shape, -width),
        hi=np.full(shape, width),
        pools=np.zeros(shape, np.int8),
    )


LEVELS = ((), ("store",))


def learned(panel: MemoryPanel, named: pl.DataFrame) -> Learned:
    tree = Hierarchy.build(named, LEVELS)
    held = group_panel(panel, tree, groups.statics(tree, panel.info))
    recipe = groups.recipe_of(held.info, spec())
    recipe = replace(recipe, params={**recipe.params, "num_iterations": 20})
    return Learned(forecaster=recipe.fit(held, CUTOFF), levels=(0, 1))


def levelled(panel: MemoryPanel, method: Method, minimum: float | None = 0.0) -> Predictor:
    fitted = champion(panel, CUTOFF)
    stores = pl.Series("store", [STORES[i % 3] for i in range(panel.info.series)])
    levels = Levels(
        columns=LEVELS,
        method=method,
        calibrations=(calibration(1.0), calibration(2.0), calibration(3.0)),
        learned=learned(panel, names(panel).with_columns(stores)) if method == "wls" else None,
    )
    memory = needed(fitted.forecaster, panel.info, levels)
    return replace(
        fitted,
        calibration=calibration(1.5),
        hierarchy=levels,
        series=names(panel).with_columns(stores),
        state=state_at(panel.held[0], CUTOFF, memory=memory, plans=fitted.forecaster.plans),
        terms=replace(fitted.terms, minimum=minimum),
    )


def whole(fitted: Predictor, size: int = 4) -> pl.DataFrame:
    return pl.concat(list(fitted.every_level(size)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("panel", [regular(7), mixed()], ids=["regular", "mixed"])
def test_levels_add_up(method: Method, panel: MemoryPanel) -> None:
    found = whole(levelled(panel, method))
    assert found.columns[:3] == KEYS
    assert found.select("level", "item", "store").unique().height == panel.info.series + 1 + 3
    series = found.filter(pl.col("level") == "series")
    assert series["store"].null_count() == series.height
    assert found["forecast"].min() >= 0.0  # type: ignore[operator]
    assert found["forecast"].null_count() == 0
    total = series.group_by("day").agg(pl.col("forecast").sum()).sort("day")["forecast"]
    top = found.filter(pl.col("level") == "total").sort("day")["forecast"]
    stores = found.filter(pl.col("level") == "store")
    middle = stores.group_by("day").agg(pl.col("forecast").sum()).sort("day")["forecast"]
    np.testing.assert_allclose(top, total, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(middle, total, rtol=1e-9, atol=1e-6)
    assert set(stores["store"]) == set(STORES)
    told = {"bottom_up": "sum"}.get(method, "reconciled")
    assert set(stores["source"]) == {told}


def test_added_up_series_are_forecast_as_they_are_alone() -> None:
    fitted = levelled(regular(7), "bottom_up")
    series = whole(fitted).filter(pl.col("level") == "series").drop("level", "store")
    assert series.equals(fitted.forecast())


@pytest.mark.parametrize("method", METHODS)
def test_pieces_change_nothing(method: Method) -> None:
    fitted = levelled(mixed(), method)
    assert whole(fitted, 3).equals(whole(fitted, 100))


def test_some_series_are_answered_for_themselves_alone() -> None:
    fitted = levelled(regular(7), "wls")
    asked = pl.DataFrame({"item": ["i0003"]})
    assert fitted.forecast(asked).equals(fitted.forecast().filter(pl.col("item") == "i0003"))


@pytest.mark.parametrize("method", METHODS)
def test_intervals_are_of_the_level_and_hold_the_forecast(method: Method) -> None:
    found = whole(levelled(regular(7), method, minimum=None))
    low, high = found["forecast-lo-80"].to_numpy(), found["forecast-hi-80"].to_numpy()
    assert (low <= found["forecast"].to_numpy()).all()
    assert (found["forecast"].to_numpy() <= high).all()
    top = found.filter(pl.col("level") == "total")
    y = np.add.reduce(regular(7).held[0].target.reshape(7, -1), axis=0, dtype=np.float64)[-56:]
    scale = np.sqrt(np.mean((y[7:] - y[:-7]) ** 2))
    np.testing.assert_allclose(top["forecast-hi-80"] - top["forecast"], scale, rtol=1e-5)


def test_saved_levels_are_the_same_bits(tmp_path: Path) -> None:
    fitted = levelled(regular(7), "wls")
    fitted.save(tmp_path / "bundle")
    again = Predictor.load(tmp_path / "bundle")
    assert again.hierarchy is not None
    assert again.hierarchy.meta() == fitted.hierarchy.meta()  # type: ignore[union-attr]
    assert whole(again).equals(whole(fitted))


def test_a_bundle_without_levels_forecasts_its_series(tmp_path: Path) -> None:
    fitted = champion(regular(3), CUTOFF)
    fitted.save(tmp_path / "bundle")
    again = Predictor.load(tmp_path / "bundle")
    assert again.hierarchy is None
    assert set(whole(again)["level"]) == {"series"}


def test_no_series_have_no_levels() -> None:
    fitted = levelled(regular(3), "bottom_up").take(np.empty(0, np.int64))
    assert whole(fitted).height == 0


def test_the_learner_of_the_levels_needs_a_longer_state() -> None:
    info = regular(3).info
    fitted = levelled(regular(3), "wls")
    assert fitted.state.memory == 112
    assert needed(fitted.forecaster, info) < 112


def test_a_group_is_moved_half_the_way_to_what_its_own_history_says() -> None:
    tree = Hierarchy.build(pl.DataFrame({"store": list("aabb")}), LEVELS)
    series = np.array([[1.0], [1.0], [4.0], [4.0]])
    own = np.array([[18.0], [6.0], [12.0]])  # twice and more what the series add up to
    moved = reconciled(tree, series, own, 0.0)
    np.testing.assert_allclose(tree.sums(moved)[:, 0], [38 / 3, 10 / 3, 28 / 3])
    unknown = np.full_like(own, np.nan)
    np.testing.assert_array_equal(reconciled(tree, series, unknown, 0.0), series)
