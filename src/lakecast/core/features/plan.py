"""Feature plans: which columns a matrix has, how each is computed and how far ahead it is known."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

Op = Literal[
    "lag", "difference", "rolling", "seasonal", "fold", "calendar", "static", "encoded", "pooled"
]
SeriesOps = ("lag", "difference", "rolling", "seasonal", "fold")


class Feature(Struct, frozen=True, omit_defaults=True):
    """How one column is computed.

    `source` is a covariate, a static column, a part of the calendar or, empty, the target. At
    row t the feature is a function of the source at or before t - `lag`. `need` is the least
    count of values that are not null; `value` is the alpha of an ewm or the level of a quantile.
    """

    op: Op
    source: str = ""
    lag: int = 0
    stat: str = ""
    window: int = 1
    season: int = 1
    need: int = 1
    value: float = 0.0

    @property
    def memory(self) -> int:
        """Number of last values that must be held to compute it one period ahead."""
        if self.op not in SeriesOps:
            return 0
        step = self.season if self.op in {"seasonal", "difference"} else 1
        return self.lag + step * (self.window - 1)


class Column(Struct, frozen=True, omit_defaults=True):
    """One column of a matrix.

    `known_to` is the largest horizon at which it is known (None: no limit), `categories` the
    size of its vocabulary (0: a number). Columns `in_target_units` may be divided by a row's
    scale together with the target.
    """

    name: str
    known_to: int | None = None
    categories: int = 0
    in_target_units: bool = False
    feature: Feature = Feature("static")


class FeaturePlan(Struct, frozen=True, omit_defaults=True):
    """The columns of a matrix, in order.

    `lead` is the smallest lag at which the target is used: 1 in a recursive plan, the last
    horizon of the group in a direct one. `memory` is the number of last values a `State` must
    hold. Rows are divided by the mean of their last `scale` values (0: of all before them). The
    rest is what the calendar needs.
    """

    columns: tuple[Column, ...]
    lead: int
    memory: int
    frequency: str = "D"
    timezone: str = "UTC"
    holidays: tuple[str, ...] = ()
    scale: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Time-varying covariates it reads, sorted."""
        return tuple(
            sorted({c.feature.source for c in self.columns if c.feature.op in SeriesOps} - {""})
        )

    @property
    def known_future(self) -> tuple[str, ...]:
        """Covariates whose future it reads, sorted."""
        return tuple(
            sorted(
                {
                    column.feature.source
                    for column in self.columns
                    if column.feature.op in SeriesOps and column.known_to is None
                }
            )
        )

    @property
    def reach(self) -> int | None:
        """The last horizon at which past-only covariates and pooled means are known."""
        limits = [c.known_to for c in self.columns if c.feature.source and c.known_to is not None]
        return min(limits, default=None)

    @property
    def fold_specific(self) -> bool:
        """Whether matrices depend on the cutoff at which the plan was fitted."""
        return any(column.feature.op == "encoded" for column in self.columns)

    def to_json(self) -> str:
        """Stable text: equal plans give equal texts."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> FeaturePlan:
        """The plan that `to_json` wrote."""
        return msgspec.json.decode(text, type=cls)
