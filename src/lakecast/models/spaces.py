"""Where the parameters of each family are searched; the defaults lie inside.

Importing this loads no learner. How far to go is as far as models of sales are known to gain, not
as far as the learners allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakecast.spec.model import Family


@dataclass(frozen=True, slots=True)
class Knob:
    """A number searched between two bounds, both included; evenly, or evenly in its logarithm."""

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False


TWEEDIE_POWER: Final = Knob("tweedie_variance_power", 1.05, 1.9)
"""Searched where the objective is Tweedie's: near 1 like counts, near 2 like amounts."""

_SPACES: Final[Mapping[Family, tuple[Knob, ...]]] = {
    "linear_regression": (Knob("alpha", 1e-4, 100.0, log=True),),
    "random_forest": (
        Knob("num_iterations", 30, 300, log=True, whole=True),
        Knob("num_leaves", 31, 511, log=True, whole=True),
        Knob("min_data_in_leaf", 5, 300, log=True, whole=True),
        Knob("bagging_fraction", 0.3, 0.9),
        Knob("feature_fraction", 0.2, 1.0),
    ),
    "gradient_boosting": (
        Knob("num_iterations", 50, 600, log=True, whole=True),
        Knob("learning_rate", 0.01, 0.2, log=True),
        Knob("num_leaves", 7, 255, log=True, whole=True),
        Knob("min_data_in_leaf", 10, 500, log=True, whole=True),
        Knob("lambda_l2", 0.1, 300.0, log=True),
        Knob("bagging_fraction", 0.4, 1.0),
        Knob("feature_fraction", 0.2, 1.0),
    ),
}


def space(family: Family) -> tuple[Knob, ...]:
    """What is searched of a family."""
    return _SPACES[family]
