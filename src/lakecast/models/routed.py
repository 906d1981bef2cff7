"""An answer for every series, and where it came from.

The first rule that holds gives the answer:

===========  ==================================  =======================================
source       when                                forecast
===========  ==================================  =======================================
cold-start   no value at all                     mean of the series that share a static
ended        sold once, but zeros for long       0
short        fewer values than a season and the  their mean
             model's smallest lag
constant     one value throughout the tail       that value
baseline     the model has no number for some    the mean of the same phase
             horizon
model        else                                the model's
===========  ==================================  =======================================

Every forecast is at least `minimum`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core.classes import DEPTH, has_ended, tail, tail_of
from lakecast.models.baselines import SeasonalMean, mean
from lakecast.models.codec import Stored, write
from lakecast.models.protocol import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.core.block import Block, Future, PanelData, PanelInfo
    from lakecast.core.features import FeaturePlan, State
    from lakecast.models.protocol import Forecaster

_RECENT: Final = 4  # seasons over which the level of a sibling is taken
_LONG: Final = 24  # a season longer than this need not be whole before the model answers
_WIDTH: Final = "<U32"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prior:
    """Mean recent level of the live series by category of each static, null where there is none.

    `levels` runs from the static with the fewest categories to the one with the most.
    """

    levels: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # each [V]

    @classmethod
    def fit(cls, panel: PanelData, cutoff: int) -> Prior:
        """From the rows up to and including the cutoff."""
        info = panel.info
        names = sorted(info.categories, key=lambda name: (len(info.categories[name]), name))
        sums = {name: np.zeros((2, len(info.categories[name]))) for name in names}
        for block in panel.blocks():
            _add(sums, block.until(cutoff), info)
        return cls(
            levels={
                name: np.where(count > 0, total / np.maximum(count, 1), np.nan)
                for name, (total, count) in sums.items()
            }
        )

    def of(self, state: State) -> NDArray[np.float64]:
        """[S] level by the finest static that is known and has siblings; else 0."""
        found = np.zeros(state.series)
        for name, levels in self.levels.items():
            codes = np.nan_to_num(state.statics[name], nan=-1.0).astype(np.int64)
            inside = (codes >= 0) & (codes < len(levels))
            level = np.append(levels, np.nan)[np.where(inside, codes, len(levels))]
            found = np.where(np.isnan(level), found, level)
        return found


def _add(sums: Mapping[str, NDArray[np.float64]], block: Block, info: PanelInfo) -> None:
    if not block.codes.size:
        return
    recent = tail(block, DEPTH * info.season)
    level = mean(recent.values[:, -_RECENT * info.season :])
    live = ~np.isnan(level) & ~has_ended(recent, info.season)
    for name, held in sums.items():
        codes = np.nan_to_num(block.statics[name], nan=-1.0).astype(np.int64)
        keep = live & (codes >= 0)
        size = held.shape[1]
        held[0] += np.bincount(codes[keep], level[keep], minlength=size)
        held[1] += np.bincount(codes[keep], minlength=size)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Routed:
    """A forecaster of one panel behind the rules above. Its answers hold no null.

    `lead` is the smallest lag at which the inner forecaster uses the target.
    """

    inner: Forecaster
    season: int
    lead: int
    minimum: float | None
    prior: Prior

    @property
    def fallback(self) -> SeasonalMean:
        """Where the inner forecaster has no number."""
        return SeasonalMean(season=self.season)

    @property
    def memory(self) -> int:
        """What the inner forecaster or the fallback needs."""
        return max(self.inner.memory, self.fallback.memory)

    @property
    def plans(self) -> tuple[FeaturePlan, ...]:
        """The inner forecaster's."""
        return self.inner.plans

    def forecast(self, state: State, future: Future) -> Answer:
        """Forecasts without nulls; no series' depends on the others in the state."""
        answer = self.inner.forecast(state, future)
        values, source = answer.values.copy(), answer.source.astype(_WIDTH)
        for name, chosen, instead in self._rules(state, future, values):
            values[chosen] = instead[chosen]
            source[chosen] = name
        low = -np.inf if self.minimum is None else self.minimum
        return Answer(values=np.maximum(values, low), source=source)

    def _rules(
        self, state: State, future: Future, values: NDArray[np.float64]
    ) -> list[tuple[str, NDArray[np.bool_], NDArray[np.float64]]]:
        """Source, where it applies [S], forecasts [S, H]; a later rule goes over an earlier."""
        seen, recent = state.count, state.tail(self.fallback.memory)
        baseline = self.fallback.forecast(state, future).values
        missing = ~np.isfinite(values).all(axis=1)
        average, level = _wide(state.mean, future), _wide(mean(recent), future)
        silent = np.isnan(level[:, 0])
        baseline = np.where(silent[:, None], average, baseline)
        few = self.lead + (self.season if self.season <= _LONG else self.season // 4)
        ended = has_ended(tail_of(state, self.fallback.memory), self.season)
        return [
            ("baseline", missing, baseline),
            ("constant", _constant(recent, state), level),
            ("short", seen < few, average),
            ("ended", ended, np.zeros_like(values)),
            ("cold-start", seen == 0, _wide(self.prior.of(state), future)),
        ]

    def save(self, folder: Path) -> None:
        """Write into an empty folder."""
        values = {
            "season": self.season,
            "lead": self.lead,
            "minimum": self.minimum,
            "statics": list(self.prior.levels),
        }
        arrays = {str(i): held for i, held in enumerate(self.prior.levels.values())}
        write(folder, "routed", values, arrays)
        self.inner.save(folder / "inner")

    @classmethod
    def restore(cls, stored: Stored) -> Routed:
        """What `save` wrote."""
        values = stored.values
        levels = {name: stored.arrays[str(i)] for i, name in enumerate(values["statics"])}
        return cls(
            inner=stored.member("inner"),
            season=values["season"],
            lead=values["lead"],
            minimum=values["minimum"],
            prior=Prior(levels=levels),
        )


def _wide(values: NDArray[np.float64], future: Future) -> NDArray[np.float64]:
    return np.repeat(values[:, None], future.horizon, axis=1)


def _constant(recent: NDArray[np.float32], state: State) -> NDArray[np.bool_]:
    """[S] one value throughout the tail; zeros count only where there never was anything else."""
    low = np.fmin.reduce(recent, axis=1)
    high = np.fmax.reduce(recent, axis=1)
    return np.asarray((low == high) & ((low != 0) | (state.nonzero == 0)))
