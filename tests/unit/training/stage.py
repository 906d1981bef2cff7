"""A stage for tests of training: a small panel, its folds, and a bench that fits nothing."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from lakecast.columns import Columns
from lakecast.core import folds
from lakecast.core.block import Block, PanelInfo
from lakecast.core.calendar import Frequency
from lakecast.core.splits import Span, Window, windows
from lakecast.spec import Backtest as BacktestSpec
from lakecast.training.backtest import BASELINE, Asked, Candidate, Forecasts

SERIES, HISTORY, HORIZON, SEASON, WINDOWS = 40, 140, 14, 7, 4
FIRST = 18_000
CUTOFF = FIRST + HISTORY - 1
GROUPS = (7, 14)
INFO = PanelInfo(
    columns=Columns(series=("loja",), time="dia", target="vendas"),
    frequency=Frequency("D"),
    timezone="UTC",
    seasons=(SEASON,),
    cutoff=CUTOFF,
)


def block(after: int | None = None) -> Block:
    """Half of the series smooth, half intermittent; values beyond `after` are made absurd."""
    rng = np.random.default_rng(2)
    wave = 20 + 6 * np.sin(np.arange(HISTORY) * 2 * np.pi / SEASON)
    smooth = wave + rng.normal(0, 2, (SERIES // 2, HISTORY))
    rare = rng.poisson(0.4, (SERIES // 2, HISTORY)) * rng.integers(1, 5, (SERIES // 2, HISTORY))
    values = np.concatenate([smooth, rare]).astype(np.float32)
    if after is not None:
        values[:, after - FIRST + 1 :] += 1e4
    return Block(
        codes=np.arange(SERIES, dtype=np.int32),
        starts=np.arange(SERIES + 1, dtype=np.int64) * HISTORY,
        first=np.full(SERIES, FIRST, np.int32),
        target=values.ravel(),
    )


def make_folds(
    count: int = WINDOWS, gap: int = 0, after: int | None = None, step: int | None = None
) -> list[folds.Fold]:
    span = Span(first=FIRST, cutoff=CUTOFF, horizon=HORIZON, needed=3 * SEASON)
    found = windows(span, BacktestSpec(windows=count, gap=gap, step=step))
    held = block(after)
    return [
        folds.fold([held], window, folds.Shape(HORIZON, SEASON, gap)) for window in found.windows
    ]


@dataclass
class Noisy:
    """Forecasts the actuals with noise of a size a candidate (and class, and window)."""

    folds: list[folds.Fold]
    noise: dict[str, float]
    shift: dict[str, float] = field(default_factory=dict)
    rare: dict[str, float] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)

    def forecasts(self, asked: Sequence[Asked]) -> Generator[tuple[int, Forecasts]]:
        """The last first: what comes of them depends on no order."""
        for at in reversed(range(len(asked))):
            yield at, self.forecast(*asked[at])

    def forecast(self, candidate: Candidate, window: Window) -> Forecasts:
        self.calls.append((candidate.name, window.index))
        fold = self.folds[window.index]
        rng = np.random.default_rng([window.index, *candidate.name.encode()])
        size = np.full(len(fold.codes), self.noise[candidate.name])
        size[fold.codes >= SERIES // 2] = self.rare.get(candidate.name, self.noise[candidate.name])
        values = fold.actual + rng.normal(0, 1, fold.actual.shape) * size[:, None]
        values *= self.shift.get(candidate.name, 1.0)
        source = "baseline" if candidate.family == BASELINE else "model"
        return Forecasts(values=values, source=np.full(len(values), source))


def candidate(name: str, family: str = BASELINE) -> Candidate:
    return Candidate(name=name, family=family)


@dataclass
class Shelf:
    """A checkpoint in memory."""

    held: dict[tuple[str, int], pl.DataFrame] = field(default_factory=dict)
    lasting: bool = True

    def has(self, candidate: str, window: int) -> bool:
        return (candidate, window) in self.held

    def done(self, candidate: str, window: int) -> pl.DataFrame | None:
        return self.held.get((candidate, window))

    def keep(self, candidate: str, window: int, frame: pl.DataFrame) -> None:
        self.held[candidate, window] = frame
