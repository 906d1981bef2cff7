"""The rolling-origin backtest: every candidate's forecasts in every window, kept to be recombined.

Nothing here fits: a `Bench` makes the forecasts of a candidate at a window's cutoff. What is done
is handed to a `Checkpoint`, so that a killed backtest goes on where it was.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, Self

import numpy as np
import polars as pl

from lakecast.columns import ACTUAL, ANSWER, CANDIDATE, CODE, CUTOFF, FORECAST, HORIZON, WINDOW
from lakecast.core import folds, metrics
from lakecast.logs import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lakecast.core.block import PanelData, PanelInfo
    from lakecast.core.folds import Fold
    from lakecast.core.splits import Window
    from lakecast.logs import Progress, Progresses
    from lakecast.spec.features import Features
    from lakecast.spec.model import Spec

BASELINE: Final = "baseline"


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """What is told of a candidate. `family` is `baseline` for those that learn nothing.

    `features` are the recipe's where they are not the spec's. `scaled` says whether rows are
    divided by their series' scale, `partition` by which column's values models are apart, `part`
    (index, number) on which part of the series alone it is fit: it is not chosen by itself.
    `members` are the names an average is of. `nested`: it is a choice between others, so window 0
    is forecast for its intervals only. `incumbent`: only the champion's recipe needs it, so it is
    not chosen among.
    """

    name: str
    family: str
    strategy: str = ""
    params: Mapping[str, float | int | str] = field(default_factory=dict)
    features: Features | None = None
    scaled: bool = True
    partition: str = ""
    part: tuple[int, ...] = ()
    members: tuple[str, ...] = ()
    nested: bool = False
    incumbent: bool = False

    @property
    def eligible(self) -> bool:
        """Whether it may be chosen."""
        return not self.incumbent and not self.part


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecasts:
    """A candidate in a window: values [S, H] without nulls, and the source of each series [S]."""

    values: NDArray[np.float64]
    source: NDArray[np.str_]


Asked = tuple[Candidate, "Window"]


class Bench(Protocol):
    """Fits candidates at windows' cutoffs, each on nothing later, and forecasts every series."""

    def forecasts(self, asked: Sequence[Asked]) -> Generator[tuple[int, Forecasts]]:
        """Of each that is asked for, its place there, and the series that had begun by its cutoff.

        Series come in panel order, forecasts as they are done: a short fit waits for no long one.
        """
        ...


class ScreeningBench(Bench, Protocol):
    """A bench that a panel is screened on, or a sample of it."""

    @property
    def spec(self) -> Spec:
        """What is trained."""
        ...

    @property
    def panel(self) -> PanelData:
        """The whole panel."""
        ...

    def on_sample(self, panel: PanelData, most: int) -> Self:
        """The bench of a sample that `core.block.sample` drew: about `most` rows."""
        ...


class Checkpoint(Protocol):
    """Where finished work survives a kill.

    `lasting` says whether `done` gives back what `keep` was given; if so, forecasts need not be
    held while there is more to fit.
    """

    @property
    def lasting(self) -> bool:
        """Whether it keeps anything."""
        ...

    def has(self, candidate: str, window: int) -> bool:
        """Whether `done` would give something; reads none of it."""
        ...

    def done(self, candidate: str, window: int) -> pl.DataFrame | None:
        """What `keep` was given, or None."""
        ...

    def keep(self, candidate: str, window: int, frame: pl.DataFrame) -> None:
        """Columns `series_code`, `horizon`, `forecast`, `source`; by series, then horizon."""
        ...


class Forgetful:
    """A checkpoint that keeps nothing."""

    @property
    def lasting(self) -> bool:
        """False."""
        return False

    def has(self, candidate: str, window: int) -> bool:
        """False."""
        del candidate, window
        return False

    def done(self, candidate: str, window: int) -> None:
        """Nothing was kept."""

    def keep(self, candidate: str, window: int, frame: pl.DataFrame) -> None:
        """Keep nothing."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """A checkpoint that also holds some frames of its own."""

    inner: Checkpoint
    held: Mapping[tuple[str, int], pl.DataFrame]

    @property
    def lasting(self) -> bool:
        """As the inner one."""
        return self.inner.lasting

    def has(self, candidate: str, window: int) -> bool:
        """Whether it or the inner checkpoint holds it."""
        return (candidate, window) in self.held or self.inner.has(candidate, window)

    def done(self, candidate: str, window: int) -> pl.DataFrame | None:
        """Its own frame, or what the inner checkpoint kept."""
        own = self.held.get((candidate, window))
        return self.inner.done(candidate, window) if own is None else own

    def keep(self, candidate: str, window: int, frame: pl.DataFrame) -> None:
        """Keep in the inner checkpoint."""
        self.inner.keep(candidate, window, frame)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backtest:
    """Forecasts by (candidate, window), over the folds they are scored against, oldest first."""

    folds: tuple[Fold, ...]
    groups: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    forecasts: Mapping[tuple[str, int], Forecasts]

    @property
    def scored(self) -> tuple[Fold, ...]:
        """Folds that count: those whose cutoff lies beyond all that the first one scored.

        The first one screens, and no choice precedes it. Where none lies beyond (one window, or
        steps so short that all overlap it): the later ones, or the only one.
        """
        first = self.folds[0]
        end = first.window.cutoff + first.actual.shape[1]
        beyond = tuple(fold for fold in self.folds if fold.window.cutoff >= end)
        return beyond or self.folds[1:] or self.folds

    @property
    def nested(self) -> bool:
        """Whether what is scored is beyond what screened and chose."""
        first = self.folds[0]
        end = first.window.cutoff + int(first.actual.shape[1])
        return self.scored[0].window.cutoff >= end

    def past(self, fold: Fold) -> tuple[Fold, ...]:
        """The folds before one, with what was known of them at its cutoff."""
        index, cutoff = fold.window.index, fold.window.cutoff
        return tuple(folds.known_at(earlier, cutoff) for earlier in self.folds[:index])

    def of(self, name: str, fold: Fold) -> NDArray[np.float64]:
        """[S, H] forecasts of a candidate."""
        return self.forecasts[name, fold.window.index].values

    def only(self, name: str) -> Backtest:
        """With the forecasts of one candidate alone; all are still told of."""
        kept = {key: held for key, held in self.forecasts.items() if key[0] == name}
        return replace(self, forecasts=kept)

    def candidate(self, name: str) -> Candidate:
        """The candidate of a name."""
        return next(one for one in self.candidates if one.name == name)

    def add(self, candidate: Candidate, forecasts: Mapping[int, Forecasts]) -> Backtest:
        """This backtest with one candidate more; `forecasts` by window."""
        more = {(candidate.name, window): held for window, held in forecasts.items()}
        return replace(
            self,
            candidates=(*self.candidates, candidate),
            forecasts={**self.forecasts, **more},
        )

    def by_series(self, name: str, metric: str | None = None) -> NDArray[np.float64]:
        """[U, 14] stats of each series seen in a scored window, summed over those windows.

        With a metric, only of rows whose class may rank under it.
        """
        every = np.unique(np.concatenate([fold.codes for fold in self.scored]))
        out = np.zeros((len(every), len(metrics.STATS)))
        for fold in self.scored:
            stats = folds.totals(fold, self.of(name, fold))
            if metric is not None:
                stats = np.where(folds.ranked(fold, metric)[fold.classes, None], stats, 0.0)
            out[np.searchsorted(every, fold.codes)] += stats
        return out


def _nothing() -> None:
    """What nobody waits for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooks:
    """Where a backtest keeps its work and says how far it is; `fitted` is called behind all fits.

    What was needed to fit can then be let go, before all forecasts are held at once.
    """

    checkpoint: Checkpoint = field(default_factory=Forgetful)
    progress: Progresses = field(default_factory=Silent)
    fitted: Callable[[], None] = _nothing


def run_backtest(
    bench: Bench,
    candidates: Sequence[Candidate],
    folds: Sequence[Fold],
    groups: tuple[int, ...],
    hooks: Hooks | None = None,
) -> Backtest:
    """Forecast every candidate in every fold, window by window.

    An average is the mean of its members' forecasts, which come before it, and costs no fit.
    """
    hooks = hooks or Hooks()
    asked = [(one, fold) for fold in folds for one in candidates if not one.members]
    with hooks.progress.bar("backtest", len(asked), "fits") as bar:
        fits = made(bench, asked, hooks.checkpoint, bar)
    hooks.fitted()
    held: dict[tuple[str, int], Forecasts] = {}
    for fold in folds:
        index = fold.window.index
        for candidate in candidates:
            members = [held[name, index] for name in candidate.members]
            held[candidate.name, index] = _mean(members) if members else next(fits)
    return Backtest(folds=tuple(folds), groups=groups, candidates=tuple(candidates), forecasts=held)


def _mean(members: Sequence[Forecasts]) -> Forecasts:
    """Summed in the order of the members, as `models.average` does; sources of the first."""
    total = np.zeros_like(members[0].values)
    for member in members:
        total += member.values
    return Forecasts(values=total / len(members), source=members[0].source)


def made(
    bench: Bench, asked: Sequence[tuple[Candidate, Fold]], shelf: Checkpoint, bar: Progress
) -> Iterator[Forecasts]:
    """Fit what the checkpoint lacks, each kept as it is done; then give all, in the order asked.

    Where the checkpoint lasts they are read from it, so that not all are held at once.
    """
    lacking = [
        place
        for place, (candidate, fold) in enumerate(asked)
        if not shelf.has(candidate.name, fold.window.index)
    ]
    bar.advance(len(asked) - len(lacking))
    held: dict[int, Forecasts] = {}
    wanted = [(asked[place][0], asked[place][1].window) for place in lacking]
    with closing(bench.forecasts(wanted)) as fresh:
        for index, forecasts in fresh:
            candidate, fold = asked[lacking[index]]
            shelf.keep(candidate.name, fold.window.index, to_frame(forecasts, fold))
            if not shelf.lasting:
                held[lacking[index]] = forecasts
            bar.advance()
    return (
        held.pop(place) if place in held else _kept(shelf, *each)
        for place, each in enumerate(asked)
    )


def _kept(shelf: Checkpoint, candidate: Candidate, fold: Fold) -> Forecasts:
    frame = shelf.done(candidate.name, fold.window.index)
    if frame is None:
        raise LookupError(f"the checkpoint lost {candidate.name} in window {fold.window.index}")
    return _read(frame, fold)


def to_frame(forecasts: Forecasts, fold: Fold) -> pl.DataFrame:
    """As a checkpoint keeps it: by series in the panel's order, then horizon."""
    series, horizon = forecasts.values.shape
    return pl.DataFrame(
        {
            CODE: np.repeat(fold.codes, horizon),
            HORIZON: np.tile(np.arange(1, horizon + 1, dtype=np.int32), series),
            FORECAST: forecasts.values.ravel(),
            ANSWER: pl.Series(forecasts.source.tolist(), dtype=pl.String).gather(
                np.repeat(np.arange(series), horizon)
            ),
        }
    )


def _read(frame: pl.DataFrame, fold: Fold) -> Forecasts:
    ordered = frame.sort(CODE, HORIZON, maintain_order=True)
    shape = fold.actual.shape
    place = np.argsort(np.argsort(fold.codes))  # panels go by bucket, then code
    values = ordered[FORECAST].to_numpy().reshape(shape)[place]
    source = ordered[ANSWER].to_numpy().astype(np.str_).reshape(shape)[place, 0]
    return Forecasts(values=values, source=source)


def rows(backtest: Backtest, info: PanelInfo, names: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of the table `backtest`, as `pieces` gives them."""
    return pl.concat(pieces(backtest, info, names))


def pieces(
    backtest: Backtest, info: PanelInfo, names: Sequence[str] | None = None
) -> Iterator[pl.DataFrame]:
    """A candidate and window at a time, by series and horizon: all at once would not fit.

    Columns: candidate, window, series_code, the panel's time, cutoff, horizon, forecast, actual,
    source. Times are as `Frequency.start` gives them; `actual` is null where it is not known.
    """
    for candidate in backtest.candidates:
        if names is None or candidate.name in names:
            for fold in backtest.scored if candidate.nested else backtest.folds:
                yield _rows(backtest, info, candidate, fold)


def _rows(backtest: Backtest, info: PanelInfo, candidate: Candidate, fold: Fold) -> pl.DataFrame:
    frame = to_frame(backtest.forecasts[candidate.name, fold.window.index], fold)
    start = info.frequency.start
    cutoff = fold.window.cutoff
    return frame.select(
        pl.lit(candidate.name).alias(CANDIDATE),
        pl.lit(fold.window.index, dtype=pl.Int32).alias(WINDOW),
        CODE,
        pl.Series(info.columns.time, start(cutoff + frame[HORIZON].to_numpy())),
        pl.lit(pl.Series(CUTOFF, start(np.array([cutoff])))).first().alias(CUTOFF),
        HORIZON,
        FORECAST,
        pl.Series(ACTUAL, fold.actual.ravel()).fill_nan(None),
        ANSWER,
    )
