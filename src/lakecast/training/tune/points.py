"""What a search found, as `train` takes it: models that are screened beside the families' grids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakecast.core.splits import Splits
    from lakecast.spec.model import Spec
    from lakecast.training.backtest import Candidate
    from lakecast.training.candidates import Lineup


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """Tuned models, and the ordinal of the last period that the search knew the target of."""

    models: tuple[Candidate, ...]
    until: int


def first_scored(found: Splits, horizon: int) -> int:
    """The cutoff of the first window of a backtest that scores (see `Backtest.scored`)."""
    first, *others = found.windows
    beyond = [one for one in others if one.cutoff >= first.cutoff + horizon]
    return (beyond or others or [first])[0].cutoff


def join(tried: Lineup, points: Points | None, found: Splits, spec: Spec) -> Lineup:
    """The lineup with the points that may be screened; a note where they may not.

    They may not where the search saw a period that this backtest scores, as after a step back in
    time, or where a family is no longer asked for.
    """
    if points is None or not points.models:
        return tried
    if points.until > first_scored(found, spec.forecast.horizon):
        note = "tuned parameters left out: the search saw periods that this backtest scores"
        return replace(tried, notes=(*tried.notes, note))
    asked = tuple(one for one in points.models if one.family in spec.train.families)
    return replace(tried, tuned=asked)
