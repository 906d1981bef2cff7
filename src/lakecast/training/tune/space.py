"""What is searched, as a function of the spec: which points there are and how Optuna asks for one.

What the spec fixes stays fixed in every point: parameters of a family, an objective, features.
Values carry the family in their name, since families share names but not ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

import msgspec

from lakecast.errors import SpecError
from lakecast.models import families, spaces
from lakecast.models.recipes import given
from lakecast.spec.features import Features
from lakecast.spec.model import Objective, Scaling
from lakecast.training.backtest import Candidate
from lakecast.training.candidates import TREES, rows_of

if TYPE_CHECKING:
    from lakecast.core.block import PanelInfo
    from lakecast.models.recipes import Params, Strategy
    from lakecast.models.spaces import Knob
    from lakecast.spec.model import Family, Spec, Tune

Values = Mapping[str, Any]
"""What Optuna calls a trial's parameters."""

AS_GIVEN: Final = "spec"
_FAMILY: Final = "family"
_FEATURES: Final = "features"
_OBJECTIVE: Final = "objective"
_SCALING: Final = "scaling"
_SCALINGS: Final[tuple[Scaling, ...]] = ("series", "none")


class Ask(Protocol):
    """The part of `optuna.Trial` that a space needs."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> Any:
        """One of the choices."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number between two bounds."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number between two bounds, both included."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A model to try: complete parameters, and features where they are not the spec's.

    `scaled` says whether rows are divided by their series' scale.
    """

    family: Family
    params: Params
    scaled: bool = True
    label: str = AS_GIVEN
    features: Features | None = None

    def candidate(self, strategy: Strategy) -> Candidate:
        """As a backtest knows it."""
        return Candidate(
            name=f"{self.family}/{strategy}",
            family=self.family,
            strategy=strategy,
            params=dict(self.params),
            features=self.features,
            scaled=self.scaled,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """The points of a search. `knobs` and `base` are by family, `features` by label.

    `base` is what a family's models have but for what is searched; `fixed` names what the spec
    fixes of it. `scalings` are what tree families choose from.
    """

    families: tuple[Family, ...]
    by_turns: bool
    knobs: Mapping[Family, tuple[Knob, ...]]
    base: Mapping[Family, Params]
    fixed: Mapping[Family, frozenset[str]]
    scalings: tuple[Scaling, ...]
    objectives: tuple[str, ...]
    features: Mapping[str, Features | None]

    def default(self, slot: int) -> Values | None:
        """Values of the defaults: those of the families come first, whatever is searched."""
        if slot >= len(self.families):
            return None
        family = self.families[slot]
        base = self.base[family]
        values: dict[str, Any] = {
            f"{family}.{knob.name}": _number(knob, base[knob.name]) for knob in self._of(family)
        }
        values |= {} if self.by_turns else {_FAMILY: family}
        values |= {_FEATURES: AS_GIVEN} if len(self.features) > 1 else {}
        if self._asks_scaling(family):
            values[f"{family}.{_SCALING}"] = self.scalings[0]
        if self._asks_objective(family):
            values[f"{family}.{_OBJECTIVE}"] = str(base[_OBJECTIVE])
        return values

    def choose(self, ask: Ask, slot: int) -> None:
        """Ask for every value of one point."""
        family = self._turn(slot)
        if not self.by_turns:
            family = ask.suggest_categorical(_FAMILY, self.families)
        if len(self.features) > 1:
            ask.suggest_categorical(_FEATURES, tuple(self.features))
        for knob in self._of(family):
            _suggest(ask, knob, family)
        if self._asks_scaling(family):
            ask.suggest_categorical(f"{family}.{_SCALING}", self.scalings)
        if self._asks_objective(family):
            chosen = ask.suggest_categorical(f"{family}.{_OBJECTIVE}", self.objectives)
            if chosen == "tweedie" and spaces.TWEEDIE_POWER.name not in self.fixed[family]:
                _suggest(ask, spaces.TWEEDIE_POWER, family)

    def point(self, values: Values, slot: int) -> Point:
        """The point of values that were chosen for a slot."""
        family: Family = values.get(_FAMILY, self._turn(slot))
        label = str(values.get(_FEATURES, AS_GIVEN))
        mine = {
            name.removeprefix(f"{family}."): value
            for name, value in values.items()
            if name.startswith(f"{family}.")
        }
        scaling = mine.pop(_SCALING, self.scalings[0])
        return Point(
            family=family,
            params=families.resolve(family, {**self.base[family], **mine}),
            scaled=scaling == "series" or family not in TREES,
            label=label,
            features=self.features[label],
        )

    def _turn(self, slot: int) -> Family:
        return self.families[slot % len(self.families)]

    def _of(self, family: Family) -> tuple[Knob, ...]:
        return self.knobs.get(family, ())

    def _asks_scaling(self, family: Family) -> bool:
        return family in TREES and bool(self.knobs.get(family)) and len(self.scalings) > 1

    def _asks_objective(self, family: Family) -> bool:
        return family == "gradient_boosting" and bool(self.objectives)


def make_space(spec: Spec, tune: Tune, info: PanelInfo) -> Space:
    """The space of a spec. Raises `SpecError` where nothing is left to search."""
    asked = spec.train.families
    own = {family: _given(family, spec) for family in asked}
    fixed = {family: frozenset(mine) for family, mine in own.items()}
    large = rows_of(spec, info) >= families.LARGE
    knobs = {
        family: tuple(knob for knob in spaces.space(family) if knob.name not in fixed[family])
        for family in asked
        if "params" in tune.over
    }
    boosting = fixed.get("gradient_boosting")
    free = "objective" in tune.over and boosting is not None and _OBJECTIVE not in boosting
    made = Space(
        families=asked,
        by_turns="family" not in tune.over or len(asked) == 1,
        knobs=knobs,
        base={
            family: {**families.defaults(family, large=large), **mine}
            for family, mine in own.items()
        },
        fixed=fixed,
        scalings=_SCALINGS if spec.train.scaling == "auto" else (spec.train.scaling,),
        objectives=get_args(Objective) if free else (),
        features=_variants(spec.features, info) if "features" in tune.over else {AS_GIVEN: None},
    )
    _check(made)
    return made


def _check(space: Space) -> None:
    searched = any(space.knobs.values()) or space.objectives or len(space.features) > 1
    if not space.families or (space.by_turns and not searched):
        raise SpecError(
            "nothing is left to search",
            where="tune.over",
            cure="name more in `over`, or fix less in `train`",
        )


def _given(family: Family, spec: Spec) -> Params:
    mine = given(family, spec.train)
    return {name: value for name, value in mine.items() if (name, value) != (_OBJECTIVE, "auto")}


def _variants(features: Features, info: PanelInfo) -> dict[str, Features | None]:
    """Other sets of features by label, made of what the spec leaves to its defaults."""
    found: dict[str, Features | None] = {AS_GIVEN: None}
    long = [name for name in ("seasonal", "expanding", "ewm", "trend") if _absent(features, name)]
    if long:
        found["lags_and_windows"] = msgspec.structs.replace(features, **dict.fromkeys(long, ()))
    several = [name for name in info.columns.series if len(info.categories.get(name, ())) > 1]
    if features.static and several:
        found["no_statics"] = msgspec.structs.replace(features, static=False)
        if features.encodings is None:
            found["encoded"] = msgspec.structs.replace(
                features, static=False, encodings=tuple(several)
            )
    return found


def _absent(features: Features, name: str) -> bool:
    return getattr(features, name) is None


def _suggest(ask: Ask, knob: Knob, family: Family) -> None:
    name = f"{family}.{knob.name}"
    if knob.whole:
        ask.suggest_int(name, int(knob.low), int(knob.high), log=knob.log)
    else:
        ask.suggest_float(name, knob.low, knob.high, log=knob.log)


def _number(knob: Knob, value: float | int | str) -> float | int:
    return int(value) if knob.whole else float(value)
