"""One number for every row: what is left where there is too little to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lakecast.models.codec import Stored, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lakecast.models.protocol import RowBlocks


@dataclass(frozen=True, slots=True)
class Flat:
    """Predicts `value`; null (NaN) says that nothing could be learnt."""

    value: float
    columns: tuple[str, ...] = ()

    @classmethod
    def fit(cls, rows: RowBlocks) -> Flat:
        """The weighted mean of the targets, null where there are none."""
        total = weight = 0.0
        for block in rows.blocks():
            heavy = block.weight.astype(np.float64)
            total += float((heavy * block.target).sum())
            weight += float(heavy.sum())
        mean = total / weight if weight else float("nan")
        return cls(mean, tuple(column.name for column in rows.columns))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The value, once a row."""
        return np.full(len(matrix), self.value)

    def importances(self) -> Mapping[str, float]:
        """Zero for every column."""
        return dict.fromkeys(self.columns, 0.0)

    def save(self, folder: Path) -> None:
        """Write into an empty folder."""
        value = None if np.isnan(self.value) else self.value
        write(folder, "flat", {"value": value, "columns": self.columns})

    @classmethod
    def restore(cls, stored: Stored) -> Flat:
        """What `save` wrote."""
        value = stored.values["value"]
        return cls(float("nan") if value is None else value, tuple(stored.values["columns"]))
