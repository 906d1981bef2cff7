"""What a training will fit, told before anything is: from the spec and where each series begins.

No learner is loaded and no row is read, so `plan` can afford it. What screening will choose is not
known yet: of the models of the first strategy, those that take longest go on here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from math import log2
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from lakecast.models.families import MOST_LEAVES
from lakecast.models.groups import foretold, learned, recipe_of
from lakecast.models.partitioned import grouped
from lakecast.models.recipes import Tabular
from lakecast.models.rows import Census
from lakecast.training.bench import splits_from
from lakecast.training.candidates import lineup, models, parted, recipe
from lakecast.training.screen import GO_ON, MOST, SHARE, go_on, variants

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import PanelInfo
    from lakecast.core.features import FeaturePlan
    from lakecast.core.hierarchy import Hierarchy
    from lakecast.core.splits import Splits, Window
    from lakecast.spec.model import Family, Spec
    from lakecast.training.backtest import Candidate
    from lakecast.training.candidates import Lineup

LEVELS: Final = "levels"
"""What the learner of the levels is called among the fits."""
_CHOICES: Final = 4  # the average, best, best by class, auto: forecasts without a fit

Purpose = Literal["screen", "window", "final"]
_PURPOSES: Final = get_args(Purpose)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A panel as an outline sees it: `first` [S] are the ordinals of the series' first periods.

    `owners` [S] tell the values of text columns apart (-1: null); of a column that is not there,
    one value may have all rows. `tree` are the levels over the series, None where there are none.
    """

    info: PanelInfo
    first: NDArray[np.int32]
    owners: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    tree: Hierarchy | None = None

    def largest(self, column: str) -> float:
        """The largest share of the panel's rows that one member has of models apart by a column."""
        if column not in self.owners:
            return 1.0
        values, places = np.unique(self.owners[column], return_inverse=True)
        counts = np.bincount(places, self.info.cutoff + 1 - self.first)
        rows = dict(zip(values.tolist(), counts.astype(np.int64).tolist(), strict=True))
        most = max(sum(rows[value] for value in of) for of in grouped(rows).values())
        return float(most / counts.sum())

    def census(self, lead: int) -> Census:
        """Rows by period that can be trained on at a lead; null targets are counted as known."""
        begin = int(self.first.min()) + lead
        length = max(self.info.cutoff - begin + 1, 0)
        born = np.bincount(np.clip(self.first + lead - begin, 0, length), minlength=length + 1)
        return Census(begin, born[:length].cumsum())


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """One model to be fit: `models` regressors (a direct model has one a group of horizons).

    `rows` are the most of one regressor, `rounds` its trees (1: a linear one), `leaves` the most of
    a tree. `window` is None for the final fit. A partitioned model splits the same rows.
    """

    purpose: Purpose
    model: str
    window: int | None
    rows: int
    columns: int
    models: int
    rounds: int
    leaves: int

    @property
    def cells(self) -> float:
        """Cells gone through: a tree looks at each about half a time a level, and once more."""
        levels = 1 + log2(max(self.leaves, 1)) / 2
        return self.models * self.rounds * self.rows * self.columns * levels

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """All fits, in order, and the sizes of what those of the series share.

    `rows` are the most of one fit, `shared` those from the first that the earliest window trains on
    to the panel's last, `sampled` those that screening holds. `largest` is the share of a fit's
    rows that have to be held at once: 1, or less where all models are fit apart. `plans` is the
    number of feature plans, `memory` the most last values of a series that one needs to forecast,
    `forecasts` how many candidates' forecasts are made of each window.
    """

    fits: tuple[Fit, ...]
    windows: int
    rows: int
    shared: int
    sampled: int
    columns: int
    largest: float
    plans: int
    memory: int
    forecasts: int

    @property
    def leaves(self) -> int:
        """The most leaves of a tree."""
        return max((fit.leaves for fit in self.fits), default=0)


def outline(spec: Spec, ground: Ground) -> Outline:
    """The fits that a training under a spec makes at most.

    Raises `SpecError` where no strategy's features compile or no window has the history it needs.
    """
    tried = lineup(spec, ground.info)
    maker = _Maker(spec, ground, splits_from(int(ground.first.min()), ground.info, spec))
    every = [one for family in spec.train.families for one in _family(spec, family, tried)]
    last = maker.likely(every, tried)
    screened = maker.screening(every) if len(every) > GO_ON else ()
    fits = (*screened, *maker.backtest(last), *maker.final(last))
    above = _above(spec, ground, maker.found)
    plans = {plan for one in every for plan in maker.plans(one)}
    return Outline(
        fits=tuple(sorted((*fits, *above), key=lambda fit: _PURPOSES.index(fit.purpose))),
        windows=len(maker.found.windows),
        rows=max((fit.rows for fit in fits if fit.purpose != "screen"), default=0),
        shared=max(map(maker.shared, plans), default=0),
        sampled=maker.sampled,
        columns=max((len(plan.names) for plan in plans), default=0),
        largest=max((maker.largest(one) for one in last), default=1.0),
        plans=len(plans),
        memory=max((plan.memory for plan in plans), default=0),
        forecasts=len(tried.baselines) + len(last) + _CHOICES,
    )


def _above(spec: Spec, ground: Ground, found: Splits) -> Iterator[Fit]:
    """Those of the learner of the levels, which reads their groups' whole history."""
    if ground.tree is None or spec.hierarchy.method == "bottom_up":
        return
    few = ground.tree.only(learned(ground.tree, ground.info))
    if not few.levels:
        return
    age = ground.info.cutoff + 1 - int(ground.first.min())
    info = foretold(ground.info, few, age)
    recipe = recipe_of(info, spec)
    (plan,) = recipe.plans(info)
    whole = Fit(
        purpose="final", model=LEVELS, window=None, rows=info.rows, columns=len(plan.names),
        models=1, rounds=int(recipe.params["num_iterations"]),
        leaves=int(recipe.params["num_leaves"]),
    )  # fmt: skip
    for window in found.windows:
        later = few.groups * (info.cutoff - window.cutoff)
        yield replace(whole, purpose="window", window=window.index, rows=info.rows - later)
    yield whole


def _family(spec: Spec, family: Family, tried: Lineup) -> Iterator[Candidate]:
    """The points of a family, and the variants of one of them that screening also fits."""
    points = models(spec, family, tried)
    yield from points
    yield from variants(max(points, key=lambda one: _rounds(one) * _leaves(one)), tried)


@dataclass(frozen=True, slots=True)
class _Maker:
    spec: Spec
    ground: Ground
    found: Splits
    compiled: dict[tuple[str, object], tuple[FeaturePlan, ...]] = field(default_factory=dict)

    @property
    def sampled(self) -> int:
        """Rows of the panel that screening sees."""
        rows = self.ground.info.rows
        return min(rows, max(MOST, rows // SHARE))

    def plans(self, candidate: Candidate) -> tuple[FeaturePlan, ...]:
        key = (candidate.strategy, candidate.features)
        if key not in self.compiled:
            made = recipe(candidate, self.spec, {})
            plans = made.plans(self.ground.info) if isinstance(made, Tabular) else ()
            self.compiled[key] = plans
        return self.compiled[key]

    def likely(self, every: Sequence[Candidate], tried: Lineup) -> list[Candidate]:
        """As many as go on, each name once, of those that take longest under the first strategy."""
        named = {one.name: one for one in every if one.strategy == tried.strategies[0]}
        ranked = sorted(named.values(), key=lambda one: -self.fit(one, "final", None).cells)
        goers = list(go_on(ranked, tried))
        if goers and self.spec.train.parts > 1:
            goers += [one for one in parted(goers[0], self.spec.train.parts) if one.part]
        return goers

    def screening(self, every: Sequence[Candidate]) -> Iterator[Fit]:
        share = self.sampled / max(self.ground.info.rows, 1)
        for one in every:
            fit = self.fit(one, "screen", self.found.windows[0])
            yield replace(fit, rows=int(fit.rows * share))

    def backtest(self, last: Sequence[Candidate]) -> Iterator[Fit]:
        for window in self.found.windows:
            yield from (self.fit(one, "window", window) for one in last)

    def largest(self, candidate: Candidate) -> float:
        return self.ground.largest(candidate.partition) if candidate.partition else 1.0

    def final(self, last: Sequence[Candidate]) -> Iterator[Fit]:
        return (self.fit(one, "final", None) for one in last)

    def fit(self, candidate: Candidate, purpose: Purpose, window: Window | None) -> Fit:
        plans = self.plans(candidate)
        cutoff = self.ground.info.cutoff if window is None else window.cutoff
        return Fit(
            purpose=purpose,
            model=candidate.name,
            window=None if window is None else window.index,
            rows=max(self._rows(plan, cutoff) for plan in plans) // (candidate.part or (0, 1))[1],
            columns=max(len(plan.names) for plan in plans),
            models=len(plans),
            rounds=_rounds(candidate),
            leaves=_leaves(candidate),
        )

    def _rows(self, plan: FeaturePlan, cutoff: int) -> int:
        census = self.ground.census(plan.lead)
        newest = census.start(cutoff, self.spec.train.rows)
        start = self.found.start(cutoff)
        return census.rows(newest if start is None else max(start, newest), cutoff)

    def shared(self, plan: FeaturePlan) -> int:
        """Rows between the first of the earliest window's fit and the last of the panel."""
        census = self.ground.census(plan.lead)
        start = census.start(self.found.windows[0].cutoff, self.spec.train.rows)
        return census.rows(start, self.ground.info.cutoff)


def _rounds(candidate: Candidate) -> int:
    return int(candidate.params.get("num_iterations", 1))


def _leaves(candidate: Candidate) -> int:
    depth = int(candidate.params.get("max_depth", -1))
    grown = min(2**depth, MOST_LEAVES) if depth > 0 else 1
    return int(candidate.params.get("num_leaves", grown))
