"""One model of the next period; its forecasts fill the target and it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core.features import Cursor, FeaturePlan, FittedPlan, row
from lakecast.models.codec import Stored, write
from lakecast.models.protocol import Answer
from lakecast.models.scaling import grow, shrink

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.core.block import Future
    from lakecast.core.features import State
    from lakecast.models.protocol import Fitted


# Of the largest value in the tail; a step of growth is allowed, not a run.
_GROWTH: Final = 1.25


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recursive:
    """`floor` is the least value that is fed back, so that errors below it do not build up."""

    fitted: FittedPlan
    regressor: Fitted
    scaled: bool
    floor: float | None

    @property
    def memory(self) -> int:
        """The plan's."""
        return self.fitted.plan.memory

    @property
    def plans(self) -> tuple[FeaturePlan, ...]:
        """Its plan."""
        return (self.fitted.plan,)

    def forecast(self, state: State, future: Future) -> Answer:
        """Null for series without a value."""
        out = np.full((state.series, future.horizon), np.nan)
        cursor, most = Cursor(state, future), self._most(state)
        for h in range(1, future.horizon + 1):
            matrix, scale = shrink(self.fitted, row(self.fitted, cursor, h), scaled=self.scaled)
            out[:, h - 1] = grow(self.regressor.predict(matrix), scale, self.floor)
            cursor.push(np.fmin(out[:, h - 1], most))
        return Answer.of(out)

    def _most(self, state: State) -> NDArray[np.float64]:
        """[S] what may be fed back: forecasts that feed on themselves could grow without end.

        Null, which bounds nothing, where the tail holds no value.
        """
        peak = np.fmax.reduce(state.tail(self.memory), axis=1).astype(np.float64)
        return np.asarray(peak + (_GROWTH - 1.0) * np.abs(peak))

    def save(self, folder: Path) -> None:
        """Write into an empty folder."""
        plan = self.fitted.plan.to_json()
        values = {"plan": plan, "scaled": self.scaled, "floor": self.floor}
        write(folder, "recursive", values, self.fitted.to_arrays())
        self.regressor.save(folder / "regressor")

    @classmethod
    def restore(cls, stored: Stored) -> Recursive:
        """What `save` wrote."""
        plan = FeaturePlan.from_json(stored.values["plan"])
        return cls(
            fitted=FittedPlan.from_arrays(plan, stored.arrays),
            regressor=stored.member("regressor"),
            scaled=stored.values["scaled"],
            floor=stored.values["floor"],
        )
