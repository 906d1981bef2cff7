from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from lakecast.explain.importances import importances
from lakecast.models.average import Average
from lakecast.models.baselines import SeasonalNaive
from lakecast.models.flat import Flat

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Regressor:
    shares: Mapping[str, float]

    def predict(self, matrix: Any) -> Any:
        return matrix

    def importances(self) -> Mapping[str, float]:
        return self.shares

    def save(self, folder: Any) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Grouped:
    """A forecaster of one regressor a group, as `Direct` is, or of members by name."""

    regressors: tuple[Regressor, ...] = ()
    members: Mapping[str, Any] = field(default_factory=dict)
    memory: int = 1
    plans: tuple[Any, ...] = ()

    def forecast(self, state: Any, future: Any) -> Any:
        raise NotImplementedError

    def save(self, folder: Any) -> None:
        raise NotImplementedError


def shares(forecaster: Any) -> dict[str, float]:
    frame = importances(forecaster)
    assert frame.columns == ["feature", "share"]
    return dict(frame.iter_rows())


def test_the_groups_of_a_forecaster_count_the_same() -> None:
    both = Grouped((Regressor({"lag_1": 0.75, "weekday": 0.25}), Regressor({"lag_7": 1.0})))
    assert shares(both) == {"lag_7": 0.5, "lag_1": 0.375, "weekday": 0.125}


def test_rows_fall_by_share_then_rise_by_name() -> None:
    found = shares(Grouped((Regressor({"b": 0.25, "a": 0.25, "c": 0.5}),)))
    assert list(found) == ["c", "a", "b"]


def test_members_of_members_are_averaged_level_by_level() -> None:
    deep = Grouped(members={"x": Grouped((Regressor({"a": 1.0}), Regressor({"b": 1.0})))})
    assert shares(Average((deep, Grouped((Regressor({"c": 1.0}),))))) == {
        "c": 0.5, "a": 0.25, "b": 0.25,
    }  # fmt: skip


def test_what_has_no_features_does_not_dilute() -> None:
    learned = Grouped((Regressor({"a": 2.0, "b": 6.0}), Flat(3.0, ("a", "b"))))  # type: ignore[arg-type]
    assert shares(Average((learned, SeasonalNaive(season=7)))) == {"b": 0.75, "a": 0.25}


@pytest.mark.parametrize(
    "forecaster", [SeasonalNaive(season=7), Average((SeasonalNaive(season=7),))]
)
def test_a_baseline_has_no_rows(forecaster: Any) -> None:
    assert importances(forecaster).height == 0
