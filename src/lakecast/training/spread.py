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
from lakecast.training import bench as benches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lakecast.core.block import PanelData
    from lakecast.core.splits import Splits
    from lakecast.engines.protocol import MapBlocks
    from lakecast.spec.model import Spec
    from lakecast.training.backtest import Asked, Candidate, Forecasts


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
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

    engine: MapBlocks
    ground: Ground
    candidates: Mapping[str, Candidate] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        """What is trained."""
        return self.ground.spec

    @property
    def panel(self) -> PanelData:
        """The panel as it lies in the lake."""
        return self.ground.panel

    def on_sample(self, panel: PanelData, most: int) -> SpreadBench:
        """On a sample of the panel of about so many rows; each worker draws the same one."""
        del panel
        return replace(self, ground=replace(self.ground, most=most, key=uuid.uuid4().hex))

    def forecasts(self, asked: Sequence[Asked]) -> Iterator[Forecasts]:
        """In the order asked, side by side."""
        work = partial(_forecast, ground=self.ground, candidates=self.candidates)
        return self.engine.map(work, asked, title="fits")


_HELD: dict[str, benches.FittingBench] = {}
"""The bench of this process, by the key of its ground; one at a time."""


def _forecast(asked: Asked, *, ground: Ground, candidates: Mapping[str, Candidate]) -> Forecasts:
    if ground.key not in _HELD:
        _HELD.clear()
        _HELD[ground.key] = _bench(ground)
    return replace(_HELD[ground.key], candidates=candidates).forecast(*asked)


def _bench(ground: Ground) -> benches.FittingBench:
    floor = benches.workbench(ground.panel, ground.splits, budget=ground.budget)
    bench = benches.FittingBench(floor, ground.spec, ground.splits, {})
    if ground.most is None:
        return bench
    drawn = sample(ground.panel, ground.most, seed=ground.spec.train.seed)
    return bench.on_sample(drawn, ground.most)
