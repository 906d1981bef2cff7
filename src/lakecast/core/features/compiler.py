"""From the spec's features to a plan; what is not known when it is needed is refused."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lakecast.columns import PRICE
from lakecast.core.features import calendar, defaults
from lakecast.core.features.plan import Column, Feature, FeaturePlan
from lakecast.core.features.program import scale_of
from lakecast.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lakecast.core.block import PanelInfo
    from lakecast.spec.features import Features, LaggedCovariate, Rolling

_WHERE: Final = "lakecast.toml: features"
_LAG: Final = re.compile(r"(^|_)lag_\d+$")


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a plan is for: `reach` is the last horizon, None where any may be asked."""

    info: PanelInfo
    lead: int
    reach: int | None
    recursive: bool


def compile_plan(
    features: Features,
    info: PanelInfo,
    *,
    lead: int = 1,
    recursive: bool,
    horizon: int | None = None,
) -> FeaturePlan:
    """The plan of a recursive model, or of one group of a direct model.

    `lead` is 1 for a recursive plan and the group's last horizon for a direct one. `horizon`
    is the last horizon a recursive plan is used for: forecasts fill the target, but past-only
    covariates and pooled means must be known until then; absent, they may not be used at all.

    A direct plan leaves out features of the target and of past-only covariates that are not
    known at its lead. Raises `SpecError` for a name that is unknown or used twice, a past-only
    covariate at lag 0, one that a recursive plan needs beyond its lag, and where no feature of
    the target is left.
    """
    scope = _Scope(info, lead, horizon if recursive else lead, recursive)
    plain = _plain(features, scope)
    _check_target(plain, lead)
    shortest = _plain(features, _Scope(info, 1, 1, recursive=False))
    _check_names(features.names, {c.name for c in (*plain, *shortest)} | {*info.categories})
    scale = scale_of(lead, features.scale or 0)
    return FeaturePlan(
        columns=tuple(_renamed(plain, features.names)),
        lead=lead,
        memory=max(column.feature.memory for column in (*plain, scale)),
        scale=features.scale or 0,
        frequency=info.frequency.text,
        timezone=info.timezone,
        holidays=features.holidays,
    )


def _plain(features: Features, scope: _Scope) -> list[Column]:
    """The columns under Lakecast's own names, each once."""
    chosen = defaults.resolved(features, scope.info, scope.lead)
    columns = [
        *(c for c in _of_target(chosen) if c.feature.lag >= scope.lead),
        *_of_covariates(chosen, scope),
        *_of_calendar(chosen, scope),
        *_of_statics(chosen, scope),
        *_of_pools(chosen, scope),
    ]
    return list(dict.fromkeys(columns))


def _of_target(features: Features) -> Iterator[Column]:
    for lag in features.lags or ():
        yield _column(f"lag_{lag}", Feature("lag", lag=lag))
    for window in features.rolling or ():
        yield from (_column(name, feature) for name, feature in _rolling(window, ""))
    for item in features.seasonal or ():
        for stat in item.stats:
            yield _column(
                f"seasonal_{stat}_{item.season}x{item.window}_lag_{item.lag}",
                Feature(
                    "seasonal", lag=item.lag, stat=stat, window=item.window, season=item.season,
                    need=item.min_periods or item.window,
                ),
            )  # fmt: skip
    yield from _folds(features)
    for trend in features.trend or ():
        yield _column(
            f"trend_{trend.window}_lag_{trend.lag}",
            Feature("rolling", lag=trend.lag, stat="trend", window=trend.window, need=trend.window),
        )


def _folds(features: Features) -> Iterator[Column]:
    for item in features.expanding or ():
        for stat in item.stats:
            name = f"expanding_{stat}_lag_{item.lag}"
            yield _column(name, Feature("fold", lag=item.lag, stat=stat))
    for ewm in features.ewm or ():
        for kind in ewm.stats:
            name = f"ewm_{kind}_{ewm.alpha:g}_lag_{ewm.lag}"
            feature = Feature("fold", lag=ewm.lag, stat=f"ewm_{kind}", value=ewm.alpha)
            yield _column(name, feature)


def _rolling(item: Rolling, source: str) -> Iterator[tuple[str, Feature]]:
    need = item.min_periods or item.window
    prefix = f"{source}_" if source else ""
    stats: list[tuple[str, str, float]] = [(stat, stat, 0.0) for stat in item.stats]
    stats += [(f"q{level * 100:g}", "quantile", level) for level in item.quantiles]
    for label, stat, value in stats:
        yield (
            f"{prefix}rolling_{label}_{item.window}_lag_{item.lag}",
            Feature(
                "rolling", source, lag=item.lag, stat=stat, window=item.window, need=need,
                value=value,
            ),
        )  # fmt: skip


def _column(name: str, feature: Feature) -> Column:
    return Column(name, feature.lag, in_target_units=True, feature=feature)


def _of_covariates(features: Features, scope: _Scope) -> Iterator[Column]:
    if features.covariates is None:
        for name in scope.info.covariates:
            yield from _default_covariate(name, scope)
        return
    for item in features.covariates:
        yield from _explicit_covariate(item, scope)


def _default_covariate(name: str, scope: _Scope) -> Iterator[Column]:
    """Known-future: its value and, of a number, its change. Past-only: its last value and mean."""
    if scope.info.covariates[name] == "known-future":
        yield Column(name, feature=Feature("lag", name))
        if name not in scope.info.texts:
            yield Column(f"{name}_change", feature=Feature("difference", name, window=2))
        return
    if scope.reach is None:
        return
    lag, window = scope.reach, defaults.season_window(scope.info)
    yield Column(f"{name}_lag_{lag}", lag, feature=Feature("lag", name, lag=lag))
    stat, label = ("ratio", "relative") if name == PRICE else ("mean", "rolling_mean")
    feature = Feature(
        "rolling", name, lag=lag, stat=stat, window=4 * window if name == PRICE else window
    )
    yield Column(f"{name}_{label}_{feature.window}_lag_{lag}", lag, feature=feature)


def _explicit_covariate(item: LaggedCovariate, scope: _Scope) -> Iterator[Column]:
    role = scope.info.covariates.get(item.column)
    if role is None:
        raise _unknown(item.column, scope.info.covariates, f"{_WHERE}.covariates")
    named = [
        (f"{item.column}_lag_{lag}" if lag else item.column, Feature("lag", item.column, lag=lag))
        for lag in item.lags
    ]
    for window in item.rolling:
        named += _rolling(window, item.column)
    for name, feature in named:
        if role == "known-future":
            yield Column(name, feature=feature)
        elif _known(name, feature, scope):
            yield Column(name, feature.lag, feature=feature)


def _known(name: str, feature: Feature, scope: _Scope) -> bool:
    """Whether a past-only feature is known at the lead; raises where it may not be used at all."""
    if feature.lag == 0:
        raise SpecError(
            f"`{feature.source}` is past-only: it is computed from the sales of the same period, "
            "so it is not known when that period is forecast",
            where=f"{_WHERE}.covariates",
            cure="use lags of at least 1, or give a source that states its future",
        )
    if scope.recursive and (scope.reach is None or feature.lag < scope.reach):
        reach = "any horizon" if scope.reach is None else f"horizon {scope.reach}"
        raise SpecError(
            f"`{name}` is known {feature.lag} periods ahead, but a recursive model needs it up "
            f"to {reach}, and past-only covariates are not forecast",
            where=f"{_WHERE}.covariates",
            cure="use lags of at least the horizon, a direct strategy or a shorter horizon",
        )
    return feature.lag >= scope.lead


def _of_calendar(features: Features, scope: _Scope) -> Iterator[Column]:
    for part in features.calendar or ():
        plain = part.removeprefix(calendar.LAST)
        if plain not in calendar.PARTS:
            raise _unknown(part, calendar.PARTS, f"{_WHERE}.calendar")
        lag = 0 if plain == part else scope.lead
        yield Column(part, feature=Feature("calendar", plain, lag=lag))
    for country in features.holidays:
        calendar.check_country(country, where=f"{_WHERE}.holidays")
    if features.holidays:
        coarse = scope.info.frequency.unit in {"W", "M"}
        for part in calendar.HOLIDAY_PARTS[3:] if coarse else calendar.HOLIDAY_PARTS[:3]:
            yield Column(part, feature=Feature("calendar", part))


def _of_statics(features: Features, scope: _Scope) -> Iterator[Column]:
    info = scope.info
    for name in features.encodings or ():
        if name not in info.categories:
            raise _unknown(name, info.categories, f"{_WHERE}.encodings")
        yield Column(f"{name}_encoded", in_target_units=True, feature=Feature("encoded", name))
    if not features.static:
        return
    for name, vocabulary in info.categories.items():
        if len(vocabulary) > 1:
            yield Column(name, categories=len(vocabulary), feature=Feature("static", name))
    for name in info.numeric:
        yield Column(name, feature=Feature("static", name))


def _of_pools(features: Features, scope: _Scope) -> Iterator[Column]:
    for name in features.pooled:
        if name not in scope.info.categories:
            raise _unknown(name, scope.info.categories, f"{_WHERE}.pooled")
        if scope.reach is None:
            raise SpecError(
                f"the mean over `{name}` of the periods forecast depends on all other series",
                where=f"{_WHERE}.pooled",
                cure="compile the recursive plan for a given horizon, or use a direct strategy",
            )
        feature = Feature("pooled", name, lag=scope.reach)
        yield _column(f"pooled_{name}_lag_{scope.reach}", feature)


def _check_target(columns: list[Column], lead: int) -> None:
    if not any(column.in_target_units for column in columns):
        raise SpecError(
            f"no feature of the target is known {lead} periods ahead",
            where=_WHERE,
            cure=f"add a lag of at least {lead}, or leave out `features.lags` for the defaults",
        )


def _check_names(names: Iterable[str], known: set[str]) -> None:
    """Each of `names` must be a feature's name, but for the lag, which differs by lead."""
    stems = {_LAG.sub("", name) for name in known}
    for key in names:
        if key not in known and _LAG.sub("", key) not in stems:
            raise _unknown(key, known, f"{_WHERE}.names")


def _renamed(columns: list[Column], names: dict[str, str]) -> Iterator[Column]:
    seen: set[str] = set()
    for column in columns:
        name = names.get(column.name, column.name)
        if name in seen:
            raise SpecError(
                f"two features are called `{name}`",
                where=_WHERE,
                cure="give one of them another name under `features.names`",
            )
        seen.add(name)
        yield Column(
            name, column.known_to, column.categories, column.in_target_units, column.feature
        )


def _unknown(name: str, known: Iterable[str], where: str) -> SpecError:
    near = difflib.get_close_matches(name, list(known), n=1)
    cure = f"did you mean `{near[0]}`?" if near else f"use one of: {', '.join(sorted(known))}"
    return SpecError(f"unknown `{name}`", where=where, cure=cure)
