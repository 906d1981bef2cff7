"""Parameters of the families."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.unit.models.rowsets import RowSet

from lakecast.core.features import Column
from lakecast.errors import SpecError
from lakecast.models import families
from lakecast.models.recipes import Tabular, given
from lakecast.spec.features import Features
from lakecast.spec.model import Forecast, Train

FAMILIES = ("linear_regression", "random_forest", "gradient_boosting")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_grid_begins_with_the_defaults_and_has_no_point_twice(family: families.Family) -> None:
    points = families.grid(family)
    assert points[0] == families.defaults(family)
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)


def test_grids_hold_the_small_ones_that_spark_pipelines_use() -> None:
    forests = {(p["num_iterations"], p.get("max_depth")) for p in families.grid("random_forest")}
    assert {(n, d) for n in (10, 20, 30) for d in (5, 10, 15)} <= forests
    boosters = {
        (p["num_iterations"], p.get("max_depth")) for p in families.grid("gradient_boosting")
    }
    assert {(n, d) for n in (10, 20) for d in (5, 10)} <= boosters
    assert [p["alpha"] for p in families.grid("linear_regression")] == [0.01, 0.1, 1.0]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_point_of_a_grid_resolves_to_itself(family: families.Family) -> None:
    for point in families.grid(family):
        assert families.resolve(family, point) == point


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SpecError) as caught:
        families.resolve("linear_regression", {"regParam": 0.1})
    assert str(caught.value) == (
        "train.params.linear_regression: `regParam` is no parameter of linear_regression\n"
        "  cure: known: alpha"
    )


def test_a_forest_stays_a_forest() -> None:
    with pytest.raises(SpecError, match="`boosting` is no parameter"):
        families.resolve("random_forest", {"boosting": "gbdt"})


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(SpecError, match="unknown family 'prophet'"):
        families.regressor("prophet", {}, seed=1, threads=1)  # type: ignore[arg-type]


def test_the_spec_fixes_parameters_over_the_defaults() -> None:
    train = Train(
        objective="poisson", params={"gradient_boosting": {"num_leaves": 9}}, rows=5, seed=4
    )
    recipe = Tabular.of("gradient_boosting", "direct", train, Forecast(horizon=9), Features())
    assert recipe.params["num_leaves"] == 9
    assert recipe.params["objective"] == "poisson"
    assert (recipe.rows, recipe.seed, recipe.horizon, recipe.minimum) == (5, 4, 9, 0.0)
    assert given("random_forest", train) == {}
    assert recipe.name == "gradient_boosting/direct"


def test_families_and_recipes_load_no_learner() -> None:
    code = (
        "import sys, lakecast.models.recipes, lakecast.models.families;"
        "sys.exit('lightgbm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_default_boosting_learns_little_of_noise() -> None:
    """The target is 1 and noise of as much; what is predicted besides 1 is learnt noise."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(4000, 12)).astype(np.float32)
    noisy = RowSet(
        matrix=matrix,
        target=(1 + rng.normal(size=4000)).astype(np.float32),
        ordinals=np.zeros(4000, np.int32),
        columns=tuple(Column(name=f"x{i}") for i in range(12)),
    )
    params = families.defaults("gradient_boosting")
    fitted = families.regressor("gradient_boosting", params, seed=1, threads=1).fit(noisy)
    fresh = rng.normal(size=(4000, 12)).astype(np.float32)
    assert fitted.predict(fresh).std() < 0.2
