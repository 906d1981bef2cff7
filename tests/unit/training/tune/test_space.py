"""What is searched: within what the spec leaves open."""

from __future__ import annotations

import dataclasses

import optuna
import pytest
from msgspec.structs import replace
from tests.unit.training.tune.stand_ins import NAMED, space_of, spec_of

from lakecast.errors import SpecError
from lakecast.models import families
from lakecast.spec import Features
from lakecast.training.candidates import compiles, grid
from lakecast.training.tune.sampler import propose
from lakecast.training.tune.space import make_space


def test_every_point_is_one_that_can_be_fit() -> None:
    spec = spec_of()
    space = space_of()
    labels = set()
    for slot in range(40):
        point = space.point(propose(space, (), 1, slot), slot)
        assert families.resolve(point.family, point.params) == point.params
        for strategy in ("recursive", "direct"):
            compiles(point.candidate(strategy), spec, NAMED)
        labels.add(point.label)
    assert labels == {"spec", "no_statics", "encoded"}


def test_the_first_points_are_what_training_starts_from() -> None:
    spec, space = spec_of(), space_of()
    for slot, family in enumerate(spec.train.families):
        values = space.default(slot)
        assert values is not None
        point = space.point(values, slot)
        assert point.params == grid(spec, family)[0]
        assert point.features is None
    assert space.default(len(spec.train.families)) is None


def test_what_the_spec_fixes_stays() -> None:
    space = space_of()
    for slot in range(20):
        point = space.point(propose(space, (), 1, slot), slot)
        if point.family == "gradient_boosting":
            assert (point.params["num_iterations"], point.params["num_leaves"]) == (20, 7)


def test_a_fixed_objective_is_not_asked_for() -> None:
    spec = spec_of()
    fixed = {"gradient_boosting": {"objective": "squared"}}
    given = replace(spec, train=replace(spec.train, params=fixed))
    space = make_space(given, given.tune, NAMED)  # type: ignore[arg-type]
    assert space.objectives == ()
    points = [space.point(propose(space, (), 1, slot), slot) for slot in range(20)]
    boosted = [point for point in points if point.family == "gradient_boosting"]
    assert {point.params["objective"] for point in boosted} == {"squared"}


def test_the_power_is_searched_with_tweedie_only() -> None:
    space = space_of('over = ["objective"]', families='["gradient_boosting"]')
    points = [space.point(propose(space, (), 1, slot), slot) for slot in range(30)]
    assert {point.params["objective"] for point in points} == {
        "auto", "squared", "tweedie", "poisson",
    }  # fmt: skip
    for point in points:
        assert ("tweedie_variance_power" in point.params) == (
            point.params["objective"] == "tweedie"
        )


def test_scaling_is_searched_with_trees_where_the_spec_leaves_it_open() -> None:
    space = space_of('over = ["params"]')
    points = [space.point(propose(space, (), 1, slot), slot) for slot in range(30)]
    scaled = {(point.family, point.scaled) for point in points}
    assert scaled == {
        ("linear_regression", True), ("gradient_boosting", True), ("gradient_boosting", False),
    }  # fmt: skip
    spec = spec_of()
    fixed = replace(spec, train=replace(spec.train, scaling="none"))
    space = make_space(fixed, fixed.tune, NAMED)  # type: ignore[arg-type]
    points = [space.point(propose(space, (), 1, slot), slot) for slot in range(20)]
    assert {point.scaled for point in points if point.family == "gradient_boosting"} == {False}
    assert all(point.scaled for point in points if point.family == "linear_regression")


def test_a_large_panel_starts_from_the_defaults_of_large_ones() -> None:
    spec = spec_of()
    large = dataclasses.replace(NAMED, rows=families.LARGE, series=100)
    space = make_space(spec, spec.tune, large)  # type: ignore[arg-type]
    values = space.default(1)
    assert values is not None
    assert space.point(values, 1).params == grid(spec, "gradient_boosting", large=True)[0]


def test_families_take_turns_where_they_are_not_searched() -> None:
    space = space_of('over = ["params"]')
    points = [space.point(propose(space, (), 1, slot), slot) for slot in range(6)]
    assert [point.family for point in points] == ["linear_regression", "gradient_boosting"] * 3
    assert {point.label for point in points} == {"spec"}


@pytest.mark.parametrize(
    ("over", "named"),
    [('["objective"]', '["linear_regression"]'), ('["family"]', '["gradient_boosting"]')],
)
def test_nothing_left_to_search(over: str, named: str) -> None:
    with pytest.raises(SpecError, match=r"tune\.over: nothing is left to search"):
        space_of(f"over = {over}", families=named)


def test_features_that_the_spec_names_are_not_dropped() -> None:
    """The spec of these tests names all windows, so only the statics may go."""
    assert set(space_of('over = ["features"]').features) == {"spec", "no_statics", "encoded"}
    spec = spec_of()
    free = replace(spec, features=Features())
    found = make_space(free, spec.tune, NAMED).features  # type: ignore[arg-type]
    short = found["lags_and_windows"]
    assert short is not None
    assert (short.seasonal, short.expanding, short.ewm, short.trend) == ((), (), (), ())
    assert short.lags is None


def test_a_proposal_rests_on_its_seed_its_slot_and_the_history_alone() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = space_of()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for slot in range(12):
        trial = study.ask()
        space.choose(trial, slot)
        study.tell(trial, float(slot))

    def proposed(seed: int, first: int, known: int = 12) -> list[object]:
        slots = range(first, first + 8)
        return [propose(space, study.trials[:known], seed, slot) for slot in slots]

    assert proposed(1, 30) == proposed(1, 30)
    assert proposed(1, 30) != proposed(1, 31)
    assert proposed(1, 30) != proposed(2, 30)
    assert proposed(1, 30) != proposed(1, 30, known=11)
