"""One forecaster a demand class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lakecast.core.block import Future
from lakecast.core.classes import CLASSES, DEPTH, classify, tail_of
from lakecast.models.codec import Stored, write
from lakecast.models.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.core.features import FeaturePlan, State
    from lakecast.models.protocol import Forecaster

KIND: Final = "by-class"


@dataclass(frozen=True, kw_only=True, slots=True)
class ByClass:
    """Each series is forecast by the member its class, read from the state, names.

    Where a member answers `model`, the source becomes `class:<class>`.
    """

    members: Mapping[str, Forecaster]
    by_class: Mapping[str, str]
    season: int

    @property
    def memory(self) -> int:
        """The most that a member, or reading the class, needs."""
        return max(DEPTH * self.season, *(member.memory for member in self.members.values()))

    @property
    def plans(self) -> tuple[FeaturePlan, ...]:
        """The members', each once."""
        held = (member.plans for _, member in sorted(self.members.items()))
        return tuple(dict.fromkeys(plan for plans in held for plan in plans))

    def forecast(self, state: State, future: Future) -> Answer:
        """Forecasts of all series; null where the member's are."""
        classes = classify(tail_of(state, DEPTH * self.season), self.season)
        values = np.full((state.series, future.horizon), np.nan)
        source = np.full(state.series, "model", dtype="<U32")
        for name, member in self.members.items():
            mine = np.flatnonzero([self.by_class[CLASSES[kind]] == name for kind in classes])
            if not len(mine):
                continue
            answer = member.forecast(state.select(mine), select(future, mine))
            values[mine] = answer.values
            labels = np.array([f"class:{CLASSES[kind]}" for kind in classes[mine]])
            source[mine] = np.where(answer.source == "model", labels, answer.source)
        return Answer(values=values, source=source)

    def save(self, folder: Path) -> None:
        """Write into an empty folder, a folder a member."""
        names = sorted(self.members)
        told = {"members": names, "by_class": dict(self.by_class), "season": self.season}
        write(folder, KIND, told)
        for index, name in enumerate(names):
            self.members[name].save(folder / f"member-{index}")

    @classmethod
    def restore(cls, stored: Stored) -> ByClass:
        """What `save` wrote."""
        told = stored.values
        names = told["members"]
        return cls(
            members={name: stored.member(f"member-{index}") for index, name in enumerate(names)},
            by_class=told["by_class"],
            season=told["season"],
        )


def select(future: Future, indices: NDArray[np.integer]) -> Future:
    """The future of the series at the indices."""
    return Future(
        horizon=future.horizon,
        covariates={name: values[indices] for name, values in future.covariates.items()},
    )
