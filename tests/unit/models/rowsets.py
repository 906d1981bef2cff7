"""Training rows for tests of regressors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lakecast.core.features import Column
from lakecast.models.protocol import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class RowSet:
    """Rows cut into parts; counts how often it was read."""

    matrix: NDArray[np.float32]
    target: NDArray[np.float32]
    ordinals: NDArray[np.int32]
    columns: tuple[Column, ...]
    parts: int = 3
    weight: NDArray[np.float32] | None = None
    reads: int = 0

    @property
    def rows(self) -> int:
        return len(self.target)

    def drawn(self, places: NDArray[np.int64], threads: int = 1) -> NDArray[np.float32]:
        self.reads += 1
        return np.asfortranarray(self.matrix[places])

    def blocks(self) -> Iterator[Rows]:
        self.reads += 1
        for index in np.array_split(np.arange(self.rows), self.parts):
            yield Rows(
                matrix=np.asfortranarray(self.matrix[index]),
                target=self.target[index],
                ordinals=self.ordinals[index],
                weight=np.ones(len(index), np.float32)
                if self.weight is None
                else self.weight[index],
            )


def rows(n: int = 800, seed: int = 0, *, categories: int = 5, parts: int = 3) -> RowSet:
    """y = 3 + 2 a - b + an effect of the category + noise; a tenth of a and b is null."""
    rng = np.random.default_rng(seed)
    a, b, noise = rng.normal(0, 1, (3, n))
    group = rng.integers(0, categories, n)
    target = 3 + 2 * a - b + np.linspace(-1, 1, categories)[group] + 0.1 * noise
    matrix = np.stack([a, b, group], axis=1).astype(np.float32)
    matrix[:, :2][rng.random((n, 2)) < 0.1] = np.nan
    return RowSet(
        matrix=matrix,
        target=target.astype(np.float32),
        ordinals=np.sort(rng.integers(100, 200, n)).astype(np.int32),
        columns=(Column("a"), Column("b"), Column("group", categories=categories)),
        parts=parts,
    )
