"""Fits of a backtest on the workers of an engine: one candidate and window a piece of work.

A worker makes its workbench from the panel in the lake when it gets its first piece, and keeps it
for those that follow, so that binned sets are shared as on one machine. A fit depends on the
panel, the recipe and the window alone: it has the same bits wherever it is made.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from lakecast.core.block import sample
from lakecast.machine import give_back
from lakecast.training import bench as benches
from lakecast.training.backtest import BASELINE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from lakecast.core.block import PanelData
    from lakecast.core.splits import Splits
    from lakecast.engines.protocol import Engine
    from lakecast.models.protocol import Forecaster
    from lakecast.spec.model import Spec
    from lakecast.training.backtest import Asked, Candidate, Forecasts


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """What a worker makes its bench from; it can be pickled.

    `most` are the rows of the sample that is worked on (None: the whole panel), `budget` the bytes
    that rows and binned sets of one worker may take.
    """

    panel: PanelData
    spec: Spec
    splits: Splits
    budget: int
    most: int | None = None
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class SpreadBench:
    """`training.backtest.Bench` on an engine's workers."""

    engine: Engine
    place: Workplace
    candidates: Mapping[str, Candidate] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        """What is trained."""
        return self.place.spec

    @property
    def panel(self) -> PanelData:
        """The panel as it lies in the lake."""
        return self.place.panel

    def on_sample(self, panel: PanelData, most: int) -> SpreadBench:
        """On a sample of the panel of about so many rows; each worker draws the same one."""
        del panel
        return replace(self, place=replace(self.place, most=most, key=uuid.uuid4().hex))

    def forecasts(self, asked: Sequence[Asked]) -> Generator[tuple[int, Forecasts]]:
        """As they are done. Models begin first: baselines are short and fill what time is left."""
        if not asked:
            return
        work = partial(_forecast, place=self.place, candidates=self.candidates)
        pieces = sorted(enumerate(asked), key=lambda piece: piece[1][0].family == BASELINE)
        with self.engine.pool(work) as pool:
            for piece in pieces:
                pool.submit(piece)
            for _ in pieces:
                (index, _), forecasts = pool.next()
                yield index, forecasts

    def release(self) -> None:
        """Nothing is held here; workers keep their sets for the final fit."""

    def whole(self, names: Sequence[str]) -> Iterator[Forecaster]:
        """See `bench.FinalBench`; side by side, on all cores that workers started here have."""
        footprint = self.engine.footprint
        idle = footprint is not None and footprint.here
        threads = max(self.engine.workers // len(names), 1) if idle else 1
        place, candidates = self.place, self.candidates
        work = partial(_whole, place=place, candidates=candidates, threads=threads)
        return self.engine.map(work, names, title="final fits")


_HELD: dict[str, benches.FittingBench] = {}
"""The bench of this process, by the key of its place; one at a time."""


def let_go() -> None:
    """Let go of the bench of this process, which is made again where it is asked for."""
    if _HELD:
        _HELD.clear()
        give_back()


def _forecast(
    piece: tuple[int, Asked], *, place: Workplace, candidates: Mapping[str, Candidate]
) -> Forecasts:
    _, asked = piece
    return replace(_held(place, 1), candidates=candidates).forecast(*asked)


def _whole(
    name: str, *, place: Workplace, candidates: Mapping[str, Candidate], threads: int
) -> Forecaster:
    return replace(_held(place, threads), candidates=candidates).fitted(name)


def _held(place: Workplace, threads: int) -> benches.FittingBench:
    if place.key not in _HELD:
        let_go()
        _HELD[place.key] = _bench(place)
    bench = _HELD[place.key]
    bench.workbench.threads = threads
    return bench


def _bench(place: Workplace) -> benches.FittingBench:
    floor = benches.workbench(place.panel, place.splits, budget=place.budget)
    bench = benches.FittingBench(floor, place.spec, place.splits, {})
    if place.most is None:
        return bench
    drawn = sample(place.panel, place.most, seed=place.spec.train.seed)
    return bench.on_sample(drawn, place.most)
