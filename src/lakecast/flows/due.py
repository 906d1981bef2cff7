"""When training is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from lakecast.flows.fingerprint import fingerprint
from lakecast.spec import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakecast.registry.promotions import Promotion
    from lakecast.spec import Spec

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What the question rests on.

    `cutoff` is the panel's, ISO 8601. `decided` says whether the note of the champion's training
    is there. `spec` and `trained` are of the last training that ended, whether or not its model
    became champion: the hash of the training part it was made under and its cutoff. `tuned` is a
    hash of the points that tuning has found by now, `tuned_then` of those that training knew.
    """

    champion: Promotion | None
    cutoff: str
    decided: bool
    spec: str | None
    trained: str
    tuned: str = ""
    tuned_then: str = ""


def training_part(spec: Spec) -> list[object]:
    """The part of a spec whose change makes training due."""
    covariates = [[s.table, s.on, s.time, s.frequency, s.lookup, s.columns] for s in spec.sources]
    return [
        spec.name, covariates, spec.panel, spec.forecast, spec.features, spec.train, spec.backtest,
        spec.gate, spec.hierarchy,
    ]  # fmt: skip


def training_hash(spec: Spec) -> str:
    """Hash of that part."""
    return digest(training_part(spec))


def training_fingerprint(spec: Spec, panel: str) -> str:
    """Of the stages `train` and `select`, on a panel with this fingerprint."""
    return fingerprint("train", training_part(spec), panel)


def why(spec: Spec, standing: Standing, *, retrain: bool) -> str | None:
    """Why training is due, in words; None when it is not."""
    if standing.champion is None:
        return "there is no champion yet"
    if retrain:
        return "--retrain"
    return next(_reasons(spec, standing, standing.champion), None)


def _reasons(spec: Spec, standing: Standing, champion: Promotion) -> Iterator[str]:
    if champion.kind != "external" and not standing.decided:
        yield "nothing is noted of the champion's training"
    if standing.spec is not None and standing.spec != training_hash(spec):
        yield "the training part of the spec changed"
    elif standing.tuned != standing.tuned_then:
        yield "tuning has found other parameters"
    if spec.features.pooled and standing.cutoff != champion.cutoff:
        yield "pooled features end where the champion was trained"
    if _moment(standing.cutoff) - _moment(standing.trained) >= _span(spec.train.every):
        yield f"the last training was up to {standing.trained}, {spec.train.every} or more ago"


def _moment(text: str) -> datetime:
    moment = (
        datetime.fromisoformat(text) if "T" in text or " " in text else date.fromisoformat(text)
    )
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=None)
    return datetime.combine(moment, time.min)


def _span(text: str) -> timedelta:
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})  # the spec checks the pattern
