"""Which recipes are tried, and a candidate's recipe as plain values that can be kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from lakecast.errors import LakecastError, SpecError
from lakecast.models import families
from lakecast.models.recipes import BASELINES, Averaged, Baseline, Tabular, given
from lakecast.spec.model import Family
from lakecast.training.backtest import BASELINE, Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lakecast.core.block import PanelInfo
    from lakecast.models.recipes import Kind, Params, Sketch, Strategy
    from lakecast.spec.model import Spec
    from lakecast.training.composite import Choice

AVERAGE: Final = "average"
INCUMBENT: Final = "champion:"
"""Prefix of the names of those that only a champion's recipe still needs."""
_FAMILIES: Final = frozenset({BASELINE, AVERAGE, *get_args(Family)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineup:
    """What is tried: the strategies that this panel allows, and why another is not among them."""

    baselines: tuple[Candidate, ...]
    strategies: tuple[Strategy, ...]
    notes: tuple[str, ...] = ()


def lineup(spec: Spec, info: PanelInfo) -> Lineup:
    """The baselines, and the strategies whose feature plans compile.

    Raises `SpecError` where none does, or where the one that the spec names does not.
    """
    baselines = tuple(Candidate(name=kind, family=BASELINE) for kind in BASELINES)
    wanted: tuple[Strategy, ...] = ("recursive", "direct")
    if spec.train.strategy != "auto":
        wanted = (spec.train.strategy,)
    refused: dict[Strategy, SpecError] = {}
    for strategy in wanted if spec.train.families else ():
        try:
            _tabular(spec, spec.train.families[0], strategy, {}).plans(info)
        except SpecError as error:
            refused[strategy] = error
    if len(refused) == len(wanted):
        raise next(iter(refused.values()))
    return Lineup(
        baselines=baselines,
        strategies=tuple(one for one in wanted if one not in refused),
        notes=tuple(f"no {strategy} models: {error.what}" for strategy, error in refused.items()),
    )


def grid(spec: Spec, family: Family) -> tuple[Params, ...]:
    """Complete parameters to screen, the defaults first; what the spec fixes is fixed in each."""
    fixed = given(family, spec.train)
    points = families.grid(family) if spec.train.search else (families.defaults(family),)
    if fixed.get("objective", "auto") == "auto":
        fixed = {name: value for name, value in fixed.items() if name != "objective"}
    made = [families.resolve(family, {**point, **fixed}) for point in points]
    return tuple(point for index, point in enumerate(made) if point not in made[:index])


def tabular(family: Family, strategy: Strategy, params: Params) -> Candidate:
    """The candidate of a family, a strategy and complete parameters."""
    return Candidate(
        name=f"{family}/{strategy}", family=family, strategy=strategy, params=dict(params)
    )


def average(members: Sequence[Candidate]) -> Candidate:
    """The candidate that is the mean of others."""
    names = tuple(member.name for member in members)
    return Candidate(name=AVERAGE, family=AVERAGE, members=names)


def recipe(candidate: Candidate, spec: Spec, others: Mapping[str, Candidate]) -> Sketch:
    """What is fit for a candidate; `others` holds the members of an average by name."""
    minimum = spec.forecast.minimum
    if candidate.family == BASELINE:
        return Baseline(kind=cast("Kind", _plain_name(candidate)), minimum=minimum)
    if candidate.family == AVERAGE:
        members = tuple(recipe(others[name], spec, others) for name in candidate.members)
        return Averaged(members=members, label=candidate.name, minimum=minimum)
    family = cast("Family", candidate.family)
    return _tabular(spec, family, cast("Strategy", candidate.strategy), candidate.params)


def _tabular(spec: Spec, family: Family, strategy: Strategy, params: Params) -> Tabular:
    made = Tabular.of(family, strategy, spec.train, spec.forecast, spec.features)
    return replace(made, params=families.resolve(family, params)) if params else made


def describe(choice: Choice, candidates: Mapping[str, Candidate]) -> dict[str, Any]:
    """A choice and its candidates as JSON values; `adopt` reads them back."""
    told: dict[str, Any] = {}
    pending = list(choice.members)
    while pending:
        one = candidates[pending.pop()]
        told[_plain_name(one)] = {
            "family": one.family,
            "strategy": one.strategy,
            "params": dict(one.params),
            "members": [_plain_name(candidates[name]) for name in one.members],
        }
        pending += one.members
    by_class = {k: _plain_name(candidates[name]) for k, name in choice.by_class.items()}
    return {"by_class": by_class, "candidates": dict(sorted(told.items()))}


def adopt(
    told: Mapping[str, Any], candidates: Sequence[Candidate]
) -> tuple[tuple[Candidate, ...], dict[str, str]]:
    """A champion's recipe among today's candidates.

    Gives the candidates that have to be added, because today has no equal of them, and the choice
    by class in the names that hold now. Raises `LakecastError` for what is no recipe.
    """
    today = {one.name: one for one in candidates}
    added: dict[str, Candidate] = {}
    names: dict[str, str] = {}
    try:
        for name in _inner_first(told["candidates"]):
            one = _candidate(name, told["candidates"][name], names)
            held = today.get(name)
            if held != one:
                one = replace(one, name=f"{INCUMBENT}{name}", incumbent=True)
                added[one.name] = one
            names[name] = one.name
        return tuple(added.values()), {k: names[name] for k, name in told["by_class"].items()}
    except (KeyError, TypeError) as error:
        raise LakecastError(
            "the champion's recipe cannot be read",
            where="the champion's bundle",
            cure="train again with --retrain, without the champion",
        ) from error


def _inner_first(told: Mapping[str, Any]) -> list[str]:
    """Names of candidates, members before the averages that need them."""
    return sorted(told, key=lambda name: (bool(told[name]["members"]), name))


def _candidate(name: str, told: Mapping[str, Any], names: Mapping[str, str]) -> Candidate:
    if told["family"] not in _FAMILIES:
        raise KeyError(told["family"])
    return Candidate(
        name=name,
        family=told["family"],
        strategy=told["strategy"],
        params=dict(told["params"]),
        members=tuple(names[member] for member in told["members"]),
    )


def _plain_name(candidate: Candidate) -> str:
    return candidate.name.removeprefix(INCUMBENT)
