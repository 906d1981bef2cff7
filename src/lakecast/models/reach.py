"""How far ahead a fitted forecaster can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakecast.models.average import Average
from lakecast.models.byclass import ByClass
from lakecast.models.direct import Direct
from lakecast.models.recursive import Recursive
from lakecast.models.routed import Routed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakecast.models.protocol import Forecaster


def limit(forecaster: Forecaster) -> int | None:
    """The last horizon it reaches; None: any.

    A direct model reaches its last group. A recursive one feeds itself with its forecasts, but not
    with past-only covariates or pooled means: it reaches as far as those are known.
    """
    if isinstance(forecaster, Direct):
        return forecaster.horizon
    if isinstance(forecaster, Recursive):
        return forecaster.fitted.plan.reach
    if isinstance(forecaster, Routed):
        return limit(forecaster.inner)
    if isinstance(forecaster, Average):
        return _least(limit(member) for member in forecaster.members)
    if isinstance(forecaster, ByClass):
        return _least(limit(member) for member in forecaster.members.values())
    return None


def _least(limits: Iterable[int | None]) -> int | None:
    return min((one for one in limits if one is not None), default=None)
