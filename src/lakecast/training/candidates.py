"""Which recipes are tried, and a candidate's recipe as plain values that can be kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import msgspec

from lakecast.errors import LakecastError, SpecError
from lakecast.models import families
from lakecast.models.recipes import BASELINES, Averaged, Baseline, Tabular, given
from lakecast.spec.features import Features
from lakecast.spec.model import Family
from lakecast.training.backtest import BASELINE, Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lakecast.core.block import PanelInfo
    from lakecast.models.recipes import Kind, Params, Strategy
    from lakecast.models.workbench import Sketch
    from lakecast.spec.model import Spec
    from lakecast.training.composite import Choice

AVERAGE: Final = "average"
INCUMBENT: Final = "champion:"
"""Prefix of the names of those that only a champion's recipe still needs."""
TREES: Final = frozenset({"random_forest", "gradient_boosting"})
"""Families that can be fit apart, and without scaling."""
PART: Final = 250_000
"""Rows that each value of a column needs on average, for models to be parted by it unasked."""
_COLUMNS: Final = 2
_VALUES: Final = 1000
_FAMILIES: Final = frozenset({BASELINE, AVERAGE, *get_args(Family)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineup:
    """What is tried: the strategies that this panel allows, and why another is not among them.

    `unscaled` says whether models without scaling are tried too. `partitions` are the columns by
    whose values models may be fit apart; on a `large` panel they were chosen so that each part is
    large itself. `tuned` are models that a search found; they are screened beside the grids.
    """

    baselines: tuple[Candidate, ...]
    strategies: tuple[Strategy, ...]
    scaled: bool = True
    unscaled: bool = False
    partitions: tuple[str, ...] = ()
    large: bool = False
    notes: tuple[str, ...] = ()
    tuned: tuple[Candidate, ...] = ()


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
        scaled=spec.train.scaling != "none",
        unscaled=spec.train.scaling == "auto",
        partitions=partitions(spec, info),
        large=rows_of(spec, info) >= families.LARGE,
        notes=tuple(f"no {strategy} models: {error.what}" for strategy, error in refused.items()),
    )


def rows_of(spec: Spec, info: PanelInfo) -> int:
    """Rows that a fit on all series sees, about."""
    return min(info.rows, spec.train.rows)


def partitions(spec: Spec, info: PanelInfo) -> tuple[str, ...]:
    """The columns that models may be fit apart by.

    The spec's; else the two with the most values that have `PART` rows each on average. Raises
    `SpecError` for a column that is no series or static text column, or has too many values.
    """
    asked = spec.train.partitions
    sizes = {name: len(values) for name, values in info.categories.items()}
    if asked is None:
        rows = rows_of(spec, info) if spec.features.static else 0
        found = [name for name, size in sizes.items() if size > 1 and rows >= PART * size]
        return tuple(sorted(found, key=lambda name: -sizes[name])[:_COLUMNS])
    for name in asked:
        _check_partition(name, sizes, spec)
    return asked


def _check_partition(name: str, sizes: Mapping[str, int], spec: Spec) -> None:
    if name not in sizes:
        raise SpecError(
            f"`{name}` is no series column and no static column of text",
            where="train.partitions",
            cure=f"use some of {', '.join(sizes)}",
        )
    if sizes[name] > _VALUES:
        raise SpecError(
            f"`{name}` has {sizes[name]:,} values, and each would be a model",
            where="train.partitions",
            cure=f"use a column with at most {_VALUES:,}",
        )
    if not spec.features.static:
        raise SpecError(
            "models are told apart by a static feature, and there is none",
            where="features.static",
            cure="set `features.static = true`, or leave `train.partitions` out",
        )


def grid(spec: Spec, family: Family, *, large: bool = False) -> tuple[Params, ...]:
    """Complete parameters to screen, the defaults first; what the spec fixes is fixed in each."""
    fixed = given(family, spec.train)
    points = families.grid(family, large=large)[: None if spec.train.search else 1]
    if fixed.get("objective", "auto") == "auto":
        fixed = {name: value for name, value in fixed.items() if name != "objective"}
    made = [families.resolve(family, {**point, **fixed}) for point in points]
    return tuple(point for index, point in enumerate(made) if point not in made[:index])


def tabular(
    family: Family, strategy: Strategy, params: Params, *, scaled: bool = True
) -> Candidate:
    """The candidate of a family, a strategy and complete parameters."""
    return Candidate(
        name=f"{family}/{strategy}",
        family=family,
        strategy=strategy,
        params=dict(params),
        scaled=scaled,
    )


def models(spec: Spec, family: Family, tried: Lineup) -> list[Candidate]:
    """What is screened of a family, with the first strategy: its grid, then what was tuned."""
    first = tried.strategies[0]
    scaled = tried.scaled or family not in TREES
    made = [
        tabular(family, first, point, scaled=scaled)
        for point in grid(spec, family, large=tried.large)
    ]
    tuned = [under(one, first) for one in tried.tuned if one.family == family]
    return [*made, *(one for one in tuned if one not in made)]


def under(model: Candidate, strategy: Strategy) -> Candidate:
    """The same model with another strategy."""
    return replace(model, name=f"{model.family}/{strategy}", strategy=strategy)


def plain(model: Candidate) -> Candidate:
    """The same model on rows that are not divided by a scale."""
    return replace(model, scaled=False)


def apart(model: Candidate, column: str) -> Candidate:
    """The same model, fit apart for each value of a column."""
    return replace(model, name=f"{model.family}/{model.strategy}/{column}", partition=column)


def parted(model: Candidate, parts: int) -> tuple[Candidate, ...]:
    """The same model fit on each part of the series, and the mean of those: see `SharePanel`."""
    members = tuple(
        replace(model, name=f"{model.name}/part-{index + 1}-of-{parts}", part=(index, parts))
        for index in range(parts)
    )
    mean = replace(average(members), name=f"{model.name}/mean-of-{parts}-parts")
    return (*members, mean)


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
    family, strategy = cast("Family", candidate.family), cast("Strategy", candidate.strategy)
    made = _tabular(spec, family, strategy, candidate.params)
    return replace(
        made,
        features=candidate.features or made.features,
        scaled=candidate.scaled,
        partition=candidate.partition,
        part=candidate.part,
        label=candidate.name.rpartition("/")[2] if candidate.part else made.label,
    )


def _tabular(spec: Spec, family: Family, strategy: Strategy, params: Params) -> Tabular:
    made = Tabular.of(family, strategy, spec.train, spec.forecast, spec.features)
    return replace(made, params=families.resolve(family, params)) if params else made


def compiles(candidate: Candidate, spec: Spec, info: PanelInfo) -> None:
    """Raise `SpecError` where a candidate's features cannot be had of the panel."""
    if candidate.family not in {BASELINE, AVERAGE}:
        made = recipe(candidate, spec, {})
        if isinstance(made, Tabular):
            made.plans(info)


def describe(choice: Choice, candidates: Mapping[str, Candidate], spec: Spec) -> dict[str, Any]:
    """A choice and its candidates, features included, as JSON values; `adopt` reads them back."""
    told: dict[str, Any] = {}
    pending = list(choice.members)
    while pending:
        one = candidates[pending.pop()]
        told[_plain_name(one)] = {
            "family": one.family,
            "strategy": one.strategy,
            "params": dict(one.params),
            "scaled": one.scaled,
            "partition": one.partition,
            "part": list(one.part),
            "features": _features_told(one, spec),
            "members": [_plain_name(candidates[name]) for name in one.members],
        }
        pending += one.members
    by_class = {k: _plain_name(candidates[name]) for k, name in choice.by_class.items()}
    return {"by_class": by_class, "candidates": dict(sorted(told.items()))}


def _features_told(candidate: Candidate, spec: Spec) -> dict[str, Any]:
    if candidate.family in {BASELINE, AVERAGE}:
        return {}
    told: dict[str, Any] = json.loads(msgspec.json.encode(candidate.features or spec.features))
    return told


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopted:
    """A champion's recipe among today's candidates.

    `added` has no equal among them; `by_class` is the choice in names that hold now.
    """

    added: tuple[Candidate, ...]
    by_class: Mapping[str, str]


def adopt(told: Mapping[str, Any], candidates: Sequence[Candidate], spec: Spec) -> Adopted:
    """What `describe` told, in today's names. Raises `LakecastError` for what is no recipe."""
    today = {one.name: one for one in candidates}
    added: dict[str, Candidate] = {}
    names: dict[str, str] = {}
    try:
        for name in _inner_first(told["candidates"]):
            one = _candidate(name, told["candidates"][name], names, spec)
            if today.get(name) != one:
                one = replace(one, name=f"{INCUMBENT}{name}", incumbent=True)
                added[one.name] = one
            names[name] = one.name
        by_class = {kind: names[name] for kind, name in told["by_class"].items()}
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise LakecastError(
            "the champion's recipe cannot be read",
            where="the champion's bundle",
            cure="train again with --retrain, without the champion",
        ) from error
    return Adopted(added=tuple(added.values()), by_class=by_class)


def _inner_first(told: Mapping[str, Any]) -> list[str]:
    """Names of candidates, members before the averages that need them."""
    return sorted(told, key=lambda name: (bool(told[name]["members"]), name))


def _candidate(
    name: str, told: Mapping[str, Any], names: Mapping[str, str], spec: Spec
) -> Candidate:
    if told["family"] not in _FAMILIES:
        raise KeyError(told["family"])
    features = msgspec.convert(told["features"], Features)
    plain = told["family"] in {BASELINE, AVERAGE} or features == spec.features
    return Candidate(
        name=name,
        family=told["family"],
        strategy=told["strategy"],
        params=dict(told["params"]),
        scaled=told.get("scaled", True),
        partition=told.get("partition", ""),
        part=tuple(told.get("part", ())),
        features=None if plain else features,
        members=tuple(names[member] for member in told["members"]),
    )


def _plain_name(candidate: Candidate) -> str:
    return candidate.name.removeprefix(INCUMBENT)
