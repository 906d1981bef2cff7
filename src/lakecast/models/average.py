"""The mean of several forecasters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lakecast.models.codec import Stored, write
from lakecast.models.protocol import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from lakecast.core.block import Future
    from lakecast.core.features import FeaturePlan, State
    from lakecast.models.protocol import Forecaster


@dataclass(frozen=True, slots=True, eq=False)
class Average:
    """Equal weights; null where any member is null."""

    members: tuple[Forecaster, ...]

    @property
    def memory(self) -> int:
        """The longest of the members'."""
        return max(member.memory for member in self.members)

    @property
    def plans(self) -> tuple[FeaturePlan, ...]:
        """The members', each once."""
        return tuple(dict.fromkeys(plan for member in self.members for plan in member.plans))

    def forecast(self, state: State, future: Future) -> Answer:
        """Summed in the order of the members."""
        total = np.zeros((state.series, future.horizon))
        for member in self.members:
            total += member.forecast(state, future).values
        return Answer.of(total / len(self.members))

    def save(self, folder: Path) -> None:
        """Write into an empty folder."""
        write(folder, "average", {"members": len(self.members)})
        for i, member in enumerate(self.members):
            member.save(folder / str(i))

    @classmethod
    def restore(cls, stored: Stored) -> Average:
        """What `save` wrote."""
        return cls(tuple(stored.member(str(i)) for i in range(stored.values["members"])))
