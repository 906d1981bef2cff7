"""Which features a forecaster leans on, as shares of its regressors' own importances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Final

from lakecast.models.protocol import Fitted, Forecaster

if TYPE_CHECKING:
    import polars as pl

FEATURE: Final = "feature"
SHARE: Final = "share"


def importances(forecaster: Forecaster) -> pl.DataFrame:
    """One row a feature: `feature` (text) and `share` (float64, they sum to 1).

    Sorted by falling share, then by name. A forecaster made of others has the mean of their
    shares, each member (a group of horizons, a class's choice) counting the same; members without
    features, as baselines are, do not count. No rows where nothing has features.
    """
    import polars as pl

    found = _shares(forecaster) or {}
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    schema = {FEATURE: pl.String(), SHARE: pl.Float64()}
    return pl.DataFrame(ordered, schema=schema, orient="row")


def _shares(part: Fitted | Forecaster) -> Mapping[str, float] | None:
    """Shares that sum to 1; None for what has no features."""
    if isinstance(part, Fitted):
        return _normal(part.importances())
    members = [shares for member in _members(part) if (shares := _shares(member)) is not None]
    if not members:
        return None
    names = dict.fromkeys(name for shares in members for name in shares)
    return {name: sum(s.get(name, 0.0) for s in members) / len(members) for name in names}


def _members(forecaster: object) -> Iterator[Fitted | Forecaster]:
    """The fitted things a forecaster is made of, in the order of its fields."""
    if not is_dataclass(forecaster):
        return
    for field in fields(forecaster):
        held = getattr(forecaster, field.name)
        parts = held.values() if isinstance(held, Mapping) else held
        for part in parts if isinstance(held, (tuple, Mapping)) else (held,):
            if isinstance(part, (Fitted, Forecaster)):
                yield part


def _normal(shares: Mapping[str, float]) -> Mapping[str, float] | None:
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()} if total > 0 else None
