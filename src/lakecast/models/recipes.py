"""Recipes: everything that is fit, as frozen values with a name.

>>> naive = Baseline(kind="seasonal_naive")
>>> naive.name
'seasonal_naive'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from lakecast.core.features import compile_plan
from lakecast.models import families
from lakecast.models.average import Average
from lakecast.models.baselines import MovingAverage, Naive, SeasonalMean, SeasonalNaive
from lakecast.models.direct import Direct, leads
from lakecast.models.recursive import Recursive
from lakecast.models.workbench import Reach, Sketch, Workbench
from lakecast.spec.features import Features

if TYPE_CHECKING:
    from lakecast.core.block import PanelData, PanelInfo
    from lakecast.core.features import FeaturePlan
    from lakecast.models.boosting import Trees
    from lakecast.models.linear import Ridge
    from lakecast.models.protocol import Forecaster
    from lakecast.spec.model import Family, Forecast, Train

Params = Mapping[str, float | int | str]
Kind = Literal["naive", "seasonal_naive", "moving_average", "seasonal_mean", "theta"]
Strategy = Literal["recursive", "direct"]

BASELINES: Final[tuple[Kind, ...]] = (
    "naive", "seasonal_naive", "moving_average", "seasonal_mean", "theta",
)  # fmt: skip

# Periods averaged over, and the least and most that Theta sees.
_AVERAGED: Final = {"h": 96, "D": 28, "W": 8, "M": 6}
_THETA: Final = (60, 120)


class _Fits:
    """`fit` on a workbench of one's own."""

    __slots__ = ()

    def fit(self: Sketch, panel: PanelData, cutoff: int) -> Forecaster:
        """Fit on the rows up to and including the cutoff; the answer holds no nulls."""
        return Workbench(panel, (cutoff,)).fit(self, cutoff)


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline(_Fits):
    """A forecaster that learns nothing but the prior of series without history."""

    kind: Kind
    minimum: float | None = 0.0

    @property
    def name(self) -> str:
        """Its kind."""
        return self.kind

    def lead(self, info: PanelInfo) -> int:
        """1."""
        del info
        return 1

    def inner(self, bench: Workbench, cutoff: int, start: int | None) -> Forecaster:
        """For the panel's season and frequency."""
        del cutoff, start
        return baseline(self.kind, bench.panel.info)


def baseline(kind: Kind, info: PanelInfo) -> Forecaster:
    """The forecaster of a kind for a panel's season and frequency; it answers null for nulls."""
    season, averaged = info.season, _AVERAGED[info.frequency.unit]
    if kind == "naive":
        return Naive(window=averaged)
    if kind == "seasonal_naive":
        return SeasonalNaive(season=season)
    if kind == "moving_average":
        return MovingAverage(window=averaged)
    if kind == "seasonal_mean":
        return SeasonalMean(season=season)
    from lakecast.models.theta import Theta

    least, most = _THETA
    return Theta(season=season, window=max(least, 3 * season, min(16 * season, most)))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tabular(_Fits):
    """A regressor on features, recursive or direct.

    `params` are complete (see `families.resolve`). `label` tells apart candidates of one family
    and strategy. `rows` is the most a fit sees, the newest first; `group` the number of horizons
    a direct model covers (None: one season). With a `partition`, each value of that series or
    static column has regressors of its own. With a `part` (its index, and of how many), only the
    series of that part are learnt from: see `core.block.SharePanel`.
    """

    family: Family
    strategy: Strategy
    params: Params
    horizon: int
    features: Features = field(default_factory=Features)
    label: str = ""
    rows: int = 20_000_000
    seed: int = 1
    scaled: bool = True
    group: int | None = None
    partition: str = ""
    part: tuple[int, ...] = ()
    minimum: float | None = 0.0

    @classmethod
    def of(
        cls,
        family: Family,
        strategy: Strategy,
        train: Train,
        forecast: Forecast,
        features: Features,
    ) -> Tabular:
        """As the spec says, with the family's defaults under `train.params`."""
        return cls(
            family=family,
            strategy=strategy,
            params=families.resolve(family, given(family, train)),
            horizon=forecast.horizon,
            features=features,
            rows=train.rows,
            seed=train.seed,
            minimum=forecast.minimum,
        )

    @property
    def name(self) -> str:
        """`family/strategy`, and the partition and the label where there are any."""
        return "/".join(
            part for part in (self.family, self.strategy, self.partition, self.label) if part
        )

    def lead(self, info: PanelInfo) -> int:
        """1, or the last horizon of the first group."""
        return 1 if self.strategy == "recursive" else self._leads(info)[0]

    def plans(self, info: PanelInfo) -> tuple[FeaturePlan, ...]:
        """The feature plan, or one a group of horizons. Raises `SpecError`."""
        if self.strategy == "recursive":
            return (compile_plan(self.features, info, recursive=True, horizon=self.horizon),)
        return tuple(
            compile_plan(self.features, info, lead=lead, recursive=False, horizon=self.horizon)
            for lead in self._leads(info)
        )

    def inner(self, bench: Workbench, cutoff: int, start: int | None) -> Forecaster:
        """Fit on the bench's rows."""
        reach = Reach(cutoff=cutoff, start=start, most=self.rows)
        parts = bench.learn(self, self.plans(bench.panel.info), reach)
        fitted = tuple(part[0] for part in parts)
        regressors = tuple(part[1] for part in parts)
        if self.strategy == "direct":
            return Direct(fitted=fitted, regressors=regressors, scaled=self.scaled)
        return Recursive(
            fitted=fitted[0], regressor=regressors[0], scaled=self.scaled, floor=self.minimum
        )

    def regressor(self, threads: int) -> Ridge | Trees:
        """A fresh regressor of the family."""
        return families.regressor(self.family, self.params, seed=self.seed, threads=threads)

    def _leads(self, info: PanelInfo) -> tuple[int, ...]:
        return leads(self.horizon, self.group or info.season)


@dataclass(frozen=True, kw_only=True, slots=True)
class Averaged(_Fits):
    """The mean of other recipes."""

    members: tuple[Sketch, ...]
    label: str = "average"
    minimum: float | None = 0.0

    @property
    def name(self) -> str:
        """Its label."""
        return self.label

    def lead(self, info: PanelInfo) -> int:
        """The smallest of the members'."""
        return min(member.lead(info) for member in self.members)

    def inner(self, bench: Workbench, cutoff: int, start: int | None) -> Forecaster:
        """The members without their rules: those are applied once, to the mean."""
        return Average(tuple(member.inner(bench, cutoff, start) for member in self.members))


def given(family: Family, train: Train) -> Params:
    """What the spec fixes of a family's parameters, `train.objective` among them."""
    objective: Params = {"objective": train.objective} if family == "gradient_boosting" else {}
    return {**objective, **train.params.get(family, {})}
