"""Hierarchies: levels whose groups are sums of series, and forecasts that add up.

A level gives each series one group, so a hierarchy is S x L group indices: the S x G matrix of
sums is never built, adding up is one pass over the series, and levels may cross. What is
*coherent* here is so by construction: groups are added up from the series' forecasts
(bottom-up: Athanasopoulos, Ahmed & Hyndman 2009), after `reconcile` has moved those towards what
the levels' own forecasts say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SERIES: Final = "series"
TOTAL: Final = "total"
TOLERANCE: Final = 1e-7
"""Relative residual at which conjugate gradients stop."""
_STEPS: Final = 500


def name_of(columns: Sequence[str]) -> str:
    """What a level is called: `total`, or its columns joined by a slash."""
    return "/".join(columns) or TOTAL


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Level:
    """A level: its name, its columns, and their values [G] in each group, sorted, null last."""

    name: str
    columns: tuple[str, ...]
    keys: pl.DataFrame

    @property
    def groups(self) -> int:
        """G: the total has one group and no columns."""
        return self.keys.height if self.columns else 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hierarchy:
    """L levels over S series. Groups are counted through all levels: level l has
    `bounds[l]..bounds[l + 1] - 1`."""

    levels: tuple[Level, ...]
    of: NDArray[np.int64]  # [S, L] group of each series in each level

    @classmethod
    def build(cls, series: pl.DataFrame, levels: Sequence[Sequence[str]]) -> Self:
        """From the columns of the series, a row each; a null is a value of its own."""
        made, places, base = [], [], 0
        for columns in levels:
            keys, place = _grouped(series, list(columns))
            level = Level(name=name_of(columns), columns=tuple(columns), keys=keys)
            made.append(level)
            places.append(place + base)
            base += level.groups
        of = np.stack(places, axis=1) if places else np.empty((series.height, 0), np.int64)
        return cls(levels=tuple(made), of=of)

    @property
    def series(self) -> int:
        """S."""
        return len(self.of)

    @property
    def bounds(self) -> NDArray[np.int64]:
        """[L + 1] first group of each level, and the number of all."""
        return np.cumsum([0, *(level.groups for level in self.levels)])

    @property
    def groups(self) -> int:
        """Groups of all levels."""
        return int(self.bounds[-1])

    def part(self, level: int) -> slice:
        """Where a level's groups stand among all."""
        bounds = self.bounds
        return slice(int(bounds[level]), int(bounds[level + 1]))

    def take(self, places: NDArray[np.integer]) -> Hierarchy:
        """The series at the places, in that order; the groups stay, some maybe empty."""
        return replace(self, of=self.of[places])

    def only(self, levels: Sequence[int]) -> Hierarchy:
        """Some of the levels."""
        bounds, kept = self.bounds, [self.levels[level] for level in levels]
        starts = np.cumsum([0, *(level.groups for level in kept)])[:-1]
        shift = [starts[place] - bounds[level] for place, level in enumerate(levels)]
        of = self.of[:, list(levels)] + np.array(shift, np.int64)
        return replace(self, levels=tuple(kept), of=of)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[G, H] sums over each group of values [S, H], in the order of the series."""
        from lakecast.core.hierarchy_kernels import add_up

        out = np.zeros((self.groups, values.shape[1]))
        add_up(np.ascontiguousarray(values, np.float64), self.of, out)
        return out

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, H] what each series gathers from its groups' values [G, H]: the transpose of sums."""
        from lakecast.core.hierarchy_kernels import hand_down

        out = np.zeros((self.series, values.shape[1]))
        hand_down(np.ascontiguousarray(values, np.float64), self.of, out)
        return out

    def counts(self) -> NDArray[np.int64]:
        """[G] series of each group."""
        return np.bincount(self.of.ravel(), minlength=self.groups)


def floor_of(minimum: float | None) -> float | None:
    """What no group's forecast is below, where no series' is below the minimum."""
    return None if minimum is None or minimum < 0 else minimum


def _grouped(series: pl.DataFrame, columns: list[str]) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """The values that there are, sorted, and [S] which of them each series has."""
    if not columns:
        return pl.DataFrame(), np.zeros(series.height, np.int64)
    held = series.select(columns)
    keys = held.unique().sort(columns, nulls_last=True)
    found = held.join(
        keys.with_row_index("_group"), on=columns, how="left", nulls_equal=True,
        maintain_order="left",
    )  # fmt: skip
    return keys, found["_group"].to_numpy().astype(np.int64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """What a forecast of each series [S] and of each group [G] counts; 0: nothing."""

    series: NDArray[np.float64]
    groups: NDArray[np.float64]


def structural(hierarchy: Hierarchy) -> Weights:
    """1 for a series, 1 / n for a group of n: as if all series' errors varied alike and apart.

    Athanasopoulos, Hyndman, Kourentzes & Petropoulos (2017).
    """
    return Weights(series=np.ones(hierarchy.series), groups=1.0 / np.maximum(hierarchy.counts(), 1))


def reconcile(
    hierarchy: Hierarchy,
    series: NDArray[np.float64],
    groups: NDArray[np.float64],
    weights: Weights,
    minimum: float | None = None,
) -> NDArray[np.float64]:
    """[S, H] the series' forecasts by weighted least squares between theirs and the groups'.

    b minimises sum w (b - series)^2 + sum v (sums(b) - groups)^2, v and w the weights; the change
    d = b - series solves (W + S' V S) d = S' V (groups - S series). Forecasts of groups [G, H]
    that are null count nothing. Nothing is below the minimum: what is, is set to it before the
    groups are added up (Di Fonzo & Girolimetto 2023), so sums stay sums. Forecasts that add up
    already come back as they are.
    """
    heavy = np.where(np.isnan(groups).any(axis=1), 0.0, weights.groups)[:, None]
    gap = np.where(heavy > 0, groups, 0.0) - hierarchy.sums(series)
    right = hierarchy.spread(heavy * gap)
    out = series + _solve(hierarchy, right, weights.series[:, None], heavy)
    return out if minimum is None else np.maximum(out, minimum)


def _solve(
    hierarchy: Hierarchy,
    right: NDArray[np.float64],
    series: NDArray[np.float64],
    groups: NDArray[np.float64],
) -> NDArray[np.float64]:
    """x of (W + S' V S) x = right [S, H], by conjugate gradients, each column for itself.

    Preconditioned by the diagonal (Hestenes & Stiefel 1952). The matrix is applied, never built.
    """
    diagonal = series + hierarchy.spread(groups)
    x = np.zeros_like(right)
    residual = right.copy()
    z = _over(residual, diagonal)
    p = z.copy()
    rz = (residual * z).sum(axis=0)
    goal = TOLERANCE**2 * rz
    for _ in range(_STEPS):
        if (rz <= goal).all():
            break
        applied = series * p + hierarchy.spread(groups * hierarchy.sums(p))
        alpha = _over(rz, (p * applied).sum(axis=0))
        x += alpha * p
        residual -= alpha * applied
        z = _over(residual, diagonal)
        after = (residual * z).sum(axis=0)
        p = z + _over(after, rz) * p
        rz = after
    return x


def _over(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quotient; 0 where there is nothing to divide by."""
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0)
