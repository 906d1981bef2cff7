"""Recursive and direct: what is fed back, what each group sees, what is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import Future
from lakecast.core.features import compile_plan, fit_plan, state_at
from lakecast.errors import UsageError
from lakecast.models.direct import Direct, leads
from lakecast.models.recipes import Averaged, Baseline, Tabular
from lakecast.models.recursive import Recursive
from lakecast.spec.features import Features

C = panels.CUTOFF
FEATURES = Features(
    lags=(1, 2, 3), rolling=(), seasonal=(), expanding=(), ewm=(), trend=(), calendar=(),
    static=False,
)  # fmt: skip


@dataclass(frozen=True)
class Times:
    """The first column, times a factor."""

    factor: float

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return matrix[:, 0].astype(np.float64) * self.factor


def test_forecasts_are_fed_back() -> None:
    panel = panels.panel_of([[100.0, 1, 8], [100.0, 1, 3]])
    plan = compile_plan(FEATURES, panel.info, recursive=True, horizon=3)
    for scaled in (False, True):
        model = Recursive(
            fitted=fit_plan(plan, panel, C),
            regressor=Times(2.0),
            scaled=scaled,
            floor=0.0,  # type: ignore[arg-type]
        )
        state = state_at(panel.held[0], C, plans=model.plans)
        found = model.forecast(state, Future(horizon=3)).values
        np.testing.assert_allclose(found, [[16, 32, 64], [6, 12, 24]], rtol=1e-6)


def test_what_is_fed_back_is_not_below_the_floor() -> None:
    panel = panels.panel_of([[1.0, 1, 8]])
    plan = compile_plan(FEATURES, panel.info, recursive=True, horizon=2)
    model = Recursive(
        fitted=fit_plan(plan, panel, C),
        regressor=Times(-1.0),
        scaled=False,
        floor=0.0,  # type: ignore[arg-type]
    )
    state = state_at(panel.held[0], C, plans=model.plans)
    assert model.forecast(state, Future(horizon=3)).values.tolist() == [[0.0, 0.0, 0.0]]


def test_groups_of_horizons() -> None:
    assert leads(28, 7) == (7, 14, 21, 28)
    assert leads(10, 7) == (7, 10)
    assert leads(5, 7) == (5,)
    assert leads(3, 1) == (1, 2, 3)


def direct(panel: panels.MemoryPanel) -> Direct:
    plans = [
        compile_plan(FEATURES, panel.info, lead=lead, recursive=False, horizon=lead)
        for lead in (2, 3)
    ]
    return Direct(
        fitted=tuple(fit_plan(plan, panel, C) for plan in plans),
        regressors=(Times(1.0), Times(10.0)),  # type: ignore[arg-type]
        scaled=False,
    )


def test_each_group_uses_its_own_smallest_lag() -> None:
    """Horizons 1 and 2 by lag 2, horizon 3 by lag 3: the last values, twice."""
    panel = panels.panel_of([[1.0, 2, 3, 4, 5]])
    model = direct(panel)
    state = state_at(panel.held[0], C, plans=model.plans)
    assert model.forecast(state, Future(horizon=3)).values.tolist() == [[4.0, 5.0, 50.0]]
    assert model.forecast(state, Future(horizon=1)).values.tolist() == [[4.0]]


def test_beyond_its_horizon_a_direct_model_refuses() -> None:
    panel = panels.panel_of([[1.0, 2, 3, 4, 5]])
    model = direct(panel)
    state = state_at(panel.held[0], C, plans=model.plans)
    with pytest.raises(UsageError, match="horizon 4 asked of a direct model fit for 3"):
        model.forecast(state, Future(horizon=4))


def test_an_average_is_the_mean_of_its_members() -> None:
    panel = panels.regular()
    (block,) = panel.held
    members = (Baseline(kind="naive"), Baseline(kind="seasonal_mean"))
    fitted = [recipe.fit(panel, C) for recipe in (*members, Averaged(members=members))]
    naive, mean, both = (
        one.forecast(state_at(block, C, memory=one.memory), Future(horizon=9)).values
        for one in fitted
    )
    np.testing.assert_allclose(both, (naive + mean) / 2)


@pytest.mark.parametrize("family", ["linear_regression", "random_forest", "gradient_boosting"])
@pytest.mark.parametrize("strategy", ["recursive", "direct"])
def test_a_weekly_pattern_and_a_promotion_are_learnt(family: str, strategy: str) -> None:
    """Against the weekday mean, which cannot know of promotions."""
    from lakecast.core.block import actuals
    from lakecast.models import families
    from lakecast.models.workbench import Workbench

    panel = panels.with_covariates(series=12, length=300)
    params = families.resolve(
        family, {} if family == "linear_regression" else {"num_iterations": 60}
    )  # type: ignore[arg-type]
    cutoff = C - 28
    bench = Workbench(panel, (cutoff,))
    recipe = Tabular(family=family, strategy=strategy, params=params, horizon=28)  # type: ignore[arg-type]
    truth = actuals(panel.held[0], cutoff, 28)

    def error(which: Tabular | Baseline) -> float:
        found = bench.forecast(bench.fit(which, cutoff), cutoff, 28)
        return float(np.sqrt(np.mean((found.values - truth) ** 2)))

    assert error(recipe) < 0.9 * error(Baseline(kind="seasonal_mean"))


def test_what_is_fed_back_does_not_grow_without_end() -> None:
    """At most a quarter more than the largest value held (8): 10 is fed back, then doubled."""
    panel = panels.panel_of([[1.0, 8, 8, 8]])
    plan = compile_plan(FEATURES, panel.info, recursive=True, horizon=9)
    model = Recursive(
        fitted=fit_plan(plan, panel, C),
        regressor=Times(2.0),  # type: ignore[arg-type]
        scaled=False,
        floor=None,
    )
    state = state_at(panel.held[0], C, plans=model.plans)
    assert model.forecast(state, Future(horizon=4)).values.tolist() == [[16.0, 20.0, 20.0, 20.0]]
