"""Each rule of the router, with an inner forecaster that answers what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from tests import panels

from lakecast.core.block import Future, MemoryPanel
from lakecast.core.features import FeaturePlan, State, state_at
from lakecast.models.protocol import Answer
from lakecast.models.routed import Prior, Routed

C = panels.CUTOFF
NULL = np.nan


@dataclass(frozen=True)
class Says:
    """Answers one number everywhere; with a list, these numbers by horizon."""

    value: float | list[float] = 77.0
    memory: int = 1
    plans: tuple[FeaturePlan, ...] = field(default=())

    def forecast(self, state: State, future: Future) -> Answer:
        return Answer.of(np.full((state.series, future.horizon), self.value))

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def routed(panel: MemoryPanel, inner: Says | None = None, **given: object) -> Routed:
    prior = Prior.fit(panel, C)
    options = {"season": 7, "lead": 1, "minimum": 0.0, "prior": prior} | given
    return Routed(inner=inner or Says(), **options)  # type: ignore[arg-type]


def ask(panel: MemoryPanel, inner: Says | None = None, **given: object) -> tuple[str, list[float]]:
    """Source and forecasts of the panel's first series for two periods."""
    forecaster = routed(panel, inner, **given)
    state = state_at(panel.held[0], C, memory=forecaster.memory)
    answer = forecaster.forecast(state, Future(horizon=2))
    return str(answer.source[0]), answer.values[0].tolist()


def series(*values: list[float]) -> MemoryPanel:
    return panels.panel_of(values)


VARIED = [1.0, 2, 3, 4, 5, 6, 7] * 9


@pytest.mark.parametrize(
    ("values", "source", "expected"),
    [
        (VARIED, "model", 77.0),
        ([NULL] * 20, "cold-start", 0.0),
        ([5.0, 9, 7, 8, 5, 9, 7], "short", 50 / 7),  # 7 values, 8 are needed
        ([5.0, 9, 7, 8, 5, 9, 7, 1], "model", 77.0),
        ([3.5] * 60, "constant", 3.5),
        ([3.5, NULL] * 30, "constant", 3.5),
        ([0.0] * 60, "constant", 0.0),
        ([9.0, *[3.5] * 56], "constant", 3.5),  # the eight seasons held say it
        (VARIED + [0.0] * 28, "ended", 0.0),
        (VARIED + [0.0] * 27, "model", 77.0),  # four weeks, no less
        ([4.0, *[0.0] * 29] * 4 + [0.0] * 100, "model", 77.0),  # it sold four times, a month apart
        ([4.0, *[0.0] * 29] * 4 + [0.0] * 170, "ended", 0.0),
        ([*VARIED, *[NULL] * 40], "model", 77.0),  # out of stock is not ended
        ([*VARIED, *[0.0] * 27, *[NULL] * 9], "model", 77.0),
        ([*VARIED, *[0.0] * 28, *[NULL] * 9], "ended", 0.0),
    ],
)
def test_rules(values: list[float], source: str, expected: float) -> None:
    assert ask(series(values)) == (source, pytest.approx([expected, expected]))


def test_a_larger_lead_needs_more_values() -> None:
    assert ask(series(VARIED[:20]), lead=14)[0] == "short"
    assert ask(series(VARIED[:21]), lead=14)[0] == "model"


def test_a_long_season_need_not_be_whole() -> None:
    panel = panels.panel_of([VARIED[:14]], seasons=(52,), frequency="W-SUN")
    assert ask(panel, season=52)[0] == "model"
    panel = panels.panel_of([VARIED[:13]], seasons=(52,), frequency="W-SUN")
    assert ask(panel, season=52)[0] == "short"


@pytest.mark.parametrize("gap", [[NULL, 1.0], [1.0, np.inf]])
def test_a_number_that_is_missing_is_the_mean_of_its_phase(gap: list[float]) -> None:
    assert ask(series(VARIED), Says(gap)) == ("baseline", [1.0, 2.0])


def test_a_tail_of_nulls_takes_the_mean_of_all() -> None:
    values = [*VARIED, *[NULL] * 60]
    assert ask(series(values), Says(NULL)) == ("baseline", [4.0, 4.0])


def test_the_minimum_holds() -> None:
    assert ask(series(VARIED), Says(-3.0)) == ("model", [0.0, 0.0])
    assert ask(series(VARIED), Says(-3.0), minimum=None) == ("model", [-3.0, -3.0])
    assert ask(series(VARIED), Says(3.0), minimum=5.0) == ("model", [5.0, 5.0])


def test_siblings_tell_what_a_new_series_sells() -> None:
    """Item i is in store i mod 3: items 0 and 3 are in store 0, 1 in store 1."""
    panel = series([6.0] * 40, [99.0] * 40, [NULL], [8.0] * 40, [50.0] * 60 + [0.0] * 40)
    forecaster = routed(panel)
    state = state_at(panel.held[0], C, memory=forecaster.memory)
    fresh = state.unknown(
        np.array([-1, -1, -1, -1], np.int32),
        {
            "store": np.array([0, 1, 2, -1], np.float32),
            "item": np.array([-1, -1, -1, 3], np.float32),
        },
    )
    answer = forecaster.forecast(fresh, Future(horizon=1))
    # Store 1's other series has ended; store 2 has none with values; item 3 is known itself.
    assert answer.values[:, 0].tolist() == [7.0, 99.0, 0.0, 8.0]


def test_priors_add_up_over_blocks_and_see_nothing_later() -> None:
    panel = panels.mixed()
    whole, cut = Prior.fit(panel, C - 9), Prior.fit(panels.split(panel, 3), C - 9)
    later = Prior.fit(panels.changed_after(panel, C - 9), C - 9)
    for name, levels in whole.levels.items():
        np.testing.assert_allclose(cut.levels[name], levels)
        np.testing.assert_array_equal(later.levels[name], levels)
