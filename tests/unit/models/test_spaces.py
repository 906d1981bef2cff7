"""Search spaces: the defaults lie inside, and every name is a parameter."""

from __future__ import annotations

from typing import get_args

import pytest

from lakecast.models import families
from lakecast.models.spaces import TWEEDIE_POWER, Knob, space
from lakecast.spec.model import Family

KNOBS = [(family, knob) for family in get_args(Family) for knob in space(family)]


@pytest.mark.parametrize(("family", "knob"), KNOBS)
def test_defaults_lie_inside(family: Family, knob: Knob) -> None:
    assert knob.low <= float(families.defaults(family)[knob.name]) <= knob.high


@pytest.mark.parametrize(
    ("family", "knob"), [*KNOBS, ("gradient_boosting", TWEEDIE_POWER)], ids=str
)
def test_both_ends_are_parameters_of_the_family(family: Family, knob: Knob) -> None:
    assert 0 < knob.low < knob.high
    for end in (knob.low, knob.high):
        assert families.resolve(family, {knob.name: end})[knob.name] == end
