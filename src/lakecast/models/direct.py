"""One model a group of horizons, each using only what is known at the group's last horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lakecast.core.features import Cursor, FeaturePlan, FittedPlan, rows
from lakecast.errors import UsageError
from lakecast.models.codec import Stored, write
from lakecast.models.protocol import Answer
from lakecast.models.scaling import grow, shrink

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.core.block import Future
    from lakecast.core.features import State
    from lakecast.models.protocol import Fitted


def leads(horizon: int, group: int) -> tuple[int, ...]:
    """The last horizon of each group of `group` horizons; the last group may be shorter."""
    return (*range(group, horizon, group), horizon)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Direct:
    """The groups' plans and models, in the order of their horizons."""

    fitted: tuple[FittedPlan, ...]
    regressors: tuple[Fitted, ...]
    scaled: bool

    @property
    def horizon(self) -> int:
        """The last horizon it can answer."""
        return self.fitted[-1].plan.lead

    @property
    def memory(self) -> int:
        """The longest of the plans'."""
        return max(plan.memory for plan in self.plans)

    @property
    def plans(self) -> tuple[FeaturePlan, ...]:
        """One a group."""
        return tuple(fitted.plan for fitted in self.fitted)

    def forecast(self, state: State, future: Future) -> Answer:
        """Null for horizons whose lead goes back beyond a series' first value.

        Raises `UsageError` beyond the horizon it was fit for.
        """
        if future.horizon > self.horizon:
            raise UsageError(
                f"horizon {future.horizon} asked of a direct model fit for {self.horizon}",
                where="forecast.horizon",
                cure="train again with the longer horizon, or ask for a shorter one",
            )
        out = np.full((state.series, future.horizon), np.nan)
        cursor = Cursor(state, future)
        first = 1
        for fitted, regressor in zip(self.fitted, self.regressors, strict=True):
            last = min(fitted.plan.lead, future.horizon)
            if first <= last:
                out[:, first - 1 : last] = self._group(
                    (fitted, regressor), cursor, (first, last)
                ).reshape(state.series, last + 1 - first)
            first = last + 1
        return Answer.of(out)

    def _group(
        self, model: tuple[FittedPlan, Fitted], cursor: Cursor, reach: tuple[int, int]
    ) -> NDArray[np.float64]:
        fitted, regressor = model
        matrix, scale = shrink(fitted, rows(fitted, cursor, *reach), scaled=self.scaled)
        return grow(regressor.predict(matrix), scale, None)

    def save(self, folder: Path) -> None:
        """Write into an empty folder."""
        plans = [plan.to_json() for plan in self.plans]
        arrays = {
            f"{i}:{name}": held
            for i, fitted in enumerate(self.fitted)
            for name, held in fitted.to_arrays().items()
        }
        write(folder, "direct", {"plans": plans, "scaled": self.scaled}, arrays)
        for i, regressor in enumerate(self.regressors):
            regressor.save(folder / str(i))

    @classmethod
    def restore(cls, stored: Stored) -> Direct:
        """What `save` wrote."""
        texts = stored.values["plans"]
        return cls(
            fitted=tuple(
                FittedPlan.from_arrays(FeaturePlan.from_json(text), _under(stored, f"{i}:"))
                for i, text in enumerate(texts)
            ),
            regressors=tuple(stored.member(str(i)) for i in range(len(texts))),
            scaled=stored.values["scaled"],
        )


def _under(stored: Stored, prefix: str) -> dict[str, NDArray[np.generic]]:
    return {
        name.removeprefix(prefix): held
        for name, held in stored.arrays.items()
        if name.startswith(prefix)
    }
