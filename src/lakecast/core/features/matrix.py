"""Matrices of features: of all rows of a block, or of the periods after a state's cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core.features import calendar
from lakecast.core.features.program import folds_of, frozen, programs
from lakecast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lakecast.core.block import Block, Future
    from lakecast.core.features.encode import FittedPlan
    from lakecast.core.features.kernel import Span
    from lakecast.core.features.plan import Column, Feature
    from lakecast.core.features.program import Fold
    from lakecast.core.features.state import State

Matrix = tuple["NDArray[np.float32]", "NDArray[np.float32]"]
"""Features [n, F] float32, column-major, and the scale of each row [n].

The scale is the mean of |y| over all that is known at the row's lead, or the size of the mean of
y over the plan's window: positive (1 where that is 0), null where nothing is known.
"""

_SHARED: Final = 1024
"""Tables of the calendar begin at its multiples, so that blocks share them."""


@dataclass(frozen=True, slots=True)
class _Sources:
    """Flat float32 arrays by name ("" is the target), and what lies around them."""

    arrays: Mapping[str, NDArray[np.float32]]
    statics: Mapping[str, NDArray[np.float32]]
    folds: tuple[Fold, ...]
    older: NDArray[np.float64]
    periods: tuple[int, int]  # the first and the last of the calendar

    @property
    def series(self) -> int:
        return int(self.older.shape[0])


def kept(block: Block, start: int | None) -> NDArray[np.bool_]:
    """[N] the rows that `matrix(..., start=start)` keeps."""
    return np.ones(block.rows, np.bool_) if start is None else block.ordinals() >= start


def matrix(fitted: FittedPlan, block: Block, *, start: int | None = None) -> Matrix:
    """The features of all rows of the block, or of those with an ordinal of at least `start`.

    Rows are sorted by series, then time.
    """
    sources, span = _of_block(fitted, block, start)
    return _computed(fitted, sources, span)


def fill(
    fitted: FittedPlan, block: Block, out: NDArray[np.float32], at: int, *, start: int | None = None
) -> int:
    """Write what `matrix` gives to the columns of `out` from row `at` on; the number of rows.

    `out` is [F + 1, n] float32, row-major: a feature a row, the scale last; [F, n] leaves the
    scale out. Blocks may be written to one array from several threads, and an array reused.
    """
    sources, span = _of_block(fitted, block, start, at)
    _write(fitted, sources, span, out)
    return int((span.ends - span.begins).sum())


def _of_block(
    fitted: FittedPlan, block: Block, start: int | None, at: int = 0
) -> tuple[_Sources, Span]:
    origins = block.first.astype(np.int64)
    begins = np.zeros_like(origins) if start is None else np.maximum(start - origins, 0)
    ends = block.lengths
    span = _span((block.starts[:-1], np.minimum(begins, ends), ends, origins), at)
    folds = folds_of([fitted.plan])
    sources = _Sources(
        {"": block.target, **block.covariates},
        block.statics,
        folds,
        np.zeros((block.codes.size, len(folds), 3)),
        (int(origins.min(initial=0)), int((origins + ends).max(initial=1)) - 1),
    )
    return sources, span


class Cursor:
    """A state and the known future after it; forecasts can be pushed. Not to be shared."""

    def __init__(self, state: State, future: Future) -> None:
        self.state = state
        self.horizon = future.horizon
        self.known = frozenset(future.covariates)
        self.pushed = 0
        names = {*state.covariates, *self.known}
        self._target = _extended(state.values, None, future.horizon)
        self._covariates = {
            name: _extended(
                state.covariates.get(name, np.full_like(state.values, np.nan)),
                future.covariates.get(name),
                future.horizon,
            )
            for name in sorted(names)
        }

    def push(self, values: NDArray[np.floating]) -> None:
        """Take [S] values as the target of the next period."""
        self._target[:, self.state.memory + self.pushed] = values
        self.pushed += 1

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Flat [S * (W + H)] arrays by name; "" is the target."""
        held = {"": self._target, **self._covariates}
        return {name: values.reshape(-1) for name, values in held.items()}


def row(fitted: FittedPlan, cursor: Cursor, h: int) -> Matrix:
    """The features of the period h after the cutoff, one row a series."""
    return rows(fitted, cursor, h, h)


def rows(fitted: FittedPlan, cursor: Cursor, first: int, last: int) -> Matrix:
    """The features of the horizons first .. last (inclusive), sorted by series, then horizon.

    Raises `UsageError` where a known-future covariate is missing, the horizon is beyond what the
    plan knows, or pooled means are older than the state; `ValueError` where forecasts have to be
    pushed first, or the state was not made for the plan.
    """
    _check(fitted, cursor, last)
    state, width = cursor.state, cursor.state.memory + cursor.horizon
    ones = np.ones(state.series, np.int64)
    origin = state.cutoff + 1 - state.memory
    span = _span(
        (
            np.arange(state.series, dtype=np.int64) * width,
            ones * (state.memory + first - 1),
            ones * (state.memory + last),
            ones * origin,
        )
    )
    periods = (state.cutoff + 1, state.cutoff + cursor.horizon)
    sources = _Sources(cursor.arrays(), state.statics, state.folds, state.older, periods)
    return _computed(fitted, sources, span)


def _check(fitted: FittedPlan, cursor: Cursor, last: int) -> None:
    plan, state = fitted.plan, cursor.state
    covered = set(folds_of([plan])) <= set(state.folds)
    if plan.memory > state.memory or not covered or set(plan.covariates) - set(state.covariates):
        raise ValueError("the state was not made for this plan")
    if last > cursor.horizon or last - plan.lead > cursor.pushed:
        raise ValueError(f"horizon {last}: {cursor.pushed} of {cursor.horizon} forecasts pushed")
    _check_known(fitted, cursor, last)


def _check_known(fitted: FittedPlan, cursor: Cursor, last: int) -> None:
    reach, late = fitted.plan.reach, cursor.state.cutoff - fitted.cutoff
    missing = sorted(set(fitted.plan.known_future) - cursor.known)
    if missing:
        raise UsageError(
            f"known-future covariate `{missing[0]}` is missing beyond the cutoff",
            where="the covariates of the forecast",
            cure="give its values for every period of the horizon, null where not known",
        )
    if reach is not None and last > reach:
        raise UsageError(
            f"horizon {last} is asked, but the model's covariates are known up to {reach}",
            where="the horizon of the forecast",
            cure=f"ask for at most {reach} periods, or train for a longer `forecast.horizon`",
        )
    if fitted.pooled and late > 0:
        raise UsageError(
            f"the model's pooled means end {late} periods too early",
            where=f"the features {', '.join(f'`{name}`' for name in sorted(fitted.pooled))}",
            cure="train again (`lakecast run --retrain`), or leave out `features.pooled`",
        )


def _extended(
    tail: NDArray[np.float32], future: NDArray[np.float32] | None, horizon: int
) -> NDArray[np.float32]:
    wide = np.full((tail.shape[0], tail.shape[1] + horizon), np.nan, np.float32)
    wide[:, : tail.shape[1]] = tail
    if future is not None:
        wide[:, tail.shape[1] :] = future
    return wide


def _span(held: tuple[NDArray[np.int64], ...], at: int = 0) -> Span:
    from lakecast.core.features import kernel

    starts, begins, ends, origins = held
    outs = at + np.concatenate([[0], np.cumsum(ends - begins)[:-1]]).astype(np.int64)
    return kernel.Span(frozen(starts), frozen(begins), frozen(ends), frozen(origins), frozen(outs))


def _computed(fitted: FittedPlan, sources: _Sources, span: Span) -> Matrix:
    size = len(fitted.columns)
    out = np.empty((size + 1, int((span.ends - span.begins).sum())), np.float32)
    _write(fitted, sources, span, out)
    return out[:size].T, out[size]


def _write(fitted: FittedPlan, sources: _Sources, span: Span, out: NDArray[np.float32]) -> None:
    from lakecast.core.features import kernel, windows

    older = frozen(sources.older)
    scaled = out.shape[0] > len(fitted.columns)
    for name, program in programs(fitted.plan, sources.folds, scaled=scaled).items():
        values = frozen(sources.arrays[name])
        kernel.run(values, span, program.steps, older, out)
        if program.windows.size:
            windows.run(values, span, program.windows, out)
    if scaled and fitted.plan.scale:
        at = int(span.outs.min(initial=out.shape[1]))  # others write beside it
        mine = out[-1, at : at + int((span.ends - span.begins).sum())]
        np.abs(mine, out=mine)
        mine[mine == 0] = 1.0
    for index, column in enumerate(fitted.columns):
        if column.feature.op in {"static", "encoded"}:
            values = _per_series(fitted, column, sources.statics[column.feature.source])
            kernel.spread(frozen(values), span, out[index])
        elif column.feature.op in {"calendar", "pooled"}:
            table, groups = _table(fitted, column.feature, sources)
            kernel.gather(table, groups, span, column.feature.lag, out[index])


def _per_series(
    fitted: FittedPlan, column: Column, values: NDArray[np.float32]
) -> NDArray[np.float32]:
    """[S]; categories the plan does not know are null, or encoded as the mean over all."""
    if column.feature.op == "encoded":
        known = fitted.encodings[column.feature.source]
        inside = (values >= 0) & (values < known.size - 1)
        return known[np.where(inside, values, known.size - 1).astype(np.int64)].astype(np.float32)
    if not column.categories:
        return values
    return np.where((values >= 0) & (values < column.categories), values, np.float32(np.nan))


def _table(
    fitted: FittedPlan, feature: Feature, sources: _Sources
) -> tuple[tuple[NDArray[np.float32], int], NDArray[np.int64]]:
    """A table by group and period with its first period, and each series' group (-1: none)."""
    if feature.op == "pooled":
        groups = np.nan_to_num(sources.statics[feature.source], nan=-1.0).astype(np.int64)
        return (frozen(fitted.pooled[feature.source]), fitted.pooled_from), frozen(groups)
    plan = fitted.plan
    low, high = (period - feature.lag for period in sources.periods)
    low -= low % _SHARED
    clock = (plan.frequency, plan.timezone, plan.holidays)
    parts = calendar.table(feature.source, clock, low, high)
    return (frozen(parts[None]), low), frozen(np.zeros(sources.series, np.int64))
