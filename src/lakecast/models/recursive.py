"""One model of the next period; its forecasts fill the target and it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lakecast.core.features import Cursor, FeaturePlan, FittedPlan, row
from lakecast.models.codec import Stored, write
from lakecast.models.protocol import Answer
from lakecast.models.scaling import grow, shrink

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.core.block import Future
    from lakecast.core.features import State
    from lakecast.models.protocol import Fitted


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
        cursor = Cursor(state, future)
        for h in range(1, future.horizon + 1):
            matrix, scale = shrink(self.fitted, row(self.fitted, cursor, h), scaled=self.scaled)
            out[:, h - 1] = grow(self.regressor.predict(matrix), scale, self.floor)
            cursor.push(out[:, h - 1])
        return Answer.of(out)

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
